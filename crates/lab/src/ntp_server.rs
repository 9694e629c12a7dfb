//! chronyd as a time server that touches no clock (`-x`) and asks nobody.

use crate::daemon::Daemon;
use crate::netns::Netns;
use crate::{LabError, Result, tools, wait};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running chronyd.
#[derive(Debug)]
pub struct NtpServer {
    daemon: Daemon,
}

impl NtpServer {
    /// Starts one on `host` with files in a new directory `dir/NAME`, waits until it answers.
    /// With a stratum (1 to 15) it claims to know the time; without, it says that it does not.
    pub fn start(
        host: &Netns,
        name: &str,
        dir: &Path,
        address: SocketAddr,
        stratum: Option<u8>,
    ) -> Result<Self> {
        let dir = dir.join(name);
        let io = || LabError::io(dir.display().to_string());
        std::fs::create_dir(&dir).map_err(io())?;
        let mut config = format!(
            "bindaddress {}\nport {}\nallow all\ncmdport 0\npidfile {}\n",
            address.ip(),
            address.port(),
            dir.join("pid").display()
        );
        // No socket of `chronyc` in the system's place.
        config.push_str("bindcmdaddress /\n");
        if let Some(stratum) = stratum {
            config.push_str(&format!("local stratum {stratum}\n"));
        }
        let conf = dir.join("chrony.conf");
        std::fs::write(&conf, config).map_err(io())?;
        let mut command = Command::new(tools::find("chronyd").unwrap_or("chronyd".into()));
        command.args(["-d", "-x", "-u", "root", "-f"]).arg(&conf);
        let daemon = Daemon::start(host, "chronyd", &mut command, &dir)?;
        let mut server = Self { daemon };
        wait::until(Duration::from_secs(20), "chronyd answers", || {
            server.daemon.runs().map_err(|error| error.to_string())?;
            let asked = host.within(|| ask(address)).map_err(|error| error.to_string())?;
            asked.map(drop).map_err(|error| format!("{error}\n{}", server.daemon.tail()))
        })?;
        Ok(server)
    }

    /// Its process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

/// Asks from the namespace of the calling thread: the stratum of the answer (RFC 5905 section
/// 7.3), 0 where the server does not know the time.
pub fn ask(server: SocketAddr) -> std::io::Result<u8> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(server)?;
    // Version 4, mode 3 (client).
    let mut packet = [0_u8; 48];
    if let Some(first) = packet.first_mut() {
        *first = 0x23;
    }
    socket.send(&packet)?;
    let size = socket.recv(&mut packet)?;
    match packet {
        // Mode 4 (server).
        [first, stratum, ..] if size == 48 && first & 7 == 4 => Ok(stratum),
        _ => Err(std::io::Error::other("no answer of a server")),
    }
}
