//! Repeats what was recorded, compares it with what was decided then, and with what another
//! configuration would decide. Pure: lines in, differences out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey};
use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::fact::Observation;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::reason::Reason;
use ha2bgp_core::record::{Decision, Entry, Reader, RecordError};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;
use jiff::Timestamp;

use crate::config::carry::names;

/// The most timers that fire between two entries; more never rest.
const TIMERS_MAX: usize = 100_000;

/// Timers of a running program fire so much late, and more on a busy host.
const LATE: Duration = Duration::from_millis(50);

/// How a prefix stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stand {
    /// Its route, if it is announced.
    pub route: Option<Route>,
    /// Why.
    pub reason: Reason,
}

/// Something to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// A record begins, or begins again behind a gap.
    Begins,
    /// Entries are missing: what follows begins with a checkpoint.
    Gap(u64),
    /// This was decided then.
    Decided(Decision),
    /// This was decided then, and is not now: the program decides otherwise, or the record is not whole.
    NotRepeated(Decision),
    /// This is decided now, and was not then.
    NotRecorded(Decision),
    /// The other configuration would have it otherwise from here on.
    Differs {
        /// The prefix.
        prefix: Prefix,
        /// As it was.
        recorded: Stand,
        /// As it would be.
        other: Stand,
    },
    /// Both have it alike again.
    Alike {
        /// The prefix.
        prefix: Prefix,
        /// As both have it.
        stand: Stand,
    },
}

/// Counts for the summary.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Inputs that were repeated.
    pub inputs: u64,
    /// Decisions that were compared.
    pub decisions: u64,
    /// Those that went otherwise.
    pub otherwise: u64,
    /// How often the other configuration began to differ.
    pub differs: u64,
    /// Entries that are missing.
    pub missing: u64,
    /// Results of checks that the other configuration does not have.
    pub strangers: u64,
}

/// Repeats a record.
#[derive(Debug)]
pub struct Replay {
    reader: Reader,
    engine: Option<Engine>,
    other: Option<Other>,
    /// Decided now, and not yet found in the record.
    pending: VecDeque<Decision>,
    /// A checkpoint is read: what it decides was not recorded.
    in_checkpoint: bool,
    now: Instant,
    clock: Option<(Instant, Timestamp)>,
    listen_filter: Option<String>,
    summary: Summary,
}

/// Another configuration beside the recorded one.
#[derive(Debug)]
struct Other {
    config: EngineConfig,
    engine: Option<Engine>,
    /// Prefixes that stand otherwise.
    differing: BTreeMap<Prefix, (bool, bool)>,
    /// From the numbers of recorded checks to those of its own.
    same: BTreeMap<CheckIndex, CheckIndex>,
}

impl Replay {
    /// A replay, beside another configuration if there is one.
    pub fn new(other: Option<EngineConfig>) -> Self {
        let other = other.map(|config| Other {
            config,
            engine: None,
            differing: BTreeMap::new(),
            same: BTreeMap::new(),
        });
        Self {
            reader: Reader::default(),
            engine: None,
            other,
            pending: VecDeque::new(),
            in_checkpoint: false,
            now: Instant::START,
            clock: None,
            listen_filter: None,
            summary: Summary::default(),
        }
    }

    /// The wall clock at a moment of the record, if the record says.
    pub fn wall(&self, at: Instant) -> Option<Timestamp> {
        let (then, wall) = self.clock?;
        wall.checked_add(at.since(then)).ok()
    }

    /// The listen filter of the record, if it says.
    pub fn listen_filter(&self) -> Option<&str> {
        self.listen_filter.as_deref()
    }

    /// What was counted so far.
    pub const fn summary(&self) -> Summary {
        self.summary
    }

    /// Takes the next line; hands out what is to be told, with its moment.
    ///
    /// # Errors
    /// When it is no line of a record.
    pub fn line(
        &mut self,
        line: &str,
        tell: &mut dyn FnMut(Instant, Found),
    ) -> Result<(), RecordError> {
        self.comment(line);
        let Some((at, entry)) = self.reader.line(line)? else { return Ok(()) };
        match entry {
            Entry::Decision(recorded) => self.compare(at, recorded, tell),
            entry => {
                self.settle(tell);
                self.now = at;
                match entry {
                    Entry::Start(config) => self.start(*config, tell),
                    Entry::Missing(count) => {
                        self.summary.missing = self.summary.missing.saturating_add(count);
                        tell(at, Found::Gap(count));
                    }
                    Entry::Input(input) => self.input(input, tell),
                    Entry::Decision(_) => {}
                }
            }
        }
        Ok(())
    }

    /// The record ends here.
    pub fn end(&mut self, tell: &mut dyn FnMut(Instant, Found)) -> Summary {
        self.settle(tell);
        self.summary
    }

    fn comment(&mut self, line: &str) {
        let Some(comment) = line.strip_prefix("# ") else { return };
        match comment.split_once(' ') {
            Some(("clock", rest)) => {
                let (at, wall) = rest.split_once(' ').unwrap_or_default();
                let at = at.parse().ok().map(Instant::from_micros);
                self.clock = at.zip(wall.parse().ok()).or(self.clock);
            }
            Some(("listen-filter", text)) => self.listen_filter = Some(text.to_owned()),
            Some(("checkpoint", _)) => {
                self.in_checkpoint = false;
                self.pending.clear();
            }
            _ => {}
        }
    }

