//! One connection to a stats socket: it is kept, asked once an interval, and made again when it ends.
//!
//! The end of the connection is noticed at once and leads to a look at once: a HAProxy that dies is
//! known in milliseconds, not at the next interval.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::Outcome;
use ha2bgp_proto::haproxy::info::Info;
use ha2bgp_proto::haproxy::session::{Event, Session, SessionError};
use ha2bgp_proto::haproxy::stat::Table;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::mapping::Mapping;
use super::{Socket, Source, process};

/// Connections that one look may need: a kept one that has ended, one to a process that is stopping,
/// one to its successor.
const ATTEMPTS: usize = 3;
/// While HAProxy is away, but its process lives, looks follow each other this fast.
const AWAY_INTERVAL: Duration = Duration::from_millis(100);
/// How much is read at once.
const READ_MAX: usize = 64 * 1024;

/// What the newest look has seen.
#[derive(Clone, Debug, Default)]
pub enum Look {
    /// There was none yet.
    #[default]
    Nothing,
    /// HAProxy has told everything.
    Picture(Rc<Picture>),
    /// There is no HAProxy, for sure.
    Ended(Arc<str>),
    /// HAProxy does not answer; it may be reloading. When that lasts, it comes to this.
    Away(Outcome, Arc<str>),
    /// Something answers that cannot be understood, or may not be asked.
    Unclear(Arc<str>),
}

/// What HAProxy has told.
#[derive(Debug)]
pub struct Picture {
    pub(super) info: Info,
    pub(super) table: Table,
    pub(super) mapping: Rc<Mapping>,
}

/// Looks until it is dropped.
pub(in crate::observe::check) async fn run(source: Source, looks: watch::Sender<Look>) {
    let mut hub = Hub { source, link: None, known: None };
    let mut due = Instant::now();
    loop {
        let look = hub.look().await;
        let away = matches!(look, Look::Away(..));
        looks.send_replace(look);
        let interval = hub.source.interval;
        due = (due + interval).max(Instant::now());
        if away {
            due = due.min(Instant::now() + AWAY_INTERVAL.min(interval));
        }
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = hub.ended() => due = Instant::now(),
        }
    }
}

/// The process that answered last.
struct Known {
    /// Its pid, where it is one of this pid namespace.
    pid: Option<u32>,
    /// The process that made the socket (`SO_PEERCRED`, unix(7)): the master, which lives through
    /// reloads.
    maker: Option<u32>,
    /// What it told of itself: its pid, which in a container is the same again and again, and its
    /// version.
    told: (Option<u32>, Option<Box<str>>),
    /// Its age in seconds when it last answered.
    age: Option<u32>,
    mapping: Rc<Mapping>,
}

struct Hub {
    source: Source,
    link: Option<Link>,
    known: Option<Known>,
}

impl Hub {
    /// Asks, on the kept connection or on a new one.
    async fn look(&mut self) -> Look {
        let mut last = None;
        let until = Instant::now() + self.source.timeout;
        for _ in 0..ATTEMPTS {
            let link = match self.link.take() {
                Some(link) => Ok(Ok(link)),
                None => tokio::time::timeout_at(until, Link::open(&self.source.socket)).await,
            };
            let mut link = match link {
                Ok(Ok(link)) => link,
                Ok(Err(error)) => return self.no_connection(&error, last),
                Err(_) => return self.silent(),
            };
            let Ok(answer) = tokio::time::timeout_at(until, link.ask()).await else {
                return self.silent();
            };
            match answer {
                Ok((info, table)) => {
                    // Reading files may take longer than an answer may.
                    let stopping = info.stopping;
                    let mapping = self.mapping(&info, link.maker()).await;
                    let picture = Look::Picture(Rc::new(Picture { info, table, mapping }));
                    if !stopping {
                        self.link = Some(link);
                        return picture;
                    }
                    // This connection would keep the old process alive; a new one finds its
                    // successor, if there is one.
                    last = Some(picture);
                }
                Err(error) => last = Some(self.failed(&error)),
            }
        }
        last.unwrap_or_default()
    }

    /// Waits for the end of the kept connection.
    async fn ended(&mut self) {
        match &mut self.link {
            Some(link) => link.readable().await,
            None => std::future::pending().await,
        }
    }

    fn silent(&self) -> Look {
        let limit = crate::config::duration::show(self.source.timeout);
        let at = &self.source.socket;
        Look::Away(Outcome::Fail, format!("HAProxy did not answer within {limit} on {at}").into())
    }

    fn failed(&self, error: &SessionError) -> Look {
        let at = &self.source.socket;
        match error {
            SessionError::Closed { .. } | SessionError::ClosedIdle => {
                // Whoever answers and hangs up says nothing of the service.
                Look::Away(Outcome::Unknown, format!("{at}: {error}").into())
            }
            SessionError::Refused { .. }
            | SessionError::Unasked { .. }
            | SessionError::NoPrompt
            | SessionError::Info(_)
            | SessionError::Stat(_) => Look::Unclear(format!("{at}: {error}").into()),
        }
    }

