//! NSD as an authoritative name server with one zone, over UDP and TCP.

use crate::daemon::Daemon;
use crate::netns::Netns;
use crate::{LabError, Result, tools, wait};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The zone that most tests need.
pub const ORIGIN: &str = "example.test";

/// Its records: `www` has addresses of both families, `alias` is a CNAME of it, `text` a TXT
/// record, `sub` a delegation (an answer without AA), `many` 100 addresses (more than fit into a
/// UDP answer without EDNS: TC).
#[must_use]
pub fn zone() -> String {
    let mut text = format!(
        "$ORIGIN {ORIGIN}.\n$TTL 60\n\
         @ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
         www A 192.0.2.80\nwww AAAA 2001:db8::80\nalias CNAME www\ntext TXT \"all is well\"\n\
         sub NS ns.elsewhere.test.\n"
    );
    for last in 0..100 {
        text.push_str(&format!("many A 198.51.100.{last}\n"));
    }
    text
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, with the length before each message (RFC 1035 section 4.2.2).
    Tcp,
}

/// A running NSD.
#[derive(Debug)]
pub struct DnsServer {
    daemon: Daemon,
    zone_file: PathBuf,
    address: SocketAddr,
    origin: String,
}

impl DnsServer {
    /// Starts one on `host` with files in a new directory `dir/NAME`, waits until it answers.
    pub fn start(
        host: &Netns,
        name: &str,
        dir: &Path,
        address: SocketAddr,
        origin: &str,
        zone: &str,
    ) -> Result<Self> {
        let dir = dir.join(name);
        let io = || LabError::io(dir.display().to_string());
        std::fs::create_dir(&dir).map_err(io())?;
        let zone_file = dir.join("zone");
        std::fs::write(&zone_file, zone).map_err(io())?;
        let conf = dir.join("nsd.conf");
        let shown = dir.display();
        let config = format!(
            "server:\n  ip-address: {}@{}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n\
             \x20 zonesdir: \"{shown}\"\n  database: \"\"\n  pidfile: \"{shown}/pid\"\n\
             \x20 xfrdfile: \"{shown}/xfrd\"\n  xfrdir: \"{shown}\"\n\
             \x20 zonelistfile: \"{shown}/list\"\n  rrl-ratelimit: 0\n\
             remote-control:\n  control-enable: no\n\
             zone:\n  name: \"{origin}\"\n  zonefile: \"{}\"\n",
            address.ip(),
            address.port(),
            zone_file.display()
        );
        std::fs::write(&conf, config).map_err(io())?;
        let mut command = Command::new(tools::find("nsd").unwrap_or("nsd".into()));
        command.arg("-d").arg("-c").arg(&conf);
        let daemon = Daemon::start(host, "nsd", &mut command, &dir)?;
        let mut server = Self { daemon, zone_file, address, origin: origin.to_owned() };
        wait::until(Duration::from_secs(20), "NSD answers", || {
            server.daemon.runs().map_err(|error| error.to_string())?;
            let asked = server.ask(host, &server.origin, SOA, Transport::Udp);
            match asked {
                Ok(answer) if rcode(&answer) == Some(0) => Ok(()),
                Ok(answer) => Err(format!("{answer:?}\n{}", server.daemon.tail())),
                Err(error) => Err(format!("{error}\n{}", server.daemon.tail())),
            }
        })?;
        Ok(server)
    }

    /// Replaces the zone; true soon after. The serial number must grow.
    pub fn set_zone(&mut self, zone: &str) -> Result<()> {
        std::fs::write(&self.zone_file, zone).map_err(LabError::io("zone"))?;
        self.daemon.child().signal(Signal::HUP)
    }

    /// Asks it from its own namespace; all of the answer's octets.
    pub fn ask(&self, host: &Netns, name: &str, kind: u16, over: Transport) -> Result<Vec<u8>> {
        host.within(|| ask(self.address, name, kind, over))?
            .map_err(LabError::io(format!("ask {} for {name}", self.address)))
    }

    /// Its processes: to stop, freeze or kill them.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

/// The type A.
pub const A: u16 = 1;
/// The type SOA.
pub const SOA: u16 = 6;
/// The type TXT.
pub const TXT: u16 = 16;
/// The type AAAA.
pub const AAAA: u16 = 28;

/// A query for one name in class IN (RFC 1035 section 4.1), RD not set.
#[must_use]
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = label.as_bytes().get(..63).unwrap_or(label.as_bytes());
        query.push(u8::try_from(label.len()).unwrap_or(63));
        query.extend(label);
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend([0, 1]);
    query
}

/// Asks from the namespace of the calling thread.
pub fn ask(server: SocketAddr, name: &str, kind: u16, over: Transport) -> std::io::Result<Vec<u8>> {
    let limit = Some(Duration::from_secs(2));
    let query = query(0x4c42, name, kind);
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let mut answer = vec![0; 65_535];
    let size = match over {
        Transport::Udp => {
            let socket = UdpSocket::bind((any, 0))?;
            socket.set_read_timeout(limit)?;
            socket.connect(server)?;
            socket.send(&query)?;
            socket.recv(&mut answer)?
        }
        Transport::Tcp => {
            let mut stream = TcpStream::connect(server)?;
            stream.set_read_timeout(limit)?;
            stream.write_all(&u16::try_from(query.len()).unwrap_or(0).to_be_bytes())?;
            stream.write_all(&query)?;
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let size = usize::from(u16::from_be_bytes(length));
            stream.read_exact(answer.get_mut(..size).unwrap_or_default())?;
            size
        }
    };
    answer.truncate(size);
    Ok(answer)
}

/// The response code of an answer (RFC 1035 section 4.1.1): 0 is no error, 3 no such name.
#[must_use]
pub fn rcode(answer: &[u8]) -> Option<u8> {
    answer.get(3).map(|flags| flags & 0x0f)
}

/// How many records the answer section has.
#[must_use]
pub fn answers(answer: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]))
}

/// Whether it is authoritative (AA), and whether it is truncated (TC).
#[must_use]
pub fn flags(answer: &[u8]) -> Option<(bool, bool)> {
    answer.get(2).map(|flags| (flags & 0x04 != 0, flags & 0x02 != 0))
}
