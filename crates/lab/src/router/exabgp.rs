//! ExaBGP as a receiver: a helper that keeps what ExaBGP tells it, line by line.

use super::{Config, Router};
use crate::child::Child;
use crate::exabgp;
use crate::netns::Netns;
use crate::{LabError, Result};
use std::os::unix::fs::PermissionsExt;

/// Where the lines are kept.
const LINES: &str = "lines";

fn text(config: &Config, helper: &str) -> String {
    let Config { address, asn, neighbor, neighbor_as, .. } = config;
    let password = config.password.as_ref().map(|key| format!("md5-password \"{key}\";"));
    let password = password.unwrap_or_default();
    // The TTL of what it accepts is set only where the neighbor has a listener of its own.
    let security =
        if config.ttl_security { "listen 179; incoming-ttl 255; outgoing-ttl 255;" } else { "" };
    let paths = if config.options.add_path { "capability { add-path receive; }" } else { "" };
    format!(
        "process keep {{\n  run {helper};\n  encoder text;\n}}\n\
         neighbor {neighbor} {{\n  router-id 10.255.0.1;\n  local-address {address};\n  \
         local-as {asn};\n  peer-as {neighbor_as};\n  passive false;\n\
         \x20 {password} {security} {paths}\n\
         \x20 family {{ ipv4 unicast; ipv6 unicast; }}\n\
         \x20 api {{ processes [ keep ]; neighbor-changes; receive {{ parsed; update; }} }}\n}}\n"
    )
}

pub(super) fn start(router: &Router, host: &Netns) -> Result<Vec<Child>> {
    let lines = router.write(LINES, "")?;
    // ExaBGP makes the pipe non-blocking: cat(1) would end at once.
    let script = format!(
        "#!/usr/bin/python3\nimport os, select\nkept = open({:?}, \"ab\", 0)\n\
         while select.select([0], [], []):\n    said = os.read(0, 65536)\n    if not said:\n\
         \x20       break\n    kept.write(said)\n",
        lines.to_string_lossy()
    );
    let helper = router.write("keep.py", &script)?;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755))
        .map_err(LabError::io(helper.display().to_string()))?;
    let conf = router.write("exabgp.conf", &text(&router.config, &helper.to_string_lossy()))?;
    let mut command = exabgp::command("exabgp", &conf, &router.dir, None);
    command.env("exabgp.tcp.bind", &router.config.address);
    Ok(vec![host.start("exabgp", &mut command, &router.dir)?])
}

/// All lines so far.
pub(super) fn neighbor(router: &Router) -> Result<String> {
    let path = router.file(LINES);
    std::fs::read_to_string(&path).map_err(LabError::io(path.display().to_string()))
}

/// Whether the last change that was told is that the session came up.
pub(super) fn is_established(lines: &str) -> bool {
    let last = lines.lines().rfind(|line| line.contains(" up") || line.contains(" down"));
    last.is_some_and(|line| !line.contains(" down"))
}

/// What was announced and not withdrawn since, each prefix once.
pub(super) fn count(router: &Router) -> Result<usize> {
    let lines = neighbor(router)?;
    let of = |word: &str| lines.lines().filter(|line| line.contains(word)).count();
    Ok(of(" announced ").saturating_sub(of(" withdrawn ")))
}

/// The last line about a prefix, if it is an announcement and the session still stands.
pub(super) fn route(router: &Router, prefix: &str) -> Result<String> {
    let lines = neighbor(router)?;
    let word = |line: &&str| line.split_whitespace().any(|word| word == prefix);
    let last = lines.lines().rfind(|line| word(line) || line.contains(" down"));
    Ok(last.filter(|line| line.contains("announced")).unwrap_or_default().to_owned())
}
