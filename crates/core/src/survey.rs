//! Looks over everything at once: counts, pages, and what is near an address. Pure reads of the engine,
//! as [`explain`](crate::explain) is for one prefix.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Bound;

use crate::check::{CheckKey, CheckState, Counting};
use crate::config::CheckKind;
use crate::engine::Engine;
use crate::explain::Explanation;
use crate::fact::Source;
use crate::net::{NeverAnnounced, Prefix};
use crate::reason::Reason;
use crate::time::Instant;

/// How many services there are, by what decides about them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survey {
    /// Those that are announced.
    pub announced: BTreeMap<Reason, usize>,
    /// Those that are not.
    pub withdrawn: BTreeMap<Reason, usize>,
    /// Of those that are announced: as the last choice.
    pub last_choice: usize,
}

/// Whether an observer can see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sight {
    /// It has not delivered its first complete picture.
    Starting,
    /// It sees.
    Good,
    /// It cannot see since then; what it reported still counts.
    Failing(Instant),
    /// It has not been able to see for too long, since then: what was stays.
    Unknown(Instant),
}

/// Some services, in the order of their addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// What is known of them.
    pub services: Vec<Explanation>,
    /// There may be more behind this one. It is no service of this page when none behind the last one
    /// was wanted so far.
    pub next: Option<IpAddr>,
}

/// So many services are looked at for one page at most: with a hundred thousand of them, one look for
/// what is rare would take milliseconds.
pub const LOOKS_MAX: usize = 4096;

/// A service, in short.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brief {
    /// The service address.
    pub vip: IpAddr,
    /// What people call it; empty when nobody named it.
    pub name: Arc<str>,
    /// It is announced.
    pub announced: bool,
}

/// A check that is probed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbedCheck {
    /// Which one, and for whom.
    pub key: CheckKey,
    /// What people call it.
    pub name: Arc<str>,
    /// The first service that uses it.
    pub user: Option<Brief>,
    /// How many use it.
    pub users: usize,
    /// What is known of it.
    pub state: CheckState,
    /// How its results are counted.
    pub counting: Counting,
}

impl Engine {
    /// Counts all services.
    pub fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        for (vip, service) in &self.services {
            let stand = self.stand(*vip, service);
            let announced = stand.announced && !self.stopping;
            let reason = if self.stopping { Reason::Shutdown } else { stand.reason };
            let of = if announced { &mut survey.announced } else { &mut survey.withdrawn };
            *of.entry(reason).or_default() += 1;
            survey.last_choice += usize::from(announced && stand.last_choice);
        }
        survey
    }

    /// How many services there are.
    pub fn services_len(&self) -> usize {
        self.services.len()
    }

    /// Whether an observer can see.
    pub fn sight(&self, source: Source) -> Sight {
        self.sources.sight(source)
    }

    /// Explains at most `limit` services behind an address: those that are wanted, which is asked
    /// with their address, their name, and whether they are announced. Looks at [`LOOKS_MAX`] at most.
    pub fn page(
        &self,
        after: Option<IpAddr>,
        limit: usize,
        wanted: &mut dyn FnMut(IpAddr, &str, bool) -> bool,
        now: Instant,
    ) -> Page {
        let mut page = Page::default();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut looked = None;
        for (at, (vip, service)) in self.services.range((from, Bound::Unbounded)).enumerate() {
            if page.services.len() >= limit || at >= LOOKS_MAX {
                page.next = looked;
                break;
            }
            looked = Some(*vip);
            let prefix = Prefix::host(*vip);
            let name = &self.catalog.entry(service.config).config.name;
            if !wanted(*vip, name, self.routes.get(prefix).is_some()) {
                continue;
            }
            page.services.push(self.explain(prefix, now));
        }
        page
    }

    /// At most `most` services of the same family, the nearest to an address first.
    pub fn near(&self, vip: IpAddr, most: usize) -> Vec<Brief> {
        let number = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let same = |at: &IpAddr| at.is_ipv4() == vip.is_ipv4();
        let below = self.services.range(..vip).rev().map(|(at, _)| *at).take_while(same).take(most);
        let above = self.services.range(vip..).map(|(at, _)| *at).take_while(same).take(most);
        let mut near: Vec<IpAddr> = below.chain(above).collect();
        near.sort_by_key(|at| number(*at).abs_diff(number(vip)));
        near.truncate(most);
        near.into_iter().filter_map(|at| self.brief(at)).collect()
    }

    /// At most `limit` checks that are probed, behind one of them; and whether there are more.
    pub fn probed_checks(&self, after: Option<CheckKey>, limit: usize) -> (Vec<ProbedCheck>, bool) {
        let mut keys = self.checks.keys_after(after);
        let page = keys.by_ref().take(limit).filter_map(|key| self.probed_check(key)).collect();
        (page, keys.next().is_some())
    }

    fn probed_check(&self, key: CheckKey) -> Option<ProbedCheck> {
        let check = self.catalog.check(key.check)?;
        let CheckKind::Probe { counting, .. } = check.kind else { return None };
        let users = self.checks.users(key);
        let user = users.first().and_then(|vip| self.brief(*vip));
        let (name, state) = (Arc::clone(&check.name), self.checks.state(key)?.clone());
        Some(ProbedCheck { key, name, user, users: users.len(), state, counting })
    }

    fn brief(&self, vip: IpAddr) -> Option<Brief> {
        let service = self.services.get(&vip)?;
        let name = Arc::clone(&self.catalog.entry(service.config).config.name);
        Some(Brief { vip, name, announced: self.routes.get(Prefix::host(vip)).is_some() })
    }
}

