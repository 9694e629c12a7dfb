//! What must hold whatever a template says: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use alloc::string::ToString;
use core::net::{IpAddr, Ipv6Addr};

use super::{Template, Values, escape};

/// Any text: it parses or says why; a template always fills when every value is there, and any
/// text survives being escaped.
#[doc(hidden)]
pub fn fuzz_template(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    let values =
        Values { vip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)), port: Some(80), service: "web" };
    match text.parse::<Template>() {
        Ok(template) => {
            let filled = template.fill(&values);
            assert!(filled.is_ok(), "a template with all its values");
            assert_eq!(template.as_str(), text);
            let none = Values { vip: None, port: None, service: "" };
            let needs = template.uses_vip() || template.uses_port();
            assert_eq!(template.fill(&none).is_err(), needs, "only a missing value is an error");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error says why"),
    }
    if let Ok(template) = escape(text).parse::<Template>() {
        assert_eq!(template.fill(&values).as_deref(), Ok(text), "escaped text stays as it is");
    }
}
