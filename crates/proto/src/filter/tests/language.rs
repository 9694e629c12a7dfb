//! Readings, bytecode and matches of whole filters.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

/// What a person is told, and what the kernel is sent. The bytes of the first part are those that
/// ss 6.1 was seen to send (`cargo test -p ha2bgp-lab --test lab-filter` compares again), for a
/// little-endian machine; the second part has `dev`, for which ss sends none.
const READINGS: &[(&str, &str, &str)] = &[
    ("sport = :80", "sport = :80", "07101400000000005000000000000000"),
    ("sport 80", "sport = :80", "07101400000000005000000000000000"),
    ("sport == 0120", "sport = :80", "07101400000000005000000000000000"),
    ("sport eq 0x50", "sport = :80", "07101400000000005000000000000000"),
    ("sport http", "sport = :80", "07101400000000005000000000000000"),
    ("sport :www", "sport = :80", "07101400000000005000000000000000"),
    (r"s\port \= \ 80", "sport = :80", "07101400000000005000000000000000"),
    ("sport [80]foo", "sport = :80", "07101400000000005000000000000000"),
    ("sport [:80]", "sport = :80", "07101400000000005000000000000000"),
    ("src :80", "sport = :80", "07101400000000005000000000000000"),
    ("src *80", "sport = :80", "07101400000000005000000000000000"),
    ("src *:80", "sport = :80", "07101400000000005000000000000000"),
    ("src []:80", "sport = :80", "07101400000000005000000000000000"),
    ("src default:80", "sport = :80", "07101400000000005000000000000000"),
    ("sport = inet::80", "sport = inet::80", "07101400000000005000000000000000"),
    ("sport inet6:[80]", "sport = inet6::80", "07101400000000005000000000000000"),
    ("sport *", "src = *", "0710140000000000ffffffff00000000"),
    ("sport *:80", "src = *", "0710140000000000ffffffff00000000"),
    ("sport :*foo", "src = *", "0710140000000000ffffffff00000000"),
    ("sport -1", "src = *", "0710140000000000ffffffff00000000"),
    ("sport :", "src = *", "0710140000000000ffffffff00000000"),
    ("src **", "src = *", "0710140000000000ffffffff00000000"),
    ("src any", "src = *", "0710140000000000ffffffff00000000"),
    ("src []", "src = *", "0710140000000000ffffffff00000000"),
    ("sport -5", "sport = :-5", "0710140000000000fbffffff00000000"),
    ("sport 65616", "sport = :65616", "07101400000000005000010000000000"),
    ("src 1.2.3.4", "src = 1.2.3.4", "0710140002200000ffffffff01020304"),
    ("dst 1.2.3.4", "dst = 1.2.3.4", "0810140002200000ffffffff01020304"),
    ("src 127", "src = 127.0.0.0", "0710140002200000ffffffff7f000000"),
    ("src 127.1", "src = 127.1.0.0", "0710140002200000ffffffff7f010000"),
    ("src 0x7f.0.0.1", "src = 127.0.0.1", "0710140002200000ffffffff7f000001"),
    ("src 256", "src = 0.0.1.0", "0710140002200000ffffffff00000100"),
    ("src 1.2.300", "src = 1.2.1.44", "0710140002200000ffffffff0102012c"),
    ("src 1.2.3.4/8", "src = 1.2.3.4/8", "0710140002080000ffffffff01020304"),
    ("src 1.2.3.4/255.0", "src = 1.2.3.4/8", "0710140002080000ffffffff01020304"),
    ("src 1.2.3.4/any", "src = 1.2.3.4/0", "0710140002000000ffffffff01020304"),
    ("src 1:2", "src = 1.0.0.0:2", "07101400022000000200000001000000"),
    ("src 127.0.0.1:", "src = 127.0.0.1", "0710140002200000ffffffff7f000001"),
    ("src 127.0.0.1:*", "src = 127.0.0.1", "0710140002200000ffffffff7f000001"),
    ("src [1.2.3.4]80", "src = 1.2.3.4:80", "07101400022000005000000001020304"),
    ("src 1.2.3.4:ssh", "src = 1.2.3.4:22", "07101400022000001600000001020304"),
    ("src [::1]", "src = [::1]", "071c20000a800000ffffffff00000000000000000000000000000001"),
    ("src ::1/128", "src = [::1]", "071c20000a800000ffffffff00000000000000000000000000000001"),
    (
        "src [::1/0200]:http",
        "src = [::1]:80",
        "071c20000a8000005000000000000000000000000000000000000001",
    ),
    (
        "src [::1/255.0.0.0]",
        "src = [::1/8]",
        "071c20000a080000ffffffff00000000000000000000000000000001",
    ),
    (
        "src inet6:all",
        "src = inet6:[::/0]",
        "071c20000a000000ffffffff00000000000000000000000000000000",
    ),
    ("src inet:default:80", "src = inet:0.0.0.0/0:80", "07101400020000005000000000000000"),
    ("src inet:*", "src = inet:*", "0710140000000000ffffffff00000000"),
    (
        "src inet:* or src any",
        "src = * or src = inet:0.0.0.0/0",
        "0710140000000000ffffffff00000000010414000710140002000000ffffffff00000000",
    ),
    (
        "src inet:* or src inet6:[::1]",
        "src = * or src = inet6:[::1]",
        "0710140000000000ffffffff0000000001042000071c20000a800000ffffffff\
         00000000000000000000000000000001",
    ),
    ("sport >= 80", "sport >= :80", "02080c0000005000"),
    ("sport le 80", "sport <= :80", "03080c0000005000"),
    ("dport geq 80", "dport >= :80", "04080c0000005000"),
    ("dport <= 80", "dport <= :80", "05080c0000005000"),
    ("sport > 80", "sport > :80", "03080c000000500001040800"),
    ("sport lt 80", "sport < :80", "02080c000000500001040800"),
    ("sport >= *", "sport >= :*", "02080c000000ffff"),
    ("sport >= -5", "sport >= :-5", "02080c000000fbff"),
    ("sport > 65616", "sport > :65616", "03080c000000500001040800"),
    ("sport neq 80", "sport != :80", "0710140000000000500000000000000001040800"),
    ("autobound", "autobound", "06040800"),
    ("! autobound", "not autobound", "0604080001040800"),
    ("not not autobound", "not not autobound", "060408000104080001040800"),
    ("fwmark 16", "fwmark = 0x10", "0a0c100010000000ffffffff"),
    ("fwmark 5x", "fwmark = 0x5", "0a0c100005000000ffffffff"),
    ("fwmark 0x", "fwmark = 0x0", "0a0c100000000000ffffffff"),
    ("fwmark -1", "fwmark = 0xffffffff", "0a0c1000ffffffffffffffff"),
    ("fwmark != 020/0xf0", "fwmark != 0x10/0xf0", "0a0c100010000000f000000001040800"),
    ("cgroup /sys/fs/cgroup/web", "cgroup = /sys/fs/cgroup/web", "0d0c10000807060504030201"),
    (
        "sport = :80 or sport = :443",
        "sport = :80 or sport = :443",
        "07101400000000005000000000000000010414000710140000000000bb01000000000000",
    ),
    (
        "sport = 1 sport = 2 ! autobound",
        "sport = :1 and sport = :2 and not autobound",
        "07102c0000000000010000000000000007101c000000000002000000000000000604080001040800",
    ),
    (
        "not ( sport = 1 and sport = 2 ) or autobound",
        "not ( sport = :1 and sport = :2 ) or autobound",
        "071024000000000001000000000000000710140000000000020000000000000001040800\
         0104080006040800",
    ),
    (
        "sport = 1 ) or ( sport = 2",
        "sport = :1 or sport = :2",
        "071014000000000001000000000000000104140007101400000000000200000000000000",
    ),
    (
        "sport = 80 )  and  (  not src [::1]",
        "sport = :80 and not src = [::1]",
        "07103400000000005000000000000000071c20000a800000ffffffff\
         0000000000000000000000000000000101040800",
    ),
    // From here on `ss` sends nothing.
    ("dev lo", "dev = lo", "09080c0001000000"),
    ("dev neq eth0", "dev != eth0", "09080c000200000001040800"),
    (r"dev with\ blank", r"dev = with\ blank", "09080c0003000000"),
    ("dev 7", "dev = 7", "09080c0007000000"),
    ("dev 0", "dev = 0", "09080c0000000000"),
    ("dev if7x", "dev = if7x", "09080c0007000000"),
    ("dev if-1", "dev = if-1", "09080c00ffffffff"),
];

