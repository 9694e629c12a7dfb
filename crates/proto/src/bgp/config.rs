//! How a session with one peer behaves, and what is said to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use ha2bgp_core::net::Networks;

use super::address::PeerAddress;
use super::config_error::{self, ConfigError};
use super::wire::{Asn, Families, LinkLocal};

/// GRACEFUL_SHUTDOWN (RFC 8326 section 3).
pub(in crate::bgp) const GRACEFUL_SHUTDOWN: u32 = 0xffff_0000;

/// Everything about one peer. Check it with [`PeerConfig::validate`] before use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerConfig {
    /// Our AS.
    pub local_as: Asn,
    /// Our BGP identifier; not zero.
    pub router_id: Ipv4Addr,
    /// The peer's AS: the same one for iBGP.
    pub peer_as: Asn,
    /// The peer's address.
    pub peer: PeerAddress,
    /// The address that our end must have, where it is configured. A link-local one is on the
    /// peer's link.
    pub local: Option<IpAddr>,
    /// Who opens connections.
    pub mode: Mode,
    /// The families to speak.
    pub families: Families,
    /// How long the peer may be silent: whole seconds, 0 (forever) or 3 to 65 535.
    pub hold_time: Duration,
    /// How often a KEEPALIVE goes out; a third of the negotiated hold time when absent or longer.
    pub keepalive: Option<Duration>,
    /// Pause between attempts to connect. The first attempt is made at once.
    pub connect_retry: Backoff,
    /// Pause after a session was lost or refused (DampPeerOscillations, RFC 4271 section 8.1.1).
    pub idle_hold: Backoff,
    /// A session that stood so long ends both back-offs.
    pub stable_after: Duration,
    /// How long the peer may take nothing of what is written, at least; twice the hold time when
    /// that is longer (RFC 9687).
    pub send_hold: Duration,
    /// The graceful restart capability (RFC 4724); none: not announced.
    pub graceful_restart: Option<GracefulRestart>,
    /// Keep End-of-RIB back until [`super::Session::release_end_of_rib`].
    pub hold_end_of_rib: bool,
    /// The other capabilities.
    pub capabilities: Capabilities,
    /// More prefixes than this (paths, where it sends several) from the peer end the session with Cease/1. None: no limit, and
    /// nothing is remembered of what the peer sends.
    pub max_prefixes: Option<u32>,
    /// Announce with this path identifier where the peer takes several paths (RFC 7911): a route
    /// reflector then hands on ours beside those of other hosts. None: one path a prefix.
    pub add_path_send: Option<u32>,
    /// Count the others who announce our prefixes ([`super::Session::other_announcers`]), and ask
    /// the peer for all its paths (RFC 7911).
    pub count_announcers: bool,
    /// How next hops are spelled that are link-local: our end of a session with such a peer.
    pub link_local: LinkLocal,
    /// What is announced, and how.
    pub policy: Policy,
}

impl PeerConfig {
    /// The defaults for a peer: hold time 9 s, keepalive 3 s, restart time 20 s, both families
    /// where the transport gives a next hop for them.
    pub fn new(
        local_as: Asn,
        router_id: Ipv4Addr,
        peer: impl Into<PeerAddress>,
        peer_as: Asn,
    ) -> Self {
        let peer = peer.into();
        Self {
            local_as,
            router_id,
            peer_as,
            peer,
            local: None,
            mode: Mode::Active,
            families: Families { ipv4: peer.is_ipv4(), ipv6: !peer.is_ipv4() },
            hold_time: Duration::from_secs(9),
            keepalive: Some(Duration::from_secs(3)),
            connect_retry: Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) },
            idle_hold: Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) },
            stable_after: Duration::from_secs(30),
            send_hold: Duration::from_secs(480),
            graceful_restart: Some(GracefulRestart::default()),
            hold_end_of_rib: false,
            capabilities: Capabilities::default(),
            max_prefixes: None,
            add_path_send: None,
            count_announcers: false,
            link_local: LinkLocal::default(),
            policy: Policy::default(),
        }
    }

    /// True when the peer is in our AS.
    pub fn is_internal(&self) -> bool {
        self.local_as == self.peer_as
    }

    /// Everything that is wrong with it, with what to write instead. Empty: fit for use.
    pub fn validate(&self) -> Vec<ConfigError> {
        config_error::check(self)
    }
}

