//! BGP by hand, without the code under test: the messages that a test or a bench needs to play a
//! router, and a connection that reads them.

use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Message types (RFC 4271 section 4.1).
pub const OPEN: u8 = 1;
/// Routes.
pub const UPDATE: u8 = 2;
/// The end, with a reason.
pub const NOTIFICATION: u8 = 3;
/// A sign of life.
pub const KEEPALIVE: u8 = 4;
/// All routes again, please (RFC 2918).
pub const REFRESH: u8 = 5;

const HEADER: usize = 19;
/// Nothing here waits longer for the other side.
const LIMIT: Duration = Duration::from_secs(30);

/// A message. A body that does not fit makes a wrong length.
#[must_use]
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xff; 16], length.as_slice(), &[kind], body].concat()
}

/// An OPEN with version, AS and hold time; route refresh is the only capability.
#[must_use]
pub fn open(version: u8, asn: u16, hold: u16) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    let [first, second] = hold.to_be_bytes();
    message(OPEN, &[version, high, low, first, second, 10, 9, 9, 9, 4, 2, 2, 2, 0])
}

/// An UPDATE of its three parts.
#[must_use]
pub fn update(withdrawn: &[u8], attributes: &[u8], prefixes: &[u8]) -> Vec<u8> {
    let counted = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        [&length.to_be_bytes(), part].concat()
    };
    message(UPDATE, &[&counted(withdrawn), &counted(attributes), prefixes].concat())
}

/// A connection to a speaker.
#[derive(Debug)]
pub struct Conversation {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// How many bytes one read takes at most.
    pub gulp: usize,
}

impl Conversation {
    /// Connects from an address of ours.
    pub fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&SockAddr::from(from))?;
        socket.connect_timeout(&SockAddr::from(to), LIMIT)?;
        Self::over(socket.into())
    }

    /// Takes the next connection and agrees to a session.
    pub fn accept(listener: &TcpListener, asn: u16, hold: u16) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        let mut conversation = Self::over(stream)?;
        conversation.expect(OPEN)?;
        conversation.send(&open(4, asn, hold))?;
        conversation.send(&message(KEEPALIVE, &[]))?;
        conversation.expect(KEEPALIVE)?;
        Ok(conversation)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self { stream, bytes: Vec::new(), gulp: 64 * 1024 })
    }

    /// The socket.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes bytes, well-formed or not.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next message must be of this type.
    pub fn expect(&mut self, kind: u8) -> io::Result<()> {
        match self.next()? {
            Some((is, _)) if is == kind => Ok(()),
            other => Err(io::Error::other(format!("{other:?} instead of type {kind}"))),
        }
    }

    /// The next message as its type and body; none at the end of the stream.
    #[expect(clippy::should_implement_trait, reason = "it fails, and reads from a socket")]
    pub fn next(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let Some(message) = self.buffered() {
                return Ok(Some(message));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next message, if all of it has been read.
    pub fn buffered(&mut self) -> Option<(u8, Vec<u8>)> {
        let length = self.bytes.get(16..18).map(number)?;
        let message = self.bytes.get(HEADER - 1..length)?;
        let (kind, body) = message.split_first()?;
        let message = (*kind, body.to_vec());
        self.bytes.drain(..length);
        Some(message)
    }

    /// Reads once; zero at the end of the stream.
    pub fn fill(&mut self) -> io::Result<usize> {
        let before = self.bytes.len();
        self.bytes.resize(before + self.gulp, 0);
        let read = self.stream.read(self.bytes.get_mut(before..).unwrap_or_default());
        self.bytes.truncate(before + read.as_ref().map_or(0, |count| *count));
        match read {
            // A reset is an end as well.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            // A signal ends a wait early; nothing was read.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.fill(),
            other => other,
        }
    }
}

/// How many IPv4 host routes an UPDATE's body withdraws and announces.
#[must_use]
pub fn counted(body: &[u8]) -> (usize, usize) {
    const HOST_ROUTE: usize = 5;
    let withdrawn = body.get(..2).map_or(0, number);
    let rest = body.get(2 + withdrawn..).unwrap_or_default();
    let attributes = rest.get(..2).map_or(0, number);
    let prefixes = rest.len().saturating_sub(2 + attributes);
    (withdrawn / HOST_ROUTE, prefixes / HOST_ROUTE)
}

fn number(octets: &[u8]) -> usize {
    octets.iter().fold(0, |number, octet| number << 8 | usize::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_routes_are_counted() {
        let host = [32, 10, 0, 0, 1];
        let update = update(&host.repeat(3), &[0x40, 1, 1, 0], &host.repeat(2));
        assert_eq!(counted(update.get(HEADER..).unwrap()), (3, 2));
    }
}
