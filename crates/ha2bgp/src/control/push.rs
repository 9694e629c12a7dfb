//! Results of checks that somebody sends: from a body to a result, and the answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::api::{
    CheckShown, ChecksShown, Code, LastShown, PUSH_FIELDS, PushBody, PushTaken, Refusal, json,
};
use super::caller::Caller;
use super::route::{Access, cut, cut_to};
use crate::config::duration;
use crate::near::nearest;
use crate::observe::check::CheckSpecs;
use crate::observe::check::push::{
    self, By, List, Listed, Push, PushName, PushSpec, Request, TTL_MIN, Taken,
};

/// How long an answer may take. The hub answers at once unless the engine takes no results.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// The most characters that are told of what is wrong with the JSON of a body.
const ERROR_MAX: usize = 240;

/// What a body asks for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    outcome: Outcome,
    detail: String,
    ttl: Option<Duration>,
    vip: Option<IpAddr>,
}

/// The checks that are pushed, and who knows their results.
#[derive(Clone, Debug)]
pub struct Pushes {
    /// What is configured now.
    pub specs: watch::Receiver<Arc<CheckSpecs>>,
    /// To the hub.
    pub hub: mpsc::Sender<Request>,
}

impl Pushes {
    /// Shows all checks, or one.
    ///
    /// # Errors
    /// When there is no such check, or the hub does not answer.
    pub async fn show(&self, names: &[String]) -> Result<Vec<u8>, Refusal> {
        let only = match names {
            [] => None,
            names => Some(self.find(names)?.name.clone()),
        };
        let (answer, answered) = oneshot::channel();
        let list: List = self.ask(Request::List(only, answer), answered).await?;
        let checks = list.entries.iter().map(shown).collect();
        Ok(json(&ChecksShown { checks, left_out: list.left_out }))
    }

    /// Takes a result that a user sent.
    ///
    /// # Errors
    /// When there is no such check, the body is no good, or the hub does not answer.
    pub async fn push(
        &self,
        names: &[String],
        body: &[u8],
        by: &Caller,
    ) -> Result<Vec<u8>, Refusal> {
        let spec = self.find(names)?;
        let push = accept(&spec, parse(body)?, by)?;
        let (answer, answered) = oneshot::channel();
        let request = Request::Push(push.clone(), answer);
        match self.ask(request, answered).await? {
            Taken::Yes => {
                tracing::debug!(check = %push.name, outcome = %push.result.outcome, by = %by.author, "pushed");
                Ok(json(&PushTaken {
                    check: push.name.to_string(),
                    outcome: push.result.outcome.name(),
                    detail: &push.result.detail,
                    ttl_seconds: push.ttl.as_secs_f64(),
                    vip: push.vip.map(|vip| vip.to_string()),
                }))
            }
            Taken::NoSuchVip(there) => {
                let vip = push.vip.map(|vip| vip.to_string()).unwrap_or_default();
                let there: Vec<String> = there.iter().map(ToString::to_string).collect();
                let there = match there.as_slice() {
                    [] => "it has none now".to_owned(),
                    some => format!("it has for example {}", some.join(", ")),
                };
                let text = format!(
                    "no service that uses {} has the VIP \"{vip}\" now, {there}: send it again when \
                     it has",
                    push.name
                );
                Err(about(Code::NoSuchVip, "vip", &vip, text))
            }
            Taken::NoSuchCheck => Err(no_such(&push.name.to_string(), "")),
        }
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<T>) -> Result<T, Refusal> {
        let asked = async {
            self.hub.send(request).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(ANSWER_TIME, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Refusal::new(Code::Busy, "ha2bgp is ending: send it to the next one")),
            Err(_) => Err(Refusal::new(Code::Busy, "ha2bgp takes no results now: send it again")),
        }
    }

