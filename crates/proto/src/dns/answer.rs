//! Messages from the network: is this the answer, and is it good?

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use domain::base::iana::{Opcode, Rtype};
use domain::base::message::RecordSection;
use domain::base::name::{ParsedName, ToName as _};
use domain::base::record::ParsedRecord;
use domain::base::{Message, ParseRecordData};
use domain::rdata::{A, Aaaa, Cname, Dname, Mx, Ns, Ptr, Soa, Txt};
use ha2bgp_core::check::{Outcome, ProbeResult};

use super::expectation::Data;
use super::{AnswerRule, DnsExpectation, DnsName, Query, RecordType, rcode};

/// How many CNAME records are followed; resolvers give up at 8 to 16.
const MAX_CHAIN: usize = 16;

/// How many records a text shows of what was found instead.
const SHOWN: usize = 4;

/// How the message came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// Behind its length ([`unframe`](super::unframe)).
    Tcp,
}

/// What a received message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Not an answer to this query: keep waiting until the time is over.
    NotOurs(NotOurs),
    /// The answer does not fit into a datagram: ask again over TCP.
    Truncated,
    /// The answer, and the verdict.
    Judged(ProbeResult),
}

/// Why a message is not the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotOurs {
    /// Less than a header of twelve octets.
    #[error("a message of {length} octets is shorter than a DNS header of 12")]
    Short {
        /// Its length, in octets.
        length: usize,
    },
    /// The answer to another query, perhaps a late one.
    #[error("identifier {id} belongs to another query")]
    Id {
        /// The identifier received.
        id: u16,
    },
    /// A query, not a response.
    #[error("it is a query, not a response")]
    Query,
    /// A response to something that is not a query.
    #[error("opcode {opcode} is not QUERY")]
    Opcode {
        /// The operation.
        opcode: u8,
    },
    /// Another question, several, or none that can be read.
    #[error("it does not repeat the question")]
    Question,
}

impl DnsExpectation {
    /// What a message received after `query` was sent with `id` is. Whether it came from the right
    /// address is the prober's to know. An error may come without the question: some servers send
    /// back the header alone if they refuse or cannot read the query.
    pub fn judge(&self, query: &Query, id: u16, transport: Transport, message: &[u8]) -> Reply {
        let Ok(message) = Message::from_slice(message) else {
            return Reply::NotOurs(NotOurs::Short { length: message.len() });
        };
        if let Some(why) = not_ours(query, id, message) {
            return Reply::NotOurs(why);
        }
        let fail = |text: &str| Reply::Judged(ProbeResult::new(Outcome::Fail, text));
        if message.header().tc() {
            return match transport {
                Transport::Udp => Reply::Truncated,
                Transport::Tcp => fail("the answer is cut short (flag TC), although over TCP"),
            };
        }
        let code = message.opt_rcode().to_int();
        if !self.rcodes.contains(code) {
            return fail(&format!("rcode {}, expected {}", rcode::name(code), self.rcodes));
        }
        match (self.authoritative, message.header().aa()) {
            (Some(true), false) => {
                return fail("the answer is not authoritative (flag AA), expected one that is");
            }
            (Some(false), true) => {
                return fail("the answer is authoritative (flag AA), expected one that is not");
            }
            (None, _) | (Some(true), true) | (Some(false), false) => {}
        }
        let found = match matching(query, message) {
            Ok(found) => found,
            Err(malformed) => return fail(&malformed),
        };
        let record_type = query.record_type;
        for rule in &self.answers {
            if !found.iter().any(|data| rule.holds(data)) {
                return fail(&missing(rule, record_type, &found));
            }
        }
        let code = rcode::name(code);
        let count = found.len();
        let records = if count == 1 { "record" } else { "records" };
        let text = format!("{code}, {count} {records} of type {record_type}");
        Reply::Judged(ProbeResult::new(Outcome::Pass, &text))
    }
}

fn not_ours(query: &Query, id: u16, message: &Message<[u8]>) -> Option<NotOurs> {
    let header = message.header();
    if header.id() != id {
        return Some(NotOurs::Id { id: header.id() });
    }
    if !header.qr() {
        return Some(NotOurs::Query);
    }
    if header.opcode() != Opcode::QUERY {
        return Some(NotOurs::Opcode { opcode: header.opcode().to_int() });
    }
    if message.header_counts().qdcount() == 0 {
        return message.no_error().then_some(NotOurs::Question);
    }
    let Ok(question) = message.sole_question() else { return Some(NotOurs::Question) };
    let same = question.qtype() == query.record_type.0
        && question.qclass().to_int() == query.class.number()
        && question.qname().name_eq(&query.name.0);
    (!same).then_some(NotOurs::Question)
}

