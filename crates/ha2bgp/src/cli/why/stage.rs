//! An engine for each reason: what `why` and `status` say of it is made from real decisions.

use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::config::{
    ADDRESS, CheckConfig, CheckKind, EngineConfig, LISTEN, OnFailure, Powers, ServiceConfig,
};
use ha2bgp_core::engine::{Engine, Input};
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::glob::Glob;
use ha2bgp_core::guard::GuardConfig;
use ha2bgp_core::net::Networks;
use ha2bgp_core::overrides::{Override, OverrideId, OverrideKind, Scope};
use ha2bgp_core::reason::Reason;
use ha2bgp_core::rule::Rule;
use ha2bgp_core::time::Instant;

use crate::config::settings::Backend;
use crate::control::orders::OverrideShown;
use crate::control::scene::Scene;

/// The VIP that all of it is about.
pub(in crate::cli) const VIP: &str = "100.64.0.10";
const PAGE: CheckIndex = CheckIndex(2);

/// An engine over virtual time.
pub(in crate::cli) struct Stage {
    pub(in crate::cli) engine: Engine,
    /// Seconds since the start.
    now: u64,
    overrides: Vec<OverrideShown>,
}

impl Stage {
    /// Two services named web and dns: they listen, have their addresses and a page; their rule is
    /// `all(listen, address, any(page))`.
    pub(in crate::cli) fn new(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let service = |name: &str, vip: &str| ServiceConfig {
            name: name.into(),
            vips: vec![vip.parse().unwrap()],
            rule: Rule::All(vec![
                Rule::Check(LISTEN),
                Rule::Check(ADDRESS),
                Rule::Any(vec![Rule::Check(PAGE)]),
            ]),
            ..ServiceConfig::default()
        };
        let networks = ["100.64.0.0/24", "2001:db8:100::/64"].map(|net| net.parse().unwrap());
        let mut config = EngineConfig {
            networks: Networks::new(networks.to_vec()),
            services: vec![service("web", VIP), service("dns", "100.64.0.53")],
            ..EngineConfig::default()
        };
        let counting = Counting { rise: 2, fall: 3, ..Counting::default() };
        config.add_check(CheckConfig {
            name: "page".into(),
            kind: CheckKind::Probe { per_vip: true, counting },
            powers: Powers::default(),
            shadow: false,
        });
        change(&mut config);
        let engine = Engine::new(config, Instant::START);
        Self { engine, now: 0, overrides: Vec::new() }
    }

    /// Hands something in, after so many seconds in which timers fire.
    pub(in crate::cli) fn after(&mut self, seconds: u64, input: Input) {
        let until = Instant::from_secs(self.now + seconds);
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= until) {
            self.engine.handle(Input::Timeout, at);
        }
        self.now += seconds;
        self.engine.handle(input, until);
        while self.engine.poll_output().is_some() {}
    }

    pub(in crate::cli) fn see(&mut self, seconds: u64, observation: Observation) {
        self.after(seconds, Input::Observation(observation));
    }

    fn listener(vip: &str, port: u16) -> Listener {
        let cookie = u64::from(port) * 1000 + vip.bytes().map(u64::from).sum::<u64>();
        let id = SocketId { protocol: Protocol::Tcp, cookie };
        Listener { id, address: ListenAddress::Address(vip.parse().unwrap()), port }
    }

    pub(in crate::cli) fn open(&mut self, vip: &str, port: u16) {
        self.see(0, Observation::ListenerOpened(Self::listener(vip, port)));
    }

    pub(in crate::cli) fn close(&mut self, vip: &str, port: u16) {
        self.see(0, Observation::ListenerClosed(Self::listener(vip, port).id));
    }

    pub(in crate::cli) fn address(&mut self, vip: &str, state: AddressState) {
        let id = AddressId { ip: vip.parse().unwrap(), prefix_length: 32, interface: 1 };
        let (device, label): (Arc<str>, _) = ("lo".into(), Some("lo:web".into()));
        let address = LocalAddress { id, device, label, loopback: true, state };
        self.see(0, Observation::AddressChanged(address));
    }

    pub(in crate::cli) fn probe(&mut self, vip: &str, outcome: Outcome, detail: &str, times: u32) {
        let check = CheckKey { check: PAGE, vip: Some(vip.parse().unwrap()) };
        for _ in 0..times {
            let result = ProbeResult { outcome, detail: detail.into(), more: None };
            self.see(1, Observation::Probed { check, result });
        }
    }

    /// Everything works, for so many seconds.
    pub(in crate::cli) fn up(mut self, seconds: u64) -> Self {
        for vip in [VIP, "100.64.0.53"] {
            self.open(vip, 80);
            self.address(vip, AddressState::Usable);
        }
        for source in Source::ALL {
            self.see(0, Observation::Complete(source));
        }
        for vip in [VIP, "100.64.0.53"] {
            self.probe(vip, Outcome::Pass, "200 OK in 3 ms", 2);
        }
        self.wait(seconds)
    }

    pub(in crate::cli) fn wait(mut self, seconds: u64) -> Self {
        self.after(seconds, Input::ResetDamping(Scope::Service("nobody".into())));
        self
    }

    /// An operator says something of the service web.
    pub(in crate::cli) fn say(&mut self, kind: OverrideKind, id: u64, lasts: Option<u64>) {
        let until = lasts.map(|lasts| Instant::from_secs(self.now + lasts));
        let over =
            Override { id: OverrideId(id), scope: Scope::Service("web".into()), kind, until };
        self.after(0, Input::SetOverrides(vec![over]));
        self.overrides.push(OverrideShown {
            id,
            kind: kind.name().to_owned(),
            scope: "service web".to_owned(),
            reason: "kernel upgrade".to_owned(),
            author: "anna".to_owned(),
            since: "2026-11-26T12:00:00Z".to_owned(),
            until: lasts.map(|_| "2026-11-26T12:30:00Z".to_owned()),
            left_seconds: lasts.map(|_| 1620.0),
            drain: None,
            connections_left: (kind == OverrideKind::Drained).then_some(3),
            saved: true,
            ..OverrideShown::default()
        });
    }

    /// The moment.
    pub(in crate::cli) fn scene(&self) -> Scene {
        Scene {
            now: Instant::from_secs(self.now),
            wall: "2026-11-26T12:03:00Z".parse().unwrap(),
            backend: Backend::Test,
            announcer: None,
            routers: Vec::new(),
            bfd: crate::bfd::states::States::default(),
            overrides: self.overrides.clone(),
        }
    }
}

