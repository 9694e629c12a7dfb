//! What happens in the simulation: configurations, facts and orders by chance, from a seed.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::config::{ADDRESS, CheckConfig, CheckKind, EngineConfig, LISTEN, ServiceConfig};
use ha2bgp_core::damping::DampingConfig;
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::guard::GuardConfig;
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::overrides::{Override, OverrideId, OverrideKind, Scope};
use ha2bgp_core::rule::Rule;
use ha2bgp_core::time::Instant;

pub(super) const VIPS: [&str; 6] =
    ["100.64.0.1", "100.64.0.2", "100.64.0.3", "2001:db8::1", "2001:db8::2", "192.0.2.1"];

/// SplitMix64: small, and the same everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn vip(&mut self) -> IpAddr {
        self.pick(&VIPS).parse().unwrap()
    }

    fn damping(&mut self) -> Option<DampingConfig> {
        let damping = DampingConfig {
            half_life: Duration::from_millis(500 + self.below(20_000)),
            // No ceiling: the model sums up every change.
            max_suppress: Duration::from_secs(86_400),
            ..DampingConfig::default()
        };
        self.pick(&[None, Some(damping), Some(damping)])
    }

    fn up_delay(&mut self) -> Duration {
        Duration::from_millis(self.pick(&[0, 1, 500, 6000]))
    }

    fn down_delay(&mut self) -> Duration {
        Duration::from_millis(self.pick(&[0, 1, 300, 3000, 40_000]))
    }

    fn guard(&mut self) -> Option<GuardConfig> {
        let count = self.pick(&[1, 2, 3]);
        let per = Duration::from_micros(1 + self.below(60_000_000));
        let guard = GuardConfig { count, per };
        self.pick(&[None, Some(guard)])
    }

    /// A configuration to begin with.
    pub(super) fn config(&mut self) -> EngineConfig {
        let mut config = EngineConfig {
            networks: networks(&["100.64.0.0/24", "2001:db8::/32"]),
            defaults: ServiceConfig {
                damping: self.damping(),
                up_delay: self.up_delay(),
                down_delay: self.down_delay(),
                ..ServiceConfig::default()
            },
            guard: self.guard(),
            forget_after: Duration::from_secs(10_000_000),
            ..EngineConfig::default()
        };
        if self.below(2) == 0 {
            self.set_probes(&mut config, true);
        }
        config
    }

    /// `all(listen, address, any(a, b))`: one check for all services, one for each VIP. Or no probes.
    fn set_probes(&mut self, config: &mut EngineConfig, wanted: bool) {
        let mut parts = vec![Rule::Check(LISTEN), Rule::Check(ADDRESS)];
        // Numbers are never used again.
        let free = config.checks.last_key_value().map_or(2, |(last, _)| last.0 + 1);
        config.checks.retain(|index, _| [LISTEN, ADDRESS].contains(index));
        if wanted {
            let any = [free, free + 1].map(|index| {
                let counting = Counting {
                    rise: self.pick(&[1, 2, 3]),
                    fall: self.pick(&[1, 2, 3]),
                    initial: self.pick(&Outcome::ALL),
                };
                let kind = CheckKind::Probe { per_vip: index > free, counting };
                let check = CheckConfig { kind, ..CheckConfig::listen() };
                config.checks.insert(CheckIndex(index), check);
                Rule::Check(CheckIndex(index))
            });
            parts.push(Rule::Any(any.to_vec()));
        }
        config.defaults.rule = Rule::All(parts);
    }

    /// Another configuration: one or two things are otherwise.
    pub(super) fn other_config(&mut self, now: &EngineConfig) -> EngineConfig {
        let mut config = now.clone();
        for _ in 0..=self.below(2) {
            match self.below(8) {
                0 => config.defaults.up_delay = self.up_delay(),
                1 => config.defaults.down_delay = self.down_delay(),
                2 => config.defaults.damping = self.damping(),
                3 => config.guard = self.guard(),
                4 | 5 => {
                    let all = ["100.64.0.0/24", "2001:db8::/32", "192.0.2.0/28"];
                    let some: Vec<&str> = all.into_iter().filter(|_| self.below(4) > 0).collect();
                    config.networks = networks(&some);
                }
                _ => {
                    let wanted = self.below(3) > 0;
                    self.set_probes(&mut config, wanted);
                }
            }
        }
        config
    }

    /// Whom an order is for.
    pub(super) fn scope(&mut self) -> Scope {
        let network = self.pick(&["100.64.0.0/31", "2001:db8::/64"]).parse().unwrap();
        let vip = Prefix::host(self.vip());
        self.pick(&[Scope::All, Scope::Network(network), Scope::Network(vip), Scope::Network(vip)])
    }

    /// What operators say from now on.
    pub(super) fn overrides(&mut self, now: Instant) -> Vec<Override> {
        let count = self.pick(&[0, 1, 1, 2, 3]);
        let one = |id| {
            let time = Duration::from_micros(1 + self.below(60_000_000));
            Override {
                id: OverrideId(id),
                scope: self.scope(),
                kind: self.pick(&OverrideKind::ALL),
                until: self.pick(&[None, Some(now + time)]),
            }
        };
        (0..count).map(one).collect()
    }

    /// What an observer says. `known` are the sockets that it said were open.
    pub(super) fn observation(
        &mut self,
        config: &EngineConfig,
        known: &[SocketId],
        next_cookie: &mut u64,
    ) -> Observation {
        let vip = self.vip();
        let probed = config.checks.iter().filter_map(|(index, check)| match check.kind {
            CheckKind::Probe { per_vip, .. } => {
                Some(CheckKey { check: *index, vip: per_vip.then_some(vip) })
            }
            _ => None,
        });
        let probed: Vec<CheckKey> = probed.collect();
        if !probed.is_empty() && self.below(3) == 0 {
            let outcomes = [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Unknown];
            let outcomes = self.pick(&[outcomes, [Outcome::Pass; 4], [Outcome::Fail; 4]]);
            let result = ProbeResult::new(self.pick(&outcomes), "");
            return Observation::Probed { check: self.pick(&probed), result };
        }
        match self.below(100) {
            0..=34 => {
                let address = match self.below(8) {
                    0 => ListenAddress::AnyV4,
                    1 => ListenAddress::AnyV6Only,
                    2 => ListenAddress::AnyDual,
                    _ => ListenAddress::Address(vip),
                };
                let protocol = self.pick(&[Protocol::Tcp, Protocol::Udp]);
                // Sometimes a socket that is known already says something else.
                let id = match known.first() {
                    Some(id) if self.below(20) == 0 => *id,
                    _ => SocketId { protocol, cookie: *next_cookie },
                };
                *next_cookie += 1;
                Observation::ListenerOpened(Listener { id, address, port: self.pick(&[80, 443]) })
            }
            35..=74 => {
                // Sometimes one that was never there.
                let stranger = SocketId { protocol: Protocol::Tcp, cookie: 0 };
                Observation::ListenerClosed(if known.is_empty() || self.below(20) == 0 {
                    stranger
                } else {
                    self.pick(known)
                })
            }
            75..=88 => Observation::AddressChanged(LocalAddress {
                id: self.address_id(vip),
                device: "eth0".into(),
                label: None,
                loopback: false,
                state: self.pick(&[
                    AddressState::Usable,
                    AddressState::Usable,
                    AddressState::Usable,
                    AddressState::Tentative,
                    AddressState::LinkDown,
                ]),
            }),
            89..=93 => Observation::AddressRemoved(self.address_id(vip)),
            94..=97 => Observation::Complete(self.pick(&Source::ALL)),
            _ => Observation::Failed { source: self.pick(&Source::ALL), error: "blind".into() },
        }
    }

    fn address_id(&mut self, ip: IpAddr) -> AddressId {
        let prefix_length = if ip.is_ipv4() { 32 } else { 128 };
        AddressId { ip, prefix_length, interface: u32::try_from(self.below(2)).unwrap() }
    }
}

fn networks(texts: &[&str]) -> Networks {
    Networks::new(texts.iter().map(|text| text.parse().unwrap()).collect())
}
