//! `cargo xtask tidy`: the rules of DESIGN.md that no compiler checks, each with its reason.
//!
//! A rule is a function from the workspace's files to findings. It also runs as a test, so that
//! an ordinary `cargo test --workspace` finds what it finds.

mod deps;
mod files;
mod source;

use crate::paths;
use std::fmt;
use std::path::{Path, PathBuf};

/// A text file of the workspace, read once.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// From 1; 0 when the finding is about the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) why: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {} ({})", self.path, self.what, self.why),
            line => write!(f, "{}:{line}: {} ({})", self.path, self.what, self.why),
        }
    }
}

type Rule = fn(&[File], &mut Vec<Finding>);

const RULES: [(&str, Rule); 9] = [
    ("file length", files::length),
    ("module heads", files::module_heads),
    ("trailing whitespace", files::trailing_whitespace),
    ("reachable tests", files::reachable_tests),
    ("leftovers", source::leftovers),
    ("pure crates", source::pure_crates),
    ("unsafe", source::unsafe_code),
    ("observe and announce", source::observe_and_announce),
    ("dependencies", deps::directions),
];

/// Prints the findings; an error when there are any.
pub(crate) fn run() -> Result<(), String> {
    let files = read_all(&paths::root())?;
    println!("{} files, {} rules; longest: {}", files.len(), RULES.len(), longest(&files));
    let findings = check(&files);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("tidy: {count} findings")),
    }
}

/// All findings of all rules.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, rule) in RULES {
        rule(files, &mut findings);
    }
    findings
}

fn longest(files: &[File]) -> String {
    let mut sizes: Vec<(usize, &str)> = files
        .iter()
        .filter(|file| is_rust(file))
        .map(|file| (file.text.lines().count(), file.path.as_str()))
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let shown: Vec<String> =
        sizes.iter().take(3).map(|(lines, path)| format!("{path} ({lines})")).collect();
    shown.join(", ")
}

pub(crate) fn is_rust(file: &File) -> bool {
    file.path.ends_with(".rs")
}

/// Reads the text files of the workspace: sources, manifests, documents, scripts.
fn read_all(root: &Path) -> Result<Vec<File>, String> {
    let mut found = Vec::new();
    for name in ["crates", "xtask", "docs", ".ci", "fuzz"] {
        walk(&root.join(name), &mut found)?;
    }
    for entry in list(root)? {
        if entry.is_file() {
            found.push(entry);
        }
    }
    found.sort();
    let mut files = Vec::new();
    for path in found {
        let wanted = path.extension().is_some_and(|extension| {
            ["rs", "toml", "md", "sh", "txt", "yml"].iter().any(|known| extension == *known)
        });
        if !wanted {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        files.push(File { path: relative.to_string_lossy().into_owned(), text });
    }
    Ok(files)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    if !dir.is_dir() {
        return Ok(());
    }
    for path in list(dir)? {
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default();
            if name != "target" && name != "node_modules" {
                walk(&path, found)?;
            }
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let io = |error: std::io::Error| format!("{}: {error}", dir.display());
    std::fs::read_dir(dir)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(io))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = check(&read_all(&paths::root()).unwrap());
        let shown: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(shown.is_empty(), "\n{}", shown.join("\n"));
    }
}
