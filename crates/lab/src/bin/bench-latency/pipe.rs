//! The ExaBGP pipe: listener close → withdrawal line, beside the original's way: a loop that forks
//! `ss` every second. Needs no root: all is on loopback.

use crate::Outcome;
use crate::random::Random;
use ha2bgp_lab::samples::{ratio, save, summary};
use ha2bgp_lab::{program, service, wait};
use rustix::event::{PollFd, PollFlags, poll};
use socket2::{Socket, Type};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const ADDRESS: &str = "127.83.66.80";
const LINE_LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn run(runs: usize, peer_runs: usize, dir: &Path) -> Outcome<()> {
    let mut random = Random::new();
    let port = free_port()?;
    let address: SocketAddr = format!("{ADDRESS}:{port}").parse()?;

    println!("listener close → withdrawal, {runs} runs at {address}; seed {}", random.0);
    let ours = measure_ha2bgp(address, runs, &mut random)?;
    save(&dir.join("latency-ha2bgp.csv"), &ours)?;
    println!("{}", summary("ha2bgp (API line on the pipe)", &ours));

    println!("the original's way: fork `ss` every second, {peer_runs} runs (about 1 s each)");
    let peer = measure_ss_loop(address, peer_runs, &mut random)?;
    save(&dir.join("latency-ss-loop.csv"), &peer)?;
    println!("{}", summary("a loop that forks ss (detection only)", &peer));

    println!("ratio p50: {:.0}×", ratio(&peer, &ours, 50));
    println!("ratio p99: {:.0}×", ratio(&peer, &ours, 99));
    Ok(())
}

/// A port that nobody listens on: asked of the kernel, then let go.
fn free_port() -> Outcome<u16> {
    let probe = std::net::TcpListener::bind((ADDRESS, 0))?;
    Ok(probe.local_addr()?.port())
}

/// ha2bgp with the pipes that ExaBGP would hold.
struct Ha2bgp {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    buffer: Vec<u8>,
}

impl Ha2bgp {
    fn start(port: u16) -> Outcome<Self> {
        let filter = format!("sport = :{port}");
        let mut child = program::command(&[
            "--bgp-backend",
            "exabgp",
            "-n",
            "127.0.0.0/8",
            "-l",
            &filter,
            "--up-delay",
            "0s",
            "--down-delay",
            "0s",
            "--damping",
            "off",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        Ok(Self { child, stdin, stdout, buffer: Vec::new() })
    }

    /// Waits for the next line that starts with `verb`; acknowledges every line. The moment is
    /// that of the read that completed the line.
    fn expect(&mut self, verb: &str) -> Outcome<Instant> {
        let deadline = Instant::now() + LINE_LIMIT;
        let mut now = Instant::now();
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let line = String::from_utf8_lossy(&self.buffer).into_owned();
                self.buffer = rest;
                self.stdin.write_all(b"done\n")?;
                if line.starts_with(verb) && line.contains(ADDRESS) {
                    return Ok(now);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = left.try_into()?;
            let mut fds = [PollFd::new(&self.stdout, PollFlags::IN)];
            if poll(&mut fds, Some(&timeout))? == 0 {
                return Err(format!("no `{verb}` within {LINE_LIMIT:?}").into());
            }
            let mut chunk = [0_u8; 4096];
            let size = self.stdout.read(&mut chunk)?;
            now = Instant::now();
            if size == 0 {
                return Err("ha2bgp closed its standard output".into());
            }
            self.buffer.extend_from_slice(chunk.get(..size).unwrap_or_default());
        }
    }
}

impl Drop for Ha2bgp {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn measure_ha2bgp(address: SocketAddr, runs: usize, random: &mut Random) -> Outcome<Vec<Duration>> {
    let mut ha2bgp = Ha2bgp::start(address.port())?;
    let mut samples = Vec::with_capacity(runs);
    for _ in 0..runs {
        let listener = open(address)?;
        ha2bgp.expect("announce")?;
        // At no fixed phase to anything that polls.
        wait::pause(Duration::from_micros(random.below(20_000)));
        let closed = Instant::now();
        drop(listener);
        samples.push(ha2bgp.expect("withdraw")?.saturating_duration_since(closed));
    }
    Ok(samples)
}

/// What the original does: once a second it forks `ss` and looks at what it prints.
fn measure_ss_loop(
    address: SocketAddr,
    runs: usize,
    random: &mut Random,
) -> Outcome<Vec<Duration>> {
    let mut samples = Vec::with_capacity(runs);
    for _ in 0..runs {
        let listener = open(address)?;
        if !ss_sees(address)? {
            return Err("ss does not see the listener".into());
        }
        // The loop's last look was just now; the close comes at any moment of its second.
        let phase = Duration::from_micros(random.below(1_000_000));
        wait::pause(phase);
        let closed = Instant::now();
        drop(listener);
        wait::pause(Duration::from_secs(1).saturating_sub(phase));
        let mut looks = 0;
        while ss_sees(address)? {
            looks += 1;
            if looks == 10 {
                return Err("ss still sees a closed listener".into());
            }
            wait::pause(Duration::from_secs(1));
        }
        samples.push(closed.elapsed());
    }
    Ok(samples)
}

fn ss_sees(address: SocketAddr) -> Outcome<bool> {
    let filter = format!("( sport = :{} )", address.port());
    let output = Command::new("ss").args(["-Hltn", &filter]).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("ss: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).contains(&address.to_string()))
}

fn open(address: SocketAddr) -> Outcome<Socket> {
    Ok(service::open(address, Type::STREAM, service::Options::default())?)
}
