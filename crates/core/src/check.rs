//! Checks: what one probe says, and how many of them make a verdict.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::net::IpAddr;

use crate::time::Instant;

/// What a probe, or a whole check, says of a service. Ordered from best to worst knowledge:
/// nothing is derived from the order but the order in which they are shown.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// It works.
    Pass,
    /// It works, and somebody should look at it. Counts as working.
    Warn,
    /// It does not work.
    Fail,
    /// It cannot be told: the probe itself could not be made, or gave no clear answer.
    Unknown,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Warn, Self::Fail, Self::Unknown];

    /// Stable name: `pass`, `warn`, `fail` or `unknown`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }

    /// True for [`Pass`](Self::Pass) and [`Warn`](Self::Warn).
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Warn)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The longest detail text of a result, in octets; longer ones are cut by whoever makes them.
pub const DETAIL_MAX: usize = 256;

/// What one probe found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeResult {
    /// The verdict of this probe alone.
    pub outcome: Outcome,
    /// One line for the eyes of people, at most [`DETAIL_MAX`] octets, no control characters.
    pub detail: Arc<str>,
    /// What else it tells; most probes tell nothing more.
    pub more: Option<Arc<More>>,
}

/// What a probe tells beside its verdict: nothing here decides anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct More {
    /// More lines of text for the eyes of people, at most [`LONG_MAX`] octets; may be empty.
    pub long: Box<str>,
    /// What it measured, in its order, at most [`METRICS_MAX`].
    pub metrics: Box<[Metric]>,
}

/// The longest text of more lines, in octets.
pub const LONG_MAX: usize = 4096;

/// So many metrics of one probe at most.
pub const METRICS_MAX: usize = 64;

/// Something that a probe has measured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metric {
    /// What the probe calls it: no control characters, at most 256 octets, not empty.
    pub label: Box<str>,
    /// A finite number in base units, as text that `f64::from_str` reads. As text it can be
    /// compared, and nothing here counts with it.
    pub value: Box<str>,
    /// What it is a number of.
    pub unit: MetricUnit,
}

/// What a [`Metric`] is measured in: base units only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricUnit {
    /// A number of things, or something in a unit that nobody knows.
    Number,
    /// Seconds.
    Seconds,
    /// Octets.
    Bytes,
    /// 1 is 100 %.
    Ratio,
    /// A number that only grows.
    Counter,
}

impl ProbeResult {
    /// A result with its detail made presentable: control characters become spaces, and what is
    /// longer than [`DETAIL_MAX`] octets is cut at a character.
    pub fn new(outcome: Outcome, detail: &str) -> Self {
        let line = detail.trim();
        let end = if line.len() <= DETAIL_MAX {
            line.len()
        } else {
            (0..=DETAIL_MAX - 3).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0)
        };
        let cut = line.get(..end).unwrap_or_default();
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: alloc::string::String = cut.chars().map(plain).collect();
        if end < line.len() {
            text.push('…');
        }
        Self { outcome, detail: text.into(), more: None }
    }
}

/// Which check of the configuration: its number in [`EngineConfig::checks`]. A check that stays as
/// it is keeps its number over [`Input::Reconfigure`]; what is known of it then stays too.
///
/// [`Input::Reconfigure`]: crate::engine::Input::Reconfigure
/// [`EngineConfig::checks`]: crate::config::EngineConfig::checks
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CheckIndex(pub u32);

/// One check that is probed: a configured one, by itself or for one VIP.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CheckKey {
    /// Which configured check.
    pub check: CheckIndex,
    /// The VIP it is for; `None` when one probe serves every service that uses it.
    pub vip: Option<IpAddr>,
}

/// How many results in a row make a verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counting {
    /// So many good ones (pass or warn) make it good, 1 at least.
    pub rise: u32,
    /// So many failures make it fail, among results that are not good; and so many of those make it
    /// unknown. 1 at least.
    pub fall: u32,
    /// The verdict before any result.
    pub initial: Outcome,
}

impl Default for Counting {
    /// The first result counts; before it nothing is known.
    fn default() -> Self {
        Self { rise: 1, fall: 1, initial: Outcome::Unknown }
    }
}

/// Results in a row: pass and warn point up, fail and unknown down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Streak {
    last: Option<Outcome>,
    /// So many pointed the same way,
    length: u32,
    /// so many of those failed,
    fails: u32,
    /// and so many in a row said the same.
    same: u32,
}

impl Streak {
    /// Takes a result in.
    pub fn push(&mut self, outcome: Outcome) {
        let one_more = |on: bool, count: u32| if on { count.saturating_add(1) } else { 1 };
        let way = self.last.is_some_and(|last| last.is_good() == outcome.is_good());
        self.length = one_more(way, self.length);
        let before = if way { self.fails } else { 0 };
        self.fails = before.saturating_add(u32::from(outcome == Outcome::Fail));
        self.same = one_more(self.last == Some(outcome), self.same);
        self.last = Some(outcome);
    }

    /// How many results in a row pointed the same way.
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// True while results point in a new way, but not often enough yet: a change is being decided.
    pub fn is_deciding(&self, counting: &Counting) -> bool {
        self.last.is_some_and(|last| match last {
            Outcome::Pass | Outcome::Warn => self.length < counting.rise,
            // Results that cannot tell make no failure.
            Outcome::Fail => self.fails < counting.fall,
            Outcome::Unknown => self.length < counting.fall,
        })
    }

