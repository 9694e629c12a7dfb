//! What can be asked: one table, from paths and methods to calls.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::api::check::ProbesShown;
use super::api::config::ConfigShown;
use super::api::peer::PeersShown;
use super::api::service::{RoutesShown, ServicesShown};
use super::api::status::StatusShown;
use super::api::why::{Why, Whys};
use super::api::{ChecksShown, Code, ControlShown, PushBody, PushTaken, Refusal};
use super::happened::{self, Happened};
use super::level::{LevelBody, LevelShown};
use super::metrics;
use super::orders::{
    Confirmed, DampingBody, Done, LiftBody, OverrideBody, OverrideShown, OverridesShown, PlanBody,
    Planned, ReloadBody,
};
use super::query::{self, Param};
use super::read;
use crate::events::Record;
use crate::near::nearest;

/// What a request may do, and what is allowed to whoever asks: who may write may read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Access {
    /// Looks.
    Read,
    /// Changes something.
    Write,
}

/// The longest body, in octets.
pub const BODY_MAX: usize = 16 * 1024;
/// The longest one with configuration files, in octets.
pub const FILES_MAX: usize = 4 * 1024 * 1024;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// Show all checks that are pushed.
    ListChecks,
    /// Show one check.
    ShowCheck,
    /// Take a result.
    PushCheck,
    /// Show metrics.
    Metrics,
    /// Say why an address is announced, or not.
    Why,
    /// Show the state of the program.
    Status,
    /// Show services.
    Services,
    /// Show all that is known of a service.
    Service,
    /// Show the announcer and its peers.
    Peers,
    /// Show what each peer was told.
    Routes,
    /// Show checks that are probed.
    Probes,
    /// Show the configuration in force.
    Config,
    /// Show what operators say.
    ListOverrides,
    /// Say something over the heads of the checks.
    Override,
    /// Show one of them.
    ShowOverride,
    /// Take that back.
    Lift,
    /// Say what another configuration would change.
    Plan,
    /// Read the configuration again.
    Reload,
    /// Keep a configuration that is on trial.
    Confirm,
    /// End, so that another process goes on.
    Restart,
    /// Show which lines the log has.
    ShowLogLevel,
    /// Change that.
    LogLevel,
    /// Forget what flap damping has counted.
    ResetDamping,
    /// Show the ways in.
    Control,
    /// Show what happened.
    History,
    /// Tell what happens.
    Events,
    /// Show the description of all this.
    OpenApi,
}

/// How a type looks as JSON.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// How this type looks as JSON.
fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What a good answer is.
#[derive(Clone, Copy, Debug)]
pub enum Gives {
    /// JSON of this type.
    Json(Shape),
    /// A text of this media type.
    Text(&'static str),
    /// A stream of events, the data of each JSON of this type.
    Events(Shape),
}

/// One thing that can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path; a part in braces stands for any one part.
    pub path: &'static str,
    /// What it may do.
    pub access: Access,
    /// What is to be done.
    pub call: Call,
    /// One sentence.
    pub about: &'static str,
    /// The parameters that it takes; all may be left out.
    pub query: &'static [Param],
    /// The type of its body; `None`: it takes none.
    pub body: Option<Shape>,
    /// The body may be left out.
    pub may_be_empty: bool,
    /// The longest body of somebody who may write, in octets; others have [`BODY_MAX`].
    pub body_max: usize,
    /// What a good answer is.
    pub gives: Gives,
    /// Why it may be refused, beside the reasons that are those of every request.
    pub codes: &'static [Code],
}

const fn endpoint(
    method: &'static str,
    path: &'static str,
    access: Access,
    call: Call,
    about: &'static str,
) -> Endpoint {
    let gives = Gives::Text("text/plain");
    Endpoint {
        method,
        path,
        access,
        call,
        about,
        query: &[],
        body: None,
        may_be_empty: false,
        body_max: BODY_MAX,
        gives,
        codes: &[],
    }
}

/// Something to look at.
const fn get(path: &'static str, call: Call, about: &'static str) -> Endpoint {
    endpoint("GET", path, Access::Read, call, about)
}

/// Something that changes something.
const fn post(path: &'static str, call: Call, about: &'static str) -> Endpoint {
    endpoint("POST", path, Access::Write, call, about)
}

/// Something that takes something back.
const fn delete(path: &'static str, call: Call, about: &'static str) -> Endpoint {
    endpoint("DELETE", path, Access::Write, call, about)
}