impl NeverAnnounced {
    /// What such addresses are, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unspecified => "an unspecified address (0.0.0.0/8, ::)",
            Self::Multicast => "a multicast address (224.0.0.0/4, ff00::/8)",
            Self::LinkLocal => {
                "a link-local address (169.254.0.0/16, fe80::/10), which no router routes"
            }
            Self::Reserved => "a reserved address (240.0.0.0/4)",
            Self::MappedV4 => {
                "an IPv4 address in IPv6 clothes (::ffff:0:0/96): ask for the IPv4 address"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EngineConfig;
    use crate::engine::Input;
    use crate::fact::{ListenAddress, Listener, Observation, Protocol, SocketId};
    use crate::net::Networks;
    use alloc::string::{String, ToString};
    use alloc::vec;

    fn engine(vips: &[&str]) -> Engine {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|it| it.parse().unwrap());
        let networks = Networks::new(networks.to_vec());
        let config = EngineConfig { networks, ..EngineConfig::default() };
        let mut engine = Engine::new(config, Instant::START);
        for (cookie, vip) in (1..).zip(vips) {
            let id = SocketId { protocol: Protocol::Tcp, cookie };
            let address = ListenAddress::Address(vip.parse().unwrap());
            let listener = Listener { id, address, port: 80 };
            let input = Input::Observation(Observation::ListenerOpened(listener));
            engine.handle(input, Instant::START);
        }
        engine
    }

    #[test]
    fn pages_and_what_is_near() {
        let engine = engine(&["10.0.0.1", "10.0.0.9", "10.0.1.0", "10.9.0.0", "2001:db8::1"]);
        let vips = |page: &Page| -> Vec<String> {
            page.services.iter().map(|it| it.prefix.address().to_string()).collect()
        };
        let all = &mut |_: IpAddr, _: &str, _| true;
        let after = Some("10.0.0.9".parse().unwrap());
        let first = engine.page(None, 2, all, Instant::START);
        assert_eq!((vips(&first), first.next), (vec!["10.0.0.1".into(), "10.0.0.9".into()], after));
        let rest = engine.page(after, 3, all, Instant::START);
        assert_eq!((rest.services.len(), rest.next), (3, None));
        let none = engine.page(None, 3, &mut |_, _, announced| announced, Instant::START);
        assert_eq!(none, Page::default());
        let near = |vip: &str| -> Vec<String> {
            let near = engine.near(vip.parse().unwrap(), 2);
            near.iter().map(|it| it.vip.to_string()).collect()
        };
        assert_eq!(near("10.0.0.8"), ["10.0.0.9", "10.0.0.1"]);
        assert_eq!(near("10.255.0.0"), ["10.9.0.0", "10.0.1.0"]);
        assert_eq!(near("2001:db8::2"), ["2001:db8::1"]);
        let survey = engine.survey();
        assert_eq!(survey.withdrawn, [(Reason::Starting, 5)].into());
        assert!(survey.announced.is_empty() && survey.last_choice == 0);
        assert_eq!(engine.sight(Source::Listen), Sight::Starting);
    }
}
