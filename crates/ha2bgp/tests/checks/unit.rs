//! `type = "process"` with a systemd unit.
//!
//! systemd itself does not run where tests run. A private dbus-daemon does, and on it a small
//! stand-in that speaks the few methods of `org.freedesktop.systemd1` that the check uses, written
//! after org.freedesktop.systemd1(5): what a real systemd says beyond that is not tested here.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use ha2bgp_core::check::Outcome;
use tokio::task::JoinHandle;
use zbus::export::futures_core::Stream as _;
use zbus::{Connection, MessageStream, Variant};

use crate::stand::{SOON, Stand};

/// A dbus-daemon of our own, ended with this.
struct Bus {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Bus {
    /// `None` where there is no dbus-daemon: `cargo xtask lab-setup` installs it.
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("bus.conf");
        let listen = format!("unix:path={}", dir.path().join("bus").display());
        std::fs::write(
            &config,
            format!(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig>\
                 <listen>{listen}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\
                 </busconfig>"
            ),
        )
        .unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--config-file").arg(&config).args(["--nofork", "--print-address=1"]);
        let mut child = match command.stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                let _ = std::io::stderr().write_all(b"skipped: there is no dbus-daemon\n");
                return None;
            }
        };
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { child, address: address.trim().to_owned(), _dir: dir })
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.end();
    }
}

const PATH: &str = "/org/freedesktop/systemd1/unit/web_2eservice";

/// Plays systemd with one unit, until this is dropped.
struct Systemd {
    connection: Connection,
    state: tokio::sync::watch::Sender<[&'static str; 3]>,
    player: JoinHandle<()>,
}

impl Systemd {
    async fn start(bus: &Bus) -> Self {
        let builder = zbus::conn::Builder::address(bus.address.as_str());
        let connection = builder.build().await.unwrap();
        let mut stream = MessageStream::from(&connection);
        connection.request_name("org.freedesktop.systemd1").await.unwrap();
        let (state, states) = tokio::sync::watch::channel(["loaded", "inactive", "dead"]);
        let answers = connection.clone();
        let player = tokio::spawn(async move {
            let mut subscribed = false;
            while let Some(Ok(message)) =
                std::future::poll_fn(|cx| std::pin::Pin::new(&mut stream).poll_next(cx)).await
            {
                let header = message.header();
                if message.message_type() != zbus::message::Type::MethodCall {
                    continue;
                }
                match header.member().unwrap().as_str() {
                    "Subscribe" if subscribed => {
                        let name = "org.freedesktop.systemd1.AlreadySubscribed";
                        answers.reply_error(&header, name, &"again").await.unwrap();
                    }
                    "Subscribe" => {
                        subscribed = true;
                        answers.reply(&header, &()).await.unwrap();
                    }
                    "LoadUnit" => {
                        let name: String = message.body().deserialize().unwrap();
                        assert_eq!(name, "web.service");
                        let path = zbus::ObjectPath::try_from(PATH).unwrap();
                        answers.reply(&header, &path).await.unwrap();
                    }
                    "GetAll" => {
                        let [load, active, sub] = *states.borrow();
                        let mut all: BTreeMap<&str, Variant<'_>> = BTreeMap::new();
                        all.insert("LoadState", load.into());
                        all.insert("ActiveState", active.into());
                        all.insert("SubState", sub.into());
                        all.insert("StateChangeTimestamp", 7_u64.into());
                        answers.reply(&header, &all).await.unwrap();
                    }
                    other => panic!("{other} is not what the check calls"),
                }
            }
        });
        Self { connection, state, player }
    }

    /// The unit changes, and everybody is told.
    async fn set(&self, load: &'static str, active: &'static str, sub: &'static str) {
        self.state.send_replace([load, active, sub]);
        let changed: BTreeMap<&str, Variant<'_>> = BTreeMap::from([("ActiveState", active.into())]);
        let none: Vec<&str> = Vec::new();
        let body = ("org.freedesktop.systemd1.Unit", changed, none);
        let interface = "org.freedesktop.DBus.Properties";
        let to = None::<&str>;
        let name = "PropertiesChanged";
        self.connection.emit_signal(to, PATH, interface, name, &body).await.unwrap();
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.player.abort();
    }
}

fn told(bus: &Bus, interval: &str) -> Stand {
    Stand::start(&format!(
        "[service.checks.p]\ntype = \"process\"\nunit = \"{{service}}.service\"\nbus = \"{}\"\ninterval = \
         \"{interval}\"\n",
        bus.address
    ))
}

/// Signals alone tell: the slow look comes too late for any test.
#[tokio::test]
async fn a_unit_that_starts_and_stops() {
    let Some(bus) = Bus::start() else { return };
    let systemd = Systemd::start(&bus).await;
    let mut stand = told(&bus, "1h");
    stand.finds(Outcome::Fail, "web.service is inactive (dead)").await;
    systemd.set("loaded", "activating", "start").await;
    stand.finds(Outcome::Fail, "activating").await;
    systemd.set("loaded", "active", "running").await;
    stand.finds(Outcome::Pass, "web.service is active (running)").await;
    systemd.set("loaded", "reloading", "reload").await;
    stand.finds(Outcome::Pass, "reloading").await;
    systemd.set("loaded", "failed", "failed").await;
    stand.finds(Outcome::Fail, "web.service is failed").await;
    systemd.set("not-found", "inactive", "dead").await;
    // It was there: its name is right, and it is gone.
    stand.finds(Outcome::Fail, "web.service is inactive (dead, not-found)").await;
    // More signals than anybody waits for.
    for _ in 0..500 {
        systemd.set("loaded", "activating", "start").await;
    }
    systemd.set("loaded", "active", "running").await;
    stand.finds(Outcome::Pass, "active (running)").await;
    stand.end().await;
}

/// Without systemd, and without a bus, nothing is known; both come back by themselves.
#[tokio::test]
async fn a_bus_that_goes_and_comes() {
    let Some(mut bus) = Bus::start() else { return };
    let mut stand = told(&bus, "50ms");
    stand.finds(Outcome::Unknown, "asking systemd").await;
    let systemd = Systemd::start(&bus).await;
    systemd.set("loaded", "active", "running").await;
    stand.finds(Outcome::Pass, "active (running)").await;
    drop(systemd);
    bus.end();
    stand.finds(Outcome::Unknown, "D-Bus").await;
    stand.end().await;
}

/// A bus that takes the connection and says nothing, or nonsense.
#[tokio::test]
async fn a_bus_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bus");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let mut stand = Stand::start(&format!(
        "[service.checks.p]\ntype = \"process\"\nunit = \"web.service\"\nbus = \"unix:path={}\"\ninterval \
         = \"50ms\"\n",
        path.display()
    ));
    let nonsense = async {
        for _ in 0..3 {
            let (stream, _) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            let _ = stream.try_write(&[0xff; 4096]);
        }
    };
    tokio::time::timeout(SOON, nonsense).await.unwrap();
    stand.finds(Outcome::Unknown, "no connection to D-Bus").await;
    let silent = listener.accept().await.unwrap();
    stand.finds(Outcome::Unknown, "it does not answer").await;
    drop(silent);
    stand.end().await;
}
