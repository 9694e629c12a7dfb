//! Bad configurations of every kind, and what `ha2bgp check-config` says of each: a file or a directory in
//! `config/bad`, and the text beside it. `UPDATE_EXPECT=1` rewrites the texts: read what changed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ha2bgp::cli::flags::{FLAGS, Flag};
use ha2bgp::config::file::keys::{self, Key, Kind};
use ha2bgp::config::raw::{Given, Raw};
use ha2bgp::config::reader::Host;

/// So many kinds there are at least.
const KINDS: usize = 60;

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad")
}

/// Runs `check-config` on what stands in a directory.
fn check(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha2bgp"));
    command.env_clear().stdin(Stdio::null()).current_dir(dir);
    command.arg("check-config").args(args).output().unwrap()
}

/// What it says of a bad configuration, which it must refuse.
fn complaint(dir: &Path, name: &str) -> String {
    let output = check(dir, &[name]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{name}: {said}");
    assert!(output.stdout.is_empty(), "{name}");
    said
}

/// Compares with the text of a case, or rewrites it; returns what is wrong.
fn compare(name: &str, said: &str) -> Option<String> {
    let path = bad().join(format!("{name}.txt"));
    let want = fs::read_to_string(&path).unwrap_or_default();
    if want == said {
        return None;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, said).unwrap();
        return None;
    }
    Some(format!("{name}: expected\n{want}\nfound\n{said}"))
}

/// The cases that are files and directories, by name.
fn cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(bad()).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            cases.push((file.clone(), file));
        } else if let Some(name) = file.strip_suffix(".toml") {
            cases.push((name.to_owned(), file));
        }
    }
    cases.sort_unstable();
    cases
}

/// Bytes that no file of a repository should have: the name, and what makes them.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    let line = "networks = [\"100.64.0.0/24\"]\n";
    let utf16: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let nested = format!("networks = {}{}\n", "[".repeat(500), "]".repeat(500));
    vec![
        ("made-not-utf8", [line.as_bytes(), b"# caf\xe9\n"].concat()),
        ("made-utf16", [&b"\xff\xfe"[..], &utf16].concat()),
        ("made-nul", [line.as_bytes(), b"local-as = 65\x00000\n"].concat()),
        ("made-ten-mib", b"# nothing\n".repeat(1024 * 1024)),
        ("made-byte-order-mark", "\u{feff}netwroks = 5\n".into()),
        ("made-carriage-returns", format!("{}locl-as = 1\r\n", line.replace('\n', "\r\n")).into()),
        ("made-old-mac", line.replace('\n', "\rlocal-as = 0\r").into_bytes()),
        ("made-long-line", format!("networks = [\"{}\"]\n", "x".repeat(300)).into_bytes()),
        ("made-deep", nested.into_bytes()),
        ("made-escapes", b"[[peer]]\ndescription = \"\x1b[31mred\"\naddres = 1\n".to_vec()),
        ("made-program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0".to_vec()),
    ]
}

#[test]
fn every_bad_configuration_is_told_as_it_shall_be() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= KINDS, "{} cases", cases.len());
    for (name, file) in &cases {
        wrong.extend(compare(name, &complaint(&bad(), file)));
    }
    for (name, bytes) in made() {
        let file = format!("{name}.toml");
        fs::write(dir.path().join(&file), bytes).unwrap();
        wrong.extend(compare(name, &complaint(dir.path(), &file)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Each text belongs to a case, and has place, rule and fix of each mistake.
#[test]
fn no_text_is_left_over_and_each_is_whole() {
    let names: BTreeSet<String> = cases().into_iter().map(|(name, _)| name).collect();
    let made: BTreeSet<&str> = made().iter().map(|(name, _)| *name).collect();
    for entry in fs::read_dir(bad()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".txt") else {
            continue;
        };
        assert!(names.contains(name) || made.contains(name), "{name}.txt is of no case");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter2"), "{name} shows a secret");
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{name} shows control characters"
        );
        for line in text.lines().filter(|line| line.starts_with("ha2bgp: ")) {
            let told = line.strip_prefix("ha2bgp: error: ").unwrap();
            assert!(told.contains(name) || told.starts_with("--config: "), "{name}: {told}");
        }
    }
}

/// A value of its kind for each place in which a key may be given (on the command line, in the
/// environment, in a file), and how the last one is written there. What the values mean is not looked at.
fn samples(key: Key) -> ([&'static str; 3], &'static str) {
    match key.kind {
        Kind::Bool => (["true", "1", "true"], "true"),
        Kind::Number | Kind::NumberOrOff | Kind::NumberOrBool | Kind::NumberOrText | Kind::As => {
            (["1", "2", "3"], "3")
        }
        Kind::Numbers => (["1", "2", "3"], "[3]"),
        Kind::Switch => (["on", "off", "no"], "\"no\""),
        Kind::Text | Kind::Duration | Kind::Path | Kind::Texts => (["a", "b", "c"], "\"c\""),
    }
}

/// Flags over the environment over files over defaults, for every setting.
#[test]
fn what_counts_of_several() {
    let with_key = |flag: &&Flag| !flag.key.is_empty() && !flag.key.starts_with("peer.");
    for flag in FLAGS.iter().filter(with_key) {
        let ([by_flag, by_variable, in_file], toml) = samples(keys::find(flag.key).unwrap());
        let (section, key) = flag.key.rsplit_once('.').unwrap_or(("", flag.key));
        let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let text = format!("{head}{key} = {toml}\n");
        // What is given: by flag, by variable, in a file.
        let read = |given: [bool; 3]| {
            let value = |name| match name {
                "config" if given[2] => vec!["a.toml".to_owned()],
                _ if name == flag.long && given[0] => vec![by_flag.to_owned()],
                _ => Vec::new(),
            };
            let variable =
                |name: &str| (flag.env == Some(name) && given[1]).then(|| by_variable.to_owned());
            let read_file = |path: &str| match path {
                "a.toml" => Ok(text.clone().into_bytes()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            };
            let host = Host { read_file: &read_file, ..Host::BARE };
            let raw = Raw::collect(&Given { flag: &value, variable: &variable }, &host);
            assert_eq!(raw.errors, [], "{text}");
            let found =
                raw.values.one(flag.long).map(|at| (at.text.clone(), at.origin.to_string()));
            found.unwrap_or_default()
        };
        let line = text.lines().count();
        let column = key.len() + 4;
        let file = (in_file.to_owned(), format!("a.toml:{line}:{column}: {}", flag.key));
        let default = match flag.default {
            "" => Default::default(),
            text => (text.to_owned(), format!("--{} (default)", flag.long)),
        };
        let variable = match flag.env {
            Some(name) => (by_variable.to_owned(), name.to_owned()),
            // Without a variable the next one counts.
            None => file.clone(),
        };
        let by_flag = (by_flag.to_owned(), format!("--{}", flag.long));
        let name = flag.long;
        assert_eq!(read([true, true, true]), by_flag, "{name}");
        assert_eq!(read([true, false, true]), by_flag, "{name}");
        assert_eq!(read([true, true, false]), by_flag, "{name}");
        assert_eq!(read([false, true, true]), variable, "{name}");
        assert_eq!(read([false, false, true]), file, "{name}");
        assert_eq!(read([false, false, false]), default, "{name}");
    }
}
