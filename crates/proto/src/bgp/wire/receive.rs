//! UPDATE, the receiving side: everything is checked, nothing is kept (RFC 7606).
//!
//! Our own code finds the routes (the fields of the message, MP_REACH_NLRI, MP_UNREACH_NLRI):
//! only there can a session end. `rustbgpd-wire` judges the other attributes one by one.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ha2bgp_core::net::Prefix;
use rustbgpd_wire::attribute::{PathAttribute, decode_path_attributes_revised};
use rustbgpd_wire::validate::{ErrorDisposition, validate_update_attributes};

use super::cursor::Cursor;
use super::disposition::Disposition;
use super::family::{Asn, Families, Family};
use super::nlri::Field;
use super::notification::Notification;
use crate::bgp::config::GRACEFUL_SHUTDOWN;

const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
const EXTENDED_LENGTH: u8 = 0x10;
const ORIGIN: u8 = 1;
const AS_PATH: u8 = 2;
const NEXT_HOP: u8 = 3;
const MED: u8 = 4;
const LOCAL_PREF: u8 = 5;
const LINK_STATE: u8 = 29;
const ONLY_TO_CUSTOMER: u8 = 35;
const PREFIX_SID: u8 = 40;
const MP_REACH: u8 = 14;
const MP_UNREACH: u8 = 15;
/// Of a path that is kept although its session is gone (RFC 9494 section 4.6).
const LLGR_STALE: u32 = 0xffff_0006;

/// What a session knows that the reading of an UPDATE depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Our AS.
    pub local_as: Asn,
    /// The peer is in it.
    pub internal: bool,
    /// AS numbers have four octets.
    pub four_octet_as: bool,
    /// Families that were agreed on (RFC 4760 section 8); routes of others are ignored.
    pub families: Families,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Families whose routes have path identifiers (RFC 7911).
    pub add_path: Families,
}

impl Context {
    fn field<'a>(&self, octets: &'a [u8], family: Family) -> Field<'a> {
        Field { octets, family, add_path: self.add_path.contains(family) }
    }
}

/// What an UPDATE says of one prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heard {
    /// Which one.
    pub prefix: Prefix,
    /// The path's identifier; 0 where there are none.
    pub path_id: u32,
    /// The path; none: it is withdrawn.
    pub path: Option<Path>,
}

/// What we look at of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Path {
    /// Where it leads; the link-local address only where there is no other.
    pub next_hop: IpAddr,
    /// How much it counts.
    pub rank: Rank,
}

/// How much a path counts, by its communities.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rank {
    /// LLGR_STALE (RFC 9494): whoever announced it is gone.
    Stale,
    /// GRACEFUL_SHUTDOWN (RFC 8326): the last choice, or it will go.
    LastChoice,
    /// As any other.
    #[default]
    Full,
}

/// What an UPDATE said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// Prefixes announced; none when the message counts as a withdrawal.
    pub announced: u32,
    /// Prefixes withdrawn.
    pub withdrawn: u32,
    /// It is the End-of-RIB of this family (RFC 4724 section 2).
    pub end_of_rib: Option<Family>,
    /// What was wrong, and with which attribute.
    pub malformed: Option<(Disposition, Option<u8>)>,
    /// It has routes of a family that was not agreed on.
    pub ignored_family: bool,
    /// Our AS is in the path: the routes are of no use (RFC 4271 section 9.1.2).
    pub as_loop: bool,
}

/// One MP_REACH_NLRI or MP_UNREACH_NLRI, already judged.
#[derive(Clone, Copy, Debug, Default)]
struct Multiprotocol<'a> {
    present: bool,
    /// The family, when it was agreed on.
    family: Option<Family>,
    nlri: &'a [u8],
    next_hop: Option<IpAddr>,
    martian: bool,
}

/// The message's parts that name routes, and its other attributes.
#[derive(Debug, Default)]
struct Parts<'a> {
    withdrawn: &'a [u8],
    nlri: &'a [u8],
    reach: Multiprotocol<'a>,
    unreach: Multiprotocol<'a>,
    others: Vec<u8>,
    /// The last attribute of `others` that withdraws the routes, and the last one that was left
    /// out of them.
    withdraws: Option<u8>,
    discarded: Option<u8>,
    ignored_family: bool,
}

/// What the attributes that name no routes say.
#[derive(Debug, Default)]
struct Said {
    next_hop: Option<IpAddr>,
    rank: Rank,
}

