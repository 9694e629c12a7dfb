//! Checks as they are written: which kinds there are, which keys each has, and what they come to.
//!
//! [`KINDS`] is the one table: reading, "did you mean" and the reference are made from it. A kind
//! has a file of its own for its keys and how they are read; what it then does is in
//! `observe/check`.

mod accept_queue;
mod bfd;
mod common;
mod dns;
mod fields;
mod file;
mod grpc;
pub(super) mod haproxy;
#[cfg(test)]
mod host_tests;
mod http;
mod icmp;
mod local;
mod plugin;
mod process;
mod push;
mod tcp;
mod tls;

use ha2bgp_core::check::Counting;
use ha2bgp_core::config::{CheckConfig, CheckKind};

pub(super) use self::common::{COUNTING, POWERS, SOURCE, TIMING};
use self::fields::Fields;
pub(super) use self::tls::TLS;
use super::file::keys::Key;
use super::raw::CheckSection;
use super::reader::{Host, Reader};
use crate::near::nearest;
use crate::observe::check::{CheckSpec, Polled, ProbeSpec, Timing, Watched};

/// The longest name of a check.
pub(super) const NAME_MAX: usize = 64;
/// What names of checks look like, for the schema; [`name`] is what counts.
pub(super) const NAME_PATTERN: &str = "^[A-Za-z][A-Za-z0-9._-]*$";

/// A kind of check.
#[derive(Debug)]
pub struct Kind {
    /// The value of `type`.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its own keys; one that is also in a common group counts in its place, for its default.
    pub keys: &'static [Key],
    /// The common groups of keys that it has too.
    pub groups: &'static [&'static [Key]],
    /// What its keys come to.
    read: fn(&mut Fields<'_>) -> Option<Read>,
}

/// What the keys of a kind come to.
#[derive(Debug)]
enum Read {
    /// The engine itself knows.
    Known(CheckKind),
    /// A probe says.
    Probe {
        /// What it does.
        probe: ProbeSpec,
        /// Each VIP is probed by itself.
        per_vip: bool,
    },
}

impl Read {
    /// A probe that is made at its intervals.
    const fn polled(polled: Polled, per_vip: bool) -> Self {
        Self::Probe { probe: ProbeSpec::Polled(polled), per_vip }
    }

    /// What reports by itself.
    const fn watched(watched: Watched, per_vip: bool) -> Self {
        Self::Probe { probe: ProbeSpec::Watched(watched), per_vip }
    }
}

/// A check that was read.
#[derive(Debug)]
pub(super) struct Check {
    /// What the engine is told.
    pub(super) config: CheckConfig,
    /// What makes its probes, where it is probed.
    pub(super) spec: Option<(CheckSpec, Counting)>,
}

/// All kinds, in the order of the reference.
pub const KINDS: &[Kind] = &[
    local::LISTEN,
    local::ADDRESS,
    http::KIND,
    haproxy::KIND,
    tcp::KIND,
    dns::KIND,
    grpc::KIND,
    icmp::KIND,
    bfd::KIND,
    plugin::KIND,
    accept_queue::KIND,
    process::KIND,
    file::KIND,
    push::KIND,
];

impl Kind {
    /// All keys, those of its own first.
    pub fn all(&self) -> impl Iterator<Item = Key> + '_ {
        let own = |path: &str| self.keys.iter().any(|key| key.path == path);
        let common = self.groups.iter().flat_map(|group| group.iter());
        self.keys.iter().chain(common.filter(move |key| !own(key.path))).copied()
    }

    /// The key of that name.
    pub fn find(&self, name: &str) -> Option<Key> {
        self.all().find(|key| key.path == name)
    }

    /// An unknown key: what was meant, or which kind has it.
    pub fn unknown(&self, name: &str) -> String {
        let here = format!("there is no such key in a check of type \"{}\"", self.name);
        if let Some(nearest) = nearest(self.all().map(|key| key.path), name) {
            return format!("{here}: did you mean {nearest}?");
        }
        let others = KINDS.iter().filter(|kind| kind.find(name).is_some());
        let others: Vec<String> = others.map(|kind| format!("\"{}\"", kind.name)).collect();
        if !others.is_empty() {
            return format!("{here}: type {} has it", others.join(", "));
        }
        let known: Vec<&str> = self.all().map(|key| key.path).collect();
        format!("{here}: known here are {}", known.join(", "))
    }
}

/// The kind of that name.
///
/// # Errors
/// What else there is.
pub fn kind(name: &str) -> Result<&'static Kind, String> {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
        return Ok(kind);
    }
    Err(match nearest(KINDS.iter().map(|kind| kind.name), name) {
        Some(kind) => format!("\"{name}\" is no type of check: did you mean \"{kind}\"?"),
        None => types(&format!("\"{name}\" is no type of check")),
    })
}

/// What is wrong, and which types there are.
pub(super) fn types(wrong: &str) -> String {
    let names: Vec<String> = KINDS.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
    format!("{wrong}: write type = one of {}", names.join(", "))
}

/// Whether a check may be called that.
pub(super) fn name(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = matches!(text, "all" | "any" | "not" | "at-least");
    if !begins || text.len() > NAME_MAX || !text.chars().all(good) || word {
        return Err(format!(
            "\"{text}\" cannot be the name of a check: write a letter, then at most {} letters, \
             digits, -, _ and ., and none of the words of rules (all, any, not, at-least)",
            NAME_MAX - 1
        ));
    }
    Ok(())
}

/// Reads a check as the service of that name uses it. Everything that is wrong is told.
pub(super) fn read(
    reader: &mut Reader,
    host: &Host<'_>,
    section: &CheckSection,
    service: Option<&str>,
) -> Option<Check> {
    let mut fields = Fields { reader, host, section, service };
    let read = (section.kind.read)(&mut fields);
    let (powers, shadow) = common::powers(&mut fields);
    let name = section.name.text.as_str().into();
    let (kind, spec) = match read? {
        Read::Known(kind) => (kind, None),
        Read::Probe { probe, per_vip } => {
            let counting = common::counting(&mut fields);
            // What reports by itself has no interval.
            let timing = match section.kind.find("interval") {
                Some(_) => common::timing(&mut fields)?,
                None => Timing::NONE,
            };
            let source = common::source(&mut fields);
            let kind = CheckKind::Probe { per_vip, counting };
            (kind, Some((CheckSpec { timing, source, probe }, counting)))
        }
    };
    Some(Check { config: CheckConfig { name, kind, powers, shadow }, spec })
}
