//! OpenBGPD, the portable version. Its processes change root to their user's home directory,
//! which the package leaves to systemd to make: an empty directory that instances share.

use super::{Config, Router};
use crate::child::{self, Child};
use crate::netns::Netns;
use crate::{LabError, Result};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const HOME: &str = "/run/openbgpd";

fn text(config: &Config, socket: &str) -> String {
    let Config { asn, neighbor_as, .. } = config;
    let zone = config.zone();
    let [address, neighbor] =
        [&config.address, &config.neighbor].map(|address| format!("{address}{zone}"));
    let password = config
        .password
        .as_ref()
        .map(|key| format!("  tcp md5sig password \"{key}\"\n"))
        .unwrap_or_default();
    let security = if config.ttl_security { "  ttl-security yes\n" } else { "" };
    let paths = if config.options.add_path { "  announce add-path recv yes\n" } else { "" };
    // By default it takes nothing from eBGP peers.
    let allow = if config.ebgp() { "allow from ebgp\n" } else { "allow from ibgp\n" };
    let mut text = format!(
        "AS {asn}\nrouter-id 10.255.0.1\nlisten on {address}\nsocket \"{socket}\"\nfib-update no\n"
    );
    for neighbor in [&neighbor].into_iter().chain(&config.options.second) {
        text.push_str(&format!(
            "neighbor {neighbor} {{\n  remote-as {neighbor_as}\n  local-address {address}\n\
             \x20 announce IPv4 unicast\n  announce IPv6 unicast\n{paths}{password}{security}}}\n"
        ));
    }
    text.push_str(allow);
    text
}

fn socket(router: &Router) -> String {
    router.file("bgpd.sock").to_string_lossy().into_owned()
}

pub(super) fn start(router: &Router, host: &Netns) -> Result<Vec<Child>> {
    std::fs::create_dir_all(HOME).map_err(LabError::io(HOME))?;
    let conf = router.write("bgpd.conf", &text(&router.config, &socket(router)))?;
    let only_ours = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&conf, only_ours).map_err(LabError::io(conf.display().to_string()))?;
    let mut command = Command::new("/usr/sbin/bgpd");
    command.args(["-d", "-v", "-f"]).arg(conf);
    Ok(vec![host.start("openbgpd", &mut command, &router.dir)?])
}

fn ask(router: &Router, question: &[&str]) -> Result<String> {
    // Interfaces have names and numbers of their own in there.
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &router.host, "bgpctl", "-s", &socket(router)]);
    child::run(command.args(question))
}

fn neighbor_of(router: &Router) -> String {
    router.config.neighbor.clone() + &router.config.zone()
}

pub(super) fn neighbor(router: &Router) -> Result<String> {
    ask(router, &["show", "neighbor", &neighbor_of(router)])
}

/// Of both families: the last column of the summary; a word while there is no session.
pub(super) fn count(router: &Router) -> Result<usize> {
    let text = ask(router, &["show", "summary"])?;
    let neighbor = neighbor_of(router);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(&neighbor));
    let last = line.and_then(|line| line.split_whitespace().last());
    Ok(last.and_then(|number| number.parse().ok()).unwrap_or(0))
}

pub(super) fn refresh(router: &Router) -> Result<()> {
    ask(router, &["neighbor", &neighbor_of(router), "refresh"]).map(drop)
}

pub(super) fn route(router: &Router, prefix: &str) -> Result<String> {
    let reply = ask(router, &["show", "rib", "detail", prefix])?;
    Ok(if reply.contains(prefix) { reply } else { String::new() })
}
