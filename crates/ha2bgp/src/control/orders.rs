//! What operators want changed: orders to the task that owns the engine, and their answers.
//!
//! An order is parsed here, judged and carried out there (`daemon`): this side decides nothing.

use std::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::{OverrideId, OverrideKind, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

use super::api::{Code, Refusal, json};
use super::caller::Caller;
use super::level::{LevelChange, LevelShown};
use super::questions::Questions;
use super::route::{Access, Call, cut, cut_to};
use crate::config::duration;

/// The longest reason and the longest author, in characters.
pub const TEXT_MAX: usize = 200;
/// The longest override; whoever wants more leaves the end out.
pub const FOR_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// How long connections are waited for at most, unless somebody says otherwise.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(120);

/// How an answer comes back.
pub type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// One order.
#[derive(Debug)]
pub enum Order {
    /// Say something over the heads of the checks.
    Override(NewOverride, Answer<OverrideShown>),
    /// Take that back.
    Lift(OverrideId, Lifted, Answer<OverrideShown>),
    /// What has been said, and still counts.
    Overrides(oneshot::Sender<Vec<OverrideShown>>),
    /// One of that.
    ShowOverride(OverrideId, Answer<OverrideShown>),
    /// Read the configuration again, and make it count.
    Reload(Reload, Answer<Planned>),
    /// What was loaded on trial stays.
    Confirm(Author, Answer<Confirmed>),
    /// End, and leave the routes where they are.
    Restart(Author, oneshot::Sender<()>),
    /// What would a configuration change? Of these files; of those of this process where there are
    /// none.
    Plan(Vec<FileText>, Answer<Planned>),
    /// Show which lines the log has, or change that.
    LogLevel(Option<LevelChange>, Answer<LevelShown>),
    /// Forget what flap damping has counted.
    ResetDamping(Scope, Author, oneshot::Sender<()>),
}

impl Order {
    /// True when whoever gave it does not wait for the answer any more.
    pub fn is_given_up(&self) -> bool {
        match self {
            Self::Override(_, answer)
            | Self::Lift(_, _, answer)
            | Self::ShowOverride(_, answer) => answer.is_closed(),
            Self::Overrides(answer) => answer.is_closed(),
            Self::Reload(_, answer) | Self::Plan(_, answer) => answer.is_closed(),
            Self::Confirm(_, answer) => answer.is_closed(),
            Self::Restart(_, answer) | Self::ResetDamping(_, _, answer) => answer.is_closed(),
            Self::LogLevel(_, answer) => answer.is_closed(),
        }
    }
}

/// Who wants it, as far as that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Author(pub String);

/// A new override.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewOverride {
    /// What it does.
    pub kind: OverrideKind,
    /// Whom it is for.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: Author,
    /// For how long; `None`: until somebody takes it back.
    pub lasts: Option<Duration>,
    /// For a drain: when it withdraws.
    pub drain: Option<DrainPlan>,
}

/// When a drain withdraws.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct DrainPlan {
    /// When no more than so many connections to the VIPs are left; `None`: never by itself.
    pub wait_connections: Option<u32>,
    /// Or after so many seconds at the latest; `None`: whenever the connections are gone.
    pub timeout_seconds: Option<u64>,
}

/// Who takes it back, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lifted {
    /// Who.
    pub author: Author,
    /// Why.
    pub reason: String,
}

/// How the configuration is to be read again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reload {
    /// Who wants it.
    pub author: Author,
    /// Even if it withdraws more than the guard allows.
    pub force: bool,
    /// Go back after so long, unless somebody confirms it.
    pub confirm: Option<Duration>,
}

/// A configuration file that somebody sent.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Its name, for errors and for paths in it that are relative.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// The directory that was given, where it is one of its files: its name begins with that.
    #[serde(default)]
    pub directory: Option<String>,
}

/// The answer to `GET /v1/overrides`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct OverridesShown {
    /// All of them, in the order in which they were made.
    pub overrides: Vec<OverrideShown>,
}

/// The answer where there is nothing to say.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Done {
    done: bool,
}

