//! `GET /v1/why/{address}` and `GET /v1/services/{service}`: why addresses are announced, or not.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ha2bgp_core::Health;
use ha2bgp_core::explain::{
    CheckExplanation, Explanation, RuleExplanation, RulePart, ServiceExplanation,
};
use ha2bgp_core::fact::{ListenAddress, Listener};
use ha2bgp_core::net::{Prefix, never_announced};

use super::api::why::{
    Why, WhyAround, WhyCheck, WhyDamping, WhyHeld, WhyNear, WhyOtherwise, WhyRule, WhyService, Whys,
};
use super::api::{Code, Refusal, json};
use super::calls::Api;
use super::read::exact;
use super::route::cut;
use super::scene::{Around, Known, Scene, Services};
use crate::observe::listen::{ListenConfig, listeners_of};

/// So many sockets are told at most.
const SOCKETS_MAX: usize = 8;

/// Answers.
///
/// # Errors
/// When that is no address, or the engine does not answer.
pub async fn answer(api: &Api, names: &[String]) -> Result<Vec<u8>, Refusal> {
    let text = names.first().map_or("", String::as_str);
    let address: IpAddr = text.parse().map_err(|_| Refusal {
        field: Some("address".to_owned()),
        value: Some(cut(text)),
        ..Refusal::new(
            Code::BadValue,
            format!("\"{}\" is no IP address: ask for example for 192.0.2.1", cut(text)),
        )
    })?;
    let known = api.engine.why(address.to_canonical()).await?;
    let Known { scene, explanation, around } = &*known;
    let mut why = shown(scene, explanation);
    match &explanation.service {
        Some(_) => {
            why.peers = exact(api, scene, explanation.prefix, explanation.announced).await;
        }
        None => why.around = Some(self::around(address.to_canonical(), around)),
    }
    Ok(json(&why))
}

/// Some services with all that is known of them.
pub(super) async fn page(api: &Api, found: &Services, next: Option<String>) -> Whys {
    let mut services = Vec::with_capacity(found.page.services.len());
    for all in &found.page.services {
        let peers = exact(api, &found.scene, all.prefix, all.announced).await;
        services.push(Why { peers, ..shown(&found.scene, all) });
    }
    Whys { services, next }
}

/// All but what the peers were told.
pub(crate) fn shown(scene: &Scene, all: &Explanation) -> Why {
    Why {
        prefix: all.prefix.to_string(),
        announced: all.announced,
        reason: all.reason.code().to_owned(),
        text: all.reason.text().to_owned(),
        service: all.service.as_ref().map(|it| service(scene, all, it)),
        around: None,
        peers: Vec::new(),
    }
}

fn service(scene: &Scene, all: &Explanation, service: &ServiceExplanation) -> WhyService {
    let ports = |ports: &[ha2bgp_core::Port]| {
        ports.iter().map(|(protocol, port)| format!("{protocol}/{port}")).collect()
    };
    let (own_announced, own_reason) = service.own;
    let other = own_announced != all.announced || own_reason != all.reason;
    let said = |id: u64| scene.overrides.iter().find(|over| over.id == id).cloned();
    WhyService {
        name: service.name.to_string(),
        network: service.network.to_string(),
        health: service.health.name().to_owned(),
        since: scene.moment(service.since),
        for_seconds: scene.ago(service.since),
        last_choice: service.last_choice,
        decider: service
            .decider
            .and_then(|at| service.checks.get(at))
            .filter(|_| service.health != Health::Healthy)
            .map(|check| check.name.to_string()),
        rule: rule(scene, &service.rule, &service.checks),
        ports: ports(&service.ports),
        ports_missing: ports(&service.ports_missing),
        delay_left_seconds: service.delay_until.map(|at| scene.left(at)),
        delay_announces: !own_announced,
        damping: service.damping.map(|config| WhyDamping {
            penalty: service.penalty,
            suppress: config.suppress,
            reuse: config.reuse,
            left_seconds: service.suppressed_until.map(|at| scene.left(at)),
        }),
        held: service.held.map(|(since, room)| WhyHeld {
            for_seconds: scene.ago(since),
            room_in_seconds: scene.left(room),
        }),
        overrides: service.overrides.iter().filter_map(|over| said(over.id.0)).collect(),
        otherwise: other.then(|| WhyOtherwise {
            announced: own_announced,
            reason: own_reason.code().to_owned(),
            text: own_reason.text().to_owned(),
        }),
        would_have_withdrawn: service.shadow.1,
    }
}

