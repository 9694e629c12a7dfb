//! Each lint: what sets it off, and what does not.

use std::io;

use ha2bgp_proto::filter::{Context, Filter, Names, Services};

use super::super::host::OwnAddress;
use super::super::raw::Given;
use super::*;

/// What a host needs to be given no warning: its address and a VIP.
const ADDRESSES: &str = "192.0.2.10/24 eth0\n127.0.0.1/8 lo\n100.64.0.10/32 lo";
/// Its kernel, with nothing to warn of.
const SYSCTLS: &str = "net/ipv4/conf/all/arp_ignore 1\nnet/ipv4/conf/all/arp_announce 2\n\
                       net/ipv4/conf/all/rp_filter 2\nnet/ipv4/ip_nonlocal_bind 0";
/// A good beginning of a file, in 4 lines.
const TOP: &str =
    "router-id = \"192.0.2.10\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\n";
/// A good peer, in 3 lines.
const PEER: &str = "[[peer]]\naddress = \"192.0.2.1\"\nremote-as = 65001\n";
/// A good service, in 3 lines.
const SERVICE: &str = "[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\n";

struct Nothing;

impl Names for Nothing {
    fn device(&self, _: &str) -> Option<u32> {
        None
    }

    fn cgroup(&self, path: &str) -> Result<u64, String> {
        Err(path.to_owned())
    }
}

/// A host with these addresses (`100.64.0.10/32 lo lo:web`) and kernel parameters.
struct Fake<'a> {
    addresses: &'a str,
    sysctls: &'a str,
    mode: u32,
}

impl Default for Fake<'_> {
    fn default() -> Self {
        Self { addresses: ADDRESSES, sysctls: SYSCTLS, mode: 0o100_400 }
    }
}

fn own(line: &str) -> OwnAddress {
    let mut words = line.split(' ');
    let (ip, length) = words.next().unwrap().split_once('/').unwrap();
    let ip = ip.parse().unwrap();
    let device = words.next().unwrap();
    OwnAddress {
        ip,
        subnet: ha2bgp_core::net::Prefix::truncating(ip, length.parse().unwrap()).unwrap(),
        device: device.into(),
        label: words.next().unwrap_or(device).into(),
        loopback: device == "lo",
        up: true,
    }
}

impl Fake<'_> {
    /// The warnings of these files, all given in one `--config` each, without their snippets.
    fn warns(&self, files: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
        let sysctl = |path: &str| {
            let lines = self.sysctls.lines().filter_map(|line| line.split_once(' '));
            let name = path.strip_prefix("/proc/sys/")?;
            lines
                .filter(|(known, _)| *known == name)
                .map(|(_, value)| format!("{value}\n"))
                .next_back()
        };
        let read_file = |path: &str| match files.iter().find(|(name, _)| *name == path) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None if path.ends_with(".key") => Ok(b"secret\n".to_vec()),
            None => sysctl(path).map(String::into_bytes).ok_or(io::ErrorKind::NotFound.into()),
        };
        let addresses = || Some(self.addresses.lines().map(own).collect());
        let mode = |_: &str| Ok(self.mode);
        let host = Host {
            device_exists: &|_| true,
            read_file: &read_file,
            file_mode: &mode,
            addresses: if self.addresses.is_empty() { &|| None } else { &addresses },
            list_dir: &|path| {
                Ok((path == "d").then(|| vec!["a.toml".to_owned(), "web.conf".to_owned()]))
            },
            credentials: Some("etc"),
            ..Host::BARE
        };
        let flag = |name| match name {
            "config" => files.iter().map(|(name, _)| (*name).replace("d/a.toml", "d")).collect(),
            _ => {
                let given = flags.iter().filter(|(flag, _)| *flag == name);
                given.map(|(_, value)| (*value).to_owned()).collect()
            }
        };
        let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
        let settings = Settings::read(&raw, &host).unwrap_or_else(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            panic!("{files:?}\n{}", errors.join("\n"))
        });
        let services = Services::parse("");
        let context =
            Context { services: &services, protocols: &settings.protocols, names: &Nothing };
        let filter = Filter::parse(&settings.listen_filter.text, &context).unwrap();
        check(&raw, &settings, &filter, &host).iter().map(Warning::line).collect()
    }

    /// Exactly one warning, which has these parts, on a file with these lines at its end.
    fn one(&self, text: &str, parts: &[&str]) {
        let found = self.warns(&[("a.toml", text)], &[]);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        for part in parts {
            assert!(found[0].contains(part), "{part}\n{}", found[0]);
        }
    }

    fn none(&self, text: &str) {
        assert_eq!(self.warns(&[("a.toml", text)], &[]), <[String; 0]>::default(), "{text}");
    }
}

