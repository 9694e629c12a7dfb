//! Seeded simulation: random facts at random moments against a model that is written otherwise.
//!
//! The engine works with tables, phases and timers; the [`Model`] keeps plain lists, recomputes
//! everything from them, and decides from "healthy since" and "unhealthy since". Both must agree
//! after every step. 256 seeds run in the ordinary test; `HA2BGP_SIM_SEED=0x2a` replays one, and
//! a failure prints its seed and the last inputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::config::{ADDRESS, CheckConfig, CheckKind, EngineConfig, LISTEN, ServiceConfig};
use ha2bgp_core::damping::DampingConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::event::Event;
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::rule::Rule;
use ha2bgp_core::time::Instant;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

/// What the model knows of one service.
struct Judged {
    health: Option<bool>,
    last_known: Option<bool>,
    since: Instant,
    announced: bool,
    /// Moments of all changes, newest last: the penalty is summed up from them.
    changes: Vec<Instant>,
    held: bool,
    /// It cannot be judged only because a probe that was made cannot tell.
    probe_unknown: bool,
}

/// What all results of a check come to, looked at from each of them backwards, and whether there
/// were never enough for any verdict.
fn verdict_of(results: &[Outcome], counting: Counting) -> (Outcome, bool) {
    let mut verdict = counting.initial;
    let mut first = true;
    for end in 1..=results.len() {
        let last = results[end - 1];
        let backwards = || results[..end].iter().rev();
        let way = backwards().take_while(|it| it.is_good() == last.is_good()).count();
        let same = backwards().take_while(|it| **it == last).count();
        let (rise, fall) = (counting.rise as usize, counting.fall as usize);
        let bad = backwards().take_while(|it| !it.is_good());
        let fails = bad.filter(|it| **it == Outcome::Fail).count();
        let next = match (last, verdict) {
            (Outcome::Pass | Outcome::Warn, Outcome::Pass | Outcome::Warn) => last,
            (Outcome::Pass | Outcome::Warn, _) if way >= rise => last,
            (Outcome::Unknown, Outcome::Fail) if same >= fall => last,
            (Outcome::Unknown, Outcome::Pass | Outcome::Warn) if way >= fall => last,
            (Outcome::Fail, _) if fails >= fall => last,
            (Outcome::Fail, Outcome::Pass | Outcome::Warn) if way >= fall => Outcome::Unknown,
            _ => verdict,
        };
        first &= match last {
            Outcome::Pass | Outcome::Warn => way < rise,
            Outcome::Fail => fails < fall,
            Outcome::Unknown => way < fall,
        };
        verdict = next;
    }
    (verdict, first)
}

/// The shadow of the engine.
struct Model {
    config: EngineConfig,
    listeners: Vec<Listener>,
    addresses: Vec<LocalAddress>,
    /// Per source: complete once, failing since, unknown.
    ready: [bool; 2],
    failing: [Option<Instant>; 2],
    services: BTreeMap<IpAddr, Judged>,
    /// What the process before announced, and until when that counts.
    remembered: Vec<IpAddr>,
    remembered_until: Instant,
    /// Services of the first complete look that are not judged yet.
    awaited: Option<BTreeSet<IpAddr>>,
    /// Every result of every probe since its service came.
    results: BTreeMap<CheckKey, Vec<Outcome>>,
    verdicts: BTreeMap<CheckKey, (Outcome, bool)>,
}

impl Model {
    fn apply(&mut self, observation: &Observation, now: Instant) {
        match observation {
            Observation::ListenerOpened(listener) => {
                self.listeners.retain(|known| known.id != listener.id);
                self.listeners.push(*listener);
            }
            Observation::ListenerClosed(id) => self.listeners.retain(|known| known.id != *id),
            Observation::AddressChanged(address) => {
                self.addresses.retain(|known| known.id != address.id);
                self.addresses.push(address.clone());
            }
            Observation::AddressRemoved(id) => self.addresses.retain(|known| known.id != *id),
            Observation::Probed { check, result } => {
                let wanted = check.vip.is_none_or(|vip| self.services.contains_key(&vip))
                    && !self.services.is_empty();
                if wanted {
                    let results = self.results.entry(*check).or_default();
                    results.push(result.outcome);
                    let CheckKind::Probe { counting, .. } = self.config.checks[&check.check].kind
                    else {
                        panic!("{check:?} is probed");
                    };
                    self.verdicts.insert(*check, verdict_of(results, counting));
                }
            }
            Observation::Complete(source) => {
                self.ready[*source as usize] = true;
                self.failing[*source as usize] = None;
            }
            Observation::Failed { source, .. } => {
                let failing = &mut self.failing[*source as usize];
                *failing = failing.or(Some(now));
            }
        }
        // Every address that some listener serves and the networks allow is a service for good.
        let bound = self.listeners.iter().filter_map(|listener| match listener.address {
            ListenAddress::Address(vip) => Some(vip),
            _ => None,
        });
        let local = self
            .addresses
            .iter()
            .map(|address| address.id.ip)
            .filter(|ip| self.listeners.iter().any(|listener| listener.address.serves(*ip)));
        let found: BTreeSet<IpAddr> = bound
            .chain(local)
            .filter(|vip| self.config.networks.containing(*vip).is_some())
            .collect();
        for vip in found {
            self.services.entry(vip).or_insert(Judged {
                health: None,
                last_known: None,
                since: now,
                announced: false,
                changes: Vec::new(),
                held: false,
                probe_unknown: false,
            });
        }
    }

