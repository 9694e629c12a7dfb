//! `type = "file"`: a file is there, or is not; what is in it, and how old it is.
//!
//! inotify says when to look; a look at intervals is the truth. Looks are made by threads for
//! blocking work: a network file system that hangs holds up nobody else.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::maintenance::{FileFacts, FileRule, MAX_CONTENT};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::Reporter;
use super::inotify::Watches;
use super::place::Place;
use super::{Target, net};

/// Looks are no closer to each other than this, whatever rings.
pub(super) const CALM: Duration = Duration::from_millis(20);
/// A look that takes longer is told.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(5);
/// What is read of a file that should not be there, to say why it is.
const REMARK_MAX: usize = 512;

/// What a file must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileProbe {
    /// Where it is.
    pub path: Place,
    /// What it must be.
    pub rule: FileRule,
}

/// What a look finds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Look {
    /// It is not there.
    Absent,
    /// It is there.
    There(Found),
    /// It cannot be told.
    Unclear(String),
}

/// A file that is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Octets.
    pub(super) size: u64,
    /// When it was last written, seconds and nanoseconds of the wall clock.
    pub(super) written: (i64, i64),
    /// Its beginning, as far as it was asked for and may be read.
    pub(super) content: Vec<u8>,
    /// There is more of it than was asked for.
    pub(super) truncated: bool,
    /// A file, and not a directory, a pipe or a device.
    pub(super) regular: bool,
}

/// How much of a file is needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Need {
    /// Whether it is there, and when it was written; of its content what can be had.
    Remark,
    /// Whether it is there, and when it was written.
    Facts,
    /// So many octets; not to be able to read them is unclear.
    Content(usize),
}

/// Watches a file until nobody wants to know any more.
pub(super) async fn watch(
    probe: FileProbe,
    interval: Duration,
    at: Target,
    reporter: Reporter,
    watches: Rc<Watches>,
) {
    let path = match probe.path.fill(at) {
        Ok(path) => PathBuf::from(path),
        Err(error) => {
            reporter.report(ProbeResult::new(Outcome::Unknown, &error.to_string())).await;
            return;
        }
    };
    let need = match &probe.rule {
        FileRule::Absent => Need::Remark,
        rule if rule.needs_content() => Need::Content(MAX_CONTENT),
        FileRule::Exists(_) => Need::Facts,
    };
    let mut watch = watches.watch(&path);
    let mut age = Age::default();
    loop {
        let began = Instant::now();
        watch.aim().await;
        let path = path.clone();
        let Some(look) = patient(&reporter, move || look(&path, need)).await else { return };
        let (result, due) = judge(&probe.rule, &look, &mut age);
        if !reporter.report(result).await {
            return;
        }
        let next = interval.min(due.unwrap_or(interval));
        tokio::select! {
            () = watch.rung() => {}
            () = tokio::time::sleep(next) => {}
        }
        tokio::time::sleep_until(began + CALM).await;
    }
}

/// Makes a look by a thread, and waits for it however long it takes: there is never a second one.
/// One that takes long is told. Nothing when nobody listens any more.
pub(super) async fn patient<T: Send + 'static>(
    reporter: &Reporter,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let mut work = tokio::task::spawn_blocking(look);
    loop {
        match tokio::time::timeout(LOOK_MAX, &mut work).await {
            Ok(done) => return done.ok(),
            Err(_) => {
                let limit = crate::config::duration::show(LOOK_MAX);
                let text = format!("looking at the file takes longer than {limit}");
                if !reporter.report(ProbeResult::new(Outcome::Unknown, &text)).await {
                    return None;
                }
            }
        }
    }
}

/// What a look means, and after which time that may change by itself.
fn judge(rule: &FileRule, look: &Look, age: &mut Age) -> (ProbeResult, Option<Duration>) {
    let limits = match rule {
        FileRule::Exists(limits) => Some(limits),
        FileRule::Absent => None,
    };
    let limited =
        limits.is_some_and(|l| l.contains.is_some() || l.max_age.is_some() || l.min_size.is_some());
    match look {
        Look::Unclear(why) => (ProbeResult::new(Outcome::Unknown, why), None),
        Look::Absent => (rule.judge(None), None),
        Look::There(found) if limited && !found.regular => {
            let text = "it is not a regular file, and not looked into";
            (ProbeResult::new(Outcome::Unknown, text), None)
        }
        Look::There(found) => {
            let age = age.of(found.written);
            let Found { size, content, truncated, .. } = found;
            let facts = FileFacts { size: *size, age, content, truncated: *truncated };
            // A little later than the moment at which it is too old.
            let due = rule.max_age().and_then(|most| most.checked_sub(age));
            (rule.judge(Some(facts)), due.map(|due| due + Duration::from_millis(1)))
        }
    }
}

/// The age of a file. The wall clock counts only at the first sight of what was written: a clock
/// that jumps makes no file old.
#[derive(Debug, Default)]
struct Age {
    seen: Option<((i64, i64), Instant, Duration)>,
}

impl Age {
    fn of(&mut self, written: (i64, i64)) -> Duration {
        if let Some((known, at, age)) = self.seen
            && known == written
        {
            return age + at.elapsed();
        }
        let wall = clock_gettime(ClockId::Realtime);
        let nanos =
            |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let age = nanos((wall.tv_sec, wall.tv_nsec)) - nanos(written);
        let age = Duration::from_nanos(u64::try_from(age.max(0)).unwrap_or(u64::MAX));
        self.seen = Some((written, Instant::now(), age));
        age
    }
}

/// Looks at a file. Never waits for a pipe or a device: those are not opened.
pub(super) fn look(path: &Path, need: Need) -> Look {
    let stat = match rustix::fs::stat(path) {
        Ok(stat) => stat,
        Err(Errno::NOENT | Errno::NOTDIR) => return Look::Absent,
        Err(error) => return unclear("looking at the file", error),
    };
    let mut found = facts(&stat);
    let most = match need {
        Need::Facts => return Look::There(found),
        Need::Remark => REMARK_MAX,
        Need::Content(most) => most,
    };
    if !found.regular {
        return Look::There(found);
    }
    match (read(path, most), need) {
        (Ok(Some(found)), _) => Look::There(found),
        // It was replaced by something else meanwhile: the next look says what it is.
        (Ok(None), _) => {
            found.regular = false;
            Look::There(found)
        }
        (Err(_), Need::Remark) => Look::There(found),
        (Err(Errno::NOENT | Errno::NOTDIR), _) => Look::Absent,
        (Err(error), _) => unclear("reading the file", error),
    }
}

/// Everything that is not "there" or "not there": no permission, an IO error, too many links.
fn unclear(what: &str, error: Errno) -> Look {
    Look::Unclear(format!("{what}: {}", net::reason(&error.into())))
}

fn facts(stat: &Stat) -> Found {
    Found {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        written: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        content: Vec::new(),
        truncated: false,
        regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
    }
}

/// Reads the beginning of a regular file; `None` when it is something else by now.
fn read(path: &Path, most: usize) -> Result<Option<Found>, Errno> {
    // Without O_NONBLOCK the open of a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let mut found = facts(&rustix::fs::fstat(&file)?);
    if !found.regular {
        return Ok(None);
    }
    // One octet more than is wanted tells whether there are more.
    let mut content = vec![0; most + 1];
    let mut length = 0;
    while let Some(space) = content.get_mut(length..).filter(|space| !space.is_empty()) {
        match rustix::io::read(&file, space) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    found.truncated = length > most;
    content.truncate(length.min(most));
    found.content = content;
    Ok(Some(found))
}