/// An engine in which that is the reason of [`VIP`], and the address to ask for.
pub(in crate::cli) fn of(reason: Reason) -> (Stage, &'static str) {
    let plain = || Stage::new(|_| {});
    let long = || plain().up(3600);
    let said = |kind, lasts| {
        let mut stage = long();
        stage.say(kind, 7, lasts);
        stage.wait(60)
    };
    let state = |state| {
        let mut stage = long();
        stage.address(VIP, state);
        stage.wait(10)
    };
    let probed = |outcome, detail, times| {
        let mut stage = long();
        stage.probe(VIP, outcome, detail, times);
        stage.wait(10)
    };
    let mut address = VIP;
    let stage = match reason {
        Reason::Healthy => long(),
        Reason::Starting => plain().wait(1),
        Reason::UpDelay => plain().up(1),
        Reason::DownDelay => {
            let mut stage = long();
            stage.close(VIP, 80);
            stage.wait(1)
        }
        Reason::NoListener => {
            let mut stage = long();
            stage.close(VIP, 80);
            stage.wait(3)
        }
        Reason::PortMissing => {
            let mut stage = Stage::new(|config| config.require_all_ports = true);
            stage.open(VIP, 443);
            let mut stage = stage.up(3600);
            stage.close(VIP, 443);
            stage.wait(300)
        }
        Reason::AddressMissing => {
            let mut stage = long();
            let id = AddressId { ip: VIP.parse().unwrap(), prefix_length: 32, interface: 1 };
            stage.see(0, Observation::AddressRemoved(id));
            stage.wait(10)
        }
        Reason::AddressExcluded => {
            let only = "eth*".parse::<Glob>().unwrap();
            Stage::new(|config| config.devices = vec![only]).up(60)
        }
        Reason::AddressTentative => state(AddressState::Tentative),
        Reason::AddressDuplicate => state(AddressState::DadFailed),
        Reason::LinkDown => state(AddressState::LinkDown),
        Reason::CheckFailed => probed(
            Outcome::Fail,
            "status 503, expected 200-399; the body begins with \"no database: connection refused\"",
            4,
        ),
        Reason::CheckWarns => probed(Outcome::Warn, "certificate ends in 6 days", 3),
        Reason::CheckUnknown => probed(Outcome::Unknown, "no descriptor is free", 3),
        Reason::CheckPending => {
            let mut stage = plain();
            stage.open(VIP, 80);
            stage.address(VIP, AddressState::Usable);
            for source in Source::ALL {
                stage.see(0, Observation::Complete(source));
            }
            stage.probe(VIP, Outcome::Pass, "200 OK in 3 ms", 1);
            stage.wait(1)
        }
        Reason::Damping => {
            let mut stage = long();
            for _ in 0..4 {
                stage.close(VIP, 80);
                stage.open(VIP, 80);
            }
            stage.wait(10)
        }
        Reason::SourceUnknown => {
            let mut stage = long();
            let error = "netlink: No buffer space available".into();
            stage.see(0, Observation::Failed { source: Source::Listen, error });
            stage.wait(40)
        }
        Reason::Draining => said(OverrideKind::Drain, Some(1800)),
        Reason::Drained => said(OverrideKind::Drained, Some(1800)),
        Reason::Maintenance => said(OverrideKind::Maintenance, None),
        Reason::ForceDown => said(OverrideKind::ForceDown, Some(1800)),
        Reason::ForceUp => {
            let mut stage = long();
            stage.probe(VIP, Outcome::Fail, "status 503", 4);
            let mut stage = stage.wait(10);
            stage.say(OverrideKind::ForceUp, 7, Some(1800));
            stage.wait(60)
        }
        Reason::Depreferenced | Reason::Absorbed => {
            let on_failure = match reason {
                Reason::Absorbed => OnFailure::Absorb,
                _ => OnFailure::Depreference,
            };
            let mut stage = Stage::new(|config| {
                config.services.iter_mut().for_each(|service| service.on_failure = on_failure);
            });
            stage = stage.up(3600);
            stage.probe(VIP, Outcome::Fail, "no answer within 1 s", 3);
            stage.wait(30)
        }
        Reason::Guard => {
            let per = Duration::from_secs(300);
            let guard = Some(GuardConfig { count: 1, per });
            let mut stage = Stage::new(|config| config.guard = guard).up(3600);
            stage.probe("100.64.0.53", Outcome::Fail, "no answer within 1 s", 3);
            let mut stage = stage.wait(20);
            stage.probe(VIP, Outcome::Fail, "no answer within 1 s", 3);
            stage.wait(30)
        }
        Reason::Shutdown => {
            let mut stage = long();
            stage.after(0, Input::Shutdown);
            stage
        }
        Reason::OutsideNetworks => {
            address = "192.0.2.1";
            long()
        }
        Reason::NeverAnnounced => {
            address = "224.0.0.1";
            long()
        }
        Reason::NotDiscovered => {
            address = "100.64.0.11";
            long()
        }
    };
    (stage, address)
}