#[test]
fn every_filter_has_one_reading_and_the_bytes_of_ss() {
    for (text, reading, bytes) in READINGS {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), *reading, "{text}");
        if cfg!(target_endian = "little") {
            assert_eq!(hex(filter.bytecode()), *bytes, "{text}");
        }
        let again = parse(reading).unwrap_or_else(|error| panic!("{reading}: {error}"));
        assert_eq!(again.bytecode(), filter.bytecode(), "{text}");
        assert_eq!(again.family(), filter.family(), "{text}");
        assert_eq!(again.to_string(), *reading, "{text}");
    }
}

#[test]
fn and_or_and_nothing_are_read_from_left_to_right() {
    for (text, reading, conventional) in [
        ("sport 1 and sport 2 or sport 3", "( sport = :1 and sport = :2 ) or sport = :3", None),
        (
            "sport 1 or sport 2 and sport 3",
            "( sport = :1 or sport = :2 ) and sport = :3",
            Some(("sport = :1 or ( sport = :2 and sport = :3 )", 19)),
        ),
        (
            "sport 1 | sport 2 sport 3",
            "( sport = :1 or sport = :2 ) and sport = :3",
            Some(("sport = :1 or ( sport = :2 and sport = :3 )", 18)),
        ),
        (
            "sport 1 && sport 2 || sport 3 & sport 4",
            "( ( sport = :1 and sport = :2 ) or sport = :3 ) and sport = :4",
            Some(("( sport = :1 and sport = :2 ) or ( sport = :3 and sport = :4 )", 30)),
        ),
        ("not sport 1 or sport 2", "sport != :1 or sport = :2", None),
        ("sport 1 not sport 2", "sport = :1 and sport != :2", None),
        ("sport 1 ! sport 2", "sport = :1 and sport != :2", None),
        ("! ! sport 1", "not sport != :1", None),
        ("sport 1 or ( sport 2 or sport 3 )", "sport = :1 or ( sport = :2 or sport = :3 )", None),
        ("( ( sport 1 ) )", "sport = :1", None),
        (
            "sport 9 ( sport 1 or sport 2 and sport 3 )",
            "sport = :9 and ( ( sport = :1 or sport = :2 ) and sport = :3 )",
            Some(("sport = :9 and ( sport = :1 or ( sport = :2 and sport = :3 ) )", 29)),
        ),
        (
            "sport 1 ) or sport 2 and ( sport 3",
            "( sport = :1 or sport = :2 ) and sport = :3",
            Some(("sport = :1 or ( sport = :2 and sport = :3 )", 21)),
        ),
    ] {
        let filter = parse(text).unwrap();
        assert_eq!(filter.to_string(), reading, "{text}");
        let warned: Vec<_> = filter
            .warnings()
            .iter()
            .map(|warning| match &warning.surprise {
                Surprise::Precedence { reading: shown, conventional } => {
                    assert_eq!(shown, reading);
                    (conventional.as_str(), warning.span.offset)
                }
                other => panic!("{text}: {other}"),
            })
            .collect();
        assert_eq!(warned, Vec::from_iter(conventional), "{text}");
    }
}

