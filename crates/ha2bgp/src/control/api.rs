//! What goes over the wire: JSON with `snake_case` names, times in seconds. These types are nobody's
//! state, and no runtime type is written out directly: the API changes only where this file does.

pub mod bfd;
pub mod check;
pub mod config;
pub mod peer;
pub mod service;
pub mod status;
pub mod why;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WayIn;

/// The body of `POST /v1/checks/…`. Values are judged one by one, so that an error names the field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushBody {
    /// `pass`, `warn`, `fail` or `unknown`.
    #[schemars(with = "String", extend("enum" = ["pass", "warn", "fail", "unknown"]))]
    pub outcome: Option<Value>,
    /// One line for people.
    #[schemars(with = "Option<String>")]
    pub detail: Option<Value>,
    /// For how long it counts: a duration with a unit, such as `30s`; at most the `ttl` of the check.
    #[schemars(with = "Option<String>")]
    pub ttl: Option<Value>,
    /// The VIP that it is for, of a check with `per-vip`, and only there.
    #[schemars(with = "Option<String>")]
    pub vip: Option<Value>,
}

/// The names of its fields.
pub const PUSH_FIELDS: [&str; 4] = ["outcome", "detail", "ttl", "vip"];

/// The answer to a push.
#[derive(Debug, JsonSchema, Serialize)]
pub struct PushTaken<'a> {
    /// `SERVICE/CHECK`, or `CHECK`.
    pub check: String,
    /// What was taken.
    pub outcome: &'static str,
    /// As it will be shown.
    pub detail: &'a str,
    /// How long it counts.
    pub ttl_seconds: f64,
    /// The VIP it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vip: Option<String>,
}

/// The answer to `GET /v1/checks`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ChecksShown<'a> {
    /// One entry for each check, and for each VIP where each has results of its own.
    pub checks: Vec<CheckShown<'a>>,
    /// So many were left out: ask for one check.
    pub left_out: usize,
}

/// One check.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CheckShown<'a> {
    /// The service whose own it is; `null` for one of all services.
    pub service: Option<&'a str>,
    /// Its name.
    pub check: &'a str,
    /// `push`; other types are not listed yet.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The VIP, where each has results of its own.
    pub vip: Option<String>,
    /// False while no service that uses it has a VIP.
    pub wanted: bool,
    /// The newest push; `null` when there was none since the start.
    pub last: Option<LastShown<'a>>,
}

/// The newest push.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LastShown<'a> {
    /// What it says.
    pub outcome: &'static str,
    /// One line for people.
    pub detail: &'a str,
    /// How long ago it came.
    pub age_seconds: f64,
    /// How long it counts in all.
    pub ttl_seconds: f64,
    /// How long it still counts; 0 when its time is over.
    pub ttl_left_seconds: f64,
    /// Its time is over: what the check has as `on-expiry` counts.
    pub expired: bool,
    /// Who sent it: the name of a user, `uid 1000`, or `token NAME`.
    pub author: &'a str,
    /// The user, as the kernel tells it; `null` when it came over TCP.
    pub uid: Option<u32>,
}

/// The answer to `GET /v1/control`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ControlShown {
    /// The ways in to this interface.
    pub ways: Vec<WayShown>,
}

/// One way in.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WayShown {
    /// The path of the socket, or the address with the port.
    pub name: String,
    /// Whether it is open now.
    pub open: bool,
    /// Why it is not; it is tried again every few seconds.
    pub error: Option<String>,
}

/// The ways in as they are shown.
pub fn control(ways: &[WayIn]) -> ControlShown {
    let shown = |way: &WayIn| WayShown {
        name: way.name.clone(),
        open: way.error.is_none(),
        error: way.error.clone(),
    };
    ControlShown { ways: ways.iter().map(shown).collect() }
}

/// Every answer that is no success.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ErrorBody<'a> {
    /// What is wrong.
    pub error: ErrorShown<'a>,
}

/// What is wrong.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ErrorShown<'a> {
    /// Stable, for programs.
    #[schemars(extend("enum" = Code::ALL.map(Code::name)))]
    pub code: &'static str,
    /// The value, the rule, the fix.
    pub message: &'a str,
    /// The field of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// What it held, cut when it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<&'a str>,
}

/// Why a request is refused. Stable names for programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    /// The body is no JSON, or no object of known fields.
    BadBody,
    /// A field is missing, or has a value that it cannot have.
    BadValue,
    /// There is no token, or nobody's.
    Unauthorized,
    /// Whoever asks may read, and not write.
    Forbidden,
    /// There is no such path.
    NoSuchPath,
    /// There is no such check.
    NoSuchCheck,
    /// There is no such service.
    NoSuchService,
    /// There is no such override.
    NoSuchOverride,
    /// No service that uses the check has that VIP now.
    NoSuchVip,
    /// The configuration is no good.
    BadConfig,
    /// It would withdraw more than the guard allows.
    Guarded,
    /// No configuration is on trial.
    NothingToConfirm,
    /// The path is right, the method is not.
    WrongMethod,
    /// The body is too long.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// Too many requests in a time.
    TooMany,
    /// All connections are taken, or nobody answers.
    Busy,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::BadBody,
        Self::BadValue,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NoSuchPath,
        Self::NoSuchCheck,
        Self::NoSuchService,
        Self::NoSuchOverride,
        Self::NoSuchVip,
        Self::BadConfig,
        Self::Guarded,
        Self::NothingToConfirm,
        Self::WrongMethod,
        Self::TooLarge,
        Self::TooSlow,
        Self::TooMany,
        Self::Busy,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadBody => "bad-body",
            Self::BadValue => "bad-value",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NoSuchPath => "no-such-path",
            Self::NoSuchCheck => "no-such-check",
            Self::NoSuchService => "no-such-service",
            Self::NoSuchOverride => "no-such-override",
            Self::NoSuchVip => "no-such-vip",
            Self::BadConfig => "bad-config",
            Self::Guarded => "guarded",
            Self::NothingToConfirm => "nothing-to-confirm",
            Self::WrongMethod => "wrong-method",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::TooMany => "too-many",
            Self::Busy => "busy",
        }
    }

    /// The status of HTTP (RFC 9110 section 15, RFC 6585 section 4).
    pub const fn status(self) -> u16 {
        match self {
            Self::BadBody | Self::BadValue => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NoSuchPath | Self::NoSuchCheck | Self::NoSuchService | Self::NoSuchOverride => {
                404
            }
            Self::WrongMethod => 405,
            Self::TooSlow => 408,
            Self::NoSuchVip | Self::Guarded | Self::NothingToConfirm => 409,
            Self::BadConfig => 422,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Busy => 503,
        }
    }
}

/// A refusal, before it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// The value, the rule, the fix.
    pub message: String,
    /// The field of the body.
    pub field: Option<String>,
    /// What it held.
    pub value: Option<String>,
}

impl Refusal {
    /// A refusal that is about no field.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, value: None }
    }

    /// As JSON.
    pub fn body(&self) -> Vec<u8> {
        let error = ErrorShown {
            code: self.code.name(),
            message: &self.message,
            field: self.field.as_deref(),
            value: self.value.as_deref(),
        };
        json(&ErrorBody { error })
    }
}

/// A value as a line of JSON.
pub fn json(value: &impl Serialize) -> Vec<u8> {
    // These types have nothing that JSON cannot hold.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
