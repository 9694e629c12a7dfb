//! Checks that are probed, one entry for each probe.

use ha2bgp_core::check::{CheckIndex, CheckKey};
use ha2bgp_core::survey::ProbedCheck;

use super::limit;
use crate::control::api::check::{ProbeShown, ProbesShown};
use crate::control::api::{Code, Refusal, json};
use crate::control::query::Query;
use crate::control::questions::Questions;
use crate::control::route::cut;
use crate::control::scene::Scene;

/// Answers.
pub(super) async fn answer(engine: &Questions, query: &Query) -> Result<Vec<u8>, Refusal> {
    let after = query.text("after").map(parse).transpose()?;
    let found = engine.checks(after, limit(query)).await?;
    let checks = found.checks.iter().map(|check| shown(&found.scene, check)).collect();
    let last = found.checks.last().filter(|_| found.more);
    Ok(json(&ProbesShown { checks, next: last.map(|last| write(last.key)) }))
}

fn shown(scene: &Scene, check: &ProbedCheck) -> ProbeShown {
    let state = &check.state;
    let last = state.last.as_ref();
    ProbeShown {
        check: check.name.to_string(),
        vip: check.key.vip.map(|vip| vip.to_string()),
        service: check.user.as_ref().map(|user| user.name.to_string()),
        users: check.users,
        outcome: state.verdict.name().to_owned(),
        pending: state.pending,
        since: scene.moment(state.since),
        last: last.map(|(result, _)| result.outcome.name().to_owned()),
        detail: last.map(|(result, _)| result.detail.to_string()),
        age_seconds: last.map(|(_, at)| scene.ago(*at)),
        in_a_row: state.streak.length(),
        rise: check.counting.rise,
        fall: check.counting.fall,
        counts: state.counts,
    }
}

/// `NUMBER` or `NUMBER@VIP`.
fn write(key: CheckKey) -> String {
    let number = key.check.0;
    key.vip.map_or_else(|| number.to_string(), |vip| format!("{number}@{vip}"))
}

fn parse(text: &str) -> Result<CheckKey, Refusal> {
    let (number, vip) = match text.split_once('@') {
        Some((number, vip)) => (number, Some(vip)),
        None => (text, None),
    };
    let vip = vip.map(str::parse).transpose();
    match (number.parse(), vip) {
        (Ok(number), Ok(vip)) => Ok(CheckKey { check: CheckIndex(number), vip }),
        _ => Err(Refusal {
            field: Some("after".to_owned()),
            value: Some(cut(text)),
            ..Refusal::new(
                Code::BadValue,
                format!("\"{}\" is no check: send what was next in the answer before", cut(text)),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_between_checks_is_read_as_it_is_written() {
        for vip in [None, Some("10.0.0.1".parse().unwrap()), Some("2001:db8::1".parse().unwrap())] {
            let key = CheckKey { check: CheckIndex(7), vip };
            assert_eq!(parse(&write(key)).ok(), Some(key));
        }
        for bad in ["", "x", "1@", "1@x", "-1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