impl Endpoint {
    /// With these parameters.
    #[must_use]
    pub const fn with(self, query: &'static [Param]) -> Self {
        Self { query, ..self }
    }

    /// With a body of this type.
    #[must_use]
    pub const fn takes(self, body: Shape) -> Self {
        Self { body: Some(body), ..self }
    }

    /// With a body of this type, or none.
    #[must_use]
    pub const fn may_take(self, body: Shape) -> Self {
        Self { body: Some(body), may_be_empty: true, ..self }
    }

    /// A good answer is this.
    #[must_use]
    pub const fn gives(self, gives: Gives) -> Self {
        Self { gives, ..self }
    }

    /// It may be refused for these reasons too.
    #[must_use]
    pub const fn or(self, codes: &'static [Code]) -> Self {
        Self { codes, ..self }
    }
}

/// Everything that can be asked. The guide and the OpenAPI document are held against it.
pub const ENDPOINTS: &[Endpoint] = &[
    get(
        "/metrics",
        Call::Metrics,
        "Metrics of services, checks, peers and the program, as OpenMetrics text",
    )
    .gives(Gives::Text(metrics::CONTENT_TYPE)),
    get("/v1/openapi.json", Call::OpenApi, "This interface as an OpenAPI document")
        .gives(Gives::Json(shape::<BTreeMap<String, Value>>)),
    get(
        "/v1/control",
        Call::Control,
        "The socket and the ports of this interface: open, or why not",
    )
    .gives(Gives::Json(shape::<ControlShown>)),
    get("/v1/status", Call::Status, "The state of the program, and what is not as it should be")
        .gives(Gives::Json(shape::<StatusShown>)),
    get("/v1/services", Call::Services, "Services, one entry for each VIP")
        .with(read::SERVICES_QUERY)
        .gives(Gives::Json(shape::<ServicesShown>))
        .or(&[Code::NoSuchService]),
    get(
        "/v1/services/{service}",
        Call::Service,
        "All that is known of the VIPs of a service, or of those in a network",
    )
    .with(read::PAGE_QUERY)
    .gives(Gives::Json(shape::<Whys>))
    .or(&[Code::NoSuchService]),
    get("/v1/peers", Call::Peers, "The announcer and the state of its peers")
        .gives(Gives::Json(shape::<PeersShown>)),
    get("/v1/routes", Call::Routes, "What each peer, or ExaBGP, was told: by peer, then by prefix")
        .with(read::ROUTES_QUERY)
        .gives(Gives::Json(shape::<RoutesShown>)),
    get("/v1/probes", Call::Probes, "All checks that are probed, with their newest results")
        .with(read::PAGE_QUERY)
        .gives(Gives::Json(shape::<ProbesShown>)),
    // What a check is given may be a secret in any shape: it is for those who may change it.
    Endpoint {
        access: Access::Write,
        ..get(
            "/v1/config",
            Call::Config,
            "The configuration in force, and where each value comes from",
        )
    }
    .gives(Gives::Json(shape::<ConfigShown>)),
    get("/v1/why/{address}", Call::Why, "Why an address is announced, or not")
        .gives(Gives::Json(shape::<Why>)),
    get("/v1/overrides", Call::ListOverrides, "What operators say over the heads of the checks")
        .gives(Gives::Json(shape::<OverridesShown>)),
    post(
        "/v1/overrides",
        Call::Override,
        "Drains, or forces up or down: over the heads of the checks",
    )
    .takes(shape::<OverrideBody>)
    .gives(Gives::Json(shape::<OverrideShown>))
    .or(&[Code::BadBody]),
    get(
        "/v1/overrides/{id}",
        Call::ShowOverride,
        "One of them; of a drain how far it is, and how many connections there are",
    )
    .gives(Gives::Json(shape::<OverrideShown>))
    .or(&[Code::NoSuchOverride]),
    delete("/v1/overrides/{id}", Call::Lift, "Takes an override back")
        .may_take(shape::<LiftBody>)
        .gives(Gives::Json(shape::<OverrideShown>))
        .or(&[Code::BadBody, Code::NoSuchOverride]),
    // Its errors quote the files, and it costs what a reload does: not for everybody who may look.
    Endpoint {
        body_max: FILES_MAX,
        ..post(
            "/v1/plan",
            Call::Plan,
            "What another configuration would change; by default what a reload would",
        )
    }
    .may_take(shape::<PlanBody>)
    .gives(Gives::Json(shape::<Planned>))
    .or(&[Code::BadBody, Code::BadConfig]),
    post("/v1/reload", Call::Reload, "Reads the configuration again and makes it count")
        .may_take(shape::<ReloadBody>)
        .gives(Gives::Json(shape::<Planned>))
        .or(&[Code::BadBody, Code::BadConfig, Code::Guarded]),
    post("/v1/reload/confirm", Call::Confirm, "Keeps a configuration that is on trial")
        .gives(Gives::Json(shape::<Confirmed>))
        .or(&[Code::NothingToConfirm]),
    post(
        "/v1/restart",
        Call::Restart,
        "Ends so that routes stay where they are (as SIGUSR2): whatever started it starts it again",
    )
    .gives(Gives::Json(shape::<Done>)),
    get("/v1/log-level", Call::ShowLogLevel, "Which lines the log has")
        .gives(Gives::Json(shape::<LevelShown>)),
    post("/v1/log-level", Call::LogLevel, "Changes which lines the log has, for a time if asked")
        .takes(shape::<LevelBody>)
        .gives(Gives::Json(shape::<LevelShown>))
        .or(&[Code::BadBody]),
    post("/v1/damping/reset", Call::ResetDamping, "Forgets what flap damping has counted")
        .takes(shape::<DampingBody>)
        .gives(Gives::Json(shape::<Done>))
        .or(&[Code::BadBody]),
    get(
        "/v1/history",
        Call::History,
        "What happened, the oldest first: the newest records, or those behind `after`",
    )
    .with(happened::HISTORY)
    .gives(Gives::Json(shape::<Happened>)),
    get(
        "/v1/events",
        Call::Events,
        "What happens, as server-sent events; those behind `after` first, each once",
    )
    .with(happened::EVENTS)
    .gives(Gives::Events(shape::<Record>)),
    get("/v1/checks", Call::ListChecks, "All checks of type `push` with their newest results")
        .gives(Gives::Json(shape::<ChecksShown<'_>>)),
    get("/v1/checks/{check}", Call::ShowCheck, "One check of all services")
        .gives(Gives::Json(shape::<ChecksShown<'_>>))
        .or(&[Code::NoSuchCheck]),
    post("/v1/checks/{check}", Call::PushCheck, "Sends a result for a check of all services")
        .takes(shape::<PushBody>)
        .gives(Gives::Json(shape::<PushTaken<'_>>))
        .or(&[Code::BadBody, Code::NoSuchCheck, Code::NoSuchVip]),
    get("/v1/checks/{service}/{check}", Call::ShowCheck, "One check of a service")
        .gives(Gives::Json(shape::<ChecksShown<'_>>))
        .or(&[Code::NoSuchCheck]),
    post(
        "/v1/checks/{service}/{check}",
        Call::PushCheck,
        "Sends a result for a check of a service",
    )
    .takes(shape::<PushBody>)
    .gives(Gives::Json(shape::<PushTaken<'_>>))
    .or(&[Code::BadBody, Code::NoSuchCheck, Code::NoSuchVip]),
];

/// What was found, and the parts of the path that stand for names.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is asked.
    pub endpoint: &'static Endpoint,
    /// The names, in the order of the path, decoded.
    pub names: Vec<String>,
}

/// What to answer at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Missed {
    /// OPTIONS: these methods there are.
    Options(Vec<&'static str>),
    /// There is no such path, or not with that method; with the methods that it has.
    Refused(Refusal, Vec<&'static str>),
}

impl From<Refusal> for Missed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, Vec::new())
    }
}

/// Looks up a request. HEAD is GET whose body is not sent (RFC 9110 section 9.3.2).
///
/// # Errors
/// When there is no such path, or not with that method, or it is OPTIONS.
pub fn find(method: &str, path: &str) -> Result<Found, Missed> {
    let wanted = if method == "HEAD" { "GET" } else { method };
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(names) = names(endpoint.path, path) else { continue };
        if endpoint.method == wanted {
            let names = names.into_iter().map(|name| decode(path, name)).collect::<Result<_, _>>();
            return Ok(Found { endpoint, names: names? });
        }
        allowed.push(endpoint.method);
    }
    if method == "OPTIONS" && path == "*" {
        // The server as a whole (RFC 9110 section 9.3.7).
        allowed = ["GET", "POST", "DELETE"].into();
        allowed.retain(|method| ENDPOINTS.iter().any(|it| it.method == *method));
    }
    if allowed.is_empty() {
        let known = ENDPOINTS.iter().map(|it| it.path);
        let fix = match nearest(known, path) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "GET /v1/openapi.json lists what there is".to_owned(),
        };
        let text = format!("there is no {}: {fix}", cut(path));
        return Err(Refusal::new(Code::NoSuchPath, text).into());
    }
    let text = format!("{} takes no {}: use {}", cut(path), cut(method), allowed.join(" or "));
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    if method == "OPTIONS" {
        return Err(Missed::Options(allowed));
    }
    Err(Missed::Refused(Refusal::new(Code::WrongMethod, text), allowed))
}

/// A name as it is meant.
fn decode(path: &str, name: &str) -> Result<String, Refusal> {
    query::decode(name).ok_or_else(|| {
        let text = format!(
            "{} is no path: a % stands before two hexadecimal digits, and all is UTF-8: write %25 \
             for the sign itself",
            cut(path)
        );
        Refusal::new(Code::BadValue, text)
    })
}

/// The names in a path, if it is one of these.
fn names<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut names = Vec::new();
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') && !part.is_empty() {
            names.push(part);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(names)
}

/// A text from outside, short enough for a message.
pub(super) fn cut(text: &str) -> String {
    cut_to(64, text)
}

/// A text of at most so many characters.
pub(super) fn cut_to(most: usize, text: &str) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let call = |method, path| {
            let found = find(method, path).unwrap();
            (found.endpoint.call, found.names.join("|"))
        };
        assert_eq!(call("GET", "/v1/checks"), (Call::ListChecks, String::new()));
        assert_eq!(call("HEAD", "/v1/checks"), (Call::ListChecks, String::new()));
        let both = "web|deploy".to_owned();
        assert_eq!(call("POST", "/v1/checks/web/deploy"), (Call::PushCheck, both));
        assert_eq!(call("POST", "/v1/checks/up"), (Call::PushCheck, "up".to_owned()));
        let odd = (Call::PushCheck, "a/b|é %".to_owned());
        assert_eq!(call("POST", "/v1/checks/a%2Fb/%c3%A9%20%25"), odd);
        let missed = |code, methods: &[&'static str]| (Some(code), methods.to_vec());
        for (method, path, want) in [
            ("POST", "/v1/checks", missed(Code::WrongMethod, &["GET", "HEAD", "OPTIONS"])),
            (
                "DELETE",
                "/v1/checks/web/deploy",
                missed(Code::WrongMethod, &["GET", "POST", "HEAD", "OPTIONS"]),
            ),
            ("OPTIONS", "/v1/checks", (None, vec!["GET", "HEAD", "OPTIONS"])),
            ("OPTIONS", "*", (None, vec!["GET", "POST", "DELETE", "HEAD", "OPTIONS"])),
            ("OPTIONS", "/v1", missed(Code::NoSuchPath, &[])),
            ("GET", "*", missed(Code::NoSuchPath, &[])),
            ("GET", "/", missed(Code::NoSuchPath, &[])),
            ("GET", "", missed(Code::NoSuchPath, &[])),
            ("GET", "/v1/checks/", missed(Code::NoSuchPath, &[])),
            ("GET", "/v1/checks//x", missed(Code::NoSuchPath, &[])),
            ("GET", "/v1/checks/a/b/c", missed(Code::NoSuchPath, &[])),
            ("GET", "/v2/checks", missed(Code::NoSuchPath, &[])),
            ("GET", "/v1/checks/a%", missed(Code::BadValue, &[])),
            ("GET", "/v1/checks/a%2", missed(Code::BadValue, &[])),
            ("GET", "/v1/checks/%ff", missed(Code::BadValue, &[])),
        ] {
            let got = match find(method, path).unwrap_err() {
                Missed::Options(methods) => (None, methods),
                Missed::Refused(refusal, methods) => (Some(refusal.code), methods),
            };
            assert_eq!(got, want, "{method} {path}");
        }
        let long = format!("/{}", "é".repeat(5000));
        let Missed::Refused(refusal, _) = find("GET", &long).unwrap_err() else { panic!() };
        assert!(refusal.message.len() < 400);
    }

    /// The guide names everything that can be asked, and every reason of a refusal.
    #[test]
    fn the_guide_is_complete() {
        let guide = include_str!("../../../../docs/control.md");
        for endpoint in ENDPOINTS {
            let line = format!("`{} {}`", endpoint.method, endpoint.path);
            assert!(guide.contains(&line), "{line}");
        }
        for code in Code::ALL {
            let row = format!("| {} | `{}` |", code.status(), code.name());
            assert!(guide.contains(&row), "{row}");
        }
    }
}
