//! The flags of the program as one table: parsing, `--help` and the reference are made from it.

use clap::{Arg, ArgAction, Command};

/// How a flag takes its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Given at most once, with a value.
    Value,
    /// May be repeated; each value may also be a comma list.
    List,
    /// May be repeated; a value is taken as it is.
    Repeated,
    /// On or off: `--debug`, `--debug=false`, as Go's flag package has it.
    Switch,
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The long name without dashes.
    pub long: &'static str,
    /// The short name, if it has one.
    pub short: Option<char>,
    /// The environment variable that stands in for it, if there is one.
    pub env: Option<&'static str>,
    /// Its place in the configuration file, such as `discover.listen-filter`; empty when it has
    /// none. What stands under `peer.` is said of every peer.
    pub key: &'static str,
    /// What the value is called in help, and what it is: `DURATION`, `NUMBER`, `AS`, `PATH` and
    /// the like say what the file may hold.
    pub value: &'static str,
    /// The value when neither flag nor variable is given, as text; empty when there is none.
    pub default: &'static str,
    /// How it takes its value.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// The heading it stands under in help.
    pub heading: &'static str,
}

const WHAT: &str = "What is announced";
const WHEN: &str = "When it is announced";
const HOW: &str = "How it is announced";
/// What only the speaker has a use for.
pub const SPEAKER: &str = "The built-in BGP speaker (--bgp-backend speaker)";
const OTHER: &str = "Other";

const fn flag(long: &'static str, heading: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag { long, short: None, env: None, key: "", value: "", default: "", kind, help, heading }
}

