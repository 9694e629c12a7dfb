//! OPEN (RFC 4271 section 4.2), with classic and extended optional parameters (RFC 9072).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::capability::Capability;
use super::cursor::Cursor;
use super::family::Asn;
use super::header::{self, HEADER, Kind};
use super::notification::Notification;

/// The parameter that carries capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// The parameter type that means extended optional parameters (RFC 9072 section 2).
const EXTENDED: u8 = 255;

/// What a speaker says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Open {
    /// The field of two octets.
    pub my_as: u16,
    /// Seconds.
    pub hold_time: u16,
    /// The BGP identifier.
    pub id: Ipv4Addr,
    /// Its capabilities, in order.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// The AS: the capability is authoritative when it is there (RFC 6793 section 4.1).
    pub fn asn(&self) -> Asn {
        self.four_octet_as().unwrap_or(Asn(u32::from(self.my_as)))
    }

    /// The AS of the capability.
    pub fn four_octet_as(&self) -> Option<Asn> {
        self.capabilities.iter().find_map(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            _ => None,
        })
    }

    /// True when a capability of this code is there and was understood.
    pub fn has(&self, wanted: &Capability) -> bool {
        self.capabilities.contains(wanted)
    }

    /// Writes the message. Extended optional parameters only when there is no other way
    /// (RFC 9072 section 2).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut capabilities = Vec::new();
        for capability in &self.capabilities {
            let before = capabilities.len();
            capability.encode(&mut capabilities);
            // OPEN stays within 4096 octets also with extended messages (RFC 8654 section 4).
            if capabilities.len() > super::MAX_MESSAGE - HEADER - 16 {
                capabilities.truncate(before);
            }
        }
        let start = header::begin(out, Kind::Open);
        out.push(4);
        out.extend_from_slice(&self.my_as.to_be_bytes());
        out.extend_from_slice(&self.hold_time.to_be_bytes());
        out.extend_from_slice(&self.id.octets());
        match (capabilities.len(), u8::try_from(capabilities.len() + 2)) {
            (0, _) => out.push(0),
            (length, Ok(parameters)) => {
                let length = u8::try_from(length).unwrap_or(0);
                out.extend_from_slice(&[parameters, CAPABILITIES, length]);
            }
            (length, Err(_)) => {
                let length = u16::try_from(length).unwrap_or(0);
                out.extend_from_slice(&[EXTENDED, EXTENDED]);
                out.extend_from_slice(&(length + 3).to_be_bytes());
                out.push(CAPABILITIES);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        out.extend_from_slice(&capabilities);
        header::finish(out, start);
    }

    /// Reads the body of a message. The second value is what is wrong with the optional
    /// parameters, if anything: it ranks behind the checks of the fixed fields (RFC 4271
    /// section 6.2).
    pub fn decode(body: &[u8]) -> Result<(Self, Result<(), Notification>), Notification> {
        let mut cursor = Cursor(body);
        let fixed = (|| {
            let version = cursor.u8()?;
            let my_as = cursor.u16()?;
            let hold_time = cursor.u16()?;
            Some((version, my_as, hold_time, Ipv4Addr::from_bits(cursor.u32()?)))
        })();
        // The header check has seen to it that this is there.
        let Some((version, my_as, hold_time, id)) = fixed else {
            return Err(Notification::new(2, 0));
        };
        if version != 4 {
            return Err(Notification::with_data(2, 1, &4u16.to_be_bytes()));
        }
        let mut open = Self { my_as, hold_time, id, capabilities: Vec::new() };
        let parameters = parameters(cursor, &mut open.capabilities);
        Ok((open, parameters))
    }
}

fn parameters(mut cursor: Cursor<'_>, found: &mut Vec<Capability>) -> Result<(), Notification> {
    let malformed = || Notification::new(2, 0);
    let length = cursor.u8().ok_or_else(malformed)?;
    let extended = length != 0 && cursor.0.first() == Some(&EXTENDED);
    let length = if extended {
        cursor.u8().ok_or_else(malformed)?;
        usize::from(cursor.u16().ok_or_else(malformed)?)
    } else {
        usize::from(length)
    };
    // The parameters must fill the message exactly.
    if cursor.0.len() != length {
        return Err(malformed());
    }
    while !cursor.is_empty() {
        let kind = cursor.u8().ok_or_else(malformed)?;
        let value = if extended { cursor.counted16() } else { cursor.counted() };
        let mut value = Cursor(value.ok_or_else(malformed)?);
        if kind != CAPABILITIES {
            return Err(Notification::new(2, 4));
        }
        while !value.is_empty() {
            let code = value.u8().ok_or_else(malformed)?;
            let content = value.counted().ok_or_else(malformed)?;
            found.push(Capability::decode(code, content));
        }
    }
    Ok(())
}
