//! The keys that have no flag.

use super::{Key, Kind, key};

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
        "drain-settle",
        Kind::Duration,
        "2s",
        "After a drain has reached every router: how long they get to move the traffic before \
         connections are counted; at most 1h",
    ),
    key(
        "exabgp.drain",
        Kind::Text,
        "last-choice",
        "How routes go out that an operator drains: `last-choice` as any that is the last choice, \
         `gshut` with GRACEFUL_SHUTDOWN and LOCAL_PREF 0 alone, `med` with the worst MED alone, \
         `withdraw` not at all",
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
        "watch-config",
        Kind::Bool,
        "false",
        "Watch the configuration files and password files, and reload when they have changed",
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
    key(
        "bfd.realtime",
        Kind::Bool,
        "true",
        "The thread of BFD goes before all that have no real-time priority (SCHED_FIFO), where \
         that is allowed; counts from a restart on",
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
        "peer.drain",
        Kind::Text,
        "last-choice",
        "How routes go out that an operator drains: `last-choice` as any that is the last choice, \
         `gshut` with GRACEFUL_SHUTDOWN alone (RFC 8326; LOCAL_PREF 0 within our own AS), `med` with \
         its MED alone, `prepend` with its longer path alone, `withdraw` not at all",
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
    key(
        "peer.bfd",
        Kind::Switch,
        "false",
        "Watch the way to it with BFD (RFC 5880), and end the session at once when it fails",
    ),
    key("peer.bfd.tx", Kind::Duration, "300ms", "How often we send, 10ms to 60s"),
    key(
        "peer.bfd.rx",
        Kind::Duration,
        "300ms",
        "How often we want to receive at most, 10ms to 60s",
    ),
    key(
        "peer.bfd.multiplier",
        Kind::Number,
        "3",
        "So many packets in a row must be missing for the peer to give us up, 1 to 255; its own \
         counts for us",
    ),
    key(
        "peer.bfd.multihop",
        Kind::Bool,
        "",
        "It may be several hops away (RFC 5883): UDP port 4784 instead of 3784. Without it: true \
         where `multihop` or `ttl-security` says more than one hop",
    ),
    key(
        "peer.bfd.min-ttl",
        Kind::Number,
        "",
        "With `multihop`: packets with a lower TTL come from too far away, 1 to 255",
    ),
    key(
        "peer.bfd.strict",
        Kind::Bool,
        "false",
        "BGP waits until the BFD session is up; without it BGP does without BFD that never was",
    ),
    key(
        "peer.bfd.auth-type",
        Kind::Text,
        "",
        "How packets are authenticated: `simple`, `keyed-md5`, `meticulous-keyed-md5`, \
         `keyed-sha1`, `meticulous-keyed-sha1`",
    ),
    key("peer.bfd.auth-key-id", Kind::Number, "1", "The number of the key, 0 to 255"),
    key("peer.bfd.auth-file", Kind::Path, "", "A file with the key in it, in one line"),
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
