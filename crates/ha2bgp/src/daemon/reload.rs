//! The configuration in force, and how another one takes its place while the program runs.
//!
//! Files are read in a thread for blocking work; what they come to is compared with what is in force
//! and made to count in one step, or not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::filter::Filter;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::files::Files;
use super::output;
use super::state::Beginning;
use crate::announce::speaker;
use crate::bfd::Bfd;
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

/// What was read.
#[derive(Debug)]
pub(super) struct Load {
    /// Which one it is: in the order in which reading began.
    pub(super) number: u64,
    /// What for.
    pub(super) purpose: Purpose,
    /// What it comes to.
    pub(super) loaded: Loaded,
}

/// What happens to configurations.
#[derive(Debug)]
pub(super) enum News {
    /// Files were read.
    Loaded(Result<Box<Load>, JoinError>),
    /// Files that are watched have changed.
    FilesChanged,
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
    /// To the speaker.
    pub(super) peers: watch::Sender<speaker::Configuration>,
    /// BFD; none once it has ended.
    pub(super) bfd: Option<Bfd>,
    /// The control interface.
    pub(super) control: Control,
}

/// What makes the probes.
pub(super) fn specs(settings: &Settings) -> CheckSpecs {
    // All processes that this one starts are plugins.
    CheckSpecs { adopt: true, ..settings.checks.clone() }
}

/// To whom the speaker speaks while the program runs.
pub(super) fn speaks_to(settings: &Settings) -> speaker::Configuration {
    // What is about the start of the process is over.
    output::configuration(settings, &Beginning::default())
}

/// The configuration in force.
pub(super) struct Configuration {
    loader: Loader,
    /// What counts.
    pub(super) settings: Box<Settings>,
    pub(super) ways: Ways,
    loading: JoinSet<Load>,
    /// How many times files were read.
    loads: u64,
    /// Which of them counts.
    counts: u64,
    files: Option<Files>,
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
        let loading = JoinSet::new();
        let (loads, counts) = (0, 0);
        let mut configuration =
            Self { loader, settings, ways, loading, loads, counts, files: None, trial: None };
        configuration.watch();
        configuration
    }

    /// Watches the files that are to be watched now.
    fn watch(&mut self) {
        let Settings { watched_files, speaker, .. } = &*self.settings;
        if watched_files.is_empty() {
            self.files = None;
            return;
        }
        let peers = speaker.as_ref().map_or(&[][..], |speaker| &speaker.peers).iter();
        let of_bfd = peers.clone().filter_map(|peer| peer.bfd.as_ref()?.key_file.as_ref());
        let keys = peers.filter_map(|peer| peer.key_file.as_ref()).chain(of_bfd);
        let paths: Vec<PathBuf> = watched_files.iter().chain(keys).map(PathBuf::from).collect();
        if self.files.as_ref().is_some_and(|files| files.paths() == paths) {
            return;
        }
        match Files::watch(paths) {
            Ok(files) => self.files = Some(files),
            Err(error) => tracing::error!(%error, "the configuration files are not watched"),
        }
    }

    /// Begins to read. Returns the purpose when too much is being read already.
    pub(super) fn load(
        &mut self,
        purpose: Purpose,
        files: Option<Vec<FileText>>,
    ) -> Option<Purpose> {
        // Plans leave a place for a reload.
        let most = match purpose {
            Purpose::Plan(_) => LOADS_MAX - 1,
            Purpose::Reload(..) => LOADS_MAX,
        };
        if self.loading.len() >= most {
            return Some(purpose);
        }
        self.loads += 1;
        let (loader, number) = (Arc::clone(&self.loader), self.loads);
        self.loading.spawn_blocking(move || {
            let loaded = loader(files.as_deref());
            Load { number, purpose, loaded }
        });
        None
    }

    /// What happens next; waits while nothing is read or watched.
    pub(super) async fn next(&mut self) -> News {
        let files = async {
            match &mut self.files {
                Some(files) => files.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(loaded) = self.loading.join_next() => News::Loaded(loaded.map(Box::new)),
            () = files => News::FilesChanged,
        }
    }

    /// Notes that what was read counts now. False when what counts was read later: files may have
    /// changed in between, and a thread may have been slow.
    pub(super) fn is_newest(&mut self, number: u64) -> bool {
        let newest = number > self.counts;
        self.counts = self.counts.max(number);
        newest
    }

    /// Hands the parts to those who need them, before the engine asks for what is new.
    pub(super) fn put_in_force(&mut self, settings: Box<Settings>, listen: ListenConfig) {
        let checks = specs(&settings);
        self.ways.specs.send_if_modified(|specs| {
            let changed = **specs != checks;
            if changed {
                *specs = Arc::new(checks);
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
        if let Some(bfd) = &mut self.ways.bfd
            && let Err(error) = bfd.set_sessions(settings.bfd.sessions.clone())
        {
            tracing::error!(%error, "cannot start the thread for BFD");
        }
        let peers = speaks_to(&settings);
        self.ways.peers.send_if_modified(|now| {
            let changed = *now != peers;
            if changed {
                *now = peers;
            }
            changed
        });
        // What is the same is not touched; a file of tokens may have changed all the same.
        self.ways.control.configure(settings.control.as_ref());
        self.settings = settings;
        self.watch();
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
