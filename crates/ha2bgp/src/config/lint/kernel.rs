//! Of kernel parameters that VIPs on a loopback interface need otherwise than they usually are
//! (Documentation/networking/ip-sysctl.rst of the kernel).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::origin::Written;
use super::view::View;
use super::{Lint, Warning};

pub(super) const ARP_IGNORE: Lint = Lint {
    code: "arp-ignore",
    about: "`arp_ignore = 0` with VIPs on a loopback interface",
    reason: "this host then answers ARP for them on every link, and takes traffic that the routes send \
             elsewhere",
};
pub(super) const ARP_ANNOUNCE: Lint = Lint {
    code: "arp-announce",
    about: "`arp_announce` below 2 with VIPs on a loopback interface",
    reason: "answers of the VIP make this host ask for its router with the VIP as the sender: neighbors \
             learn the VIP from it, or do not answer because it is of another subnet",
};
pub(super) const RP_FILTER: Lint = Lint {
    code: "rp-filter",
    about: "`rp_filter = 1` on a host with several links",
    reason: "packets for a VIP come in over any link, and are dropped without a word where the way back \
             is another one",
};

/// One parameter of interfaces. The larger one of that of `all` and that of the interface counts.
struct Parameter {
    name: &'static str,
    lint: &'static Lint,
    is_bad: fn(u32) -> bool,
    rule: &'static str,
    fix: u32,
}

const PARAMETERS: [Parameter; 3] = [
    Parameter {
        name: "arp_ignore",
        lint: &ARP_IGNORE,
        is_bad: |value| value == 0,
        rule: "answers ARP for any address of this host, wherever that is; 1 answers for those of the \
               interface itself",
        fix: 1,
    },
    Parameter {
        name: "arp_announce",
        lint: &ARP_ANNOUNCE,
        is_bad: |value| value < 2,
        rule: "may tell neighbors a VIP as our address (1: only where it is of their subnet); 2 tells one \
               of the interface itself",
        fix: 2,
    },
    Parameter {
        name: "rp_filter",
        lint: &RP_FILTER,
        is_bad: |value| value == 1,
        rule: "drops what comes in where no packet would go out to its sender; 2 only asks that there is a \
               way to it at all",
        fix: 2,
    },
];

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    let vips = view.on_loopback();
    let vips: Vec<&(&Written, IpAddr)> = vips.iter().filter(|(_, vip)| vip.is_ipv4()).collect();
    let Some((at, vip)) = vips.first() else { return };
    let own = view.addresses.iter().flatten();
    let own =
        own.filter(|own| own.up && !own.loopback && own.ip.is_ipv4() && !own.subnet.is_host());
    let devices: BTreeSet<&str> = own.map(|own| &*own.device).collect();
    let more = match vips.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    for parameter in PARAMETERS.iter().filter(|it| it.name != "rp_filter" || devices.len() > 1) {
        let name = parameter.name;
        let of = |device: &str| view.host.sysctl(&format!("net/ipv4/conf/{device}/{name}"));
        let Some(all) = of("all") else { continue };
        let value = |device: &str| all.max(of(device).unwrap_or(0));
        let bad: Vec<&str> =
            devices.iter().copied().filter(|device| (parameter.is_bad)(value(device))).collect();
        let Some(first) = bad.first() else { continue };
        let message = format!(
            "\"{vip}\"{more} on a loopback interface, and net.ipv4.conf.{first}.{name} = {} on {}: it {}: \
             `sysctl -w net.ipv4.conf.all.{name}={}`",
            value(first),
            bad.join(", "),
            parameter.rule,
            parameter.fix
        );
        warnings.push(Warning::new(parameter.lint, at, message));
    }
}