/// Answers one of these calls.
///
/// # Errors
/// When the body is no good, the order is refused, or the engine does not answer.
pub async fn answer(
    call: Call,
    engine: &Questions,
    names: &[String],
    body: &[u8],
    by: &Caller,
) -> Result<Vec<u8>, Refusal> {
    let caller = &Author(by.author.clone());
    Ok(match call {
        Call::Override => {
            let new = parse_override(body, caller)?;
            json(&engine.order(|answer| Order::Override(new, answer)).await?)
        }
        Call::ShowOverride => {
            let id = override_id(names)?;
            json(&engine.order(|answer| Order::ShowOverride(id, answer)).await?)
        }
        Call::Lift => {
            let id = override_id(names)?;
            let lifted = parse_lift(body, caller)?;
            json(&engine.order(|answer| Order::Lift(id, lifted, answer)).await?)
        }
        Call::Plan => {
            let files = parse_plan(body)?;
            // They may name other files, which are read with our rights.
            if !files.is_empty() && by.access < Access::Write {
                let text = "who may only read plans what a reload would do: leave files out";
                return Err(Refusal::new(Code::Forbidden, text));
            }
            json(&engine.order(|answer| Order::Plan(files, answer)).await?)
        }
        Call::Reload => {
            let reload = parse_reload(body, caller)?;
            json(&engine.order(|answer| Order::Reload(reload, answer)).await?)
        }
        Call::Confirm => {
            let author = caller.clone();
            json(&engine.order(|answer| Order::Confirm(author, answer)).await?)
        }
        Call::Restart => {
            let author = caller.clone();
            engine.tell(|answer| Order::Restart(author, answer)).await?;
            json(&Done { done: true })
        }
        Call::ResetDamping => {
            let (scope, author) = (parse_damping(body)?, caller.clone());
            engine.tell(|answer| Order::ResetDamping(scope, author, answer)).await?;
            json(&Done { done: true })
        }
        // Everything else is not an order.
        _ => json(&OverridesShown { overrides: engine.tell(Order::Overrides).await? }),
    })
}

/// The number in the path.
fn override_id(names: &[String]) -> Result<OverrideId, Refusal> {
    let text = names.first().map(String::as_str).unwrap_or_default();
    let id = text.parse().map(OverrideId);
    id.map_err(|_| wrong("id", text, "it is not the number of an override"))
}

/// The body of `POST /v1/overrides`. Values are judged one by one, so that an error names the field.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideBody {
    /// What it does.
    #[schemars(with = "String", extend("enum" = ["drain", "maintenance", "force-up", "force-down"]))]
    kind: Option<Value>,
    /// For an address or a network.
    #[schemars(with = "Option<String>")]
    prefix: Option<Value>,
    /// For a service.
    #[schemars(with = "Option<String>")]
    service: Option<Value>,
    /// For everything.
    #[schemars(with = "Option<bool>")]
    all: Option<Value>,
    /// Why, for people.
    #[schemars(with = "String")]
    reason: Option<Value>,
    /// Who says so; the caller is named beside it.
    #[schemars(with = "Option<String>")]
    author: Option<Value>,
    /// For how long: a duration with a unit, such as `30m`.
    #[serde(rename = "for")]
    #[schemars(with = "Option<String>")]
    lasts: Option<Value>,
    /// A drain withdraws when no more connections than these are left.
    #[schemars(with = "Option<u32>")]
    wait_connections: Option<Value>,
    /// Or after this time: a duration with a unit.
    #[schemars(with = "Option<String>")]
    timeout: Option<Value>,
}

/// An override as it is shown.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct OverrideShown {
    /// Its number.
    pub id: u64,
    /// `drain`, `drained`, `maintenance`, `force-up` or `force-down`.
    pub kind: String,
    /// Whom it is for: `all`, `service NAME` or a prefix.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub author: String,
    /// When, RFC 3339.
    pub since: String,
    /// When it is over, RFC 3339; `null`: when somebody takes it back.
    pub until: Option<String>,
    /// How long that still is.
    pub left_seconds: Option<f64>,
    /// For a drain: when it withdraws.
    pub drain: Option<DrainPlan>,
    /// For a drain: `depreferencing`, `waiting` or `drained`.
    #[serde(default)]
    pub phase: Option<String>,
    /// For a drain that is under way: how many connections there are now, as far as is known.
    #[serde(default)]
    pub connections: Option<u32>,
    /// For a drain that is over: how many connections were left, as far as is known.
    pub connections_left: Option<u32>,
    /// It is on disk and survives a restart.
    pub saved: bool,
    /// The VIPs that it is for, the first 100 of them; not in the list of all overrides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vips: Vec<String>,
}

/// What a configuration would change, or has changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Planned {
    /// So many routes come.
    pub announce: usize,
    /// So many go.
    pub withdraw: usize,
    /// So many are announced otherwise.
    pub change: usize,
    /// Routes that come, go or change: those that go first.
    pub routes: Vec<PlannedRoute>,
    /// So many of them are not in the list.
    pub left_out: usize,
    /// Services by their names: what becomes of them.
    pub services: Vec<PlannedPart>,
    /// Checks, as `SERVICE/CHECK`.
    pub checks: Vec<PlannedPart>,
    /// Peers of the speaker.
    pub peers: Vec<PlannedPart>,
    /// What else changes while it runs.
    pub other: Vec<String>,
    /// What counts only after a restart.
    pub restart: Vec<String>,
    /// So many withdrawals more than the guard allows.
    pub beyond_guard: usize,
    /// Until when it must be confirmed, in seconds.
    pub confirm_seconds: Option<f64>,
}