    fn sees(&self, source: Source, now: Instant) -> bool {
        let failing = self.failing[source as usize];
        self.ready[source as usize]
            && failing.is_none_or(|since| now.since(since) < self.config.unknown_after)
    }

    /// `Some(true)` healthy, `Some(false)` unhealthy, `None` cannot be judged.
    /// And where it cannot be judged only because of probes: whether the first of those was not made
    /// often enough yet.
    fn health(&self, vip: IpAddr, now: Instant) -> (Option<bool>, Option<bool>) {
        // Announced a moment ago, and not judged here yet.
        let fresh = self.remembered.contains(&vip)
            && self.services.get(&vip).is_none_or(|judged| judged.last_known.is_none());
        let listens = self
            .sees(Source::Listen, now)
            .then(|| self.listeners.iter().any(|listener| listener.address.serves(vip)));
        let present = self.sees(Source::Address, now).then(|| {
            self.addresses
                .iter()
                .any(|address| address.id.ip == vip && address.state == AddressState::Usable)
        });
        // all(listen, address, any(0, 1)) where there are probes.
        let mut facts = vec![listens, present];
        let mut waiting = None;
        if self.config.checks.len() > 2 {
            let probes = [self.probed(2, None, fresh), self.probed(3, Some(vip), fresh)];
            let known = probes.map(|(known, _)| known);
            facts.push(if known.contains(&Some(true)) {
                Some(true)
            } else if known.contains(&None) {
                // The first that is unknown gives the reason.
                let unknown = probes.iter().find(|(known, _)| known.is_none());
                waiting = unknown.filter(|_| facts == [Some(true), Some(true)]).map(|it| it.1);
                None
            } else {
                Some(false)
            });
        }
        if facts.contains(&Some(false)) {
            return (Some(false), None);
        }
        if facts.contains(&None) { (None, waiting) } else { (Some(true), None) }
    }

    fn probed(&self, check: u32, vip: Option<IpAddr>, fresh: bool) -> (Option<bool>, bool) {
        let CheckKind::Probe { counting, .. } = self.config.checks[&CheckIndex(check)].kind else {
            panic!("check {check} is probed");
        };
        let key = CheckKey { check: CheckIndex(check), vip };
        let (verdict, first) =
            self.verdicts.get(&key).copied().unwrap_or_else(|| verdict_of(&[], counting));
        if fresh && first {
            return (None, true);
        }
        let known = match verdict {
            Outcome::Pass | Outcome::Warn => Some(true),
            Outcome::Fail => Some(false),
            Outcome::Unknown => None,
        };
        (known, first && counting.initial == Outcome::Unknown)
    }

    fn penalty(changes: &[Instant], damping: &DampingConfig, now: Instant) -> f64 {
        changes.iter().fold(0.0, |sum, at| {
            let age = now.since(*at).as_secs_f64() / damping.half_life.as_secs_f64();
            sum + f64::from(damping.penalty) * (-age).exp2()
        })
    }

    /// Brings every service up to `now`. `engine_holds` breaks ties that rounding may decide.
    fn settle(&mut self, now: Instant, engine_holds: &BTreeSet<IpAddr>) {
        let vips: Vec<IpAddr> = self.services.keys().copied().collect();
        for vip in vips {
            let (health, waiting) = self.health(vip, now);
            let config = self.config.defaults.clone();
            let Some(judged) = self.services.get_mut(&vip) else {
                continue;
            };
            let mut counted = false;
            // Announced a moment ago: it stays so until its probes can tell.
            judged.probe_unknown = waiting == Some(false);
            judged.announced |= waiting.is_some()
                && judged.last_known.is_none()
                && self.remembered.contains(&vip)
                && now < self.remembered_until;
            if health != judged.health {
                judged.health = health;
                judged.since = now;
                if let Some(known) = health {
                    // Announced a moment ago, and its first verdict is good.
                    judged.announced |= known
                        && judged.last_known.is_none()
                        && self.remembered.contains(&vip)
                        && now < self.remembered_until;
                    if judged.last_known.is_some_and(|last| last != known) {
                        judged.changes.push(now);
                        counted = true;
                    }
                    judged.last_known = Some(known);
                }
            }
            match judged.health {
                Some(true) if now.since(judged.since) >= config.up_delay => judged.announced = true,
                Some(false) if now.since(judged.since) >= config.down_delay => {
                    judged.announced = false;
                }
                _ => {}
            }
            if let Some(damping) = &config.damping {
                let penalty = Self::penalty(&judged.changes, damping, now);
                let near = |limit: u32| (penalty - f64::from(limit)).abs() < 2.0;
                if near(damping.suppress) || near(damping.reuse) {
                    judged.held = engine_holds.contains(&vip);
                } else if !judged.held && counted && penalty > f64::from(damping.suppress) {
                    judged.held = true;
                } else if judged.held && penalty <= f64::from(damping.reuse) {
                    judged.held = false;
                }
            }
        }
    }

