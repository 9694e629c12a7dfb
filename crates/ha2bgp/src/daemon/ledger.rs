//! The overrides with all that people want to know of them: who, why, since when, until when. What the
//! engine is told is made from it.

use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::{OVERRIDES_MAX, Override, OverrideId, OverrideKind, Scope};
use ha2bgp_core::time::Instant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::log_level::KeptLevel;
use crate::control::orders::{DrainPlan, NewOverride, OverrideShown};
use crate::events::{Draft, Kind, Level};

/// The version of the file.
const VERSION: u32 = 1;

/// One override, as it is kept on disk.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Entry {
    pub(super) id: u64,
    kind: String,
    scope: KeptScope,
    reason: String,
    author: String,
    /// RFC 3339.
    since: String,
    until: Option<String>,
    drain: Option<DrainPlan>,
    connections_left: Option<u32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeptScope {
    All,
    Service(String),
    Prefix(String),
}

/// The file.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    version: u32,
    /// Numbers are never given twice.
    next: u64,
    overrides: Vec<Entry>,
    /// What was said of the log; older files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_level: Option<KeptLevel>,
}

/// What every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// It is no JSON of this kind.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Another program has written it.
    #[error("another ha2bgp has written it, in version {0} and not {VERSION}")]
    Version(u32),
    /// An entry makes no sense.
    #[error("override {id}: {value:?} is no {what}")]
    Entry {
        /// Which.
        id: u64,
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// What was said of the log makes no sense.
    #[error("log_level: {value:?} is no {what}")]
    Level {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
}

/// All overrides that count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ledger {
    next: u64,
    entries: Vec<Entry>,
    level: Option<KeptLevel>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { next: 1, entries: Vec::new(), level: None }
    }
}

impl Ledger {
    /// Reads what was kept. Those that are over are left out, and returned.
    pub(super) fn read(bytes: &[u8], now: Timestamp) -> Result<(Self, Vec<Entry>), LedgerError> {
        // Other versions may look otherwise.
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(LedgerError::Version(version));
        }
        let kept: Kept = serde_json::from_slice(bytes)?;
        for entry in &kept.overrides {
            entry.check()?;
        }
        if let Some(level) = &kept.log_level {
            level.check()?;
        }
        let is_over = |entry: &Entry| entry.until().is_some_and(|until| until <= now);
        let (over, entries): (Vec<_>, Vec<_>) = kept.overrides.into_iter().partition(is_over);
        let highest = entries.iter().chain(&over).map(|entry| entry.id).max().unwrap_or(0);
        let level = kept.log_level.filter(|level| !level.is_over(now));
        Ok((Self { next: kept.next.max(highest.saturating_add(1)), entries, level }, over))
    }

    /// What is to be kept.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let kept = Kept {
            version: VERSION,
            next: self.next,
            overrides: self.entries.clone(),
            log_level: self.level.clone(),
        };
        // These types have nothing that JSON cannot hold.
        let mut bytes = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Adds an override; one of the same kind for the same is replaced. `None` when there are too
    /// many.
    pub(super) fn add(&mut self, new: &NewOverride, now: Timestamp) -> Option<Entry> {
        let scope = KeptScope::of(&new.scope);
        let same =
            |entry: &Entry| entry.scope == scope && base(&entry.kind) == base(new.kind.name());
        let others = self.entries.iter().filter(|entry| !same(entry)).count();
        if others >= OVERRIDES_MAX {
            return None;
        }
        // What is drained stays so when somebody asks for it once more.
        let drained = self.entries.iter().find(|it| same(it) && it.kind() == OverrideKind::Drained);
        let (kind, connections_left) = match drained {
            Some(before) => (OverrideKind::Drained, before.connections_left),
            None => (new.kind, None),
        };
        self.entries.retain(|entry| !same(entry));
        let entry = Entry {
            id: self.next,
            kind: kind.name().to_owned(),
            scope,
            reason: new.reason.clone(),
            author: new.author.0.clone(),
            since: now.to_string(),
            until: new.lasts.and_then(|lasts| now.checked_add(lasts).ok()).map(|it| it.to_string()),
            drain: new.drain,
            connections_left,
        };
        self.next = self.next.saturating_add(1);
        self.entries.push(entry.clone());
        Some(entry)
    }

    /// What was said of the log.
    pub(super) const fn level(&self) -> Option<&KeptLevel> {
        self.level.as_ref()
    }

    /// Something else was said of the log.
    pub(super) fn set_level(&mut self, level: Option<KeptLevel>) {
        self.level = level;
    }

    /// Takes an override out.
    pub(super) fn remove(&mut self, id: OverrideId) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.id == id.0)?;
        Some(self.entries.remove(at))
    }

    /// A drain is over: it withdraws from now on.
    pub(super) fn drained(&mut self, id: OverrideId, connections: Option<u32>) -> Option<Entry> {
        let drain = OverrideKind::Drain.name();
        let entry = self.entries.iter_mut().find(|it| it.id == id.0 && it.kind == drain)?;
        OverrideKind::Drained.name().clone_into(&mut entry.kind);
        entry.connections_left = connections;
        Some(entry.clone())
    }

    /// One of them.
    pub(super) fn find(&self, id: OverrideId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id.0)
    }

    /// The drains that are not over.
    pub(super) fn drains(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind() == OverrideKind::Drain)
    }

    /// All of them, in the order in which they were made.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those whose time is over.
    pub(super) fn over(&self, wall: Timestamp) -> Vec<OverrideId> {
        let over = self.entries.iter().filter(|entry| entry.until().is_some_and(|it| it <= wall));
        over.map(|entry| OverrideId(entry.id)).collect()
    }

    /// What the engine is told.
    pub(super) fn for_engine(&self, wall: Timestamp, now: Instant) -> Vec<Override> {
        let each = self.entries.iter().map(|entry| Override {
            id: OverrideId(entry.id),
            scope: entry.scope(),
            kind: entry.kind(),
            until: entry.left(wall).map(|left| now + left),
        });
        each.collect()
    }
}