/// Who opens connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// We do; the peer's are refused. No listening socket is needed.
    Active,
    /// Only the peer does.
    Passive,
    /// Both; collisions are resolved (RFC 4271 section 6.8).
    Both,
}

/// A pause that doubles from `first` to `max`, each time shortened by up to a quarter (RFC 4271
/// section 10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

/// The graceful restart capability (RFC 4724 section 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GracefulRestart {
    /// For how long the peer keeps our routes after the connection broke: 1 to 4095 seconds. A
    /// dead host attracts traffic for so long.
    pub restart_time: Duration,
    /// The R bit: this process has just restarted. Announced until End-of-RIB was sent for every
    /// family, at most for the restart time.
    pub restarting: bool,
    /// The F bits: the families whose routes lead to what survived (same boot, VIPs present). The
    /// peer drops the old routes of the others at once.
    pub forwarding_preserved: Families,
    /// The N bit (RFC 8538): the peer keeps routes also when its hold timer expires. Then a dead
    /// host costs hold time and restart time together, so it is off by default.
    pub notification: bool,
}

impl Default for GracefulRestart {
    fn default() -> Self {
        Self {
            restart_time: Duration::from_secs(20),
            restarting: false,
            forwarding_preserved: Families::BOTH,
            notification: false,
        }
    }
}

/// What else OPEN says of us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capabilities {
    /// No capabilities at all, for peers that cannot bear any. IPv4 and two-octet AS only.
    pub none: bool,
    /// ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// BoRR and EoRR (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// IPv4 routes with IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Messages longer than 4096 octets are understood (RFC 8654).
    pub extended_messages: bool,
    /// And sent, where the peer understands them. Saves little: off by default.
    pub send_extended_messages: bool,
    /// Our role (RFC 9234); eBGP only.
    pub role: Option<Role>,
    /// Refuse a peer without a role.
    pub strict_role: bool,
    /// Our name (draft-walton-bgp-hostname-capability).
    pub fqdn: Option<Fqdn>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            none: false,
            route_refresh: true,
            enhanced_route_refresh: true,
            extended_next_hop: true,
            extended_messages: true,
            send_extended_messages: false,
            role: None,
            strict_role: false,
            fqdn: None,
        }
    }
}

/// What we are to the peer (RFC 9234 section 4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Role {
    /// It buys transit from us.
    Provider = 0,
    /// We are the route server.
    RouteServer = 1,
    /// It is the route server.
    RouteServerClient = 2,
    /// We buy transit from it.
    Customer = 3,
    /// Neither pays.
    Peer = 4,
}

impl Role {
    /// The role that the other side must have (RFC 9234 section 4.2).
    pub const fn counterpart(self) -> Self {
        match self {
            Self::Provider => Self::Customer,
            Self::RouteServer => Self::RouteServerClient,
            Self::RouteServerClient => Self::RouteServer,
            Self::Customer => Self::Provider,
            Self::Peer => Self::Peer,
        }
    }

    /// True when routes sent with this role carry Only-to-Customer (RFC 9234 section 5).
    pub const fn adds_only_to_customer(self) -> bool {
        matches!(self, Self::Provider | Self::RouteServer | Self::Peer)
    }
}

/// A host's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fqdn {
    /// The host, at most 255 octets.
    pub host: String,
    /// The domain, may be empty.
    pub domain: String,
}

/// What is announced to a peer, and how. It can be changed while the session is up
/// ([`super::Session::set_policy`]).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Nothing outside of these is ever announced (RFC 8212: nothing by default).
    pub networks: Networks,
    /// What `self` means for IPv4 routes; our end of the connection when absent.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// What `self` means for IPv6 routes; our end of the connection when absent.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF, iBGP only; 100 when absent.
    pub local_pref: Option<u32>,
    /// How often our AS is prepended beyond the one that eBGP needs. At most 16.
    pub prepend: u8,
    /// Communities (RFC 1997).
    pub communities: Vec<u32>,
    /// Extended communities (RFC 4360), as eight octets each.
    pub extended_communities: Vec<[u8; 8]>,
    /// Large communities (RFC 8092).
    pub large_communities: Vec<[u32; 3]>,
    /// Draining: GRACEFUL_SHUTDOWN on every route, LOCAL_PREF 0 in iBGP (RFC 8326).
    pub graceful_shutdown: bool,
    /// What is otherwise about routes that are the last choice.
    pub last_choice: LastChoice,
    /// How routes go out while an operator drains them.
    pub drain: Drain,
}

