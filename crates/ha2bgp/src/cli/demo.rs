//! `ha2bgp demo`: the whole way from a dying socket to the API line, on this machine, no root.
//!
//! Starts a small service on a loopback address and ha2bgp itself as ExaBGP would start it, then
//! opens and closes the service a few times and measures when the lines come.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::{print_error, say};

/// How often the service dies and comes back.
const ROUNDS: usize = 20;

/// No line takes longer than this on a working machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of the child, and when it came.
type Line = (Instant, String);

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
    say(format_args!("A service listens on {address}. ha2bgp runs as ExaBGP would run it:"))?;
    let args = [
        "--network".to_owned(),
        // Nothing else on this host that listens on the same port can get in between.
        format!("{vip}/32"),
        "--listen-filter".to_owned(),
        format!("sport = :{}", address.port()),
        "--up-delay=500ms".to_owned(),
        "--down-delay=0s".to_owned(),
        "--damping=off".to_owned(),
    ];
    say(format_args!("  ha2bgp {}\n", args.join(" ")))?;
    let mut ha2bgp = Helper::start(&args)?;

    say("1. The service is up; after the up delay of 0.5 s its address is announced:")?;
    let (_, line) = ha2bgp.expect("announce", vip)?;
    say(format_args!("     {line}"))?;

    say("2. The service dies; with a down delay of 0 its address is withdrawn at once:")?;
    let mut latencies = vec![close_and_wait(&mut ha2bgp, service, vip, true)?];

    say(format_args!("3. It dies {} times more, to see what is usual:", ROUNDS - 1))?;
    for _ in 1..ROUNDS {
        let service = listen_again(address)?;
        ha2bgp.expect("announce", vip)?;
        latencies.push(close_and_wait(&mut ha2bgp, service, vip, false)?);
    }
    latencies.sort_unstable();
    say(format_args!(
        "     from close() to the withdraw line: fastest {:?}, median {:?}, slowest {:?}",
        latencies[0],
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1],
    ))?;

    say("4. The service is back, and ha2bgp is asked to stop (SIGTERM): it withdraws first:")?;
    let _service = listen_again(address)?;
    ha2bgp.expect("announce", vip)?;
    ha2bgp.terminate()?;
    let (_, line) = ha2bgp.expect("withdraw", vip)?;
    say(format_args!("     {line}"))?;
    ha2bgp.finish()?;
    say("\nThat is all. For a real one, see the README: ExaBGP starts ha2bgp, routers listen.")?;
    Ok(())
}

/// An address of 127.0.0.0/8 that other demonstrations at the same time do not use.
fn free_loopback_address() -> Ipv4Addr {
    let [_, high, low, last] = std::process::id().to_be_bytes();
    // Never .0 or .255: some people read those as special.
    Ipv4Addr::new(127, 64 | high & 63, low, last.clamp(1, 254))
}

/// Opens the service again on its old address.
fn listen_again(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

fn close_and_wait(
    ha2bgp: &mut Helper,
    service: TcpListener,
    vip: Ipv4Addr,
    show: bool,
) -> io::Result<Duration> {
    let closed = Instant::now();
    drop(service);
    let (at, line) = ha2bgp.expect("withdraw", vip)?;
    let latency = at - closed;
    if show {
        say(format_args!("     {line}          ({latency:?} after close())"))?;
    }
    Ok(latency)
}

/// ha2bgp as a helper process: its stdout is read, its stdin answered, as ExaBGP does.
struct Helper {
    child: Child,
    answers: Option<ChildStdin>,
    lines: Receiver<Line>,
}

impl Helper {
    fn start(args: &[String]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let answers = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        let (send, lines) = sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, answers, lines })
    }

    /// Waits for `announce route VIP …` or `withdraw route VIP …` and acknowledges it.
    fn expect(&mut self, verb: &str, vip: Ipv4Addr) -> io::Result<Line> {
        let wanted = format!("{verb} route {} ", IpAddr::V4(vip));
        match self.lines.recv_timeout(PATIENCE) {
            Ok((at, line)) if line.starts_with(&wanted) => {
                if let Some(answers) = &mut self.answers {
                    answers.write_all(b"done\n")?;
                }
                Ok((at, line))
            }
            Ok((_, line)) => {
                Err(io::Error::other(format!("waited for \"{wanted}\", got \"{line}\"")))
            }
            Err(RecvTimeoutError::Timeout) => Err(io::Error::other(format!(
                "no \"{wanted}\" within {PATIENCE:?}; run it with --debug to see why:\n  \
                 ha2bgp --network 127.0.0.0/8 --bgp-backend test --debug"
            ))),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("ha2bgp ended by itself")),
        }
    }

    fn terminate(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no pid"))?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }

    fn finish(mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("ha2bgp: {status}"))) }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Already gone in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
