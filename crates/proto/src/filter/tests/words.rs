//! Errors and warnings: which word, which rule, which fix.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

/// A text, the word to blame, and the message.
const ERRORS: &[(&str, &str, &str)] = &[
    (
        "sport = :80 and",
        "and",
        "the filter ends after \"and\": a condition begins with src, dst, sport, dport, dev, fwmark, cgroup, autobound, not or \"(\"",
    ),
    (
        "sport =",
        "=",
        "the filter ends after \"=\": a value is expected after this, for example sport = :80",
    ),
    (
        "( sport",
        "sport",
        "the filter ends after \"sport\": a value is expected after this, for example sport = :80",
    ),
    (
        "and sport = :80",
        "and",
        "\"and\" cannot stand here: a condition begins with src, dst, sport, dport, dev, fwmark, cgroup, autobound, not or \"(\"",
    ),
    (
        "sport = or",
        "or",
        "\"or\" cannot stand here: a value is expected after this, for example sport = :80",
    ),
    (
        "sport = :80 or :443",
        ":443",
        "\":443\" cannot stand here: a condition begins with src, dst, sport, dport, dev, fwmark, cgroup, autobound, not or \"(\"",
    ),
    (
        "sport = 80 90",
        "90",
        "\"90\" cannot stand here: a condition ended before it, and takes one value; join conditions with and, or: sport = :80 or sport = :443",
    ),
    (
        "sport = 80 AND sport = 90",
        "AND",
        "\"AND\" cannot stand here: the words of the language are lower case",
    ),
    (
        "(sport = :80 )",
        "(sport",
        "\"(sport\" cannot stand here: parentheses are words of their own, put blanks around them",
    ),
    (
        "sport=:80",
        "sport=:80",
        "\"sport=:80\" cannot stand here: signs are words of their own, put blanks around them: sport = :80",
    ),
    (
        "state listening sport = :80",
        "state",
        "\"state\" is no part of the filter language: ss knows it only before a filter, and here only listening sockets are looked at; remove it",
    ),
    (
        "( sport = :80",
        "(",
        "\"(\" is never closed: add \" )\"; parentheses are words with blanks around them",
    ),
    (
        "sport = :80 ) or sport = :443",
        ")",
        "\")\" has no \"(\" before it: remove it, or add \"( \"; parentheses are words with blanks around them",
    ),
    ("sport = :80 or ( )", ")", "\")\" closes nothing: put a condition between the parentheses"),
    ("src != 127.0.0.1", "!=", "\"src\" cannot be compared with \"!=\": write not src = ADDRESS"),
    (
        "dev > lo",
        ">",
        "\"dev\" cannot be compared with \">\": only ports have an order; use = or !=",
    ),
    (
        "sport = 80,443",
        "80,443",
        "\"80,443\" is not a port: it must be a number or a name from /etc/services (tcp); lists and ranges are written sport = :80 or sport = :443, sport >= :80 and sport <= :90",
    ),
    (
        "sport = 127.0.0.1:80",
        "127.0.0.1:80",
        "\"127.0.0.1:80\" is not a port: it must be a number or a name from /etc/services (tcp); addresses go to src and dst",
    ),
    (
        "src [::1",
        "[::1",
        "\"[::1\" has \"[\" without \"]\": write [ADDRESS]:PORT, for example [::1]:80",
    ),
    (
        "src ::1",
        "::1",
        "\"::1\" is read as ADDRESS:PORT at its last colon: put the IPv6 address in brackets, for example [::1] or [::1]:80",
    ),
    (
        "src [::1]/128",
        "[::1]/128",
        "\"[::1]/128\" has the prefix length behind the bracket: it belongs inside, for example [2001:db8::/32]:80",
    ),
    (
        "src 10.0.0.0/33",
        "10.0.0.0/33",
        "\"10.0.0.0/33\" is not an IP address or network: write for example 192.0.2.0/24, [2001:db8::1] or [2001:db8::/32]:80",
    ),
    (
        "src localhost:80",
        "localhost:80",
        "\"localhost\" is a host name: names are not looked up, since an answer may change or come late; write the address",
    ),
    (
        "src inet:* or src [::1]",
        "[::1]",
        "\"::1\" is not an IPv4 address, and an \"inet:\" prefix limits all that follows to IPv4: remove the prefix",
    ),
    (
        "src unix:/run/*",
        "unix:/run/*",
        "\"unix:/run/*\" selects Unix domain sockets, another table than TCP and UDP: no listener could ever match; remove it",
    ),
    (
        "dev wlan9",
        "wlan9",
        "\"wlan9\" is no network interface: it must exist when the filter is read, or be given by its index",
    ),
    (
        "fwmark 5/x",
        "5/x",
        "\"5/x\" is not a mark: write VALUE or VALUE/MASK, for example 0x10/0xf0",
    ),
    (
        "cgroup /none",
        "/none",
        "\"/none\" is no cgroup: No such file or directory; give the path of a directory in the cgroup2 tree",
    ),
    (
        r"sport = :80\",
        r":80\",
        "the filter ends in a backslash, which would escape what follows: remove it, or write \\\\ for a backslash",
    ),
    ("sport = :8\x000", "\0", "a NUL character cannot be in a filter: remove it"),
];

#[test]
fn errors_name_the_word_the_rule_and_the_fix() {
    for (text, word, message) in ERRORS {
        let error = parse(text).expect_err(text);
        let span = error.span;
        assert_eq!(text.get(span.offset..span.offset + span.length), Some(*word), "{text}");
        assert_eq!(error.to_string(), *message, "{text}");
    }
}

