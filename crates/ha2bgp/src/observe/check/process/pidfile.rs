//! A process by its pid file: read the number, hold a pidfd (pidfd_open(2), Linux 5.3), be told of
//! the end.
//!
//! While the file says nothing clear (it is being written), the process that it named before
//! counts on.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::super::Reporter;
use super::super::file::{CALM, Look, Need, look, patient};
use super::super::inotify::{Watches, register};
use super::super::place::Place;
use super::super::{Target, net};

/// What is read of a pid file: its first line is the number, whatever follows.
const READ_MAX: usize = 64;
/// The kernel keeps so much of a process's name (`TASK_COMM_LEN` without the zero).
const COMM_MAX: usize = 15;

/// A process that is held.
#[derive(Debug)]
struct Held {
    pid: Pid,
    end: AsyncFd<Arc<OwnedFd>>,
}

/// Watches a process until nobody wants to know any more.
pub(in super::super) async fn watch(
    path: Place,
    name: Option<String>,
    interval: Duration,
    at: Target,
    reporter: Reporter,
    watches: Rc<Watches>,
) {
    let path = match path.fill(at) {
        Ok(path) => PathBuf::from(path),
        Err(error) => {
            reporter.report(ProbeResult::new(Outcome::Unknown, &error.to_string())).await;
            return;
        }
    };
    let mut watch = watches.watch(&path);
    let mut held: Option<Held> = None;
    loop {
        let began = Instant::now();
        watch.aim().await;
        let file = path.clone();
        let look = patient(&reporter, move || look(&file, Need::Content(READ_MAX))).await;
        let Some(look) = look else { return };
        let result = judge(&look, name.as_deref(), &mut held);
        if !reporter.report(result).await {
            return;
        }
        let end = async {
            match &held {
                Some(held) => drop(held.end.readable().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => {}
            () = watch.rung() => {}
            () = tokio::time::sleep(interval) => {}
        }
        tokio::time::sleep_until(began + CALM).await;
    }
}

/// What the file and the process say.
fn judge(look: &Look, name: Option<&str>, held: &mut Option<Held>) -> ProbeResult {
    let fail = |text: &str| ProbeResult::new(Outcome::Fail, text);
    let unclear = match look {
        Look::Absent => {
            *held = None;
            return fail("there is no pid file");
        }
        Look::Unclear(why) => why.clone(),
        Look::There(found) if !found.regular => "the pid file is not a regular file".to_owned(),
        Look::There(found) => match number(&found.content) {
            Ok(pid) => return follow(pid, name, held),
            Err(text) => format!("the pid file holds no number: {text}"),
        },
    };
    let Some(before) = held else { return ProbeResult::new(Outcome::Unknown, &unclear) };
    let pid = before.pid.as_raw_nonzero();
    if has_ended(&before.end) {
        *held = None;
        return fail(&format!("process {pid} has ended, and {unclear}"));
    }
    ProbeResult::new(Outcome::Pass, &format!("process {pid} runs, but {unclear}"))
}

/// Holds the process of that number, and says how it is.
fn follow(pid: Pid, name: Option<&str>, held: &mut Option<Held>) -> ProbeResult {
    let number = pid.as_raw_nonzero();
    let fail = |text: String| ProbeResult::new(Outcome::Fail, &text);
    let unknown = |text: String| ProbeResult::new(Outcome::Unknown, &text);
    // A process that was seen is known by its descriptor: its number cannot have a new owner
    // unseen.
    if held.as_ref().is_none_or(|held| held.pid != pid) {
        *held = None;
        let end = pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(std::io::Error::from);
        let end = end.and_then(|fd| register(Arc::new(fd)));
        match end {
            Ok(end) => *held = Some(Held { pid, end }),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => {
                return fail(format!("process {number} of the pid file does not run"));
            }
            // No descriptor free, a kernel or a seccomp filter without pidfd_open.
            Err(error) => {
                let why = net::reason(&error);
                return unknown(format!("process {number} cannot be watched: {why}"));
            }
        }
    }
    // The name is looked at each time: a process may become another program (execve(2)).
    let called = name.map(|name| is_called(number.get(), name));
    let Some(now) = held else { return unknown("there is no process".to_owned()) };
    if has_ended(&now.end) {
        *held = None;
        return fail(format!("process {number} has ended"));
    }
    match called {
        None => ProbeResult::new(Outcome::Pass, &format!("process {number} runs")),
        Some(Ok(comm)) => {
            ProbeResult::new(Outcome::Pass, &format!("process {number} ({comm}) runs"))
        }
        Some(Err(Named::Other(comm))) => fail(format!(
            "the pid file is stale: process {number} is {comm:?}, not {:?}",
            name.unwrap_or_default()
        )),
        Some(Err(Named::Hidden(why))) => {
            unknown(format!("process {number} runs, but its name cannot be read: {why}"))
        }
    }
}

/// Why a process is not called that.
enum Named {
    Other(String),
    Hidden(String),
}

/// Whether `name` is the process's own name, its program or the last part of that. Returns the
/// name that the kernel shows.
fn is_called(pid: i32, name: &str) -> Result<String, Named> {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let comm = match std::fs::read(proc.join("comm")) {
        Ok(comm) => String::from_utf8_lossy(comm.trim_ascii_end()).into_owned(),
        Err(error) => return Err(Named::Hidden(net::reason(&error))),
    };
    let cut = name.as_bytes().get(..COMM_MAX).unwrap_or(name.as_bytes());
    if comm.as_bytes() == cut {
        return Ok(comm);
    }
    // Of another user's process only root may read it; then the name alone counts.
    let program = std::fs::read_link(proc.join("exe")).unwrap_or_default();
    // What the kernel adds when the file was replaced by a newer one.
    let text = program.to_string_lossy();
    let program = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text));
    if program == Path::new(name) || program.file_name().is_some_and(|last| last == name) {
        return Ok(comm);
    }
    Err(Named::Other(comm))
}

