//! How inputs and outputs of the engine are written in scenario files and failure messages.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::config::{CheckConfig, CheckKind, EngineConfig, OnFailure, Powers, ServiceConfig};
use ha2bgp_core::engine::Input;
use ha2bgp_core::event::{Cause, Event};
use ha2bgp_core::explain::{CheckExplanation, RuleExplanation, RulePart};
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::guard::GuardConfig;
use ha2bgp_core::net::Networks;
use ha2bgp_core::overrides::{Override, OverrideId, OverrideKind, Scope};
use ha2bgp_core::rule::{Name, Rule, parse};
use ha2bgp_core::time::Instant;

/// Reads `250ms`, `3s` or `2m`.
pub(crate) fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("bad duration {text}"));
    match &text[digits.len()..] {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(60 * number),
        unit => panic!("bad unit {unit} in {text}"),
    }
}

/// Writes a moment as seconds, without trailing zeros.
pub(crate) fn moment(at: Instant) -> String {
    let text = at.to_string();
    let digits = text.trim_end_matches('s').trim_end_matches('0').trim_end_matches('.');
    format!("{digits}s")
}

/// Applies one `key=value` of a `config` line.
pub(crate) fn configure(config: &mut EngineConfig, setting: &str) {
    let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
    let damping = || panic!("damping is off");
    match key {
        "networks" => {
            config.networks =
                Networks::new(value.split(',').map(|net| net.parse().unwrap()).collect());
        }
        "up-delay" => config.defaults.up_delay = duration(value),
        "down-delay" => config.defaults.down_delay = duration(value),
        "devices" => config.devices = value.split(',').map(|glob| glob.parse().unwrap()).collect(),
        "labels" => config.labels = value.split(',').map(|glob| glob.parse().unwrap()).collect(),
        "require-all-ports" => config.require_all_ports = true,
        "services-max" => config.services_max = value.parse().unwrap(),
        "damping" if value == "off" => config.defaults.damping = None,
        "max-suppress" => {
            config.defaults.damping.as_mut().unwrap_or_else(damping).max_suppress = duration(value);
        }
        "check" => {
            config.add_check(check(value));
        }
        "service" => config.services.push(service(value, config)),
        "rule" => config.defaults.rule = rule(value, &config.checks),
        "guard" => {
            config.guard = value.split_once('/').map(|(count, per)| GuardConfig {
                count: count.parse().unwrap(),
                per: duration(per),
            });
        }
        "no-services" => config.services.clear(),
        "no-check" => {
            config.checks.retain(|_, check| *check.name != *value);
        }
        "on-failure" => {
            config.defaults.on_failure =
                *OnFailure::ALL.iter().find(|it| it.name() == value).unwrap();
        }
        "on-warn" => config.defaults.warn_depreferences = value == "depreference",
        other => panic!("unknown setting {other}"),
    }
}

/// Reads `page,vip,rise=2,fall=3`: a check that is probed, by VIP or for all.
fn check(value: &str) -> CheckConfig {
    let mut words = value.split(',');
    let name = words.next().unwrap();
    let (mut per_vip, mut shadow) = (false, false);
    let (mut counting, mut powers) = (Counting::default(), Powers::default());
    for word in words {
        match word.split_once(':').unwrap_or((word, "")) {
            ("vip", "") => per_vip = true,
            ("shadow", "") => shadow = true,
            ("rise", count) => counting.rise = count.parse().unwrap(),
            ("fall", count) => counting.fall = count.parse().unwrap(),
            ("initial", text) => counting.initial = outcome(text),
            ("on-warn", text) => powers.on_warn = outcome(text),
            ("on-fail", text) => powers.on_fail = outcome(text),
            ("on-unknown", text) => powers.on_unknown = outcome(text),
            other => panic!("unknown word of a check {other:?}"),
        }
    }
    let kind = match name {
        "listen443" => CheckKind::Listen { ports: vec![(Protocol::Tcp, 443)] },
        "eth0" => CheckKind::Address { devices: vec!["eth0".parse().unwrap()], labels: vec![] },
        _ => CheckKind::Probe { per_vip, counting },
    };
    CheckConfig { name: name.into(), kind, powers, shadow }
}

