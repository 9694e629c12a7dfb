//! BIRD 2.

use super::{BfdOf, Config, Router, ipv6};
use crate::Result;
use crate::child::{self, Child};
use crate::netns::Netns;
use std::process::Command;

pub(super) fn text(config: &Config) -> String {
    let Config { address, asn, neighbor, neighbor_as, .. } = config;
    let device = config.device.as_ref();
    let device = device.map(|name| format!("interface \"{name}\";")).unwrap_or_default();
    let password =
        config.password.as_ref().map(|key| format!("password \"{key}\";")).unwrap_or_default();
    let security = if config.ttl_security { "ttl security on;" } else { "" };
    // What RFC 8950 needs; meant for sessions over IPv6.
    let extended = if ipv6(neighbor) { "extended next hop;" } else { "" };
    let hops = config.options.hops.map(|hops| format!("multihop {hops};")).unwrap_or_default();
    let bfd = match config.options.bfd.map(|bfd| bfd.of) {
        Some(BfdOf::Bgp) => "bfd yes;",
        Some(BfdOf::Graceful) => "bfd graceful;",
        Some(BfdOf::Nothing) | None => "",
    };
    let paths = if config.options.add_path { "add paths on;" } else { "" };
    let reflects = config.options.second.is_some() && !config.ebgp();
    let (client, export) = if reflects { ("rr client;", "all") } else { ("", "none") };
    // Connected networks, so that next hops can be resolved. After an error, also one that it was
    // told of, BIRD refuses connections for 60 s by default: too long for a test.
    let session = |name: &str, neighbor: &str| {
        format!(
            "protocol bgp {name} {{\n\
             \x20 local {address} as {asn};\n  neighbor {neighbor} as {neighbor_as};\n\
             \x20 {device} {password} {security} {client} {hops} {bfd} error wait time 2, 4;\n\
             \x20 ipv4 {{ import all; export {export}; {extended} {paths} }};\n\
             \x20 ipv6 {{ import all; export {export}; {paths} }};\n}}\n"
        )
    };
    let mut text = "router id 10.255.0.1;\nlog stderr all;\nprotocol device {}\n\
                    protocol direct { ipv4; ipv6; interface \"-lo\", \"*\"; }\n"
        .to_owned();
    if config.options.forwards {
        text.push_str(
            "protocol kernel {\n  merge paths on;\n\
             \x20 ipv4 { import none; export where source = RTS_BGP; };\n}\n",
        );
    }
    if let Some(bfd) = &config.options.bfd {
        text.push_str(&bfd.bird(neighbor));
    }
    text.push_str(&session("speaker", neighbor));
    if let Some(second) = &config.options.second {
        text.push_str(&session("second", second));
    }
    text
}

pub(super) fn start(router: &Router, host: &Netns) -> Result<Vec<Child>> {
    let conf = router.write("bird.conf", &text(&router.config))?;
    let mut command = router.command("bird");
    command.arg("-f").arg("-c").arg(conf).arg("-s").arg(router.file("bird.ctl"));
    Ok(vec![host.start("bird", &mut command, &router.dir)?])
}

pub(super) fn ask(router: &Router, question: &[&str]) -> Result<String> {
    let mut command = Command::new("birdc");
    child::run(command.arg("-s").arg(router.file("bird.ctl")).args(question))
}

pub(super) fn neighbor(router: &Router) -> Result<String> {
    ask(router, &["show", "protocols", "all", "speaker"])
}

/// Of both families; "Routes: 2 imported, 0 exported".
pub(super) fn count(router: &Router) -> Result<usize> {
    let text = neighbor(router)?;
    let imported = text.lines().filter_map(|line| line.trim().strip_prefix("Routes:"));
    Ok(imported.filter_map(|rest| rest.split_whitespace().next()?.parse::<usize>().ok()).sum())
}

pub(super) fn refresh(router: &Router) -> Result<()> {
    ask(router, &["reload", "in", "speaker"]).map(drop)
}

pub(super) fn route(router: &Router, prefix: &str) -> Result<String> {
    let reply = ask(router, &["show", "route", prefix, "protocol", "speaker", "all"]);
    // "Network not found" when there is no route to it at all.
    let reply = reply.or_else(|error| match error.to_string().contains("not found") {
        true => Ok(String::new()),
        false => Err(error),
    })?;
    Ok(if reply.contains(prefix) { reply } else { String::new() })
}
