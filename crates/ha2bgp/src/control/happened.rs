//! `GET /v1/history` and `GET /v1/events`: what happened, and what happens.
//!
//! Records go over the wire as they are kept: [`crate::events::Record`] says what they hold.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::answer::Answer;
use super::api::{Code, Refusal, json};
use super::calls::Asked;
use super::events::ServerEvent;
use super::query::{Param, Query, Takes};
use super::route::cut;
use crate::events::{EventLog, Gap, Id, Item, Kind, Record, Stored, Subscription};
use crate::history;

/// The most records in one answer.
pub const LIMIT_MAX: u64 = 5000;
/// As many as that without a limit.
const LIMIT: u64 = 100;
/// Events that may wait for a client; then they wait in the log, which forgets the oldest.
const AHEAD: usize = 64;

const AFTER: Param =
    Param { name: "after", takes: Takes::Text, about: "The id of a record: only those behind it" };

/// What `GET /v1/history` takes.
pub(super) const HISTORY: &[Param] = &[
    Param {
        name: "limit",
        takes: Takes::Number(1, LIMIT_MAX),
        about: "So many records at most; 100 without it",
    },
    AFTER,
    Param { name: "since", takes: Takes::Duration, about: "None that is older than this" },
    Param { name: "service", takes: Takes::Text, about: "Of the service of that name" },
    Param {
        name: "prefix",
        takes: Takes::Text,
        about: "Of that prefix, or of that service address",
    },
    Param { name: "kind", takes: Takes::Text, about: "Of that kind: see docs/reference/events.md" },
];

/// What `GET /v1/events` takes.
pub(super) const EVENTS: &[Param] = &[AFTER];

/// The answer to `GET /v1/history`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct Happened {
    /// The records, the oldest first.
    #[schemars(with = "Vec<Record>")]
    pub events: Vec<Box<RawValue>>,
    /// The id of the newest record that there is: what to give to `/v1/events` as `after`.
    #[schemars(with = "String")]
    pub newest: Id,
}

/// The first event of a stream, with the id behind which it begins: a client that comes again
/// before anything has happened misses nothing.
#[derive(Debug, Serialize)]
struct Begin {
    kind: &'static str,
    after: Id,
}

/// Records that a stream of events lacks.
#[derive(Debug, Deserialize, Serialize)]
pub struct GapShown {
    /// `gap`, where records have their kind.
    pub kind: String,
    /// The last record before the gap.
    pub after: Id,
    /// The first one behind it; `null` when there is none yet.
    pub before: Option<Id>,
    /// How many are missing; `null` when that is not known.
    pub lost: Option<u64>,
}

/// Answers with what happened.
///
/// # Errors
/// When a parameter is no id, prefix or kind, or nobody answers.
pub(super) async fn history(log: &EventLog, query: &Query) -> Result<Vec<u8>, Refusal> {
    let since = query.duration("since").and_then(|ago| {
        let ago = SignedDuration::try_from(ago).ok()?;
        Timestamp::now().checked_sub(ago).ok()
    });
    let wanted = history::Query {
        after: query.text("after").map(|text| id("after", text)).transpose()?,
        since,
        service: query.text("service").map(str::to_owned),
        prefix: query.text("prefix").map(prefix).transpose()?,
        kind: query.text("kind").map(kind).transpose()?,
        limit: usize::try_from(query.number("limit").unwrap_or(LIMIT)).unwrap_or(1),
    };
    let newest = log.newest();
    let records = log.query(wanted).await.ok_or_else(|| {
        Refusal::new(Code::Busy, "ha2bgp ends, or does not answer now: ask again")
    })?;
    let raw = |stored: Stored| RawValue::from_string(stored.line.as_ref().to_owned()).ok();
    let events = records.into_iter().filter_map(raw).collect();
    Ok(json(&Happened { events, newest }))
}

/// Answers with what happens from now on, or from some record on.
///
/// # Errors
/// When the last record that is named is no id.
pub(super) fn events(log: &EventLog, asked: &Asked<'_>) -> Result<Answer, Refusal> {
    // A client that comes again says what it has got since it began.
    let after = match (asked.last_event, asked.query.text("after")) {
        (Some(text), _) => Some(id("Last-Event-ID", text)?),
        (None, Some(text)) => Some(id("after", text)?),
        (None, None) => None,
    };
    let (sending, source) = mpsc::channel(AHEAD);
    tokio::spawn(follow(log.subscribe(after), sending));
    Ok(Answer::Events(source))
}

/// Hands records to a client, as fast as it takes them.
async fn follow(mut subscription: Subscription, client: mpsc::Sender<ServerEvent>) {
    let after = subscription.cursor();
    let data = json(&Begin { kind: "begin", after });
    if client.send(ServerEvent { id: Some(after.to_string()), kind: "begin", data }).await.is_err()
    {
        return;
    }
    loop {
        let items = tokio::select! {
            items = subscription.next() => items,
            () = client.closed() => None,
        };
        let Some(items) = items else { return };
        for item in items {
            if client.send(event(item)).await.is_err() {
                return;
            }
        }
    }
}

fn event(item: Item) -> ServerEvent {
    match item {
        Item::Record(stored) => {
            #[derive(Deserialize)]
            struct Head {
                kind: String,
            }
            let head: Option<Head> = serde_json::from_str(&stored.line).ok();
            let kind = head.and_then(|head| Kind::of_name(&head.kind));
            ServerEvent {
                id: Some(stored.id.to_string()),
                // A record of another version may have a kind that this one does not know.
                kind: kind.map_or("other", Kind::name),
                data: stored.line.as_bytes().to_vec(),
            }
        }
        Item::Gap(Gap { after, before, lost }) => ServerEvent {
            id: None,
            kind: "gap",
            data: json(&GapShown { kind: "gap".to_owned(), after, before, lost }),
        },
    }
}

fn id(name: &str, text: &str) -> Result<Id, Refusal> {
    text.parse().map_err(|error: String| bad(name, text, error))
}

/// A prefix as records have it. An address alone stands for its host route.
fn prefix(text: &str) -> Result<String, Refusal> {
    let address = text.parse().map(ha2bgp_core::net::Prefix::host);
    let prefix = address.or_else(|_| text.parse::<ha2bgp_core::net::Prefix>());
    prefix.map(|prefix| prefix.to_string()).map_err(|_| {
        let said = format!("\"{}\" is no prefix: ask for example for 192.0.2.1", cut(text));
        bad("prefix", text, said)
    })
}

fn kind(text: &str) -> Result<String, Refusal> {
    if Kind::of_name(text).is_some() {
        return Ok(text.to_owned());
    }
    let names = Kind::ALL.iter().map(|kind| kind.name());
    let fix = crate::near::nearest(names, text).map_or_else(
        || "docs/reference/events.md lists them".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(bad("kind", text, format!("\"{}\" is no kind of event: {fix}", cut(text))))
}

fn bad(name: &str, value: &str, message: String) -> Refusal {
    Refusal {
        field: Some(name.to_owned()),
        value: Some(cut(value)),
        ..Refusal::new(Code::BadValue, message)
    }
}
