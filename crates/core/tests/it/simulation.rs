//! Seeded simulation: random facts, orders and configurations at random moments against a model that is
//! written otherwise.
//!
//! The engine works with tables, phases and timers; the [`Model`] keeps plain lists, recomputes
//! everything from them, and decides from "healthy since" and "unhealthy since". Both must agree
//! after every step. 256 seeds run in the ordinary test; `HA2BGP_SIM_SEED=0x2a` replays one, and
//! a failure prints its seed and the last inputs. With `HA2BGP_SIM_RECORD=DIRECTORY` it leaves a record there
//! that `ha2bgp replay` reads.

mod model;
mod random;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::engine::{Engine, Input, Output, PlannedChange};
use ha2bgp_core::event::Event;
use ha2bgp_core::fact::SocketId;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::record::{Decision, Entry, HEAD, Reader, write};
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;

use self::model::Model;
use self::random::{Random, VIPS};

struct Simulation {
    random: Random,
    engine: Engine,
    model: Model,
    now: Instant,
    announced: RouteSet,
    held: BTreeSet<IpAddr>,
    next_cookie: u64,
    trail: VecDeque<String>,
    /// What the flight recorder of the program would have written.
    record: String,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let config = random.config();
        Self {
            engine: Engine::new(config.clone(), Instant::START),
            model: Model::new(config.clone()),
            random,
            now: Instant::START,
            announced: RouteSet::new(),
            held: BTreeSet::new(),
            next_cookie: 1,
            trail: VecDeque::new(),
            record: format!("{HEAD}\n") + &write(Instant::START, &Entry::Start(config.into())),
        }
    }

    /// What happens next.
    fn input(&mut self) -> Input {
        match self.random.below(100) {
            0..=3 => Input::Reconfigure(Box::new(self.random.other_config(&self.model.config))),
            4..=6 => Input::SetOverrides(self.random.overrides(self.now)),
            7 => Input::ResetDamping(self.random.scope()),
            _ => {
                let known = self.model.listeners.iter().map(|listener| listener.id);
                let known: Vec<SocketId> = known.collect();
                let config = &self.model.config;
                let cookie = &mut self.next_cookie;
                Input::Observation(self.random.observation(config, &known, cookie))
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.trail.push_back(format!("{} {input:?}", self.now));
        if self.trail.len() > 30 {
            self.trail.pop_front();
        }
        let before = self.announced.clone();
        let planned = match &input {
            Input::Reconfigure(config) => Some(self.engine.plan((**config).clone(), self.now)),
            _ => None,
        };
        self.record += &write(self.now, &Entry::Input(input.clone()));
        self.engine.handle(input.clone(), self.now);
        self.take_outputs();
        if input == Input::Shutdown {
            assert!(self.announced.is_empty(), "stopped, but still announcing");
            return;
        }
        match &input {
            Input::Observation(observation) => self.model.apply(observation, self.now),
            Input::Remember { vips, until } => self.model.remember(vips, *until),
            Input::SetOverrides(list) => self.model.set_overrides(list),
            Input::ResetDamping(scope) => self.model.reset_damping(scope),
            Input::Reconfigure(config) => self.model.reconfigure(config, self.now),
            _ => {}
        }
        self.model.look(self.now);
        self.model.settle(self.now, &self.held, input == Input::Timeout);
        let mut announced = BTreeMap::new();
        self.announced.for_each(&mut |prefix, route| {
            announced.insert(prefix, route.last_choice);
        });
        assert_eq!(announced, self.model.announced(), "engine (left) and model (right) differ");
        assert_eq!(self.engine.has_first_verdicts(), self.model.has_first_verdicts(self.now));
        for prefix in announced.keys() {
            assert!(self.engine.explain(*prefix, self.now).announced, "{prefix} unexplained");
        }
        if let Some(planned) = planned {
            self.check_plan(&before, &planned);
        }
    }

    fn take_outputs(&mut self) {
        let mut sets = 0;
        while let Some(output) = self.engine.poll_output() {
            if let Output::Event(event) = &output
                && let Some(decision) = Decision::of(event)
            {
                self.record += &write(self.now, &Entry::Decision(decision));
            }
            match output {
                Output::SetChecks => {}
                Output::SetRoutes(routes) => {
                    sets += 1;
                    assert_ne!(routes, self.announced, "a set that did not change was put out");
                    self.announced = routes;
                }
                Output::Event(Event::Suppressed { vip, .. }) => {
                    assert!(self.held.insert(vip), "{vip} suppressed twice");
                }
                Output::Event(Event::Released { vip }) => {
                    assert!(self.held.remove(&vip), "{vip} released without being held");
                }
                Output::Event(Event::ServiceForgotten { vip }) => {
                    self.held.remove(&vip);
                }
                Output::Event(_) => {}
            }
        }
        assert!(sets <= 1, "one input, at most one set");
    }

    /// Another configuration has done at once what was planned, and takes away only what it must.
    fn check_plan(&self, before: &RouteSet, planned: &[PlannedChange]) {
        let vips = VIPS.iter().map(|vip| Prefix::host(vip.parse().unwrap()));
        for prefix in vips {
            let (was, is) = (before.get(prefix).copied(), self.announced.get(prefix).copied());
            let at_once = planned.iter().find(|it| it.prefix == prefix && it.at.is_none());
            match at_once {
                Some(change) => assert_eq!((change.before, change.after), (was, is), "{change:?}"),
                None => assert_eq!(was, is, "{prefix} is not in {planned:?}"),
            }
            // The last choice may be what a guard has held that is no more.
            if was.is_some_and(|route| !route.last_choice) && is.is_none() {
                let health = self.model.health(prefix.address(), self.now).0;
                let allowed = self.model.config.networks.containing(prefix.address()).is_some();
                assert!(!allowed || health == Some(false), "{prefix} is withdrawn for nothing");
            }
        }
    }

    /// Goes on to `end`, stopping at each timer of the engine.
    fn pass_time(&mut self, end: Instant) {
        for _ in 0..1000 {
            match self.engine.poll_timeout() {
                Some(at) if at <= end => {
                    // A guard that allows more than before has room at once.
                    let overdue = at <= self.now;
                    self.now = self.now.max(at);
                    self.handle(Input::Timeout);
                    let next = self.engine.poll_timeout();
                    assert!(!overdue || next.is_none_or(|at| at > self.now), "it stays overdue");
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("the engine's timers never rest");
    }

    fn run(&mut self) {
        let vips = VIPS.iter().filter(|_| self.random.below(2) == 0);
        let vips: Vec<IpAddr> = vips.map(|vip| vip.parse().unwrap()).collect();
        let until = Instant::from_micros(self.random.below(60_000_000));
        self.handle(Input::Remember { vips, until });
        for _ in 0..400 {
            let pause = match self.random.below(10) {
                0..=4 => 0,
                5..=7 => self.random.below(1_000_000),
                8 => self.random.below(10_000_000),
                _ => self.random.below(120_000_000),
            };
            let end = self.now + Duration::from_micros(pause);
            self.pass_time(end);
            let input = self.input();
            self.handle(input);
        }
        self.handle(Input::Shutdown);
    }
}

#[test]
fn engine_and_model_agree() {
    let seeds: Vec<u64> = match std::env::var("HA2BGP_SIM_SEED") {
        Ok(text) => {
            let digits = text.trim_start_matches("0x");
            vec![u64::from_str_radix(digits, 16).expect("HA2BGP_SIM_SEED is hexadecimal")]
        }
        Err(_) => (0..256).collect(),
    };
    for seed in seeds {
        let mut simulation = Simulation::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.run()));
        if let Err(panic) = result {
            let trail: Vec<String> = simulation.trail.into();
            if let Some(directory) = std::env::var_os("HA2BGP_SIM_RECORD") {
                let path = std::path::Path::new(&directory).join(format!("{seed:#x}.record"));
                std::fs::write(&path, &simulation.record).unwrap();
                eprintln!("ha2bgp replay {}", path.display());
            }
            eprintln!("replay with HA2BGP_SIM_SEED={seed:#x}; last inputs:\n{}", trail.join("\n"));
            std::panic::resume_unwind(panic);
        }
    }
}

/// The record of a simulation, read again, leads another engine to the same decisions.
#[test]
fn a_record_is_repeated() {
    let mut compared = 0;
    for seed in 0..16 {
        let mut simulation = Simulation::new(seed);
        simulation.run();
        let mut reader = Reader::default();
        let mut engine = None;
        let mut decided = VecDeque::new();
        for line in simulation.record.lines() {
            let Some((at, entry)) = reader.line(line).unwrap() else { continue };
            match entry {
                Entry::Start(config) => engine = Some(Engine::new(*config, at)),
                Entry::Decision(recorded) => {
                    assert_eq!(decided.pop_front(), Some(recorded), "seed {seed:#x} at {at}");
                    compared += 1;
                }
                Entry::Input(input) => {
                    assert!(decided.is_empty(), "seed {seed:#x} at {at}: {decided:?}");
                    let engine = engine.as_mut().unwrap();
                    engine.handle(input, at);
                    while let Some(output) = engine.poll_output() {
                        if let Output::Event(event) = output {
                            decided.extend(Decision::of(&event));
                        }
                    }
                }
                Entry::Missing(_) => panic!("nothing is missing"),
            }
        }
    }
    assert!(compared > 200, "{compared} decisions");
}
