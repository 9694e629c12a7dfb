use alloc::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::template::Values;

fn rule(text: &str) -> ExpectRule {
    text.parse().unwrap()
}

#[test]
fn texts_have_escapes() {
    let octets = |text: &str| text.parse::<SendText>().unwrap().octets;
    assert_eq!(octets(r"EHLO x\r\n"), b"EHLO x\r\n");
    assert_eq!(octets(r"\0\t\\\x00\xfF/é"), b"\0\t\\\x00\xff/\xc3\xa9");
    let error = |text: &str| text.parse::<SendText>().unwrap_err().to_string();
    assert_eq!(
        error(r"é\q"),
        "\"\\q\" at character 2 is no escape: write \\r, \\n, \\t, \\0, \\xHH with two hexadecimal \
         digits, or \\\\ for a backslash"
    );
    assert!(error(r"a\").starts_with("\"\\\" at character 2"));
    assert!(error(r"\xg0").starts_with(r#""\xg0" at character 1"#));
    assert!(error(r"\x1").starts_with(r#""\x1" at"#));
    assert!(error(r"\xé").starts_with("\"\\xé\" at"));
    assert!(error("").contains("leave the key out"));
    assert!(error(&"a".repeat(MAX_SEND + 1)).contains("4097"));
    let bad = |text: &str| text.parse::<ExpectRule>().unwrap_err().to_string();
    assert!(bad("/(/").contains("/(/ is not a regular expression"));
    assert!(bad("//").contains("empty pattern"));
    assert_eq!(rule("/").to_string(), "\"/\"");
    assert_eq!(rule(r"\x2fa/").to_string(), "\"/a/\"");
    assert_eq!(rule("/a/").to_string(), "/a/");
}

#[test]
fn texts_to_send_have_places_to_fill() {
    let values = Values { vip: "192.0.2.1".parse().ok(), port: Some(25), service: r"a\nb" };
    let send = |text: &str| text.parse::<SendTemplate>().unwrap().fill(&values);
    let octets = |text: &str| send(text).unwrap().octets().to_vec();
    assert_eq!(octets(r"EHLO {vip}\r\n"), b"EHLO 192.0.2.1\r\n");
    assert_eq!(octets(r#"{{"{service}":{port}}}\\"#), br#"{"a\nb":25}\"#);
    let error = |text: &str| text.parse::<SendTemplate>().unwrap_err().to_string();
    assert!(error("{prot}").contains("did you mean {port}?"));
    assert!(error(r"\q").contains("is no escape"));
    assert!(error(r"\{vip}").contains("is no escape"));
    assert!(error(r"\x1{vip}").contains("is no escape"));
    assert!(error("").contains("empty"));
    let nowhere = Values { vip: None, ..values };
    let filled = "{vip}".parse::<SendTemplate>().unwrap().fill(&nowhere);
    assert!(filled.unwrap_err().to_string().contains("{vip} has no value"));
    let long = "x".repeat(MAX_SEND);
    let filled = format!("{long}{{service}}").parse::<SendTemplate>();
    assert!(filled.unwrap_err().to_string().contains("may have 4096"));
}

#[test]
fn answers_come_in_pieces() {
    let banner = rule("220 ");
    let mut expect = Expect::new(&banner, DEFAULT_WINDOW);
    assert_eq!(expect.feed(b"22"), Feed::More);
    assert_eq!(expect.feed(b""), Feed::More);
    assert_eq!(expect.feed(b"0 mail\r\n"), Feed::Matched);
    assert_eq!(expect.feed(b"more"), Feed::Matched);
    assert_eq!(&*expect.judge(End::Closed).detail, "answered \"220 mail\\r\\n\"");

    let regex = rule(r"/^220[ -].*\r\n/");
    let mut expect = Expect::new(&regex, 8);
    assert_eq!(expect.feed(b"220 m"), Feed::More);
    assert_eq!(expect.feed(b"ail\r\n"), Feed::Cannot);
    assert_eq!(expect.feed(b"\r\n"), Feed::Cannot);
    assert_eq!(expect.received(), b"220 mail");
}

#[test]
fn failures_say_what_came() {
    let wanted = rule(r"+PONG\r\n");
    let detail = |pieces: &[u8], window, end| {
        let mut expect = Expect::new(&wanted, window);
        expect.feed(pieces);
        let result = expect.judge(end);
        assert_eq!(result.outcome, Outcome::Fail);
        result.detail.to_string()
    };
    assert_eq!(detail(b"", 9, End::TimedOut), "no answer in time, expected \"+PONG\\r\\n\"");
    assert_eq!(detail(b"", 9, End::Closed), "closed without an answer, expected \"+PONG\\r\\n\"");
    assert_eq!(
        detail(b"-ERR\r\n", 9, End::Closed),
        "closed after 6 octets, expected \"+PONG\\r\\n\"; it begins \"-ERR\\r\\n\""
    );
    assert_eq!(
        detail(b"-ERR", 9, End::TimedOut),
        "no more than 4 octets in time, expected \"+PONG\\r\\n\"; it begins \"-ERR\""
    );
    assert_eq!(
        detail(b"HTTP/1.1", 4, End::Full),
        "not in the first 4 octets, expected \"+PONG\\r\\n\"; it begins \"HTTP\""
    );
}

#[test]
fn windows_are_bounded() {
    let never = rule("x");
    let mut expect = Expect::new(&never, usize::MAX);
    for _ in 0..MAX_WINDOW {
        expect.feed(&[b'a'; 100]);
    }
    assert_eq!(expect.received().len(), MAX_WINDOW);
    let regex = rule("/x/");
    let mut expect = Expect::new(&regex, usize::MAX);
    assert_eq!(expect.feed(&[b'a'; MAX_WINDOW]), Feed::Cannot);
    assert_eq!(expect.received().len(), regex.max_window());
    assert_eq!(Expect::new(&never, 0).feed(b"ax"), Feed::Cannot);
}

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_tcp_expect(&octets);
    }

    #[test]
    fn nearly_right_input(
        text in r"[ab]{1,4}|/[ab.$^]{1,4}/|(\\[rn0tx\\]|[a0]){1,4}",
        window in 0_u8..12, size in 0_u8..4, answer in "[ab\r\n]{0,20}",
    ) {
        let mut input = format!("{text}\n").into_bytes();
        input.extend([window, size]);
        input.extend_from_slice(answer.as_bytes());
        fuzz_tcp_expect(&input);
    }

    #[test]
    fn every_octet_can_be_written(octets in proptest::collection::vec(any::<u8>(), 1..40)) {
        let text: String = octets.iter().map(|octet| format!("\\x{octet:02x}")).collect();
        let send: SendText = text.parse().unwrap();
        prop_assert_eq!(send.octets(), &octets);
    }
}

#[test]
fn what_is_sent_is_not_shown() {
    let fixed: SendText = "AUTH secret".parse().unwrap();
    let template: SendTemplate = "AUTH secret {vip}".parse().unwrap();
    let shown = format!("{fixed:?} {template:?}");
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    assert!(shown.contains("11 octets"), "{shown}");
}
