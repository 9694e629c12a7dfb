//! The keys of the configuration file as one table: reading, "did you mean" and the reference are
//! made from it. Keys that stand for a flag are in the table of flags; here are the others.

use crate::cli::flags::{self, FLAGS, Flag};

/// What a key takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// `true` or `false`, `"on"` or `"off"`, or a table.
    Switch,
    /// A whole number.
    Number,
    /// A whole number; `false` or `"off"` for none.
    NumberOrOff,
    /// A whole number, or text such as `"50%"`.
    NumberOrText,
    /// `true`, `false` or a whole number.
    NumberOrBool,
    /// An AS number: a whole number, or text such as `"1.10"`.
    As,
    /// Text.
    Text,
    /// Text: a whole number with a unit.
    Duration,
    /// Text: a path; a relative one begins at the directory of the file.
    Path,
    /// A list of texts; one text alone is a list of one.
    Texts,
    /// A list of whole numbers; one alone is a list of one.
    Numbers,
}

impl Kind {
    /// What to write, for errors and for the reference.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Switch => "true, false or a table",
            Self::Number => "a whole number",
            Self::NumberOrOff => "a whole number or \"off\"",
            Self::NumberOrText => "a whole number or a text in quotes",
            Self::NumberOrBool => "true, false or a whole number",
            Self::As => "an AS number",
            Self::Text => "a text in quotes",
            Self::Duration => "a duration in quotes such as \"3s\"",
            Self::Path => "a path in quotes",
            Self::Texts => "a list of texts in quotes",
            Self::Numbers => "a list of whole numbers",
        }
    }

    /// Whether `true` and `false` are values of it.
    pub(super) const fn takes_bool(self) -> bool {
        matches!(self, Self::Bool | Self::Switch | Self::NumberOrBool)
    }

    /// Whether numbers are values of it. A duration takes them to say that the unit is missing.
    pub(super) const fn takes_number(self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::NumberOrOff
                | Self::NumberOrText
                | Self::NumberOrBool
                | Self::As
                | Self::Duration
                | Self::Numbers
        )
    }

    /// Whether a text in quotes is a value of it.
    pub(super) const fn takes_text(self) -> bool {
        !matches!(self, Self::Bool | Self::Number | Self::NumberOrBool | Self::Numbers)
    }

    /// Whether it is a list.
    pub(in crate::config) const fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Numbers)
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The whole key: `defaults.damping.reuse`, `peer.hold-time`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The value when it is not given, as text; empty when there is none.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// A key in one line.
pub const fn key(path: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { path, kind, default, help }
}

