//! `apt-get install` that starts no service and leaves none enabled.

use crate::sh;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Debian asks this file whether a maintainer script may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The file that was there before, while ours is in its place.
const SAVED: &str = "/usr/sbin/policy-rc.d.before-ha2bgp-lab";
/// "Action forbidden by policy."
const REFUSE: &str =
    "#!/bin/sh\n# Placed by `cargo xtask lab-setup` for the time of an install.\nexit 101\n";
/// Services that the packages bring.
const SERVICES: [(&str, &str); 10] = [
    ("bird2", "bird"),
    ("exabgp", "exabgp"),
    ("frr", "frr"),
    ("gobgpd", "gobgpd"),
    ("openbgpd", "openbgpd"),
    ("haproxy", "haproxy"),
    ("nginx", "nginx"),
    ("nsd", "nsd"),
    ("chrony", "chrony"),
    ("prometheus", "prometheus"),
];

/// Installs the packages; services that they bring are neither started nor left enabled.
pub(super) fn install(packages: &[&str]) -> Result<(), String> {
    let guard = PolicyGuard::place()?;
    sh::output(&mut apt(&["update"]))?;
    let mut args = vec!["install", "--no-install-recommends"];
    args.extend(packages);
    sh::output(&mut apt(&args))?;
    for (_, service) in SERVICES.iter().filter(|(package, _)| packages.contains(package)) {
        quiet(service);
    }
    drop(guard);
    println!("installed: {}", packages.join(" "));
    Ok(())
}

fn apt(args: &[&str]) -> std::process::Command {
    let mut command = sh::command("apt-get", &["-y", "-q", "-o", "DPkg::Lock::Timeout=300"]);
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Stops and disables a service that the install just brought; best effort, on every init system.
fn quiet(service: &str) {
    let attempts: [(&str, &[&str]); 3] = [
        ("systemctl", &["disable", service]),
        ("update-rc.d", &[service, "disable"]),
        ("systemctl", &["stop", service]),
    ];
    for (program, args) in attempts {
        let needs_running_systemd = args.first() == Some(&"stop");
        if needs_running_systemd && !Path::new("/run/systemd/system").is_dir() {
            continue;
        }
        if sh::have(program)
            && let Err(reason) = sh::output(&mut sh::command(program, args))
        {
            println!("note: {reason}");
        }
    }
}

/// Puts back on drop what was there before.
struct PolicyGuard {
    had_one: bool,
}

impl PolicyGuard {
    fn place() -> Result<Self, String> {
        let io = |what: &str, error: std::io::Error| format!("{what}: {error}");
        if Path::new(SAVED).exists() {
            // An earlier run was killed between the two renames.
            fs::rename(SAVED, POLICY).map_err(|error| io(SAVED, error))?;
        }
        let had_one = Path::new(POLICY).exists();
        if had_one {
            fs::rename(POLICY, SAVED).map_err(|error| io(POLICY, error))?;
        }
        let guard = Self { had_one };
        fs::write(POLICY, REFUSE).map_err(|error| io(POLICY, error))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))
            .map_err(|error| io(POLICY, error))?;
        Ok(guard)
    }
}

impl Drop for PolicyGuard {
    fn drop(&mut self) {
        let restored =
            if self.had_one { fs::rename(SAVED, POLICY) } else { fs::remove_file(POLICY) };
        if let Err(error) = restored {
            println!("note: {POLICY} could not be restored: {error}");
        }
    }
}
