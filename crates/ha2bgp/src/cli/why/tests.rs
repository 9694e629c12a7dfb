use ha2bgp_core::net::{Prefix, never_announced};
use ha2bgp_core::reason::Reason;

use super::*;
use crate::cli::screen::{assert_screens, cut};
use crate::control::api::why::{WhyAround, WhyNear};
use crate::control::why::shown;

fn peers(announced: bool) -> Vec<PeerRoute> {
    let state = if announced { "announced" } else { "withdrawn" };
    let attributes = AttributesShown {
        next_hop: "10.1.1.1".to_owned(),
        as_path: Some(vec![65000]),
        med: Some(100),
        communities: vec!["65000:80".to_owned()],
        ..AttributesShown::default()
    };
    vec![
        PeerRoute {
            peer: "10.0.0.1".to_owned(),
            description: Some("router one".to_owned()),
            state: state.to_owned(),
            attributes: announced.then_some(attributes),
            sent: Some("2026-11-26T12:00:00Z".to_owned()),
            sent_seconds: Some(180.0),
            acknowledged: Some("2026-11-26T12:00:00.002Z".to_owned()),
            acknowledged_after_seconds: Some(0.002),
            ..PeerRoute::default()
        },
        PeerRoute {
            peer: "10.0.0.2".to_owned(),
            state: "not-told".to_owned(),
            why: Some("there is no session".to_owned()),
            ..PeerRoute::default()
        },
    ]
}

/// What is asked of the host elsewhere is made up here.
fn around(stage: &stage::Stage, address: IpAddr, reason: Reason) -> WhyAround {
    let near = stage.engine.near(address, 3);
    WhyAround {
        never: never_announced(address).map(|why| why.text().to_owned()),
        networks: stage.engine.config().networks.iter().map(|net| net.to_string()).collect(),
        near: near
            .iter()
            .map(|near| WhyNear {
                prefix: Prefix::host(near.vip).to_string(),
                service: near.name.to_string(),
                announced: near.announced,
            })
            .collect(),
        filter: "sport = :80 or sport = :443".to_owned(),
        unmatched: match reason {
            Reason::NotDiscovered => vec!["tcp 100.64.0.11:8080".to_owned()],
            _ => Vec::new(),
        },
        matched: Vec::new(),
    }
}

/// Every reason there is, from a real decision. A new one fails here until it has a case and a screen.
#[test]
fn every_reason_has_its_screen() {
    for reason in Reason::ALL {
        let (stage, address) = stage::of(reason);
        let scene = stage.scene();
        let address = address.parse().unwrap();
        let all = stage.engine.explain(Prefix::host(address), scene.now);
        assert_eq!(all.reason, reason, "the stage of {reason}");
        let mut why = shown(&scene, &all);
        match &why.service {
            Some(_) => why.peers = peers(why.announced),
            None => why.around = Some(around(&stage, address, reason)),
        }
        let show = |screen| show(&why, screen, &TimeZone::UTC);
        assert_screens(&format!("why-{reason}"), show);
        let first = show(Screen { width: None, color: false });
        let first = first.lines().next().unwrap();
        let is = if why.announced { " is announced" } else { " is not announced" };
        assert!(first.contains(is) && first.contains(&format!("({reason})")), "{first}");
    }
}

#[test]
fn nothing_from_outside_reaches_the_terminal() {
    let (stage, _) = stage::of(Reason::CheckFailed);
    let scene = stage.scene();
    let prefix = Prefix::host(stage::VIP.parse().unwrap());
    let mut why = shown(&scene, &stage.engine.explain(prefix, scene.now));
    let evil = "\x1b]0;evil\x07\u{202e}";
    why.peers = peers(true);
    for peer in &mut why.peers {
        peer.description = Some(evil.to_owned());
        peer.why = Some(evil.to_owned());
    }
    let service = why.service.as_mut().unwrap();
    service.name = evil.to_owned();
    service.decider = Some(evil.to_owned());
    service.rule.part = evil.to_owned();
    let check = service.rule.of[2].of[0].check.as_mut().unwrap();
    check.detail = Some(evil.to_owned());
    let text = show(&why, Screen { width: Some(80), color: false }, &TimeZone::UTC);
    assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
    assert_eq!(text.matches("evil").count(), 8, "{text}");
    assert_eq!(cut(evil, 3), "\x1b]…");
}