    /// Whether every service of the first complete look has been judged since.
    fn has_first_verdicts(&mut self, now: Instant) -> bool {
        let undecided = |judged: &Judged| match judged.health {
            None => !judged.probe_unknown,
            Some(healthy) => healthy && !judged.announced,
        };
        if self.awaited.is_none() && Source::ALL.iter().all(|source| self.sees(*source, now)) {
            self.awaited = Some(self.services.keys().copied().collect());
        }
        let services = &self.services;
        match &mut self.awaited {
            Some(awaited) => {
                awaited.retain(|vip| services.get(vip).is_some_and(undecided));
                awaited.is_empty()
            }
            None => false,
        }
    }

    fn announced(&self) -> BTreeSet<Prefix> {
        self.services
            .iter()
            .filter(|(_, judged)| judged.announced && !judged.held)
            .map(|(vip, _)| Prefix::host(*vip))
            .collect()
    }
}

/// `all(listen, address, any(0, 1))`: one check for all services, one for each VIP.
fn with_probes(mut config: EngineConfig, random: &mut Random) -> EngineConfig {
    for per_vip in [false, true] {
        let counting = Counting {
            rise: random.pick(&[1, 2, 3]),
            fall: random.pick(&[1, 2, 3]),
            initial: random.pick(&Outcome::ALL),
        };
        let kind = CheckKind::Probe { per_vip, counting };
        config.add_check(CheckConfig { kind, ..CheckConfig::listen() });
    }
    let any = Rule::Any(vec![Rule::Check(CheckIndex(2)), Rule::Check(CheckIndex(3))]);
    config.defaults.rule = Rule::All(vec![Rule::Check(LISTEN), Rule::Check(ADDRESS), any]);
    config
}

struct Simulation {
    random: Random,
    engine: Engine,
    model: Model,
    now: Instant,
    announced: RouteSet,
    held: BTreeSet<IpAddr>,
    next_cookie: u64,
    trail: VecDeque<String>,
}