/// A route that comes, goes or changes.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PlannedRoute {
    /// The prefix.
    pub prefix: String,
    /// `announce`, `withdraw` or `change`.
    pub change: String,
    /// As it is now: `announced`, `last-choice`, or nothing.
    pub before: Option<String>,
    /// As it will be.
    pub after: Option<String>,
    /// After how long; `null`: at once.
    pub in_seconds: Option<f64>,
    /// Why: a code of docs/reference/reasons.md.
    pub reason: String,
}

/// A part of the configuration that comes, goes or changes.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PlannedPart {
    /// Its name.
    pub name: String,
    /// `add`, `remove`, `change` or `restart`.
    pub change: String,
    /// What of it.
    pub detail: String,
}

/// The answer to a confirmation.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Confirmed {
    /// So much time was left.
    pub left_seconds: f64,
}

/// Reads the body of `POST /v1/overrides`.
///
/// # Errors
/// What is wrong with it, by its field.
pub fn parse_override(body: &[u8], caller: &Author) -> Result<NewOverride, Refusal> {
    let body: OverrideBody = parse(body)?;
    let kinds = "\"drain\", \"maintenance\", \"force-up\" or \"force-down\"";
    let kind = text("kind", body.kind.as_ref())?
        .ok_or_else(|| wrong("kind", "", format!("kind is missing: send {kinds}")))?;
    let known = OverrideKind::ALL.into_iter().filter(|kind| *kind != OverrideKind::Drained);
    let kind = known
        .into_iter()
        .find(|it| it.name() == kind)
        .ok_or_else(|| wrong("kind", &kind, format!("there is no such kind: send {kinds}")))?;
    let scope = scope(&body)?;
    let reason = text("reason", body.reason.as_ref())?.unwrap_or_default();
    if reason.trim().is_empty() {
        let error = "reason is missing: say why, whoever finds it at night will want to know";
        return Err(wrong("reason", &reason, error));
    }
    let lasts = time("for", body.lasts.as_ref())?;
    if let Some(lasts) = lasts.filter(|it| it.is_zero() || *it > FOR_MAX) {
        let error = "it is not from 1ms to 366 days: leave it out for no end";
        return Err(wrong("for", &duration::show(lasts), error));
    }
    let wait_connections = match &body.wait_connections {
        None => None,
        Some(value) => {
            Some(value.as_u64().and_then(|it| u32::try_from(it).ok()).ok_or_else(|| {
                wrong("wait_connections", &value.to_string(), "it is no whole number from 0 up")
            })?)
        }
    };
    let timeout = time("timeout", body.timeout.as_ref())?;
    if let Some(timeout) = timeout.filter(|it| it.is_zero() || *it > FOR_MAX) {
        let error = "it is not from 1ms to 366 days: leave it out";
        return Err(wrong("timeout", &duration::show(timeout), error));
    }
    let drain = kind == OverrideKind::Drain;
    if !drain && (wait_connections.is_some() || timeout.is_some()) {
        let error = "wait_connections and timeout are for a drain: leave them out";
        return Err(wrong("wait_connections", "", error));
    }
    Ok(NewOverride {
        kind,
        scope,
        reason: one_line(&reason),
        author: author(body.author.as_ref(), caller)?,
        lasts,
        drain: drain.then(|| DrainPlan {
            wait_connections,
            timeout_seconds: timeout
                .or(wait_connections.map(|_| DRAIN_TIMEOUT))
                .map(|timeout| timeout.as_secs().max(1)),
        }),
    })
}

/// Whom it is for: exactly one of three fields says it. Nothing is never everything.
fn scope(body: &OverrideBody) -> Result<Scope, Refusal> {
    let prefix = text("prefix", body.prefix.as_ref())?;
    let service = text("service", body.service.as_ref())?;
    let all = match &body.all {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(other) => return Err(wrong("all", &other.to_string(), "it is true or false")),
    };
    match (prefix, service, all) {
        (Some(prefix), None, false) => match parse_prefix(&prefix) {
            Some(prefix) => Ok(Scope::Network(prefix)),
            None => {
                Err(wrong("prefix", &prefix, "it is no IP address or network: send \"192.0.2.1\""))
            }
        },
        (None, Some(service), false) if !service.is_empty() => {
            Ok(Scope::Service(service.as_str().into()))
        }
        (None, None, true) => Ok(Scope::All),
        _ => Err(wrong("prefix", "", "say whom it is for: one of prefix, service, or all = true")),
    }
}

/// An address or a network.
pub fn parse_prefix(text: &str) -> Option<Prefix> {
    let address = text.parse::<std::net::IpAddr>().map(|it| Prefix::host(it.to_canonical())).ok();
    address.or_else(|| text.parse().ok())
}

