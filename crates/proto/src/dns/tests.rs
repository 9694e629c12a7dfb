use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use domain::base::iana::{Class as WireClass, Rcode, Rtype};
use domain::base::message_builder::AnswerBuilder;
use domain::base::{Message, MessageBuilder, Name, Serial, StaticCompressor, Ttl};
use domain::rdata::{A, Aaaa, Cname, Mx, Soa, Txt};
use ha2bgp_core::check::Outcome;
use proptest::prelude::*;

use super::*;

const ID: u16 = 0x2a17;

type Builder = AnswerBuilder<StaticCompressor<Vec<u8>>>;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap()
}

fn query(text: &str, record_type: &str) -> Query {
    Query {
        name: text.parse().unwrap(),
        record_type: record_type.parse().unwrap(),
        class: Class::In,
        recursion: false,
        edns: None,
    }
}

/// An answer as a server builds it, with compression.
fn answer(query: &Query, rcode: Rcode, fill: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let asked = query.message(ID);
    let asked = Message::from_octets(&asked[..]).unwrap();
    let target = StaticCompressor::new(Vec::new());
    let mut builder =
        MessageBuilder::from_target(target).unwrap().start_answer(&asked, rcode).unwrap();
    fill(&mut builder);
    builder.finish().into_target()
}

fn expect(query: &Query, rules: &[&str]) -> DnsExpectation {
    let rule = |text: &&str| match *text {
        "*" => AnswerRule::Present,
        text => AnswerRule::parse(query.record_type, text).unwrap(),
    };
    DnsExpectation { answers: rules.iter().map(rule).collect(), ..DnsExpectation::default() }
}

/// The verdict with its text, or why there is none.
fn judge(expectation: &DnsExpectation, query: &Query, message: &[u8]) -> String {
    match expectation.judge(query, ID, Transport::Udp, message) {
        Reply::NotOurs(why) => format!("not ours: {why}"),
        Reply::Truncated => "truncated".into(),
        Reply::Judged(result) => format!("{} {}", result.outcome, result.detail),
    }
}

const TTL: Ttl = Ttl::from_secs(60);

#[test]
fn queries_are_read_by_others() {
    let mut query = query("example.com", "AAAA");
    query.recursion = true;
    query.edns = Some(100);
    let message = query.message(ID);
    let read = Message::from_octets(&message[..]).unwrap();
    assert_eq!((read.header().id(), read.header().rd(), read.header().qr()), (ID, true, false));
    let question = read.sole_question().unwrap();
    assert_eq!(question.qname(), &name("example.com."));
    assert_eq!((question.qtype(), question.qclass()), (Rtype::AAAA, WireClass::IN));
    assert_eq!(read.opt().unwrap().udp_payload_size(), 512);
    let chaos = Query { class: Class::Ch, edns: None, ..query };
    let message = chaos.message(ID);
    let read = Message::from_octets(&message[..]).unwrap();
    assert_eq!(read.sole_question().unwrap().qclass(), WireClass::CH);
    assert!(read.opt().is_none());
}

#[test]
fn addresses() {
    let query = query("www.example.com", "A");
    let message = answer(&query, Rcode::NOERROR, |answer| {
        for last in 1..=6 {
            answer.push((name("WWW.example.com"), TTL, A::from_octets(192, 0, 2, last))).unwrap();
        }
        answer.push((name("other.example.com"), TTL, A::from_octets(192, 0, 2, 9))).unwrap();
    });
    let verdict = |rules: &[&str]| judge(&expect(&query, rules), &query, &message);
    assert_eq!(verdict(&[]), "pass NOERROR, 6 records of type A");
    assert_eq!(verdict(&["*", "192.0.2.6"]), "pass NOERROR, 6 records of type A");
    assert_eq!(
        verdict(&["192.0.2.9"]),
        "fail no record of type A with 192.0.2.9; found 192.0.2.1, 192.0.2.2, 192.0.2.3, \
         192.0.2.4 and 2 more"
    );
    let empty = answer(&query, Rcode::NOERROR, |_| ());
    assert_eq!(judge(&expect(&query, &[]), &query, &empty), "pass NOERROR, 0 records of type A");
    assert_eq!(
        judge(&expect(&query, &["*"]), &query, &empty),
        "fail no record of type A in the answer, expected one"
    );
    assert_eq!(
        judge(&expect(&query, &["192.0.2.1"]), &query, &empty),
        "fail no record of type A in the answer, expected one with 192.0.2.1"
    );
}

