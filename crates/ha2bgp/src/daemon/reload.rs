//! The configuration in force, and how another one takes its place while the program runs.
//!
//! Files are read in a thread for blocking work; what they come to is compared with what is in force
//! and made to count in one step, or not at all.

use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::filter::Filter;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::config::settings::Settings;
use crate::control::Control;
use crate::control::orders::{Answer, Author, FileText, Planned, Reload};
use crate::observe::check::CheckSpecs;
use crate::observe::listen::ListenConfig;

/// So many files are read at once for those who ask.
pub(super) const LOADS_MAX: usize = 4;

/// What the files come to, or everything that is wrong with them.
pub type Loaded = Result<(Settings, Filter), Vec<String>>;

/// Reads the configuration as at the start, from these files instead of its own where they are given.
pub type Loader = Arc<dyn Fn(Option<&[FileText]>) -> Loaded + Send + Sync>;

/// What is to be done with what was loaded.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To say what it would change.
    Plan(Answer<Planned>),
    /// To make it count.
    Reload(Reload, Option<Answer<Planned>>),
}

/// A configuration on trial.
#[derive(Debug)]
pub(super) struct Trial {
    /// When it is over.
    pub(super) until: Instant,
    /// What counts again then.
    pub(super) before: (Box<Settings>, ListenConfig),
    /// Who loaded it.
    pub(super) author: Author,
}

/// Where changes go, outside of the engine.
#[derive(Debug)]
pub(super) struct Ways {
    /// To the probes.
    pub(super) specs: watch::Sender<Arc<CheckSpecs>>,
    /// To the listen observer.
    pub(super) listen: watch::Sender<ListenConfig>,
    /// The control interface.
    pub(super) control: Control,
}

/// The configuration in force.
pub(super) struct Configuration {
    loader: Loader,
    /// What counts.
    pub(super) settings: Box<Settings>,
    pub(super) ways: Ways,
    loading: JoinSet<(Purpose, Loaded)>,
    pub(super) trial: Option<Trial>,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Configuration {
    pub(super) fn new(loader: Loader, settings: Settings, ways: Ways) -> Self {
        let settings = Box::new(settings);
        Self { loader, settings, ways, loading: JoinSet::new(), trial: None }
    }

    /// Begins to read. Returns the purpose when too much is being read already.
    pub(super) fn load(
        &mut self,
        purpose: Purpose,
        files: Option<Vec<FileText>>,
    ) -> Option<Purpose> {
        if self.loading.len() >= LOADS_MAX {
            return Some(purpose);
        }
        let loader = Arc::clone(&self.loader);
        self.loading.spawn_blocking(move || (purpose, loader(files.as_deref())));
        None
    }

    /// What was read next; waits while nothing is read.
    pub(super) async fn loaded(&mut self) -> Result<(Purpose, Loaded), JoinError> {
        match self.loading.join_next().await {
            Some(loaded) => loaded,
            None => std::future::pending().await,
        }
    }

    /// Hands the parts to those who need them, before the engine asks for what is new.
    pub(super) fn put_in_force(&mut self, settings: Box<Settings>, listen: ListenConfig) {
        self.ways.specs.send_if_modified(|specs| {
            let changed = **specs != settings.checks;
            if changed {
                *specs = Arc::new(settings.checks.clone());
            }
            changed
        });
        self.ways.listen.send_if_modified(|now| {
            let changed = *now != listen;
            if changed {
                *now = listen;
            }
            changed
        });
        // What is the same is not touched; a file of tokens may have changed all the same.
        self.ways.control.configure(settings.control.as_ref());
        self.settings = settings;
    }

    /// The listen observer's part in force.
    pub(super) fn listen(&self) -> ListenConfig {
        self.ways.listen.borrow().clone()
    }

    /// How long a trial still lasts.
    pub(super) fn trial_left(&self, now: Instant) -> Option<Duration> {
        Some(self.trial.as_ref()?.until.since(now))
    }
}
