//! Links and addresses by rtnetlink: dumps, and events of changes. Needs no privilege.

use ha2bgp_proto::netlink::{Body, Messages};
use ha2bgp_proto::rtnetlink::{AddressInfo, LinkInfo, RouteDump, RouteMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::netlink::{EventSocket, Exchange, NetlinkError, Received};

/// Room for some hundreds of links and thousands of addresses that change at once.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`.
const GROUPS: [u32; 3] = [1, 5, 9];
/// The most links and the most addresses that are read.
const MAX_ENTRIES: usize = 262_144;
/// How often a dump is begun again because the tables changed under it.
const MAX_ATTEMPTS: u32 = 8;
/// The most queued events that are thrown away in one go.
const MAX_DISCARDED: usize = 65_536;

/// All links and all addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tables {
    /// The links.
    pub links: Vec<LinkInfo>,
    /// The addresses.
    pub addresses: Vec<AddressInfo>,
}

/// A rtnetlink socket for requests.
#[derive(Debug)]
pub struct Route {
    exchange: Exchange,
    request: Vec<u8>,
}

impl Route {
    /// Opens the socket, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the process may not open netlink sockets.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self {
            exchange: Exchange::open(NETLINK_ROUTE)?,
            request: Vec::new(),
        })
    }

    /// Reads all links, then all addresses.
    ///
    /// # Errors
    /// When the kernel refuses, when its answer cannot be read, or when the tables change all
    /// the time.
    pub fn tables(&mut self) -> Result<Tables, NetlinkError> {
        let mut tables = Tables::default();
        for dump in [RouteDump::Links, RouteDump::Addresses] {
            let mut attempts = 0;
            loop {
                match self.read(dump, &mut tables) {
                    Err(NetlinkError::Interrupted) if attempts < MAX_ATTEMPTS => attempts += 1,
                    result => break result?,
                }
            }
        }
        Ok(tables)
    }

    fn read(&mut self, dump: RouteDump, tables: &mut Tables) -> Result<(), NetlinkError> {
        match dump {
            RouteDump::Links => tables.links.clear(),
            RouteDump::Addresses => tables.addresses.clear(),
        }
        dump.write(self.exchange.next_sequence(), &mut self.request);
        self.exchange.dump(&self.request, &mut |kind, payload| {
            match RouteMessage::parse(kind, payload)? {
                RouteMessage::Link(link) => tables.links.push(link),
                RouteMessage::Address(address) => tables.addresses.push(address),
                RouteMessage::LinkGone(_) | RouteMessage::AddressGone(_) | RouteMessage::Other => {}
            }
            if tables.links.len().max(tables.addresses.len()) > MAX_ENTRIES {
                return Err(NetlinkError::TooMany { limit: MAX_ENTRIES });
            }
            Ok(())
        })
    }
}

/// What the kernel had to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteEvent {
    /// The messages in the caller's list.
    Changed,
    /// Events were lost: [`RouteEvents::discard`], then read the tables.
    Overrun,
}

/// A subscription to changes of links and addresses.
#[derive(Debug)]
pub struct RouteEvents {
    socket: EventSocket,
}

impl RouteEvents {
    /// Subscribes, in the network namespace of the calling thread. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the process may not open netlink sockets.
    pub fn open() -> Result<Self, NetlinkError> {
        EventSocket::open(NETLINK_ROUTE, RECEIVE_BUFFER, &GROUPS, |_| Ok(()))
            .map(|socket| Self { socket })
    }

    /// Waits for messages and puts them into `messages`, replacing what is in there. Cancelling
    /// it loses nothing.
    ///
    /// # Errors
    /// When the socket fails or a message cannot be read.
    pub async fn receive(
        &mut self,
        messages: &mut Vec<RouteMessage>,
    ) -> Result<RouteEvent, NetlinkError> {
        loop {
            messages.clear();
            match self.socket.receive().await? {
                Received::Overrun => return Ok(RouteEvent::Overrun),
                Received::Datagram(datagram) => parse(datagram, messages)?,
            }
            if !messages.is_empty() {
                return Ok(RouteEvent::Changed);
            }
        }
    }

    /// Throws the queued messages away. After an overrun they are older than what was lost, so
    /// that following them could bring back what is gone.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn discard(&mut self) -> Result<(), NetlinkError> {
        for _ in 0..MAX_DISCARDED {
            if self.socket.try_receive()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

fn parse(datagram: &[u8], messages: &mut Vec<RouteMessage>) -> Result<(), NetlinkError> {
    for message in Messages::new(datagram) {
        if let Body::Data { kind, payload } = message?.body {
            match RouteMessage::parse(kind, payload)? {
                RouteMessage::Other => {}
                message => messages.push(message),
            }
        }
    }
    Ok(())
}