/// Reads `web;100.64.0.10;all(listen,page)`: name, VIPs or networks, rule.
fn service(value: &str, config: &EngineConfig) -> ServiceConfig {
    let mut words = value.split(';');
    let name = words.next().unwrap().into();
    let (mut vips, mut networks) = (Vec::new(), Vec::new());
    for place in words.next().unwrap().split(',') {
        match place.parse() {
            Ok(vip) => vips.push(vip),
            Err(_) => networks.push(place.parse().unwrap()),
        }
    }
    let rule = words.next().map_or(config.defaults.rule.clone(), |text| rule(text, &config.checks));
    ServiceConfig { name, vips, networks, rule, ..config.defaults.clone() }
}

fn rule(text: &str, checks: &BTreeMap<CheckIndex, CheckConfig>) -> Rule<CheckIndex> {
    let find = |name: &Name| {
        let found = checks.iter().find(|(_, check)| *check.name == *name.text);
        found.map(|(index, _)| *index).ok_or_else(|| name.text.clone())
    };
    parse(text).unwrap().try_map(&mut |name| find(name)).unwrap()
}

fn outcome(text: &str) -> Outcome {
    *Outcome::ALL.iter().find(|outcome| outcome.name() == text).unwrap()
}

/// Reads an input: `listen 1 tcp 100.64.0.10:80`, `close 1`, `address …`, `complete listen`, …
pub(crate) fn input(words: &[&str]) -> Input {
    Input::Observation(match words {
        ["listen", id, protocol, socket] => {
            let (address, port) = socket.rsplit_once(':').unwrap();
            let address = match address {
                "*" => ListenAddress::AnyDual,
                "[::]" => ListenAddress::AnyV6Only,
                text => ListenAddress::new(text.trim_matches(['[', ']']).parse().unwrap(), true),
            };
            let id = socket_id(protocol, id);
            Observation::ListenerOpened(Listener { id, address, port: port.parse().unwrap() })
        }
        ["close", id, protocol] => Observation::ListenerClosed(socket_id(protocol, id)),
        ["address", entry, device, rest @ ..] => {
            let (device, label) = match device.split_once(':') {
                Some((name, _)) => (name, Some((*device).into())),
                None => (*device, None),
            };
            Observation::AddressChanged(LocalAddress {
                id: address_id(entry),
                device: device.into(),
                label,
                loopback: device == "lo",
                state: match rest {
                    [] => AddressState::Usable,
                    ["tentative"] => AddressState::Tentative,
                    ["dadfailed"] => AddressState::DadFailed,
                    ["down"] => AddressState::LinkDown,
                    other => panic!("unknown address state {other:?}"),
                },
            })
        }
        ["no-address", entry] => Observation::AddressRemoved(address_id(entry)),
        ["complete", name] => Observation::Complete(source(name)),
        ["fail", name] => Observation::Failed { source: source(name), error: "no buffer".into() },
        // By the place among the configured checks, and the VIP where it is for one.
        ["probe", number, word, rest @ ..] => Observation::Probed {
            check: CheckKey {
                check: CheckIndex(1 + number.parse::<u32>().unwrap()),
                vip: rest.first().and_then(|vip| vip.parse().ok()),
            },
            result: ProbeResult::new(outcome(word), "as told"),
        },
        ["shutdown"] => return Input::Shutdown,
        // Each as `1,drain,all` or `2,force-up,100.64.0.10/32,30s`.
        ["overrides", list @ ..] => {
            return Input::SetOverrides(list.iter().map(|text| over(text)).collect());
        }
        ["reset-damping", text] => return Input::ResetDamping(scope(text)),
        ["remember", until, vips @ ..] => {
            return Input::Remember {
                vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
                until: Instant::START + duration(until),
            };
        }
        ["timeout"] => return Input::Timeout,
        other => panic!("unknown input {other:?}"),
    })
}

fn over(text: &str) -> Override {
    let words: Vec<&str> = text.split(',').collect();
    Override {
        id: OverrideId(words[0].parse().unwrap()),
        kind: *OverrideKind::ALL.iter().find(|kind| kind.name() == words[1]).unwrap(),
        scope: scope(words[2]),
        until: words.get(3).map(|until| Instant::START + duration(until)),
    }
}

