//! The example of a configuration file: every key there is, at its default, made from the table of
//! keys. All of it is comment, so that what a person does not set stays the default of the version
//! that runs.

use super::keys::{self, Key, Kind};
use super::reference::SECTIONS;
use crate::config::check::KINDS;

/// What stands before the keys.
const HEAD: &str = "\
# ha2bgp: every key of the configuration file. `ha2bgp config example` prints this file, and
# docs/configuration.md says the same as a page. `ha2bgp check-config FILE` says what is wrong.
#
# Behind \"# \" stands text, behind \"#\" alone a key: at its default, or with a value as an example
# where the text says so. To set a key, take its # away, and that of the [section] above it.
";

/// Good values for keys that have no default; other keys get a value of their kind.
const VALUES: &[(&str, &str)] = &[
    ("networks", "[\"100.64.0.0/24\", \"2001:db8:100::/64\"]"),
    ("local-as", "65000"),
    ("router-id", "\"10.1.1.1\""),
    ("listen", "[\"10.0.0.10\"]"),
    ("discover.devices", "[\"lo\", \"eth*\"]"),
    ("discover.labels", "[\"lo:web*\"]"),
    ("discover.haproxy-socket", "\"/run/haproxy/admin.sock\""),
    ("discover.haproxy-config", "[\"/etc/haproxy/haproxy.cfg\"]"),
    ("defaults.route.med", "100"),
    ("defaults.route.communities", "[\"65000:80\"]"),
    ("defaults.route.extended-communities", "[\"target:65000:1\"]"),
    ("defaults.route.large-communities", "[\"65000:1:2\"]"),
    ("service.name", "\"web\""),
    ("service.vips", "[\"100.64.0.10\"]"),
    ("service.networks", "[\"100.64.0.128/25\"]"),
    ("service.rule", "\"all(listen, address)\""),
    ("service.up-delay", "\"6s\""),
    ("service.down-delay", "\"3s\""),
    ("service.on-warn", "\"announce\""),
    ("control.unix", "\"/run/ha2bgp/ha2bgp.sock\""),
    ("control.group", "\"haproxy\""),
    ("peer.address", "\"10.0.0.1\""),
    ("peer.remote-as", "65001"),
    ("peer.local-address", "\"10.0.0.10\""),
    ("peer.password-file", "\"leaf1.key\""),
    ("peer.description", "\"leaf 1\""),
    ("peer.bind-device", "\"eth0\""),
    ("peer.families", "[\"ipv4\", \"ipv6\"]"),
    ("peer.networks", "[\"100.64.0.0/24\"]"),
    ("peer.next-hop", "[\"10.0.0.10\"]"),
    ("peer.role", "\"customer\""),
    ("peer.bfd.min-ttl", "254"),
    ("peer.bfd.auth-type", "\"meticulous-keyed-sha1\""),
    ("peer.bfd.auth-file", "\"leaf1.bfd-key\""),
];

/// The file: `ha2bgp config example`, docs/ha2bgp.example.toml.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (section, _, about) in SECTIONS {
        page.push('\n');
        text(&mut page, &about.replace('`', ""));
        match *section {
            "" => {}
            list @ ("peer" | "service") => page.push_str(&format!("#[[{list}]]\n")),
            section => page.push_str(&format!("#[{section}]\n")),
        }
        let direct = |key: &Key| key.path.rsplit_once('.').map_or("", |(of, _)| of) == *section;
        for key in keys::all().filter(direct) {
            entry(&mut page, &key);
        }
        // Before what TOML would take for a section of something else.
        if *section == "service.damping" {
            checks(&mut page);
        }
    }
    page
}

/// A section of each type of check.
fn checks(page: &mut String) {
    page.push('\n');
    text(
        page,
        "Checks: [service.checks.NAME] below its [[service]], or [checks.NAME] at the top for the \
         rules of all services. Where the name is that of a type, type may be left out.",
    );
    for kind in KINDS {
        page.push('\n');
        text(page, kind.about);
        page.push_str(&format!("#[service.checks.my-{}]\n", kind.name));
        page.push_str(&format!("#type = \"{}\"\n", kind.name));
        for key in kind.all() {
            entry(page, &key);
        }
    }
}