#[test]
fn aliases_are_followed() {
    let query = query("www.example.com", "AAAA");
    let cname = |target: &str| Cname::new(name(target));
    let six = Aaaa::new("2001:db8::1".parse().unwrap());
    let message = answer(&query, Rcode::NOERROR, |answer| {
        answer.push((name("b.example.net"), TTL, six.clone())).unwrap();
        answer.push((name("a.example.com"), TTL, cname("B.example.net"))).unwrap();
        answer.push((name("www.example.com"), TTL, cname("a.example.com"))).unwrap();
    });
    let expected = expect(&query, &["2001:db8::1"]);
    assert_eq!(judge(&expected, &query, &message), "pass NOERROR, 1 record of type AAAA");
    let around = answer(&query, Rcode::NOERROR, |answer| {
        answer.push((name("a.example.com"), TTL, cname("www.example.com"))).unwrap();
        answer.push((name("www.example.com"), TTL, cname("a.example.com"))).unwrap();
        answer.push((name("b.example.net"), TTL, six)).unwrap();
    });
    assert!(judge(&expected, &query, &around).starts_with("fail no record of type AAAA in"));
}

#[test]
fn other_data() {
    let mx = query("example.com", "MX");
    let message = answer(&mx, Rcode::NOERROR, |answer| {
        answer.push((name("example.com"), TTL, Mx::new(10, name("mail.example.com")))).unwrap();
    });
    let verdict = |rule| judge(&expect(&mx, &[rule]), &mx, &message);
    assert_eq!(verdict("MAIL.example.com."), "pass NOERROR, 1 record of type MX");
    assert_eq!(
        verdict("example.com"),
        "fail no record of type MX with example.com; found mail.example.com"
    );

    let txt = query("version.bind", "TXT");
    let message = answer(&txt, Rcode::NOERROR, |answer| {
        let text = Txt::<Vec<u8>>::build_from_slice(b"9.20\xff").unwrap();
        answer.push((name("version.bind"), TTL, text)).unwrap();
    });
    let verdict = |rule| judge(&expect(&txt, &[rule]), &txt, &message);
    assert_eq!(verdict(r"/^9\./"), "pass NOERROR, 1 record of type TXT");
    assert_eq!(verdict("9"), "fail no record of type TXT with \"9\"; found \"9.20\\xff\"");

    let soa = query("example.com", "SOA");
    let message = answer(&soa, Rcode::NOERROR, |answer| {
        let (ns, mail) = (name("ns.example.com"), name("h.example.com"));
        let data = Soa::new(ns, mail, Serial(5), TTL, TTL, TTL, TTL);
        answer.push((name("example.com"), TTL, data)).unwrap();
    });
    let verdict = |rule| judge(&expect(&soa, &[rule]), &soa, &message);
    assert_eq!(verdict("serial >= 5"), "pass NOERROR, 1 record of type SOA");
    assert_eq!(verdict("serial>=4294967290"), "pass NOERROR, 1 record of type SOA");
    assert_eq!(
        verdict("serial >= 6"),
        "fail no record of type SOA with serial >= 6; found serial 5"
    );
}