/// The data of the records that answer the question, or what is malformed.
fn matching(query: &Query, message: &Message<[u8]>) -> Result<Vec<Data>, String> {
    let malformed = |at: usize| format!("record {} of the answer section is malformed", at + 1);
    if message.header_counts().qdcount() == 0 {
        return Ok(Vec::new());
    }
    let answer = message.answer().map_err(|_| malformed(0))?;
    // Everything is looked at once, so that later walks meet nothing that cannot be read.
    for (at, record) in answer.enumerate() {
        record.map_err(|_| malformed(at))?;
    }
    let name = message.sole_question().map_err(|_| malformed(0))?.into_qname();
    let names = chain(query.record_type, answer, name);
    let any = query.record_type.0 == Rtype::ANY;
    let mut found = Vec::new();
    for (at, record) in answer.enumerate() {
        let record = record.map_err(|_| malformed(at))?;
        let wanted = (any || record.rtype() == query.record_type.0)
            && record.class().to_int() == query.class.number()
            && names.iter().any(|name| name.name_eq(&record.owner()));
        if wanted {
            found.push(data(record).ok_or_else(|| malformed(at))?);
        }
    }
    Ok(found)
}

/// The name of the question and those its CNAME records lead to. The last one is where the records
/// of other types are; looking at all of them costs nothing and helps with servers that differ.
fn chain<'a>(
    record_type: RecordType,
    answer: RecordSection<'a, [u8]>,
    name: ParsedName<&'a [u8]>,
) -> Vec<ParsedName<&'a [u8]>> {
    let mut names = Vec::from([name]);
    if record_type.0 == Rtype::CNAME || record_type.0 == Rtype::ANY {
        return names;
    }
    while let Some(last) = names.last().filter(|_| names.len() <= MAX_CHAIN) {
        let next = answer.flatten().find_map(|record| {
            let alias = record.rtype() == Rtype::CNAME && record.owner().name_eq(last);
            let cname = if alias { read::<Cname<ParsedName<&'a [u8]>>>(record) } else { None };
            cname.map(Cname::into_cname)
        });
        match next.filter(|next| !names.iter().any(|name| name.name_eq(next))) {
            Some(next) => names.push(next),
            None => break,
        }
    }
    names
}

/// The data of a record, if it is of this type and well formed.
fn read<'a, D: ParseRecordData<'a, [u8]>>(record: ParsedRecord<'a, [u8]>) -> Option<D> {
    let record = record.into_record::<D>().ok()??;
    Some(record.into_data())
}

/// What rules can look at, or `None` if it is malformed.
fn data(record: ParsedRecord<'_, [u8]>) -> Option<Data> {
    type Name<'a> = ParsedName<&'a [u8]>;
    let target = |name: Name<'_>| Some(Data::Target(DnsName(name.to_vec())));
    match record.rtype() {
        Rtype::A => read::<A>(record).map(|a| Data::Address(IpAddr::V4(a.addr()))),
        Rtype::AAAA => read::<Aaaa>(record).map(|aaaa| Data::Address(IpAddr::V6(aaaa.addr()))),
        Rtype::TXT => {
            let txt = read::<Txt<&[u8]>>(record)?;
            Some(Data::Text(txt.iter().flatten().copied().collect()))
        }
        Rtype::CNAME => target(read::<Cname<Name<'_>>>(record)?.into_cname()),
        Rtype::DNAME => target(*read::<Dname<Name<'_>>>(record)?.dname()),
        Rtype::NS => target(*read::<Ns<Name<'_>>>(record)?.nsdname()),
        Rtype::PTR => target(*read::<Ptr<Name<'_>>>(record)?.ptrdname()),
        Rtype::MX => target(*read::<Mx<Name<'_>>>(record)?.exchange()),
        Rtype::SOA => {
            read::<Soa<Name<'_>>>(record).map(|soa| Data::Serial(soa.serial().into_int()))
        }
        _ => Some(Data::Other),
    }
}

fn missing(rule: &AnswerRule, record_type: RecordType, found: &[Data]) -> String {
    if found.is_empty() {
        let wanted = match rule {
            AnswerRule::Present => String::new(),
            AnswerRule::Address(_)
            | AnswerRule::Text(_)
            | AnswerRule::Target(_)
            | AnswerRule::SerialFrom(_) => format!(" with {rule}"),
        };
        return format!("no record of type {record_type} in the answer, expected one{wanted}");
    }
    let shown: Vec<String> = found.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = found.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = shown.join(", ");
    format!("no record of type {record_type} with {rule}; found {shown}{more}")
}