fn file(rest: &str) -> String {
    format!("{TOP}{rest}")
}

/// Exactly one warning, of a peer with these keys.
fn peer(keys: &str, parts: &[&str]) {
    Fake::default().one(&file(&format!("{PEER}{keys}\n{SERVICE}")), parts);
}

/// Exactly one warning, of a service with these keys.
fn service(keys: &str, parts: &[&str]) {
    Fake::default().one(&file(&format!("{PEER}{SERVICE}{keys}\n")), parts);
}

#[test]
fn a_good_file_has_none() {
    Fake::default().none(&file(&format!("{PEER}{SERVICE}")));
}

/// Every code has its test here: none is in the table that nothing sets off.
#[test]
fn every_lint_is_tested() {
    let source = include_str!("tests.rs");
    let mut codes = BTreeSet::new();
    for lint in LINTS {
        assert!(codes.insert(lint.code), "{} twice", lint.code);
        assert!(source.contains(&format!("[{}]", lint.code)), "{}", lint.code);
        let end = |text: &str| !text.is_empty() && !text.ends_with('.') && !text.contains('|');
        assert!(end(lint.about) && end(lint.reason), "{}", lint.code);
    }
}

#[test]
fn the_reference_page_is_fresh() {
    crate::cli::flags::assert_fresh("docs/reference/warnings.md", &page());
}

#[test]
fn of_files() {
    let host = Fake::default();
    host.one("[log]\ndebug = true\n", &["a.toml: networks: nothing is allowed", "[test-mode]"]);
    assert_eq!(host.warns(&[], &[]), <[String; 0]>::default(), "as the original did");
    let good = file(&format!("{PEER}{SERVICE}"));
    let more = "networks = [\"100.64.0.0/16\"]\nlocal-as = 65002\n";
    let found = host.warns(&[("a.toml", good.as_str()), ("b.toml", more)], &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .starts_with("b.toml:1:13: networks: stands in the place of the list in a.toml:3:13")
    );
    assert!(found[0].ends_with("[replaced-list]"));
    let found = host.warns(&[("d/a.toml", good.as_str())], &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("--config: \"d/web.conf\" does not count"), "{found:?}");
    assert!(found[0].ends_with("[ignored-file]"));
}

#[test]
fn of_secrets() {
    let text = |path: &str| file(&format!("{PEER}password-file = \"{path}\"\n{SERVICE}"));
    Fake::default().none(&text("leaf.key"));
    for (mode, want) in [
        (0o100_440, "has the mode 0440, with which its group can read it: `chmod 0400 leaf.key`"),
        (0o100_604, "has the mode 0604, with which everybody on this host can read it"),
        (0o100_602, "with which everybody on this host can write to it"),
    ] {
        let host = Fake { mode, ..Fake::default() };
        host.one(&text("leaf.key"), &["8:17: peer.password-file", want, "[readable-secret]"]);
        host.one(&text("%d/leaf.key"), &["\"%d/leaf.key\" has the mode"]);
    }
}

#[test]
fn of_listen_filters() {
    let text =
        |filter: &str| file(&format!("[discover]\nlisten-filter = \"{filter}\"\n{PEER}{SERVICE}"));
    let host = Fake::default();
    host.none(&text("sport = :80"));
    host.one(
        &text("sport = *:80"),
        &["6:26: discover.listen-filter: ", "any port", "[listen-filter]"],
    );
}

