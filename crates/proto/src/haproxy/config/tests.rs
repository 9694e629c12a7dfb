//! Files as people write them, and files as nobody does.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn variable(name: &str) -> Option<String> {
    match name {
        "VIP" => Some("192.0.2.10".into()),
        "LIST" => Some("10.0.0.1:80 name first".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Config {
    let context = Context { variable: &variable, version: Some("2.6.12") };
    Config::parse(&[File { name: "a.cfg", text }], &context)
}

/// Reads one frontend with these lines.
fn frontend(lines: &str) -> (Frontend, Vec<Note>) {
    let mut config = read(&format!("frontend f\n{lines}\n"));
    (config.frontends.pop().unwrap(), config.notes)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const USUAL: &str = "
global
    log /dev/log local0
    stats socket /run/haproxy/admin.sock mode 660 level admin # for us
    stats socket ipv4@127.0.0.1:9999 level user
    stats timeout 30s
defaults
    mode http
    timeout client 50000
    default_backend fallback

frontend web
    bind 192.0.2.10:80
    bind 192.0.2.10:443,[2001:db8::10]:443 ssl crt /etc/ssl/site.pem alpn h2
    bind quic4@192.0.2.10:443 ssl crt /etc/ssl/site.pem
    acl api path_beg /api
    use_backend api if api
    use_backend api if { hdr(host) -i api.example.org }
    use_backend static unless api
    default_backend app
listen stats
    bind *:8404
    stats enable
frontend dynamic
    bind :8080-8085
    use_backend %[req.hdr(host),lower,map(/etc/haproxy/hosts.map)]
backend app
    server a1 10.0.0.1:80 check
backend api
peers mine
    bind :10000
    peer other 10.0.0.9:1024
";

#[test]
fn a_usual_file() {
    let config = read(USUAL);
    assert_eq!(config.notes, []);
    let names: Vec<_> = config.frontends.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["web", "stats", "dynamic"]);
    assert_eq!(config.backends, ["stats", "app", "api"]);
    let web = config.frontend("web").unwrap();
    assert_eq!(web.backends(), ["api", "static", "app"]);
    assert_eq!((web.binds.len(), web.mode.as_deref()), (4, Some("http")));
    let quic = web.binds.last().unwrap();
    assert_eq!((quic.protocol, quic.ports.clone()), (Protocol::Udp, 443..=443));
    assert_eq!(config.frontend("stats").unwrap().backends(), ["fallback"]);
    let dynamic = config.frontend("dynamic").unwrap();
    assert!(dynamic.dynamic && dynamic.static_backends.is_empty());
    let sockets: Vec<_> = config.stats_sockets.iter().map(|it| it.address.clone()).collect();
    let unix = Address::Unix("/run/haproxy/admin.sock".into());
    assert_eq!(sockets, [unix, Address::Ip(ip("127.0.0.1"))]);

    let of = |address, port| config.frontends_of(ip(address), port);
    assert_eq!(of("192.0.2.10", Some(443)), ["web"]);
    assert_eq!(of("192.0.2.10", None), ["web", "stats", "dynamic"]);
    assert_eq!(of("192.0.2.11", Some(8083)), ["dynamic"]);
    assert_eq!(of("2001:db8::10", None), ["web"]);
    assert_eq!(of("192.0.2.10", Some(10000)), Vec::<&str>::new());
}

#[test]
fn addresses() {
    let any6 = |v6only| Address::Any6 { v6only };
    let other = |text: &str| Address::Other(text.into());
    let unix = |text: &str| Address::Unix(text.into());
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    for (line, address, ports, protocol) in [
        ("192.0.2.1:80", Address::Ip(ip("192.0.2.1")), 80..=80, tcp),
        (":80", Address::Any4, 80..=80, tcp),
        ("*:80-85", Address::Any4, 80..=85, tcp),
        ("0.0.0.0:80", Address::Any4, 80..=80, tcp),
        ("[::]:443", any6(false), 443..=443, tcp),
        (":::443 v4v6", any6(false), 443..=443, tcp),
        (":::443 v4v6 v6only", any6(true), 443..=443, tcp),
        ("::1:80", Address::Ip(ip("::1")), 80..=80, tcp),
        ("[fe80::1%eth0]:80", Address::Ip(ip("fe80::1")), 80..=80, tcp),
        ("ipv4@:80", Address::Any4, 80..=80, tcp),
        ("ipv6@:80", any6(false), 80..=80, tcp),
        ("ipv6@*:80", any6(false), 80..=80, tcp),
        ("ipv6@2001:db8::1:80", Address::Ip(ip("2001:db8::1")), 80..=80, tcp),
        ("tcp4@192.0.2.1:80", Address::Ip(ip("192.0.2.1")), 80..=80, tcp),
        ("stream+ipv4@192.0.2.1:80", Address::Ip(ip("192.0.2.1")), 80..=80, tcp),
        ("quic6@[2001:db8::1]:443", Address::Ip(ip("2001:db8::1")), 443..=443, udp),
        ("quic4@:443", Address::Any4, 443..=443, udp),
        ("/run/web.sock", unix("/run/web.sock"), 0..=0, tcp),
        ("unix@web.sock", unix("web.sock"), 0..=0, tcp),
        ("abns@web", other("abns@web"), 0..=0, tcp),
        ("fd@3", other("fd@3"), 0..=0, tcp),
        ("sockpair@4", other("sockpair@4"), 0..=0, tcp),
        ("\"${VIP}:80\"", Address::Ip(ip("192.0.2.10")), 80..=80, tcp),
        ("\"$VIP\"':80'", Address::Ip(ip("192.0.2.10")), 80..=80, tcp),
        ("\"${NOPE-192.0.2.3}:80\"", Address::Ip(ip("192.0.2.3")), 80..=80, tcp),
        ("\"${EMPTY-192.0.2.3}:80\"", Address::Any4, 80..=80, tcp),
        ("\"${NOPE}:80\"", Address::Any4, 80..=80, tcp),
    ] {
        let (frontend, notes) = frontend(&format!("bind {line}"));
        let bind = frontend.binds.first().unwrap_or_else(|| panic!("{line}: {notes:?}"));
        let seen = (bind.address.clone(), bind.ports.clone(), bind.protocol);
        assert_eq!((seen, notes), ((address, ports, protocol), Vec::new()), "{line}");
    }
}

#[test]
fn what_is_not_understood_is_noted() {
    for (line, part) in [
        ("bind 192.0.2.1", "has no port"),
        ("bind :0", "is no port"),
        ("bind :85-80", "is no port"),
        ("bind :80-", "is no port"),
        ("bind :+80", "is no port"),
        ("bind :65536", "is no port"),
        ("bind what@ever:80", "unknown prefix"),
        ("bind \"${X", "brace"),
        ("bind \"$\"", "variable name"),
        ("bind \"$1\"", "variable name"),
        ("bind \"a", "quote"),
        ("bind 'a", "quote"),
        ("bind \\xz", "hexadecimal"),
    ] {
        let (frontend, notes) = frontend(line);
        assert_eq!(frontend.binds, [], "{line}");
        let [note] = notes.as_slice() else { panic!("{line}: {notes:?}") };
        assert!(note.text.contains(part), "{line}: {note}");
        assert!(note.to_string().starts_with("a.cfg:2: "));
    }
    let (front, notes) = frontend("bind www.example.org:80\nbind :81 namespace blue");
    assert_eq!((front.binds.len(), notes.len()), (2, 2));
    assert_eq!(front.binds[0].address, Address::Other("www.example.org:80".into()));
    let config = read("bind :80\nfrontend\nbind :81\nlisten x :82\nfrontend y from z\n");
    assert_eq!(config.frontends.len(), 2);
    assert_eq!(config.notes.len(), 4, "{:?}", config.notes);
}

#[test]
fn quotes_escapes_and_comments() {
    let (front, notes) = frontend(
        "bind \"10.0.0.1:80\" name \"a b\" # not :81\n\
         bind 10.0.0.2\\x3a80 name c\\ d\r\n\
         bind '10.0.0.3:80' name \"it's \\\"$EMPTY\\\"\"\n\
         bind \"${LIST[*]}\"\n\
         bind 10.0.0.5:80 name a#b\n\
         bind 10.0.0.6:80 name '$VIP'\\$VIP$VIP",
    );
    assert_eq!(notes, []);
    let names: Vec<_> =
        front.binds.iter().map(|it| it.name.as_deref().unwrap_or_default()).collect();
    assert_eq!(names, ["a b", "c d", "it's \"\"", "first", "a", "$VIP$VIP$VIP"]);
}

#[test]
fn defaults_are_handed_on() {
    let config = read(
        "defaults base\n mode http\n default_backend one\n\
         defaults other from base\n default_backend two\n\
         frontend a\n bind :1\n\
         frontend b from base\n bind :2\n\
         listen c from other\n disabled\n bind :3\n\
         defaults\n disabled\n\
         frontend d\n bind :4\n\
         frontend e\n enabled\n bind :5\n",
    );
    assert_eq!(config.notes, []);
    let seen: Vec<_> = config
        .frontends
        .iter()
        .map(|it| (it.name.as_str(), it.mode.as_deref(), it.backends(), it.disabled))
        .collect();
    let http = Some("http");
    assert_eq!(
        seen,
        [
            ("a", http, Vec::from(["two"]), false),
            ("b", http, Vec::from(["one"]), false),
            ("c", http, Vec::from(["two"]), true),
            ("d", None, Vec::new(), true),
            ("e", None, Vec::new(), false),
        ]
    );
    assert_eq!(config.frontends_of(ip("192.0.2.1"), None), ["a", "b", "e"]);
}

#[test]
fn variables_change_while_files_are_read() {
    let first = File {
        name: "1.cfg",
        text: "global\n setenv A 10.0.0.1\n presetenv A 10.0.0.2\n presetenv VIP 10.0.0.3\n\
               unsetenv LIST\nfrontend f\n bind \"$A:80\"\n bind \"$VIP:80\"\n\
               bind \"${LIST-10.0.0.4}:${.LINE}\" name \"${.FILE}/${.SECTION}\"\n",
    };
    let second = File {
        name: "2.cfg",
        text: "bind :9\nglobal\n resetenv VIP\nfrontend g\n bind \"$VIP:80\"\n bind \"$A:81\"\n",
    };
    let context = Context { variable: &variable, version: None };
    let config = Config::parse(&[first, second], &context);
    let binds = |name: &str| -> Vec<_> {
        let all = &config.frontend(name).unwrap().binds;
        all.iter().map(|it| (it.address.clone(), *it.ports.start())).collect()
    };
    let at = |text: &str| Address::Ip(ip(text));
    assert_eq!(binds("f"), [(at("10.0.0.1"), 80), (at("192.0.2.10"), 80), (at("10.0.0.4"), 9)]);
    assert_eq!(binds("g"), [(at("192.0.2.10"), 80), (Address::Any4, 81)]);
    let named = config.frontend("f").unwrap().binds.last().unwrap();
    assert_eq!(named.name.as_deref(), Some("1.cfg/f"));
    let notes: Vec<_> = config.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["2.cfg:1: \"bind\" is in no section, or in one that is not known"]);
}

#[test]
fn conditional_blocks() {
    let ports = |lines: &str| -> (Vec<u16>, usize) {
        let (front, notes) = frontend(lines);
        (front.binds.iter().map(|it| *it.ports.start()).collect(), notes.len())
    };
    let block = |condition: &str| {
        ports(&format!(
            ".if {condition}\nbind :1\n.elif defined(VIP)\nbind :2\n.else\nbind :3\n.endif\nbind :4"
        ))
    };
    assert_eq!(block("streq(\"$VIP\",192.0.2.10)"), (Vec::from([1, 4]), 0));
    assert_eq!(block("!defined(VIP)"), (Vec::from([2, 4]), 0));
    assert_eq!(block("feature(OPENSSL)"), (Vec::from([1, 2, 4]), 1));
    assert_eq!(block("version_atleast(2.4) # new"), (Vec::from([1, 4]), 0));
    let nested = ".if 0\n.if 1\nbind :1\n.else\nbind :2\n.endif\n.else\n.if 0\n.elif 1\nbind :3\n.endif\n.endif";
    assert_eq!(ports(nested), (Vec::from([3]), 0));
    assert_eq!(ports(".endif\n.else\nbind :1\n.if 1"), (Vec::from([1]), 3));
    let deep = [".if 1\n".repeat(100), ".endif\n".repeat(100), "bind :1".into()].concat();
    assert_eq!(ports(&deep), (Vec::from([1]), 36));
}

#[test]
fn limits() {
    let (front, notes) = frontend(&format!("bind :1\nbind {}\nbind :2", "x".repeat(LINE_MAX)));
    assert_eq!((front.binds.len(), notes.len()), (2, 1));
    let (front, notes) = frontend(&format!("bind :1 {}", "x ".repeat(WORDS_MAX)));
    assert_eq!((front.binds.len(), notes.len()), (0, 1));
    let config = read(&"nonsense\n".repeat(NOTES_MAX + 9));
    assert_eq!(config.notes.len(), NOTES_MAX);
    let bomb = |name: &str| (name == "X").then(|| "x".repeat(LINE_MAX));
    let context = Context { variable: &bomb, version: None };
    let text = "global\n setenv A \"$X$X$X$X\"\nfrontend f\n bind \"$A:80\"\n";
    let config = Config::parse(&[File { name: "b", text }], &context);
    assert_eq!((config.notes.len(), config.frontends.len()), (1, 1));
}

/// Words that mean something, in any order.
fn nonsense() -> impl Strategy<Value = String> {
    let word = prop::sample::select(
        &[
            "global",
            "defaults",
            "frontend",
            "listen",
            "backend",
            "peers",
            "from",
            "bind",
            "a",
            "b",
            ":80",
            "[::]:443",
            "*:1-2",
            "ipv6@:80",
            "v6only",
            "name",
            "\"$VIP\"",
            "\"${X-y}\"",
            "\"${LIST[*]}\"",
            "'",
            "\"",
            "\\",
            "#",
            ".if",
            ".elif",
            ".else",
            ".endif",
            "1",
            "0",
            "defined(VIP)",
            "&&",
            "!",
            "(",
            ")",
            "default_backend",
            "use_backend",
            "%[path]",
            "disabled",
            "setenv",
            "resetenv",
            "stats",
            "socket",
            "\n",
            "\n",
            "\n",
            "\t",
            "é",
            ",",
        ][..],
    );
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn nothing_panics(text in nonsense(), any in "\\PC{0,60}") {
        read(&text);
        read(&any);
        frontend(&text.replace('\n', " "));
    }

    /// What is written is what is read.
    #[test]
    fn written_files_are_read_back(
        sections in prop::collection::vec(
            (0_usize..4, prop::collection::vec((0_u32..1000, 1_u16..60000, 0_u16..9), 0..5),
             prop::collection::vec(0_usize..9, 0..4)),
            0..12,
        ),
    ) {
        let mut text = String::new();
        let (mut fronts, mut backs) = (Vec::new(), Vec::new());
        for (place, (kind, binds, uses)) in sections.iter().enumerate() {
            let kind = ["frontend", "listen", "backend", "resolvers"][*kind];
            text.push_str(&format!("\n{kind}   'p{place}' # comment\n"));
            if kind == "listen" || kind == "backend" {
                backs.push(format!("p{place}"));
            }
            for (host, first, more) in binds {
                let host = core::net::Ipv4Addr::from_bits(0x0a00_0001 + host);
                text.push_str(&format!("\tbind \"{host}:{first}-{}\"\n", first + more));
            }
            for used in uses {
                text.push_str(&format!("  use_backend b{used} if TRUE\n"));
            }
            if kind == "frontend" || kind == "listen" {
                let mut used: Vec<_> = uses.iter().map(|it| format!("b{it}")).collect();
                let mut seen = Vec::new();
                used.retain(|it| !seen.contains(it) && { seen.push(it.clone()); true });
                fronts.push((format!("p{place}"), binds.len(), used));
            }
        }
        let config = read(&text);
        prop_assert_eq!(&config.notes, &[]);
        prop_assert_eq!(&config.backends, &backs);
        let seen: Vec<_> = config
            .frontends
            .iter()
            .map(|it| (it.name.clone(), it.binds.len(), it.static_backends.clone()))
            .collect();
        prop_assert_eq!(seen, fronts);
    }
}
