//! Rules about whole files: length, module heads, whitespace, tests that nobody runs.

use super::{File, Finding, is_rust};

/// One reader should hold a file in the head.
const MAX_LINES: usize = 600;

pub(super) fn length(files: &[File], findings: &mut Vec<Finding>) {
    for file in files.iter().filter(|file| is_rust(file)) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            findings.push(Finding {
                path: file.path.clone(),
                line: 0,
                what: format!("{lines} lines, {MAX_LINES} are the limit"),
                why: "one reader should hold a file in the head: split by state or by concern",
            });
        }
    }
}

/// A module `tests` is part of the module that it tests, which has the head.
pub(super) fn module_heads(files: &[File], findings: &mut Vec<Finding>) {
    let modules = files.iter().filter(|file| is_rust(file) && !file.path.ends_with("/tests.rs"));
    for file in modules {
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        if !first.starts_with("//!") {
            findings.push(Finding {
                path: file.path.clone(),
                line: 1,
                what: "does not start with `//!`".to_owned(),
                why: "the head says what a module owns and what it must not do",
            });
        }
    }
}

pub(super) fn trailing_whitespace(files: &[File], findings: &mut Vec<Finding>) {
    for file in files {
        for (number, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    what: "trailing whitespace".to_owned(),
                    why: "noise in every later diff",
                });
            }
        }
    }
}

/// Each `tests/TEST/NAME.rs` must be a `mod NAME` of the `main.rs` beside it.
pub(super) fn reachable_tests(files: &[File], findings: &mut Vec<Finding>) {
    for file in files.iter().filter(|file| is_rust(file)) {
        let Some((krate, path)) = file.path.split_once("/tests/") else {
            continue;
        };
        // A folder of sources that are not tests has no such place.
        let Some((test, name)) = path.split_once('/').filter(|_| !krate.contains("/src")) else {
            continue;
        };
        let name = name.trim_end_matches(".rs");
        // With `mod.rs` it is a module that tests share.
        let shared = format!("{krate}/tests/{test}/mod.rs");
        if name == "main" || name.contains('/') || files.iter().any(|it| it.path == shared) {
            continue;
        }
        let main = format!("{krate}/tests/{test}/main.rs");
        let listed = files.iter().filter(|other| other.path == main).any(|main| {
            main.text
                .lines()
                .any(|line| line.trim().trim_start_matches("pub ") == format!("mod {name};"))
        });
        if !listed {
            findings.push(Finding {
                path: file.path.clone(),
                line: 0,
                what: format!("is not a `mod {name};` of {main}"),
                why: "a test that is never compiled never fails",
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn findings(rule: super::super::Rule, files: &[File]) -> Vec<usize> {
        let mut findings = Vec::new();
        rule(files, &mut findings);
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn long_files_and_headless_modules() {
        let long = file("crates/a/src/b.rs", &"//! x\n".repeat(601));
        assert_eq!(findings(length, std::slice::from_ref(&long)), [0]);
        assert_eq!(findings(module_heads, &[long]), [0; 0]);
        assert_eq!(findings(module_heads, &[file("crates/a/src/c.rs", "use b;\n")]), [1]);
        assert_eq!(findings(module_heads, &[file("crates/a/src/c/tests.rs", "use b;\n")]), [0; 0]);
    }

    #[test]
    fn whitespace_at_the_end() {
        assert_eq!(findings(trailing_whitespace, &[file("a.md", "a\nb \nc\t\n")]), [2, 3]);
    }

    #[test]
    fn a_forgotten_test_module() {
        let main = file("crates/a/tests/b/main.rs", "//! x\nmod one;\n");
        let one = file("crates/a/tests/b/one.rs", "//! x\n");
        let two = file("crates/a/tests/b/two.rs", "//! x\n");
        let unit = file("crates/a/src/tests/c/three.rs", "//! x\n");
        let shared = file("crates/a/tests/d/mod.rs", "//! x\n");
        assert_eq!(findings(reachable_tests, &[main, one, two, unit, shared]), [0]);
    }
}