#[test]
fn of_vips() {
    let text = file(&format!("{PEER}{SERVICE}"));
    let on = |addresses: &'static str| Fake { addresses, ..Fake::default() };
    on("192.0.2.10/24 eth0").one(
        &text,
        &[
            "10:9: service.vips: \"100.64.0.10\" is on no interface, so",
            "ip address add 100.64.0.10/32",
            "[vip-missing]",
        ],
    );
    on("").none(&text);
    on("192.0.2.10/24 eth0\n100.64.0.1/24 lo").none(&text);
    let devices = text.replace("[[peer]]", "[discover]\ndevices = [\"eth*\"]\n\n[[peer]]");
    Fake::default().one(
        &devices,
        &[
            "\"100.64.0.10\" is on lo with the label lo, which discover.devices does not name",
            "[vip-excluded]",
        ],
    );
    let labels = text.replace("[[peer]]", "[discover]\nlabels = \"lo:web\"\n\n[[peer]]");
    Fake::default().one(&labels, &["which discover.labels does not name", "[vip-excluded]"]);
    on("192.0.2.10/24 eth0\n100.64.0.10/32 lo lo:web").none(&labels);
    on("192.0.2.10/24 eth0\n100.64.0.10/32 lo\n100.64.0.3/25 eth1")
        .one(&text, &["is inside 100.64.0.0/25, the subnet of eth1", "by ARP", "[vip-in-subnet]"]);
    // One that is only found by its listener.
    let found = file(PEER);
    on("192.0.2.10/24 eth0\n100.64.0.10/32 lo\n100.64.0.3/25 eth1")
        .one(&found, &["3:13: networks: \"100.64.0.10\" is inside"]);
}

#[test]
fn of_identities() {
    let host = Fake::default();
    let text = file(&format!("{PEER}{SERVICE}"));
    host.one(
        &text.replace("router-id = \"192.0.2.10\"", "router-id = \"100.64.0.10\""),
        &[
            "1:13: router-id: \"100.64.0.10\" is a VIP, which other hosts have too",
            "[vip-as-identity]",
        ],
    );
    peer("local-address = \"100.64.0.10\"", &["8:17: peer.local-address: ", "[vip-as-identity]"]);
}

#[test]
fn of_rules() {
    service("rule = \"listen\"", &["11:8: service.rule: it can pass without", "[no-address]"]);
    let sysctls = format!("{SYSCTLS}\nnet/ipv4/ip_nonlocal_bind 1");
    let nonlocal = Fake { sysctls: &sysctls, ..Fake::default() };
    let text = |rule: &str| {
        file(&format!("{PEER}{SERVICE}rule = \"{rule}\"\n[service.checks.file]\npath = \"/x\"\n"))
    };
    nonlocal.one(
        &text("all(listen, file)"),
        &["net.ipv4.ip_nonlocal_bind = 1 lets", "[nonlocal-bind]"],
    );
    for (rule, needs) in [
        ("all(address, file)", true),
        ("any(address, file)", false),
        ("all(any(listen, address), file)", false),
        ("all(address, not(file))", true),
        ("not(any(file, not(address)))", true),
        ("not(all(file, address))", false),
        ("at-least(2, address, file)", true),
        ("at-least(2, address, file*2)", false),
        ("at-least(3, address*2, file, listen)", true),
        ("not(at-least(1, file, not(address)))", true),
        ("not(at-least(2, file, address))", false),
    ] {
        let found = Fake::default().warns(&[("a.toml", &text(rule))], &[]);
        assert_eq!(found.is_empty(), needs, "{rule}: {found:?}");
    }
}

#[test]
fn of_the_kernel() {
    let text = file(&format!("{PEER}{SERVICE}"));
    let with = |more: &str| format!("{SYSCTLS}\n{more}");
    let arp = with("net/ipv4/conf/all/arp_ignore 0");
    Fake { sysctls: &arp, ..Fake::default() }.one(
        &text,
        &[
            "10:9: service.vips: \"100.64.0.10\" on a loopback interface, and net.ipv4.conf.eth0.arp_ignore = 0 on eth0",
            "`sysctl -w net.ipv4.conf.all.arp_ignore=1`",
            "[arp-ignore]",
        ],
    );
    // The larger one counts.
    let own = with("net/ipv4/conf/all/arp_ignore 0\nnet/ipv4/conf/eth0/arp_ignore 2");
    Fake { sysctls: &own, ..Fake::default() }.none(&text);
    let announce = with("net/ipv4/conf/all/arp_announce 1");
    Fake { sysctls: &announce, ..Fake::default() }
        .one(&text, &["arp_announce = 1", "[arp-announce]"]);
    let strict = with("net/ipv4/conf/all/rp_filter 0\nnet/ipv4/conf/eth1/rp_filter 1");
    Fake { sysctls: &strict, ..Fake::default() }.none(&text);
    let addresses = format!("{ADDRESSES}\n198.51.100.2/24 eth1\n100.64.0.11/32 lo");
    Fake { sysctls: &strict, addresses: &addresses, ..Fake::default() }.one(
        &text,
        &["\"100.64.0.10\" and 1 more on a loopback", "rp_filter = 1 on eth1", "[rp-filter]"],
    );
    // Without VIPs on a loopback it does not matter, and what cannot be read is not told.
    let elsewhere = "192.0.2.10/24 eth0\n100.64.0.10/32 dummy0";
    Fake { sysctls: &arp, addresses: elsewhere, ..Fake::default() }.none(&text);
    Fake { sysctls: "", ..Fake::default() }.none(&text);
}

