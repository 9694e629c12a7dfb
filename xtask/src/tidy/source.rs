//! Rules about what stands in the code: leftovers, purity, `unsafe`, who imports whom.
//!
//! They work on lines without comments. That is coarse, and enough: a rule that is wrong about a
//! line is answered by writing the line more plainly.

use super::{File, Finding, is_rust};

/// What must not land, spelled in halves so that this file does not find itself.
const LEFTOVERS: [&str; 4] = [
    concat!("tod", "o!("),
    concat!("unimpl", "emented!("),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

pub(super) fn leftovers(files: &[File], findings: &mut Vec<Finding>) {
    for file in files.iter().filter(|file| is_rust(file)) {
        for (number, line) in file.text.lines().enumerate() {
            for leftover in LEFTOVERS {
                if line.contains(leftover) {
                    findings.push(Finding {
                        path: file.path.clone(),
                        line: number + 1,
                        what: format!("`{leftover}`"),
                        why: "unfinished work belongs in an issue",
                    });
                }
            }
            if line.trim() == concat!("#[ign", "ore]") {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    what: "an ignored test without a reason".to_owned(),
                    why: "write #[ignore = \"reason\"]: nobody can judge a silent skip",
                });
            }
        }
    }
}

/// Words that a crate which only computes has no use for.
const IMPURE: [&str; 6] = ["std::", "tokio", "tracing", "println!", "eprintln!", "dbg!"];

pub(super) fn pure_crates(files: &[File], findings: &mut Vec<Finding>) {
    let pure = files.iter().filter(|file| {
        is_rust(file)
            && (file.path.starts_with("crates/core/src/")
                || file.path.starts_with("crates/proto/src/"))
            && !is_test_file(&file.path)
    });
    for file in pure {
        for (number, line) in code_outside_tests(&file.text) {
            if let Some(word) = IMPURE.iter().find(|word| has_word(line, word)) {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number,
                    what: format!("mentions `{word}`"),
                    why: "core and proto compute: no clock, no IO, no log; use core:: and alloc::",
                });
            }
        }
    }
}

/// Crates that may contain `unsafe`.
const MAY_BE_UNSAFE: [&str; 2] = ["crates/sys/", "crates/lab/"];

pub(super) fn unsafe_code(files: &[File], findings: &mut Vec<Finding>) {
    let keyword = concat!("uns", "afe");
    for file in files.iter().filter(|file| is_rust(file)) {
        if MAY_BE_UNSAFE.iter().any(|prefix| file.path.starts_with(prefix)) {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let code = strip_comment(line);
            let opens = ["{", "fn", "impl", "trait", "extern"]
                .iter()
                .any(|next| code.contains(&format!("{keyword} {next}")));
            if opens {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    what: format!("`{keyword}`"),
                    why: "crates/sys is the only place for it, so that one crate can be audited",
                });
            }
        }
    }
}

pub(super) fn observe_and_announce(files: &[File], findings: &mut Vec<Finding>) {
    for (from, to) in [("observe", "announce"), ("announce", "observe")] {
        let place = format!("crates/ha2bgp/src/{from}");
        let spellings = [format!("crate::{to}"), format!("super::{to}"), format!("ha2bgp::{to}")];
        for file in files.iter().filter(|file| is_rust(file) && file.path.starts_with(&place)) {
            for (number, line) in file.text.lines().enumerate() {
                let code = strip_comment(line);
                if spellings.iter().any(|spelling| has_word(code, spelling)) {
                    findings.push(Finding {
                        path: file.path.clone(),
                        line: number + 1,
                        what: format!("{from} imports {to}"),
                        why: "observations go to the engine, routes come from it, nothing between",
                    });
                }
            }
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs")
}

fn strip_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// Whether `word` stands in `line` and does not begin inside of another word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The lines of code with their numbers, without items under `#[cfg(test)]`.
fn code_outside_tests(text: &str) -> Vec<(usize, &str)> {
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        let trimmed = line.trim_start();
        if !trimmed.starts_with("#[cfg(test)]") && !trimmed.starts_with("#[cfg(any(test") {
            found.push((number, strip_comment(line)));
            continue;
        }
        // The item ends at its closing brace, which rustfmt puts at the attribute's own indent.
        let indent = line.len() - trimmed.len();
        for (_, line) in lines.by_ref() {
            let own = line.len() - line.trim_start().len() == indent;
            let closes = line.trim_start().starts_with('}') || line.trim_end().ends_with(';');
            if own && closes {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: super::super::Rule, path: &str, text: &str) -> Vec<usize> {
        let files = [File { path: path.to_owned(), text: text.to_owned() }];
        let mut findings = Vec::new();
        rule(&files, &mut findings);
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn tests_in_pure_crates_may_use_std() {
        let text = "//! std::fs in words\nuse std::fs;\n#[cfg(test)]\nextern crate std;\n\
                    fn a() {} // std::io\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nuse tokio;\n";
        assert_eq!(lines(pure_crates, "crates/core/src/a.rs", text), [2, 10]);
        assert_eq!(lines(pure_crates, "crates/sys/src/a.rs", text), [0; 0]);
        assert_eq!(lines(pure_crates, "crates/core/src/a/tests.rs", text), [0; 0]);
    }

    #[test]
    fn leftovers_are_found() {
        let text = format!("{}\n// {}\n#[ignore = \"slow\"]\n", LEFTOVERS[0], LEFTOVERS[2]);
        assert_eq!(lines(leftovers, "crates/a/src/a.rs", &text), [1, 2]);
    }

    #[test]
    fn the_keyword_is_for_sys_only() {
        let text = format!("// {0} {{\n#![forbid({0}_code)]\n    {0} {{ x() }}\n", "unsafe");
        assert_eq!(lines(unsafe_code, "crates/proto/src/a.rs", &text), [3]);
        assert_eq!(lines(unsafe_code, "crates/sys/src/a.rs", &text), [0; 0]);
    }

    #[test]
    fn observers_and_announcers_do_not_know_each_other() {
        let text = "use crate::announce::X;\nuse crate::observe::Y;\n";
        assert_eq!(lines(observe_and_announce, "crates/ha2bgp/src/observe/a.rs", text), [1]);
        assert_eq!(lines(observe_and_announce, "crates/ha2bgp/src/announce/a.rs", text), [2]);
    }
}
