//! A router of the simplest kind, written without the code under test: it has no capabilities,
//! and turns what it is told into the lines that ExaBGP would be told.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::SockRef;

const HEADER: usize = 19;
pub(crate) const OPEN: u8 = 1;
const UPDATE: u8 = 2;
pub(crate) const NOTIFICATION: u8 = 3;
pub(crate) const KEEPALIVE: u8 = 4;
const AS_PATH: u8 = 2;
const NEXT_HOP: u8 = 3;
const MED: u8 = 4;
const COMMUNITIES: u8 = 8;

/// The AS of the receiver.
pub(crate) const ASN: u16 = 65001;

/// Whom it expects to connect.
pub(crate) const SPEAKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Reads as lines what a speaker sends.
pub(crate) struct Receiver {
    listener: TcpListener,
    stream: Option<TcpStream>,
    lines: Vec<u8>,
    /// Code and subcode of the NOTIFICATION that ended the session.
    pub(crate) notification: Option<[u8; 2]>,
}

impl Receiver {
    /// A receiver on a port of its own. What it does not read stays with the sender.
    pub(crate) fn listen(address: Ipv4Addr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((address, 0))?;
        SockRef::from(&listener).set_recv_buffer_size(4096)?;
        let address = listener.local_addr()?;
        Ok((Self { listener, stream: None, lines: Vec::new(), notification: None }, address))
    }

    /// Accepts and agrees to speak; without keepalives.
    fn begin(&mut self) -> io::Result<TcpStream> {
        let (mut stream, _) = self.listener.accept()?;
        let (kind, _) = message(&mut stream)?;
        assert_eq!(kind, OPEN);
        let [high, low] = ASN.to_be_bytes();
        send(&mut stream, OPEN, &[4, high, low, 0, 0, 9, 9, 9, 9, 0])?;
        send(&mut stream, KEEPALIVE, &[])?;
        Ok(stream)
    }
}

impl Read for Receiver {
    /// With an empty buffer it only waits for the session to begin.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = self.begin()?;
                self.stream.insert(stream)
            }
        };
        while self.lines.is_empty() && !buffer.is_empty() {
            match message(stream)? {
                (UPDATE, body) => self.lines = lines(&body).into_bytes(),
                (NOTIFICATION, body) => {
                    self.notification = body.first_chunk().copied();
                    self.stream = None;
                    return Ok(0);
                }
                _ => {}
            }
        }
        let count = buffer.len().min(self.lines.len());
        for (to, from) in buffer.iter_mut().zip(self.lines.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

/// One message: its type and what follows the header.
pub(crate) fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    assert_eq!(header[..16], [0xff; 16]);
    let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
    let mut body = vec![0; length - HEADER];
    stream.read_exact(&mut body)?;
    Ok((header[18], body))
}

pub(crate) fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let mut bytes = vec![0xff; 16];
    bytes.extend_from_slice(&u16::try_from(HEADER + body.len()).unwrap().to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}

/// RFC 4271 section 4.3, for host routes of IPv4.
fn lines(body: &[u8]) -> String {
    let (withdrawn, rest) = counted(body);
    let (attributes, announced) = counted(rest);
    let hop = match next_hop(attributes) {
        None | Some(SPEAKER) => "self".to_owned(),
        Some(hop) => hop.to_string(),
    };
    let last = if is_last_choice(attributes) {
        " med 4294967295 local-preference 0 community [ 65535:0 ]"
    } else {
        ""
    };
    let mut text = String::new();
    for (verb, prefixes) in [("withdraw", withdrawn), ("announce", announced)] {
        let prefixes = prefixes.chunks(5);
        for prefix in prefixes {
            let [32, a, b, c, d] = *prefix else { panic!("{prefix:?}") };
            let address = Ipv4Addr::new(a, b, c, d);
            writeln!(text, "{verb} route {address} next-hop {hop}{last}").unwrap();
        }
    }
    text
}

/// What a length of two octets counts, and what follows.
fn counted(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[2..].split_at(length)
}

fn next_hop(attributes: &[u8]) -> Option<Ipv4Addr> {
    match value(attributes, NEXT_HOP) {
        Some([a, b, c, d]) => Some(Ipv4Addr::new(*a, *b, *c, *d)),
        _ => None,
    }
}

/// As an external peer is told: with a longer path, the worst MED and GRACEFUL_SHUTDOWN. Some of it
/// only is nothing that may be said.
fn is_last_choice(attributes: &[u8]) -> bool {
    let own = 65000_u16.to_be_bytes();
    let path = |count: u8| [&[2, count][..], &own.repeat(usize::from(count))].concat();
    let said = [AS_PATH, MED, COMMUNITIES].map(|kind| value(attributes, kind));
    if attributes.is_empty() || said == [Some(path(1).as_slice()), None, None] {
        return false;
    }
    let last: [Option<&[u8]>; 3] = [Some(&path(4)), Some(&[0xff; 4]), Some(&[0xff, 0xff, 0, 0])];
    assert_eq!(said, last);
    true
}

/// The value of an attribute.
fn value(mut attributes: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [flags, kind, rest @ ..] = attributes {
        let (value, rest) = if flags & 0x10 == 0 {
            rest[1..].split_at(usize::from(rest[0]))
        } else {
            counted(rest)
        };
        if *kind == wanted {
            return Some(value);
        }
        attributes = rest;
    }
    None
}
