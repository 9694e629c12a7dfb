//! Which lines the log has: shown and changed while the program runs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Refusal, json};
use super::caller::Caller;
use super::orders::{Author, Order, author, parse, text, time, wrong};
use super::questions::Questions;
use super::route::Call;
use crate::events::Level;

/// The most that a change lasts, where it has an end.
const FOR_MAX: Duration = Duration::from_secs(24 * 3600);

/// A change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LevelChange {
    /// This level and what is more urgent.
    pub level: Level,
    /// For so long; `None`: until the next change.
    pub lasts: Option<Duration>,
    /// Who wants it.
    pub author: Author,
    /// Why; may be empty.
    pub reason: String,
}

/// The level of the log.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct LevelShown {
    /// This level and what is more urgent is written: `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// What the configuration says.
    pub configured: String,
    /// In so many seconds that counts again; `null`: never by itself.
    pub left_seconds: Option<f64>,
    /// Who has changed it; `null` where the configuration counts.
    pub author: Option<String>,
    /// Why; may be empty.
    pub reason: Option<String>,
    /// It outlives a restart.
    pub saved: bool,
}

/// The body of `POST /v1/log-level`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelBody {
    /// `error`, `warn`, `info` or `debug`.
    #[schemars(with = "Option<String>")]
    level: Option<Value>,
    /// A duration with its unit, 24h at most; without it until the next change.
    #[serde(rename = "for")]
    #[schemars(with = "Option<String>")]
    lasts: Option<Value>,
    /// Why.
    #[schemars(with = "Option<String>")]
    reason: Option<Value>,
    /// Who says so.
    #[schemars(with = "Option<String>")]
    author: Option<Value>,
}

/// Answers.
///
/// # Errors
/// When the body is no good, or the program does not answer.
pub async fn answer(
    call: Call,
    engine: &Questions,
    body: &[u8],
    caller: &Caller,
) -> Result<Vec<u8>, Refusal> {
    let change = match call {
        Call::LogLevel => Some(change(body, &Author(caller.author.clone()))?),
        _ => None,
    };
    Ok(json(&engine.order(|answer| Order::LogLevel(change, answer)).await?))
}

fn change(body: &[u8], caller: &Author) -> Result<LevelChange, Refusal> {
    let body: LevelBody = parse(body)?;
    let levels = "\"error\", \"warn\", \"info\" or \"debug\"";
    let level = text("level", body.level.as_ref())?
        .ok_or_else(|| wrong("level", "", format!("level is missing: send {levels}")))?;
    let level = Level::ALL
        .into_iter()
        .find(|it| it.name() == level)
        .ok_or_else(|| wrong("level", &level, format!("there is no such level: send {levels}")))?;
    let lasts = time("for", body.lasts.as_ref())?;
    if let Some(lasts) = lasts.filter(|it| it.is_zero() || *it > FOR_MAX) {
        let shown = crate::config::duration::show(lasts);
        return Err(wrong("for", &shown, "it is not from 1ms to 24h: send for example \"10m\""));
    }
    Ok(LevelChange {
        level,
        lasts,
        author: author(body.author.as_ref(), caller)?,
        reason: text("reason", body.reason.as_ref())?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_it_says() {
        let read = |text: &str| change(text.as_bytes(), &Author("uid 0".to_owned()));
        let good = read(r#"{"level":"debug","for":"10m","author":"anna"}"#).unwrap();
        assert_eq!((good.level, good.lasts), (Level::Debug, Some(Duration::from_secs(600))));
        assert_eq!(good.author.0, "anna (uid 0)");
        for (body, field, words) in [
            ("{}", "level", "level is missing: send \"error\""),
            (r#"{"level":"loud"}"#, "level", "there is no such level"),
            (r#"{"level":7}"#, "level", "it is no text"),
            (r#"{"level":"info","for":"2d"}"#, "for", ""),
            (r#"{"level":"info","for":"48h"}"#, "for", "not from 1ms to 24h"),
        ] {
            let refusal = read(body).unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some(field), "{body}");
            assert!(refusal.message.contains(words), "{body}: {}", refusal.message);
        }
        assert!(read(r#"{"levle":"info"}"#).is_err());
    }
}
