//! An import as a configuration file, and as a report.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use ha2bgp_core::net::Prefix;

use super::Program;
use super::model::{Command, Fate, Import, Peer, Said, Service};
use super::value::{list, quoted, time};

/// Sections of keys of [`Common`](super::model::Common), in their order.
const SECTIONS: [&str; 5] =
    ["defaults", "defaults.route", "defaults.route.last-choice", "exabgp", "log"];

/// Numbers and addresses for a person to replace.
const LOCAL_AS: u32 = 65000;
const ROUTER_ID: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
/// BIRD on the same host, and ha2bgp beside it.
const BIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
const BESIDE_BIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 2));

/// The configuration file.
pub(super) fn toml(import: &Import) -> String {
    let mut page = String::new();
    let program = import.program.name();
    comment(&mut page, &format!("Made by `ha2bgp import {program}` from {}.", files(import)));
    comment(&mut page, "What became of each option stands above what it became. Look for HAS NO");
    comment(&mut page, "COUNTERPART before this is used, then try it: `ha2bgp check-config FILE`.");
    comment(
        &mut page,
        "Commands run as nobody where ha2bgp is root: give checks a user, if need be.",
    );
    fates(&mut page, &import.said);
    page.push('\n');
    networks(&mut page, import);
    let common = &import.common;
    let router_id = common.router_id.unwrap_or(ROUTER_ID);
    let _ = writeln!(page, "#local-as = {}", common.local_as.unwrap_or(LOCAL_AS));
    let _ = writeln!(page, "#router-id = \"{router_id}\"");
    for section in SECTIONS {
        keys(&mut page, section, import);
    }
    for service in &import.services {
        page.push('\n');
        self::service(&mut page, service);
    }
    page.push('\n');
    page.push_str(router(import.program));
    let beside = Peer {
        address: BIRD,
        local_address: Some(BESIDE_BIRD),
        remote_as: None,
        hold_time: None,
        has_key: false,
    };
    match common.peers.as_slice() {
        [] => peer(&mut page, &beside, import),
        peers => peers.iter().for_each(|known| peer(&mut page, known, import)),
    }
    page
}

/// A line for each option, and how many there were.
pub(super) fn report(import: &Import) -> String {
    let mut page = String::new();
    let mut counts = [0usize; 3];
    for said in import.all_said() {
        let _ = writeln!(page, "{}", line(said));
        let place = match said.fate {
            Fate::Taken(_) => 0,
            Fate::NotNeeded(_) => 1,
            Fate::Lost(_) => 2,
        };
        counts[place] += 1;
    }
    let services = import.services.len();
    let [taken, not_needed, lost] = counts;
    let _ = writeln!(
        page,
        "{services} service{}; of all options {taken} are taken, {not_needed} are not needed, \
         {lost} have no counterpart",
        if services == 1 { "" } else { "s" }
    );
    page
}

/// A section for the built-in speaker, as a comment.
fn peer(page: &mut String, peer: &Peer, import: &Import) {
    let own_as = import.common.local_as.unwrap_or(LOCAL_AS);
    let _ = writeln!(page, "#[[peer]]\n#address = \"{}\"", peer.address);
    if let Some(local) = peer.local_address {
        let _ = writeln!(page, "#local-address = \"{local}\"");
    }
    let _ = writeln!(page, "#remote-as = {}", peer.remote_as.unwrap_or(own_as));
    if let Some(seconds) = peer.hold_time {
        let _ = writeln!(page, "#hold-time = \"{seconds}s\"");
    }
    if peer.has_key {
        let _ = writeln!(page, "#password-file = \"{}.key\"", peer.address);
    }
    for (path, value) in &import.common.speaker {
        if let Some(name) = path.strip_prefix("peer.") {
            let _ = writeln!(page, "#{name} = {value}");
        }
    }
}

fn files(import: &Import) -> String {
    import.files.join(", ")
}

/// A fate with its place, in one line.
fn line(said: &Said) -> String {
    one_line(&format!("{}: {}", said.place, said.fate))
}

/// Control characters do not belong into a comment, nor on a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn comment(page: &mut String, text: &str) {
    let _ = writeln!(page, "# {}", one_line(text).trim_end());
}

fn fates(page: &mut String, said: &[Said]) {
    for said in said {
        comment(page, &line(said));
    }
}

/// The allow-list: exactly the addresses of the services.
fn networks(page: &mut String, import: &Import) {
    let live = import.services.iter().filter(|service| service.only_shown.is_none());
    let vips = live.flat_map(|service| &service.vips);
    let mut networks: Vec<Prefix> = vips.map(|(vip, _)| Prefix::host(*vip)).collect();
    networks.sort_unstable();
    comment(page, "Nothing else is ever announced; a network around these will do, too.");
    match networks.as_slice() {
        [] => page.push_str("#networks = []\n"),
        networks => {
            page.push_str("networks = [\n");
            for network in networks {
                let _ = writeln!(page, "    \"{network}\",");
            }
            page.push_str("]\n");
        }
    }
}

