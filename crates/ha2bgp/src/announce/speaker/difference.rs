//! What differs between two configurations of one peer, and what that costs: nothing, messages
//! about some routes, or the session.
//!
//! Pure: the speaker does what it says, and a plan shows it beforehand.

use std::fmt;

use ha2bgp_proto::bgp::{GracefulRestart, PeerConfig, Policy};
use ha2bgp_sys::tcp::Options;

use super::Peer;

/// What a change of a peer costs. The larger one of two counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Effect {
    /// Nothing: no message, no timer, no counter.
    Untouched,
    /// The session stays and is signed with another key from now on.
    Key,
    /// The session stays. Routes that go out otherwise are sent again, and nothing else.
    Live,
    /// The session ends and begins again; those of other peers stay.
    Session,
}

/// Something of a peer's configuration, named by its key there.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// `local-as`.
    LocalAs,
    /// `router-id`.
    RouterId,
    /// `remote-as`.
    RemoteAs,
    /// `local-address`.
    LocalAddress,
    /// `port`.
    Port,
    /// `bind-device`.
    BindDevice,
    /// `ttl-security` or `multihop`.
    Hops,
    /// `families`.
    Families,
    /// `hold-time`.
    HoldTime,
    /// `graceful-restart`.
    GracefulRestart,
    /// `add-path`.
    AddPath,
    /// `count-announcers`.
    CountAnnouncers,
    /// `role` or `strict-role`, and the other capabilities.
    Capabilities,
    /// `password-file`: the key in it.
    Password,
    /// `networks`.
    Networks,
    /// `next-hop`.
    NextHop,
    /// `link-local-next-hop`.
    LinkLocalNextHop,
    /// `med`.
    Med,
    /// `local-pref`.
    LocalPref,
    /// `prepend`.
    Prepend,
    /// `communities`.
    Communities,
    /// `extended-communities`.
    ExtendedCommunities,
    /// `large-communities`.
    LargeCommunities,
    /// `last-choice`.
    LastChoice,
    /// `drain`.
    Drain,
    /// `max-prefixes`.
    MaxPrefixes,
    /// `mode`.
    Mode,
    /// `keepalive-time`.
    KeepaliveTime,
    /// `connect-retry`, `idle-hold` and `stable-after`.
    Pauses,
    /// `send-hold-time`.
    SendHoldTime,
    /// `bfd`: whether it is on, with whom, and `strict`.
    Bfd,
}

impl Field {
    /// Its key in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalAs => "local-as",
            Self::RouterId => "router-id",
            Self::RemoteAs => "remote-as",
            Self::LocalAddress => "local-address",
            Self::Port => "port",
            Self::BindDevice => "bind-device",
            Self::Hops => "ttl-security or multihop",
            Self::Families => "families",
            Self::HoldTime => "hold-time",
            Self::GracefulRestart => "graceful-restart",
            Self::AddPath => "add-path",
            Self::CountAnnouncers => "count-announcers",
            Self::Capabilities => "role or capabilities",
            Self::Password => "password-file",
            Self::Networks => "networks",
            Self::NextHop => "next-hop",
            Self::LinkLocalNextHop => "link-local-next-hop",
            Self::Med => "med",
            Self::LocalPref => "local-pref",
            Self::Prepend => "prepend",
            Self::Communities => "communities",
            Self::ExtendedCommunities => "extended-communities",
            Self::LargeCommunities => "large-communities",
            Self::LastChoice => "last-choice",
            Self::Drain => "drain",
            Self::MaxPrefixes => "max-prefixes",
            Self::Mode => "mode",
            Self::KeepaliveTime => "keepalive-time",
            Self::Pauses => "connect-retry, idle-hold or stable-after",
            Self::SendHoldTime => "send-hold-time",
            Self::Bfd => "bfd",
        }
    }

    /// What a change of it costs.
    pub const fn effect(self) -> Effect {
        match self {
            Self::LocalAs
            | Self::RouterId
            | Self::RemoteAs
            | Self::LocalAddress
            | Self::Port
            | Self::BindDevice
            | Self::Hops
            | Self::Families
            | Self::HoldTime
            | Self::GracefulRestart
            | Self::AddPath
            | Self::CountAnnouncers
            | Self::Capabilities => Effect::Session,
            Self::Password => Effect::Key,
            Self::Networks
            | Self::NextHop
            | Self::LinkLocalNextHop
            | Self::Med
            | Self::LocalPref
            | Self::Prepend
            | Self::Communities
            | Self::ExtendedCommunities
            | Self::LargeCommunities
            | Self::LastChoice
            | Self::Drain
            | Self::MaxPrefixes
            | Self::Mode
            | Self::KeepaliveTime
            | Self::Pauses
            | Self::SendHoldTime
            | Self::Bfd => Effect::Live,
        }
    }
}

