//! The status as files: a text that people read and `grep` searches, the same through a named pipe, and
//! metrics for node_exporter.
//!
//! A thread of its own asks the engine and writes, when something has happened, once a second at
//! most, and every 15 s; `pipe` has another one. A disk that hangs holds up these files and nobody
//! else. `text` says how a status looks, `prometheus` what becomes of metrics.

mod file;
mod pipe;
mod prometheus;
mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use self::file::{File, Outcome};
use self::pipe::Pipe;
pub use self::prometheus::from_openmetrics;
pub use self::text::{Moment, ended, status};
use crate::announce;
use crate::clock::Clock;
use crate::control::metrics::Metrics;
use crate::control::questions::Questions;
use crate::events::EventLog;

/// Files are at least so far apart in time.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Without a change they are written this often: who reads one sees by its time that it is fresh.
const REFRESH_EVERY: Duration = Duration::from_secs(15);
/// How long the end may take.
const END_WAIT: Duration = Duration::from_secs(1);

/// Which files are wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StatusSettings {
    /// The text.
    pub file: Option<PathBuf>,
    /// The named pipe.
    pub pipe: Option<PathBuf>,
    /// The metrics.
    pub node_exporter: Option<PathBuf>,
}

/// What files are made from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The way to the engine.
    pub engine: Questions,
    /// The way to the announcer.
    pub announcer: announce::questions::Questions,
    /// What says that something has happened.
    pub events: EventLog,
    /// The clock of the engine.
    pub clock: Clock,
}

impl Source {
    /// The text of now; nothing when the engine does not answer.
    async fn text(&self) -> Option<String> {
        let services = self.engine.all(usize::MAX).await.ok()?;
        Some(status(&services, &Moment::now(self.clock)))
    }
}

/// The files, for as long as this is kept.
#[derive(Debug)]
pub struct Status {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    pipe: Option<Arc<Pipe>>,
}

/// Starts what writes the files, where any is wanted.
///
/// # Errors
/// When no thread can be started.
pub fn spawn(settings: &StatusSettings, source: &Source) -> io::Result<Option<Status>> {
    if *settings == StatusSettings::default() {
        return Ok(None);
    }
    let pipe = match &settings.pipe {
        Some(path) => Some(Arc::new(pipe::spawn(path.clone(), source.clone())?)),
        None => None,
    };
    let (stop, stopped) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (file, metrics) = (settings.file.clone(), settings.node_exporter.clone());
    let (source, checked) = (source.clone(), pipe.clone());
    std::thread::Builder::new().name("status".to_owned()).spawn(move || {
        runtime.block_on(keep(file, metrics, checked, source, stopped));
        let _ = ending.send(());
    })?;
    Ok(Some(Status { stop, ended, pipe }))
}

impl Status {
    /// Says in the files that it is the end, and takes away what would only mislead.
    pub async fn end(self) {
        drop(self.stop);
        if let Some(pipe) = &self.pipe {
            pipe.remove();
        }
        let _ = tokio::time::timeout(END_WAIT, self.ended).await;
    }
}

/// Keeps both files fresh until `stopped`.
async fn keep(
    text: Option<PathBuf>,
    metrics: Option<PathBuf>,
    pipe: Option<Arc<Pipe>>,
    source: Source,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut text = text.map(|path| File::new(path, "the status file"));
    let mut metrics = metrics.map(|path| File::new(path, "the file for node_exporter"));
    let exported = Metrics::new(source.engine.clone(), source.announcer.clone());
    let mut newest = None;
    let mut exported_at: Option<Instant> = None;
    loop {
        let begun = Instant::now();
        newest.replace(source.events.newest());
        if let Some(pipe) = &pipe {
            pipe.check();
        }
        if let Some(file) = &mut text
            && let Some(text) = source.text().await
        {
            write(file, text.as_bytes());
        }
        let due = exported_at.is_none_or(|at| begun.duration_since(at) >= REFRESH_EVERY);
        if let Some(file) = &mut metrics
            && due
            && let Ok(text) = exported.text().await
        {
            write(file, from_openmetrics(&String::from_utf8_lossy(&text)).as_bytes());
            exported_at = Some(begun);
        }
        let mut events = source.events.clone();
        let changed = async {
            tokio::time::sleep_until(begun + WRITE_EVERY).await;
            match (&text, newest) {
                (Some(_), Some(newest)) => events.changed_since(newest).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut stopped => break,
            () = changed => {}
            () = tokio::time::sleep_until(begun + REFRESH_EVERY) => {}
        }
    }
    if let Some(file) = &mut text {
        write(file, ended(&Moment::now(source.clock)).as_bytes());
    }
    if let Some(file) = metrics {
        file.remove();
    }
}

/// Writes a file; says once that it cannot, and when it can again.
fn write(file: &mut File, octets: &[u8]) {
    match file.write(octets) {
        Outcome::Written | Outcome::Failed => {}
        Outcome::Fails(error) => {
            tracing::warn!("{} cannot be written: {}: {error}", file.what(), shown(file.path()));
        }
        Outcome::WrittenAgain => {
            tracing::info!("{} is written again: {}", file.what(), shown(file.path()));
        }
    }
}

fn shown(path: &Path) -> impl std::fmt::Display {
    path.display()
}

#[cfg(test)]
mod tests;
