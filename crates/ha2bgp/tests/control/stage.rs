//! What every test starts with: a configuration, its checks on their thread, and the socket.

use std::collections::BTreeSet;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ha2bgp::announce;
use ha2bgp::clock::Clock;
use ha2bgp::config::raw::{Given, Raw};
use ha2bgp::config::reader::Host;
use ha2bgp::config::settings::Settings;
use ha2bgp::control::Control;
use ha2bgp::control::calls::Api;
use ha2bgp::control::metrics::Metrics;
use ha2bgp::control::push::Pushes;
use ha2bgp::control::questions::Questions;
use ha2bgp::events::{self, Teller};
use ha2bgp::observe::Seen;
use ha2bgp::observe::check::{self, push};
use ha2bgp_core::check::CheckKey;
use ha2bgp_core::engine::Engine;
use ha2bgp_core::time::Instant as EngineTime;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::engine;

/// Time enough for anything that should happen soon, on a machine with other work.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The interface, and what is reported by the checks behind it.
pub(crate) struct Stage {
    /// The socket.
    pub(crate) path: PathBuf,
    pub(crate) observed: mpsc::Receiver<Seen>,
    control: Option<Control>,
    pub(crate) teller: Teller,
    _wanting: watch::Sender<BTreeSet<CheckKey>>,
    dir: TempDir,
}

impl Stage {
    /// With a socket; the checks `web/x`, `web/each` (per VIP), and `up` for all.
    pub(crate) fn new() -> Self {
        Self::with("", &[])
    }

    /// With these lines in the section too, and these files, which the lines name by `DIR/name`.
    pub(crate) fn with(more: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        for (name, contents) in files {
            std::fs::write(dir.path().join(name), contents).unwrap();
        }
        let settings = settings(&dir, &format!("unix = \"DIR/x.sock\"\n{more}"));
        let (hub, requests) = mpsc::channel(push::REQUESTS_MAX);
        let keys = settings.checks.of.keys();
        let keys = keys.flat_map(|check| {
            [None, Some("127.0.0.1".parse().unwrap())].map(|vip| CheckKey { check: *check, vip })
        });
        let (wanting, wanted) = watch::channel(keys.collect());
        let (tx, observed) = mpsc::channel(4096);
        let (_, specs) = watch::channel(Arc::new(settings.checks.clone()));
        check::spawn_with(settings.checks, wanted, tx, requests).unwrap();
        let (asking, questions) = mpsc::channel(1);
        let engine = Engine::new(settings.engine.clone(), EngineTime::START);
        std::thread::spawn(move || engine::answer(&engine, questions));
        let engine = Questions(asking);
        let metrics = Metrics::new(engine.clone(), announce::questions::Questions::channel().0);
        let (teller, events, keeper) = events::start(None, Clock::start());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || runtime.block_on(keeper.run()));
        let (telling, ways) = watch::channel(Vec::new());
        let api = Api {
            pushes: Pushes { specs, hub },
            engine,
            // Nobody announces anything.
            routes: announce::questions::Questions::channel().0,
            metrics,
            ways,
            events,
        };
        let mut control = Control::new(api, telling);
        control.configure(settings.control.as_ref());
        let control = Some(control);
        let stage = Self { path, observed, control, teller, _wanting: wanting, dir };
        until("the socket is there", || UnixStream::connect(&stage.path).is_ok());
        stage.waits_for_checks();
        stage
    }

    /// Has the section say this from now on.
    pub(crate) fn configure(&mut self, section: &str) {
        let settings = settings(&self.dir, section);
        self.control.as_mut().unwrap().configure(settings.control.as_ref());
    }

    /// Closes all ways in.
    pub(crate) fn close(&mut self) {
        self.control.as_mut().unwrap().configure(None);
    }

    /// The path of a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Until somebody wants each check, for all and for its VIP.
    fn waits_for_checks(&self) {
        until("all checks are wanted", || {
            let (_, list) = self.ask("GET", "/v1/checks", "");
            let entries = list["checks"].as_array().unwrap();
            entries.iter().filter(|entry| entry["wanted"] == true).count() == 6
        });
    }

    /// A connection whose reads end after some time.
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Sends octets and reads until the connection ends.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The other end may close before it has read everything.
        let _ = stream.write_all(request);
        rest(stream)
    }

    /// A request, and the status and body of its answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = self.raw(request(method, path, body, "close").as_bytes());
        (status(&answer), json(&answer))
    }

    /// The status of an answer over the socket of that name, if somebody answers there.
    pub(crate) fn ask_at(&self, name: &str) -> Option<u16> {
        let mut stream = UnixStream::connect(self.file(name)).ok()?;
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request("GET", "/v1/checks", "", "close").as_bytes()).ok()?;
        Some(status(&rest(stream))).filter(|status| *status == 200)
    }

    /// Pushes, where nothing stands in the way.
    pub(crate) fn works(&self) {
        let (status, answer) = self.ask("POST", "/v1/checks/web/x", r#"{"outcome":"pass"}"#);
        assert_eq!(status, 200, "{answer}");
    }

    /// Ends the interface; the socket file is gone then.
    pub(crate) fn end(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.control.take().unwrap().end());
        assert!(!self.path.exists());
    }
}

/// The settings, with this section.
fn settings(dir: &TempDir, section: &str) -> Settings {
    let section = section.replace("DIR", &dir.path().display().to_string());
    let file = format!(
        "networks = [\"127.0.0.0/8\"]\n[control]\n{section}\n[checks.up]\ntype = \"push\"\n\
         [[service]]\nname = \"web\"\nvips = [\"127.0.0.1\"]\nrule = \"all(x, each, up)\"\n\
         [service.checks.x]\ntype = \"push\"\n\
         [service.checks.each]\ntype = \"push\"\nper-vip = true\n"
    );
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| true,
        is_executable: &|_| Ok(true),
        read_file: &|path| match path {
            "a.toml" => Ok(file.clone().into_bytes()),
            path => std::fs::read(path),
        },
        ..Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    Settings::read(&raw, &host).unwrap()
}

/// Waits until something is so.
///
/// # Panics
/// When it does not become so.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < SOON, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// The octets of a request.
pub(crate) fn request(method: &str, path: &str, body: &str, connection: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\ncontent-length: {}\r\n\
         \r\n{body}",
        body.len()
    )
}

/// What comes until the connection ends.
///
/// # Panics
/// When it does not end.
pub(crate) fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < SOON, "the connection does not end");
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(size) => answer.extend_from_slice(&chunk[..size]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing comes: {}", String::from_utf8_lossy(&answer))
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // It was closed with our octets unread.
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; 0 when there is none.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The body of an answer; null when it is no JSON.
pub(crate) fn json(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_default()
}