    /// No connection: HAProxy has ended, unless the process that answered last still lives. Then it
    /// may be on its way to its successor.
    fn no_connection(&self, error: &io::Error, last: Option<Look>) -> Look {
        let at = &self.source.socket;
        let gone =
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
        if !gone {
            return Look::Unclear(format!("cannot connect to {at}: {error}").into());
        }
        let pids = self.known.iter().flat_map(|known| [known.pid, known.maker]);
        if pids.flatten().any(process::is_alive) {
            return match last {
                Some(stopping @ Look::Picture(_)) => stopping,
                _ => {
                    let text = format!("HAProxy does not listen on {at} any more");
                    Look::Away(Outcome::Fail, text.into())
                }
            };
        }
        let what = if self.known.is_some() { "HAProxy has ended" } else { "no HAProxy" };
        Look::Ended(format!("{what}: {at}: {}", super::super::net::reason(error)).into())
    }

    /// What is known of the configuration of the process that answers.
    async fn mapping(&mut self, info: &Info, maker: Option<u32>) -> Rc<Mapping> {
        if let Some(known) = &mut self.known
            && known.told == (info.pid, info.version.clone())
            && known.maker == maker
            && known.age <= info.uptime_seconds
        {
            known.age = info.uptime_seconds;
            return Rc::clone(&known.mapping);
        }
        let paths: Vec<PathBuf> = self.source.config.clone();
        // A pid of another namespace names nobody here, or somebody else: in a container it is 1 or 8.
        let is_ours = |pid: u32| match maker {
            Some(maker) => !process::is_elsewhere(maker),
            None => process::is_haproxy(pid),
        };
        let pid = info.pid.filter(|pid| process::is_alive(*pid) && is_ours(*pid));
        let version = info.version.clone();
        let age = info.uptime_seconds;
        let read = move || Mapping::read(&paths, pid, version.as_deref(), age);
        let mapping = Rc::new(tokio::task::spawn_blocking(read).await.unwrap_or_default());
        tracing::info!(
            pid = info.pid,
            version = info.version.as_deref(),
            files = mapping.is_known(),
            "HAProxy answers on {}",
            self.source.socket
        );
        if mapping.edited {
            tracing::warn!(
                "HAProxy's configuration was changed after its process started: what the files say of \
                 frontends and backends may not be what runs, until it is reloaded"
            );
        }
        for note in &mapping.notes {
            tracing::debug!("HAProxy's configuration: {note}");
        }
        let told = (info.pid, info.version.clone());
        self.known = Some(Known { told, age, pid, maker, mapping: Rc::clone(&mapping) });
        mapping
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// A connection, and the conversation on it.
struct Link {
    stream: Stream,
    session: Session,
    buffer: Vec<u8>,
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Link {
    async fn open(socket: &Socket) -> io::Result<Self> {
        let stream = match socket {
            Socket::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
            Socket::Tcp(address) => Stream::Tcp(TcpStream::connect(address).await?),
        };
        Ok(Self { stream, session: Session::new(), buffer: vec![0; READ_MAX] })
    }

    fn maker(&self) -> Option<u32> {
        let Stream::Unix(stream) = &self.stream else { return None };
        stream.peer_cred().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Asks once.
    async fn ask(&mut self) -> Result<(Info, Table), SessionError> {
        self.session.start_poll();
        loop {
            match self.session.poll_event() {
                Some(Event::Picture { info, table }) => return Ok((info, table)),
                Some(Event::Failed(error)) => return Err(error),
                None => {}
            }
            if let Some(out) = self.session.poll_write() {
                let out = out.to_vec();
                let written = match &mut self.stream {
                    Stream::Unix(stream) => stream.write(&out).await,
                    Stream::Tcp(stream) => stream.write(&out).await,
                };
                match written {
                    Ok(count @ 1..) => self.session.written(count),
                    Ok(0) | Err(_) => self.session.handle_close(),
                }
                continue;
            }
            match self.read().await {
                Ok(count @ 1..) => {
                    self.session.handle_bytes(self.buffer.get(..count).unwrap_or_default());
                }
                Ok(0) | Err(_) => self.session.handle_close(),
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Unix(stream) => stream.read(&mut self.buffer).await,
            Stream::Tcp(stream) => stream.read(&mut self.buffer).await,
        }
    }

    /// Waits until the other side says something that was not asked, or closes.
    async fn readable(&self) {
        let _ = match &self.stream {
            Stream::Unix(stream) => stream.readable().await,
            Stream::Tcp(stream) => stream.readable().await,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(age: u32) -> Info {
        let version = Some("2.6.12".into());
        Info { version, pid: Some(1), uptime_seconds: Some(age), ..Info::default() }
    }

    #[tokio::test]
    async fn a_pid_that_comes_again_is_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("haproxy.cfg");
        std::fs::write(&config, "frontend web\n bind :80\n").unwrap();
        let second = Duration::from_secs(1);
        let socket = Socket::Unix(dir.path().join("x.sock"));
        let source = Source { socket, config: vec![config], interval: second, timeout: second };
        let mut hub = Hub { source, link: None, known: None };
        let maker = Some(std::process::id());
        let first = hub.mapping(&info(100), maker).await;
        assert!(first.edited, "the file is newer than the process");
        assert!(Rc::ptr_eq(&first, &hub.mapping(&info(101), maker).await));
        // It is younger than it was.
        let second = hub.mapping(&info(0), maker).await;
        assert!(!Rc::ptr_eq(&first, &second) && !second.edited);
        // The socket is of another process.
        let third = hub.mapping(&info(1), Some(1)).await;
        assert!(!Rc::ptr_eq(&second, &third));
    }
}
