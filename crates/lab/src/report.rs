//! What all benches say, in one way: a table for people, raw samples for whoever wants to look closer,
//! and one file of results that the README's section is made from.
//!
//! A [`Case`] is one thing that was measured, with everybody who took part in the same run; the first row
//! of ours is what ratios are against. Files go to `$HA2BGP_BENCH_DIR` (`target/bench`):
//! `BENCH-CASE-WHO.csv` and [`RESULTS`].

mod machine;
pub mod readme;
#[cfg(test)]
mod tests;
mod unit;

pub use machine::machine;
pub use unit::Unit;

use crate::{LabError, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of all results, one row of a table a line.
pub const RESULTS: &str = "results.tsv";

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// ha2bgp.
    Ours,
    /// As little as anybody must do.
    Floor,
    /// A program of somebody else.
    Peer,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
            Self::Peer => "peer",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Ours, Self::Floor, Self::Peer].into_iter().find(|who| who.name() == text)
    }
}

/// One line of a table: what somebody's samples come to. All numbers are in whole units of [`Unit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    who: Who,
    name: String,
    samples: usize,
    min: u64,
    p50: u64,
    p99: u64,
    max: u64,
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What, with the unit left out.
    what: String,
    /// Worth a line of the README.
    headline: bool,
    unit: Unit,
    rows: Vec<Row>,
}

/// The cases of one bench.
#[derive(Debug)]
pub struct Report {
    bench: String,
    dir: PathBuf,
    cases: Vec<Case>,
}

impl Report {
    /// The report of a bench, by its name for `cargo xtask bench`.
    pub fn new(bench: &str) -> Result<Self> {
        let dir = std::env::var_os("HA2BGP_BENCH_DIR").unwrap_or_else(|| ".".into());
        let dir = PathBuf::from(dir);
        std::fs::create_dir_all(&dir).map_err(LabError::io(dir.display().to_string()))?;
        Ok(Self { bench: bench.to_owned(), dir, cases: Vec::new() })
    }

    /// Begins a case that is worth a line of the README.
    pub fn headline(&mut self, what: &str, unit: Unit) {
        self.cases.push(Case { what: what.to_owned(), headline: true, unit, rows: Vec::new() });
    }

    /// Begins a case for those who look closer.
    pub fn case(&mut self, what: &str, unit: Unit) {
        self.cases.push(Case { what: what.to_owned(), headline: false, unit, rows: Vec::new() });
    }

    /// Adds somebody to the newest case, and keeps the raw samples. Nobody without samples.
    pub fn row(&mut self, who: Who, name: &str, samples: &[u64]) -> Result<()> {
        let Some(case) = self.cases.last_mut() else { return Ok(()) };
        let Some(row) = Row::new(who, name, samples) else { return Ok(()) };
        let file = format!("{}-{}-{}.csv", self.bench, slug(&case.what), slug(name));
        let mut text = format!("run,{}\n", case.unit.base());
        for (run, sample) in samples.iter().enumerate() {
            let _infallible = writeln!(text, "{run},{sample}");
        }
        case.rows.push(row);
        let path = self.dir.join(file);
        std::fs::write(&path, text).map_err(LabError::io(path.display().to_string()))
    }

    /// The same for times.
    pub fn times(&mut self, who: Who, name: &str, samples: &[Duration]) -> Result<()> {
        let samples: Vec<u64> = samples
            .iter()
            .map(|sample| u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX))
            .collect();
        self.row(who, name, &samples)
    }

    /// The table of the newest case.
    #[must_use]
    pub fn table(&self) -> String {
        self.cases.last().map(Case::table).unwrap_or_default()
    }

    /// Puts the cases into the file of results, in the place of those of the same name.
    pub fn finish(self) -> Result<()> {
        let path = self.dir.join(RESULTS);
        let mut all = read(&path)?;
        for case in self.cases {
            all.put(&self.bench, case);
        }
        all.machine = machine();
        std::fs::write(&path, all.text()).map_err(LabError::io(path.display().to_string()))
    }
}

/// What the file of results says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// The machine of the newest of them.
    pub machine: String,
    cases: Vec<(String, Case)>,
}

/// The results in a file; none where there is no file.
pub fn read(path: &Path) -> Result<Results> {
    match std::fs::read_to_string(path) {
        Ok(text) => Results::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Results::default()),
        Err(error) => Err(LabError::io(path.display().to_string())(error)),
    }
}

