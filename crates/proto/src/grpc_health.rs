//! The health service of gRPC: one question, one answer, and how both travel.
//!
//! Sources: `grpc/health/v1/health.proto` and `doc/PROTOCOL-HTTP2.md` of gRPC, and the encoding of
//! Protocol Buffers. HTTP/2 itself belongs to the client; it hands over what came as the body, and
//! the values of `grpc-status` and `grpc-message`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::quote::quote;

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_grpc_health;

/// What is called (the path of the request).
pub const PATH: &str = "/grpc.health.v1.Health/Check";
/// The longest name of a service that is asked for, in octets.
pub const MAX_SERVICE: usize = 1024;
/// The longest body of an answer, in octets. A right one has two, and five before them.
pub const MAX_ANSWER: usize = 4096;

/// How a message is marked before its length: not compressed.
const PLAIN: u8 = 0;
/// Octets before a message: that mark, and the length.
const PREFIX: usize = 5;
/// The keys of the only field of either message: `string service = 1`, `ServingStatus status = 1`.
const SERVICE_KEY: u8 = 0x0a;
const STATUS_FIELD: u64 = 1;

/// What a server says of a service (`HealthCheckResponse.ServingStatus`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serving {
    /// `UNKNOWN`, 0: not determined yet.
    Unknown,
    /// `SERVING`, 1.
    Serving,
    /// `NOT_SERVING`, 2.
    NotServing,
    /// `SERVICE_UNKNOWN`, 3: there is no such service. The specification has it for `Watch` only;
    /// `Check` says so with the status `NOT_FOUND`.
    ServiceUnknown,
    /// A number that has no name yet.
    Other(u64),
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("UNKNOWN"),
            Self::Serving => f.write_str("SERVING"),
            Self::NotServing => f.write_str("NOT_SERVING"),
            Self::ServiceUnknown => f.write_str("SERVICE_UNKNOWN"),
            Self::Other(number) => write!(f, "status {number}, which has no name"),
        }
    }
}

/// Why a body is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// There is none.
    #[error("there is no message in the answer")]
    Empty,
    /// A compressed one, which was not asked for.
    #[error("the message is compressed, which was not asked for")]
    Compressed,
    /// The length before it does not fit.
    #[error("the message has {has} octets, and should have {should}")]
    Length {
        /// How many came.
        has: usize,
        /// How many were announced.
        should: u32,
    },
    /// Not Protocol Buffers.
    #[error("the message is no HealthCheckResponse")]
    Malformed,
}

/// The body of a request: about a service, or the whole server where the name is empty. Names of
/// more than [`MAX_SERVICE`] octets are for the configuration to refuse.
pub fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 4);
    // A field that has its default value is not written.
    if !service.is_empty() {
        message.push(SERVICE_KEY);
        put_varint(&mut message, u64::try_from(service.len()).unwrap_or(u64::MAX));
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[PLAIN][..], &length.to_be_bytes(), &message].concat()
}

fn put_varint(octets: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            octets.push(low);
            return;
        }
        octets.push(low | 0x80);
    }
}

/// Reads the body of an answer whose `grpc-status` is zero.
///
/// # Errors
///
/// When it is not one message of the right kind.
pub fn answer(body: &[u8]) -> Result<Serving, AnswerError> {
    let (prefix, message) = match body.split_at_checked(PREFIX) {
        Some(parts) => parts,
        None if body.is_empty() => return Err(AnswerError::Empty),
        None => return Err(AnswerError::Malformed),
    };
    let &[mark, a, b, c, d] = prefix else { return Err(AnswerError::Malformed) };
    if mark != PLAIN {
        return Err(AnswerError::Compressed);
    }
    let should = u32::from_be_bytes([a, b, c, d]);
    if usize::try_from(should) != Ok(message.len()) {
        return Err(AnswerError::Length { has: message.len(), should });
    }
    status(message).ok_or(AnswerError::Malformed)
}

/// The last value of the field counts, and fields that are not known are passed over.
fn status(mut rest: &[u8]) -> Option<Serving> {
    let mut status = 0;
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let (field, kind) = (key >> 3, key & 7);
        match kind {
            _ if field == 0 => return None,
            0 => {
                let value = take_varint(&mut rest)?;
                if field == STATUS_FIELD {
                    status = value;
                }
            }
            _ if field == STATUS_FIELD => return None,
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            // Groups are of the past, and 6 and 7 mean nothing.
            _ => return None,
        }
    }
    Some(match status {
        0 => Serving::Unknown,
        1 => Serving::Serving,
        2 => Serving::NotServing,
        3 => Serving::ServiceUnknown,
        other => Serving::Other(other),
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (octet, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(octet & 0x7f);
        number |= bits.checked_shl(shift)?;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The result of a call: what `grpc-status` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code(pub u32);

impl Code {
    /// All is well: there is a message.
    pub const OK: Self = Self(0);
    /// There is no such service.
    pub const NOT_FOUND: Self = Self(5);
    /// The server has no health service.
    pub const UNIMPLEMENTED: Self = Self(12);

    /// The value of the field `grpc-status`: decimal digits.
    pub fn read(value: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?;
        let digits = text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self)
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "OK",
            1 => "CANCELLED",
            2 => "UNKNOWN",
            3 => "INVALID_ARGUMENT",
            4 => "DEADLINE_EXCEEDED",
            5 => "NOT_FOUND",
            6 => "ALREADY_EXISTS",
            7 => "PERMISSION_DENIED",
            8 => "RESOURCE_EXHAUSTED",
            9 => "FAILED_PRECONDITION",
            10 => "ABORTED",
            11 => "OUT_OF_RANGE",
            12 => "UNIMPLEMENTED",
            13 => "INTERNAL",
            14 => "UNAVAILABLE",
            15 => "DATA_LOSS",
            16 => "UNAUTHENTICATED",
            _ => return None,
        })
    }
}

/// `NOT_FOUND (5)`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What went wrong in a call, with the server's own words: the value of `grpc-message`, which is
/// percent-encoded; what is not encoded rightly is shown as it is.
pub fn complaint(code: Code, message: &[u8]) -> String {
    if message.is_empty() {
        return format!("grpc-status {code}");
    }
    let mut plain = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((octet, after)) = rest.split_first() {
        let hex = |digit: Option<&u8>| digit.and_then(|digit| char::from(*digit).to_digit(16));
        rest = after;
        match (*octet, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = after.get(2..).unwrap_or_default();
            }
            (octet, ..) => plain.push(octet),
        }
    }
    format!("grpc-status {code}: {}", quote(&plain, 120))
}
