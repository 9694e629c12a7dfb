//! Commands and their text. Built from addresses and numbers only, so that no character of a
//! configuration can ever end a line early or start another command.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use ha2bgp_core::net::{NextHop, Prefix};

use super::dialect::Dialect;
use super::last_choice::{self, LastChoice};

/// The most prefixes one grouped line carries.
pub(super) const GROUP_MAX: usize = 100;
/// The most bytes one line has, its newline counted: one line always fits one write.
pub(super) const LINE_MAX: usize = 4000;
/// No line with one prefix is longer: `peer * withdraw route `, an IPv6 prefix (43),
/// ` next-hop `, an IPv6 address (39), attributes, newline. In a group ` attributes` and ` nlri` take
/// less than the prefix.
pub(super) const SINGLE_MAX: usize = 22 + 43 + 10 + 39 + last_choice::TEXT_MAX + 1;

/// What a command does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// Offers the route to the peers.
    Announce,
    /// Takes it back.
    Withdraw,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Announce => "announce",
            Self::Withdraw => "withdraw",
        })
    }
}

/// Why a command is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The desired state changed.
    Change,
    /// Said again after a while, in case ExaBGP forgot.
    Reassert,
    /// Said again after an `error`, or because the answer was lost.
    Retry,
    /// Said again to see whether ExaBGP still answers.
    Probe,
}

/// One line of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// What it does.
    pub verb: Verb,
    /// The next hop. ExaBGP looks withdrawn routes up without it, but 5.0.15 answers `error` when
    /// it does not fit, so a withdrawal names the one that was announced.
    pub next_hop: NextHop,
    /// The attributes of an announcement as the last choice. A withdrawal has none: no version
    /// needs them to find the route.
    pub last_choice: Option<Arc<LastChoice>>,
    /// One prefix, or up to 100 of one family.
    pub prefixes: Vec<Prefix>,
    /// Why it is sent.
    pub purpose: Purpose,
}

impl Command {
    pub(super) fn single(verb: Verb, next_hop: NextHop, prefix: Prefix, purpose: Purpose) -> Self {
        Self { verb, next_hop, last_choice: None, prefixes: vec![prefix], purpose }
    }

    /// The line, without its newline.
    pub fn text(&self, dialect: Dialect) -> String {
        let mut line = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(dialect, &mut line);
        line
    }

    fn write(&self, dialect: Dialect, line: &mut String) -> fmt::Result {
        let selector = dialect.selector();
        let (verb, next_hop) = (self.verb, self.next_hop);
        if let [prefix] = self.prefixes.as_slice() {
            write!(line, "{selector}{verb} route ")?;
            write_prefix(line, dialect, *prefix)?;
            write!(line, " next-hop {next_hop}")?;
            return self.write_attributes(line);
        }
        write!(line, "{selector}{verb} attributes next-hop {next_hop}")?;
        self.write_attributes(line)?;
        line.push_str(" nlri");
        for prefix in &self.prefixes {
            line.push(' ');
            write_prefix(line, dialect, *prefix)?;
        }
        Ok(())
    }

    fn write_attributes(&self, line: &mut String) -> fmt::Result {
        match &self.last_choice {
            Some(attributes) => write!(line, "{attributes}"),
            None => Ok(()),
        }
    }
}

/// Host routes bare, as the original wrote them.
fn write_prefix(line: &mut String, dialect: Dialect, prefix: Prefix) -> fmt::Result {
    let bare = prefix.is_host() && (prefix.is_ipv4() || dialect != Dialect::V3);
    if bare { write!(line, "{}", prefix.address()) } else { write!(line, "{prefix}") }
}

/// The bytes that one more prefix adds to a grouped line, at most: a space, the address, a slash,
/// the length.
pub(super) fn prefix_cost(prefix: Prefix) -> usize {
    if prefix.is_ipv4() { 1 + 15 + 3 } else { 1 + 39 + 4 }
}