/// Checks the body of an UPDATE. `visit` gets each prefix of an agreed family. An error ends the
/// session; that is only for messages whose routes cannot be found (RFC 7606 sections 3(j) and 5).
pub fn inspect_update(
    body: &[u8],
    context: &Context,
    visit: &mut dyn FnMut(Heard),
) -> Result<Received, Notification> {
    let mut parts = split(body, context)?;
    for field in [parts.withdrawn, parts.nlri] {
        context.field(field, Family::Ipv4).count().ok_or_else(|| Notification::new(3, 10))?;
    }
    let has_ipv4 = !parts.withdrawn.is_empty() || !parts.nlri.is_empty();
    if has_ipv4 && !context.families.ipv4 {
        parts.ignored_family = true;
    }
    let mut received = Received { ignored_family: parts.ignored_family, ..Received::default() };
    received.end_of_rib = end_of_rib(body, &parts, context);
    let mut said = Said::default();
    let strongest = judge(&parts, context, &mut received, &mut said)?;
    let as_withdrawal = matches!(strongest, Some((Disposition::TreatAsWithdraw, ..)));
    received.malformed = strongest.map(|(disposition, attribute, _)| (disposition, attribute));
    let rank = said.rank;
    let path = |next_hop: Option<IpAddr>| {
        next_hop.filter(|_| !as_withdrawal).map(|next_hop| Path { next_hop, rank })
    };
    let mut told = |field: &[u8], family: Option<Family>, path: Option<Path>| {
        let Some(family) = family.filter(|family| context.families.contains(*family)) else {
            return;
        };
        let number = if path.is_some() { &mut received.announced } else { &mut received.withdrawn };
        context.field(field, family).each(&mut |path_id, prefix| {
            *number = number.saturating_add(1);
            visit(Heard { prefix, path_id, path });
        });
    };
    told(parts.withdrawn, Some(Family::Ipv4), None);
    told(parts.unreach.nlri, parts.unreach.family, None);
    told(parts.reach.nlri, parts.reach.family, path(parts.reach.next_hop));
    told(parts.nlri, Some(Family::Ipv4), path(said.next_hop));
    Ok(received)
}

/// Takes the message apart. Attributes that name routes must be right.
fn split<'a>(body: &'a [u8], context: &Context) -> Result<Parts<'a>, Notification> {
    let malformed_list = || Notification::new(3, 1);
    let mut cursor = Cursor(body);
    let withdrawn = cursor.counted16().ok_or_else(malformed_list)?;
    let mut attributes = Cursor(cursor.counted16().ok_or_else(malformed_list)?);
    let mut parts = Parts { withdrawn, nlri: cursor.0, ..Parts::default() };
    while !attributes.is_empty() {
        let whole = attributes.0;
        let Some((flags, code, value)) = next_attribute(&mut attributes) else {
            // A length that lies: nothing behind it can be read (RFC 7606 section 4). Routes in
            // it cannot be found when it is one of these two.
            if matches!(whole.get(1), Some(&(MP_REACH | MP_UNREACH))) {
                return Err(Notification::with_data(3, 9, whole));
            }
            parts.others.extend_from_slice(whole);
            break;
        };
        let attribute = whole.get(..whole.len() - attributes.0.len()).unwrap_or(whole);
        let slot = match code {
            MP_REACH => &mut parts.reach,
            MP_UNREACH => &mut parts.unreach,
            _ => {
                match strictly(flags, code, value) {
                    Some(Disposition::AttributeDiscard) => parts.discarded = Some(code),
                    Some(Disposition::TreatAsWithdraw) => parts.withdraws = Some(code),
                    None => {}
                }
                // What is discarded is not judged once more by those who would withdraw for it.
                if parts.discarded != Some(code) {
                    parts.others.extend_from_slice(attribute);
                }
                continue;
            }
        };
        if slot.present {
            // RFC 7606 section 3(g).
            return Err(malformed_list());
        }
        if flags & (OPTIONAL | TRANSITIVE) != OPTIONAL {
            return Err(Notification::with_data(3, 4, attribute));
        }
        // RFC 4760 section 7.
        let bad = || Notification::with_data(3, 9, attribute);
        let read = if code == MP_REACH { reach(value, context) } else { unreach(value, context) };
        *slot = read.ok_or_else(bad)?;
        parts.ignored_family |= slot.family.is_none();
    }
    Ok(parts)
}

