//! An import as a configuration file, and as a report.

use std::fmt::Write as _;
use std::net::IpAddr;

use ha2bgp_core::net::Prefix;

use super::Program;
use super::model::{Command, Fate, Import, Said, Service};
use super::value::{list, quoted, time};

/// Sections of keys of [`Common`](super::model::Common), in their order.
const SECTIONS: [&str; 5] =
    ["defaults.route.last-choice", "defaults.route", "defaults", "exabgp", "log"];

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
    page.push_str(
        "\n[defaults]\n\
         # It announced and withdrew at once. Without these three lines: 6s, 3s, and flap damping.\n\
         up-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n",
    );
    for section in SECTIONS.iter().rev() {
        keys(&mut page, section, import);
    }
    speaker_keys(&mut page, import);
    for service in &import.services {
        page.push('\n');
        self::service(&mut page, service);
    }
    page.push('\n');
    page.push_str(ending(import.program));
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
        "{services} services; of their options {taken} are taken, {not_needed} are not needed, \
         {lost} have no counterpart"
    );
    page
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

/// The keys of a section that some service has set.
fn keys(page: &mut String, section: &str, import: &Import) {
    let own = |(path, value): (&&'static str, &String)| {
        let (of, name) = path.rsplit_once('.')?;
        (of == section).then(|| format!("{name} = {value}\n"))
    };
    let lines: String = import.common.keys.iter().filter_map(own).collect();
    if !lines.is_empty() {
        let head = if section == "defaults" { String::new() } else { format!("\n[{section}]\n") };
        page.push_str(&format!("{head}{lines}"));
    }
}

/// What only the built-in speaker can say.
fn speaker_keys(page: &mut String, import: &Import) {
    if import.common.speaker.is_empty() {
        return;
    }
    page.push('\n');
    comment(page, "ExaBGP is not told these; the built-in speaker is, in its place.");
    for section in ["defaults.route", "peer"] {
        let prefix = format!("{section}.");
        let own = import.common.speaker.iter();
        let own: Vec<_> =
            own.filter_map(|(path, value)| Some((path.strip_prefix(&prefix)?, value))).collect();
        if !own.is_empty() {
            let head = if section == "peer" { "[[peer]]" } else { "[defaults.route]" };
            let _ = writeln!(page, "#{head}");
        }
        for (name, value) in own {
            let _ = writeln!(page, "#{name} = {value}");
        }
    }
}

fn service(page: &mut String, service: &Service) {
    let mut text = String::new();
    fates(&mut text, &service.said);
    let _ = writeln!(text, "[[service]]");
    let _ = writeln!(text, "name = {}", quoted(&service.name));
    let vips: Vec<String> = service.vips.iter().map(|(vip, _)| vip.to_string()).collect();
    let _ = writeln!(text, "vips = {}", list(vips.iter().map(String::as_str)));
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
        let _ = writeln!(text, "on-warn = \"depreference\"");
    }
    if let Some(devices) = service.address.as_ref().filter(|devices| !devices.is_empty()) {
        let devices = list(devices.iter().map(String::as_str));
        let _ = writeln!(text, "[service.checks.address]\ndevices = {devices}");
    }
    if let Some(check) = &service.command {
        command(&mut text, check, service);
    }
    if let Some(path) = &service.off_file {
        let _ = writeln!(text, "[service.checks.switch]\ntype = \"file\"");
        let _ = writeln!(text, "path = {}\nexists = false", quoted(path));
        warns(&mut text, service);
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

fn command(text: &mut String, check: &Command, service: &Service) {
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
    // What a shell cannot start is no success; it was none there.
    let _ = writeln!(text, "on-unknown = {}", quoted(power(service)));
    warns(text, service);
}

/// What a failure counts as.
const fn power(service: &Service) -> &'static str {
    if service.depreference { "warn" } else { "fail" }
}

fn warns(text: &mut String, service: &Service) {
    if service.depreference {
        let _ = writeln!(text, "on-fail = \"warn\"");
    }
}

/// How it gets to the routers.
const fn ending(program: Program) -> &'static str {
    match program {
        Program::Exabgp => {
            "\
# In ExaBGP's configuration one process takes the place of all those of healthcheck:
#     run /usr/local/bin/ha2bgp run --config THIS-FILE;
# Or ha2bgp speaks BGP itself, and ExaBGP is not needed: add router-id and local-as at the top of this
# file, and a [[peer]] for each neighbor.
"
        }
        Program::Anycast | Program::Birdwatcher => {
            "\
# BIRD hears of the routes by BGP now, and includes no file any more. In bird.conf, with your numbers:
#     protocol bgp ha2bgp {
#       local 127.0.1.1 as 65000; neighbor 127.0.1.2 as 65000;
#       ipv4 { import where net ~ [ 192.0.2.1/32 ]; export none; };
#     }
# Here, the same numbers; local-as belongs to the top of the file:
#local-as = 65000
#router-id = \"10.1.1.1\"
#[[peer]]
#address = \"127.0.1.1\"
#local-address = \"127.0.1.2\"
#remote-as = 65000
"
        }
    }
}

/// What is said of an address that is taken.
pub(super) fn vip_fate(vip: IpAddr) -> Fate {
    Fate::Taken(format!("vips = [\"{vip}\"]"))
}