/// The keys that have no flag, in the order of the reference.
pub const KEYS: &[Key] = &[
    key("defaults.route.med", Kind::Number, "", "MULTI_EXIT_DISC of every route"),
    key("defaults.route.local-pref", Kind::Number, "100", "LOCAL_PREF, for peers in our own AS"),
    key(
        "defaults.route.prepend",
        Kind::Number,
        "0",
        "How often our AS is prepended beyond the one that must be there, for peers in other ASes; at most 16",
    ),
    key(
        "defaults.route.communities",
        Kind::Texts,
        "",
        "Communities (RFC 1997): `65000:80`, or a name such as `no-export`",
    ),
    key(
        "defaults.route.extended-communities",
        Kind::Texts,
        "",
        "Extended communities (RFC 4360): `target:65000:1`, `origin:65000:1`, \
         `link-bandwidth:65000:125000000` (octets each second; `link-bandwidth-transitive` for the \
         transitive form), `generic:0x0002fde800000001`",
    ),
    key(
        "defaults.route.large-communities",
        Kind::Texts,
        "",
        "Large communities (RFC 8092): `65000:1:2`",
    ),
    key(
        "defaults.route.last-choice.med",
        Kind::NumberOrOff,
        "4294967295",
        "MULTI_EXIT_DISC in the place of `med`; `\"off\"`: that of all routes. Routers compare it \
         between routes from one AS only",
    ),
    key(
        "defaults.route.last-choice.local-pref",
        Kind::Number,
        "0",
        "LOCAL_PREF in the place of `local-pref`, for peers in our own AS",
    ),
    key(
        "defaults.route.last-choice.prepend",
        Kind::Number,
        "3",
        "How often our AS is prepended beyond `prepend`, for peers in other ASes; at most 16",
    ),
    key(
        "defaults.route.last-choice.communities",
        Kind::Texts,
        "graceful-shutdown",
        "Communities beside `communities`, at most 8 of them for ExaBGP",
    ),
    key(
        "defaults.on-warn",
        Kind::Text,
        "announce",
        "What follows when the rule of a service warns: `announce` nothing, it is only shown; \
         `depreference` it is announced as the last choice",
    ),
    key(
        "defaults.on-failure",
        Kind::Text,
        "withdraw",
        "What follows when the rule of a service fails: `withdraw`; `depreference` it is announced as the \
         last choice, for the day on which it fails everywhere; `absorb` it stays announced if it was, as \
         under an attack that would only move on to the neighbors. A VIP that is no address of this host \
         is withdrawn in any case",
    ),
    key("service.name", Kind::Text, "", "What people call it; no two services have the same name"),
    key(
        "service.vips",
        Kind::Texts,
        "",
        "Its addresses: services from the start, whether anything listens or not",
    ),
    key(
        "service.networks",
        Kind::Texts,
        "",
        "Where addresses that are found by their listening sockets belong to it; each must be inside \
         one of the networks at the top. The smallest network around an address counts",
    ),
    key(
        "service.rule",
        Kind::Text,
        "",
        "How its checks make one verdict: `all(…)`, `any(…)`, `at-least(2, a*2, b, c)`, `not(…)` over \
         the names of its checks, of those in [checks], `listen` and `address`. Without it: \
         `all(listen, address, …)` with every check of its own",
    ),
    key("service.up-delay", Kind::Duration, "", "As in [defaults], for this service"),
    key("service.down-delay", Kind::Duration, "", "As in [defaults], for this service"),
    key("service.on-warn", Kind::Text, "", "As in [defaults], for this service"),
    key("service.on-failure", Kind::Text, "", "As in [defaults], for this service"),
    key("service.damping", Kind::Switch, "", "As in [defaults], for this service"),
    key("service.damping.penalty", Kind::Number, "", "As in [defaults.damping]"),
    key("service.damping.suppress", Kind::Number, "", "As in [defaults.damping]"),
    key("service.damping.reuse", Kind::Number, "", "As in [defaults.damping]"),
    key("service.damping.half-life", Kind::Duration, "", "As in [defaults.damping]"),
    key("service.damping.max-suppress", Kind::Duration, "", "As in [defaults.damping]"),
    key(
        "limits.probes",
        Kind::Number,
        "16384",
        "The most probes over the network at once; fewer where this process may have fewer open files",
    ),
    key(
        "history-size",
        Kind::Text,
        "4MiB",
        "How much of what happened is kept on disk, in two files, from 64KiB to 1GiB",
    ),
    key(
        "overrides-file",
        Kind::Text,
        "auto",
        "Where overrides (drain, maintenance, force) are kept over a restart: a file, or `off`; `auto` is \
         `/var/lib/ha2bgp/overrides.json`, or in `/run/ha2bgp`",
    ),
    key(
        "record",
        Kind::Path,
        "",
        "The flight recorder: a file that every input of the engine and every decision is written into, \
         for `ha2bgp replay`. Without it nothing is recorded",
    ),
    key(
        "record-size",
        Kind::Text,
        "64MiB",
        "How much that file and the one before it (`.1`) may have together, 64KiB to 1024GiB",
    ),
    key(
        "guard.max-withdrawals.count",
        Kind::Number,
        "",
        "The most withdrawals that checks may bring about in the time `per`; what is beyond is announced as \
         the last choice until there is room. Operators are never held",
    ),
    key("guard.max-withdrawals.per", Kind::Duration, "", "That time, 1s to 24h"),
    key(
        "control.unix",
        Kind::Path,
        "",
        "The socket of the control interface, such as `/run/ha2bgp/ha2bgp.sock`. Without it there is \
         none",
    ),
    key(
        "control.status-file",
        Kind::Path,
        "",
        "A file with a line for each service, written anew when something happens and every 15 s",
    ),
    key(
        "control.status-pipe",
        Kind::Path,
        "",
        "A named pipe that gives the same to each reader; it is made where there is none",
    ),
    key(
        "control.node-exporter-file",
        Kind::Path,
        "",
        "A file with the metrics for node_exporter's textfile collector, every 15 s; its name ends with \
         `.prom`",
    ),
    key(
        "control.mode",
        Kind::Text,
        "0660",
        "Who may use it: the permissions of the socket file, in octal digits",
    ),
    key(
        "control.group",
        Kind::Text,
        "",
        "The group of the socket file, whose members may write: a name in /etc/group, or a number. \
         Without it: that of this process",
    ),
    key(
        "control.write-users",
        Kind::Texts,
        "",
        "Users who may write over the socket beside root, the user of this process and the members \
         of `group`: names in /etc/passwd, or numbers. Who else can open it reads",
    ),
    key(
        "control.http",
        Kind::Texts,
        "",
        "Addresses with ports for the same interface over TCP, such as `127.0.0.1:9179`. Beyond the \
         loopback it needs `tokens-file` and TLS",
    ),
    key(
        "control.tokens-file",
        Kind::Path,
        "",
        "A file with a token a line, `NAME read|write SECRET`, for requests over TCP; it is read again \
         on a reload. Without it everybody reads and nobody writes",
    ),
    key(
        "control.tls-certificate",
        Kind::Path,
        "",
        "A file with the certificate for TLS over TCP, in PEM, ours first",
    ),
    key(
        "control.tls-key",
        Kind::Path,
        "",
        "The file with its private key, in PEM, without a password",
    ),
    key(
        "control.insecure",
        Kind::Bool,
        "false",
        "`true`: listen beyond the loopback without tokens or without TLS: whoever reaches the port \
         reads, and whoever sees the traffic has the tokens",
    ),
    key(
        "limits.plugins",
        Kind::Number,
        "16",
        "The most plugins that run at once; fewer where this process may have fewer open files",
    ),
    key("peer.description", Kind::Text, "", "A name for people, shown in the log"),
    key("peer.port", Kind::Number, "179", "The port to connect to, 1 to 65535"),
    key(
        "peer.mode",
        Kind::Text,
        "active",
        "Who connects: `active` we do, `passive` the peer does, `both`. `both` is the default where \
         `listen` is given, and `passive` and `both` need it",
    ),
    key("peer.bind-device", Kind::Text, "", "The interface that the session is bound to"),
    key(
        "peer.keepalive-time",
        Kind::Duration,
        "",
        "How often a KEEPALIVE goes out, 1s at least; without it, and at most, a third of the hold \
         time that was agreed on",
    ),
    key("peer.connect-retry", Kind::Duration, "1s", "The first pause between attempts to connect"),
    key(
        "peer.connect-retry-max",
        Kind::Duration,
        "60s",
        "The longest one: the pause doubles until there",
    ),
    key(
        "peer.idle-hold",
        Kind::Duration,
        "1s",
        "The first pause after a session was lost or refused",
    ),
    key("peer.idle-hold-max", Kind::Duration, "60s", "The longest one"),
    key(
        "peer.stable-after",
        Kind::Duration,
        "30s",
        "A session that stood so long makes the pauses short again",
    ),
    key(
        "peer.send-hold-time",
        Kind::Duration,
        "8m",
        "How long the peer may take nothing of what is sent; at least twice the hold time (RFC 9687)",
    ),
    key(
        "peer.families",
        Kind::Texts,
        "",
        "`ipv4`, `ipv6` or both. Without it: what can be announced over this session",
    ),
    key(
        "peer.networks",
        Kind::Texts,
        "",
        "Only routes inside are announced to this peer; each must be inside one of the networks at \
         the top. Without it: all of those",
    ),
    key(
        "peer.next-hop",
        Kind::Texts,
        "",
        "Next hop of the routes, an address of each family at most, or `self`. Without it: that of \
         [defaults.route], or our end of the session",
    ),
    key(
        "peer.link-local-next-hop",
        Kind::Text,
        "double",
        "How the next hop is spelled for a link-local peer: `double` our address twice, as FRR does \
         it, `native` `::` and our address, as BIRD does it, `single` our address alone \
         (draft-ietf-idr-linklocal-capability)",
    ),
    key("peer.med", Kind::Number, "", "As in [defaults.route], for this peer"),
    key("peer.local-pref", Kind::Number, "", "As in [defaults.route]; only within our own AS"),
    key("peer.prepend", Kind::Number, "", "As in [defaults.route]; only to another AS"),
    key("peer.communities", Kind::Texts, "", "In the place of those of [defaults.route]"),
    key("peer.extended-communities", Kind::Texts, "", "In the place of those of [defaults.route]"),
    key("peer.large-communities", Kind::Texts, "", "In the place of those of [defaults.route]"),
    key(
        "peer.last-choice.med",
        Kind::NumberOrOff,
        "",
        "As in [defaults.route.last-choice], for this peer",
    ),
    key(
        "peer.last-choice.local-pref",
        Kind::Number,
        "",
        "As in [defaults.route.last-choice]; only within our own AS",
    ),
    key(
        "peer.last-choice.prepend",
        Kind::Number,
        "",
        "As in [defaults.route.last-choice]; only to another AS",
    ),
    key(
        "peer.last-choice.communities",
        Kind::Texts,
        "",
        "In the place of those of [defaults.route.last-choice]",
    ),
    key(
        "peer.role",
        Kind::Text,
        "",
        "What we are to the peer (RFC 9234): `provider`, `customer`, `peer`, `rs` (route server) or \
         `rs-client`; only to another AS",
    ),
    key("peer.strict-role", Kind::Bool, "false", "Refuse a peer that tells no role"),
    key(
        "peer.max-prefixes",
        Kind::Number,
        "",
        "More prefixes from the peer end the session (Cease/1). Without it: no limit; received \
         routes are not kept",
    ),
    key(
        "peer.add-path",
        Kind::NumberOrBool,
        "false",
        "Send a path identifier with each route (RFC 7911), this one or 1, to a peer that takes \
         them",
    ),
    key(
        "peer.count-announcers",
        Kind::Bool,
        "false",
        "Count in the status who else announces our prefixes, as far as the peer tells; it tells \
         all where it sends add-path (RFC 7911)",
    ),
    key(
        "peer.graceful-restart",
        Kind::Switch,
        "true",
        "Ask the peer to keep our routes while we restart (RFC 4724)",
    ),
    key(
        "peer.graceful-restart.restart-time",
        Kind::Duration,
        "20s",
        "How long it keeps them, 1s to 4095s",
    ),
    key(
        "peer.graceful-restart.notification",
        Kind::Bool,
        "false",
        "Also when the hold timer expires (RFC 8538): a dead host then attracts traffic for hold \
         time and restart time together",
    ),
    key("peer.capabilities.route-refresh", Kind::Bool, "true", "ROUTE-REFRESH (RFC 2918)"),
    key(
        "peer.capabilities.enhanced-route-refresh",
        Kind::Bool,
        "true",
        "Its beginning and end are marked (RFC 7313)",
    ),
    key(
        "peer.capabilities.extended-next-hop",
        Kind::Bool,
        "true",
        "IPv4 routes with IPv6 next hops (RFC 8950)",
    ),
    key(
        "peer.capabilities.extended-messages",
        Kind::Bool,
        "true",
        "Messages longer than 4096 octets are understood (RFC 8654)",
    ),
    key("peer.capabilities.send-extended-messages", Kind::Bool, "false", "And sent"),
    key("peer.capabilities.fqdn", Kind::Bool, "true", "Tell the peer the name of this host"),
    key(
        "peer.capabilities.none",
        Kind::Bool,
        "false",
        "No capabilities at all, for peers that cannot bear any: IPv4 and AS numbers below 65536 \
         only",
    ),
];