#[test]
fn sockets_match_by_the_rules_of_the_kernel() {
    let v4 = listening("127.0.0.1", 80);
    let any = listening("0.0.0.0", 80);
    let v6 = listening("::1", 443);
    let any6 = listening("::", 443);
    let mapped = listening("::ffff:127.0.0.1", 8080);
    let odd = Socket {
        interface: 2,
        mark: 0x1f,
        cgroup: 0x0102_0304_0506_0708,
        autobound: true,
        ..listening("192.0.2.1", 65535)
    };
    // One letter for each socket that matches: v, a, 6, n, m, o.
    let all = [("v", v4), ("a", any), ("6", v6), ("n", any6), ("m", mapped), ("o", odd)];
    for (text, want) in [
        ("", "va6nmo"),
        ("\t ", "va6nmo"),
        ("sport = :80", "va"),
        ("sport = :80 or sport = :443", "va6n"),
        ("sport = :80 or sport = :443 and sport = :8080", ""),
        ("sport = 65616", ""),
        ("sport <= 65616", "va"),
        ("sport >= *", "o"),
        ("sport != 80", "6nmo"),
        ("sport > 443", "mo"),
        ("dport = 0", "va6nmo"),
        ("src any", "va6nmo"),
        ("src inet:any", "vao"),
        ("src inet:*", "vao"),
        ("src inet6:*", "6nm"),
        ("src 0.0.0.0/0", "vamo"),
        ("src [::/0]", "6nm"),
        ("src 0.0.0.0", "a"),
        ("src [::]", "n"),
        ("src 127.0.0.0/8", "vm"),
        ("src ::ffff:0:0/96", "m"),
        ("src 127.0.0.1:8080", "m"),
        ("src 127.1", ""),
        ("dev eth0", "o"),
        ("dev != eth0", "va6nm"),
        ("dev 0", "va6nm"),
        ("fwmark 0x10/0x10", "o"),
        ("fwmark = 0", "va6nm"),
        ("fwmark 0x10/0x0f", ""),
        ("cgroup = /sys/fs/cgroup/web", "o"),
        ("autobound", "o"),
        ("not autobound and sport >= 443", "6nm"),
        ("inet:", "error"),
    ] {
        let Ok(filter) = parse(text) else {
            assert_eq!(want, "error", "{text}");
            continue;
        };
        let mut got = String::new();
        for (letter, socket) in &all {
            if matches(&filter, socket) {
                got.push_str(letter);
            }
        }
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn service_names_depend_on_the_protocols() {
    use Protocol::{Tcp, Udp};
    for (text, protocols, want) in [
        ("sport = ssh", &[Tcp][..], "sport = :22"),
        ("sport = ssh", &[Udp], "no"),
        ("sport = ssh", &[Tcp, Udp], "sport = :22"),
        ("sport = domain", &[Tcp, Udp], "sport = :53"),
        ("sport = syslog", &[Tcp], "no"),
        ("sport = syslog", &[Udp], "sport = :514"),
        ("sport = rpc", &[Tcp], "sport = :1"),
        ("sport = rpc", &[Udp], "sport = :2"),
        ("sport = rpc", &[Tcp, Udp], "no"),
        ("sport = HTTP", &[Tcp, Udp], "no"),
        ("sport = http", &[], "no"),
    ] {
        let got = parse_for(text, protocols).map_or("no".to_string(), |filter| filter.to_string());
        assert_eq!(got, want, "{text} {protocols:?}");
    }
}

#[test]
fn long_filters_have_a_limit_and_deep_ones_do_not_overflow() {
    let ports = |count: usize| {
        let conditions: Vec<_> = (1..=count).map(|port| format!("sport = :{port}")).collect();
        conditions.join(" or ")
    };
    // 16 bytes for the first port, 20 for each other one.
    let longest = parse(&ports(819)).unwrap();
    assert_eq!(longest.bytecode().len(), 16_376);
    assert!(matches(&longest, &listening("::", 819)));
    assert!(!matches(&longest, &listening("::", 820)));
    let error = parse(&ports(820)).unwrap_err();
    assert!(matches!(error.problem, Problem::TooManyConditions { .. }));

    let nots = ["! ".repeat(4095), "autobound".to_string()].concat();
    let filter = parse(&nots).unwrap();
    assert!(matches(&filter, &listening("::", 80)));
    assert_eq!(parse(&filter.to_string()).unwrap().bytecode(), filter.bytecode());
    assert!(parse(&["! ", &nots].concat()).is_err());

    let deep = [&"( ".repeat(15_000), "autobound", &" )".repeat(15_000)].concat();
    assert_eq!(parse(&deep).unwrap().to_string(), "autobound");
    let long = " ".repeat(MAX_TEXT) + "x";
    let error = parse(&long).unwrap_err();
    assert!(matches!(error.problem, Problem::TextTooLong { .. }));
}

#[test]
fn only_marks_need_privilege() {
    assert!(parse("sport 80 or fwmark 1").unwrap().needs_net_admin());
    assert!(!parse("sport 80 dev lo").unwrap().needs_net_admin());
    assert!(!parse("").unwrap().needs_net_admin());
    let filter = parse("fwmark 1").unwrap();
    assert_eq!(
        Bytecode::audit_as(filter.bytecode(), false),
        Err(BytecodeError::NotPermitted { at: 0 })
    );
}