#[test]
fn of_checks() {
    let checks = |keys: &str| format!("[service.checks.icmp]\n{keys}");
    service(
        &checks("interval = \"1s\"\ntimeout = \"5s\"\naddress = \"192.0.2.1\""),
        &["13:11: service.checks.icmp.timeout: ", "needs 15s to fail, not 3s", "[long-timeout]"],
    );
    service(
        &format!("down-delay = \"0s\"\n{}", checks("fall = 1\naddress = \"192.0.2.1\"")),
        &["13:8: service.checks.icmp.fall: one failed probe of \"icmp\"", "[one-probe]"],
    );
    Fake::default()
        .none(&file(&format!("{PEER}{SERVICE}{}", checks("address = \"192.0.2.1\"\nfall = 1"))));
}

#[test]
fn of_restarts() {
    let slow = "[service.checks.icmp]\naddress = \"192.0.2.1\"\ninterval = \"5s\"\nrise = 4\n";
    service(
        slow,
        &[
            "6:11: peer.address: after a restart \"icmp\" of \"web\" says nothing for 16s",
            "15s of the",
            "[slow-restart]",
        ],
    );
    let host = Fake::default();
    host.none(&file(&format!("{PEER}graceful-restart = false\n{SERVICE}{slow}")));
    host.none(&file(&format!(
        "{PEER}graceful-restart = {{ restart-time = \"30s\" }}\n{SERVICE}{slow}"
    )));
    // The up delay counts where nothing is remembered.
    let fast = "[service.checks.icmp]\naddress = \"192.0.2.1\"\n";
    let text = format!("state-file = \"off\"\n{TOP}{PEER}{SERVICE}up-delay = \"20s\"\n{fast}");
    host.one(&text, &["says nothing for 22s (up-delay 20s with it", "[slow-restart]"]);
}

#[test]
fn of_delays() {
    service(
        "down-delay = \"10s\"",
        &["11:14: service.down-delay: ", "hold time 9s", "[long-down-delay]"],
    );
    let text = file(&format!("[defaults]\ndown-delay = \"30s\"\n{PEER}{SERVICE}"));
    Fake::default().one(&text, &["6:14: defaults.down-delay: ", "[long-down-delay]"]);
    let absorbs = "down-delay = \"10s\"\non-failure = \"absorb\"\n";
    Fake::default().none(&file(&format!("{PEER}{SERVICE}{absorbs}")));
}

#[test]
fn of_next_hops() {
    let host = Fake::default();
    let exabgp =
        "networks = [\"100.64.0.0/24\"]\n[defaults]\nroute = { next-hop = \"2001:db8::1\" }\n";
    host.one(
        exabgp,
        &["3:22: defaults.route.next-hop: ", "routers may refuse", "[next-hop-family]"],
    );
    peer("next-hop = \"100.64.0.10\"", &["8:12: peer.next-hop: ", "[next-hop-is-vip]"]);
}

#[test]
fn of_peers_and_routes() {
    let top = TOP.replace("\"100.64.0.0/24\"", "\"100.64.0.0/24\", \"2001:db8::/32\"");
    let host = Fake::default();
    host.one(
        &format!("{top}{PEER}{SERVICE}"),
        &[
            "6:11: peer.address: 192.0.2.1 gets no route of 2001:db8::/32: IPv6 over IPv4",
            "[family-left-out]",
        ],
    );
    host.none(&format!("{top}{PEER}families = [\"ipv4\"]\n{SERVICE}"));
    let other = "[[peer]]\naddress = \"192.0.2.2\"\nremote-as = 65001\n";
    host.one(
        &format!(
            "{top}{PEER}families = [\"ipv4\"]\n{other}networks = [\"2001:db8::/32\"]\n{SERVICE}"
        ),
        &["12:13: peer.networks: 192.0.2.2 gets no route at all", "[nothing-for-peer]"],
    );
    host.one(
        &file(&format!("{PEER}networks = [\"100.64.0.128/25\"]\n{SERVICE}")),
        &["11:9: service.vips: no peer gets \"100.64.0.10\"", "[no-peer]"],
    );
}