#[test]
fn codes_and_flags() {
    let query = query("example.com", "A");
    let default = DnsExpectation::default();
    let refused = answer(&query, Rcode::REFUSED, |_| ());
    assert_eq!(judge(&default, &query, &refused), "fail rcode REFUSED, expected NOERROR");
    let both = DnsExpectation { rcodes: "refused, 3".parse().unwrap(), ..default.clone() };
    assert_eq!(judge(&both, &query, &refused), "pass REFUSED, 0 records of type A");
    let good = answer(&query, Rcode::NOERROR, |_| ());
    assert_eq!(judge(&both, &query, &good), "fail rcode NOERROR, expected NXDOMAIN,REFUSED");
    let strict = DnsExpectation { authoritative: Some(true), ..default.clone() };
    let cached = DnsExpectation { authoritative: Some(false), ..default.clone() };
    assert_eq!(
        judge(&strict, &query, &good),
        "fail the answer is not authoritative (flag AA), expected one that is"
    );
    let authority = answer(&query, Rcode::NOERROR, |answer| answer.header_mut().set_aa(true));
    assert!(judge(&strict, &query, &authority).starts_with("pass"));
    assert!(judge(&cached, &query, &good).starts_with("pass"));
    assert_eq!(
        judge(&cached, &query, &authority),
        "fail the answer is authoritative (flag AA), expected one that is not"
    );
    let cut = answer(&query, Rcode::NOERROR, |answer| answer.header_mut().set_tc(true));
    assert_eq!(judge(&default, &query, &cut), "truncated");
    let over_tcp = default.judge(&query, ID, Transport::Tcp, &cut);
    assert!(matches!(over_tcp, Reply::Judged(result) if result.outcome == Outcome::Fail));
}

#[test]
fn what_is_not_ours() {
    let query = query("example.com", "A");
    let good = answer(&query, Rcode::NOERROR, |_| ());
    let default = DnsExpectation::default();
    let verdict = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = good.clone();
        change(&mut message);
        judge(&default, &query, &message)
    };
    assert!(verdict(&|_| ()).starts_with("pass"));
    assert_eq!(
        verdict(&|message| message.truncate(11)),
        "not ours: a message of 11 octets is shorter than a DNS header of 12"
    );
    assert_eq!(verdict(&|m| m[0] = 0), "not ours: identifier 23 belongs to another query");
    assert_eq!(verdict(&|m| m[2] = 0), "not ours: it is a query, not a response");
    assert_eq!(verdict(&|m| m[2] = 0xa0), "not ours: opcode 4 is not QUERY");
    let question = "not ours: it does not repeat the question";
    assert_eq!(verdict(&|m| m[13] = b'f'), question);
    assert_eq!(verdict(&|m| *m.last_mut().unwrap() = 3), question);
    assert_eq!(verdict(&|m| m[5] = 2), question);
    assert_eq!(verdict(&|m| m.truncate(14)), question);
    assert_eq!(verdict(&|m| m[5] = 0), question);
    assert!(verdict(&|m| m[13] = b'E').starts_with("pass"), "case does not matter");
    // The header alone, with an error.
    let bare = |m: &mut Vec<u8>| {
        m.truncate(12);
        (m[3], m[5]) = (5, 0);
    };
    assert_eq!(verdict(&bare), "fail rcode REFUSED, expected NOERROR");
    assert_eq!(
        verdict(&|m| m[7] = 1),
        "fail record 1 of the answer section is malformed",
        "a record is promised and missing"
    );
}

#[test]
fn garbage_in_a_record() {
    let query = query("example.com", "MX");
    let default = DnsExpectation::default();
    let mut message = answer(&query, Rcode::NOERROR, |answer| {
        answer.push((name("example.com"), TTL, Mx::new(10, name("mail.example.com")))).unwrap();
    });
    // The target ends in a pointer to the question; now it points to itself.
    let last = message.len() - 1;
    message[last] = u8::try_from(last - 1).unwrap();
    assert_eq!(
        judge(&default, &query, &message),
        "fail record 1 of the answer section is malformed"
    );
}