const VIPS: [&str; 6] =
    ["100.64.0.1", "100.64.0.2", "100.64.0.3", "2001:db8::1", "2001:db8::2", "192.0.2.1"];

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let damping = DampingConfig {
            half_life: Duration::from_millis(500 + random.below(20_000)),
            // No ceiling: the model sums up every change.
            max_suppress: Duration::from_secs(86_400),
            ..DampingConfig::default()
        };
        let config = EngineConfig {
            networks: Networks::new(vec![
                "100.64.0.0/24".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ]),
            defaults: ServiceConfig {
                up_delay: Duration::from_millis(random.pick(&[0, 1, 500, 6000])),
                down_delay: Duration::from_millis(random.pick(&[0, 1, 300, 3000, 40_000])),
                damping: random.pick(&[None, Some(damping), Some(damping)]),
                ..ServiceConfig::default()
            },
            forget_after: Duration::from_secs(10_000_000),
            ..EngineConfig::default()
        };
        let config = if random.below(2) == 0 { config } else { with_probes(config, &mut random) };
        Self {
            engine: Engine::new(config.clone(), Instant::START),
            model: Model {
                config,
                listeners: Vec::new(),
                addresses: Vec::new(),
                ready: [false; 2],
                failing: [None; 2],
                services: BTreeMap::new(),
                remembered: Vec::new(),
                remembered_until: Instant::START,
                awaited: None,
                results: BTreeMap::new(),
                verdicts: BTreeMap::new(),
            },
            random,
            now: Instant::START,
            announced: RouteSet::new(),
            held: BTreeSet::new(),
            next_cookie: 1,
            trail: VecDeque::new(),
        }
    }

    fn observation(&mut self) -> Observation {
        let vip: IpAddr = self.random.pick(&VIPS).parse().unwrap();
        if self.model.config.checks.len() > 2 && self.random.below(3) == 0 {
            let (check, vip) = self.random.pick(&[(2, None), (3, Some(vip))]);
            let outcomes = [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Unknown];
            let outcome = self.random.pick(&[outcomes, [Outcome::Pass; 4], [Outcome::Fail; 4]]);
            let result = ProbeResult::new(self.random.pick(&outcome), "");
            let check = CheckKey { check: CheckIndex(check), vip };
            return Observation::Probed { check, result };
        }
        match self.random.below(100) {
            0..=34 => {
                let bound = match self.random.below(8) {
                    0 => ListenAddress::AnyV4,
                    1 => ListenAddress::AnyV6Only,
                    2 => ListenAddress::AnyDual,
                    _ => ListenAddress::Address(vip),
                };
                let protocol = self.random.pick(&[Protocol::Tcp, Protocol::Udp]);
                let known = self.model.listeners.iter().map(|listener| listener.id).next();
                // Sometimes a socket that is known already says something else.
                let id = match known {
                    Some(id) if self.random.below(20) == 0 => id,
                    _ => SocketId { protocol, cookie: self.next_cookie },
                };
                self.next_cookie += 1;
                let port = self.random.pick(&[80, 443]);
                Observation::ListenerOpened(Listener { id, address: bound, port })
            }
            35..=74 => {
                let known: Vec<SocketId> =
                    self.model.listeners.iter().map(|listener| listener.id).collect();
                // Sometimes one that was never there.
                let stranger = SocketId { protocol: Protocol::Tcp, cookie: 0 };
                Observation::ListenerClosed(if known.is_empty() || self.random.below(20) == 0 {
                    stranger
                } else {
                    self.random.pick(&known)
                })
            }
            75..=88 => Observation::AddressChanged(LocalAddress {
                id: self.address_id(vip),
                device: "eth0".into(),
                label: None,
                loopback: false,
                state: self.random.pick(&[
                    AddressState::Usable,
                    AddressState::Usable,
                    AddressState::Usable,
                    AddressState::Tentative,
                    AddressState::LinkDown,
                ]),
            }),
            89..=93 => Observation::AddressRemoved(self.address_id(vip)),
            94..=97 => Observation::Complete(self.random.pick(&Source::ALL)),
            _ => {
                let source = self.random.pick(&Source::ALL);
                Observation::Failed { source, error: "blind".into() }
            }
        }
    }

    fn address_id(&mut self, ip: IpAddr) -> AddressId {
        let prefix_length = if ip.is_ipv4() { 32 } else { 128 };
        AddressId { ip, prefix_length, interface: u32::try_from(self.random.below(2)).unwrap() }
    }

    fn handle(&mut self, input: Input) {
        self.trail.push_back(format!("{} {input:?}", self.now));
        if self.trail.len() > 30 {
            self.trail.pop_front();
        }
        self.engine.handle(input.clone(), self.now);
        let mut sets = 0;
        while let Some(output) = self.engine.poll_output() {
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
                Output::Event(_) => {}
            }
        }
        assert!(sets <= 1, "one input, at most one set");
        if input == Input::Shutdown {
            assert!(self.announced.is_empty(), "stopped, but still announcing");
            return;
        }
        if let Input::Observation(observation) = &input {
            self.model.apply(observation, self.now);
        }
        self.model.settle(self.now, &self.held);
        let mut announced = BTreeSet::new();
        self.announced.for_each(&mut |prefix, _| {
            announced.insert(prefix);
        });
        assert_eq!(announced, self.model.announced(), "engine (left) and model (right) differ");
        assert_eq!(self.engine.has_first_verdicts(), self.model.has_first_verdicts(self.now));
        for prefix in &announced {
            assert!(self.engine.explain(*prefix, self.now).announced, "{prefix} unexplained");
        }
    }

    /// Goes on to `end`, stopping at each timer of the engine.
    fn pass_time(&mut self, end: Instant) {
        for _ in 0..1000 {
            match self.engine.poll_timeout() {
                Some(at) if at <= end => {
                    assert!(at > self.now, "a timer in the past: {at} at {}", self.now);
                    self.now = at;
                    self.handle(Input::Timeout);
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
        self.model.remembered = vips.map(|vip| vip.parse().unwrap()).collect();
        self.model.remembered_until = Instant::from_micros(self.random.below(60_000_000));
        let (vips, until) = (self.model.remembered.clone(), self.model.remembered_until);
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
            let observation = self.observation();
            self.handle(Input::Observation(observation));
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
            eprintln!("replay with HA2BGP_SIM_SEED={seed:#x}; last inputs:\n{}", trail.join("\n"));
            std::panic::resume_unwind(panic);
        }
    }
}