/// Keys of flags that need other words in a file than on the command line.
pub(super) const WORDS: &[(&str, &str)] = &[
    (
        "networks",
        "Allowed networks in CIDR form; nothing outside is ever announced. Without any: test mode, \
         only 127.0.0.0/8",
    ),
    ("allow-any-network", "Accept 0.0.0.0/0 and ::/0 in `networks`"),
    (
        "defaults.route.next-hop",
        "Next hop of the routes: `self`, or an address of each family at most; one alone for ExaBGP",
    ),
    (
        "listen",
        "Let peers connect too, to port 179 of these addresses of ours (CAP_NET_BIND_SERVICE). \
         Without any there is no listening socket",
    ),
    (
        "peer.address",
        "Address of the router; it is connected to on `port`. A link-local one needs the interface: \
         `fe80::1%eth0`",
    ),
    ("peer.remote-as", "Its AS number; the same one as ours makes it iBGP"),
    (
        "peer.local-address",
        "Address of this host that the session comes from. Without it: what the kernel chooses",
    ),
    (
        "peer.ttl-security",
        "`true`: the peer is a neighbor; send with TTL 255 and accept nothing less (GTSM, RFC \
         5082). A number from 1 to 254: it is at most so many hops away",
    ),
    (
        "peer.multihop",
        "The peer may be this many hops away. Without it a peer in another AS must be a neighbor",
    ),
    (
        "peer.hold-time",
        "A peer that is silent this long is down, and we are for it; the smaller one of both sides \
         counts; `0s`: never, else 3s to 65535s",
    ),
];