fn rule(scene: &Scene, part: &RuleExplanation, checks: &[CheckExplanation]) -> WhyRule {
    let known = match part.part {
        RulePart::Check(at) => checks.get(at),
        RulePart::All | RulePart::Any | RulePart::AtLeast(_) | RulePart::Not => None,
    };
    WhyRule {
        part: match part.part {
            RulePart::Check(_) => known.map(|check| check.name.to_string()).unwrap_or_default(),
            RulePart::All => "all".to_owned(),
            RulePart::Any => "any".to_owned(),
            RulePart::AtLeast(needed) => format!("at-least({needed})"),
            RulePart::Not => "not".to_owned(),
        },
        outcome: part.outcome.map(|outcome| outcome.name().to_owned()),
        weight: part.weight,
        of: part.of.iter().map(|part| rule(scene, part, checks)).collect(),
        check: known.map(|known| check(scene, known)),
    }
}

fn check(scene: &Scene, check: &CheckExplanation) -> WhyCheck {
    let state = check.probe.as_ref();
    let last = state.and_then(|(state, _)| state.last.as_ref());
    WhyCheck {
        outcome: check.outcome.name().to_owned(),
        reason: check.reason.code().to_owned(),
        last: last.map(|(result, _)| result.outcome.name().to_owned()),
        detail: last.map(|(result, _)| result.detail.to_string()),
        age_seconds: last.map(|(_, at)| scene.ago(*at)),
        in_a_row: state.map(|(state, _)| state.streak.length()),
        needed: state.map(|(_, counting)| (counting.rise, counting.fall)),
        for_seconds: state.map(|(state, _)| scene.ago(state.since)),
        counts: state.map(|(state, _)| state.counts),
    }
}

fn around(address: IpAddr, around: &Around) -> WhyAround {
    let (matched, unmatched) = sockets(address, &around.listen);
    WhyAround {
        never: never_announced(address).map(|why| why.text().to_owned()),
        networks: around.networks.iter().map(ToString::to_string).collect(),
        near: around
            .near
            .iter()
            .map(|near| WhyNear {
                prefix: Prefix::host(near.vip).to_string(),
                service: near.name.to_string(),
                announced: near.announced,
            })
            .collect(),
        filter: around.filter.clone(),
        unmatched,
        matched,
    }
}

/// The sockets that serve an address now: those that the filter matches, and the others. Whoever may
/// not look, or cannot, is told of none.
fn sockets(address: IpAddr, listen: &ListenConfig) -> (Vec<String>, Vec<String>) {
    let serve = |config: &ListenConfig| -> Vec<Listener> {
        let all = listeners_of(config).unwrap_or_default();
        let mut serve: Vec<_> = all.into_iter().filter(|it| it.address.serves(address)).collect();
        // What is bound to this very address says more.
        serve.sort_by_key(|it| !matches!(it.address, ListenAddress::Address(_)));
        serve
    };
    let matched = serve(listen);
    let ids: BTreeSet<_> = matched.iter().map(|it| it.id).collect();
    let all = serve(&ListenConfig::everything(&listen.protocols));
    let words = |it: &Listener| it.to_string();
    let unmatched = all.iter().filter(|it| !ids.contains(&it.id)).map(words);
    (matched.iter().map(words).take(SOCKETS_MAX).collect(), unmatched.take(SOCKETS_MAX).collect())
}
