//! Services as people write them: what they come to, and every complaint with its place.

use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, Counting, Outcome};
use ha2bgp_core::config::{CheckKind, OnFailure};
use ha2bgp_core::fact::Protocol;
use ha2bgp_core::rule::Rule;

use crate::config::settings::Settings;
use crate::config::settings::tests::read_with;

fn read(text: &str) -> Result<Settings, String> {
    let text = format!("networks = [\"100.64.0.0/24\", \"2001:db8::/64\"]\n{text}");
    read_with(&["--config", "a.toml"], &[], &[("a.toml", text.as_str())])
}

fn complaint(text: &str) -> String {
    read(text).map(drop).unwrap_err()
}

const WEB: &str = "[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\n";

#[test]
fn a_service_and_its_checks() {
    let settings = read(
        r#"
[defaults]
up-delay = "1s"
damping = { penalty = 100, suppress = 400 , reuse = 90 }
on-warn = "depreference"

[checks.uplink]
type = "tcp"
address = "192.0.2.1"
port = 179
scope = "shared"

[[service]]
name = "web"
vips = ["100.64.0.10", "2001:db8::10"]
down-delay = "0s"
damping = { reuse = 50 }
rule = "all(listen, address, any(https, at-least(2, plain*2, uplink)))"
[service.checks.https]
type = "tcp"
port = 443
interval = "5s"
fast-interval = "1s"
rise = 1
initial = "up"
[service.checks.plain]
type = "tcp"
port = 80
shadow = true

[[service]]
name = "dns"
networks = ["100.64.0.0/28"]
damping = false
on-warn = "announce"
[service.checks.tcp]
port = 443
interval = "5s"
fast-interval = "1s"
[service.checks.listen]
ports = [53]
protocol = "udp"
"#,
    )
    .unwrap();
    let [web, dns] = &settings.engine.services[..] else { panic!("two services") };
    assert_eq!((&*web.name, web.vips.len(), web.networks.len()), ("web", 2, 0));
    assert_eq!((web.up_delay, web.down_delay), (Duration::from_secs(1), Duration::ZERO));
    let damping = web.damping.unwrap();
    assert_eq!((damping.penalty, damping.reuse), (100, 50));
    assert!(web.warn_depreferences && !dns.warn_depreferences && dns.damping.is_none());
    let check = |number| Rule::Check(CheckIndex(number));
    // Its own checks first, then those for all that it names.
    let part = Rule::AtLeast { needed: 2, of: vec![(2, check(3)), (1, check(4))] };
    let any = Rule::Any(vec![check(2), part]);
    assert_eq!(web.rule, Rule::All(vec![check(0), check(1), any]));
    // Its own `listen` stands in the place of the engine's.
    assert_eq!(dns.rule, Rule::All(vec![check(1), check(5), check(6)]));
    let checks = &settings.engine.checks;
    let kinds: Vec<_> = checks.values().map(|check| (&*check.name, &check.kind)).collect();
    assert_eq!(kinds[6], ("listen", &CheckKind::Listen { ports: vec![(Protocol::Udp, 53)] }));
    let check = |number| &checks[&CheckIndex(number)];
    assert_eq!(check(4).powers.on_fail, Outcome::Warn, "shared");
    assert!(check(3).shadow);
    let probed = |number| match &check(number).kind {
        CheckKind::Probe { per_vip, counting } => (*per_vip, *counting),
        other => panic!("{other:?}"),
    };
    let counting = |rise, initial| Counting { rise, fall: 3, initial };
    assert_eq!(probed(2), (true, counting(1, Outcome::Pass)));
    assert_eq!(probed(4), (false, counting(2, Outcome::Unknown)));
    // `https` and `tcp` ask for the same probe, whatever counts for them.
    let places: Vec<usize> = settings.checks.of.values().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 1, 2, 0]);
    assert_eq!(settings.checks.specs.len(), 3);
    let timing = settings.checks.specs[&0].timing;
    assert_eq!((timing.interval, timing.splay), (Duration::from_secs(5), Duration::from_secs(1)));
}

#[test]
fn what_follows_a_failure() {
    let text = "[defaults]\non-failure = \"absorb\"\n[[service]]\n\
                name = \"a\"\nvips = [\"100.64.0.1\"]\n[[service]]\nname = \"b\"\n\
                vips = [\"100.64.0.2\"]\non-failure = \"depreference\"\n";
    let settings = read(text).unwrap();
    let each: Vec<_> = settings.engine.services.iter().map(|it| it.on_failure).collect();
    assert_eq!(each, [OnFailure::Absorb, OnFailure::Depreference]);
    let error = complaint(&text.replace("absorb", "keep"));
    assert!(error.contains("3:14: defaults.on-failure: \"keep\" does not say"), "{error}");
}

