//! UPDATE, the sending side (RFC 4271 sections 4.3 and 5, RFC 4760, RFC 8950).
//!
//! One message carries one thing: withdrawn IPv4 routes, IPv4 routes, MP_REACH_NLRI or
//! MP_UNREACH_NLRI, the latter two as the first attribute (RFC 7606 section 5.1). The other
//! attributes stand in ascending order of their types.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ha2bgp_core::net::Prefix;

use super::family::{Asn, Family};
use super::header::{self, Kind};
use super::nlri;

/// Optional, transitive, extended length (RFC 4271 section 4.3).
const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const EXTENDED_LENGTH: u8 = 0x10;

/// The attributes of a route, apart from the next hop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attributes {
    /// AS_PATH: one AS_SEQUENCE, empty in iBGP.
    pub as_path: Vec<Asn>,
    /// False: the peer knows only two octets (RFC 6793 section 4.2.2).
    pub four_octet_as: bool,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; iBGP always has it, eBGP never.
    pub local_pref: Option<u32>,
    /// COMMUNITIES; sorted, without duplicates.
    pub communities: Vec<u32>,
    /// EXTENDED COMMUNITIES; sorted, without duplicates.
    pub extended_communities: Vec<[u8; 8]>,
    /// LARGE_COMMUNITY; sorted, without duplicates (RFC 8092 section 3).
    pub large_communities: Vec<[u32; 3]>,
    /// ONLY_TO_CUSTOMER (RFC 9234 section 5).
    pub only_to_customer: Option<Asn>,
}

/// Hands out the next prefix that takes at most so many octets, or nothing.
pub type Next<'a> = dyn FnMut(usize) -> Option<Prefix> + 'a;

impl Attributes {
    /// Writes everything but MP_REACH_NLRI.
    fn encode(&self, out: &mut Vec<u8>, next_hop: Option<Ipv4Addr>) {
        // ORIGIN IGP.
        out.extend_from_slice(&[TRANSITIVE, 1, 1, 0]);
        let mut path = Vec::new();
        path_of(&self.as_path, self.four_octet_as, &mut path);
        attribute(out, TRANSITIVE, 2, &path);
        if let Some(next_hop) = next_hop {
            attribute(out, TRANSITIVE, 3, &next_hop.octets());
        }
        if let Some(med) = self.med {
            attribute(out, OPTIONAL, 4, &med.to_be_bytes());
        }
        if let Some(local_pref) = self.local_pref {
            attribute(out, TRANSITIVE, 5, &local_pref.to_be_bytes());
        }
        let optional = OPTIONAL | TRANSITIVE;
        let communities = self.communities.iter().flat_map(|it| it.to_be_bytes()).collect();
        unless_empty(out, optional, 8, communities);
        let extended = self.extended_communities.iter().flatten().copied().collect();
        unless_empty(out, optional, 16, extended);
        let fits = self.as_path.iter().all(|asn| asn.0 <= u32::from(u16::MAX));
        if !self.four_octet_as && !fits {
            path.clear();
            path_of(&self.as_path, true, &mut path);
            attribute(out, optional, 17, &path);
        }
        let large =
            self.large_communities.iter().flatten().flat_map(|it| it.to_be_bytes()).collect();
        unless_empty(out, optional, 32, large);
        if let Some(asn) = self.only_to_customer {
            attribute(out, optional, 35, &asn.0.to_be_bytes());
        }
    }
}

fn path_of(path: &[Asn], four_octets: bool, out: &mut Vec<u8>) {
    // AS_SEQUENCE; a segment holds 255 at most, and configuration allows far fewer.
    for segment in path.chunks(255) {
        out.extend_from_slice(&[2, u8::try_from(segment.len()).unwrap_or(u8::MAX)]);
        for asn in segment {
            if four_octets {
                out.extend_from_slice(&asn.0.to_be_bytes());
            } else {
                out.extend_from_slice(&asn.two_octets().to_be_bytes());
            }
        }
    }
}

fn attribute(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(length) => out.extend_from_slice(&[flags, code, length]),
        Err(_) => {
            out.extend_from_slice(&[flags | EXTENDED_LENGTH, code]);
            let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(value);
}

fn unless_empty(out: &mut Vec<u8>, flags: u8, code: u8, value: Vec<u8>) {
    if !value.is_empty() {
        attribute(out, flags, code, &value);
    }
}

/// How the messages of a session look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape {
    /// The most octets of a message.
    pub max: usize,
    /// Stands before each route of a family whose paths have identifiers (RFC 7911 section 3).
    pub path_id: Option<u32>,
    /// How a next hop is spelled that is link-local.
    pub link_local: LinkLocal,
}

