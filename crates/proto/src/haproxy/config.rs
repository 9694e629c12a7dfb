//! Configuration files: which frontends listen where, and which backends they use.
//!
//! The parser is tolerant: what it does not know it skips, what it cannot understand it says as a
//! [`Note`] and goes on. It is for finding out which frontends belong to a VIP; HAProxy itself
//! (`haproxy -c`) is the judge of whether a file is right.
//!
//! Obeyed (HAProxy 2.6 configuration.txt, checked with the program): 2.1 format, several files,
//! each starting and ending sections; 2.2 quoting; 2.3 variables, also `setenv`, `presetenv`,
//! `unsetenv`, `resetenv` and `.FILE`, `.LINE`, `.SECTION`; 2.4 conditional blocks; 4 `defaults`
//! with and without names, `from`; `bind`, `default_backend`, `use_backend`, `mode`, `disabled`,
//! `enabled`; 11 address formats; global `stats socket`.
//!
//! Not obeyed, and why:
//!
//! * A condition that needs the binary (`feature`, `openssl_version_…`, or `version_…` when the
//!   version is not given): all its branches are taken, with a note. Too many frontends are seen
//!   rather than too few.
//! * Host names in `bind`: an answer may come late or change; the bind is kept as
//!   [`Address::Other`], with a note.
//! * `use_backend` conditions: every backend a frontend may use counts as used.
//! * `namespace` and `interface` of `bind`: the address counts as if it were everywhere; a
//!   namespace gives a note. `[::]` without `v4v6` and `v6only` takes IPv4 too, which is Linux with
//!   `net.ipv6.bindv6only = 0`, its default.
//! * Sections with other listeners (`peers`, `log-forward`) do not serve users and are skipped.
//!
//! Who reads a directory for `-f` gives its files sorted by name, only `*.cfg`, none that start
//! with a dot (management.txt section 3).
//!
//! Limits: [`TEXT_MAX`] octets in all, [`LINE_MAX`] in one line before and after variables,
//! [`WORDS_MAX`] words in it, [`NESTING_MAX`] conditions in each other, [`PROXIES_MAX`] sections,
//! [`BINDS_MAX`] binds, [`NOTES_MAX`] notes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use ha2bgp_core::fact::Protocol;

mod bind;
mod condition;
mod environment;
mod parser;
#[cfg(test)]
mod tests;
mod words;

/// The most octets of all files together.
pub const TEXT_MAX: usize = 64 * 1024 * 1024;
/// The most octets of a line, before and after variables are put in.
pub const LINE_MAX: usize = 64 * 1024;
/// The most words of a line; HAProxy takes 64.
pub const WORDS_MAX: usize = 256;
/// The most conditional blocks in each other; HAProxy takes 16.
pub const NESTING_MAX: usize = 64;
/// The most proxies.
pub const PROXIES_MAX: usize = 100_000;
/// The most addresses of all `bind` lines together.
pub const BINDS_MAX: usize = 1_000_000;
/// The most notes; what comes after is dropped.
pub const NOTES_MAX: usize = 1000;

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name, for notes.
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// What the files refer to and do not contain.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The environment of the HAProxy process, as far as it is known.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// HAProxy's version, as `show info` or `haproxy -v` tells, for `version_atleast(…)`.
    pub version: Option<&'a str>,
}

/// What the files say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// `frontend` and `listen` sections, in the order of the files.
    pub frontends: Vec<Frontend>,
    /// Names of `backend` and `listen` sections, in the order of the files.
    pub backends: Vec<String>,
    /// Addresses of `stats socket` lines in `global`.
    pub stats_sockets: Vec<Bind>,
    /// What was not understood.
    pub notes: Vec<Note>,
}

/// A `frontend` or `listen` section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frontend {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub binds: Vec<Bind>,
    /// `mode`, its own or that of its `defaults`; HAProxy's own default is `tcp`.
    pub mode: Option<String>,
    /// `default_backend`, its own or that of its `defaults`.
    pub default_backend: Option<String>,
    /// Names in `use_backend` lines, each once.
    pub static_backends: Vec<String>,
    /// True when a `use_backend` makes the name up at run time (`%[…]`): then it may use any.
    pub dynamic: bool,
    /// True for `listen`, which is a backend of the same name too.
    pub listen: bool,
    /// `disabled`: HAProxy does not start it, nor show it in `show stat`.
    pub disabled: bool,
}

impl Frontend {
    /// The backends it may use as far as the files tell: the static ones, then the default one, or
    /// its own servers when it is a `listen` without one (configuration.txt, `use_backend`).
    pub fn backends(&self) -> Vec<&str> {
        let own = Some(self.name.as_str()).filter(|_| self.listen);
        let mut all: Vec<&str> = self.static_backends.iter().map(String::as_str).collect();
        if let Some(last) = self.default_backend.as_deref().or(own)
            && !all.contains(&last)
        {
            all.push(last);
        }
        all
    }

    /// True when a bind may take connections to `vip`, at `port` if given.
    pub fn serves(&self, vip: IpAddr, port: Option<u16>) -> bool {
        self.binds.iter().any(|bind| bind.serves(vip, port))
    }
}

/// One address of a `bind` or `stats socket` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bind {
    /// Where.
    pub address: Address,
    /// Which ports; `0..=0` where there are none.
    pub ports: RangeInclusive<u16>,
    /// Protocol below: UDP for `quic4@`, `quic6@` and the like.
    pub protocol: Protocol,
    /// `name`, which is also how `show stat` calls the listener.
    pub name: Option<String>,
}

impl Bind {
    /// True when it may take connections (or datagrams) to `vip`, at `port` if given.
    pub fn serves(&self, vip: IpAddr, port: Option<u16>) -> bool {
        let fits = match &self.address {
            Address::Any4 => vip.is_ipv4(),
            Address::Any6 { v6only } => vip.is_ipv6() || !v6only,
            Address::Ip(own) => *own == vip,
            Address::Unix(_) | Address::Other(_) => false,
        };
        fits && port.is_none_or(|it| self.ports.contains(&it))
    }
}

/// The address of a [`Bind`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// `*`, nothing or `0.0.0.0`: every IPv4 address.
    Any4,
    /// `::`: every IPv6 address, and every IPv4 one unless `v6only`.
    Any6 {
        /// Not IPv4.
        v6only: bool,
    },
    /// This address.
    Ip(IpAddr),
    /// The path of a Unix socket, as written; `unix-bind prefix` is not put before it.
    Unix(String),
    /// Abstract and inherited sockets, host names, and what we do not know, as written.
    Other(String),
}

/// Something that was not understood, or only in part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What, for the eyes of people.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl Config {
    /// Reads files in the order in which HAProxy is given them.
    pub fn parse(files: &[File<'_>], context: &Context<'_>) -> Self {
        parser::parse(files, context)
    }

    /// The frontend of that name.
    pub fn frontend(&self, name: &str) -> Option<&Frontend> {
        self.frontends.iter().find(|it| it.name == name)
    }

    /// Names of all frontends that may take connections to `vip`, at `port` if given: exact
    /// addresses have no precedence over wildcards. Disabled ones do not count.
    pub fn frontends_of(&self, vip: IpAddr, port: Option<u16>) -> Vec<&str> {
        let serves = |it: &&Frontend| !it.disabled && it.serves(vip, port);
        self.frontends.iter().filter(serves).map(|it| it.name.as_str()).collect()
    }
}
