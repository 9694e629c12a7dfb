//! Whom BFD sessions are with, and what several users of one session want of it.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;

use ha2bgp_proto::bfd::{Auth, Interval, Timers};
use ha2bgp_proto::bgp::PeerAddress;
use ha2bgp_sys::bfd::TTL;

/// How often packets go and come, unless somebody says otherwise.
pub const INTERVAL_MILLIS: u32 = 300;
/// How many of them must be missing.
pub const MULTIPLIER: NonZeroU8 = NonZeroU8::MIN.saturating_add(2);

/// Whom a session is with, and over which path.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The other end; a link-local one with its interface.
    pub peer: PeerAddress,
    /// Our end; none: what the kernel chooses.
    pub local: Option<IpAddr>,
    /// The interface that it goes through, where the address does not say so.
    pub interface: Option<String>,
    /// The peer may be several hops away (RFC 5883).
    pub multihop: bool,
}

impl Target {
    /// A neighbor.
    pub const fn neighbor(peer: PeerAddress) -> Self {
        Self { peer, local: None, interface: None, multihop: false }
    }

    /// True when `session` is one that this means: what is not said here may be anything.
    pub fn means(&self, session: &Self) -> bool {
        let Self { peer, local, interface, multihop } = self;
        *peer == session.peer
            && *multihop == session.multihop
            && (local.is_none() || *local == session.local)
            && (interface.is_none() || *interface == session.interface)
    }

    /// How much it leaves open.
    const fn open(&self) -> u8 {
        self.local.is_none() as u8 + self.interface.is_none() as u8
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peer)?;
        if let Some(local) = self.local {
            write!(f, " from {local}")?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " through {interface}")?;
        }
        if self.multihop { f.write_str(" (multihop)") } else { Ok(()) }
    }
}

/// One session as it shall be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionConfig {
    /// Whom it is with. No two have the same.
    pub target: Target,
    /// How often packets go and come.
    pub timers: Timers,
    /// What comes with a lower TTL is not taken: 255 for neighbors (RFC 5881 section 5).
    pub minimum_ttl: u8,
    /// How packets are authenticated.
    pub auth: Option<Auth>,
}

/// What one user wants of a session. What it does not say, another one may, or the defaults do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// Whom it is with.
    pub target: Target,
    /// How often we send.
    pub tx: Option<Interval>,
    /// How often we want to receive at most.
    pub rx: Option<Interval>,
    /// How many packets must be missing.
    pub multiplier: Option<NonZeroU8>,
    /// The lowest TTL of packets; multihop only.
    pub minimum_ttl: Option<NonZeroU8>,
    /// How packets are authenticated.
    pub auth: Option<Auth>,
}

impl Wish {
    /// A session, whatever it is like.
    pub const fn any(target: Target) -> Self {
        let (tx, rx, multiplier, minimum_ttl, auth) = (None, None, None, None, None);
        Self { target, tx, rx, multiplier, minimum_ttl, auth }
    }

    /// Takes what `other` says and this one does not; what they contradict each other in.
    fn join(&mut self, other: &Self) -> Option<&'static str> {
        let mut clash = None;
        let mut one = |key, differs: bool| {
            if differs {
                clash.get_or_insert(key);
            }
        };
        one("tx", join(&mut self.tx, &other.tx));
        one("rx", join(&mut self.rx, &other.rx));
        one("multiplier", join(&mut self.multiplier, &other.multiplier));
        one("min-ttl", join(&mut self.minimum_ttl, &other.minimum_ttl));
        one("auth-type", join(&mut self.auth, &other.auth));
        clash
    }

    /// With the defaults. Always something: the usual interval is one that packets can carry.
    fn config(self) -> Option<SessionConfig> {
        let Self { target, tx, rx, multiplier, minimum_ttl, auth } = self;
        let usual = Interval::from_millis(INTERVAL_MILLIS);
        let timers = Timers {
            desired_min_tx: tx.or(usual)?,
            required_min_rx: rx.or(usual)?,
            multiplier: multiplier.unwrap_or(MULTIPLIER),
        };
        let minimum_ttl = match target.multihop {
            true => minimum_ttl.map_or(0, NonZeroU8::get),
            false => TTL,
        };
        Some(SessionConfig { target, timers, minimum_ttl, auth })
    }
}

