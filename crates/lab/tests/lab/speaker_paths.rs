//! Several paths of a prefix (RFC 7911): the identifier of ours in each router's table, and who
//! else announces the same prefix, as route reflectors tell.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use crate::stage::{SOON, VIP};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Options, Router};
use ha2bgp_lab::{LabError, Result, program, readme, service, wait};
use rustix::process::Signal;
use tempfile::TempDir;

/// The route comes with the identifier of the configuration, and goes.
fn the_identifier_of_ours(kind: Kind) -> Result<()> {
    let options = Options { add_path: true, ..Options::default() };
    let pair = Pair::established(Plan { options, ..Plan::new(kind).section("add-path = 7") })?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let text = pair.router.route(&pair.plan.route())?;
    let shown = match kind {
        // It shows no identifiers, but what both sides are capable of.
        Kind::Bird => "",
        Kind::Frr => "AddPath ID: RX 7, TX",
        Kind::GoBgp => " 7   100.64.0.10/32 ",
        Kind::OpenBgpd => " Path-Id: 7\n",
        Kind::ExaBgp => "path-information 0.0.0.7",
    };
    assert!(text.contains(shown), "{text}\n{}", pair.ha2bgp.tail());
    let neighbor = pair.router.neighbor()?;
    assert!(kind != Kind::Bird || neighbor.matches("ADD-PATH").count() == 2, "{neighbor}");
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(the_identifier_of_ours);

/// A host with ha2bgp, a client of the route reflector.
struct Client {
    ha2bgp: Child,
    host: Netns,
}

/// The route reflector, and the cables of its clients in one bridge.
struct Reflector {
    router: Router,
    host: Netns,
    dir: TempDir,
}

/// The socket of the service on the VIP.
const SERVICE: &str = "100.64.0.10:8080";
/// The address of the route reflector.
const REFLECTOR: &str = "10.9.1.2";
/// Those of its clients.
const CLIENTS: [&str; 2] = ["10.9.1.1", "10.9.1.3"];

impl Reflector {
    /// With every path told, or the best one only.
    fn start(kind: Kind, add_path: bool) -> Result<Self> {
        let dir = readme::workdir()?;
        let host = Netns::new("reflector")?;
        link::bridge(&host, "lan")?;
        link::add_address(&host, &format!("{REFLECTOR}/24"), "lan")?;
        let [neighbor, second] = CLIENTS.map(str::to_owned);
        let config = Config {
            options: Options { add_path, second: Some(second), ..Options::default() },
            ..Config::plain(REFLECTOR, 65000, neighbor)
        };
        let router = Router::start(kind, &host, "router", dir.path(), config)?;
        Ok(Self { router, host, dir })
    }

    /// One more host, with the VIP.
    fn client(&self, name: &str, address: &str) -> Result<Client> {
        let host = Netns::new(name)?;
        link::cable(
            End { host: &host, device: "up0", address: &format!("{address}/24") },
            End { host: &self.host, device: name, address: "169.254.1.1/32" },
        )?;
        self.host.ip(&["link", "set", name, "master", "lan"])?;
        link::add_address(&host, &format!("{VIP}/32"), "lo")?;
        let file = self.dir.path().join(format!("{name}.toml"));
        let text = format!(
            "router-id = \"{address}\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\
             [discover]\nlisten-filter = \"sport = :8080\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
             [[peer]]\naddress = \"{REFLECTOR}\"\nremote-as = 65000\ncount-announcers = true\n"
        );
        std::fs::write(&file, text).map_err(LabError::io(file.display().to_string()))?;
        let mut command = program::command(&["--config", &file.to_string_lossy(), "--debug"]);
        let ha2bgp = host.start(name, &mut command, self.dir.path())?;
        // Before, a signal may end it.
        wait::until_true(SESSION, "the session is up", || {
            ha2bgp.stderr().contains("BGP session established")
        })?;
        Ok(Client { ha2bgp, host })
    }
}

impl Client {
    /// Asks for the status until it says so of other announcers of the VIP.
    fn wait_others(&mut self, said: &str) -> Result<()> {
        let wanted = format!(" others-at-{REFLECTOR}={said}");
        wait::until(SESSION, &format!("the status says{wanted}"), || {
            self.ha2bgp.signal(Signal::USR1).map_err(|error| error.to_string())?;
            let log = self.ha2bgp.stderr();
            let last = log.lines().rfind(|line| line.contains(" others-at-"));
            match last.is_some_and(|line| format!("{line} ").contains(&format!("{wanted} "))) {
                true => Ok(()),
                false => Err(format!("{last:?}\n{}", self.ha2bgp.tail())),
            }
        })
    }
}

/// Each of two hosts knows of the other, and when it is alone: the service of the other went, or
/// the other stopped for good.
fn others_are_counted(kind: Kind) -> Result<()> {
    let reflector = Reflector::start(kind, true)?;
    let mut one = reflector.client("one", CLIENTS[0])?;
    let first = service::listen(&one.host, SERVICE)?;
    one.wait_others("0")?;
    let mut two = reflector.client("two", CLIENTS[1])?;
    let second = service::listen(&two.host, SERVICE)?;
    one.wait_others("1")?;
    two.wait_others("1")?;
    drop(second);
    one.wait_others("0")?;
    let second = service::listen(&two.host, SERVICE)?;
    one.wait_others("1")?;
    one.ha2bgp.signal(Signal::TERM)?;
    assert_eq!(one.ha2bgp.wait(SOON)?.code(), Some(0), "{}", one.ha2bgp.tail());
    two.wait_others("0")?;
    drop((first, second));
    Ok(())
}
with_each_router!(others_are_counted: bird = Bird, frr = Frr);

/// Without add-path the reflector tells its best path, and to nobody his own: whoever hears one
/// knows that he is not alone, and not who else there is.
fn one_path_is_not_all(kind: Kind) -> Result<()> {
    let reflector = Reflector::start(kind, false)?;
    let mut one = reflector.client("one", CLIENTS[0])?;
    let first = service::listen(&one.host, SERVICE)?;
    one.wait_others("unknown")?;
    reflector.router.wait_route(&format!("{VIP}/32"), true, SESSION)?;
    let mut two = reflector.client("two", CLIENTS[1])?;
    let second = service::listen(&two.host, SERVICE)?;
    // The best is that of the lower router id.
    two.wait_others("1-or-more")?;
    one.wait_others("unknown")?;
    one.ha2bgp.signal(Signal::TERM)?;
    assert_eq!(one.ha2bgp.wait(SOON)?.code(), Some(0), "{}", one.ha2bgp.tail());
    two.wait_others("unknown")?;
    drop((first, second));
    Ok(())
}
with_each_router!(one_path_is_not_all: bird = Bird, frr = Frr);
