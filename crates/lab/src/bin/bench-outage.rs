//! How long a router keeps our route after an outage: crash, upgrade, a host that dies without a
//! sign, a stop for good; with BIRD and FRR; with and without graceful restart.
//!
//! Usage: `bench-outage [with|without] [--reps N]`; run it by `cargo xtask bench outage`. Needs root, BIRD, FRR.
//! The service lives all the time: what is measured is how long a dead or blind ha2bgp attracts
//! traffic, and whether a restart is seen at all.
//!
//! Between both hosts stands a switch, so that the router sees no loss of carrier when our cable
//! is cut: only silence.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

use ha2bgp_lab::args::number;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Router};
use ha2bgp_lab::samples::range;
use ha2bgp_lab::{program, readme, service, wait};
use rustix::process::Signal;
use std::error::Error;
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

const VIP: &str = "100.64.0.10";
const ROUTE: &str = "100.64.0.10/32";
const SESSION: Duration = Duration::from_secs(60);
/// Between two looks at the router's table.
const STEP: Duration = Duration::from_millis(10);
/// No outage lasts longer with a restart time of 20 s and a hold time of 9 s.
const LIMIT: Duration = Duration::from_secs(60);
/// After a restart: End-of-RIB and what it brings are over by then.
const AFTER_RESTART: Duration = Duration::from_secs(12);

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// SIGKILL; nothing comes back.
    Crash,
    /// SIGKILL, and a start at once.
    CrashAndStart,
    /// SIGUSR2, and a start when it has ended.
    Restart,
    /// The cable is cut, then SIGKILL: no FIN, no RST, no carrier that is lost at the router.
    HostDeath,
    /// SIGTERM.
    Stop,
}

const EVENTS: [(Event, &str); 5] = [
    (Event::Crash, "crash (kill -9), no restart"),
    (Event::CrashAndStart, "crash (kill -9), started again at once"),
    (Event::Restart, "upgrade (SIGUSR2), started again when it has ended"),
    (Event::HostDeath, "host death: silence, no loss of carrier"),
    (Event::Stop, "stop for good (SIGTERM)"),
];

