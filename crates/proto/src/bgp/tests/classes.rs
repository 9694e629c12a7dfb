//! Every class of hostile message in every state in which a peer can talk: the one right answer,
//! and nobody else is touched.

use super::raw::{Raw, bytes_of, keepalive, message, peer_open};
use super::*;
use crate::bgp::fsm::State;

const ORIGIN: &str = "40010100";
const PATH: &str = "400206 0201 0000fde9";
const HOP: &str = "400304 0a000001";

/// Name, message, and what comes of it in OpenSent, OpenConfirm, Established: a NOTIFICATION with
/// its data in hex, `closed` without a word, or what is counted while the session stays.
type Row = (&'static str, Vec<u8>, [&'static str; 3]);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
    let octet = |pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

fn headers() -> Vec<Row> {
    let raw = |rest: &str| [&[0xff; 16][..], &hex(rest)].concat();
    let mut unsynchronised = keepalive();
    unsynchronised[7] = 0xfe;
    // The header alone decides, whatever the state.
    [
        ("marker", unsynchronised, "1/1"),
        ("length 18", raw("0012 04"), "1/2 0012"),
        ("length 0", raw("0000 02"), "1/2 0000"),
        ("OPEN of 28 octets", raw("001c 01"), "1/2 001c"),
        ("OPEN of 4097 octets", raw("1001 01"), "1/2 1001"),
        ("UPDATE of 22 octets", raw("0016 02"), "1/2 0016"),
        ("NOTIFICATION of 20 octets", raw("0014 03"), "1/2 0014"),
        ("KEEPALIVE of 20 octets", raw("0014 04"), "1/2 0014"),
        ("ROUTE-REFRESH of 22 octets", raw("0016 05"), "1/2 0016"),
        ("type 0", raw("0013 00"), "1/3 00"),
        ("type 6", raw("0013 06"), "1/3 06"),
        ("type 255, long", raw("ffff ff"), "1/3 ff"),
    ]
    .map(|(name, bytes, want)| (name, bytes, [want; 3]))
    .to_vec()
}

fn opens() -> Vec<Row> {
    let with = |capability| {
        let mut open = peer_open();
        open.capabilities.push(capability);
        bytes_of(&open)
    };
    let raw = |body: &str| message(1, &hex(body));
    let id = |last| Open { id: Ipv4Addr::new(10, 0, 0, last), ..peer_open() };
    // A second OPEN is out of place before it is anything else (RFC 6608 section 4).
    [
        ("version 3", raw("03 fde9 00b4 0a000001 00"), "2/1 0004"),
        ("another AS", raw("04 fde8 00b4 0a000001 00"), "2/2"),
        ("AS 0", raw("04 0000 00b4 0a000001 00"), "2/2"),
        ("AS 0 in the capability", raw("04 fde9 00b4 0a000001 08 0206 4104 00000000"), "2/2"),
        ("hold time 1", raw("04 fde9 0001 0a000001 00"), "2/6"),
        ("hold time 2", raw("04 fde9 0002 0a000001 00"), "2/6"),
        ("identifier 0", raw("04 fde9 00b4 00000000 00"), "2/3"),
        ("unknown parameter", raw("04 fde9 00b4 0a000001 03 010100"), "2/4"),
        ("parameters past the end", raw("04 fde9 00b4 0a000001 ff 0202"), "2/0"),
        ("CVE-2022-40302: extended length", raw("04 fde9 00b4 0a000001 ff ff 0003 02"), "2/0"),
        ("CVE-2022-43681: length 255", raw("04 fde9 00b4 0a000001 ff"), "2/0"),
        ("CVE-2022-37032: capability past", raw("04 fde9 00b4 0a000001 06 0204 02ff 0000"), "2/0"),
        ("parameter without length", raw("04 fde9 00b4 0a000001 01 02"), "2/0"),
        ("octets behind the parameters", raw("04 fde9 00b4 0a000001 00 00"), "2/0"),
        ("our own identifier", bytes_of(&id(2)), "fine"),
        (
            "unknown capability",
            with(Capability::Other { code: 200, value: [1; 9].to_vec() }),
            "fine",
        ),
        (
            "long software version",
            with(Capability::Other { code: 75, value: [65; 120].to_vec() }),
            "fine",
        ),
        (
            "length 0 where there is one",
            with(Capability::Other { code: 65, value: [].to_vec() }),
            "fine",
        ),
        ("add-path of mode 9", with(Capability::AddPath([(1, 1, 9)].to_vec())), "fine"),
        (
            "escapes in a name",
            with(Capability::Fqdn { host: "a\u{1b}[31m".into(), domain: "\n".into() }),
            "fine",
        ),
    ]
    .map(|(name, bytes, want)| (name, bytes, [want, "5/2", "5/3"]))
    .to_vec()
}

