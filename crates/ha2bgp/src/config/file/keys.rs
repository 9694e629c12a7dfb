//! The keys of the configuration file as one table: reading, "did you mean" and the reference are
//! made from it. Keys that stand for a flag are in the table of flags; here are the others.

mod table;

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
pub use self::table::KEYS;

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
pub const SECRETS: &[&str] = &["password-file", "auth-file", "tls-key", "tokens-file"];

/// Keys that one might write, and what this version says to them.
pub const REFUSED: &[(&str, &str)] = &[
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
