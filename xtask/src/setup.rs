//! `cargo xtask lab-setup`: installs what the lab needs, and leaves nothing running.
//!
//! Idempotent: with all in place it only looks, in well under a second.

mod apt;
mod exabgp;
mod venv;

use crate::{paths, sh};

/// Debian packages, each with something that shows it is there.
const PACKAGES: [(&str, Probe); 22] = [
    ("iproute2", Probe::Program("ss")),
    ("bird2", Probe::Program("birdc")),
    ("exabgp", Probe::Program("exabgp")),
    ("frr", Probe::File("/usr/lib/frr/bgpd")),
    ("gobgpd", Probe::Program("gobgpd")),
    ("openbgpd", Probe::Program("bgpctl")),
    ("strace", Probe::Program("strace")),
    ("procps", Probe::Program("ps")),
    // Counts instructions: cargo xtask counts.
    ("valgrind", Probe::Program("valgrind")),
    ("util-linux", Probe::Program("nsenter")),
    ("python3", Probe::File("/usr/bin/python3")),
    ("python3-venv", Probe::Ensurepip),
    ("haproxy", Probe::Program("haproxy")),
    ("nginx", Probe::Program("nginx")),
    // Smaller than knot, with fewer libraries.
    ("nsd", Probe::Program("nsd")),
    ("chrony", Probe::Program("chronyd")),
    ("openssl", Probe::Program("openssl")),
    // check_http, check_tcp, check_ping, check_icmp, check_ntp_time.
    ("monitoring-plugins-basic", Probe::File("/usr/lib/nagios/plugins/check_http")),
    // check_dns, which runs nslookup, and check_dig.
    ("monitoring-plugins-standard", Probe::File("/usr/lib/nagios/plugins/check_dns")),
    ("bind9-dnsutils", Probe::Program("nslookup")),
    // A private bus, for checks of systemd units. The package alone starts no service.
    ("dbus-daemon", Probe::Program("dbus-daemon")),
    // Reads metrics, and checks and tests alert rules.
    ("prometheus", Probe::Program("promtool")),
];

#[derive(Clone, Copy)]
enum Probe {
    Program(&'static str),
    File(&'static str),
    Ensurepip,
}

impl Probe {
    fn found(self) -> bool {
        match self {
            Self::Program(name) => sh::have(name),
            Self::File(path) => std::path::Path::new(path).is_file(),
            Self::Ensurepip => {
                sh::output(&mut sh::command("/usr/bin/python3", &["-c", "import ensurepip"]))
                    .is_ok()
            }
        }
    }
}

/// Installs what is missing.
pub(crate) fn run() -> Result<(), String> {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(_, probe)| !probe.found()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        println!("Debian packages: all there");
    } else {
        println!("Debian packages to install: {}", missing.join(" "));
        if !sh::is_root() {
            return Err("installing packages needs root: sudo cargo xtask lab-setup".to_owned());
        }
        apt::install(&missing)?;
        if let Some((name, _)) = PACKAGES.iter().find(|(_, probe)| !probe.found()) {
            return Err(format!("{name} was installed, but what it should bring is not there"));
        }
    }
    exabgp::install_all(&paths::lab())?;
    venv::install_all(&paths::lab());
    Ok(())
}