fn updates() -> Vec<Row> {
    let with = |attributes: &str, nlri: &str| {
        let attributes = hex(attributes);
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        message(2, &[&[0, 0][..], &length, &attributes, &hex(nlri)].concat())
    };
    let good = alloc::format!("{ORIGIN}{PATH}{HOP}");
    let other = |more: &str| with(&alloc::format!("{good}{more}"), "18c00002");
    let raw = |body: &str| message(2, &hex(body));
    let mp = |value: &str| {
        let first = alloc::format!("800e{:02x}{value}", hex(value).len());
        with(&alloc::format!("{first}{ORIGIN}{PATH}"), "")
    };
    let global = "20010db8000000000000000000000001";
    [
        ("a good one", other(""), "fine"),
        ("withdrawn length past the end", raw("ffff 0000"), "3/1"),
        ("attribute length past the end", raw("0000 ffff 40"), "3/1"),
        ("CVE-2026-37462: underflow", raw("0002 0000"), "3/1"),
        ("prefix of 33 bits", with(&good, "21c0000200"), "3/10"),
        ("prefix cut off", with(&good, "20c00002"), "3/10"),
        ("withdrawn prefix of 33 bits", raw("0006 21c00002 0000 0000"), "3/10"),
        ("CVE-2023-41358: no attributes", with("", "18c00002"), "withdraw"),
        ("no ORIGIN", with(&alloc::format!("{PATH}{HOP}"), "18c00002"), "withdraw"),
        ("only an unknown one", with("c0fe02 0102", "18c00002"), "withdraw"),
        ("ORIGIN 9", with(&alloc::format!("40010109{PATH}{HOP}"), "18c00002"), "withdraw"),
        (
            "gobgp 3392: ORIGIN, flags",
            with(&alloc::format!("00010100{PATH}{HOP}"), "18c00002"),
            "withdraw",
        ),
        (
            "AS_PATH, segment past the end",
            with(&alloc::format!("{ORIGIN}400206 0209 0000fde9{HOP}"), "18c00002"),
            "withdraw",
        ),
        (
            "AS_PATH, segment of length 0",
            with(&alloc::format!("{ORIGIN}400202 0200{HOP}"), "18c00002"),
            "withdraw",
        ),
        (
            "empty confederation segment",
            with(&alloc::format!("{ORIGIN}400202 0300{HOP}"), "18c00002"),
            "withdraw",
        ),
        (
            "our own AS",
            with(&alloc::format!("{ORIGIN}400206 0201 0000fde8{HOP}"), "18c00002"),
            "loop",
        ),
        ("AS_PATH and AS4_PATH", other("c01106 0201 0000fde9"), "discard"),
        (
            "NEXT_HOP 0.0.0.0",
            with(&alloc::format!("{ORIGIN}{PATH}400304 00000000"), "18c00002"),
            "withdraw",
        ),
        (
            "NEXT_HOP multicast",
            with(&alloc::format!("{ORIGIN}{PATH}400304 e0000001"), "18c00002"),
            "withdraw",
        ),
        ("MED of 3 octets", other("800403 000000"), "withdraw"),
        ("LOCAL_PREF over eBGP", other("400503 000000"), "discard"),
        ("AGGREGATOR, length", other("c00705 0000fde900"), "discard"),
        ("communities, length", other("c00803 000000"), "withdraw"),
        ("large communities, empty", other("c02000"), "withdraw"),
        ("twice the same", other("40010102"), "discard"),
        ("CVE-2026-41642: unknown well-known", other("40fe02 0102"), "withdraw"),
        ("unknown transitive", other("c0fe02 0102"), "fine"),
        ("VU#347067: entropy label", other("c01c02 0102"), "fine"),
        ("CVE-2023-38802: tunnel encapsulation", other("c01704 000100ff"), "any"),
        ("CVE-2024-44070: tunnel encapsulation", other("c01702 0001"), "any"),
        ("CVE-2023-31490: prefix SID", other("c02803 0100ff"), "any"),
        ("FRR 19336: AIGP", other("801a03 010002"), "any"),
        ("attribute past the end", other("c008ff 0001"), "withdraw"),
        (
            "FRR 22563: the same without routes",
            with(&alloc::format!("{good}c008ff0001"), ""),
            "3/1",
        ),
        (
            "MP_REACH, next hop of no octets",
            mp("0002 01 00 00 800e05 0002010000"),
            "3/9 800e0d0002010000800e050002010000",
        ),
        (
            "MP_REACH, next hop of 4 octets",
            mp("0002 01 04 0a000001 00"),
            "3/9 800e090002 01040a00000100",
        ),
        ("MP_REACH cut off", mp("0002 01"), "3/9 800e03000201"),
        (
            "CVE-2026-37458: martian next hop",
            mp("0002 01 10 00000000000000000000000000000000 00 20 20010db8"),
            "withdraw",
        ),
        (
            "MP_REACH, prefix of 129 bits",
            mp(&alloc::format!("0002 01 10 {global} 00 81 20")),
            "3/9",
        ),
        ("CVE-2023-38406: flow specification", mp("0001 85 00 00 ffff"), "ignored"),
        ("CVE-2023-38407: labels", mp("0001 04 04 0a000001 00 ff"), "ignored"),
        ("CVE-2026-5107: EVPN", mp("0019 46 04 0a000001 00 05ff"), "ignored"),
    ]
    .map(|(name, bytes, want)| (name, bytes, ["5/1", "5/2", want]))
    .to_vec()
}

