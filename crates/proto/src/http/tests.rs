use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use ha2bgp_core::check::Outcome;
use proptest::prelude::*;

use crate::template::Values;

use super::*;

fn values(vip: &str) -> Values<'static> {
    Values { vip: Some(vip.parse::<IpAddr>().unwrap()), port: Some(8080), service: "web/1" }
}

fn url(text: &str, vip: &str) -> Url {
    text.parse::<UrlTemplate>().unwrap().fill(&values(vip)).unwrap()
}

fn url_error(text: &str) -> String {
    text.parse::<UrlTemplate>().unwrap_err().to_string()
}

#[test]
fn status_sets() {
    let set = |text: &str| text.parse::<StatusSet>().unwrap().to_string();
    assert_eq!(set("200"), "200");
    assert_eq!(set("2xx"), "200-299");
    assert_eq!(set(" 301 , 200-299,300"), "200-301");
    assert_eq!(set("404,2XX,250"), "200-299,404");
    assert_eq!(StatusSet::default().to_string(), "200-299");
    let error = |text: &str| text.parse::<StatusSet>().unwrap_err().to_string();
    assert_eq!(
        error("200, 20x"),
        "\"20x\" at character 6 is not a status: write a code from 100 to 599 (200), a class (2xx) \
         or a range (200-299), with commas between them"
    );
    for bad in ["", "200,", "6xx", "099", "600", "+200", "0200", "2x", "200-", "200-300-400", "é"]
    {
        assert!(error(bad).contains("is not a status"), "{bad}");
    }
    assert!(error("299-200").contains("runs backwards: write the smaller code first"));
    assert!(error(&"200,".repeat(64)).starts_with("65 words"));
}

#[test]
fn header_rules() {
    let fields: [(&str, &[u8]); 4] = [
        ("Content-Type", b" text/html "),
        ("X-Cache", b"MISS"),
        ("x-cache", b"HIT"),
        ("Odd", b"\xff\n"),
    ];
    let complaint = |rule: &str| {
        let rule: HeaderRule = rule.parse().unwrap();
        rule.complaint(fields.into_iter()).unwrap_or_default()
    };
    for good in
        ["content-type", "CONTENT-TYPE: text/html", "x-cache: HIT", "x-cache: /^M/", "!server"]
    {
        assert_eq!(complaint(good), "", "{good}");
    }
    assert_eq!(complaint("server"), "header server is missing");
    assert_eq!(complaint("server: nginx"), "header server is missing, expected \"nginx\"");
    assert_eq!(complaint("x-cache: hit"), "header x-cache is \"MISS\", expected \"hit\"");
    assert_eq!(complaint("!x-cache"), "header x-cache is \"MISS\", expected none");
    assert_eq!(complaint("odd: /a/"), "header odd is \"\\xff\", expected /a/");
    let error = |text: &str| text.parse::<HeaderRule>().unwrap_err().to_string();
    assert!(error("").starts_with("\"\" is not the name of a header"));
    assert!(error("a b: c").starts_with("\"a b\" is not the name"));
    assert!(error("a:").contains("write one, or \"a\" alone"));
    assert!(error("!a: b").contains("cannot have a value"));
    assert!(error("a: /(/").starts_with("header a: /(/ is not a regular expression"));
}

#[test]
fn responses_are_judged() {
    let judge = |status: u16, body: &[u8], truncated| {
        let expectation = Expectation {
            headers: vec!["server: /nginx/".parse().unwrap()],
            body: vec![
                BodyRule::contains("OK".parse().unwrap()),
                BodyRule { pattern: "/(?i)error/".parse().unwrap(), absent: true },
            ],
            ..Expectation::default()
        };
        let fields: [(&str, &[u8]); 1] = [("Server", b"nginx/1.26")];
        let result = expectation.judge(status, fields.into_iter(), body, truncated);
        format!("{} {}", result.outcome, result.detail)
    };
    assert_eq!(judge(204, b"OK", false), "pass status 204");
    assert_eq!(judge(503, b"OK", false), "fail status 503, expected 200-299");
    assert_eq!(
        judge(200, b"<html>\n", false),
        "fail body does not contain \"OK\"; it begins \"<html>\\n\""
    );
    assert_eq!(judge(200, b"", false), "fail body does not contain \"OK\"; it is empty");
    assert_eq!(
        judge(200, b"abc", true),
        "fail body does not contain \"OK\" in its first 3 octets, the most that are read; it \
         begins \"abc\""
    );
    assert_eq!(
        judge(200, b"OK or ERROR", false),
        "fail body contains /(?i)error/, expected not to"
    );
    let none = Expectation::default();
    assert!(!none.needs_body());
    assert_eq!(none.judge(200, [].into_iter(), b"", false).outcome, Outcome::Pass);
}