    /// The check of that name.
    fn find(&self, names: &[String]) -> Result<PushSpec, Refusal> {
        let (service, check) = match names {
            [check] => (None, check.as_str()),
            [service, check] => (Some(service.as_str()), check.as_str()),
            _ => (None, ""),
        };
        let specs = self.specs.borrow();
        let pushed = || specs.specs.values().filter_map(push::spec);
        let is = |spec: &&PushSpec| {
            (spec.name.service.as_deref(), &*spec.name.check) == (service, check)
        };
        if let Some(found) = pushed().find(is) {
            return Ok(found.clone());
        }
        let asked = names.iter().map(|name| cut(name)).collect::<Vec<_>>().join("/");
        // A check of all services is none of a service's own, though its rule names it.
        let shared = |spec: &&PushSpec| spec.name.service.is_none() && &*spec.name.check == check;
        if service.is_some() && pushed().any(|spec| shared(&spec)) {
            return Err(no_such(&asked, &format!("{check} is one of all services: use {check}")));
        }
        let known: Vec<String> = pushed().map(|spec| spec.name.to_string()).collect();
        let fix = match nearest(known.iter().map(String::as_str), &asked) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None if !known.is_empty() => {
                let more = if known.len() > 5 { ", …" } else { "" };
                let some: Vec<&str> = known.iter().take(5).map(String::as_str).collect();
                format!("there are {}{more}", some.join(", "))
            }
            None => "the configuration has no check of type \"push\"".to_owned(),
        };
        Err(no_such(&asked, &fix))
    }
}

fn no_such(asked: &str, fix: &str) -> Refusal {
    Refusal::new(Code::NoSuchCheck, format!("there is no check \"{asked}\" to push to: {fix}"))
}

/// A refusal for the value of a field.
fn about(code: Code, field: &str, value: &str, message: String) -> Refusal {
    Refusal { code, message, field: Some(field.to_owned()), value: Some(cut(value)) }
}

/// Reads a body.
fn parse(body: &[u8]) -> Result<Asked, Refusal> {
    let body: PushBody = serde_json::from_slice(body).map_err(|error| {
        // It repeats the name of an unknown field, however long that is.
        let error = cut_to(ERROR_MAX, &error.to_string());
        Refusal::new(
            Code::BadBody,
            format!(
                "the body is no push: {error}: send for example {{\"outcome\":\"pass\",\
                 \"detail\":\"all good\",\"ttl\":\"30s\"}}; its fields are {}",
                PUSH_FIELDS.join(", ")
            ),
        )
    })?;
    let outcome = text("outcome", body.outcome.as_ref(), "\"pass\"")?.ok_or_else(|| Refusal {
        code: Code::BadValue,
        message: "outcome is missing: send \"pass\", \"warn\", \"fail\" or \"unknown\"".to_owned(),
        field: Some("outcome".to_owned()),
        value: None,
    })?;
    let outcome =
        Outcome::ALL.into_iter().find(|known| known.name() == outcome).ok_or_else(|| {
            let text = format!(
                "\"{}\" is no outcome: send \"pass\", \"warn\", \"fail\" or \"unknown\"",
                cut(outcome)
            );
            about(Code::BadValue, "outcome", outcome, text)
        })?;
    let detail = text("detail", body.detail.as_ref(), "\"all good\"")?.unwrap_or("pushed");
    let ttl = match text("ttl", body.ttl.as_ref(), "\"30s\"")? {
        None => None,
        Some(text) => Some(
            duration::parse(&cut(text))
                .map_err(|error| about(Code::BadValue, "ttl", text, error.to_string()))?,
        ),
    };
    let vip = match text("vip", body.vip.as_ref(), "\"192.0.2.1\"")? {
        None => None,
        Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
            let said = format!(
                "\"{}\" is not an IP address: send one without a length, such as \"192.0.2.1\"",
                cut(text)
            );
            about(Code::BadValue, "vip", text, said)
        })?),
    };
    let vip = vip.map(|vip| vip.to_canonical());
    Ok(Asked { outcome, detail: detail.to_owned(), ttl, vip })
}