/// Takes a value where there is none; true when there is another one.
fn join<T: Clone + PartialEq>(ours: &mut Option<T>, theirs: &Option<T>) -> bool {
    match (&*ours, theirs) {
        (Some(ours), Some(theirs)) => ours != theirs,
        (None, Some(_)) => {
            ours.clone_from(theirs);
            false
        }
        (_, None) => false,
    }
}

/// Two users of one session want it to be different.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clash {
    /// Which one.
    pub target: Target,
    /// The key that both of them give.
    pub key: &'static str,
}

/// The sessions that all users of BFD need: those that mean the same one share it. Where they contradict
/// each other, the first one counts, and that is told.
pub fn sessions<'a>(
    wishes: impl IntoIterator<Item = &'a Wish>,
) -> (Vec<SessionConfig>, Vec<Clash>) {
    let mut wishes: Vec<&Wish> = wishes.into_iter().collect();
    // Those that say most come first, so that the others find theirs.
    wishes.sort_by_key(|wish| wish.target.open());
    let mut joined: Vec<Wish> = Vec::new();
    let mut clashes = Vec::new();
    for wish in wishes {
        let Some(session) = joined.iter_mut().find(|it| wish.target.means(&it.target)) else {
            joined.push(wish.clone());
            continue;
        };
        if let Some(key) = session.join(wish) {
            clashes.push(Clash { target: session.target.clone(), key });
        }
    }
    let mut sessions: Vec<SessionConfig> = joined.into_iter().filter_map(Wish::config).collect();
    sessions.sort_by(|a, b| a.target.cmp(&b.target));
    (sessions, clashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(peer: &str) -> Target {
        Target::neighbor(peer.parse().unwrap())
    }

    fn millis(millis: u32) -> Option<Interval> {
        Interval::from_millis(millis)
    }

    #[test]
    fn what_nobody_says_is_as_usual() {
        let (sessions, clashes) = sessions(&[Wish::any(target("192.0.2.1"))]);
        assert_eq!(clashes, []);
        let [session] = &*sessions else { panic!("{sessions:?}") };
        assert_eq!(session.timers.desired_min_tx.as_micros(), 300_000);
        assert_eq!((session.timers.multiplier.get(), session.minimum_ttl), (3, 255));
    }

    #[test]
    fn one_address_is_one_session_whoever_wants_it() {
        let from = Target { local: Some([192, 0, 2, 9].into()), ..target("192.0.2.1") };
        let far = Target { multihop: true, ..target("192.0.2.1") };
        let ttl = NonZeroU8::new(250);
        let wishes = [
            Wish { rx: millis(50), ..Wish::any(target("192.0.2.1")) },
            Wish { tx: millis(100), ..Wish::any(from.clone()) },
            Wish { minimum_ttl: ttl, ..Wish::any(far.clone()) },
            Wish::any(target("fe80::1%eth0")),
            Wish::any(target("fe80::1%eth1")),
        ];
        let (sessions, clashes) = sessions(&wishes);
        assert_eq!(clashes, []);
        let found = |target: &Target| sessions.iter().find(|it| target.means(&it.target)).unwrap();
        let near = found(&target("192.0.2.1"));
        assert_eq!(near.target, from);
        assert_eq!(
            (Some(near.timers.desired_min_tx), Some(near.timers.required_min_rx)),
            (millis(100), millis(50))
        );
        assert_eq!(found(&far).minimum_ttl, 250);
        assert_eq!(sessions.len(), 4);
    }

    #[test]
    fn two_that_contradict_each_other_are_told() {
        let wish = |millis| Wish { tx: self::millis(millis), ..Wish::any(target("192.0.2.1")) };
        let (sessions, clashes) = sessions(&[wish(100), wish(100), wish(200)]);
        assert_eq!(clashes, [Clash { target: target("192.0.2.1"), key: "tx" }]);
        assert_eq!(Some(sessions[0].timers.desired_min_tx), millis(100));
    }

    #[test]
    fn targets_are_shown_as_they_are_told_apart() {
        let target = Target {
            local: Some([192, 0, 2, 9].into()),
            interface: Some("eth0".to_owned()),
            multihop: true,
            ..target("192.0.2.1")
        };
        assert_eq!(target.to_string(), "192.0.2.1 from 192.0.2.9 through eth0 (multihop)");
    }
}