#[test]
fn errors_name_the_word_and_the_fix() {
    let names = |text: &str| text.parse::<DnsName>().unwrap_err().to_string();
    assert!(names("").contains("it is empty"));
    assert!(names("a b").contains("\" \" must be written otherwise"));
    assert!(names("a..b").starts_with("\"a..b\" is not a domain name ("), "{}", names("a..b"));
    assert!(names(&"a".repeat(64)).contains("labels of 1 to 63"));
    assert_eq!(".".parse::<DnsName>().unwrap().to_string(), ".");
    assert_eq!(r"a\.b\032c.".parse::<DnsName>().unwrap().to_string(), r"a\.b\ c");
    let types = |text: &str| text.parse::<RecordType>().unwrap_err().to_string();
    assert!(types("AAA").contains("did you mean AAAA?"), "{}", types("AAA"));
    for bad in ["", "OPT", "AXFR", "TYPE252", "TYPE0", "TYPE65536", "1", "é"] {
        assert!(types(bad).contains("is not a record type"), "{bad}");
    }
    assert_eq!("aaaa".parse(), Ok(RecordType::AAAA));
    assert_eq!("type64".parse::<RecordType>().unwrap().number(), 64);
    let codes = |text: &str| text.parse::<RcodeSet>().unwrap_err().to_string();
    assert!(codes("NOERROR,NXDOMIAN").contains("did you mean NXDOMAIN?"));
    assert!(codes("4096").starts_with("\"4096\" is not a response code"));
    assert!(codes("0,").starts_with("\"\" is not a response code"));
    assert!("XX".parse::<Class>().unwrap_err().to_string().contains("write IN, or CH"));
    let rules = |kind: &str, text: &str| {
        AnswerRule::parse(kind.parse().unwrap(), text).unwrap_err().to_string()
    };
    assert_eq!(
        rules("A", "::1"),
        "\"::1\" is not what an answer of type A has: write an IPv4 address such as 192.0.2.1"
    );
    assert!(rules("SOA", "serial > 5").contains("\"serial >= N\""));
    assert!(rules("SOA", "serial >= 4294967296").contains("\"serial >= N\""));
    assert!(rules("SRV", "x").starts_with("the data of type SRV cannot be compared"));
    assert!(rules("TXT", "/(/").contains("not a regular expression"));
}

#[test]
fn messages_over_tcp() {
    assert_eq!(frame(b"abc").unwrap(), b"\0\x03abc");
    assert_eq!(frame(&[0; 65_536]), None);
    assert_eq!(unframe(b""), Unframed::More(2));
    assert_eq!(unframe(b"\0\x03ab"), Unframed::More(1));
    assert_eq!(unframe(b"\0\x01abc"), Unframed::Message { message: b"a", rest: b"bc" });
    assert_eq!(unframe(b"\0\0"), Unframed::Message { message: b"", rest: b"" });
}

proptest! {
    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut input = b"example.com\nA\nNOERROR,SERVFAIL\n192.0.2.1\n".to_vec();
        input.extend_from_slice(&octets);
        fuzz_dns_answer(&input);
        fuzz_dns_answer(&octets);
    }

    #[test]
    fn one_octet_of_an_answer_changes(at: prop::sample::Index, octet: u8, kind in "A|MX|TXT|SOA|ANY") {
        let query = query("www.example.com", &kind);
        let mut message = answer(&query, Rcode::NOERROR, |answer| {
            let owner = name("www.example.com");
            answer.push((&owner, TTL, Mx::new(10, name("mail.example.com")))).unwrap();
            answer.push((&owner, TTL, A::from_octets(192, 0, 2, 1))).unwrap();
            answer.push((&owner, TTL, Txt::<Vec<u8>>::build_from_slice(b"text").unwrap())).unwrap();
        });
        let at = at.index(message.len());
        message[at] = octet;
        let mut input = format!("www.example.com\n{kind}\n0\n\n").into_bytes();
        input.extend_from_slice(&message);
        fuzz_dns_answer(&input);
        let _ = judge(&expect(&query, &["*"]), &query, &message);
    }

    #[test]
    fn names_are_shown_as_they_are_read(text in r"([a-z0-9_*\\-]|\\\.|\\[0-2][0-4][0-9]){1,20}(\.[a-z]{1,9}){0,3}") {
        if let Ok(read) = text.parse::<DnsName>() {
            // What cannot be shown plainly, such as an escaped blank, cannot be typed so either.
            if let Ok(again) = read.to_string().parse::<DnsName>() {
                prop_assert_eq!(again, read);
            }
        }
    }
}