    /// The verdict after the newest result, where it was `verdict` before.
    ///
    /// Within "good" the newest result counts at once. A failure is not made unknown by a single
    /// unclear result, or it would stop a withdrawal; and unclear results make no failure.
    fn verdict(&self, verdict: Outcome, counting: &Counting) -> Outcome {
        let Some(last) = self.last else { return verdict };
        let counts = !self.is_deciding(counting);
        let moves = match last {
            Outcome::Pass | Outcome::Warn => counts || verdict.is_good(),
            Outcome::Unknown if verdict == Outcome::Fail => self.same >= counting.fall,
            Outcome::Fail | Outcome::Unknown => counts,
        };
        // Enough that is not good, and not enough of it failed: nobody can tell.
        if !moves && !last.is_good() && verdict.is_good() && self.length >= counting.fall {
            return Outcome::Unknown;
        }
        if moves { last } else { verdict }
    }
}

/// What is known of a check that is probed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckState {
    /// The verdict, after counting.
    pub verdict: Outcome,
    /// Not enough results yet for any verdict: nothing is known.
    pub pending: bool,
    /// Not enough results yet for a verdict of its own: what counts is [`Counting::initial`].
    pub first: bool,
    /// Since when the verdict is that.
    pub since: Instant,
    /// The newest result and its moment; `None` before the first.
    pub last: Option<(ProbeResult, Instant)>,
    /// The results in a row.
    pub streak: Streak,
    /// How many results there were: pass, warn, fail, unknown.
    pub counts: [u64; 4],
}

impl CheckState {
    /// A check that has no result yet.
    pub const fn new(counting: &Counting, now: Instant) -> Self {
        Self {
            verdict: counting.initial,
            pending: matches!(counting.initial, Outcome::Unknown),
            first: true,
            since: now,
            last: None,
            streak: Streak { last: None, length: 0, fails: 0, same: 0 },
            counts: [0; 4],
        }
    }

    /// Takes a result in. Returns true when the verdict changed, or is the first of its own.
    pub fn take(&mut self, result: ProbeResult, counting: &Counting, now: Instant) -> bool {
        let outcome = result.outcome;
        let count = &mut self.counts[outcome as usize];
        *count = count.saturating_add(1);
        self.last = Some((result, now));
        self.streak.push(outcome);
        let verdict = self.streak.verdict(self.verdict, counting);
        let first = self.first && self.streak.is_deciding(counting);
        let pending = self.pending && first;
        let changed = (verdict, pending) != (self.verdict, self.pending);
        if changed {
            self.verdict = verdict;
            self.pending = pending;
            self.since = now;
        }
        core::mem::replace(&mut self.first, first) != first || changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(counting: Counting, results: &str) -> alloc::string::String {
        let outcome = |c| match c {
            'p' => Outcome::Pass,
            'w' => Outcome::Warn,
            'f' => Outcome::Fail,
            _ => Outcome::Unknown,
        };
        let mut state = CheckState::new(&counting, Instant::START);
        let take = |c| {
            state.take(ProbeResult::new(outcome(c), ""), &counting, Instant::START);
            state.verdict.name().chars().next().unwrap_or('?')
        };
        results.chars().map(take).collect()
    }

    #[test]
    fn results_are_counted() {
        let counting = |rise, fall| Counting { rise, fall, initial: Outcome::Unknown };
        for (rise, fall, results, want) in [
            (1, 1, "pfpwfu", "pfpwfu"),
            (2, 3, "pppp", "uppp"),
            (2, 3, "ppffpfff", "uppppppf"),
            (2, 3, "fffff", "uufff"),
            // One good result alone does not help, one bad result alone does no harm.
            (2, 3, "fffpfpp", "uuffffp"),
            // What cannot be told makes no failure, and no pass either.
            (1, 3, "pfufp", "pppup"),
            (1, 3, "puuff", "pppuu"),
            (1, 3, "puufff", "pppuuf"),
            (1, 3, "pufuu", "pppuu"),
            // A failure stays one until it is unknown just as often.
            (1, 2, "pffuff", "ppffff"),
            (1, 2, "pffuu", "ppffu"),
            // A warning is good, and counts at once.
            (3, 3, "pppwp", "uupwp"),
            (3, 3, "wpw", "uuw"),
        ] {
            assert_eq!(verdicts(counting(rise, fall), results), want, "{rise} {fall} {results}");
        }
        let down = Counting { rise: 2, fall: 2, initial: Outcome::Fail };
        assert_eq!(verdicts(down, "ufpp"), "fffp");
        let up = Counting { rise: 2, fall: 2, initial: Outcome::Pass };
        assert_eq!(verdicts(up, "fpff"), "pppf");
    }

    #[test]
    fn details_are_one_short_line() {
        let long = "é".repeat(DETAIL_MAX);
        let result = ProbeResult::new(Outcome::Fail, &long);
        assert!(result.detail.len() <= DETAIL_MAX, "{}", result.detail.len());
        assert!(result.detail.ends_with('…'));
        assert_eq!(&*ProbeResult::new(Outcome::Pass, " a\nb\x1b[0m ").detail, "a b [0m");
    }
}