#[test]
fn every_complaint_has_its_place() {
    for (text, place, words) in [
        ("[[service]]\nvips = [\"100.64.0.10\"]\n", "2:1: service: ", "name is missing"),
        ("[[service]]\nname = \"web\"\n", "2:1: service: ", "it has no addresses"),
        ("service = 3\n", "2:1: service: ", "write [[service]]"),
        ("[service]\nname = \"web\"\n", "2:2: service: ", "write [[service]]"),
        ("[[service]]\nnam = \"web\"\n", "3:1: service.nam: ", "did you mean name?"),
        ("[[service]]\nname = \"a b\"\n", "3:8: service.name: ", "\"a b\" cannot be the name"),
        (&format!("{WEB}{WEB}"), "6:8: service.name: ", "given twice, first in line 3"),
        (&format!("{WEB}{}", WEB.replace("web", "x")), "7:9: service.vips: ", "first in line 4"),
        (&WEB.replace("10\"", "10/32\""), "4:9: service.vips: ", "without a length"),
        (&WEB.replace("100.64", "192.0"), "4:9: service.vips: ", "none of the networks"),
        (&WEB.replace("vips", "networks").replace("0.10", "1.0/24"), "4:13: ", "none of the netw"),
        (&format!("{WEB}up-delay = 3\n"), "5:12: service.up-delay: ", "unit"),
        (&format!("{WEB}on-warn = \"run\"\n"), "5:11: service.on-warn: ", "depreference"),
        (&format!("{WEB}damping = {{ reuse = 9000 }}\n"), "5:21: ", "below suppress 5000"),
        (
            &format!("{WEB}rule = \"all(listen, pgae)\"\n"),
            "5:21: service.rule: ",
            "no check \"pgae\"",
        ),
        (&format!("{WEB}rule = \"al(listen)\"\n"), "5:9: service.rule: ", "no function"),
        (&format!("{WEB}rule = \"all(listen\"\n"), "5:19: service.rule: ", "end of the rule"),
        (&format!("{WEB}rule = \"all(lisen)\"\n"), "5:13: service.rule: ", "did you mean listen?"),
        (&format!("{WEB}rule = '''\nall(listen,\n  huh)'''\n"), "7:3: ", "no check \"huh\""),
        (&format!("{WEB}checks = 3\n"), "5:1: service.checks: ", "write [service.checks.NAME]"),
        (&format!("{WEB}checks.a = 3\n"), "5:8: service.checks.a: ", "write [service.checks.a]"),
        (&format!("{WEB}[service.checks.a]\n"), "5:17: service.checks.a.type: ", "type is missing"),
        (&format!("{WEB}[service.checks.a]\ntype = \"tpc\"\n"), "6:8: ", "did you mean \"tcp\"?"),
        (&format!("{WEB}[service.checks.a]\ntype = 3\n"), "6:8: ", "this is no type"),
        (
            &format!("{WEB}[service.checks.\"a b\"]\ntype = \"tcp\"\n"),
            "5:17: ",
            "cannot be the name",
        ),
        (&format!("{WEB}[service.checks.all]\ntype = \"tcp\"\n"), "5:17: ", "words of rules"),
        (&format!("{WEB}[service.checks.tcp]\n"), "5:17: service.checks.tcp: ", "port is missing"),
        (
            &format!("{WEB}[service.checks.tcp]\nport = 0\n"),
            "6:8: service.checks.tcp.port: ",
            "port",
        ),
        (&format!("{WEB}[service.checks.tcp]\nports = [1]\n"), "6:1: ", "did you mean port?"),
        (&format!("{WEB}[service.checks.tcp]\nlabels = [1]\n"), "6:1: ", "type \"address\" has it"),
        (&format!("{WEB}[service.checks.tcp]\nport = 1\nrise = 0\n"), "7:8: ", "from 1 to 1000"),
        (&format!("{WEB}[service.checks.tcp]\nport = 1\njitter = \"x\"\n"), "7:10: ", "share"),
        (&format!("{WEB}[service.checks.tcp]\nport = 1\ninterval = \"1us\"\n"), "7:12: ", "often"),
        (
            &format!("{WEB}[service.checks.tcp]\nport = 1\nfast-interval = \"2s\"\n"),
            "7:17: ",
            "longer than the interval",
        ),
        (
            &format!("{WEB}[service.checks.listen]\nprotocol = \"udp\"\n"),
            "6:12: ",
            "there are none",
        ),
        ("[checks.tcp]\nport = 1\n", "2:9: checks.tcp: ", "no rule names \"tcp\""),
        (
            &format!("{WEB}rule = \"all(listen)\"\n[service.checks.tcp]\nport = 1\n"),
            "6:17: service.checks.tcp: ",
            "does not name \"tcp\"",
        ),
        (
            &format!("{WEB}rule = \"tcp\"\n[service.checks.tcp]\nport = 1\nshadow = true\n"),
            "5:8: service.rule: ",
            "all checks of the rule are shadows",
        ),
        (
            &format!(
                "{WEB}rule = \"at-least(2, tcp, listen)\"\n[service.checks.tcp]\nport = 1\n\
                 shadow = true\n"
            ),
            "5:8: service.rule: ",
            "can never pass",
        ),
        (
            &format!(
                "{WEB}rule = \"all(listen, not(tcp))\"\n[service.checks.tcp]\nport = 1\n\
                 scope = \"shared\"\n"
            ),
            "5:8: service.rule: ",
            "not(tcp)",
        ),
        ("[limits]\nplugins = 0\n", "3:11: limits.plugins: ", "1 or more"),
        ("[checks]\ntcp = 1\n", "3:1: checks.tcp: ", "write [checks.tcp]"),
        ("checks = [1]\n", "2:1: checks: ", "write [checks.NAME]"),
    ] {
        let error = complaint(text);
        let place = format!("a.toml:{place}");
        let said = |line: &str| line.starts_with(&place) && line.contains(words);
        assert!(error.lines().any(said), "{text}\n{error}");
    }
}

