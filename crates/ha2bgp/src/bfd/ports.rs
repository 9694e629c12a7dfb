//! The sockets that take what comes: one for each family and port that some session needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::family::Family;
use ha2bgp_sys::bfd::{Arrival, BfdError, MULTIHOP, Receiver, SINGLE_HOP};

use super::target::Target;

/// A port that could not be opened is tried again after so long.
const RETRY: Duration = Duration::from_secs(2);
/// Datagrams taken from one socket before the others get their turn.
pub(super) const RECEIVES_AT_ONCE: usize = 64;
/// No packet is longer than this; what is longer is cut, and wrong.
pub(super) const BUFFER_LENGTH: usize = 256;

/// Which socket.
pub(super) type Place = (Family, bool);

/// The socket that a session's packets come to.
pub(super) const fn place(target: &Target) -> Place {
    (Family::of(target.peer.ip()), target.multihop)
}

/// One of them.
#[derive(Debug)]
enum Port {
    Open(Receiver),
    /// Why not, and when it is tried again.
    Shut(Arc<str>, Instant),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Ports(BTreeMap<Place, Port>);

impl Ports {
    /// Opens those that are wanted, and closes the others. True when one has opened or failed.
    pub(super) fn set(&mut self, wanted: impl Iterator<Item = Place>, now: Instant) -> bool {
        let mut before = std::mem::take(&mut self.0);
        let mut news = false;
        for place in wanted {
            if self.0.contains_key(&place) {
                continue;
            }
            let port = match before.remove(&place) {
                Some(Port::Shut(_, at)) if at <= now => None,
                other => other,
            };
            let port = port.unwrap_or_else(|| {
                news = true;
                open(place, now)
            });
            self.0.insert(place, port);
        }
        news
    }

    /// Tries again what could not be opened. True when one has been tried.
    pub(super) fn retry(&mut self, now: Instant) -> bool {
        let mut news = false;
        for (place, port) in &mut self.0 {
            if matches!(port, Port::Shut(_, at) if *at <= now) {
                *port = open(*place, now);
                news = true;
            }
        }
        news
    }

    /// When something is tried again.
    pub(super) fn wake(&self) -> Option<Instant> {
        let shut = self.0.values().filter_map(|port| match port {
            Port::Shut(_, at) => Some(*at),
            Port::Open(_) => None,
        });
        shut.min()
    }

    /// Why nothing can come to this one.
    pub(super) fn trouble(&self, place: Place) -> Option<&Arc<str>> {
        match self.0.get(&place) {
            Some(Port::Shut(why, _)) => Some(why),
            Some(Port::Open(_)) | None => None,
        }
    }

    /// Ready when something may have come.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = false;
        for port in self.0.values() {
            if let Port::Open(receiver) = port {
                ready |= receiver.poll_ready(cx).is_ready();
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hands out what has come. True when there may be more.
    pub(super) fn receive(&self, mut take: impl FnMut(Place, &Arrival, &[u8])) -> bool {
        let mut more = false;
        let mut buffer = [0; BUFFER_LENGTH];
        for (place, port) in &self.0 {
            let Port::Open(receiver) = port else { continue };
            let mut count = 0;
            // An error is one of an earlier packet (ICMP), which is none of this socket's: it only
            // receives. It is over with the next call.
            while count < RECEIVES_AT_ONCE {
                count += 1;
                match receiver.receive(&mut buffer) {
                    Ok(Some(arrival)) => {
                        let length = arrival.length.min(BUFFER_LENGTH);
                        take(*place, &arrival, buffer.get(..length).unwrap_or_default());
                    }
                    Ok(None) => break,
                    Err(_) => {}
                }
            }
            more |= count == RECEIVES_AT_ONCE;
        }
        more
    }
}

fn open((family, multihop): Place, now: Instant) -> Port {
    let port = if multihop { MULTIHOP } else { SINGLE_HOP };
    match Receiver::open(family, port) {
        Ok(receiver) => Port::Open(receiver),
        Err(error) => Port::Shut(why(&error).into(), now + RETRY),
    }
}

fn why(error: &BfdError) -> String {
    if error.is_taken() {
        return format!(
            "{error}: another program of this host speaks BFD (FRR's bfdd, BIRD): stop it, or take \
             BFD out of one of the two configurations"
        );
    }
    error.to_string()
}
