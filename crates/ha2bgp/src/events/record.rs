//! One record: what is told of something that happened, to all who want to know.
//!
//! The log, the history, the stream of events and `ha2bgp history` are made from it. Its JSON is
//! stable: fields may be added, none changes its meaning.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::reason::Reason;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::Id;
use super::kind::Kind;

/// The longest text of a record, in octets; what is longer is cut.
const TEXT_MAX: usize = 1024;

/// How urgent it is.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// An operator must act.
    Error,
    /// Unexpected.
    Warn,
    /// What a network operator wants to read.
    Info,
    /// Every step.
    Debug,
}

impl Level {
    /// All of them, the most urgent one first.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// The name in JSON and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The same, as the log knows it.
    pub const fn of_log(self) -> tracing::Level {
        match self {
            Self::Error => tracing::Level::ERROR,
            Self::Warn => tracing::Level::WARN,
            Self::Info => tracing::Level::INFO,
            Self::Debug => tracing::Level::DEBUG,
        }
    }
}

/// A record. What does not apply is empty, and absent in JSON.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Record {
    /// Which one it is.
    #[schemars(with = "String")]
    pub id: Id,
    /// When it happened, on the wall clock.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How urgent it is.
    pub level: Level,
    /// What happened: a name of `docs/reference/events.md`. Records of another version may have
    /// names that this one does not know.
    pub kind: String,
    /// The name of the service; absent when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The prefix of the service address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The router.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// What decided it: a code of `docs/reference/reasons.md`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The state before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The state now.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// The check that decided it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub check: String,
    /// What that check found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Who did it, where a person did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What else there is to know, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
    /// One sentence for people.
    pub text: String,
}

/// A time as it stands in records: UTC with microseconds, always equally long.
pub fn stamp(at: Timestamp) -> impl fmt::Display {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
}

fn write_time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&stamp(*at))
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Record {
    /// As one line of JSON, without its end.
    pub fn json(&self) -> String {
        // It has nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The fields that stand behind the text in a log for people. What the text says already is
    /// left out.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        let more = self.more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = [
            ("prefix", &self.prefix),
            ("peer", &self.peer),
            ("service", &self.service),
            ("reason", &self.reason),
            ("author", &self.author),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        fields.map(|(name, value)| (name, value.as_str())).chain(more)
    }

    /// All fields that are there but for the text, by their names in JSON.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let changes = [
            ("from", &self.from),
            ("to", &self.to),
            ("check", &self.check),
            ("detail", &self.detail),
        ];
        let changes = changes.into_iter().filter(|(_, value)| !value.is_empty());
        let changes = changes.map(|(name, value)| (name, value.as_str()));
        [("kind", self.kind.as_str())].into_iter().chain(self.shown()).chain(changes)
    }
}

/// A record on its way through the log. `tracing` hands values on as they are only as errors.
#[derive(Clone, Debug)]
pub(crate) struct Logged(pub(crate) Arc<Record>);

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Error for Logged {}

/// A record before it has its number and its time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    pub(super) kind: Kind,
    record: Record,
}

impl Draft {
    /// Something that happened, in a sentence.
    pub fn new(kind: Kind, level: Level, text: impl Into<String>) -> Self {
        let record = Record {
            id: Id::default(),
            at: Timestamp::UNIX_EPOCH,
            level,
            kind: kind.name().to_owned(),
            service: String::new(),
            prefix: String::new(),
            peer: String::new(),
            reason: String::new(),
            from: String::new(),
            to: String::new(),
            check: String::new(),
            detail: String::new(),
            author: String::new(),
            more: BTreeMap::new(),
            text: cut(&text.into()),
        };
        Self { kind, record }
    }

    /// The name of the service.
    #[must_use]
    pub fn service(mut self, name: &str) -> Self {
        name.clone_into(&mut self.record.service);
        self
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: Prefix) -> Self {
        self.record.prefix = prefix.to_string();
        self
    }

    /// The router.
    #[must_use]
    pub fn peer(mut self, peer: impl fmt::Display) -> Self {
        self.record.peer = cut(&peer.to_string());
        self
    }

    /// What decided it.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        reason.code().clone_into(&mut self.record.reason);
        self
    }

    /// The state before.
    #[must_use]
    pub fn from(mut self, state: impl fmt::Display) -> Self {
        self.record.from = cut(&state.to_string());
        self
    }

    /// The state now.
    #[must_use]
    pub fn to(mut self, state: impl fmt::Display) -> Self {
        self.record.to = cut(&state.to_string());
        self
    }

    /// The check that decided it, and what it found.
    #[must_use]
    pub fn check(mut self, name: &str, detail: &str) -> Self {
        (self.record.check, self.record.detail) = (cut(name), cut(detail));
        self
    }

    /// More of why, in the words of whoever did it.
    #[must_use]
    pub fn detail(mut self, text: &str) -> Self {
        self.record.detail = cut(text);
        self
    }

    /// Who did it.
    #[must_use]
    pub fn author(mut self, author: &str) -> Self {
        self.record.author = cut(author);
        self
    }

    /// What else there is to know. The name is in lower case with underscores, as in all our JSON.
    #[must_use]
    pub fn more(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.record.more.insert(name.to_owned(), cut(&value.to_string()));
        self
    }

    /// With its number and its time.
    pub(crate) fn finish(self, id: Id, at: Timestamp) -> Record {
        Record { id, at, ..self.record }
    }
}

/// A text that is not too long for a record.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_stable() {
        let draft = Draft::new(Kind::RouteWithdrawn, Level::Info, "withdrawing: a check \"fails\"")
            .service("web")
            .prefix("100.64.0.10/32".parse().unwrap())
            .reason(Reason::CheckFailed)
            .to("withdrawn")
            .check("page", "status 503\n")
            .more("metric", 7);
        let at = "2026-11-26T15:23:33.0001Z".parse().unwrap();
        let record = draft.finish("1795706498-17".parse().unwrap(), at);
        let want = "{\"id\":\"1795706498-17\",\"at\":\"2026-11-26T15:23:33.000100Z\",\"level\":\"info\",\
            \"kind\":\"route-withdrawn\",\"service\":\"web\",\"prefix\":\"100.64.0.10/32\",\
            \"reason\":\"check-failed\",\"to\":\"withdrawn\",\"check\":\"page\",\
            \"detail\":\"status 503\\n\",\"more\":{\"metric\":\"7\"},\
            \"text\":\"withdrawing: a check \\\"fails\\\"\"}";
        assert_eq!(record.json(), want);
        assert_eq!(serde_json::from_str::<Record>(want).unwrap(), record);
        // What a later version adds is no fault.
        let later = want.replace("\"level\"", "\"new\":[1],\"level\"");
        assert_eq!(serde_json::from_str::<Record>(&later).unwrap(), record);
    }

    #[test]
    fn a_record_has_a_limit() {
        let long = "é".repeat(10_000);
        let draft = Draft::new(Kind::CheckChanged, Level::Info, long.as_str()).check(&long, &long);
        let record = draft.finish(Id::default(), Timestamp::UNIX_EPOCH);
        assert!(record.json().len() < 4 * TEXT_MAX);
        assert!(record.text.ends_with("é…"));
    }
}
