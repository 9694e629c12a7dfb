//! Samples of queues over time to a verdict. Pure: the moment of each sample is an argument.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_core::time::Instant;

use super::{Condition, Trouble, seconds};

/// The most listeners of one service that are watched; more are ignored.
pub const LISTENERS_MAX: usize = 4096;

/// Drops are one trouble while no pause between them is longer, where samples come often enough.
const PAUSE: Duration = Duration::from_secs(1);

/// Which conditions make which verdict. With none at all, nothing is ever wrong.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// Any of these is a failure.
    pub fail: Vec<Condition>,
    /// Any of these is a warning.
    pub warn: Vec<Condition>,
}

/// One listener at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Names the socket until the next boot.
    pub cookie: u64,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its inode in sockfs, as `ss -e` and `/proc/PID/fd` show it.
    pub inode: u32,
    /// Connections that wait to be accepted.
    pub queue: u32,
    /// How many may wait.
    pub backlog: u32,
    /// What the kernel has dropped at this listener, modulo 2^32; `None` where it does not tell.
    pub drops: Option<u32>,
}

/// One condition at one listener.
#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    /// Since when it is so, and the drop counter of that moment.
    began: Option<(Instant, u32)>,
}

/// One listener over time.
#[derive(Debug)]
struct Track {
    queue: u32,
    drops: Option<u32>,
    /// When the drop counter last rose.
    rose: Option<Instant>,
    /// For each condition: those that fail, then those that warn.
    phases: Vec<Phase>,
}

/// The queues of one service over time.
#[derive(Debug)]
pub struct Monitor {
    rules: Rules,
    /// A longer time between samples is a time about which nothing is known.
    gap: Duration,
    pause: Duration,
    seen: Option<Instant>,
    tracks: BTreeMap<u64, Track>,
}

/// What is said of the worst listener.
#[derive(Clone, Copy, Debug)]
struct Finding {
    outcome: Outcome,
    /// Of its backlog, per mille.
    load: u64,
    sample: Sample,
    /// The condition, how long it lasts, what was dropped meanwhile.
    trouble: Option<(Trouble, Duration, u32)>,
}

impl Monitor {
    /// Nothing seen yet; a sample comes every `interval`.
    pub fn new(rules: Rules, interval: Duration) -> Self {
        let gap = interval.saturating_mul(4).max(PAUSE);
        let pause = interval.saturating_mul(2).max(PAUSE);
        Self { rules, gap, pause, seen: None, tracks: BTreeMap::new() }
    }

    /// Takes in all listeners of the service as they are now. The worst one counts: the first
    /// whose verdict is worst, then the fullest.
    pub fn observe(&mut self, samples: &[Sample], now: Instant) -> ProbeResult {
        // A process that was frozen knows nothing of the time between.
        if self.seen.is_some_and(|seen| now.since(seen) > self.gap) {
            self.tracks.clear();
        }
        self.seen = Some(now);
        let samples = samples.get(..LISTENERS_MAX).unwrap_or(samples);
        let mut before = core::mem::take(&mut self.tracks);
        let mut worst: Option<Finding> = None;
        for sample in samples {
            let track = before.remove(&sample.cookie);
            let (track, finding) = self.follow(sample, track, now);
            self.tracks.insert(sample.cookie, track);
            let rank = |one: &Finding| (severity(one.outcome), one.trouble.is_some(), one.load);
            if worst.as_ref().is_none_or(|other| rank(&finding) > rank(other)) {
                worst = Some(finding);
            }
        }
        match worst {
            None => ProbeResult::new(Outcome::Unknown, "no socket listens on it"),
            Some(worst) => ProbeResult::new(worst.outcome, &text(&worst, samples)),
        }
    }

    /// Forgets all: the next sample begins anew. For times when nothing could be seen.
    pub fn forget(&mut self) {
        self.seen = None;
        self.tracks.clear();
    }

