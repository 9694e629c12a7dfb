//! A host with VIPs and a router at the other end of a cable, which this process plays.

use crate::Outcome;
use crate::floor;
use ha2bgp_lab::bgp::{Conversation, UPDATE, counted};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::confine::without_sock_diag;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::{program, readme};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The first VIP, and the port of the service on it.
pub(crate) const VIP: &str = "100.64.0.10";
pub(crate) const PORT: u16 = 8080;

const OURS: &str = "10.9.1.1";
const ROUTER: &str = "10.9.1.2";
/// No run takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Who notices and withdraws.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    Floor,
    /// ha2bgp with a doorbell.
    TierA,
    /// ha2bgp with destroy events and polling.
    TierB,
    /// ha2bgp without netlink's sock_diag.
    TierC,
}

impl Who {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor (doorbell, exact query, prepared bytes)",
            Self::TierA => "ha2bgp, tier A (doorbell)",
            Self::TierB => "ha2bgp, tier B (destroy events, polling)",
            Self::TierC => "ha2bgp, tier C (/proc/net)",
        }
    }

    /// In names of files.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::TierA => "tier-a",
            Self::TierB => "tier-b",
            Self::TierC => "tier-c",
        }
    }
}

/// The host, the router, and the cable between them.
pub(crate) struct Stage {
    pub(crate) host: Netns,
    pub(crate) router: Netns,
    listener: TcpListener,
    pub(crate) dir: TempDir,
}

/// The router heard an UPDATE: so many routes withdrawn and announced, at that moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) withdrawn: usize,
    pub(crate) announced: usize,
}

/// A program that runs, and its session.
pub(crate) struct Session {
    pub(crate) child: Child,
    heard: Receiver<Heard>,
}

impl Stage {
    pub(crate) fn new() -> Outcome<Self> {
        let (host, router) = (Netns::new("host")?, Netns::new("router")?);
        link::cable(
            End { host: &host, device: "up0", address: &format!("{OURS}/24") },
            End { host: &router, device: "down0", address: &format!("{ROUTER}/24") },
        )?;
        link::add_address(&host, &format!("{VIP}/32"), "lo")?;
        let listener = router.within(|| TcpListener::bind((ROUTER, 179)))??;
        Ok(Self { host, router, listener, dir: readme::workdir()? })
    }

    /// Starts one of them, and takes its session.
    pub(crate) fn start(&self, who: Who) -> Outcome<Session> {
        let mut command = match who {
            Who::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                let (service, local) = (format!("{VIP}:{PORT}"), format!("{OURS}:0"));
                command.args([floor::CHILD, &service, &local, &format!("{ROUTER}:179")]);
                command
            }
            Who::TierA => self.ha2bgp("auto")?,
            Who::TierB => self.ha2bgp("off")?,
            Who::TierC => without_sock_diag(&self.ha2bgp("off")?)?,
        };
        let child = self.host.start(who.key(), &mut command, self.dir.path())?;
        let session = Conversation::accept(&self.listener, 65001, 0)?;
        session.stream().set_read_timeout(None)?;
        let (sender, heard) = channel();
        // Ends with the connection, when the program ends.
        std::thread::spawn(move || listen(session, &sender));
        Ok(Session { child, heard })
    }

    fn ha2bgp(&self, doorbell: &str) -> Outcome<Command> {
        let file = self.dir.path().join(format!("doorbell-{doorbell}.toml"));
        let text = format!(
            "router-id = \"10.1.1.1\"\nlocal-as = 65000\noverrides-file = \"off\"\n\
             networks = [\"100.64.0.0/16\"]\n\
             [discover]\nlisten-filter = \"sport = :{PORT}\"\ndoorbell = \"{doorbell}\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
             [[peer]]\naddress = \"{ROUTER}\"\nremote-as = 65001\n"
        );
        std::fs::write(&file, text)?;
        Ok(program::command(&["run", "--config", &file.to_string_lossy()]))
    }
}

fn listen(mut session: Conversation, heard: &std::sync::mpsc::Sender<Heard>) {
    loop {
        // Also what came with the end of the handshake.
        let at = Instant::now();
        while let Some((kind, body)) = session.buffered() {
            let (withdrawn, announced) = if kind == UPDATE { counted(&body) } else { (0, 0) };
            if withdrawn + announced > 0 && heard.send(Heard { at, withdrawn, announced }).is_err()
            {
                return;
            }
        }
        if session.fill().unwrap_or(0) == 0 {
            return;
        }
    }
}

impl Session {
    /// Waits until so many routes were announced and withdrawn since the last time. When that was
    /// complete.
    pub(crate) fn hears(&mut self, announced: usize, withdrawn: usize) -> Outcome<Instant> {
        let (mut up, mut down) = (0, 0);
        loop {
            let Ok(heard) = self.heard.recv_timeout(LIMIT) else {
                return Err(format!(
                    "{up} announced and {down} withdrawn, and no more within {LIMIT:?}\n{}",
                    self.child.tail()
                )
                .into());
            };
            up += heard.announced;
            down += heard.withdrawn;
            if (up, down) == (announced, withdrawn) {
                return Ok(heard.at);
            }
        }
    }
}

/// The service's place.
pub(crate) fn service() -> Outcome<SocketAddr> {
    Ok(format!("{VIP}:{PORT}").parse()?)
}