/// How keys of files with secrets end, whatever section they stand in: others shall not read those.
pub const SECRETS: &[&str] = &["password-file", "tls-key", "tokens-file"];

/// Keys that one might write, and what this version says to them.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "peer.bfd",
        "this version has no BFD: leave it out; hold-time says how soon a dead host is noticed",
    ),
    (
        "peer.as-path",
        "a path begins with our AS, and nothing but our AS can be added: write prepend = N for N \
         more of it",
    ),
    (
        "peer.password",
        "secrets do not belong into this file: write the key into a file of its own and name that \
         in password-file",
    ),
    ("peer.tcp-ao", "this version has no TCP-AO (RFC 5925): use password-file (TCP MD5)"),
];

/// Every key, those of flags first.
pub fn all() -> impl Iterator<Item = Key> {
    FLAGS.iter().filter(|flag| !flag.key.is_empty()).map(of_flag).chain(KEYS.iter().copied())
}

/// The key of that name.
pub fn find(path: &str) -> Option<Key> {
    all().find(|key| key.path == path)
}

/// Whether keys stand under that name.
pub fn is_section(path: &str) -> bool {
    all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The name within `[[peer]]`, for keys that stand there.
pub fn of_peer(path: &'static str) -> Option<&'static str> {
    path.strip_prefix("peer.")
}

/// The name within a section of which there may be many, for keys that stand there.
pub fn of_entry(path: &'static str) -> Option<&'static str> {
    of_peer(path).or_else(|| path.strip_prefix("service."))
}

/// What stands directly in a section (the empty one is the top), keys and sections.
pub fn within(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = all()
        .filter_map(|key| match section {
            "" => Some(key.path),
            _ => key.path.strip_prefix(section)?.strip_prefix('.'),
        })
        .filter_map(|rest| rest.split('.').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A key that stands for a flag. What flags call their values says what a file may hold.
fn of_flag(flag: &Flag) -> Key {
    let one_of_list = of_peer(flag.key).is_some();
    let kind = match (flag.kind, flag.value) {
        // The one flag that is a value, and a list in a file: an address of each family.
        _ if flag.key == "defaults.route.next-hop" => Kind::Texts,
        (flags::Kind::Switch, _) if flag.long == "ttl-security" => Kind::NumberOrBool,
        (flags::Kind::Switch, _) => Kind::Bool,
        (flags::Kind::List | flags::Kind::Repeated, _) if !one_of_list => Kind::Texts,
        (_, "AS") => Kind::As,
        (_, "DURATION") => Kind::Duration,
        (_, "NUMBER") => Kind::Number,
        (_, "NUMBER|off" | "HOPS|off") => Kind::NumberOrOff,
        (_, "on|off") => Kind::Switch,
        (_, "PATH") => Kind::Path,
        _ => Kind::Text,
    };
    let default = match flag.kind {
        flags::Kind::Switch if flag.default.is_empty() => "false",
        _ => flag.default,
    };
    let words = WORDS.iter().find(|(path, _)| *path == flag.key);
    Key { path: flag.key, kind, default, help: words.map_or(flag.help, |(_, words)| *words) }
}
