//! `type = "haproxy"`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ha2bgp_proto::haproxy::judge::{
    Amount, Backends, Backups, Maintenance, Quantifier, Requirement,
};

use super::super::duration;
use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Watched;
use crate::observe::check::haproxy::{HaproxyProbe, Socket, Source};

/// Where Debian's HAProxy has its stats socket.
const SOCKET: &str = "/run/haproxy/admin.sock";

/// What HAProxy says of itself.
pub(super) const KIND: Kind = Kind {
    name: "haproxy",
    about: "HAProxy's frontend is open, and its backends have servers that are up.",
    keys: &[
        key(
            "socket",
            keys::Kind::Text,
            SOCKET,
            "HAProxy's stats socket or master socket, an absolute path or `127.0.0.1:9999`; `level \
             user` is enough",
        ),
        key(
            "frontend",
            keys::Kind::Texts,
            "",
            "Frontends that must be open. Without it: those that serve the VIP, by HAProxy's listener \
             rows (`option socket-stats`) and its configuration files",
        ),
        key(
            "port",
            keys::Kind::Number,
            "",
            "Of the frontends that serve the VIP only those at this port",
        ),
        key(
            "backends",
            keys::Kind::Texts,
            "",
            "Backends that must have servers up. Without it: those that the frontends use \
             (`default_backend`, `use_backend`, a `listen` itself)",
        ),
        key("of-backends", keys::Kind::Text, "each", "`each` backend must, or `any` one"),
        key(
            "min-servers",
            keys::Kind::NumberOrText,
            "1",
            "So many servers of a backend must be up, or a share such as \"50%\"; fewer is a fail",
        ),
        key(
            "warn-servers",
            keys::Kind::NumberOrText,
            "",
            "The same above `min-servers`; fewer is a warning",
        ),
        key("weighted", keys::Kind::Bool, "false", "Count weights, not heads"),
        key(
            "backups",
            keys::Kind::Text,
            "when-active-down",
            "How backup servers count: `when-active-down` as HAProxy uses them, `count` like others, \
             `ignore`",
        ),
        key("drain", keys::Kind::Text, "down", "How servers that drain count: `down` or `up`"),
        key(
            "maintenance",
            keys::Kind::Text,
            "excluded",
            "How servers in maintenance count in a share: `excluded` or `down`",
        ),
        key(
            "config",
            keys::Kind::Texts,
            "",
            "HAProxy's configuration files and directories, absolute paths. Without it: those of its \
             command line",
        ),
        key(
            "reload-grace",
            keys::Kind::Duration,
            "10s",
            "For so long the last status counts when HAProxy may be reloading: a proxy is missing, the \
             socket does not answer, but the process lives",
        ),
        key(
            "interval",
            keys::Kind::Duration,
            "1s",
            "How often HAProxy is asked, 10ms at least; checks of one socket share the question",
        ),
        key("timeout", keys::Kind::Duration, "1s", "An answer that takes longer counts as none"),
        key("rise", keys::Kind::Number, "1", "HAProxy counts by itself; more comes on top of that"),
        key("fall", keys::Kind::Number, "1", "The same"),
    ],
    groups: &[COUNTING, POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let socket = fields.get("socket", socket);
    let frontends = fields.all("frontend", name);
    let port = fields.get("port", common::port);
    if port.is_some() && !frontends.is_empty() {
        fields
            .fail("port", "is for frontends that are found by the VIP: leave it out, or frontend");
    }
    let named = fields.all("backends", name);
    let backends =
        if named.is_empty() { Backends::OfFrontend(named) } else { Backends::Named(named) };
    let min_servers = fields.get("min-servers", amount)?;
    let warn_servers = fields.get("warn-servers", amount);
    if warn_servers.is_some_and(|warn| !is_above(warn, min_servers)) {
        let error = format!("never warns: write more than min-servers, {min_servers}");
        fields.fail("warn-servers", error);
    }
    let requirement = Requirement {
        quantifier: fields.get("of-backends", quantifier)?,
        min_servers,
        warn_servers,
        weighted: fields.on("weighted"),
        backups: fields.get("backups", backups)?,
        drain_is_up: fields.get("drain", drain)?,
        maintenance: fields.get("maintenance", maintenance)?,
        ..Requirement::new(frontends, backends)
    };
    let per_vip = requirement.frontends.is_empty();
    let timing = common::timing(fields)?;
    let source = Source {
        socket: socket?,
        config: fields.all("config", config_path),
        interval: timing.interval,
        timeout: timing.timeout,
    };
    let reload_grace = fields.get("reload-grace", duration::parse)?;
    let probe = HaproxyProbe { source, requirement, port, reload_grace, implicit: false };
    Some(Read::watched(Watched::Haproxy(probe), per_vip))
}

/// What `--socket` asks of every VIP that is found.
pub(in crate::config) fn implicit(socket: Socket, config: Vec<PathBuf>) -> HaproxyProbe {
    let second = Duration::from_secs(1);
    HaproxyProbe {
        source: Source { socket, config, interval: second, timeout: second },
        requirement: Requirement::new(Vec::new(), Backends::OfFrontend(Vec::new())),
        port: None,
        reload_grace: 10 * second,
        implicit: true,
    }
}

/// A path, or an address with a port. What HAProxy puts before them is understood too.
pub(in crate::config) fn socket(text: &str) -> Result<Socket, String> {
    let bare = text.strip_prefix("unix@").unwrap_or(text);
    let address = ["ipv4@", "ipv6@", "tcp@"].iter().find_map(|word| text.strip_prefix(word));
    match address.unwrap_or(text).parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => return Ok(Socket::Tcp(address)),
        _ => {}
    }
    if bare.starts_with('/') && bare.len() <= PATH_MAX {
        return Ok(Socket::Unix(bare.into()));
    }
    Err(format!(
        "\"{text}\" is not a socket: write an absolute path of at most {PATH_MAX} octets such as \
         {SOCKET}, or an address with a port such as 127.0.0.1:9999"
    ))
}