#[test]
fn everything_else_that_ss_refuses_is_refused() {
    for text in [
        "( )",
        "and",
        "or sport = 80",
        "sport",
        "80",
        "! ",
        "not",
        "not and",
        "sport = 80 or or dport = 1",
        "sport = 80 )",
        ") sport = 80 (",
        "( sport = 80 ) )",
        "sport = :80 or ( sport = :81",
        "sport = 80 or 443",
        "sport = 80-443",
        "sport = HTTP",
        "SPORT = 80",
        "sport = = 80",
        "sport = 08",
        "sport = 0x",
        "sport = 2147483648",
        "sport = :foo",
        r"sport = 80\ ",
        "sport = [80",
        "sport = ::80",
        "sport = inet:inet6:80",
        "sport=80",
        "!autobound",
        "autobound 5",
        "autobound = 5",
        "src >= 127.0.0.1",
        "dst < 127.0.0.1",
        "dst != 127.0.0.1",
        "src",
        "src =",
        "src ::",
        "src ::ffff:127.0.0.9",
        "src 2001:db8:1::6",
        "src [::1]::80",
        "src [[::1]]",
        "src [a:b]",
        "src [::1%lo]",
        "src *x",
        "src any80",
        "src all/0",
        "src default/8",
        "src 1.2.3.4/",
        "src /",
        "src 1.2.3.4/255.0.255.0",
        "src 1/256",
        "src [::1/129]",
        "src 256.1",
        "src 4294967296",
        "src 1.2.3.4.5",
        "src 1.2.3.4.",
        "src inet6:256",
        "src inet:[::1]",
        "src inet6:* or src inet6:0.0.0.0",
        "src 1e1",
        "src tipc:1",
        "src netlink:1",
        "dst vsock:1:2",
        "sport = link:1",
        "dev",
        "dev =",
        "dev or",
        "dev >= lo",
        "dev -1",
        "dev if0",
        "dev ifx",
        "dev 4294967296",
        "fwmark x",
        "fwmark 5/",
        "fwmark 5x/3",
        "fwmark /3",
        r"fwmark 5\ /7",
        "fwmark + ",
        "fwmark > 1",
        "cgroup",
        "cgroup < /sys/fs/cgroup/web",
        "exclude listening",
        "sport = 80\nand dport = 1",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_word_to_blame_is_underlined() {
    for (text, want) in [
        ("sport = :80 or :443", "sport = :80 or :443\n               ^^^^"),
        ("src bücher", "src bücher\n    ^^^^^^"),
        ("src\tx", "src x\n    ^"),
    ] {
        assert_eq!(parse(text).unwrap_err().render(text), want);
    }
    let end =
        FilterError { problem: Problem::UnclosedParenthesis, span: Span { offset: 3, length: 0 } };
    assert_eq!(end.render("dev"), "dev\n   ^");
    assert_eq!(end.render(""), "\n^");
}

#[test]
fn surprises_are_told() {
    let message = |text: &str, start: &str| {
        let found = warnings(text);
        assert!(found.iter().any(|warning| warning.starts_with(start)), "{text}: {found:?}");
    };
    message("sport = 0120", "\"0120\" begins with 0 and is octal: 80");
    message("src 010.0.0.1", "\"010\" begins with 0 and is octal: 8");
    message("fwmark 010", "\"010\" begins with 0 and is octal: 8");
    message("sport = *:80", "\"*:80\" means any port");
    message("src 127.0.0.1:*80", "\"127.0.0.1:*80\" means any port");
    message("sport = 65616", "\"65616\" is outside 0 to 65535 and matches no port");
    message("src :65616", "\":65616\" is outside 0 to 65535 and matches no port");
    message("sport >= 65616", "\"65616\" is outside 0 to 65535: the kernel compares with 80");
    message("sport < *", "\"*\" is outside 0 to 65535: the kernel compares with 65535");
    message("src 127.1", "\"127.1\" is read as 127.1.0.0");
    message("src 256", "\"256\" is read as 0.0.1.0");
    message("sport = [80]x", "\"[80]x\": what stands behind the bracket");
    message("sport = inet:80", "\"inet:80\" limits the whole filter to IPv4");
    message("dev != lo", "\"lo\" looks at sockets bound to an interface (SO_BINDTODEVICE)");
    message("dport = 80", "\"dport\" asks for the peer");
    message("fwmark 0x10/0x0f", "\"0x10/0x0f\" wants bits outside its mask");
    message("fwmark 1", "\"1\": the kernel answers filters on marks only with CAP_NET_ADMIN");

    for text in [
        "",
        "sport = :80 or sport = :443",
        "src 127/8",
        "src 193.233.7/24:80",
        "sport = *",
        "sport = :*",
        "src 127.0.0.1:*",
        "sport = 0",
        "src [::1]:80",
        "autobound",
        "not src any",
        "sport = 0x50",
        "( sport 1 or sport 2 ) and sport >= 3",
        "sport 1 and sport 2 or sport 3",
    ] {
        assert_eq!(warnings(text), Vec::<String>::new(), "{text}");
    }
    let text = "sport = :80 or sport = 0120";
    let filter = parse(text).unwrap();
    assert_eq!(
        filter.warnings()[0].render(text),
        "sport = :80 or sport = 0120\n                       ^^^^"
    );
}