/// True once the process has ended, a zombie too (pidfd_open(2): readable then).
fn has_ended(end: &AsyncFd<Arc<OwnedFd>>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The number of a pid file: its first line, without blanks. The error is what is there instead.
fn number(content: &[u8]) -> Result<Pid, String> {
    let line = content.split(|octet| *octet == b'\n').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(line).ok();
    let plain = text.filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
    let pid = plain.and_then(|text| text.parse::<i32>().ok()).and_then(Pid::from_raw);
    pid.ok_or_else(|| match line {
        [] => "it is empty".to_owned(),
        line => {
            let shown = String::from_utf8_lossy(line);
            format!("it begins {:?}", shown.chars().take(20).collect::<String>())
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pid_files() {
        let read = |text: &str| number(text.as_bytes()).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(read("123"), Ok(123));
        assert_eq!(read(" 123 \n"), Ok(123));
        assert_eq!(read("123\r\n"), Ok(123));
        // PostgreSQL writes more lines.
        assert_eq!(read("4194304\n/var/lib/postgresql\n"), Ok(4_194_304));
        assert_eq!(read(""), Err("it is empty".to_owned()));
        assert_eq!(read("\n123"), Err("it is empty".to_owned()));
        for text in ["0", "-1", "+1", "1 2", "12x", "99999999999", "0x10", "\u{661}"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(
            number(b"\xff\xfe garbage, and much more").unwrap_err(),
            "it begins \"\u{fffd}\u{fffd} garbage, and much\""
        );
    }

    #[test]
    fn names() {
        let own = i32::try_from(std::process::id()).unwrap();
        let program = std::env::current_exe().unwrap();
        let path = program.to_str().unwrap();
        let last = program.file_name().unwrap().to_str().unwrap();
        assert!(is_called(own, path).is_ok());
        assert!(is_called(own, last).is_ok());
        assert!(matches!(is_called(own, "nginx"), Err(Named::Other(_))));
        assert!(matches!(is_called(-1, "nginx"), Err(Named::Hidden(_))));
    }

    proptest! {
        #[test]
        fn any_octets(octets: Vec<u8>, text in "[ 0-9\n-]{0,14}") {
            for octets in [&octets, text.as_bytes()] {
                match number(octets) {
                    Ok(pid) => prop_assert!(pid.as_raw_nonzero().get() > 0),
                    Err(text) => prop_assert!(text.len() < 120),
                }
            }
        }
    }
}