/// All flags, in the order of help.
pub const FLAGS: &[Flag] = &[
    Flag {
        key: "networks",
        short: Some('n'),
        env: Some("HA2BGP_NETWORK_FILTER"),
        value: "NETWORK",
        ..flag(
            "network",
            WHAT,
            Kind::List,
            "Allowed network in CIDR form; nothing outside is ever announced. Without any: test \
             mode, only 127.0.0.0/8",
        )
    },
    Flag {
        key: "discover.listen-filter",
        short: Some('l'),
        env: Some("HA2BGP_LISTEN_FILTER"),
        value: "FILTER",
        default: "sport = :80 or sport = :443",
        ..flag(
            "listen-filter",
            WHAT,
            Kind::Value,
            "Which listening sockets count, in the language of ss(8)",
        )
    },
    Flag {
        key: "discover.protocols",
        value: "PROTOCOL",
        default: "tcp",
        ..flag("protocol", WHAT, Kind::List, "Which sockets to look at: tcp, udp")
    },
    Flag {
        key: "discover.doorbell",
        value: "CHOICE",
        default: "auto",
        ..flag(
            "doorbell",
            WHAT,
            Kind::Value,
            "Let the kernel ring when a TCP socket starts or stops to listen (eBPF; with CAP_BPF and \
             CAP_PERFMON), or look from time to time: auto, off",
        )
    },
    Flag {
        key: "discover.devices",
        env: Some("HA2BGP_DEVICE"),
        value: "DEVICE",
        ..flag(
            "device",
            WHAT,
            Kind::Repeated,
            "The IP must be on this interface, a name or a glob such as eth*. Without any: all",
        )
    },
    Flag {
        key: "discover.labels",
        env: Some("HA2BGP_DEVICE_LABEL"),
        value: "LABEL",
        ..flag(
            "device-label",
            WHAT,
            Kind::Repeated,
            "The IP must have this address label, exact or a glob such as lo:*. Without any: all",
        )
    },
    Flag {
        key: "defaults.require-all-ports",
        ..flag(
            "require-all-ports",
            WHAT,
            Kind::Switch,
            "An IP needs every port that was ever seen listening on it, not just one",
        )
    },
    Flag {
        key: "allow-any-network",
        ..flag("allow-any-network", WHAT, Kind::Switch, "Accept 0.0.0.0/0 and ::/0 as --network")
    },
    Flag {
        key: "defaults.up-delay",
        value: "DURATION",
        default: "6s",
        ..flag("up-delay", WHEN, Kind::Value, "How long an IP must be up before it is announced")
    },
    Flag {
        key: "defaults.down-delay",
        value: "DURATION",
        default: "3s",
        ..flag(
            "down-delay",
            WHEN,
            Kind::Value,
            "How long an IP must be down before it is withdrawn",
        )
    },
    Flag {
        key: "defaults.damping",
        value: "on|off",
        default: "on",
        ..flag("damping", WHEN, Kind::Value, "Withdraw and hold what changes too often")
    },
    Flag {
        key: "defaults.damping.penalty",
        value: "NUMBER",
        default: "1000",
        ..flag("damping-penalty", WHEN, Kind::Value, "Penalty for each change")
    },
    Flag {
        key: "defaults.damping.suppress",
        value: "NUMBER",
        default: "5000",
        ..flag("damping-suppress", WHEN, Kind::Value, "Hold an IP when its penalty is above this")
    },
    Flag {
        key: "defaults.damping.reuse",
        value: "NUMBER",
        default: "1000",
        ..flag(
            "damping-reuse",
            WHEN,
            Kind::Value,
            "Release it when its penalty has decayed to this",
        )
    },
    Flag {
        key: "defaults.damping.half-life",
        value: "DURATION",
        default: "15s",
        ..flag("damping-half-life", WHEN, Kind::Value, "The time in which a penalty halves")
    },
    Flag {
        key: "defaults.damping.max-suppress",
        value: "DURATION",
        default: "10m",
        ..flag("damping-max-suppress", WHEN, Kind::Value, "The longest hold after the last change")
    },
    Flag {
        key: "defaults.route.next-hop",
        short: Some('t'),
        env: Some("HA2BGP_NEXTHOP"),
        value: "ADDRESS",
        default: "self",
        ..flag("nexthop", HOW, Kind::Value, "Next hop of the routes: an address, or self")
    },
    Flag {
        key: "backend",
        value: "BACKEND",
        default: "exabgp",
        ..flag(
            "bgp-backend",
            HOW,
            Kind::Value,
            "exabgp: as ExaBGP's process; speaker: straight to routers; test, exabgptest: print the \
             lines for ExaBGP, expect no answers",
        )
    },
    Flag {
        key: "exabgp.api",
        value: "VERSION",
        default: "auto",
        ..flag("exabgp-api", HOW, Kind::Value, "Version of ExaBGP's API: auto, 3, 4, 5 or 6")
    },
    Flag {
        key: "exabgp.group",
        value: "NUMBER|off",
        default: "off",
        ..flag(
            "exabgp-group",
            HOW,
            Kind::Value,
            "From this many waiting routes on, put up to 100 on one line (announce attributes … \
             nlri …); fewer bytes, not faster",
        )
    },
    Flag {
        key: "exabgp.reassert",
        value: "DURATION",
        default: "300s",
        ..flag(
            "reassert",
            HOW,
            Kind::Value,
            "Repeat announcements this often, withdrawals a third as often; 0s: never",
        )
    },
    Flag {
        key: "local-as",
        value: "AS",
        ..flag("local-as", SPEAKER, Kind::Value, "Our AS number")
    },
    Flag {
        key: "router-id",
        value: "ADDRESS",
        ..flag(
            "router-id",
            SPEAKER,
            Kind::Value,
            "Our BGP identifier: an IPv4 address that no other BGP speaker of yours has. Without it: \
             the first IPv4 local address of a peer",
        )
    },
    Flag {
        key: "peer.address",
        value: "ADDRESS",
        ..flag("peer", SPEAKER, Kind::List, "Address of a router to announce to, on port 179")
    },
    Flag {
        key: "peer.remote-as",
        value: "AS",
        ..flag(
            "peer-as",
            SPEAKER,
            Kind::List,
            "AS number of the peers: one for all, or one for each in the same order",
        )
    },
    Flag {
        key: "peer.local-address",
        value: "ADDRESS",
        ..flag(
            "local-address",
            SPEAKER,
            Kind::Value,
            "Address of this host that sessions come from. Without it: what the kernel chooses",
        )
    },
    Flag {
        key: "listen",
        value: "ADDRESS",
        ..flag(
            "listen",
            SPEAKER,
            Kind::List,
            "Let peers connect too, to port 179 of this address of ours (CAP_NET_BIND_SERVICE). \
             Without any there is no listening socket",
        )
    },
    Flag {
        key: "peer.password-file",
        value: "PATH",
        ..flag(
            "password-file",
            SPEAKER,
            Kind::Value,
            "File with the key of TCP MD5 signatures (RFC 2385), one line of at most 80 bytes",
        )
    },
    Flag {
        key: "peer.ttl-security",
        ..flag(
            "ttl-security",
            SPEAKER,
            Kind::Switch,
            "Send with TTL 255 and accept nothing less: peers are neighbors (GTSM, RFC 5082)",
        )
    },
    Flag {
        key: "peer.multihop",
        value: "HOPS|off",
        default: "off",
        ..flag(
            "multihop",
            SPEAKER,
            Kind::Value,
            "Peers may be this many hops away. Without it external peers must be neighbors",
        )
    },
    Flag {
        key: "peer.hold-time",
        value: "DURATION",
        default: "9s",
        ..flag(
            "hold-time",
            SPEAKER,
            Kind::Value,
            "A peer that is silent this long is down, and we are for it; the smaller one of both \
             sides counts; 0s: never",
        )
    },
    Flag {
        key: "drain-time",
        value: "DURATION",
        default: "0s",
        ..flag(
            "drain-time",
            SPEAKER,
            Kind::Value,
            "When stopped, announce as the last choice (GRACEFUL_SHUTDOWN, RFC 8326) for this long \
             before withdrawing; a second signal withdraws at once",
        )
    },
    Flag {
        key: "state-file",
        env: Some("HA2BGP_STATE_FILE"),
        value: "PATH|off",
        default: "auto",
        ..flag(
            "state-file",
            OTHER,
            Kind::Value,
            "What is announced, for the process that comes after this one. auto: \
             $RUNTIME_DIRECTORY/state, else /run/ha2bgp/state; nowhere with --bgp-backend test",
        )
    },
    Flag {
        key: "history-file",
        env: Some("HA2BGP_HISTORY_FILE"),
        value: "PATH|off",
        default: "auto",
        ..flag(
            "history-file",
            OTHER,
            Kind::Value,
            "What happened, for `ha2bgp history`. auto: $STATE_DIRECTORY/history.jsonl, else in \
             /var/lib/ha2bgp where that is, $RUNTIME_DIRECTORY or /run/ha2bgp; nowhere with \
             --bgp-backend test",
        )
    },
    Flag {
        env: Some("HA2BGP_CONFIG"),
        value: "FILE",
        ..flag(
            "config",
            OTHER,
            Kind::Repeated,
            "Configuration file, or directory of *.toml files, see docs/configuration.md; flags and \
             variables win over it",
        )
    },
    Flag {
        key: "discover.haproxy-socket",
        short: Some('s'),
        env: Some("HA2BGP_HAPROXY_SOCKET"),
        value: "SOCKET",
        ..flag(
            "socket",
            WHAT,
            Kind::Value,
            "Ask HAProxy on its stats socket, a path or an address with a port: an IP that one of its \
             frontends serves needs that frontend open and a server up. Without it HAProxy is not \
             asked",
        )
    },
    Flag {
        key: "discover.haproxy-config",
        env: Some("HA2BGP_HAPROXY_CONFIG"),
        value: "FILE",
        ..flag(
            "haproxy-config",
            WHAT,
            Kind::List,
            "HAProxy's configuration files and directories, for --socket: they tell which frontend \
             serves which IP. Without any: those of HAProxy's command line",
        )
    },
    Flag {
        key: "log.format",
        env: Some("HA2BGP_LOG_FORMAT"),
        value: "FORMAT",
        default: "auto",
        ..flag(
            "log-format",
            OTHER,
            Kind::Value,
            "text, json (an object a line) or journald (entries with fields). auto: journald where \
             stderr is the journal's, else text",
        )
    },
    Flag { key: "log.no-color", ..flag("no-color", OTHER, Kind::Switch, "No colours in the log") },
    Flag {
        key: "log.debug",
        short: Some('d'),
        ..flag("debug", OTHER, Kind::Switch, "Log every step")
    },
];