/// unix(7): `sun_path` less the NUL.
const PATH_MAX: usize = 107;

pub(in crate::config) fn config_path(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') {
        return Ok(text.into());
    }
    Err(format!("\"{text}\" is not an absolute path: write for example /etc/haproxy/haproxy.cfg"))
}

/// The names that HAProxy allows (configuration.txt section 4).
fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if text.is_empty() || !text.chars().all(good) {
        return Err(format!(
            "\"{text}\" cannot be the name of a proxy: HAProxy allows letters, digits, -, _, . and :"
        ));
    }
    Ok(text.to_owned())
}

/// `2` or `50%`.
fn amount(text: &str) -> Result<Amount, String> {
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|it| *it <= 100).map(Amount::Percent),
        None => text.parse().ok().map(Amount::Count),
    };
    read.ok_or_else(|| {
        format!("\"{text}\" is neither a number nor a share: write for example 2 or \"50%\"")
    })
}

const fn is_above(warn: Amount, least: Amount) -> bool {
    match (warn, least) {
        (Amount::Count(warn), Amount::Count(least)) => warn > least,
        (Amount::Percent(warn), Amount::Percent(least)) => warn > least,
        // They cannot be compared without a backend.
        (Amount::Count(_), Amount::Percent(_)) | (Amount::Percent(_), Amount::Count(_)) => true,
    }
}

fn quantifier(text: &str) -> Result<Quantifier, String> {
    one_of(text, &[("each", Quantifier::Each), ("any", Quantifier::Any)])
}

fn backups(text: &str) -> Result<Backups, String> {
    let words = [
        ("when-active-down", Backups::WhenActiveDown),
        ("count", Backups::Count),
        ("ignore", Backups::Ignore),
    ];
    one_of(text, &words)
}

fn drain(text: &str) -> Result<bool, String> {
    one_of(text, &[("down", false), ("up", true)])
}

fn maintenance(text: &str) -> Result<Maintenance, String> {
    one_of(text, &[("excluded", Maintenance::Excluded), ("down", Maintenance::Down)])
}

/// One of a few words.
fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("\"{text}\" is none of the words here: write {}", known.join(" or "))
    })
}