fn others() -> Vec<Row> {
    let mut refresh = message(5, &hex("0001 01 01 00"));
    let all = "7/1 ffffffffffffffffffffffffffffffff0018050001010100";
    let long = message(3, &[&[6, 2, 255][..], &[0xc0; 4000]].concat());
    let mut rows: Vec<Row> = [
        ("KEEPALIVE", keepalive(), ["5/1", "fine", "fine"]),
        ("BoRR of the wrong length", refresh.clone(), ["5/1", "5/2", all]),
        ("FRR 22828: filters", message(5, &hex("0001 00 01 01 80 ffff")), ["5/1", "5/2", "fine"]),
        ("a family nobody knows", message(5, &hex("0019 00 46")), ["5/1", "5/2", "fine"]),
        ("a subtype nobody knows", message(5, &hex("0001 ff 01")), ["5/1", "5/2", "fine"]),
        ("NOTIFICATION", message(3, &[6, 4]), ["closed"; 3]),
        ("NOTIFICATION nobody knows", message(3, &[200, 1, 2, 3]), ["closed"; 3]),
        ("escapes in the communication", message(3, b"\x06\x02\x05\x1b[2J\n"), ["closed"; 3]),
        ("a communication that lies", message(3, b"\x06\x02\xffabc"), ["closed"; 3]),
        ("an endless communication", long, ["closed"; 3]),
    ]
    .to_vec();
    // A flood: only the first one matters where it is out of place.
    refresh = message(5, &hex("0001 00 01")).repeat(1000);
    rows.push(("1000 requests", refresh, ["5/1", "5/2", "fine"]));
    rows
}

fn start() -> Raw {
    let mut config = external();
    config.families = Families::BOTH;
    config.policy.next_hop_v6 = Some("2001:db8:ffff::2".parse().unwrap());
    let mut raw = Raw::new(config);
    raw.session.set_routes(&hosts(3), raw.now);
    raw
}

fn reach(raw: &mut Raw, state: State) {
    let mut open = peer_open();
    open.capabilities.push(Capability::EnhancedRouteRefresh);
    raw.connect();
    if state >= State::OpenConfirm {
        raw.send(&bytes_of(&open));
    }
    if state >= State::Established {
        raw.send(&keepalive());
    }
    assert_eq!(raw.session.state(), state);
    raw.messages();
    raw.events.clear();
}

