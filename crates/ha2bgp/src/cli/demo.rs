//! `ha2bgp demo`: the whole way from a dying socket to a router, on this machine, no root.
//!
//! Starts a small service on a loopback address, a router (ha2bgp's own BGP session, as a
//! receiver) on a loopback port, and ha2bgp itself as a process of its own with a configuration
//! of a few lines. Then it opens and closes the service a few times, shows what the router sees,
//! and measures when.

mod router;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ha2bgp_core::net::Prefix;

use self::router::{Router, Seen};
use super::{print_error, say};

/// How often the service dies and comes back.
const ROUNDS: usize = 20;

/// Nothing takes longer than this on a working machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the router is told to send the traffic: an address for documents (RFC 5737), since a
/// router takes no loopback address.
const NEXT_HOP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// Runs the demonstration.
pub(super) fn main() -> ExitCode {
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> io::Result<()> {
    let vip = free_loopback_address();
    let service = TcpListener::bind((vip, 0))?;
    let address = service.local_addr()?;
    let router = Router::start()?;
    say(format_args!("A service listens on {address}, a BGP router on {}.", router.address()))?;
    say("ha2bgp runs with this configuration:\n")?;
    let config = configuration(address, router.address());
    for line in config.lines() {
        say(format_args!("    {line}").to_string().trim_end())?;
    }
    let mut stage =
        Stage { ha2bgp: Daemon::start(&config)?, router, vip: Prefix::host(vip.into()) };
    stage.expect(&Seen::Up)?;
    say("\n1. The router has a session with it.")?;

    say("2. The service is up; after the up delay of 0.2 s the router sees its route:")?;
    stage.expect(&stage.announced())?;
    say(format_args!("     + {} via {NEXT_HOP}", stage.vip))?;

    say("3. The service dies; with a down delay of 0 the router loses the route at once:")?;
    let mut latencies = vec![stage.close(service)?];
    say(format_args!("     - {}   ({:?} after close())", stage.vip, latencies[0]))?;

    say(format_args!("4. It dies {} times more, to see what is usual:", ROUNDS - 1))?;
    for _ in 1..ROUNDS {
        let service = stage.open(address)?;
        latencies.push(stage.close(service)?);
    }
    latencies.sort_unstable();
    say(format_args!(
        "     from close() to the withdrawal at the router: fastest {:?}, median {:?}, slowest {:?}",
        latencies[0],
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1],
    ))?;

    say("5. The service is back, and ha2bgp is asked to stop (SIGTERM): it withdraws first:")?;
    let _service = stage.open(address)?;
    stage.ha2bgp.terminate()?;
    stage.expect(&Seen::Withdrawn(stage.vip))?;
    say(format_args!("     - {}", stage.vip))?;
    match stage.next()? {
        (_, Seen::Down(why)) => say(format_args!("     session over: {why}"))?,
        (_, other) => return Err(unexpected(&other)),
    }
    stage.ha2bgp.finish()?;
    say("\nThat is all. For a real router, write its address, both AS numbers and your networks.")?;
    Ok(())
}

/// What a user would write, but for delays and addresses that suit a demonstration.
fn configuration(service: SocketAddr, router: SocketAddr) -> String {
    let (vip, service_port) = (service.ip(), service.port());
    let (peer, port, asn, local_as) = (router.ip(), router.port(), router::ASN, router::PEER_ASN);
    format!(
        "router-id = \"{NEXT_HOP}\"\n\
         local-as = {local_as}\n\
         networks = [\"{vip}/32\"]\n\
         state-file = \"off\"\n\
         \n\
         [discover]\n\
         listen-filter = \"sport = :{service_port}\"\n\
         \n\
         [defaults]\n\
         up-delay = \"200ms\"\n\
         down-delay = \"0s\"\n\
         damping = false\n\
         route = {{ next-hop = \"{NEXT_HOP}\" }}\n\
         \n\
         [[peer]]\n\
         address = \"{peer}\"\n\
         port = {port}\n\
         remote-as = {asn}\n"
    )
}

/// An address of 127.0.0.0/8 that other demonstrations at the same time do not use.
fn free_loopback_address() -> Ipv4Addr {
    let [_, high, low, last] = std::process::id().to_be_bytes();
    // Never .0 or .255: some people read those as special.
    Ipv4Addr::new(127, 64 | high & 63, low, last.clamp(1, 254))
}

fn unexpected(seen: &Seen) -> io::Error {
    io::Error::other(format!("the router saw something else: {seen:?}"))
}

/// All who take part.
struct Stage {
    ha2bgp: Daemon,
    router: Router,
    vip: Prefix,
}

impl Stage {
    /// The route as it shall be.
    const fn announced(&self) -> Seen {
        Seen::Announced(self.vip, IpAddr::V4(NEXT_HOP))
    }

    /// Opens the service again on its old address, and waits for the route.
    fn open(&mut self, address: SocketAddr) -> io::Result<TcpListener> {
        let service = TcpListener::bind(address)?;
        self.expect(&self.announced())?;
        Ok(service)
    }

    /// Closes it; how long the route stayed.
    fn close(&mut self, service: TcpListener) -> io::Result<Duration> {
        let closed = Instant::now();
        drop(service);
        Ok(self.expect(&Seen::Withdrawn(self.vip))? - closed)
    }

    /// The router must see this next.
    fn expect(&mut self, wanted: &Seen) -> io::Result<Instant> {
        match self.next()? {
            (at, seen) if seen == *wanted => Ok(at),
            (_, seen) => Err(unexpected(&seen)),
        }
    }

    fn next(&mut self) -> io::Result<(Instant, Seen)> {
        self.router.next(PATIENCE).map_err(|error| {
            io::Error::other(match self.ha2bgp.ended() {
                Some(status) => format!("ha2bgp ended by itself: {status}"),
                None => format!(
                    "the router saw nothing for {PATIENCE:?} ({error}); to see why, write the \
                     lines above to a file and run: ha2bgp --config FILE --debug"
                ),
            })
        })
    }
}

/// ha2bgp as a process.
struct Daemon {
    child: Child,
}

impl Daemon {
    fn start(config: &str) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--config", "/dev/stdin"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut daemon = Self { child };
        // Closed again when it is dropped here.
        if let Some(mut stdin) = daemon.child.stdin.take() {
            stdin.write_all(config.as_bytes())?;
        }
        Ok(daemon)
    }

    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn terminate(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no pid"))?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }

    fn finish(&mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("ha2bgp: {status}"))) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
