use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const V4: Values<'static> =
    Values { vip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), port: Some(80), service: "web" };

fn fill(text: &str, values: &Values<'_>) -> String {
    text.parse::<Template>().unwrap().fill(values).unwrap()
}

fn error(text: &str) -> String {
    text.parse::<Template>().unwrap_err().to_string()
}

#[test]
fn placeholders_are_filled() {
    assert_eq!(fill("-H {vip} -p {port} {service}", &V4), "-H 192.0.2.1 -p 80 web");
    let v6 = Values { vip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)), ..V4 };
    assert_eq!(fill("{vip}", &v6), "::1");
    assert_eq!(fill("{{vip}} }} {{{vip}}}", &V4), "{vip} } {192.0.2.1}");
    assert_eq!(fill("", &V4), "");
    // What is filled in is never looked at again.
    assert_eq!(fill("{service}", &Values { service: "{vip}", ..V4 }), "{vip}");
}

#[test]
fn what_is_used_is_known() {
    let template: Template = "{vip}:{port}".parse().unwrap();
    assert!(template.uses_vip() && template.uses_port() && !template.uses_service());
    assert!(!"{{vip}}".parse::<Template>().unwrap().uses_vip());
}

#[test]
fn errors_name_the_word_and_the_fix() {
    assert_eq!(
        error("x {prot}"),
        "{prot} is no placeholder: did you mean {port}? write {vip}, {port} or {service}, or \
         {{prot}} for a text in braces"
    );
    assert!(error("{address}").contains("did you mean {vip}?"));
    assert!(error("{}").starts_with("{} is no placeholder: write {vip}"), "{}", error("{}"));
    assert_eq!(
        error("é{vip"),
        "\"{\" at character 2 is never closed: add \"}\", or write \"{{\" for a brace"
    );
    assert!(error("{vip{port}").contains("character 1 is never closed"));
    assert!(error("vip}").contains("\"}\" at character 4 closes nothing"));
    assert!(error("a\0").contains("NUL"));
    assert!(error(&"a".repeat(MAX_TEMPLATE + 1)).contains("4097"));
    let none = Values { port: None, ..V4 };
    let missing = "{port}".parse::<Template>().unwrap().fill(&none).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "{port} has no value for this service: give the service a port, or write a number"
    );
}

proptest! {
    #[test]
    fn whatever_it_is(text in "[{}viport a-zé]{0,24}") {
        fuzz_template(text.as_bytes());
    }

    #[test]
    fn escaped_texts_stand_for_themselves(text in "[^\\x00]{0,40}") {
        let template: Template = escape(&text).parse().unwrap();
        prop_assert_eq!(template.fill(&V4).unwrap(), text);
    }
}