/// The keys of a section that some service has set; those that ExaBGP is not told as comments.
fn keys(page: &mut String, section: &str, import: &Import) {
    let own = |path: &str| {
        path.rsplit_once('.').filter(|(of, _)| *of == section).map(|it| it.1.to_owned())
    };
    let mut lines = String::new();
    if section == "defaults" {
        lines.push_str(
            "# It announced and withdrew at once. Without these lines: 6s, 3s, and flap damping.\n\
             up-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n",
        );
    }
    for (path, value) in &import.common.keys {
        if let Some(name) = own(path) {
            let _ = writeln!(lines, "{name} = {value}");
        }
    }
    let mark = if lines.is_empty() { "#" } else { "" };
    let mut head = "# ExaBGP is not told these, routers are by the built-in speaker:\n";
    for (path, value) in &import.common.speaker {
        if let Some(name) = own(path) {
            let _ = writeln!(lines, "{}#{name} = {value}", std::mem::take(&mut head));
        }
    }
    if !lines.is_empty() {
        let _ = write!(page, "\n{mark}[{section}]\n{lines}");
    }
}

fn service(page: &mut String, service: &Service) {
    let mut text = String::new();
    fates(&mut text, &service.said);
    let _ = writeln!(text, "[[service]]");
    let _ = writeln!(text, "name = {}", quoted(&service.name));
    let vips: Vec<String> = service.vips.iter().map(|(vip, _)| vip.to_string()).collect();
    match vips.as_slice() {
        [] => comment(&mut text, "vips = its addresses"),
        vips => {
            let _ = writeln!(text, "vips = {}", list(vips.iter().map(String::as_str)));
        }
    }
    let mut names = Vec::new();
    names.extend(service.address.as_ref().map(|_| "address"));
    names.extend(service.command.as_ref().map(|_| "command"));
    names.extend(service.off_file.as_ref().map(|_| "switch"));
    // Something must decide; nothing did.
    if names.is_empty() {
        names.push("address");
    }
    let _ = writeln!(text, "rule = \"all({})\"", names.join(", "));
    if service.depreference {
        let _ = writeln!(text, "on-failure = \"depreference\"");
    }
    if let Some(devices) = service.address.as_ref().filter(|devices| !devices.is_empty()) {
        let devices = list(devices.iter().map(String::as_str));
        let _ = writeln!(text, "[service.checks.address]\ndevices = {devices}");
    }
    if let Some(check) = &service.command {
        command(&mut text, check);
    }
    if let Some(path) = &service.off_file {
        let _ = writeln!(text, "[service.checks.switch]\ntype = \"file\"");
        let _ = writeln!(text, "path = {}\nexists = false", quoted(path));
    }
    match &service.only_shown {
        None => page.push_str(&text),
        Some(why) => {
            comment(page, why);
            for line in text.lines() {
                let mark = if line.starts_with('#') { "" } else { "#" };
                let _ = writeln!(page, "{mark}{line}");
            }
        }
    }
}

fn command(text: &mut String, check: &Command) {
    let _ = writeln!(text, "[service.checks.command]\ntype = \"plugin\"");
    if let Some(instead) = &check.instead {
        comment(text, &format!("Without a program it may be: {instead}"));
    }
    let words = list(check.words.iter().map(String::as_str));
    let _ = writeln!(text, "command = {words}");
    for (key, value) in [("user", &check.user), ("group", &check.group)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
    }
    let times = [
        ("interval", Some(check.interval)),
        ("fast-interval", check.fast_interval),
        ("timeout", check.timeout),
        ("splay", check.splay),
    ];
    for (key, value) in times {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", time(value));
        }
    }
    let _ = writeln!(text, "rise = {}\nfall = {}", check.rise, check.fall);
}

/// How routes get to the routers.
const fn router(program: Program) -> &'static str {
    match program {
        Program::Exabgp => {
            "\
# In ExaBGP's configuration one process takes the place of all those of healthcheck:
#     run /usr/local/bin/ha2bgp run --config /etc/ha2bgp.toml;
# Or ha2bgp speaks BGP itself, and ExaBGP is not needed: with these, one [[peer]] for each neighbor,
# and local-as and router-id above.
"
        }
        Program::Anycast | Program::Birdwatcher => {
            "\
# BIRD hears of the routes by BGP now, and includes no file any more. In bird.conf:
#     protocol bgp ha2bgp {
#       local 127.0.1.1 as 65000; neighbor 127.0.1.2 as 65000;
#       ipv4 { import where net ~ [ 192.0.2.1/32 ]; export none; };
#     }
# Here, with the same numbers, and local-as and router-id above. IPv6 routes need a session over IPv6.
"
        }
    }
}

/// What is said of an address that is taken.
pub(super) fn vip_fate(vip: IpAddr) -> Fate {
    Fate::Taken(format!("vips = [\"{vip}\"]"))
}
