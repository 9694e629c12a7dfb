//! How inputs and outputs of the engine are written in scenario files and failure messages.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::engine::Input;
use ha2bgp_core::event::Event;
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::net::Networks;
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
        "up-delay" => config.up_delay = duration(value),
        "down-delay" => config.down_delay = duration(value),
        "devices" => config.devices = value.split(',').map(|glob| glob.parse().unwrap()).collect(),
        "labels" => config.labels = value.split(',').map(|glob| glob.parse().unwrap()).collect(),
        "require-all-ports" => config.require_all_ports = true,
        "services-max" => config.services_max = value.parse().unwrap(),
        "damping" if value == "off" => config.damping = None,
        "max-suppress" => {
            config.damping.as_mut().unwrap_or_else(damping).max_suppress = duration(value);
        }
        other => panic!("unknown setting {other}"),
    }
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
        ["shutdown"] => return Input::Shutdown,
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
        Event::HealthChanged { vip, health, reason } => format!("{vip} {} {reason}", health.name()),
        Event::RouteAnnounced { prefix, next_hop } => format!("route {prefix} via {next_hop}"),
        Event::RouteWithdrawn { prefix, reason } => format!("no-route {prefix} {reason}"),
        Event::Suppressed { vip, penalty, until } => {
            format!("suppressed {vip} penalty {penalty} until {}", moment(*until))
        }
        Event::Released { vip } => format!("released {vip}"),
        Event::FirstVerdicts { announced } => format!("first-verdicts {announced} announced"),
        Event::SourceReady { source } => format!("ready {source}"),
        Event::SourceFailed { source, error } => format!("failed {source}: {error}"),
        Event::SourceUnknown { source } => format!("unknown {source}"),
        Event::SourceRecovered { source, failed_for } => {
            format!("recovered {source} after {}s", failed_for.as_secs())
        }
    }
}
