//! Which lines are written: changeable while the program runs, for a time.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, reload};

use crate::events::Level;

/// The layer that decides.
pub(super) type Filter = reload::Layer<LevelFilter, Registry>;

/// What is written now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LevelState {
    /// This level and what is more urgent.
    pub level: Level,
    /// Then it is again what the configuration says; `None`: it stays.
    pub until: Option<Instant>,
    /// What the configuration says.
    pub configured: Level,
}

/// The level, and what changes it.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    filter: reload::Handle<LevelFilter, Registry>,
    state: watch::Sender<LevelState>,
}

pub(super) fn start(level: Level) -> (Filter, Levels) {
    let (layer, filter) = reload::Layer::new(LevelFilter::from_level(level.of_log()));
    let state = LevelState { level, until: None, configured: level };
    (layer, Levels { filter, state: watch::Sender::new(state) })
}

impl Levels {
    /// What is written now.
    pub(super) fn get(&self) -> LevelState {
        *self.state.borrow()
    }

    /// Writes from now on this level and what is more urgent; for a time, or until the next change.
    pub(super) fn set(&self, level: Level, time: Option<Duration>) {
        let until = time.and_then(|time| Instant::now().checked_add(time));
        self.state.send_modify(|state| (state.level, state.until) = (level, until));
        self.apply(level);
    }

    /// Ends a time that is over; says when the next one is.
    pub(super) fn expire(&self, now: Instant) -> Option<Instant> {
        let until = self.get().until?;
        if now < until {
            return Some(until);
        }
        let mut over = false;
        self.state.send_modify(|state| {
            // Somebody may have set another one meanwhile.
            over = state.until == Some(until);
            if over {
                (state.level, state.until) = (state.configured, None);
            }
        });
        if over {
            self.apply(self.get().level);
        }
        self.get().until
    }

    fn apply(&self, level: Level) {
        // Without a log (a second one in a test) there is nothing to change.
        let _ = self.filter.modify(|filter| *filter = LevelFilter::from_level(level.of_log()));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_level_is_for_a_time() {
        let (filter, levels) = start(Level::Info);
        let subscriber = tracing_subscriber::registry().with(filter);
        tracing::subscriber::with_default(subscriber, || {
            let on = || tracing::enabled!(tracing::Level::DEBUG);
            assert!(!on());
            levels.set(Level::Debug, Some(Duration::from_secs(60)));
            let state = levels.get();
            assert_eq!((state.level, state.configured), (Level::Debug, Level::Info));
            assert!(on());
            let until = state.until.unwrap();
            assert_eq!(levels.expire(until - Duration::from_nanos(1)), Some(until));
            assert!(on());
            assert_eq!(levels.expire(until), None);
            assert!(!on());
            assert_eq!(levels.get().level, Level::Info);
            levels.set(Level::Debug, None);
            assert_eq!(levels.expire(until + Duration::from_secs(1_000_000)), None);
            assert!(on());
        });
    }
}
