//! Routes as they stand in messages (RFC 4271 section 4.3, RFC 7911 section 3).

use alloc::vec::Vec;
use core::net::IpAddr;

use ha2bgp_core::net::Prefix;

use super::cursor::Cursor;
use super::family::Family;

/// Octets of a path identifier.
const PATH_ID: usize = 4;

/// Octets that a prefix takes in NLRI: its length and as many octets as that needs.
pub fn nlri_len(prefix: Prefix) -> usize {
    1 + usize::from(prefix.len().div_ceil(8))
}

/// Appends prefixes until `end` octets are there; how many.
pub(super) fn fill(
    out: &mut Vec<u8>,
    end: usize,
    path_id: Option<u32>,
    next: &mut super::Next<'_>,
) -> usize {
    let mut count = 0;
    let extra = path_id.map_or(0, |_| PATH_ID);
    while let Some(prefix) = next(end.saturating_sub(out.len() + extra)) {
        if let Some(path_id) = path_id {
            out.extend_from_slice(&path_id.to_be_bytes());
        }
        write(out, prefix);
        count += 1;
    }
    count
}

fn write(out: &mut Vec<u8>, prefix: Prefix) {
    let octets = nlri_len(prefix) - 1;
    out.push(prefix.len());
    match prefix.address() {
        IpAddr::V4(v4) => out.extend(v4.octets().iter().take(octets)),
        IpAddr::V6(v6) => out.extend(v6.octets().iter().take(octets)),
    }
}

/// A field of routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) octets: &'a [u8],
    pub(super) family: Family,
    /// Each route has a path identifier.
    pub(super) add_path: bool,
}

impl Field<'_> {
    /// How many routes it has; nothing when it is not what RFC 7606 section 5.3 calls
    /// syntactically correct.
    pub(super) fn count(self) -> Option<u32> {
        let mut number = 0u32;
        let mut cursor = Cursor(self.octets);
        while !cursor.is_empty() {
            self.next(&mut cursor)?;
            number = number.saturating_add(1);
        }
        Some(number)
    }

    /// Visits path identifier (0 without) and prefix of each route.
    pub(super) fn each(self, visit: &mut dyn FnMut(u32, Prefix)) {
        let mut cursor = Cursor(self.octets);
        while let Some((path_id, prefix)) = self.next(&mut cursor) {
            visit(path_id, prefix);
        }
    }

    fn next(self, cursor: &mut Cursor<'_>) -> Option<(u32, Prefix)> {
        let path_id = if self.add_path { cursor.u32()? } else { 0 };
        let length = cursor.u8()?;
        let octets = cursor.take(usize::from(length.div_ceil(8)))?;
        let address = match self.family {
            Family::Ipv4 => IpAddr::from(padded::<4>(octets)?),
            Family::Ipv6 => IpAddr::from(padded::<16>(octets)?),
        };
        Some((path_id, Prefix::truncating(address, length)?))
    }
}

fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(padded)
}
