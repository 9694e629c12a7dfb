//! `cargo xtask counts`: how many instructions each group of the hot path takes, by callgrind, beside
//! what the committed file says.
//!
//! Times say little on a machine that others use too; instructions are the same in every run. The groups
//! are the `counted_…` functions of the lab's `hot-path`, built as the lab runs the program. Another compiler
//! makes other instructions: then nothing is compared.

use crate::{paths, sh};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is committed, below the root of the workspace.
const FILE: &str = "crates/lab/counts.txt";
/// The program, and how the name of each group begins there.
const PROGRAM: &str = "hot-path";
const PREFIX: &str = "counted_";
/// A group may grow by so many percent.
const GROWTH: u64 = 10;
const HEAD: &str = "\
# Instructions a call of each group in crates/lab/src/bin/hot-path.rs, as callgrind counts them.
# Written by `cargo xtask counts --renew`; `cargo xtask test` fails where one grows by more than 10 %.
";

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All groups are as small as before; a table for people.
    Fine(String),
    /// Nothing could be compared, and why.
    Skipped(String),
}

/// The counts and what they depend on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// The compiler and what it compiles for.
    made_by: String,
    /// Instructions a call, by group.
    groups: BTreeMap<String, u64>,
}

/// `cargo xtask counts [--renew]`.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let renew = match args {
        [] => false,
        ["--renew"] => true,
        _ => return Err("counts: --renew, or nothing".to_owned()),
    };
    sh::heading("the hot path, as the lab runs the program");
    sh::run(&mut sh::cargo_test(&["--no-run"]))?;
    if !renew {
        return match check()? {
            Verdict::Fine(table) => {
                print!("{table}");
                Ok(())
            }
            Verdict::Skipped(reason) => Err(format!("nothing to compare: {reason}")),
        };
    }
    if !sh::have("valgrind") {
        return Err("no valgrind here: cargo xtask lab-setup".to_owned());
    }
    let text = measure()?.text();
    let file = committed();
    std::fs::write(&file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    print!("{text}");
    Ok(())
}

/// Counts, and compares with the committed file. The program has been built already.
pub(crate) fn check() -> Result<Verdict, String> {
    if !sh::have("valgrind") {
        return Ok(Verdict::Skipped("no valgrind here: cargo xtask lab-setup".to_owned()));
    }
    let file = committed();
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("{}: {error}: cargo xtask counts --renew", file.display()))?;
    let before = Counts::parse(&text)?;
    let made_by = made_by()?;
    if before.made_by != made_by {
        let theirs = &before.made_by;
        return Ok(Verdict::Skipped(format!("{FILE} is of {theirs}, this is {made_by}")));
    }
    compare(&before, &measure()?).map(Verdict::Fine)
}

fn committed() -> PathBuf {
    paths::root().join(FILE)
}

/// The compiler's version and target, on one line.
fn made_by() -> Result<String, String> {
    let text = sh::output(&mut sh::command("rustc", &["-vV"]))?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.ok_or_else(|| format!("rustc -vV says no {name}"))
    };
    Ok(format!("rustc {} {} for {}", of("release")?, of("commit-date")?, of("host")?))
}

/// Runs the program under callgrind.
fn measure() -> Result<Counts, String> {
    let dir = paths::target().join("counts");
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let out = dir.join("callgrind.out");
    let program = paths::built(PROGRAM);
    let out_option = format!("--callgrind-out-file={}", out.display());
    let mut command = sh::command(
        "valgrind",
        &[
            "--quiet",
            "--tool=callgrind",
            "--compress-strings=no",
            "--compress-pos=no",
            &out_option,
            &program.to_string_lossy(),
        ],
    );
    // What is in the environment lies on the stack too, and moves what comes after it.
    let path = std::env::var_os("PATH").unwrap_or_default();
    sh::output(command.env_clear().env("PATH", path))?;
    let text = read(&out)?;
    let groups = groups(&text);
    if groups.is_empty() {
        return Err(format!("{} has no function {PREFIX}…", out.display()));
    }
    Ok(Counts { made_by: made_by()?, groups })
}

fn read(file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The instructions a call of each group, what it calls included: in a file of callgrind's, whose format
/// is in valgrind's manual, `cfn=` names who is called, `calls=` how often, and the next line has what
/// that came to.
fn groups(text: &str) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(group) = line.strip_prefix("cfn=").and_then(group_of) else { continue };
        let first = |line: Option<&str>, skip: usize, prefix: &str| {
            let words = line?.strip_prefix(prefix)?.split(' ').nth(skip)?;
            words.parse::<u64>().ok()
        };
        let calls = first(lines.next(), 0, "calls=");
        let cost = first(lines.next(), 1, "");
        if let (Some(calls), Some(cost)) = (calls, cost) {
            let sum = sums.entry(group).or_default();
            *sum = (sum.0 + calls, sum.1 + cost);
        }
    }
    sums.into_iter().map(|(group, (calls, cost))| (group, cost / calls.max(1))).collect()
}

