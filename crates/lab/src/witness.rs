//! A witness with a clock: when BFD packets arrive at either side, and when the router's kernel loses a
//! route. It goes before everything that has no real-time priority, where that is allowed.

use crate::bfd_scene::{Scene, VIP};
use crate::child::Child;
use crate::{LabError, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::{ChildStdout, Command};
use std::time::{Duration, Instant};

/// Frames of IPv4 (`ETH_P_IP`).
const IPV4: u16 = 0x0800;
/// The port of single hop BFD.
const BFD: [u8; 2] = [0x0e, 0xc8];
/// Our address and the router's, where a scene is of IPv4 and single hop.
const US: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 1);
const THEM: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 2);
/// Packets of which is known when they came: what the others were is over.
const KEPT: usize = 64;

/// When packets came, the newest last.
#[derive(Debug, Default)]
struct Times(VecDeque<Instant>);

impl Times {
    fn push(&mut self, at: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(at);
    }
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The router's kernel lost the route.
    pub gone: Instant,
    /// The last BFD packet of ours that reached the router before that.
    pub heard_by_router: Instant,
    /// The last one of the router that reached us before that.
    pub heard_by_us: Instant,
}

/// Sockets at both sides, and `ip monitor` at the router.
#[derive(Debug)]
pub struct Witness {
    ours: Socket,
    theirs: Socket,
    routes: ChildStdout,
    _monitor: Child,
    at_us: Times,
    at_router: Times,
    text: Vec<u8>,
}

impl Witness {
    /// Looks from now on. The scene's router must put its routes into its kernel.
    pub fn new(scene: &Scene) -> Result<Self> {
        let mut command = Command::new("chrt");
        command.args(["-f", "30", "ip", "-4", "monitor", "route"]);
        let mut monitor = scene.them.start_piped("monitor", &mut command, scene.dir.path())?;
        let routes = monitor.take_stdout().ok_or(LabError::Missing("a pipe".to_owned()))?;
        rustix::io::ioctl_fionbio(&routes, true).map_err(LabError::errno("a pipe"))?;
        Ok(Self {
            ours: scene.us.within(tap)??,
            theirs: scene.them.within(tap)??,
            routes,
            _monitor: monitor,
            at_us: Times::default(),
            at_router: Times::default(),
            text: Vec::new(),
        })
    }

    /// Looks until the route is gone. Called on a thread of its own, because of its priority.
    pub fn watch(&mut self, limit: Duration) -> Result<Seen> {
        let end = Instant::now() + limit;
        loop {
            self.wait(end)?;
            let gone = self.routes()?;
            // What came before the route went is noted before that is told.
            self.packets();
            if let Some(gone) = gone {
                let none = || LabError::Missing("a BFD packet before the route went".to_owned());
                let before = |times: &Times| times.0.iter().rev().find(|at| **at <= gone).copied();
                return Ok(Seen {
                    gone,
                    heard_by_router: before(&self.at_router).ok_or_else(none)?,
                    heard_by_us: before(&self.at_us).ok_or_else(none)?,
                });
            }
        }
    }

    /// Forgets what has come so far, after looking for a while that it does come.
    pub fn settle(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.wait(end)?;
            self.packets();
            self.routes()?;
        }
        self.text.clear();
        Ok(())
    }

    fn wait(&self, end: Instant) -> Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let left = Timespec::try_from(left).map_err(|_| LabError::Missing("time".to_owned()))?;
        let fds = [self.ours.as_fd(), self.theirs.as_fd(), self.routes.as_fd()];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        poll(&mut fds, Some(&left)).map_err(LabError::errno("poll")).map(drop)
    }

    fn packets(&mut self) {
        for (socket, times, from) in
            [(&self.ours, &mut self.at_us, THEM), (&self.theirs, &mut self.at_router, US)]
        {
            let mut buffer = [0; 128];
            while let Ok(length) = (&mut &*socket).read(&mut buffer) {
                if is_bfd(buffer.get(..length).unwrap_or_default(), from) {
                    times.push(Instant::now());
                }
            }
        }
    }

    /// When the route went, if it did.
    fn routes(&mut self) -> Result<Option<Instant>> {
        let mut buffer = [0; 4096];
        let mut gone = None;
        loop {
            match self.routes.read(&mut buffer) {
                Ok(0) => return Err(LabError::Missing("ip monitor".to_owned())),
                Ok(length) => self.text.extend(buffer.iter().take(length)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(LabError::io("ip monitor")(error)),
            }
        }
        while let Some(end) = self.text.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if line.starts_with(&format!("Deleted {VIP} ")) {
                gone.get_or_insert_with(Instant::now);
            }
        }
        Ok(gone)
    }
}

/// A socket that sees every IPv4 packet of the calling thread's namespace.
fn tap() -> Result<Socket> {
    let protocol = Protocol::from(i32::from(IPV4.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol));
    let socket = socket.map_err(LabError::io("a packet socket"))?;
    socket.set_nonblocking(true).map_err(LabError::io("a packet socket"))?;
    Ok(socket)
}

/// True for an IPv4 packet without options that carries single hop BFD from this address.
fn is_bfd(packet: &[u8], from: Ipv4Addr) -> bool {
    packet.first() == Some(&0x45)
        && packet.get(9) == Some(&17)
        && packet.get(12..16) == Some(&from.octets())
        && packet.get(22..24) == Some(&BFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bfd_packet_is_known_by_its_port_and_its_sender() {
        let mut packet = [0; 52];
        packet[0] = 0x45;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&US.octets());
        packet[22..24].copy_from_slice(&BFD);
        assert!(is_bfd(&packet, US));
        assert!(!is_bfd(&packet, THEM));
        assert!(!is_bfd(&packet[..20], US));
        packet[9] = 6;
        assert!(!is_bfd(&packet, US));
    }
}
