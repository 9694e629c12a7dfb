//! A systemd unit over D-Bus. Signals say when to look, the unit's properties are what counts.
//!
//! All units on one bus share one connection: a bus allows a user 256 of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use zbus::export::futures_core::Stream as _;
use zbus::{Connection, MatchRule, MessageStream, ObjectPath, OwnedObjectPath, OwnedVariant};

use super::super::Reporter;
use super::super::Target;
use super::super::file::CALM;
use super::super::place::Place;
use super::unit_state::UnitState;

/// Whom we ask.
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long connecting, and every answer, may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The pause before a bus that could not be reached is tried again; `interval` if that is shorter.
const RETRY: Duration = Duration::from_secs(1);
/// Signals that wait; they are read at once, and all say the same.
const QUEUE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// One connection for each bus.
#[derive(Debug, Default)]
pub(in super::super) struct Buses {
    open: RefCell<BTreeMap<Option<String>, Rc<OnceCell<Connection>>>>,
}

impl Buses {
    /// The connection to a bus, made when it is first needed or was lost.
    async fn connect(&self, address: Option<&str>) -> Result<Connection, String> {
        let cell = {
            let mut open = self.open.borrow_mut();
            let cell = open.entry(address.map(str::to_owned)).or_default();
            if cell.get().is_some_and(Connection::is_closed) {
                *cell = Rc::default();
            }
            cell.clone()
        };
        let connect = || async {
            let builder = match address {
                Some(address) => zbus::conn::Builder::address(address),
                None => zbus::conn::Builder::system(),
            };
            let builder = builder.method_timeout(ANSWER_MAX);
            match tokio::time::timeout(ANSWER_MAX, builder.build()).await {
                Ok(Ok(connection)) => Ok(connection),
                Ok(Err(error)) => Err(format!("no connection to D-Bus: {error}")),
                Err(_) => Err("no connection to D-Bus: it does not answer".to_owned()),
            }
        };
        cell.get_or_try_init(connect).await.cloned()
    }
}

/// The signals of one unit, as one bell.
#[derive(Debug)]
struct Signals {
    bell: Rc<Notify>,
    reader: JoinHandle<()>,
}

impl Signals {
    /// Has the bus send the signals of a unit.
    async fn of(connection: &Connection, path: &ObjectPath<'_>) -> zbus::Result<Self> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SYSTEMD)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .path(path.as_ref())
            .build()?;
        let mut stream = MessageStream::for_match_rule(rule, connection, Some(QUEUE)).await?;
        let bell = Rc::new(Notify::new());
        let rings = bell.clone();
        // A stream that nobody reads would hold up the whole connection.
        let reader = tokio::task::spawn_local(async move {
            while std::future::poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.is_some() {
                rings.notify_one();
            }
            // The connection is closed.
            rings.notify_one();
        });
        Ok(Self { bell, reader })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A unit on a bus.
struct Session {
    connection: Connection,
    path: OwnedObjectPath,
    signals: Signals,
}

impl Session {
    async fn open(buses: &Buses, bus: Option<&str>, unit: &str) -> Result<Self, String> {
        let connection = buses.connect(bus).await?;
        let open = async {
            subscribe(&connection).await?;
            let to = Some(SYSTEMD);
            // LoadUnit, not GetUnit: that one does not know what is stopped.
            let call = connection.call_method(to, MANAGER_PATH, Some(MANAGER), "LoadUnit", &unit);
            let path: OwnedObjectPath = call.await?.body().deserialize()?;
            let signals = Signals::of(&connection, &path).await?;
            Ok::<_, zbus::Error>((path, signals))
        };
        let (path, signals) = open.await.map_err(|error| asking(&error))?;
        Ok(Self { connection, path, signals })
    }

    async fn state(&self) -> zbus::Result<UnitState> {
        let to = Some(SYSTEMD);
        let interface = Some(PROPERTIES);
        let call =
            self.connection.call_method(to, self.path.as_ref(), interface, "GetAll", &UNIT).await?;
        let body = call.body();
        let mut all: BTreeMap<String, OwnedVariant> = body.deserialize()?;
        let mut text = |name: &str| -> zbus::Result<String> {
            let value = all.remove(name).ok_or(zbus::Error::InvalidReply)?;
            String::try_from(value)
        };
        Ok(UnitState {
            load: text("LoadState")?,
            active: text("ActiveState")?,
            sub: text("SubState")?,
        })
    }
}

/// systemd sends signals of units only while somebody has asked for them. Asking twice is an error
/// that changes nothing; asking a systemd that was started again is needed.
async fn subscribe(connection: &Connection) -> zbus::Result<()> {
    let to = Some(SYSTEMD);
    match connection.call_method(to, MANAGER_PATH, Some(MANAGER), "Subscribe", &()).await {
        Ok(_) => Ok(()),
        Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".AlreadySubscribed") => Ok(()),
        Err(error) => Err(error),
    }
}

fn asking(error: &zbus::Error) -> String {
    format!("asking systemd: {error}")
}

/// Watches a unit until nobody wants to know any more.
pub(in super::super) async fn watch(
    unit: Place,
    bus: Option<String>,
    interval: Duration,
    at: Target,
    reporter: Reporter,
    buses: Rc<Buses>,
) {
    let unknown = |text: &str| ProbeResult::new(Outcome::Unknown, text);
    let unit = match unit.fill(at) {
        Ok(unit) => unit,
        Err(error) => {
            reporter.report(unknown(&error.to_string())).await;
            return;
        }
    };
    let mut session: Option<Session> = None;
    // It was there once: when it is gone, its name was right.
    let mut known = false;
    loop {
        let began = Instant::now();
        let looked = match &session {
            // What systemd forgot, it is told again.
            Some(open) => subscribe(&open.connection).await.map_err(|error| asking(&error)),
            None => match Session::open(&buses, bus.as_deref(), &unit).await {
                Ok(open) => {
                    session = Some(open);
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        let state = match (&session, looked) {
            (Some(open), Ok(())) => open.state().await.map_err(|error| asking(&error)),
            (_, Err(error)) => Err(error),
            (None, Ok(())) => Err("no connection to D-Bus".to_owned()),
        };
        let result = match state {
            Ok(state) => {
                known |= state.is_known();
                state.judge(&unit, known)
            }
            Err(error) => {
                session = None;
                unknown(&error)
            }
        };
        if !reporter.report(result).await {
            return;
        }
        match &session {
            Some(open) => {
                tokio::select! {
                    () = open.signals.bell.notified() => {}
                    () = tokio::time::sleep(interval) => {}
                }
                // What a change brings comes in several signals.
                tokio::time::sleep_until(began + CALM).await;
            }
            None => tokio::time::sleep(interval.min(RETRY)).await,
        }
    }
}