/// What came of it, in the words of the table.
fn outcome(raw: &mut Raw, before: &Counters) -> alloc::string::String {
    if let Some(it) = raw.notification() {
        let data: Vec<_> = it.data.iter().map(|octet| alloc::format!("{octet:02x}")).collect();
        return alloc::format!("{}/{} {}", it.code, it.subcode, data.concat());
    }
    if raw.closed.is_some() {
        return "closed".to_string();
    }
    let now = raw.session.snapshot().counters;
    for (name, before, now) in [
        ("withdraw", before.treat_as_withdraw, now.treat_as_withdraw),
        ("discard", before.attribute_discard, now.attribute_discard),
        ("loop", before.as_loops, now.as_loops),
        ("ignored", before.ignored_family, now.ignored_family),
    ] {
        if now > before {
            return name.to_string();
        }
    }
    "fine".to_string()
}

fn fits(got: &str, want: &str) -> bool {
    let squeezed: alloc::string::String = want.split_whitespace().skip(1).collect();
    let first = want.split_whitespace().next().unwrap_or("");
    match got.split_once(' ') {
        // The data is compared where the table has it; 1/x, 2/x and 6/x without have none. That of
        // 5/x is the type of the message, see `hostile`.
        Some((code, data)) if code == first => {
            data == squeezed || (squeezed.is_empty() && code.starts_with(['3', '5']))
        }
        Some(_) => false,
        None => got == want || (want == "any" && ["fine", "withdraw", "discard"].contains(&got)),
    }
}

#[test]
fn each_class_in_each_state_has_its_answer() {
    let states = [State::OpenSent, State::OpenConfirm, State::Established];
    let mut bystander = start();
    reach(&mut bystander, State::Established);
    let untouched = bystander.session.snapshot();
    let mut wrong = Vec::new();
    for (name, bytes, wanted) in [headers(), opens(), updates(), others()].concat() {
        for (state, want) in states.into_iter().zip(wanted) {
            // Whole, and octet by octet.
            for chunk in [bytes.len(), 1] {
                if chunk == 1 && bytes.len() > 5000 {
                    continue;
                }
                let mut raw = start();
                reach(&mut raw, state);
                let before = raw.session.snapshot();
                for piece in bytes.chunks(chunk) {
                    raw.send(piece);
                }
                let got = outcome(&mut raw, &before.counters);
                if !fits(&got, want) {
                    wrong.push(alloc::format!("{name} in {state}: {got}, not {want}"));
                }
                assert!(raw.events.len() <= 8, "{name}: {:?}", raw.events);
                let after = raw.session.snapshot();
                assert_eq!(after.wanted, before.wanted);
                assert!(after.unwritten < 10_000);
                if raw.closed.is_some() {
                    assert_eq!((after.state, after.told), (State::Idle, 0));
                    assert!(after.last_error.is_some(), "the reason is there to be seen");
                    // Nothing is read any more, and the next attempt waits its time.
                    raw.send(&bytes);
                    assert_eq!((raw.notification(), raw.connects), (None, 1));
                    raw.pass(Duration::from_millis(700));
                    assert_eq!(raw.connects, 1, "{name}");
                    raw.pass(Duration::from_millis(300));
                    assert_eq!(raw.connects, 2, "{name}");
                    reach(&mut raw, State::Established);
                    assert_eq!(raw.session.snapshot().told, 3);
                } else if state == State::Established {
                    assert_eq!((after.state, after.told), (state, 3));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<alloc::string::String>::new());
    assert_eq!(bystander.session.snapshot(), untouched);
}

#[test]
fn half_a_message_holds_up_nothing_but_itself() {
    for state in [State::OpenSent, State::OpenConfirm, State::Established] {
        let mut raw = start();
        reach(&mut raw, state);
        raw.send(&message(2, &[0; 60])[..70]);
        let limit = if state == State::OpenSent { 240 } else { 9 };
        raw.pass(Duration::from_secs(limit) - Duration::from_millis(1));
        assert_eq!(raw.closed, None);
        raw.pass(Duration::from_millis(1));
        assert_eq!(raw.notification(), Some(Notification::new(4, 0)), "{state}");
    }
}