/// A field that holds a text; `null` is as good as nothing.
fn text<'a>(
    field: &str,
    value: Option<&'a Value>,
    example: &str,
) -> Result<Option<&'a str>, Refusal> {
    let kind = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => return Ok(Some(text)),
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    let shown = value.map(ToString::to_string).unwrap_or_default();
    let text = format!("{field} is {kind}: send a text, such as {example}");
    Err(about(Code::BadValue, field, &shown, text))
}

/// What is asked, where the check takes it.
fn accept(spec: &PushSpec, asked: Asked, by: &Caller) -> Result<Push, Refusal> {
    let most = spec.ttl;
    let ttl = asked.ttl.unwrap_or(most);
    if ttl > most || ttl < TTL_MIN {
        let (least, most) = (duration::show(TTL_MIN), duration::show(most));
        let text = format!(
            "ttl {} is not from {least} to {most}, which is the ttl of {}: send less, or raise it \
             in the configuration",
            duration::show(ttl),
            spec.name
        );
        return Err(about(Code::BadValue, "ttl", &duration::show(ttl), text));
    }
    match asked.vip {
        Some(vip) if !spec.per_vip => {
            let text = format!(
                "{} has one result for all VIPs: leave vip out, or give the check per-vip = true",
                spec.name
            );
            return Err(about(Code::BadValue, "vip", &vip.to_string(), text));
        }
        None if spec.per_vip => {
            let text = format!("vip is missing: each VIP of {} has results of its own", spec.name);
            return Err(Refusal {
                code: Code::BadValue,
                message: text,
                field: Some("vip".to_owned()),
                value: None,
            });
        }
        _ => {}
    }
    let result = ProbeResult::new(asked.outcome, &asked.detail);
    let by = By { author: by.author.as_str().into(), uid: by.uid };
    Ok(Push { name: spec.name.clone(), vip: asked.vip, result, ttl, by })
}

fn shown(listed: &Listed) -> CheckShown<'_> {
    CheckShown {
        service: listed.name.service.as_deref(),
        check: &listed.name.check,
        kind: "push",
        vip: listed.vip.map(|vip| vip.to_string()),
        wanted: listed.wanted,
        last: listed.last.as_ref().map(|last| LastShown {
            outcome: last.result.outcome.name(),
            detail: &last.result.detail,
            age_seconds: last.age.as_secs_f64(),
            ttl_seconds: last.ttl.as_secs_f64(),
            ttl_left_seconds: last.ttl.saturating_sub(last.age).as_secs_f64(),
            expired: last.age >= last.ttl,
            author: &last.by.author,
            uid: last.by.uid,
        }),
    }
}

/// Any octets as a body: a result within the limits, or a refusal that says why; both can be
/// written as JSON. The body of the fuzz target `push_body`.
#[doc(hidden)]
pub fn fuzz_push_body(input: &[u8]) {
    let by = Caller { author: "uid 0".to_owned(), uid: Some(0), access: Access::Write };
    for per_vip in [false, true] {
        let spec = PushSpec {
            name: PushName { service: None, check: "x".into() },
            ttl: Duration::from_secs(60),
            on_expiry: Outcome::Unknown,
            per_vip,
        };
        match parse(input).and_then(|asked| accept(&spec, asked, &by)) {
            Ok(push) => {
                assert!((TTL_MIN..=spec.ttl).contains(&push.ttl));
                assert_eq!(push.vip.is_some(), per_vip);
                assert!(push.result.detail.len() <= ha2bgp_core::check::DETAIL_MAX);
                assert!(!push.result.detail.contains(char::is_control));
            }
            Err(refusal) => {
                assert!(!refusal.message.is_empty() && refusal.message.len() < 2000);
                assert!((400..500).contains(&refusal.code.status()));
                let body: Value = serde_json::from_slice(&refusal.body()).unwrap_or_default();
                assert!(body["error"]["code"].is_string(), "{refusal:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
