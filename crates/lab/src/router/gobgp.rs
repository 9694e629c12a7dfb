//! GoBGP: only the families that are named are negotiated.

use super::{Config, Router, ipv6};
use crate::Result;
use crate::child::{self, Child};
use crate::netns::Netns;
use std::process::Command;

/// Its API, in a namespace of its own.
const API: &str = "127.0.0.1:50051";

/// Addresses as it writes them. It listens on no link-local address.
struct Peers {
    address: String,
    listen: String,
    neighbor: String,
}

impl Peers {
    fn of(config: &Config) -> Self {
        let zone = config.zone();
        let [address, neighbor] =
            [&config.address, &config.neighbor].map(|address| format!("{address}{zone}"));
        let listen = if zone.is_empty() { address.clone() } else { "::".to_owned() };
        Self { address, listen, neighbor }
    }
}

fn text(config: &Config) -> String {
    let Config { asn, neighbor_as, .. } = config;
    let Peers { address, listen, neighbor } = Peers::of(config);
    let password = config
        .password
        .as_ref()
        .map(|key| format!("    auth-password = \"{key}\"\n"))
        .unwrap_or_default();
    let mut text = format!(
        "[global.config]\n  as = {asn}\n  router-id = \"10.255.0.1\"\n  port = 179\n  \
         local-address-list = [\"{listen}\"]\n"
    );
    for neighbor in [&neighbor].into_iter().chain(&config.options.second) {
        text.push_str(&format!(
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{neighbor}\"\n    \
             peer-as = {neighbor_as}\n{password}\
             \x20 [neighbors.transport.config]\n    local-address = \"{address}\"\n"
        ));
        features(config, neighbor, &mut text);
    }
    text
}

/// What is said of a neighbor beyond its address.
fn features(config: &Config, neighbor: &str, text: &mut String) {
    if config.ttl_security {
        text.push_str("  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255\n");
    }
    if config.options.helps {
        text.push_str(
            "  [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 20\n",
        );
    }
    for family in ["ipv4-unicast", "ipv6-unicast"] {
        text.push_str(&format!(
            "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      \
             afi-safi-name = \"{family}\"\n"
        ));
        // It waits for End-of-RIB of all these, also of those that the session does not have.
        if config.options.helps && family.starts_with("ipv6") == ipv6(neighbor) {
            text.push_str(
                "    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n",
            );
        }
        if config.options.add_path {
            text.push_str("    [neighbors.afi-safis.add-paths.config]\n      receive = true\n");
        }
    }
}

pub(super) fn start(router: &Router, host: &Netns) -> Result<Vec<Child>> {
    let conf = router.write("gobgpd.toml", &text(&router.config))?;
    let mut command = Command::new("gobgpd");
    command.arg("-f").arg(conf).args(["--api-hosts", API, "--log-plain"]);
    Ok(vec![host.start("gobgpd", &mut command, &router.dir)?])
}

fn ask(router: &Router, question: &[&str]) -> Result<String> {
    let mut command = Command::new("ip");
    child::run(command.args(["netns", "exec", &router.host, "gobgp"]).args(question))
}

pub(super) fn neighbor(router: &Router) -> Result<String> {
    ask(router, &["neighbor", &Peers::of(&router.config).neighbor])
}

/// Of both families; "Destination: 2, Path: 2".
pub(super) fn count(router: &Router) -> Result<usize> {
    let mut count = 0;
    for family in ["ipv4", "ipv6"] {
        let text = ask(router, &["global", "rib", "summary", "-a", family])?;
        let number = text.split("Destination:").nth(1).and_then(|rest| rest.split(',').next());
        count += number.and_then(|digits| digits.trim().parse::<usize>().ok()).unwrap_or(0);
    }
    Ok(count)
}

pub(super) fn refresh(router: &Router) -> Result<()> {
    ask(router, &["neighbor", &Peers::of(&router.config).neighbor, "softresetin"]).map(drop)
}

pub(super) fn route(router: &Router, prefix: &str) -> Result<String> {
    let family = if ipv6(prefix) { "ipv6" } else { "ipv4" };
    let reply = ask(router, &["global", "rib", prefix, "-a", family]);
    let reply = reply.or_else(|error| match error.to_string().contains("not in table") {
        true => Ok(String::new()),
        false => Err(error),
    })?;
    if !reply.contains(prefix) {
        return Ok(String::new());
    }
    // Only the table of the neighbor shows identifiers.
    let paths = match router.config.options.add_path {
        true => {
            ask(router, &["neighbor", &Peers::of(&router.config).neighbor, "adj-in", "-a", family])?
        }
        false => String::new(),
    };
    Ok(reply + &paths)
}
