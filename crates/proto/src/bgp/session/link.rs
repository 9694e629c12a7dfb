//! One connection: what was read of it, what must be written to it.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::bgp::event::Negotiated;
use crate::bgp::io::Connection;
use crate::bgp::wire::{self, Framer, HEADER, Notification, Open};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) local: IpAddr,
    pub(super) framer: Framer,
    /// The OPEN that we sent.
    pub(super) open: Open,
    /// What was agreed on, once the peer's OPEN is there.
    pub(super) negotiated: Option<Negotiated>,
    /// Messages, the first one at a message boundary; `done` octets of them are written.
    out: Vec<u8>,
    done: usize,
    /// All octets that were ever written.
    pub(super) written: u64,
}

impl Link {
    pub(super) fn new(connection: Connection, local: IpAddr, open: Open) -> Self {
        Self {
            connection,
            local,
            framer: Framer::default(),
            open,
            negotiated: None,
            out: Vec::new(),
            done: 0,
            written: 0,
        }
    }

    pub(super) fn unwritten(&self) -> &[u8] {
        self.out.get(self.done..).unwrap_or(&[])
    }

    pub(super) fn written(&mut self, count: usize) {
        let done = self.done.saturating_add(count).min(self.out.len());
        self.written += (done - self.done) as u64;
        self.done = done;
        if self.done == self.out.len() {
            self.out.clear();
            self.done = 0;
        }
    }

    /// What [`Link::written`] is once everything is.
    pub(super) fn end(&self) -> u64 {
        self.written + self.unwritten().len() as u64
    }

    /// Where to append messages.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Appends a KEEPALIVE, unless one waits already: the peer has not read for a while, and the
    /// one that waits says as much.
    pub(super) fn keepalive(&mut self) -> bool {
        let mut message = Vec::with_capacity(HEADER);
        wire::encode_keepalive(&mut message);
        let waits = self.unwritten().len() >= message.len() && self.out.ends_with(&message);
        if !waits {
            self.out.append(&mut message);
        }
        !waits
    }

    /// The last words: the rest of a message that is begun, then `notification`. Whole messages
    /// that wait are not sent.
    pub(super) fn last_words(&self, notification: &Notification) -> Vec<u8> {
        let mut at = 0;
        while at < self.done {
            let Some((length, _)) = wire::length_at(&self.out, at) else {
                break;
            };
            at += length;
        }
        let mut last = self.out.get(self.done..at).unwrap_or(&[]).to_vec();
        notification.encode(&mut last);
        last
    }
}