/// `hot_path::counted_engine_closed` is the group `engine-closed`; how symbols are mangled does not matter.
fn group_of(function: &str) -> Option<String> {
    let (_, behind) = function.split_once(PREFIX)?;
    let named = |name: &&str| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    // Not the closures inside of one, which are in its count already.
    Some(behind).filter(named).map(|name| name.replace('_', "-"))
}

/// A table; an error names each group that grew, came or went.
fn compare(before: &Counts, now: &Counts) -> Result<String, String> {
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (group, count) in &now.groups {
        let Some(old) = before.groups.get(group) else {
            wrong.push(format!("{group} is new: {count} instructions"));
            continue;
        };
        let change = percent(*old, *count);
        let _infallible = writeln!(table, "{group:<24} {count:>9}  {change:>7}");
        if u128::from(*count) * 100 > u128::from(*old) * u128::from(100 + GROWTH) {
            wrong.push(format!("{group} grew from {old} to {count} instructions a call, {change}"));
        } else if u128::from(*count) * u128::from(100 + GROWTH) < u128::from(*old) * 100 {
            table.push_str("  much less than the file says: renew it, so that growth is seen\n");
        }
    }
    let gone = before.groups.keys().filter(|group| !now.groups.contains_key(*group));
    wrong.extend(gone.map(|group| format!("{group} is gone")));
    if wrong.is_empty() {
        return Ok(table);
    }
    Err(format!(
        "{table}the hot path: {}\n(more than {GROWTH} % over {FILE} fails; where that is meant to be: \
         cargo xtask counts --renew, and say why in the commit)",
        wrong.join("; ")
    ))
}

/// `+1.5 %`, in whole tenths.
fn percent(old: u64, new: u64) -> String {
    let (old, sign, difference) =
        (u128::from(old.max(1)), if new < old { '-' } else { '+' }, u128::from(old.abs_diff(new)));
    let tenths = difference * 1000 / old;
    format!("{sign}{}.{} %", tenths / 10, tenths % 10)
}

impl Counts {
    /// The text of the committed file.
    fn text(&self) -> String {
        let mut text = format!("{HEAD}made by {}\n", self.made_by);
        for (group, count) in &self.groups {
            let _infallible = writeln!(text, "{group:<24} {count:>9}");
        }
        text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut counts = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(made_by) = line.strip_prefix("made by ") {
                made_by.clone_into(&mut counts.made_by);
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(group), Some(Ok(count)), None) =
                (words.next(), words.next().map(str::parse), words.next())
            else {
                return Err(format!("{FILE}: `{line}` is no group with its count"));
            };
            counts.groups.insert(group.to_owned(), count);
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = "\
events: Ir\n\nfn=hot_path::main\n0 12\ncfn=hot_path::counted_engine_closed\ncalls=50 0 \n0 1423950\n\
0 100\ncfn=hot_path::prepare\ncalls=1 0 \n0 99\ncfn=_RNvCs1_8hot_path21counted_engine_closed\n\
calls=50 0 \n0 50\ncfn=hot_path::counted_engine_closed::{{closure}}\ncalls=7 0 \n0 7\n\nfn=hot_path::counted_engine_closed\n0 5\ncfn=hot_path::exabgp\ncalls=2 0 \n0 4\n";

    fn counts(groups: &[(&str, u64)]) -> Counts {
        let groups = groups.iter().map(|(group, count)| ((*group).to_owned(), *count)).collect();
        Counts { made_by: "rustc 1 for here".to_owned(), groups }
    }

    #[test]
    fn all_calls_of_a_group_count_however_it_is_mangled() {
        let found = groups(OUT);
        assert_eq!(found, counts(&[("engine-closed", 1_424_000 / 100)]).groups);
    }

    #[test]
    fn the_file_is_read_as_it_is_written() {
        let counts = counts(&[("a", 1), ("b-c", 12_345_678)]);
        assert_eq!(Counts::parse(&counts.text()).unwrap(), counts);
        assert!(Counts::parse("made by me\na b c\n").is_err());
    }

    #[test]
    fn a_tenth_is_let_through_and_no_more() {
        let before = counts(&[("a", 1000)]);
        assert!(compare(&before, &counts(&[("a", 1100)])).unwrap().contains("+10.0 %"));
        let error = compare(&before, &counts(&[("a", 1101)])).unwrap_err();
        assert!(error.contains("a grew from 1000 to 1101"), "{error}");
        assert!(error.contains("counts --renew"), "{error}");
        assert!(compare(&before, &counts(&[("a", 500)])).unwrap().contains("renew"));
    }

    #[test]
    fn groups_that_come_and_go_are_told() {
        let error = compare(&counts(&[("a", 1)]), &counts(&[("b", 1)])).unwrap_err();
        assert!(error.contains("b is new") && error.contains("a is gone"), "{error}");
    }
}