/// Adds the flags to a command.
pub fn add_to(command: Command) -> Command {
    command.args(FLAGS.iter().map(|flag| {
        let arg = Arg::new(flag.long)
            .long(flag.long)
            .help(help(flag))
            .help_heading(flag.heading)
            .action(ArgAction::Append);
        let arg = flag.short.map_or(arg.clone(), |short| arg.clone().short(short));
        match flag.kind {
            // The value stays text: every bad one is reported, with the others, at one place.
            Kind::Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .hide_possible_values(true),
            Kind::Value | Kind::List | Kind::Repeated => arg.value_name(flag.value),
        }
    }))
}

fn help(flag: &Flag) -> String {
    let mut text = flag.help.to_owned();
    if !flag.default.is_empty() {
        text.push_str(&format!(" [default: {}]", flag.default));
    }
    if let Some(env) = flag.env {
        text.push_str(&format!(" [env: {env}]"));
    }
    if matches!(flag.kind, Kind::List | Kind::Repeated) {
        text.push_str(" [repeatable]");
    }
    text
}

/// Rewrites Go's spellings into GNU's: `-network X`, `-network=X`, `-debug=false`, `--n X`.
///
/// Nothing behind `--` is touched.
pub fn from_go_style(args: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut only_values = false;
    args.into_iter()
        .map(|arg| {
            only_values |= arg == "--";
            if only_values { arg } else { rewrite(arg) }
        })
        .collect()
}

