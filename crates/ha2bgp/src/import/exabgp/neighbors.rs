//! The neighbors of ExaBGP's configuration, as peers of the built-in speaker: only what every session
//! needs, for a person who leaves ExaBGP out. Where ExaBGP stays, they stay there.

use std::net::{IpAddr, Ipv4Addr};

use super::super::model::{Fate, Import, Peer};
use super::super::words::Word;
use super::super::{Text, named};
use super::say;

/// More are not written down.
const COUNT_MAX: usize = 1024;

/// What was said of a neighbor, or of the group that it is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbor {
    /// Its address; none for a group.
    address: Option<IpAddr>,
    router_id: Option<Ipv4Addr>,
    local_as: Option<u32>,
    remote_as: Option<u32>,
    local_address: Option<IpAddr>,
    hold_time: Option<u16>,
    has_key: bool,
}

impl Neighbor {
    /// A section of that head, in the one around it: `neighbor 192.0.2.1`, `group name`.
    pub(super) fn open(head: &[Word], around: Option<&Self>) -> Self {
        let is_neighbor = head.first().is_some_and(|word| word.text == "neighbor");
        let address = head.get(1).filter(|_| is_neighbor).and_then(|word| word.text.parse().ok());
        // A section within a neighbor, such as its `api`, is none of its own.
        Self { address, ..around.cloned().unwrap_or_default() }
    }

    /// Takes a statement in.
    pub(super) fn statement(&mut self, words: &[Word]) {
        let [key, value, ..] = words else { return };
        let value = value.text.as_str();
        match key.text.as_str() {
            "router-id" => self.router_id = value.parse().ok(),
            "local-as" => self.local_as = value.parse().ok(),
            "peer-as" => self.remote_as = value.parse().ok(),
            "local-address" => self.local_address = value.parse().ok(),
            "hold-time" => self.hold_time = value.parse().ok(),
            "md5-password" => self.has_key = true,
            _ => {}
        }
    }

    /// Its section is over.
    pub(super) fn close(self, text: &Text, head: &Word, import: &mut Import) {
        let Some(address) = self.address else { return };
        if import.common.peers.len() == COUNT_MAX {
            return;
        }
        let place = named(&text.place(head.span.clone()), &format!("neighbor {address}"));
        let why =
            "it stays in ExaBGP's configuration; without ExaBGP it is the [[peer]] at the end"
                .to_owned();
        say(&mut import.said, &place, &place.key, Fate::NotNeeded(why));
        let common = &mut import.common;
        common.local_as = common.local_as.or(self.local_as);
        common.router_id = common.router_id.or(self.router_id);
        common.peers.push(Peer {
            address,
            local_address: self.local_address,
            remote_as: self.remote_as,
            hold_time: self.hold_time,
            has_key: self.has_key,
        });
    }
}
