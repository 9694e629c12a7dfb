//! NOTIFICATION: why a session ends (RFC 4271 sections 4.5 and 6).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::header::{self, Kind};
use super::text;

/// An error as it goes over the wire. Unknown codes are kept as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notification {
    /// The error code.
    pub code: u8,
    /// The error subcode.
    pub subcode: u8,
    /// What belongs to it, at most a message long.
    pub data: Vec<u8>,
}

/// Subcodes of Cease (RFC 4486, RFC 8538, RFC 9384).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Cease {
    /// Too many prefixes came.
    MaxPrefixes = 1,
    /// Stopped by the operator, for good.
    Shutdown = 2,
    /// The peer was taken out of the configuration.
    Deconfigured = 3,
    /// Stopped by the operator, to start again.
    Reset = 4,
    /// A connection that is not wanted.
    Rejected = 5,
    /// The configuration changed.
    ConfigChange = 6,
    /// There are two connections; this one is too many.
    Collision = 7,
    /// Something ran out.
    OutOfResources = 8,
    /// Without graceful restart.
    HardReset = 9,
    /// BFD says that the path is down.
    BfdDown = 10,
}

impl Notification {
    /// A notification without data.
    pub const fn new(code: u8, subcode: u8) -> Self {
        Self { code, subcode, data: Vec::new() }
    }

    /// A notification with data.
    pub fn with_data(code: u8, subcode: u8, data: &[u8]) -> Self {
        Self { code, subcode, data: data.to_vec() }
    }

    /// Cease. The communication goes with subcodes 2 and 4 only (RFC 9003 section 2), cut to 255
    /// octets at a character boundary.
    pub fn cease(subcode: Cease, communication: &str) -> Self {
        let mut data = Vec::new();
        if matches!(subcode, Cease::Shutdown | Cease::Reset) && !communication.is_empty() {
            let cut = text::cut(communication, 255);
            data.push(u8::try_from(cut.len()).unwrap_or(u8::MAX));
            data.extend_from_slice(cut.as_bytes());
        }
        Self { code: 6, subcode: subcode as u8, data }
    }

    /// The same with RFC 8538: the peer must not keep our routes, whatever it agreed
    /// to. What was to be said travels inside.
    pub fn hard(self) -> Self {
        let mut data = Vec::from([self.code, self.subcode]);
        data.extend_from_slice(&self.data);
        Self { code: 6, subcode: Cease::HardReset as u8, data }
    }

    /// Writes the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = header::begin(out, Kind::Notification);
        out.extend_from_slice(&[self.code, self.subcode]);
        let room = super::MAX_MESSAGE - header::HEADER - 2;
        out.extend_from_slice(self.data.get(..room).unwrap_or(&self.data));
        header::finish(out, start);
    }

    /// Reads the body of a message.
    pub fn decode(body: &[u8]) -> Self {
        match body {
            [code, subcode, data @ ..] => Self::with_data(*code, *subcode, data),
            // The header check has seen to it that this is there.
            _ => Self::new(0, 0),
        }
    }

    /// The Shutdown Communication in it, fit to be shown: no control characters, no invalid UTF-8.
    pub fn communication(&self) -> Option<String> {
        let ((6, 2 | 4, data) | (6, 9, [6, 2 | 4, data @ ..])) =
            (self.code, self.subcode, self.data.as_slice())
        else {
            return None;
        };
        let (&len, rest) = data.split_first()?;
        // A length that lies is cut to what is there: the text is for people only.
        let said = rest.get(..usize::from(len)).unwrap_or(rest);
        (!said.is_empty()).then(|| text::sanitised(said, 255))
    }

    /// The name of the error, as the registry has it.
    pub const fn name(&self) -> &'static str {
        match (self.code, self.subcode) {
            (1, 1) => "connection not synchronized",
            (1, 2) => "bad message length",
            (1, 3) => "bad message type",
            (1, _) => "message header error",
            (2, 1) => "unsupported version number",
            (2, 2) => "bad peer AS",
            (2, 3) => "bad BGP identifier",
            (2, 4) => "unsupported optional parameter",
            (2, 6) => "unacceptable hold time",
            (2, 7) => "unsupported capability",
            (2, 11) => "role mismatch",
            (2, _) => "OPEN message error",
            (3, 1) => "malformed attribute list",
            (3, 2) => "unrecognized well-known attribute",
            (3, 3) => "missing well-known attribute",
            (3, 4) => "attribute flags error",
            (3, 5) => "attribute length error",
            (3, 6) => "invalid ORIGIN attribute",
            (3, 8) => "invalid NEXT_HOP attribute",
            (3, 9) => "optional attribute error",
            (3, 10) => "invalid network field",
            (3, 11) => "malformed AS_PATH",
            (3, _) => "UPDATE message error",
            (4, _) => "hold timer expired",
            (5, 1) => "unexpected message in OpenSent",
            (5, 2) => "unexpected message in OpenConfirm",
            (5, 3) => "unexpected message in Established",
            (5, _) => "finite state machine error",
            (6, 1) => "maximum number of prefixes reached",
            (6, 2) => "administrative shutdown",
            (6, 3) => "peer de-configured",
            (6, 4) => "administrative reset",
            (6, 5) => "connection rejected",
            (6, 6) => "other configuration change",
            (6, 7) => "connection collision resolution",
            (6, 8) => "out of resources",
            (6, 9) => "hard reset",
            (6, 10) => "BFD down",
            (6, _) => "cease",
            (7, 1) => "invalid ROUTE-REFRESH message length",
            (7, _) => "ROUTE-REFRESH message error",
            (8, _) => "send hold timer expired",
            _ => "unknown error",
        }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.code, self.subcode, self.name())?;
        match self.communication() {
            Some(said) => write!(f, ": \"{said}\""),
            None => Ok(()),
        }
    }
}
