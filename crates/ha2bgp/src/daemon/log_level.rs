//! What operators say of the log: which lines it has, for how long. Kept with the overrides, so that it
//! outlives a restart as they do.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::engine_task::EngineTask;
use super::ledger::{LedgerError, left};
use crate::control::api::{Code, Refusal};
use crate::control::level::{LevelChange, LevelShown};
use crate::control::orders::Answer;
use crate::events::{Draft, Kind, Level};
use crate::log::LevelState;

/// A change of the level, as it is kept on disk.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct KeptLevel {
    level: String,
    reason: String,
    author: String,
    /// RFC 3339.
    since: String,
    until: Option<String>,
}

impl KeptLevel {
    pub(super) fn new(change: &LevelChange, now: Timestamp) -> Self {
        let until = change.lasts.and_then(|lasts| now.checked_add(lasts).ok());
        Self {
            level: change.level.name().to_owned(),
            reason: change.reason.clone(),
            author: change.author.0.clone(),
            since: now.to_string(),
            until: until.map(|until| until.to_string()),
        }
    }

    /// Every field says something.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let wrong = |what, value: &str| Err(LedgerError::Level { what, value: value.to_owned() });
        if self.level().is_none() {
            return wrong("level", &self.level);
        }
        let times = std::iter::once(&self.since).chain(&self.until);
        match times.into_iter().find(|time| time.parse::<Timestamp>().is_err()) {
            Some(time) => wrong("time", time),
            None => Ok(()),
        }
    }

    fn level(&self) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == self.level)
    }

    /// How long it still counts; `None`: until the next change. A clock that was set back makes it no
    /// longer than it was at first.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let until: Timestamp = self.until.as_ref()?.parse().ok()?;
        let whole = self.since.parse().map_or(Duration::MAX, |since| left(until, since));
        Some(left(until, now).min(whole))
    }

    /// True when its time is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }
}

impl EngineTask {
    /// Changes the level, or not; says what it is.
    pub(super) fn log_level(&mut self, change: Option<LevelChange>, answer: Answer<LevelShown>) {
        let Some(levels) = &self.levels else {
            let text = "this program has no log of its own";
            // Whoever asked may be gone.
            let _ = answer.send(Err(Refusal::new(Code::Busy, text)));
            return;
        };
        let Some(change) = change else {
            let _ = answer.send(Ok(self.level_shown(levels.get())));
            return;
        };
        let before = levels.get();
        levels.set(change.level, change.lasts);
        let state = levels.get();
        // What the configuration says for ever needs no memory.
        let kept = (change.level != state.configured || change.lasts.is_some())
            .then(|| KeptLevel::new(&change, Timestamp::now()));
        self.ledger.set_level(kept);
        let LevelChange { level, author, reason, .. } = change;
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let text = format!("the log has {} and what is more urgent{why}", level.name());
        let draft = Draft::new(Kind::LogLevel, Level::Warn, text).author(&author.0);
        self.ends.teller.tell(draft.from(before.level.name()).to(level.name()));
        let shown = self.level_shown(state);
        self.keeper.keep(&self.ledger, move |saved| {
            let _ = answer.send(Ok(LevelShown { saved, ..shown }));
        });
    }

    /// Lets what was said before a restart count again.
    pub(super) fn recall_level(&self) {
        let (Some(levels), Some(kept)) = (&self.levels, self.ledger.level()) else { return };
        let now = Timestamp::now();
        let Some(level) = kept.level().filter(|_| !kept.is_over(now)) else { return };
        levels.set(level, kept.left(now));
        let why = if kept.reason.is_empty() { "no reason given" } else { &kept.reason };
        tracing::warn!(
            "the log has still {} and what is more urgent: {why} ({})",
            kept.level,
            kept.author
        );
    }

    /// What there is to say of the level now; nothing in a program without a log.
    pub(super) fn level_now(&self) -> Option<LevelShown> {
        self.levels.as_ref().map(|levels| self.level_shown(levels.get()))
    }

    fn level_shown(&self, state: LevelState) -> LevelShown {
        let left = state.until.map(|it| it.saturating_duration_since(std::time::Instant::now()));
        // What is kept may be of a time that is over.
        let kept = self.ledger.level().filter(|kept| {
            state.level.name() == kept.level && state.until.is_some() == kept.until.is_some()
        });
        LevelShown {
            level: state.level.name().to_owned(),
            configured: state.configured.name().to_owned(),
            left_seconds: left.map(|left| left.as_secs_f64()),
            author: kept.map(|kept| kept.author.clone()),
            reason: kept.map(|kept| kept.reason.clone()),
            saved: self.keeper.keeps(),
        }
    }
}