pub(super) fn author(given: Option<&Value>, caller: &Author) -> Result<Author, Refusal> {
    let given = text("author", given)?.map(|it| one_line(&it)).filter(|it| !it.is_empty());
    Ok(match given {
        Some(given) => Author(format!("{given} ({})", caller.0)),
        None => caller.clone(),
    })
}

/// Reads a body of JSON.
///
/// # Errors
/// What is wrong with it.
pub fn parse<T: serde::de::DeserializeOwned + Default>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("the body is not as it should be: {error}");
        Refusal::new(Code::BadBody, cut_to(240, &text))
    })
}

pub(super) fn text(field: &str, value: Option<&Value>) -> Result<Option<String>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= TEXT_MAX => Ok(Some(text.clone())),
        Some(Value::String(text)) => {
            Err(wrong(field, text, format!("it is longer than {TEXT_MAX} characters")))
        }
        Some(other) => Err(wrong(field, &other.to_string(), "it is no text in quotes")),
    }
}

/// A duration with its unit.
pub(super) fn time(field: &str, value: Option<&Value>) -> Result<Option<Duration>, Refusal> {
    let Some(text) = text(field, value)? else { return Ok(None) };
    match duration::parse(&text) {
        Ok(time) => Ok(Some(time)),
        Err(error) => Err(wrong(field, &text, error.to_string())),
    }
}

pub(super) fn wrong(field: &str, value: &str, error: impl Into<String>) -> Refusal {
    Refusal {
        field: Some(field.to_owned()),
        value: (!value.is_empty()).then(|| cut(value)),
        ..Refusal::new(Code::BadValue, error)
    }
}

/// In one line, without control characters: it goes into logs and screens.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    plain.collect::<String>().trim().to_owned()
}

/// The bodies of the orders about the configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadBody {
    /// Even if it withdraws more than the guard allows.
    #[serde(default)]
    force: bool,
    /// Go back after this time unless somebody confirms: a duration with a unit.
    #[schemars(with = "Option<String>")]
    confirm: Option<Value>,
    /// Who wants it; the caller is named beside it.
    #[schemars(with = "Option<String>")]
    author: Option<Value>,
}

/// Reads the body of `POST /v1/reload`.
///
/// # Errors
/// What is wrong with it, by its field.
pub fn parse_reload(body: &[u8], caller: &Author) -> Result<Reload, Refusal> {
    let body: ReloadBody = parse(body)?;
    let confirm = time("confirm", body.confirm.as_ref())?;
    if let Some(time) = confirm.filter(|it| it.is_zero() || it.as_secs() > 24 * 3600) {
        let error = "it is not from 1ms to 24h: send for example \"60s\"";
        return Err(wrong("confirm", &duration::show(time), error));
    }
    Ok(Reload { author: author(body.author.as_ref(), caller)?, force: body.force, confirm })
}

/// The body of `POST /v1/plan`; it may be empty.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanBody {
    /// The configuration; without any, that of this process as its files are now.
    #[serde(default)]
    files: Vec<FileText>,
}

/// Reads the body of `POST /v1/plan`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_plan(body: &[u8]) -> Result<Vec<FileText>, Refusal> {
    Ok(parse::<PlanBody>(body)?.files)
}

/// The body of `DELETE /v1/overrides/{id}`; it may be empty.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LiftBody {
    /// Why, for people.
    #[schemars(with = "Option<String>")]
    reason: Option<Value>,
    /// Who wants it; the caller is named beside it.
    #[schemars(with = "Option<String>")]
    author: Option<Value>,
}

/// Reads the body of `DELETE /v1/overrides/{id}`; it may be empty.
///
/// # Errors
/// What is wrong with it, by its field.
pub fn parse_lift(body: &[u8], caller: &Author) -> Result<Lifted, Refusal> {
    let body: LiftBody = parse(body)?;
    let reason = text("reason", body.reason.as_ref())?.unwrap_or_default();
    Ok(Lifted { author: author(body.author.as_ref(), caller)?, reason: one_line(&reason) })
}

/// The body of `POST /v1/damping/reset`: exactly one of its fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DampingBody {
    /// Of an address or a network.
    #[schemars(with = "Option<String>")]
    prefix: Option<Value>,
    /// Of a service.
    #[schemars(with = "Option<String>")]
    service: Option<Value>,
    /// Of everything.
    #[schemars(with = "Option<bool>")]
    all: Option<Value>,
}

/// Reads the body of `POST /v1/damping/reset`.
///
/// # Errors
/// What is wrong with it, by its field.
pub fn parse_damping(body: &[u8]) -> Result<Scope, Refusal> {
    let DampingBody { prefix, service, all } = parse(body)?;
    scope(&OverrideBody { prefix, service, all, ..OverrideBody::default() })
}
