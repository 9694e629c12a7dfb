//! Which crate may depend on which: a crate boundary stands where a permission changes.

use super::{File, Finding};

/// Each crate and the crates of this workspace that it may depend on.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("crates/core", &[]),
    ("crates/proto", &["ha2bgp-core"]),
    ("crates/sys", &["ha2bgp-core", "ha2bgp-proto"]),
    ("crates/ha2bgp", &["ha2bgp-core", "ha2bgp-proto", "ha2bgp-sys"]),
    ("crates/lab", &["ha2bgp-core", "ha2bgp-proto", "ha2bgp-sys", "ha2bgp"]),
    ("xtask", &[]),
];

const WHY: &str = "core computes, proto speaks, sys calls the kernel, only the program joins them; \
                   nothing depends on the lab";

pub(super) fn directions(files: &[File], findings: &mut Vec<Finding>) {
    for (krate, allowed) in ALLOWED {
        let path = format!("{krate}/Cargo.toml");
        let Some(manifest) = files.iter().find(|file| file.path == path) else {
            continue;
        };
        for (line, dependency) in own_dependencies(&manifest.text) {
            if !allowed.contains(&dependency) {
                findings.push(Finding {
                    path: path.clone(),
                    line,
                    what: format!("may not depend on {dependency}"),
                    why: WHY,
                });
            }
        }
    }
}

/// The dependencies that are crates of this workspace, with their line numbers.
fn own_dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.ends_with("dependencies");
            if let Some((_, name)) = header.split_once("dependencies.")
                && name.starts_with("ha2bgp")
            {
                found.push((number + 1, name));
            }
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or("");
        if inside && name.starts_with("ha2bgp") {
            found.push((number + 1, name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_against_the_grain_is_found_in_every_spelling() {
        let manifest = "[package]\nname = \"ha2bgp-proto\"\n[dependencies]\n\
                        ha2bgp-core.workspace = true\n[dev-dependencies]\n\
                        ha2bgp-lab = { path = \"../lab\" }\n[dependencies.ha2bgp-sys]\n";
        let files =
            [File { path: "crates/proto/Cargo.toml".to_owned(), text: manifest.to_owned() }];
        let mut findings = Vec::new();
        directions(&files, &mut findings);
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [6, 7]);
    }
}
