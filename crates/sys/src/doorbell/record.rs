//! What one ring tells, read from what the program copied.
//!
//! The places within `struct sock_common` (include/net/sock.h) are those of 64-bit kernels of the
//! last ten years. Nobody promises them: [`super::trial`] finds out which of them hold here, and
//! only those are believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;

use super::program::{PLAIN, SOCKET};

/// Words of the longest record.
pub(super) const WORDS: usize = (PLAIN + SOCKET) as usize / 8;

/// `TCP_CLOSE` and `TCP_LISTEN` (include/net/tcp_states.h).
const CLOSE: u64 = 7;
const LISTEN: u64 = 10;

/// What a socket did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// It starts to listen; the kernel's tables may show it a moment later.
    Starts,
    /// It has stopped: closed, or shut down.
    Stops,
}

/// The local end of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Where it listens; unspecified for a wildcard. An IPv4-mapped address is an IPv4 one.
    pub address: IpAddr,
    /// The port; 0 when a socket stops whose port the kernel had chosen.
    pub port: u16,
}

/// One ring of this network namespace, as far as namespaces can be told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chime {
    /// What happened; none when the record cannot be read.
    pub change: Option<Change>,
    /// Where; none where this kernel's records do not tell.
    pub place: Option<Place>,
    /// The socket's cookie (`SO_COOKIE` of socket(7)), by which sock_diag calls it too; none where records do
    /// not tell, and of a socket that nobody has asked for its cookie yet.
    pub cookie: Option<NonZeroU64>,
}

/// What of a record can be believed on this kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Known {
    /// The local end of IPv4 and of IPv6 sockets.
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// The cookie.
    pub(super) cookies: bool,
    /// What stands for our network namespace. A number of the kernel: it must not get out.
    pub(super) namespace: Option<Namespace>,
}

/// What stands for a network namespace while it lives.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Namespace(u64);

impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Namespace")
    }
}

/// A record as it is in the ring.
#[derive(Clone, Copy)]
pub(super) struct Record {
    words: [u64; WORDS],
    /// Whether the beginning of a socket is in it.
    telling: bool,
}

impl Record {
    pub(super) const fn new(words: [u64; WORDS], telling: bool) -> Self {
        Self { words, telling }
    }

    pub(super) fn change(&self) -> Option<Change> {
        match self.words.first() {
            Some(&LISTEN) => Some(Change::Starts),
            Some(&CLOSE) => Some(Change::Stops),
            _ => None,
        }
    }