#[test]
fn urls_are_filled() {
    let v4 = url("http://{vip}/healthz", "192.0.2.1");
    assert_eq!(v4.to_string(), "http://192.0.2.1/healthz");
    assert_eq!((v4.port, v4.host.as_str(), v4.authority.as_str()), (80, "192.0.2.1", "192.0.2.1"));
    let v6 = url("HTTPS://{vip}:{port}?of={service}&at={vip}", "2001:db8::1");
    assert_eq!(v6.to_string(), "https://[2001:db8::1]:8080/?of=web%2F1&at=2001:db8::1");
    assert_eq!((v6.port, v6.host.as_str()), (8080, "2001:db8::1"));
    assert_eq!(url("http://{vip}:8081", "::1").to_string(), "http://[::1]:8081/");
    assert_eq!(url("https://{vip}:443/", "::1").authority, "[::1]");
    assert_eq!(url("http://[2001:db8::2]:81/", "::1").address, "2001:db8::2".parse().ok());
    let name = url("http://Www.Example.com.:{port}/a%20b", "::1");
    assert_eq!(name.to_string(), "http://www.example.com.:8080/a%20b");
    assert_eq!(name.address, None);
    let template: UrlTemplate = "http://example.com/{service}".parse().unwrap();
    assert!(!template.uses_vip() && !template.uses_port() && template.uses_service());
    assert_eq!(template.host_name(), Some("example.com"));
    let missing = "http://{vip}:{port}/".parse::<UrlTemplate>().unwrap();
    let none = Values { vip: None, port: Some(1), service: "" };
    assert!(missing.fill(&none).unwrap_err().to_string().starts_with("{vip} has no value"));
}

#[test]
fn url_errors_name_the_word() {
    assert_eq!(
        url_error("htps://{vip}/"),
        "\"htps\" is not a scheme that is known: did you mean https? begin with http:// or https://"
    );
    assert!(url_error("{vip}/").starts_with("\"{vip}/\" is not a scheme"));
    let user = url_error("http://me:secret@{vip}/");
    assert!(user.starts_with("\"me@\" gives a user") && !user.contains("secret"), "{user}");
    assert!(url_error("http://{service}/").starts_with("\"{service}\" is not a host"));
    assert!(url_error("http:///x").starts_with("\"\" is not a host"));
    for host in ["2001:db8::1", "[::1", "[x]", "1.2.3", "a..b", "-a", "a b", "é.com", "[fe80::1%1]"]
    {
        let error = url_error(&format!("http://{host}/"));
        assert!(error.contains("is not a host"), "{host}: {error}");
    }
    assert!(url_error("http://[{vip}]:80/").contains("remove them"));
    for port in ["", "0", "65536", "+80", "http", "{vip}"] {
        let error = url_error(&format!("http://a:{port}/"));
        assert!(error.contains(&format!("\"{port}\" is not a port")), "{error}");
    }
    assert!(url_error("http://a/b c").starts_with("\" \" cannot stand in a URL"));
    assert!(url_error("http://a/é").contains("%XX"));
    assert!(url_error("http://a/\n").starts_with("\"\\n\" cannot"));
    assert!(url_error("http://a/%2").starts_with("\"%2\" is not %XX"));
    assert!(url_error("http://a/#b").starts_with("\"#b\" is never sent"));
    assert!(url_error("http://a/{{x}}").starts_with("\"{\" cannot stand"));
    assert!(url_error("http://{vpi}/").contains("did you mean {vip}?"));
    assert!(url_error(&format!("http://a/{}", "a".repeat(MAX_LENGTH))).contains("2049"));
}

const MAX_LENGTH: usize = MAX_URL - 8;

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_http_expectation(&octets);
    }

    #[test]
    fn nearly_right_input(
        url in "https?://(\\{vip\\}|[a-z0-9.:\\[\\]-]{0,8})(:(\\{port\\}|[0-9]{0,5}))?[/?a{}%#:]{0,6}",
        status in "[0-6x,-]{0,9}", header in "!?[a-c]{0,2}(: ?[/a-c]{0,4})?", body in "[/a-c.*]{0,5}",
        answer in 99_u16..601, response in "([a-c]{1,2}:[a-c]{0,3}\n){0,3}\n?[a-c]{0,80}",
    ) {
        let input = format!("{url}\n{status}\n{header}\n{body}\n{answer}\n{response}");
        fuzz_http_expectation(input.as_bytes());
    }

    #[test]
    fn sets_hold_what_their_words_hold(
        words in proptest::collection::vec((100_u16..600, 0_u16..50), 1..6), probe in 0_u16..700,
    ) {
        let range = |(first, more): &(u16, u16)| (*first, (first + more).min(599));
        let texts: Vec<_> = words.iter().map(range).map(|(a, b)| format!("{a}-{b}")).collect();
        let set: StatusSet = texts.join(",").parse().unwrap();
        let wanted = words.iter().map(range).any(|(a, b)| (a..=b).contains(&probe));
        prop_assert_eq!(set.contains(probe), wanted);
    }
}