impl Entry {
    /// Every field says something.
    fn check(&self) -> Result<(), LedgerError> {
        let wrong = |what, value: &str| {
            Err(LedgerError::Entry { id: self.id, what, value: value.to_owned() })
        };
        if OverrideKind::ALL.iter().all(|kind| kind.name() != self.kind) {
            return wrong("kind", &self.kind);
        }
        if let KeptScope::Prefix(text) = &self.scope
            && text.parse::<Prefix>().is_err()
        {
            return wrong("prefix", text);
        }
        for text in std::iter::once(&self.since).chain(&self.until) {
            if text.parse::<Timestamp>().is_err() {
                return wrong("time", text);
            }
        }
        Ok(())
    }

    /// What it does.
    pub(super) fn kind(&self) -> OverrideKind {
        let known = OverrideKind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        // `check` has seen to it.
        known.unwrap_or(OverrideKind::Maintenance)
    }

    /// Whom it is for.
    pub(super) fn scope(&self) -> Scope {
        match &self.scope {
            KeptScope::All => Scope::All,
            KeptScope::Service(name) => Scope::Service(name.as_str().into()),
            // `check` has seen to it; nobody is meant by the name of no service.
            KeptScope::Prefix(text) => {
                text.parse().map_or_else(|_| Scope::Service("".into()), Scope::Network)
            }
        }
    }

    /// For a drain: when it withdraws.
    pub(super) fn plan(&self) -> DrainPlan {
        self.drain.unwrap_or(DrainPlan { wait_connections: None, timeout_seconds: None })
    }

    /// For a drain: so much time is left of its timeout. A clock that was set back makes it longer,
    /// but never longer than it was at first.
    pub(super) fn time_left(&self, wall: Timestamp) -> Option<std::time::Duration> {
        let timeout = std::time::Duration::from_secs(self.plan().timeout_seconds?);
        let since = self.since.parse().unwrap_or(wall);
        Some(timeout.saturating_sub(left(wall, since)))
    }

    fn until(&self) -> Option<Timestamp> {
        self.until.as_ref()?.parse().ok()
    }

    /// How long it still is. A clock that was set back makes it longer, but never longer than it was
    /// at first.
    fn left(&self, wall: Timestamp) -> Option<std::time::Duration> {
        let until = self.until()?;
        let whole =
            self.since.parse().map_or_else(|_| left(until, wall), |since| left(until, since));
        Some(left(until, wall).min(whole))
    }

    /// True when it ends by itself.
    pub(super) const fn ends(&self) -> bool {
        self.until.is_some()
    }

    /// As it is shown.
    pub(super) fn shown(&self, now: Timestamp, saved: bool) -> OverrideShown {
        OverrideShown {
            id: self.id,
            kind: self.kind.clone(),
            scope: self.scope.to_string(),
            reason: self.reason.clone(),
            author: self.author.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            left_seconds: self.left(now).map(|left| left.as_secs_f64()),
            drain: self.drain,
            phase: None,
            connections: None,
            connections_left: self.connections_left,
            saved,
            vips: Vec::new(),
        }
    }

    /// What is told of it; the author is whoever does something to it now.
    pub(super) fn draft(&self, kind: Kind, text: &str, author: &str) -> Draft {
        let text = format!("{text}: {}", self.words());
        let draft = Draft::new(kind, Level::Warn, text).author(author).detail(&self.reason);
        let draft = draft.more("override", self.id).to(&self.kind);
        match &self.scope {
            KeptScope::All => draft,
            KeptScope::Service(name) => draft.service(name),
            KeptScope::Prefix(prefix) => match prefix.parse() {
                Ok(prefix) => draft.prefix(prefix),
                Err(_) => draft,
            },
        }
    }

    /// Who has made it.
    pub(super) fn author(&self) -> &str {
        &self.author
    }

    /// In words, for the log.
    pub(super) fn words(&self) -> String {
        format!("{} of {}: {} ({})", self.kind, self.scope, self.reason, self.author)
    }
}

impl KeptScope {
    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Service(name) => Self::Service(name.to_string()),
            Scope::Network(prefix) => Self::Prefix(prefix.to_string()),
        }
    }
}

impl std::fmt::Display for KeptScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Service(name) => write!(f, "service {name}"),
            Self::Prefix(prefix) => f.write_str(prefix),
        }
    }
}

/// A drain stays one when it has withdrawn.
fn base(kind: &str) -> &str {
    if kind == OverrideKind::Drained.name() { OverrideKind::Drain.name() } else { kind }
}

/// How long it still is; nothing when it is over.
pub(super) fn left(until: Timestamp, now: Timestamp) -> std::time::Duration {
    until.duration_since(now).try_into().unwrap_or_default()
}