/// A key with what it means.
fn entry(page: &mut String, key: &Key) {
    let name = key.path.rsplit_once('.').map_or(key.path, |(_, name)| name);
    page.push('\n');
    // In TOML it can be the one or the other.
    if key.kind == Kind::Switch && keys::is_section(key.path) {
        let says = format!("{}. {name} = true, false, or its own section below.", key.help);
        return text(page, &says);
    }
    let (value, more) = match (key.default, VALUES.iter().find(|(path, _)| *path == key.path)) {
        ("", Some((_, value))) => ((*value).to_owned(), " For example:"),
        ("", None) => (sample(key.kind).to_owned(), " For example:"),
        (default, _) => (spelled(key.kind, default), ""),
    };
    text(page, &format!("{}.{more}", key.help));
    page.push_str(&format!("#{name} = {value}\n"));
}

/// A default as TOML.
pub(super) fn spelled(kind: Kind, default: &str) -> String {
    let quoted = format!("\"{}\"", default.replace('\\', "\\\\").replace('"', "\\\""));
    let is_number = default.parse::<u64>().is_ok();
    match (kind, default) {
        (Kind::Switch, "on") => "true".to_owned(),
        (Kind::Switch, "off") => "false".to_owned(),
        (Kind::Bool | Kind::Number | Kind::NumberOrBool | Kind::Switch, _) => default.to_owned(),
        (Kind::As | Kind::NumberOrOff | Kind::NumberOrText, _) if is_number => default.to_owned(),
        (Kind::Numbers, _) => format!("[{default}]"),
        (Kind::Texts, _) => format!("[{quoted}]"),
        (
            Kind::Text
            | Kind::Duration
            | Kind::Path
            | Kind::As
            | Kind::NumberOrOff
            | Kind::NumberOrText,
            _,
        ) => quoted,
    }
}

/// Some value of a kind.
const fn sample(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool | Kind::NumberOrBool | Kind::Switch => "true",
        Kind::Number | Kind::NumberOrOff | Kind::NumberOrText => "1",
        Kind::As => "65000",
        Kind::Text => "\"…\"",
        Kind::Duration => "\"1s\"",
        Kind::Path => "\"/path/of/it\"",
        Kind::Texts => "[\"…\"]",
        Kind::Numbers => "[1]",
    }
}

/// Comment lines of at most 100 columns.
fn text(page: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            page.push_str(&line);
            page.push_str("\n#");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    page.push_str(&line);
    page.push('\n');
}

/// The example with every # taken away.
#[cfg(test)]
pub(super) fn uncommented() -> String {
    let page = page();
    let keys = page.lines().filter_map(|line| line.strip_prefix('#'));
    keys.filter(|rest| !rest.starts_with([' ', '#'])).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use crate::cli::flags::assert_fresh;
    use crate::config::settings::tests::read_with;

    #[test]
    fn the_example_is_fresh() {
        assert_fresh("docs/ha2bgp.example.toml", &page());
    }

    /// As it is, it says what no file says.
    #[test]
    fn as_it_is_it_sets_nothing() {
        let page = page();
        let with = read_with(&["--config", "a.toml"], &[], &[("a.toml", &page)]).unwrap();
        let without = read_with(&[], &[], &[]).unwrap();
        assert_eq!(format!("{with:?}"), format!("{without:?}"));
    }

    /// With every # taken away it holds every key, and each value is of its kind.
    #[test]
    fn every_key_is_there_and_can_be_set() {
        let text = uncommented();
        let document = Document::parse(1, "a.toml", &text);
        let errors: Vec<String> = document.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, Vec::<String>::new(), "{text}");
        let own = |key: &Key| key.kind != Kind::Switch || !keys::is_section(key.path);
        let service = &document.services[0];
        for key in keys::all().filter(own) {
            let values = match key.path.split_once('.') {
                Some(("peer", _)) => &document.peers[0].values,
                Some(("service", _)) => &service.section.values,
                _ => &document.values,
            };
            let name = keys::of_entry(key.path).unwrap_or(key.path);
            assert!(!values.is_missing(name), "{}", key.path);
        }
        assert_eq!(service.checks.len(), KINDS.len());
        for check in &service.checks {
            for key in check.kind.all() {
                assert!(!check.values.is_missing(key.path), "{} {}", check.kind.name, key.path);
            }
        }
    }

    #[test]
    fn values_are_for_keys_that_have_no_default() {
        for (path, _) in VALUES {
            assert_eq!(keys::find(path).map(|key| key.default), Some(""), "{path}");
        }
    }
}