#[test]
fn of_sessions() {
    let host = Fake::default();
    let far = file(&format!("{PEER}{SERVICE}")).replace("192.0.2.1\"", "198.51.100.1\"");
    host.one(&far, &["6:11: peer.address: ", "write multihop = 2 or more", "[far-peer]"]);
    host.none(&far.replace("remote-as = 65001", "remote-as = 65001\nmultihop = 2"));
    host.none(&far.replace("remote-as = 65001", "remote-as = 65000"));
    let gtsm = far.replace("remote-as = 65001", "remote-as = 65001\nttl-security = true");
    host.one(&gtsm, &["write ttl-security = 2 or more"]);
    peer("local-address = \"192.0.2.77\"", &["8:17: ", "waits for it", "[local-address-missing]"]);
    peer("hold-time = \"0s\"", &["8:13: peer.hold-time: ", "[hold-time-off]"]);
    host.one(
        &format!("drain-time = \"2m\"\n{TOP}{PEER}{SERVICE}"),
        &["1:14: drain-time: ", "TimeoutStopSec=131", "[long-drain]"],
    );
    // What flags say has no line.
    let flags = [
        ("bgp-backend", "speaker"),
        ("local-as", "65000"),
        ("router-id", "192.0.2.10"),
        ("network", "100.64.0.0/24"),
        ("peer", "198.51.100.1"),
        ("peer-as", "65001"),
    ];
    let found = host.warns(&[], &flags);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("--peer: \"198.51.100.1\" is on no subnet"), "{found:?}");
}

#[test]
fn of_bfd() {
    let host = Fake::default();
    host.none(&file(&format!("{PEER}bfd = true\n{SERVICE}")));
    host.none(&file(&format!("{PEER}bfd = {{ tx = \"50ms\", rx = \"50ms\" }}\n{SERVICE}")));
    peer("bfd = { tx = \"30ms\" }", &["8:14: peer.bfd.tx: ", "after 90ms", "[bfd-fast]"]);
    peer("bfd = { tx = \"90ms\", multiplier = 1 }", &["8:14: ", "[bfd-fast]"]);
    peer(
        "bfd = true\ngraceful-restart = { restart-time = \"30s\" }",
        &["9:1: peer.graceful-restart: ", "[bfd-graceful-restart]"],
    );
    host.none(&file(&format!("{PEER}bfd = true\ngraceful-restart = false\n{SERVICE}")));
    peer("multihop = 2\nbfd = true", &["8:12: peer.multihop: ", "[bfd-any-distance]"]);
    host.none(&file(&format!("{PEER}multihop = 2\nbfd = {{ min-ttl = 254 }}\n{SERVICE}")));
    let auth = "bfd = { auth-type = \"keyed-sha1\", auth-file = \"bfd.key\" }";
    host.none(&file(&format!("{PEER}multihop = 2\n{auth}\n{SERVICE}")));
    peer(
        "multihop = 2\nbfd = { multihop = false }",
        &["9:20: peer.bfd.multihop: ", "several hops away", "[bfd-single-hop]"],
    );
    let check = "[service.checks.up]\ntype = \"bfd\"\naddress = \"192.0.2.9\"\n";
    host.none(&file(&format!("{PEER}{SERVICE}{check}")));
    for (keys, parts) in [
        ("tx = \"10ms\"", ["14:6: service.checks.up.tx: ", "[bfd-fast]"]),
        ("multihop = true", ["14:12: service.checks.up.multihop: ", "[bfd-any-distance]"]),
    ] {
        host.one(&file(&format!("{PEER}{SERVICE}{check}{keys}\n")), &parts);
    }
}

#[test]
fn warnings_are_shown_with_carets() {
    let mut warning =
        ignored_file(&Written { origin: Origin::Flag("config"), text: "x".to_owned() });
    assert!(warning.to_string().starts_with("--config: \"x\" does not count"));
    assert!(warning.to_string().ends_with("[ignored-file]"));
    let source = super::super::origin::Source::new(1, "a.toml", "port = 1\n", None);
    warning.origin = Origin::File(super::super::origin::Place {
        source: source.into(),
        key: "port".to_owned(),
        span: 7..8,
    });
    assert!(warning.to_string().ends_with("[ignored-file]\n  |\n1 | port = 1\n  |        ^"));
}