/// How a route goes out while an operator drains it ([`ha2bgp_core::route::Route::draining`]), and
/// all of them with [`Policy::graceful_shutdown`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Drain {
    /// As any route that is the last choice.
    #[default]
    LastChoice,
    /// With GRACEFUL_SHUTDOWN alone (RFC 8326), and LOCAL_PREF 0 in iBGP: between ASes only routers
    /// that have a policy for it prefer others then.
    GracefulShutdown,
    /// With the MED of the last choice alone, the worst one where that has none.
    Med,
    /// With the longer AS_PATH of the last choice alone; eBGP only.
    Prepend,
    /// Not at all: it is withdrawn as long as it drains.
    Withdraw,
}

impl Drain {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::LastChoice, Self::GracefulShutdown, Self::Med, Self::Prepend, Self::Withdraw];

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastChoice => "last-choice",
            Self::GracefulShutdown => "gshut",
            Self::Med => "med",
            Self::Prepend => "prepend",
            Self::Withdraw => "withdraw",
        }
    }

    /// What is otherwise about a route that drains.
    pub(super) fn attributes(self, policy: &Policy) -> LastChoice {
        let last = &policy.last_choice;
        // Nothing but what the method names.
        let same = LastChoice {
            med: None,
            local_pref: Some(policy.local_pref.unwrap_or(LOCAL_PREF)),
            prepend: Some(0),
            communities: Vec::new(),
        };
        match self {
            Self::LastChoice | Self::Withdraw => last.clone(),
            Self::GracefulShutdown => LastChoice {
                local_pref: Some(0),
                communities: Vec::from([GRACEFUL_SHUTDOWN]),
                ..same
            },
            Self::Med => LastChoice { med: last.med.or(Some(u32::MAX)), ..same },
            Self::Prepend => {
                let more = last.prepend.unwrap_or(LastChoice::PREPEND).max(1);
                LastChoice { prepend: Some(more), ..same }
            }
        }
    }
}

/// What [`Policy::local_pref`] is when absent.
pub(super) const LOCAL_PREF: u32 = 100;

/// What is otherwise about a route that is announced as the last choice
/// ([`ha2bgp_core::route::Route::last_choice`]).
///
/// The defaults make BIRD, FRR, GoBGP and OpenBGPD prefer every other announcer without any
/// configuration: in iBGP by LOCAL_PREF, in eBGP by the length of AS_PATH.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastChoice {
    /// MULTI_EXIT_DISC in the place of [`Policy::med`]; none: that one. Routers compare it between
    /// routes from the same neighboring AS only (RFC 4271 section 9.1.2.2, c).
    pub med: Option<u32>,
    /// LOCAL_PREF in the place of [`Policy::local_pref`], iBGP only; 0 when absent.
    pub local_pref: Option<u32>,
    /// How often our AS is prepended beyond [`Policy::prepend`], eBGP only; 3 when absent. At most
    /// 16.
    pub prepend: Option<u8>,
    /// Communities (RFC 1997) beside [`Policy::communities`].
    pub communities: Vec<u32>,
}

impl LastChoice {
    /// What [`LastChoice::local_pref`] is when absent.
    pub const LOCAL_PREF: u32 = 0;
    /// What [`LastChoice::prepend`] is when absent.
    pub const PREPEND: u8 = 3;
}

impl Default for LastChoice {
    /// The worst MED, and GRACEFUL_SHUTDOWN (RFC 8326) for routers that have a policy for it.
    fn default() -> Self {
        Self {
            med: Some(u32::MAX),
            local_pref: None,
            prepend: None,
            communities: Vec::from([GRACEFUL_SHUTDOWN]),
        }
    }
}