/// Where a file is no TOML, what seems to be missing there may have been written.
#[test]
fn nothing_is_missing_in_a_broken_file() {
    let error = complaint("[[service]]\nname = \"web\"\nvips = [\n[service.checks.tcp]\n");
    assert_eq!(error.matches("a.toml").count(), 1, "{error}");
}

/// The defaults of the table are good values.
#[test]
fn every_default_is_read() {
    for kind in crate::config::check::KINDS {
        for key in kind.all().filter(|key| !key.default.is_empty()) {
            let value = match key.kind {
                crate::config::file::keys::Kind::Bool
                | crate::config::file::keys::Kind::Number
                | crate::config::file::keys::Kind::NumberOrBool => key.default.to_owned(),
                _ => format!("\"{}\"", key.default),
            };
            let more = if kind.name == "listen" { "ports = [80]\n" } else { "" };
            let text = format!(
                "{WEB}[service.checks.a]\ntype = \"{}\"\n{more}{} = {value}\n",
                kind.name, key.path
            );
            if let Err(error) = read(&text) {
                assert!(!error.contains(&format!("checks.a.{}:", key.path)), "{text}\n{error}");
            }
        }
    }
}

#[test]
fn what_follows_from_a_mistake_is_not_told() {
    let several = |check: &str| {
        let services = (1..=5).map(|n| {
            format!(
                "[[service]]\nname = \"s{n}\"\nvips = [\"100.64.0.{n}\"]\nrule = \"all(listen, up)\"\n"
            )
        });
        format!("[checks.up]\n{check}\n{}", services.collect::<String>())
    };
    for (text, want) in [
        (several("type = \"tpc\""), "did you mean \"tcp\"?"),
        (several("type = \"tcp\"\nport = 80\nrise = 0"), "\"0\" is not a count"),
        (several("type = \"tcp\""), "port is missing"),
        (
            format!("[checks.up]\ntype = \"tcp\"\nport = 80\n{WEB}rule = \"all(up\""),
            "the end of the rule",
        ),
        (format!("{WEB}rule = \"all(listen, up)\"\nchecks = {{ up = 3 }}"), "is a section"),
        (
            format!("{WEB}rule = \"all(listen, up)\"\n[service.checks.up]\ntype = \"x\""),
            "\"x\" is no type of check",
        ),
    ] {
        let error = complaint(&text);
        assert!(error.contains(want), "{text}\n{error}");
        assert_eq!(error.matches("a.toml:").count(), 1, "{text}\n{error}");
    }
    // The next service has no such check.
    let text = format!(
        "{WEB}[service.checks.up]\ntype = \"x\"\n[[service]]\nname = \"b\"\nvips = [\"100.64.0.2\"]\n\
         rule = \"up\""
    );
    assert!(complaint(&text).contains("there is no check \"up\""), "{}", complaint(&text));
}