fn main() -> Outcome<()> {
    let (mut reps, mut parts) = (3, vec![true, false]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "with" => parts = vec![true],
            "without" => parts = vec![false],
            "--reps" => reps = number(&arg, args.next(), 1..=100)?,
            _ => return Err("usage: bench-outage [with|without] [--reps N]".into()),
        }
    }
    println!("how long the route stays at the router after the outage began; {reps} runs each");
    println!("hold time 9 s, restart time 20 s (the defaults); looked at every {STEP:?}");
    for graceful in parts {
        println!("\n{} graceful restart", if graceful { "with" } else { "without" });
        for (event, name) in EVENTS {
            // Both routers at a time: mostly they wait.
            let lines = std::thread::scope(|scope| {
                let threads = [Kind::Bird, Kind::Frr]
                    .map(|kind| scope.spawn(move || repeat(kind, event, graceful, reps)));
                threads.map(|thread| match thread.join() {
                    Ok(line) => line,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
            });
            println!("  {name}");
            for line in lines {
                println!("    {}", line?);
            }
        }
    }
    Ok(())
}

fn repeat(kind: Kind, event: Event, graceful: bool, reps: usize) -> Result<String, String> {
    let mut times = Vec::new();
    let mut away = 0;
    for _ in 0..reps {
        let seen = measure(kind, event, graceful);
        match seen.map_err(|error| format!("{kind:?}, {event:?}: {error}"))? {
            Seen::GoneAfter(time) => times.push(time),
            Seen::Away(time) => {
                times.push(time);
                away += 1;
            }
            Seen::Stayed => {}
        }
    }
    Ok(format!("{kind:?}: {}", told(&times, away, reps)))
}

fn told(times: &[Duration], away: usize, reps: usize) -> String {
    match (times, away) {
        ([], _) => format!("never seen to leave, in {reps} of {reps} runs"),
        (_, 0) => range("gone after", times),
        _ => format!("{}; {away} of {reps} runs", range("away for", times)),
    }
}

/// What became of the route.
enum Seen {
    /// It left, for good.
    GoneAfter(Duration),
    /// It left and came back after so long.
    Away(Duration),
    /// It was there at every look.
    Stayed,
}

/// Fields drop in this order.
struct Stage {
    ha2bgp: Child,
    router: Router,
    us: Netns,
    switch: Netns,
    _them: Netns,
    dir: TempDir,
    graceful: bool,
}

impl Stage {
    fn start(kind: Kind, graceful: bool) -> Outcome<Self> {
        let dir = readme::workdir()?;
        let (us, switch, them) = (Netns::new("us")?, Netns::new("switch")?, Netns::new("them")?);
        link::bridge(&switch, "br0")?;
        for (host, device, port, address) in
            [(&us, "up0", "p1", "10.9.1.1/24"), (&them, "down0", "p2", "10.9.1.2/24")]
        {
            let inside = End { host: &switch, device: port, address: "169.254.0.1/32" };
            link::cable(End { host, device, address }, inside)?;
            switch.ip(&["link", "set", port, "master", "br0"])?;
        }
        link::add_address(&us, ROUTE, "lo")?;
        let config = Config::plain("10.9.1.2", 65001, "10.9.1.1");
        let router = Router::start(kind, &them, "router", dir.path(), config)?;
        let ha2bgp = start(&us, &dir, "ha2bgp", graceful)?;
        Ok(Self { ha2bgp, router, us, switch, _them: them, dir, graceful })
    }

    fn start_again(&mut self) -> Outcome<()> {
        self.ha2bgp = start(&self.us, &self.dir, "again", self.graceful)?;
        Ok(())
    }

    fn begin(&mut self, event: Event) -> Outcome<()> {
        match event {
            Event::Crash => self.ha2bgp.kill()?,
            Event::CrashAndStart => {
                self.ha2bgp.kill()?;
                self.start_again()?;
            }
            Event::Restart => {
                self.ha2bgp.signal(Signal::USR2)?;
                self.ha2bgp.wait(SESSION)?;
                self.start_again()?;
            }
            Event::HostDeath => {
                self.switch.ip(&["link", "set", "p1", "down"])?;
                self.ha2bgp.kill()?;
            }
            Event::Stop => self.ha2bgp.signal(Signal::TERM)?,
        }
        Ok(())
    }
}

fn start(us: &Netns, dir: &TempDir, name: &str, graceful: bool) -> Outcome<Child> {
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\nlocal-as = 65000\nrouter-id = \"10.1.1.1\"\n\
         [discover]\nlisten-filter = \"sport = :8080\"\n\
         [[peer]]\naddress = \"10.9.1.2\"\nremote-as = 65001\ngraceful-restart = {graceful}\n"
    );
    let file = dir.path().join("ha2bgp.toml");
    std::fs::write(&file, text)?;
    let file = file.to_string_lossy().into_owned();
    let mut command = program::command(&["--config", &file]);
    command.env("HA2BGP_STATE_FILE", dir.path().join("state"));
    Ok(us.start(name, &mut command, dir.path())?)
}

fn measure(kind: Kind, event: Event, graceful: bool) -> Outcome<Seen> {
    let mut stage = Stage::start(kind, graceful)?;
    stage.router.wait_established(true, SESSION)?;
    let listener = service::listen(&stage.us, &format!("{VIP}:8080"))?;
    stage.router.wait_route(ROUTE, true, SESSION)?;
    let start = Instant::now();
    stage.begin(event)?;
    let restarts = matches!(event, Event::CrashAndStart | Event::Restart);
    let seen = watch(&stage, start, restarts)?;
    drop(listener);
    Ok(seen)
}

fn watch(stage: &Stage, start: Instant, restarts: bool) -> Outcome<Seen> {
    let there = || Ok::<bool, Box<dyn Error>>(!stage.router.route(ROUTE)?.is_empty());
    let limit = if restarts { AFTER_RESTART } else { LIMIT };
    while there()? {
        if start.elapsed() > limit {
            return if restarts { Ok(Seen::Stayed) } else { Err("the route never leaves".into()) };
        }
        wait::pause(STEP);
    }
    let gone = start.elapsed();
    if !restarts {
        return Ok(Seen::GoneAfter(gone));
    }
    stage.router.wait_route(ROUTE, true, LIMIT)?;
    Ok(Seen::Away(start.elapsed().saturating_sub(gone)))
}