/// What is malformed by rules that the judge of the other attributes does not know.
const fn strictly(flags: u8, code: u8, value: &[u8]) -> Option<Disposition> {
    let optional_non_transitive = flags & (OPTIONAL | TRANSITIVE) == OPTIONAL;
    match code {
        // The Partial bit of well-known attributes and of MED is zero (RFC 4271 section 4.3).
        ORIGIN | AS_PATH | NEXT_HOP | MED | LOCAL_PREF if flags & PARTIAL != 0 => {
            Some(Disposition::TreatAsWithdraw)
        }
        // Whatever is wrong with these two ends in discarding them (RFC 9552, RFC 8669), wrong
        // flags too.
        LINK_STATE if !optional_non_transitive => Some(Disposition::AttributeDiscard),
        PREFIX_SID if flags & (OPTIONAL | TRANSITIVE) != OPTIONAL | TRANSITIVE => {
            Some(Disposition::AttributeDiscard)
        }
        // Nobody is AS 0 (RFC 7607 section 2; OTC is malformed then as a path with it would be).
        ONLY_TO_CUSTOMER if matches!(value, [0, 0, 0, 0]) => Some(Disposition::TreatAsWithdraw),
        _ => None,
    }
}

fn next_attribute<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, u8, &'a [u8])> {
    let (flags, code) = (cursor.u8()?, cursor.u8()?);
    let value =
        if flags & EXTENDED_LENGTH != 0 { cursor.counted16()? } else { cursor.counted()? };
    Some((flags, code, value))
}

fn agreed(cursor: &mut Cursor<'_>, context: &Context) -> Option<Option<Family>> {
    let (afi, safi) = (cursor.u16()?, cursor.u8()?);
    let family = Family::from_afi_safi(afi, safi);
    Some(family.filter(|family| context.families.contains(*family)))
}

fn reach<'a>(value: &'a [u8], context: &Context) -> Option<Multiprotocol<'a>> {
    let mut cursor = Cursor(value);
    let family = agreed(&mut cursor, context)?;
    let Some(known) = family else {
        // The next hop's length and the reserved octet are there at least (RFC 7606 section 5.3).
        return (value.len() >= 5).then_some(Multiprotocol {
            present: true,
            nlri: cursor.0,
            ..Multiprotocol::default()
        });
    };
    let next_hop = cursor.counted()?;
    // The reserved octet (RFC 4760 section 3).
    cursor.u8()?;
    let martian = is_martian(next_hop, known, context)?;
    context.field(cursor.0, known).count()?;
    let next_hop = Some(address(next_hop)?);
    Some(Multiprotocol { present: true, family, nlri: cursor.0, next_hop, martian })
}

fn unreach<'a>(value: &'a [u8], context: &Context) -> Option<Multiprotocol<'a>> {
    let mut cursor = Cursor(value);
    let family = agreed(&mut cursor, context)?;
    if let Some(known) = family {
        context.field(cursor.0, known).count()?;
    }
    Some(Multiprotocol { present: true, family, nlri: cursor.0, ..Multiprotocol::default() })
}

/// Whether a next hop is of no use; nothing when its length is wrong (RFC 7606 section 7.11).
/// Link-local ones are fine alone, second, or twice: all three are in use on unnumbered links.
fn is_martian(next_hop: &[u8], family: Family, context: &Context) -> Option<bool> {
    let v6 = |octets: &[u8]| {
        let address = Ipv6Addr::from(octets.first_chunk::<16>().copied().unwrap_or_default());
        address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.to_ipv4_mapped().is_some()
    };
    match (family, next_hop.len()) {
        (Family::Ipv4, 4) => {
            let octets = next_hop.first_chunk::<4>().copied().unwrap_or_default();
            Some(!is_unicast(Ipv4Addr::from(octets)))
        }
        (Family::Ipv4, 16 | 32) if !context.extended_next_hop => None,
        (_, 16) => Some(v6(next_hop)),
        // `::` before a link-local address is how some spell "link-local only".
        (_, 32) => {
            let (first, second) = next_hop.split_at_checked(16)?;
            Some(v6(second) || (v6(first) && first.iter().any(|octet| *octet != 0)))
        }
        _ => None,
    }
}

/// The address in a next hop of any spelling.
fn address(next_hop: &[u8]) -> Option<IpAddr> {
    if let [a, b, c, d] = *next_hop {
        return Some(IpAddr::from([a, b, c, d]));
    }
    let first = Ipv6Addr::from(*next_hop.first_chunk::<16>()?);
    let second = next_hop.get(16..).and_then(|rest| rest.first_chunk::<16>());
    Some(IpAddr::V6(match second {
        Some(second) if first.is_unspecified() => Ipv6Addr::from(*second),
        _ => first,
    }))
}

fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

fn end_of_rib(body: &[u8], parts: &Parts<'_>, context: &Context) -> Option<Family> {
    if body == [0; 4] {
        return context.families.ipv4.then_some(Family::Ipv4);
    }
    let alone = parts.withdrawn.is_empty()
        && parts.nlri.is_empty()
        && parts.others.is_empty()
        && !parts.reach.present;
    parts.unreach.family.filter(|_| alone && parts.unreach.nlri.is_empty())
}

/// The strongest thing to do about the attributes, which one was bad, and the error that it would
/// have been before RFC 7606.
type Verdict = Option<(Disposition, Option<u8>, Notification)>;

fn judge(
    parts: &Parts<'_>,
    context: &Context,
    received: &mut Received,
    said: &mut Said,
) -> Result<Verdict, Notification> {
    if parts.others.is_empty()
        && parts.discarded.is_none()
        && !parts.reach.present
        && parts.nlri.is_empty()
    {
        return Ok(None);
    }
    let has_body_nlri = !parts.nlri.is_empty();
    let has_nlri = has_body_nlri || !parts.reach.nlri.is_empty();
    let mut verdict: Verdict = None;
    let mut note = |disposition, attribute, error: (u8, Vec<u8>)| {
        let stronger = verdict.as_ref().is_none_or(|(known, ..)| *known < disposition);
        if stronger {
            let (subcode, data) = error;
            verdict = Some((disposition, attribute, Notification { code: 3, subcode, data }));
        }
    };
    if let Some(code) = parts.discarded {
        note(Disposition::AttributeDiscard, Some(code), (4, Vec::new()));
    }
    if let Some(code) = parts.withdraws {
        note(Disposition::TreatAsWithdraw, Some(code), (4, Vec::new()));
    }
    match decode_path_attributes_revised(
        &parts.others,
        context.four_octet_as,
        context.internal,
        &[],
    ) {
        Ok(decoded) => {
            for bad in &decoded.malformed {
                let (_, subcode, data) = bad.error.to_notification();
                note(disposition(bad.disposition), Some(bad.type_code), (subcode, data.to_vec()));
            }
            if let Err(bad) = validate_update_attributes(
                &decoded.attributes,
                has_nlri,
                has_body_nlri,
                !context.internal,
            ) {
                note(disposition(bad.disposition), None, (bad.subcode, bad.data));
            }
            for attribute in &decoded.attributes {
                match attribute {
                    PathAttribute::NextHop(it) => said.next_hop = Some(IpAddr::V4(*it)),
                    PathAttribute::Communities(all) => {
                        said.rank = if all.contains(&LLGR_STALE) {
                            Rank::Stale
                        } else if all.contains(&GRACEFUL_SHUTDOWN) {
                            Rank::LastChoice
                        } else {
                            Rank::Full
                        };
                    }
                    _ => {}
                }
            }
            if has_body_nlri && said.next_hop.is_none() {
                // Mandatory also in iBGP (RFC 4271 section 5.1.3).
                note(Disposition::TreatAsWithdraw, Some(3), (3, Vec::from([3])));
            }
            received.as_loop = decoded.attributes.iter().any(|it| {
                matches!(it, PathAttribute::AsPath(path) if path.contains_asn(context.local_as.0))
            });
        }
        // Without MP attributes nothing in there names routes.
        Err(error) => {
            let (_, subcode, data) = error.to_notification();
            note(Disposition::TreatAsWithdraw, None, (subcode, data.to_vec()));
        }
    }
    if parts.reach.martian {
        note(Disposition::TreatAsWithdraw, Some(MP_REACH), (8, Vec::new()));
    }
    match verdict {
        // RFC 7606 section 5.2: no routes where there should be some; who knows where they are.
        Some((Disposition::TreatAsWithdraw, _, error)) if !has_nlri && !parts.others.is_empty() => {
            Err(error)
        }
        verdict => Ok(verdict),
    }
}

const fn disposition(theirs: ErrorDisposition) -> Disposition {
    match theirs {
        ErrorDisposition::AttributeDiscard => Disposition::AttributeDiscard,
        ErrorDisposition::TreatAsWithdraw | ErrorDisposition::SessionReset => {
            Disposition::TreatAsWithdraw
        }
    }
}