fn rewrite(arg: String) -> String {
    let name_of = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let is_long = |name: &str| {
        ["help", "version"].contains(&name) || FLAGS.iter().any(|flag| flag.long == name)
    };
    if let Some(rest) = arg.strip_prefix("--") {
        let name = name_of(rest);
        let mut letters = name.chars();
        let is_short = match (letters.next(), letters.next()) {
            (Some(letter), None) => FLAGS.iter().any(|flag| flag.short == Some(letter)),
            _ => false,
        };
        return if is_short || name == "h" { format!("-{rest}") } else { arg };
    }
    // Go has no bundles and no attached values: a dash with a word is a name, known or not, so
    // that a misspelt one is reported as such.
    let is_word = |name: &str| {
        name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
    };
    match arg.strip_prefix('-') {
        Some(rest) if is_long(&name_of(rest)) || is_word(&name_of(rest)) => format!("--{rest}"),
        _ => arg,
    }
}

/// The reference page of the flags, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Flags\n\nMade from the program's own table: `cargo test -p ha2bgp` rewrites this page when it is out of date.\n\n\
         A flag wins over its environment variable, a variable over the [configuration \
         file](../configuration.md), that over the default. Go's spellings (`-network X`, \
         `-debug=false`) work too. Durations are whole numbers with a unit: `us`, \
         `ms`, `s`, `m`, `h`, `d`.\n",
    );
    let mut heading = "";
    for flag in FLAGS {
        if flag.heading != heading {
            heading = flag.heading;
            page.push_str(&format!(
                "\n## {heading}\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
            ));
        }
        let short = flag.short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
        let value = match flag.kind {
            Kind::Switch => String::new(),
            _ => format!(" {}", flag.value.replace('|', "\\|")),
        };
        let repeated =
            if matches!(flag.kind, Kind::List | Kind::Repeated) { " Repeatable." } else { "" };
        let code = |text: &str| {
            if text.is_empty() { String::new() } else { format!("`{text}`") }
        };
        page.push_str(&format!(
            "| {short}`--{}{value}` | {} | {} | {}.{repeated} |\n",
            flag.long,
            code(flag.env.unwrap_or_default()),
            code(flag.default),
            flag.help,
        ));
    }
    page
}

/// Compares a page with what it is made from; rewrites it, once, when it is out of date.
#[cfg(test)]
pub(crate) fn assert_fresh(page: &str, want: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    if std::fs::read_to_string(&path).unwrap_or_default() == want {
        return;
    }
    std::fs::write(path, want).unwrap();
    panic!("{page} was out of date; it is rewritten now: look at it and commit it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_variables_are_unique() {
        let mut seen = BTreeSet::new();
        for flag in FLAGS {
            assert!(seen.insert(flag.long.to_owned()), "--{} twice", flag.long);
            assert!(flag.short.is_none_or(|short| seen.insert(short.to_string())));
            assert!(flag.env.is_none_or(|env| seen.insert(env.to_owned())), "{:?} twice", flag.env);
        }
    }

    #[test]
    fn go_spellings_become_gnu_spellings() {
        for (given, want) in [
            ("-network 10.0.0.0/8", "--network 10.0.0.0/8"),
            ("-network=10.0.0.0/8", "--network=10.0.0.0/8"),
            ("--n 10.0.0.0/8", "-n 10.0.0.0/8"),
            ("-n 10.0.0.0/8 -d", "-n 10.0.0.0/8 -d"),
            ("-debug=false", "--debug=false"),
            ("-no-color -help", "--no-color --help"),
            ("-netwrok 10.0.0.0/8", "--netwrok 10.0.0.0/8"),
            ("-n10.0.0.0/8", "-n10.0.0.0/8"),
            ("-- -network", "-- -network"),
        ] {
            let given = given.split(' ').map(str::to_owned);
            assert_eq!(from_go_style(given).join(" "), want);
        }
    }

    #[test]
    fn the_reference_page_is_fresh() {
        assert_fresh("docs/reference/flags.md", &reference());
    }
}