    /// What a sample adds to what is known of its listener.
    fn follow(&self, sample: &Sample, before: Option<Track>, now: Instant) -> (Track, Finding) {
        let drops = sample.drops.unwrap_or(0);
        let old = before.as_ref();
        let risen = old.and_then(|old| old.drops).is_some_and(|was| {
            // Modulo 2^32: a step of more than half of it is one back.
            (1..=u32::MAX / 2).contains(&drops.wrapping_sub(was)) && sample.drops.is_some()
        });
        let rose = if risen { Some(now) } else { old.and_then(|old| old.rose) };
        let shrunk = old.is_some_and(|old| sample.queue < old.queue);
        let load = load(sample);
        let mut finding = Finding { outcome: Outcome::Pass, load, sample: *sample, trouble: None };
        let mut phases = Vec::with_capacity(self.rules.fail.len() + self.rules.warn.len());
        let fail = self.rules.fail.iter().map(|rule| (rule, Outcome::Fail));
        let warn = self.rules.warn.iter().map(|rule| (rule, Outcome::Warn));
        for (at, (rule, outcome)) in fail.chain(warn).enumerate() {
            let phase = old.and_then(|old| old.phases.get(at)).copied().unwrap_or_default();
            let holds = match rule.trouble {
                Trouble::Full => sample.queue > sample.backlog,
                Trouble::Share(percent) => sample.queue > 0 && load >= u64::from(percent) * 10,
                Trouble::Stuck => sample.queue > 0,
                Trouble::Drops => rose.is_some_and(|rose| now.since(rose) < self.pause),
            };
            let restarts = rule.trouble == Trouble::Stuck && shrunk;
            let began = match phase.began {
                Some(began) if holds && !restarts => Some(began),
                _ if holds => {
                    // What made the counter rise belongs to the trouble.
                    let was = old.and_then(|old| old.drops).unwrap_or(drops);
                    Some((now, if risen { was } else { drops }))
                }
                _ => None,
            };
            phases.push(Phase { began });
            let Some((since, counter)) = began else { continue };
            let until = if rule.trouble == Trouble::Drops { rose.unwrap_or(since) } else { now };
            let lasts = until.since(since);
            let met = lasts >= rule.hold;
            let reached = if met { outcome } else { Outcome::Pass };
            // Of the same verdict the first condition is told.
            if finding.trouble.is_none() || severity(reached) > severity(finding.outcome) {
                finding.outcome = reached;
                finding.trouble = Some((rule.trouble, lasts, drops.wrapping_sub(counter)));
            }
        }
        (Track { queue: sample.queue, drops: sample.drops, rose, phases }, finding)
    }
}

/// How full it is, in tenths of a percent. A backlog of zero lets one connection wait.
fn load(sample: &Sample) -> u64 {
    u64::from(sample.queue) * 1000 / u64::from(sample.backlog.max(1))
}

const fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass | Outcome::Unknown => 0,
        Outcome::Warn => 1,
        Outcome::Fail => 2,
    }
}

fn text(worst: &Finding, samples: &[Sample]) -> String {
    let Sample { address, queue, backlog, inode, .. } = worst.sample;
    let mut text = format!("queue {queue} of {backlog} on {address}");
    if let Some((trouble, lasts, drops)) = worst.trouble {
        let lasts = seconds(lasts);
        text.push_str(&match trouble {
            Trouble::Full => format!(" for {lasts}"),
            Trouble::Share(percent) => format!(", {percent}% or more for {lasts}"),
            Trouble::Drops => format!(", dropping for {lasts}"),
            Trouble::Stuck => format!(", nothing accepted for {lasts}"),
        });
        if drops > 0 {
            let plural = if drops == 1 { "" } else { "s" };
            text.push_str(&format!(", {drops} drop{plural}"));
        }
    }
    let group = samples.iter().filter(|other| other.address == address).count();
    if group > 1 {
        text.push_str(&format!("; socket inode {inode}, the worst of {group} there"));
    }
    text
}