impl Results {
    fn put(&mut self, bench: &str, case: Case) {
        let same = |it: &&mut (String, Case)| it.0 == bench && it.1.what == case.what;
        match self.cases.iter_mut().find(same) {
            Some(place) => place.1 = case,
            None => self.cases.push((bench.to_owned(), case)),
        }
    }

    /// The file's text: tabs between fields, which no name has.
    fn text(&self) -> String {
        let mut text = format!(
            "# bench\trank\twhat\tunit\twho\tname\tsamples\tmin\tp50\tp99\tmax\n# machine\t{}\n",
            self.machine
        );
        for (bench, case) in &self.cases {
            let (what, unit) = (&case.what, case.unit.name());
            let rank = if case.headline { "headline" } else { "detail" };
            for row in &case.rows {
                let Row { who, name, samples, min, p50, p99, max } = row;
                let who = who.name();
                let _infallible = writeln!(
                    text,
                    "{bench}\t{rank}\t{what}\t{unit}\t{who}\t{name}\t{samples}\t{min}\t{p50}\t{p99}\t{max}"
                );
            }
        }
        text
    }

    fn parse(text: &str) -> Result<Self> {
        let mut results = Self::default();
        for line in text.lines() {
            if let Some(machine) = line.strip_prefix("# machine\t") {
                machine.clone_into(&mut results.machine);
            } else if !line.starts_with('#') {
                let bad = || LabError::Missing(format!("{RESULTS}: eleven fields in `{line}`"));
                let (bench, case, row) = parse_row(line).ok_or_else(bad)?;
                let same = |it: &&mut (String, Case)| it.0 == bench && it.1.what == case.what;
                match results.cases.iter_mut().find(same) {
                    Some((_, case)) => case.rows.push(row),
                    None => {
                        results.cases.push((bench.to_owned(), Case { rows: vec![row], ..case }));
                    }
                }
            }
        }
        Ok(results)
    }
}

fn parse_row(line: &str) -> Option<(&str, Case, Row)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [bench, rank, what, unit, who, name, samples, numbers @ ..] = fields.as_slice() else {
        return None;
    };
    let mut parsed = [0; 4];
    for (slot, number) in parsed.iter_mut().zip(numbers) {
        *slot = number.parse().ok()?;
    }
    let [min, p50, p99, max] = parsed;
    let (who, samples) = (Who::parse(who)?, samples.parse().ok()?);
    let row = Row { who, name: (*name).to_owned(), samples, min, p50, p99, max };
    let headline = match *rank {
        "headline" => true,
        "detail" => false,
        _ => return None,
    };
    let (what, unit) = ((*what).to_owned(), Unit::parse(unit)?);
    let case = Case { what, headline, unit, rows: Vec::new() };
    (numbers.len() == parsed.len()).then_some((*bench, case, row))
}

impl Row {
    fn new(who: Who, name: &str, samples: &[u64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied()
        };
        Some(Self {
            who,
            name: name.to_owned(),
            samples: samples.len(),
            min: at(0)?,
            p50: at(50)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}

impl Case {
    /// What ratios are against.
    fn base(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.who == Who::Ours)
    }

    /// How many times the base a row is, by medians; nothing for the base itself.
    fn ratio(&self, row: &Row) -> Option<String> {
        let base = self.base().filter(|base| *base != row)?;
        Some(format!("{} ×", unit::digits(row.p50, base.p50.max(1))))
    }

    /// The table for people.
    fn table(&self) -> String {
        let mut text = format!("{}\n", self.what);
        let wide = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(24);
        let _infallible = writeln!(
            text,
            "  {:<wide$} {:>10} {:>10} {:>10} {:>10} {:>6}  ÷ ours",
            "", "p50", "min", "p99", "max", "n"
        );
        for row in &self.rows {
            let [p50, min, p99, max] =
                [row.p50, row.min, row.p99, row.max].map(|value| self.unit.show(value));
            let ratio = self.ratio(row).unwrap_or_default();
            let line = format!(
                "  {:<wide$} {p50:>10} {min:>10} {p99:>10} {max:>10} {:>6}  {ratio}",
                row.name, row.samples
            );
            let _infallible = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

/// A name as a part of a file's.
fn slug(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}
