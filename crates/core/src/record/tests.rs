use alloc::sync::Arc;
use alloc::vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use crate::config::{CheckConfig, CheckKind, OnFailure, Powers, ServiceConfig};
use crate::damping::DampingConfig;
use crate::fact::{Listener, LocalAddress, Protocol, Source};
use crate::guard::GuardConfig;
use crate::net::{Networks, NextHop};
use crate::overrides::{OverrideId, OverrideKind};
use crate::rule::Rule;

/// Everything that is written, read line by line.
fn read(text: &str) -> Result<Vec<(Instant, Entry)>, RecordError> {
    let mut reader = Reader::default();
    reader.line(HEAD)?;
    let mut entries = Vec::new();
    for line in text.lines() {
        entries.extend(reader.line(line)?);
    }
    Ok(entries)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|it| IpAddr::V4(it.into())),
        any::<u128>().prop_map(|it| IpAddr::V6(it.into())),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (ip(), 0..=32u8).prop_map(|(ip, length)| Prefix::truncating(ip, length).unwrap())
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,8}|[ %,=:/*-]{0,4}|.{0,4}".prop_map(Into::into)
}

fn moment() -> impl Strategy<Value = Instant> {
    any::<u64>().prop_map(|it| Instant::START + Duration::from_micros(it))
}

fn time() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(Outcome::ALL.to_vec())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec![Protocol::Tcp, Protocol::Udp])
}

fn socket() -> impl Strategy<Value = SocketId> {
    (protocol(), any::<u64>()).prop_map(|(protocol, cookie)| SocketId { protocol, cookie })
}

fn address_id() -> impl Strategy<Value = AddressId> {
    (ip(), any::<u8>(), any::<u32>()).prop_map(|(ip, prefix_length, interface)| AddressId {
        ip,
        prefix_length,
        interface,
    })
}

fn observation() -> impl Strategy<Value = Observation> {
    let address = prop_oneof![
        ip().prop_map(ListenAddress::Address),
        Just(ListenAddress::AnyV4),
        Just(ListenAddress::AnyV6Only),
        Just(ListenAddress::AnyDual),
    ];
    let state = prop::sample::select(vec![
        AddressState::Usable,
        AddressState::Tentative,
        AddressState::DadFailed,
        AddressState::LinkDown,
    ]);
    let source = || prop::sample::select(Source::ALL.to_vec());
    prop_oneof![
        (socket(), address, any::<u16>())
            .prop_map(|(id, address, port)| Listener { id, address, port })
            .prop_map(Observation::ListenerOpened),
        socket().prop_map(Observation::ListenerClosed),
        (address_id(), text(), prop::option::of(text()), any::<bool>(), state)
            .prop_map(|(id, device, label, loopback, state)| {
                LocalAddress { id, device, label, loopback, state }
            })
            .prop_map(Observation::AddressChanged),
        address_id().prop_map(Observation::AddressRemoved),
        (any::<u32>(), prop::option::of(ip()), outcome(), text()).prop_map(
            |(check, vip, outcome, detail)| Observation::Probed {
                check: CheckKey { check: CheckIndex(check), vip },
                result: ProbeResult { outcome, detail, more: None },
            }
        ),
        source().prop_map(Observation::Complete),
        (source(), text()).prop_map(|(source, error)| Observation::Failed { source, error }),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::All),
        text().prop_map(Scope::Service),
        prefix().prop_map(Scope::Network),
    ]
}

fn over() -> impl Strategy<Value = Override> {
    let kind = prop::sample::select(OverrideKind::ALL.to_vec());
    (any::<u64>(), scope(), kind, prop::option::of(moment()))
        .prop_map(|(id, scope, kind, until)| Override { id: OverrideId(id), scope, kind, until })
}

fn rule() -> impl Strategy<Value = Rule<CheckIndex>> {
    let leaf = any::<u32>().prop_map(|it| Rule::Check(CheckIndex(it)));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Rule::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Rule::Any),
            inner.clone().prop_map(|it| Rule::Not(it.into())),
            prop::collection::vec((1..9u32, inner), 1..3)
                .prop_map(|of| Rule::AtLeast { needed: 1, of }),
        ]
    })
}

fn service() -> impl Strategy<Value = ServiceConfig> {
    let damping = prop::option::of((1..9u32, 5001..9000u32).prop_map(|(penalty, suppress)| {
        let max_suppress = Duration::from_secs(3600);
        DampingConfig { penalty, suppress, max_suppress, ..DampingConfig::default() }
    }));
    let places =
        (text(), prop::collection::vec(ip(), 0..3), prop::collection::vec(prefix(), 0..3), rule());
    let ways = (any::<bool>(), prop::sample::select(OnFailure::ALL.to_vec()));
    (places, time(), time(), damping, ways).prop_map(
        |(places, up_delay, down_delay, damping, (warn_depreferences, on_failure))| {
            let (name, vips, networks, rule) = places;
            ServiceConfig {
                name,
                vips,
                networks,
                rule,
                up_delay,
                down_delay,
                damping: damping.filter(|it| it.validate().is_ok()),
                warn_depreferences,
                on_failure,
            }
        },
    )
}

fn check() -> impl Strategy<Value = CheckConfig> {
    let kind = prop_oneof![
        prop::collection::vec((protocol(), any::<u16>()), 0..3)
            .prop_map(|ports| CheckKind::Listen { ports }),
        prop::collection::vec("[a-z:]{1,5}[*]?", 0..3).prop_map(|globs| {
            let devices: Vec<_> = globs.iter().map(|it| it.parse().unwrap()).collect();
            CheckKind::Address { labels: devices.clone(), devices }
        }),
        (any::<bool>(), any::<u32>(), any::<u32>(), outcome()).prop_map(
            |(per_vip, rise, fall, initial)| {
                CheckKind::Probe { per_vip, counting: Counting { rise, fall, initial } }
            }
        ),
    ];
    (text(), kind, (outcome(), outcome(), outcome()), any::<bool>()).prop_map(
        |(name, kind, (on_warn, on_fail, on_unknown), shadow)| CheckConfig {
            name,
            kind,
            powers: Powers { on_warn, on_fail, on_unknown },
            shadow,
        },
    )
}

fn config() -> impl Strategy<Value = EngineConfig> {
    let whole = (
        prop::collection::vec(prefix(), 0..3),
        prop_oneof![Just(NextHop::SelfAddress), ip().prop_map(NextHop::Address)],
        prop::option::of((1..u32::MAX, time()).prop_map(|(count, per)| GuardConfig { count, per })),
        any::<bool>(),
    );
    let checks = prop::collection::btree_map(any::<u32>().prop_map(CheckIndex), check(), 0..3);
    (whole, checks, service(), prop::collection::vec(service(), 0..3)).prop_map(
        |((networks, next_hop, guard, require_all_ports), checks, defaults, services)| {
            EngineConfig {
                networks: Networks::new(networks),
                next_hop,
                guard,
                require_all_ports,
                checks,
                defaults,
                services,
                ..EngineConfig::default()
            }
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let reason = prop::sample::select(Reason::ALL.to_vec());
    let verb = prop::sample::select(Verb::ALL.to_vec());
    prop_oneof![
        8 => observation().prop_map(Input::Observation).prop_map(Entry::Input),
        1 => (prop::collection::vec(ip(), 0..3), moment())
            .prop_map(|(vips, until)| Entry::Input(Input::Remember { vips, until })),
        1 => prop::collection::vec(over(), 0..3)
            .prop_map(|all| Entry::Input(Input::SetOverrides(all))),
        1 => scope().prop_map(|scope| Entry::Input(Input::ResetDamping(scope))),
        1 => Just(Entry::Input(Input::Timeout)),
        1 => Just(Entry::Input(Input::Shutdown)),
        2 => config().prop_map(|it| Entry::Input(Input::Reconfigure(it.into()))),
        1 => config().prop_map(|it| Entry::Start(it.into())),
        1 => any::<u64>().prop_map(Entry::Missing),
        2 => (prefix(), verb, reason)
            .prop_map(|(prefix, verb, reason)| Entry::Decision(Decision { prefix, verb, reason })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(at in moment(), entries in prop::collection::vec(entry(), 1..4)) {
        let text: String = entries.iter().map(|entry| write(at, entry)).collect();
        let want: Vec<_> = entries.into_iter().map(|entry| (at, entry)).collect();
        prop_assert_eq!(read(&text), Ok(want), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[0-9]{1,3} [a-z>-]{1,8}( [a-z0-9:./,%=-]{0,9}){0,5}\n") {
        let _ = read(&text);
    }
}

#[test]
fn errors_have_their_places() {
    let fails = |text: &str| read(text).unwrap_err();
    for (line, span, what) in [
        ("x timeout", 0..1, "a moment"),
        ("5", 1..1, "what happened"),
        ("5 dance", 2..7, "an input that this version knows"),
        ("5 listen sctp 1 any 80", 9..13, "tcp or udp"),
        ("5 listen tcp 1 any 80000", 19..24, "a port"),
        ("5 timeout now", 10..13, "the end of the line"),
        ("5 > gone 100.64.0.1/32 healthy", 4..8, "announced, last-choice or withdrawn"),
        ("+ end", 0..1, "a moment: no configuration is above"),
        ("9 timeout\n5 timeout", 0..1, "not before the one above"),
        ("5 start networks=x", 8..18, "networks="),
    ] {
        let error = fails(line);
        assert_eq!(error.span, span, "{line}: {error}");
        assert!(error.what.contains(what), "{line}: {error}");
    }
    let open = write(Instant::START, &Entry::Start(EngineConfig::default().into()));
    let open = open.replace("+ end\n", "5 timeout");
    assert!(fails(&open).what.contains("has no end"), "{open}");
    assert!(Reader::default().line("ha2bgp-record 2").is_err());
}

/// A new engine that reads a checkpoint announces what the old one does.
#[test]
fn a_checkpoint_brings_a_new_engine_there() {
    let mut config = EngineConfig {
        networks: Networks::new(vec!["100.64.0.0/24".parse().unwrap()]),
        ..EngineConfig::default()
    };
    let counting = Counting { rise: 2, fall: 2, initial: Outcome::Fail };
    let kind = CheckKind::Probe { per_vip: true, counting };
    let page = config.add_check(CheckConfig { name: "page".into(), kind, ..CheckConfig::listen() });
    config.defaults.rule = Rule::All(vec![Rule::Check(crate::config::LISTEN), Rule::Check(page)]);
    let mut engine = crate::engine::Engine::new(config.clone(), Instant::START);
    let at = |seconds| Instant::START + Duration::from_secs(seconds);
    for (number, outcome) in [(1, Outcome::Pass), (2, Outcome::Fail), (3, Outcome::Pass)] {
        let vip: IpAddr = [100, 64, 0, number].into();
        let id = SocketId { protocol: Protocol::Tcp, cookie: number.into() };
        let listener = Listener { id, address: ListenAddress::Address(vip), port: 80 };
        engine.handle(Input::Observation(Observation::ListenerOpened(listener)), at(0));
        for _ in 0..2 {
            let check = CheckKey { check: page, vip: Some(vip) };
            let result = ProbeResult { outcome, detail: "".into(), more: None };
            engine.handle(Input::Observation(Observation::Probed { check, result }), at(0));
        }
    }
    for source in Source::ALL {
        engine.handle(Input::Observation(Observation::Complete(source)), at(0));
    }
    engine.handle(Input::Timeout, at(100));
    let scope = Scope::Network("100.64.0.3/32".parse().unwrap());
    let over = Override { id: OverrideId(1), scope, kind: OverrideKind::ForceDown, until: None };
    engine.handle(Input::SetOverrides(vec![over]), at(100));
    let mut other = crate::engine::Engine::new(config, at(100));
    for input in engine.checkpoint(at(100)) {
        other.handle(input, at(100));
    }
    assert_eq!(engine.routes().len(), 1);
    assert_eq!(engine.routes(), other.routes());
    let known = |engine: &crate::engine::Engine| {
        let all = engine.explain_all(at(100)).filter(|it| it.announced);
        all.map(|it| (it.prefix, it.reason)).collect::<Vec<_>>()
    };
    assert_eq!(known(&engine), known(&other));
}