fn scope(text: &str) -> Scope {
    match text {
        "all" => Scope::All,
        text => text.parse().map_or_else(|_| Scope::Service(text.into()), Scope::Network),
    }
}

fn socket_id(protocol: &str, cookie: &str) -> SocketId {
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => panic!("unknown protocol {other}"),
    };
    SocketId { protocol, cookie: cookie.parse().unwrap() }
}

fn address_id(entry: &str) -> AddressId {
    let (ip, length) = entry.split_once('/').unwrap();
    let ip: IpAddr = ip.parse().unwrap();
    AddressId { ip, prefix_length: length.parse().unwrap(), interface: 1 }
}

fn source(name: &str) -> Source {
    *Source::ALL.iter().find(|source| source.name() == name).unwrap()
}

/// Writes an event in one line.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::ServiceDiscovered { vip, network, next_hop } => {
            format!("discovered {vip} in {network} via {next_hop}")
        }
        Event::ServiceForgotten { vip } => format!("forgotten {vip}"),
        Event::ServiceRefused { vip, services_max } => format!("refused {vip} max {services_max}"),
        Event::HealthChanged { vip, health, reason, cause: by } => {
            format!("{vip} {} {reason}{}", health.name(), cause(by.as_ref()))
        }
        Event::CheckChanged { check, vip, outcome, detail } => {
            let vip = vip.map(|vip| format!(" of {vip}")).unwrap_or_default();
            format!("check {check}{vip} {outcome} ({detail})")
        }
        Event::WouldWithdraw { vip, cause: by } => {
            format!("would-withdraw {vip}{}", cause(by.as_ref()))
        }
        Event::RouteAnnounced { prefix, next_hop, last_choice, reason } => {
            let note =
                if *last_choice { format!(" as the last choice: {reason}") } else { String::new() };
            format!("route {prefix} via {next_hop}{note}")
        }
        Event::RouteWithdrawn { prefix, reason, cause: by } => {
            format!("no-route {prefix} {reason}{}", cause(by.as_ref()))
        }
        Event::Suppressed { vip, penalty, until } => {
            format!("suppressed {vip} penalty {penalty} until {}", moment(*until))
        }
        Event::Released { vip } => format!("released {vip}"),
        Event::WithdrawalHeld { prefix, reason, cause: by, until } => {
            format!("held {prefix} {reason}{} until {}", cause(by.as_ref()), moment(*until))
        }
        Event::OverrideEnded(over) => format!("override-ended {} {}", over.id.0, over.kind.name()),
        Event::Reconfigured { services } => format!("reconfigured {services} services"),
        Event::FirstVerdicts { announced } => format!("first-verdicts {announced} announced"),
        Event::SourceReady { source } => format!("ready {source}"),
        Event::SourceFailed { source, error } => format!("failed {source}: {error}"),
        Event::SourceUnknown { source } => format!("unknown {source}"),
        Event::SourceRecovered { source, failed_for } => {
            format!("recovered {source} after {}s", failed_for.as_secs())
        }
    }
}

fn cause(cause: Option<&Cause>) -> String {
    cause.map(|by| format!(" by {}: {}", by.check, by.detail)).unwrap_or_default()
}

/// Writes what a rule says, part by part.
pub(crate) fn rule_tree(rule: &RuleExplanation, checks: &[CheckExplanation]) -> String {
    let of: Vec<String> = rule.of.iter().map(|part| rule_tree(part, checks)).collect();
    let name = match rule.part {
        RulePart::Check(at) => checks[at].name.to_string(),
        RulePart::All => "all".to_owned(),
        RulePart::Any => "any".to_owned(),
        RulePart::AtLeast(needed) => format!("at-least-{needed}"),
        RulePart::Not => "not".to_owned(),
    };
    let weight = if rule.weight == 1 { String::new() } else { format!("*{}", rule.weight) };
    let outcome = rule.outcome.map_or("no-power", Outcome::name);
    if of.is_empty() {
        return format!("{name}{weight}={outcome}");
    }
    format!("{name}{weight}={outcome}({})", of.join(", "))
}
