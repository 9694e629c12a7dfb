//! `type = "dns"`.

use ha2bgp_proto::dns::{AnswerRule, Class, DnsExpectation, DnsName, RcodeSet, RecordType};
use ha2bgp_proto::template::{Template, Values};

use super::super::file::keys::{self, key};
use super::super::reader::go_bool;
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::dns::{DnsProbe, Name, Ways};

/// More rules for one answer are not taken.
const ANSWERS_MAX: usize = 32;
/// A question is not sent more often in one probe.
const ATTEMPTS_MAX: u8 = 10;
/// What every resolver can receive, in octets (RFC 1035 section 2.3.4).
const EDNS_MIN: u16 = 512;

/// A name server answers a question.
pub(super) const KIND: Kind = Kind {
    name: "dns",
    about: "The name server at the VIP answers a question, and as it should.",
    keys: &[
        key(
            "name",
            keys::Kind::Text,
            "",
            "What is asked about; it must be given. `{vip}`, `{port}` and `{service}` are filled in",
        ),
        key("query-type", keys::Kind::Text, "A", "Which records are asked for, such as `SOA`"),
        key("class", keys::Kind::Text, "IN", "`IN`, or `CH` for `version.bind` and its like"),
        key("port", keys::Kind::Number, "53", "The port, 1 to 65535"),
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
        key(
            "protocol",
            keys::Kind::Text,
            "both",
            "`udp`, `tcp` or `both`: over UDP, and over TCP when the answer is cut short (flag TC)",
        ),
        key(
            "attempts",
            keys::Kind::Number,
            "2",
            "How often the question is sent over UDP, evenly within `timeout`, 1 to 10",
        ),
        key(
            "expect-rcode",
            keys::Kind::Texts,
            "NOERROR",
            "Response codes that are good, names or numbers",
        ),
        key(
            "expect-answer",
            keys::Kind::Texts,
            "",
            "What must be among the records of the answer, all of these: an address for A and AAAA; \
             a text or `/regex/` for TXT; a name for CNAME, DNAME, MX, NS and PTR; `serial >= N` \
             for SOA; `*`: any record of the type",
        ),
        key(
            "authoritative",
            keys::Kind::Bool,
            "",
            "Whether the answer must be authoritative (flag AA), or must not be. Without it the \
             flag is not looked at",
        ),
        key(
            "recursion-desired",
            keys::Kind::Bool,
            "true",
            "Asks for recursion (flag RD), as a client of a resolver does",
        ),
        key(
            "edns-size",
            keys::Kind::NumberOrOff,
            "1232",
            "The largest answer over UDP in octets, 512 to 65535, said by EDNS; `off`: no EDNS",
        ),
    ],
    groups: &[COUNTING, TIMING, POWERS, SOURCE],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let template = fields.required("name", "\"www.example.com\"", str::parse::<Template>);
    let record_type = fields.get("query-type", str::parse::<RecordType>);
    let class = fields.get("class", str::parse::<Class>);
    let port = fields.get("port", common::port);
    let address = fields.get("address", common::ip);
    let protocol = fields.get("protocol", ways);
    let attempts = fields.get("attempts", attempts);
    let rcodes = rcodes(fields);
    let answers = match record_type {
        Some(record_type) => answers(fields, record_type),
        None => Vec::new(),
    };
    let authoritative = fields.get("authoritative", go_bool);
    let recursion = fields.on("recursion-desired");
    let edns = fields.get("edns-size", edns);
    if protocol == Some(Ways::Tcp) && fields.is_given("attempts") {
        fields.fail("attempts", "is for UDP, and protocol is \"tcp\": leave one of them out");
    }
    let port = port?;
    let name = name(fields, template?, port)?;
    let per_vip = address.is_none() || matches!(name, Name::PerVip { .. });
    let probe = DnsProbe {
        address,
        port,
        name,
        record_type: record_type?,
        class: class?,
        recursion,
        edns: edns?,
        protocol: protocol?,
        attempts: attempts?,
        expectation: DnsExpectation { rcodes, authoritative, answers },
    };
    Some(Read::polled(Polled::Dns(Box::new(probe)), per_vip))
}

/// Fills in all that is known already, so that what is wrong is told now.
fn name(fields: &mut Fields<'_>, template: Template, port: u16) -> Option<Name> {
    let service = fields.service.unwrap_or("service").to_owned();
    let fill = |vip: &str| -> Result<DnsName, String> {
        let values = Values { vip: vip.parse().ok(), port: Some(port), service: &service };
        let text = template.fill(&values).map_err(|error| error.to_string())?;
        text.parse().map_err(|error| format!("{error}"))
    };
    // Of both families, for an address of one may make a name too long.
    let samples = ["192.0.2.1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"].map(fill);
    match samples.into_iter().collect::<Result<Vec<_>, _>>() {
        Err(error) => {
            fields.fail("name", error);
            None
        }
        Ok(_) if template.uses_vip() => Some(Name::PerVip { template, service }),
        Ok(names) => names.into_iter().next().map(Name::Fixed),
    }
}

fn rcodes(fields: &mut Fields<'_>) -> RcodeSet {
    let given =
        fields.all("expect-rcode", |text| text.parse::<RcodeSet>().map(|_| text.to_owned()));
    // Each was read by itself; together they are a list with commas.
    if given.is_empty() { RcodeSet::default() } else { given.join(",").parse().unwrap_or_default() }
}

fn answers(fields: &mut Fields<'_>, record_type: RecordType) -> Vec<AnswerRule> {
    let answers = fields.all("expect-answer", |text| match text {
        "*" => Ok(AnswerRule::Present),
        text => AnswerRule::parse(record_type, text),
    });
    if answers.len() > ANSWERS_MAX {
        let count = answers.len();
        fields.fail(
            "expect-answer",
            format_args!("{count} are too many: write at most {ANSWERS_MAX}"),
        );
    }
    answers
}

fn ways(text: &str) -> Result<Ways, String> {
    match text {
        "udp" => Ok(Ways::Udp),
        "tcp" => Ok(Ways::Tcp),
        "both" => Ok(Ways::Both),
        other => Err(format!("\"{other}\" is no protocol: write \"udp\", \"tcp\" or \"both\"")),
    }
}

fn attempts(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(attempts @ 1..=ATTEMPTS_MAX) => Ok(attempts),
        _ => Err(format!(
            "\"{text}\" is not a number of attempts from 1 to {ATTEMPTS_MAX}: write for example 2"
        )),
    }
}

fn edns(text: &str) -> Result<Option<u16>, String> {
    match text.parse() {
        _ if text == "off" => Ok(None),
        Ok(size @ EDNS_MIN..) => Ok(Some(size)),
        _ => Err(format!(
            "\"{text}\" is not a size from {EDNS_MIN} to 65535: write for example 1232, or \"off\""
        )),
    }
}