/// What differs between two configurations of one peer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Change {
    /// In the order of [`Field`]: what restarts the session comes first.
    fields: Vec<Field>,
}

impl Change {
    /// What differs.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// What it costs.
    pub fn effect(&self) -> Effect {
        self.fields.iter().map(|field| field.effect()).max().unwrap_or(Effect::Untouched)
    }

    /// True when this differs.
    pub fn has(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }
}

impl fmt::Display for Change {
    /// In a line, such as `hold-time, med: the session restarts for hold-time`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |fields: &mut dyn Iterator<Item = &Field>| {
            fields.map(|field| field.name()).collect::<Vec<_>>().join(", ")
        };
        let all = list(&mut self.fields.iter());
        match self.effect() {
            Effect::Untouched => f.write_str("not touched"),
            Effect::Key => write!(f, "{all}: a new key, the session stays"),
            Effect::Live => write!(f, "{all}: the session stays"),
            Effect::Session => {
                let why = |field: &&Field| field.effect() == Effect::Session;
                let why = list(&mut self.fields.iter().filter(why));
                if why == all {
                    write!(f, "{all}: the session restarts")
                } else {
                    write!(f, "{all}: the session restarts for {why}")
                }
            }
        }
    }
}

/// What differs between two configurations of one peer. What is about the start of the process
/// (whether it restarts, what was preserved, how long End-of-RIB waits) or set by the speaker
/// itself (draining) is no difference.
pub fn change(old: &Peer, new: &Peer) -> Change {
    let Peer { config, port, socket, bfd, defer_end_of_rib: _ } = old;
    let Options { local: _, device, key, hops, user_timeout } = socket;
    // All of them by name, so that none is forgotten.
    let PeerConfig {
        local_as,
        router_id,
        peer_as,
        peer: _,
        local,
        mode,
        families,
        hold_time,
        keepalive,
        connect_retry,
        idle_hold,
        stable_after,
        send_hold,
        graceful_restart,
        hold_end_of_rib: _,
        capabilities,
        max_prefixes,
        add_path_send,
        count_announcers,
        link_local,
        policy,
    } = config;
    let Policy {
        networks,
        next_hop_v4,
        next_hop_v6,
        med,
        local_pref,
        prepend,
        communities,
        extended_communities,
        large_communities,
        graceful_shutdown: _,
        last_choice,
        drain,
    } = policy;
    let (c, p) = (&new.config, &new.config.policy);
    let pauses = (connect_retry, idle_hold, stable_after);
    let differ = [
        (Field::LocalAs, *local_as != c.local_as),
        (Field::RouterId, *router_id != c.router_id),
        (Field::RemoteAs, *peer_as != c.peer_as),
        (Field::LocalAddress, *local != c.local),
        (Field::Port, *port != new.port),
        (Field::BindDevice, *device != new.socket.device),
        (Field::Hops, *hops != new.socket.hops),
        (Field::Families, *families != c.families),
        (Field::HoldTime, *hold_time != c.hold_time),
        (Field::GracefulRestart, lasting(*graceful_restart) != lasting(c.graceful_restart)),
        (Field::AddPath, *add_path_send != c.add_path_send),
        (Field::CountAnnouncers, *count_announcers != c.count_announcers),
        (Field::Capabilities, *capabilities != c.capabilities),
        (Field::Password, *key != new.socket.key),
        (Field::Networks, *networks != p.networks),
        (Field::NextHop, (next_hop_v4, next_hop_v6) != (&p.next_hop_v4, &p.next_hop_v6)),
        (Field::LinkLocalNextHop, *link_local != c.link_local),
        (Field::Med, *med != p.med),
        (Field::LocalPref, *local_pref != p.local_pref),
        (Field::Prepend, *prepend != p.prepend),
        (Field::Communities, *communities != p.communities),
        (Field::ExtendedCommunities, *extended_communities != p.extended_communities),
        (Field::LargeCommunities, *large_communities != p.large_communities),
        (Field::LastChoice, *last_choice != p.last_choice),
        (Field::Drain, *drain != p.drain),
        (Field::MaxPrefixes, *max_prefixes != c.max_prefixes),
        (Field::Mode, *mode != c.mode),
        (Field::KeepaliveTime, *keepalive != c.keepalive),
        (Field::Pauses, pauses != (&c.connect_retry, &c.idle_hold, &c.stable_after)),
        (
            Field::SendHoldTime,
            (send_hold, user_timeout) != (&c.send_hold, &new.socket.user_timeout),
        ),
        (Field::Bfd, *bfd != new.bfd),
    ];
    let fields = differ.into_iter().filter_map(|(field, differs)| differs.then_some(field));
    Change { fields: fields.collect() }
}

/// What is so for as long as the configuration is.
fn lasting(restart: Option<GracefulRestart>) -> Option<(std::time::Duration, bool)> {
    restart.map(|it| (it.restart_time, it.notification))
}

#[cfg(test)]
mod tests;