/// How MP_REACH_NLRI tells a next hop that has no global address. RFC 2545 section 3 has no such
/// case, and so there are three answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LinkLocal {
    /// 32 octets: `::` and the address.
    Native,
    /// 16 octets: the address (draft-ietf-idr-linklocal-capability).
    Single,
    /// 32 octets: the address twice.
    #[default]
    Double,
}

impl LinkLocal {
    /// What stands before the address in a field of 32 octets.
    const fn before(self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        match self {
            Self::Native => Some(Ipv6Addr::UNSPECIFIED),
            Self::Single => None,
            Self::Double => Some(address),
        }
    }
}

/// Writes one UPDATE that withdraws as many of `next` as fit; how many.
pub fn encode_withdraw(
    out: &mut Vec<u8>,
    family: Family,
    shape: Shape,
    next: &mut Next<'_>,
) -> usize {
    let start = header::begin(out, Kind::Update);
    let field = out.len();
    out.extend_from_slice(&[0, 0]);
    let count = match family {
        Family::Ipv4 => {
            // Behind it: the length of the attributes.
            let count = nlri::fill(out, start + shape.max - 2, shape.path_id, next);
            set_length(out, field, field + 2);
            out.extend_from_slice(&[0, 0]);
            count
        }
        Family::Ipv6 => {
            out.extend_from_slice(&[0, 0, OPTIONAL | EXTENDED_LENGTH, 15, 0, 0]);
            out.extend_from_slice(&[0, 2, 1]);
            let count = nlri::fill(out, start + shape.max, shape.path_id, next);
            set_length(out, field + 2, field + 4);
            set_length(out, field + 6, field + 8);
            count
        }
    };
    header::finish(out, start);
    count
}

/// Writes one UPDATE that announces as many of `next` as fit; how many. IPv4
/// routes with an IPv6 next hop go into MP_REACH_NLRI (RFC 8950 section 3).
pub fn encode_announce(
    out: &mut Vec<u8>,
    family: Family,
    next_hop: IpAddr,
    attributes: &Attributes,
    shape: Shape,
    next: &mut Next<'_>,
) -> usize {
    let start = header::begin(out, Kind::Update);
    let field = out.len() + 2;
    out.extend_from_slice(&[0, 0, 0, 0]);
    let count = match (family, next_hop) {
        (Family::Ipv4, IpAddr::V4(v4)) => {
            attributes.encode(out, Some(v4));
            set_length(out, field, field + 2);
            nlri::fill(out, start + shape.max, shape.path_id, next)
        }
        (family, next_hop) => {
            let mut rest = Vec::new();
            attributes.encode(&mut rest, None);
            out.extend_from_slice(&[OPTIONAL | EXTENDED_LENGTH, 14, 0, 0]);
            out.extend_from_slice(&family.afi().to_be_bytes());
            out.push(1);
            match next_hop {
                IpAddr::V4(v4) => {
                    out.push(4);
                    out.extend_from_slice(&v4.octets());
                }
                IpAddr::V6(v6) => {
                    let spelling = Some(shape.link_local).filter(|_| v6.is_unicast_link_local());
                    let before = spelling.and_then(|spelling| spelling.before(v6));
                    out.push(if before.is_some() { 32 } else { 16 });
                    out.extend(before.iter().flat_map(Ipv6Addr::octets));
                    out.extend_from_slice(&v6.octets());
                }
            }
            out.push(0);
            let count = nlri::fill(out, start + shape.max - rest.len(), shape.path_id, next);
            set_length(out, field + 4, field + 6);
            out.extend_from_slice(&rest);
            set_length(out, field, field + 2);
            count
        }
    };
    header::finish(out, start);
    count
}

/// Writes End-of-RIB (RFC 4724 section 2).
pub fn encode_end_of_rib(out: &mut Vec<u8>, family: Family) {
    let start = header::begin(out, Kind::Update);
    match family {
        Family::Ipv4 => out.extend_from_slice(&[0, 0, 0, 0]),
        Family::Ipv6 => out.extend_from_slice(&[0, 0, 0, 6, OPTIONAL, 15, 3, 0, 2, 1]),
    }
    header::finish(out, start);
}

/// Writes KEEPALIVE.
pub fn encode_keepalive(out: &mut Vec<u8>) {
    let start = header::begin(out, Kind::Keepalive);
    header::finish(out, start);
}

/// Sets the field at `field` to the number of octets from `from` on.
fn set_length(out: &mut [u8], field: usize, from: usize) {
    let length = u16::try_from(out.len().saturating_sub(from)).unwrap_or(u16::MAX);
    header::set_u16(out, field, length);
}