    /// So many octets of the socket from a place on.
    fn octets<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut octets = [0; N];
        for (index, octet) in (at..).zip(&mut octets) {
            // The first word is the state.
            *octet = *self.words.get(1 + index / 8)?.to_ne_bytes().get(index % 8)?;
        }
        self.telling.then_some(octets)
    }

    /// `skc_family`, if it is one of IP.
    pub(super) fn is_v6(&self) -> Option<bool> {
        match i32::from(u16::from_ne_bytes(self.octets(16)?)) {
            libc::AF_INET => Some(false),
            libc::AF_INET6 => Some(true),
            _ => None,
        }
    }

    /// `skc_rcv_saddr` or `skc_v6_rcv_saddr`, and `skc_num`.
    pub(super) fn place(&self) -> Option<Place> {
        let address = if self.is_v6()? {
            IpAddr::V6(Ipv6Addr::from(self.octets::<16>(72)?)).to_canonical()
        } else {
            IpAddr::V4(Ipv4Addr::from(self.octets::<4>(4)?))
        };
        Some(Place { address, port: u16::from_ne_bytes(self.octets(14)?) })
    }

    /// `skc_net`.
    pub(super) fn namespace(&self) -> Option<Namespace> {
        let pointer = u64::from_ne_bytes(self.octets(48)?);
        (pointer != 0).then_some(Namespace(pointer))
    }

    /// `skc_cookie`.
    pub(super) fn cookie(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(u64::from_ne_bytes(self.octets(88)?))
    }

    /// What it says, with no more than what is known to be true; none when it is of another
    /// network namespace.
    pub(super) fn chime(&self, known: &Known) -> Option<Chime> {
        if known.namespace.is_some() && self.namespace() != known.namespace {
            return None;
        }
        let believed = match self.is_v6() {
            Some(true) => known.v6,
            Some(false) => known.v4,
            None => false,
        };
        let place = if believed { self.place() } else { None };
        let cookie = if known.cookies { self.cookie() } else { None };
        Some(Chime { change: self.change(), place, cookie })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Known = Known { v4: true, v6: true, cookies: true, namespace: Some(Namespace(7)) };

    /// A record with these octets of the socket.
    fn record(state: u64, parts: &[(usize, &[u8])]) -> Record {
        let mut octets = [0; WORDS * 8];
        octets[..8].copy_from_slice(&state.to_ne_bytes());
        for (at, part) in parts {
            octets[8 + at..8 + at + part.len()].copy_from_slice(part);
        }
        let mut words = [0; WORDS];
        for (word, octets) in words.iter_mut().zip(octets.chunks(8)) {
            *word = u64::from_ne_bytes(octets.try_into().unwrap());
        }
        Record::new(words, true)
    }

    fn family(number: i32) -> [u8; 2] {
        u16::try_from(number).unwrap().to_ne_bytes()
    }

    fn v4(state: u64) -> Record {
        record(
            state,
            &[
                (4, &[192, 0, 2, 1]),
                (14, &8080_u16.to_ne_bytes()),
                (16, &family(libc::AF_INET)),
                (48, &7_u64.to_ne_bytes()),
                // Of a socket that is not IPv6 this is something else.
                (72, &[9; 16]),
                (88, &5_u64.to_ne_bytes()),
            ],
        )
    }

    fn v6(address: &str) -> Record {
        let address: Ipv6Addr = address.parse().unwrap();
        record(
            CLOSE,
            &[
                (14, &443_u16.to_ne_bytes()),
                (16, &family(libc::AF_INET6)),
                (48, &7_u64.to_ne_bytes()),
                (72, &address.octets()),
            ],
        )
    }

    #[test]
    fn the_local_end_is_read() {
        let place = Some(Place { address: "192.0.2.1".parse().unwrap(), port: 8080 });
        let cookie = NonZeroU64::new(5);
        let stops = Chime { change: Some(Change::Stops), place, cookie };
        assert_eq!(v4(CLOSE).chime(&ALL), Some(stops));
        let starts = Chime { change: Some(Change::Starts), place, cookie };
        assert_eq!(v4(LISTEN).chime(&ALL), Some(starts));
        for (written, read) in
            [("2001:db8::1", "2001:db8::1"), ("::", "::"), ("::ffff:192.0.2.1", "192.0.2.1")]
        {
            let place = Place { address: read.parse().unwrap(), port: 443 };
            let chime = v6(written).chime(&ALL).unwrap();
            assert_eq!((chime.place, chime.cookie), (Some(place), None), "nobody asked for it");
        }
    }

    #[test]
    fn what_is_not_known_is_not_believed() {
        let nothing = Known::default();
        let chime = Chime { change: Some(Change::Stops), place: None, cookie: None };
        assert_eq!(v4(CLOSE).chime(&nothing), Some(chime));
        assert_eq!(v6("::1").chime(&Known { v6: false, ..ALL }), Some(chime));
        assert_ne!(v4(CLOSE).chime(&Known { v6: false, ..ALL }), Some(chime));
        let unix = record(CLOSE, &[(16, &family(libc::AF_UNIX)), (48, &7_u64.to_ne_bytes())]);
        assert_eq!(unix.chime(&ALL), Some(chime));
        let plain = Record { telling: false, ..v4(CLOSE) };
        assert_eq!(plain.chime(&nothing), Some(chime));
        assert_eq!(v4(3).chime(&ALL).unwrap().change, None);
    }

    #[test]
    fn another_namespace_is_told_apart() {
        let foreign = Known { namespace: Some(Namespace(8)), ..ALL };
        assert_eq!(v4(CLOSE).chime(&foreign), None);
        assert!(v4(CLOSE).chime(&Known { namespace: None, ..ALL }).is_some());
        assert!(!format!("{foreign:?}").contains('8'), "a kernel's number gets out");
    }
}