    fn start(&mut self, config: EngineConfig, tell: &mut dyn FnMut(Instant, Found)) {
        tell(self.now, Found::Begins);
        self.in_checkpoint = true;
        if let Some(other) = &mut self.other {
            other.engine = Some(Engine::new(other.config.clone(), self.now));
            other.differing.clear();
            other.learn(&config);
        }
        self.engine = Some(Engine::new(config, self.now));
        self.drain();
    }

    fn input(&mut self, input: Input, tell: &mut dyn FnMut(Instant, Found)) {
        let Some(engine) = &mut self.engine else { return };
        self.summary.inputs = self.summary.inputs.saturating_add(1);
        let quiet = self.in_checkpoint;
        if let Some(other) = &mut self.other {
            self.summary.differs += other.pass_time(engine, self.now, quiet, tell);
            self.summary.strangers += other.input(&input, self.now);
        }
        let reconfigured = matches!(input, Input::Reconfigure(_));
        engine.handle(input, self.now);
        if let Some(other) = &mut self.other {
            if reconfigured {
                other.learn(engine.config());
            }
            if !quiet {
                self.summary.differs += other.compare(engine, self.now, tell);
            }
        }
        self.drain();
    }

    /// Keeps what is decided now, to be found in the record.
    fn drain(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        while let Some(output) = engine.poll_output() {
            if let Output::Event(event) = output
                && let Some(decision) = Decision::of(&event)
                && !self.in_checkpoint
            {
                self.pending.push_back(decision);
            }
        }
    }

    fn compare(&mut self, at: Instant, recorded: Decision, tell: &mut dyn FnMut(Instant, Found)) {
        self.summary.decisions = self.summary.decisions.saturating_add(1);
        if self.pending.front() == Some(&recorded) {
            self.pending.pop_front();
            tell(at, Found::Decided(recorded));
        } else {
            self.summary.otherwise = self.summary.otherwise.saturating_add(1);
            tell(at, Found::NotRepeated(recorded));
        }
    }

    /// What was decided now must have been found by the next input.
    fn settle(&mut self, tell: &mut dyn FnMut(Instant, Found)) {
        for decision in std::mem::take(&mut self.pending) {
            self.summary.otherwise = self.summary.otherwise.saturating_add(1);
            tell(self.now, Found::NotRecorded(decision));
        }
    }
}

impl Other {
    /// The recorded configuration is this one now.
    fn learn(&mut self, recorded: &EngineConfig) {
        let own: BTreeMap<_, _> =
            names(&self.config).into_iter().map(|(index, name)| (name, index)).collect();
        let same = names(recorded).into_iter();
        self.same = same.filter_map(|(index, name)| Some((index, *own.get(&name)?))).collect();
    }

    /// Its timers are others than the recorded ones. Returns how many prefixes begin to differ.
    fn pass_time(
        &mut self,
        recorded: &Engine,
        now: Instant,
        quiet: bool,
        tell: &mut dyn FnMut(Instant, Found),
    ) -> u64 {
        let mut begins = 0;
        for _ in 0..TIMERS_MAX {
            let Some(engine) = &mut self.engine else { break };
            let Some(at) = engine.poll_timeout().filter(|at| *at <= now) else { break };
            engine.handle(Input::Timeout, at);
            while engine.poll_output().is_some() {}
            // The recorded one may do the same now: the program wakes up a little late.
            if !quiet && now.since(at) > LATE {
                begins += self.compare(recorded, at, tell);
            }
        }
        begins
    }

    /// Takes an input as far as the other configuration knows it. Returns how many results of checks
    /// it has no check for.
    fn input(&mut self, input: &Input, now: Instant) -> u64 {
        let Some(engine) = &mut self.engine else { return 0 };
        let input = match input {
            // The other configuration counts throughout.
            Input::Timeout | Input::Reconfigure(_) => return 0,
            Input::Observation(Observation::Probed { check, result }) => {
                let Some(number) = self.same.get(&check.check) else { return 1 };
                let check = CheckKey { check: *number, vip: check.vip };
                Input::Observation(Observation::Probed { check, result: result.clone() })
            }
            other => other.clone(),
        };
        engine.handle(input, now);
        while engine.poll_output().is_some() {}
        0
    }

    /// Tells which prefixes begin to stand otherwise, or alike again. Returns how many begin.
    fn compare(
        &mut self,
        recorded: &Engine,
        now: Instant,
        tell: &mut dyn FnMut(Instant, Found),
    ) -> u64 {
        let Some(engine) = &self.engine else { return 0 };
        let mut differing = BTreeMap::new();
        let (own, other): (&RouteSet, &RouteSet) = (recorded.routes(), engine.routes());
        own.diff(other, &mut |change| {
            differing.insert(change.prefix, (change.before.is_some(), change.after.is_some()));
        });
        let stand = |engine: &Engine, prefix| Stand {
            route: engine.routes().get(prefix).copied(),
            reason: engine.explain(prefix, now).reason,
        };
        let mut begins = 0;
        for (prefix, how) in &differing {
            if self.differing.get(prefix) != Some(how) {
                begins += 1;
                let (recorded, other) = (stand(recorded, *prefix), stand(engine, *prefix));
                tell(now, Found::Differs { prefix: *prefix, recorded, other });
            }
        }
        for prefix in self.differing.keys().filter(|prefix| !differing.contains_key(*prefix)) {
            tell(now, Found::Alike { prefix: *prefix, stand: stand(engine, *prefix) });
        }
        self.differing = differing;
        begins
    }
}
