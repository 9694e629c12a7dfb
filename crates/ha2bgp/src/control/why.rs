//! `GET /v1/why/{address}`: why an address is announced, or not, as JSON.

use std::net::IpAddr;

use ha2bgp_core::explain::{CheckExplanation, Explanation, RuleExplanation, RulePart};
use ha2bgp_core::time::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{Code, Refusal, json};
use super::questions::Questions;
use super::route::cut;

/// The answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct Why {
    /// The prefix.
    pub prefix: String,
    /// Whether it is announced.
    pub announced: bool,
    /// What decides that now: a code of docs/reference/reasons.md.
    pub reason: String,
    /// The same in a sentence.
    pub text: String,
    /// The service behind it, where there is one.
    pub service: Option<WhyService>,
}

/// What there is to know of a service.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct WhyService {
    /// Its name; empty when nobody named it.
    pub name: String,
    /// What its rule says: `healthy`, `degraded`, `unhealthy` or `unknown`.
    pub health: String,
    /// So long it has been announced, or not.
    pub for_seconds: f64,
    /// It is, or would be, announced as the last choice.
    pub last_choice: bool,
    /// The check that decided it.
    pub decider: Option<String>,
    /// The rule, part by part.
    pub rule: WhyRule,
    /// Where it is served: `tcp/80`.
    pub ports: Vec<String>,
    /// What is left of the up or down delay.
    pub delay_left_seconds: Option<f64>,
    /// The damping penalty.
    pub penalty: u64,
    /// For so long flap damping holds it, if it keeps calm.
    pub held_left_seconds: Option<f64>,
    /// How often checks without power would have withdrawn it.
    pub would_have_withdrawn: u64,
}

/// A part of a rule.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct WhyRule {
    /// `all`, `any`, `at-least(2)`, `not`, or the name of a check.
    pub part: String,
    /// What it says; nothing when it has no power.
    pub outcome: Option<String>,
    /// What it weighs in an `at-least`; 1 elsewhere.
    pub weight: u32,
    /// What it is made of.
    pub of: Vec<Self>,
    /// The check, where it is one.
    pub check: Option<WhyCheck>,
}

/// What is known of a check.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct WhyCheck {
    /// Its verdict, before its powers.
    pub outcome: String,
    /// What decided it.
    pub reason: String,
    /// What the newest probe found, where it is probed and was.
    pub detail: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<f64>,
    /// So many results in a row point the same way.
    pub in_a_row: Option<u32>,
    /// So many are needed up, and down.
    pub needed: Option<(u32, u32)>,
}

/// Answers.
///
/// # Errors
/// When that is no address, or the engine does not answer.
pub async fn answer(engine: &Questions, names: &[String]) -> Result<Vec<u8>, Refusal> {
    let text = names.first().map(String::as_str).unwrap_or_default();
    let address: IpAddr = text.parse().map_err(|_| Refusal {
        field: Some("address".to_owned()),
        value: Some(cut(text)),
        ..Refusal::new(
            Code::BadValue,
            format!("\"{}\" is no IP address: ask for example for 192.0.2.1", cut(text)),
        )
    })?;
    let (explanation, now) = engine.why(address.to_canonical()).await?;
    Ok(json(&shown(&explanation, now)))
}

fn shown(all: &Explanation, now: Instant) -> Why {
    let service = all.service.as_ref().map(|service| WhyService {
        name: service.name.to_string(),
        health: service.health.name().to_owned(),
        for_seconds: now.since(service.since).as_secs_f64(),
        last_choice: service.last_choice,
        decider: service
            .decider
            .and_then(|at| service.checks.get(at))
            .filter(|_| all.reason != ha2bgp_core::reason::Reason::Healthy)
            .map(|check| check.name.to_string()),
        rule: rule(&service.rule, &service.checks, now),
        ports: service.ports.iter().map(|(protocol, port)| format!("{protocol}/{port}")).collect(),
        delay_left_seconds: service.delay_until.map(|at| at.since(now).as_secs_f64()),
        penalty: service.penalty,
        held_left_seconds: service.suppressed_until.map(|at| at.since(now).as_secs_f64()),
        would_have_withdrawn: service.shadow.1,
    });
    Why {
        prefix: all.prefix.to_string(),
        announced: all.announced,
        reason: all.reason.code().to_owned(),
        text: all.reason.text().to_owned(),
        service,
    }
}

fn rule(part: &RuleExplanation, checks: &[CheckExplanation], now: Instant) -> WhyRule {
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
        of: part.of.iter().map(|part| rule(part, checks, now)).collect(),
        check: known.map(|known| check(known, now)),
    }
}

fn check(check: &CheckExplanation, now: Instant) -> WhyCheck {
    let state = check.probe.as_ref();
    let last = state.and_then(|(state, _)| state.last.as_ref());
    WhyCheck {
        outcome: check.outcome.name().to_owned(),
        reason: check.reason.code().to_owned(),
        detail: last.map(|(result, _)| result.detail.to_string()),
        age_seconds: last.map(|(_, at)| now.since(*at).as_secs_f64()),
        in_a_row: state.map(|(state, _)| state.streak.length()),
        needed: state.map(|(_, counting)| (counting.rise, counting.fall)),
    }
}
