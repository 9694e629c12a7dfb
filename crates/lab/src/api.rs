//! What a stream of ExaBGP API lines adds up to.
//!
//! Reads every form that ha2bgp may print: single and grouped, bare and for chosen peers. A line
//! that is none of them is an error: standard output is the route channel and nothing else.

use std::collections::BTreeSet;

/// One route command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `announce`, or else `withdraw`.
    pub announce: bool,
    /// The prefixes, host routes without their length.
    pub prefixes: Vec<String>,
    /// The next hop.
    pub next_hop: String,
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Command, String> {
    let wrong = || format!("no API command: {line:?}");
    let words: Vec<&str> = line.split(' ').collect();
    let at =
        words.iter().position(|word| matches!(*word, "announce" | "withdraw")).ok_or_else(wrong)?;
    let (selector, command) = words.split_at(at);
    if !matches!(selector, [] | ["peer" | "neighbor", _, ..]) {
        return Err(wrong());
    }
    let (verb, rest) = command.split_first().ok_or_else(wrong)?;
    let (prefixes, next_hop): (&[&str], &str) = match rest {
        ["route", prefix, "next-hop", hop, ..] => (std::slice::from_ref(prefix), hop),
        ["attributes" | "attribute", "next-hop", hop, "nlri", prefixes @ ..] => (prefixes, hop),
        _ => return Err(wrong()),
    };
    if prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.is_empty()) {
        return Err(wrong());
    }
    let sixes = prefixes.iter().filter(|prefix| prefix.contains(':')).count();
    if sixes != 0 && sixes != prefixes.len() {
        return Err(format!("both families in one line make the peer drop the session: {line:?}"));
    }
    Ok(Command {
        announce: *verb == "announce",
        prefixes: prefixes.iter().map(|prefix| host(prefix).to_owned()).collect(),
        next_hop: next_hop.to_owned(),
    })
}

/// A host route without its length.
fn host(prefix: &str) -> &str {
    let bare =
        if prefix.contains(':') { prefix.strip_suffix("/128") } else { prefix.strip_suffix("/32") };
    bare.unwrap_or(prefix)
}

/// The routes that are announced after all lines so far.
#[derive(Clone, Debug, Default)]
pub struct Table {
    announced: BTreeSet<String>,
    /// Withdrawals so far, of any prefix.
    withdrawals: usize,
    /// Lines that were no commands.
    wrong: Vec<String>,
}

impl Table {
    /// Takes the next line.
    pub fn apply(&mut self, line: &str) {
        match parse(line) {
            Ok(command) if command.announce => self.announced.extend(command.prefixes),
            Ok(command) => {
                for prefix in &command.prefixes {
                    self.announced.remove(prefix);
                }
                self.withdrawals += command.prefixes.len();
            }
            Err(wrong) => self.wrong.push(wrong),
        }
    }

    /// What is announced now.
    #[must_use]
    pub fn announced(&self) -> &BTreeSet<String> {
        &self.announced
    }

    /// Whether a prefix is announced now.
    #[must_use]
    pub fn has(&self, prefix: &str) -> bool {
        self.announced.contains(prefix)
    }

    /// How many withdrawals there were.
    #[must_use]
    pub fn withdrawals(&self) -> usize {
        self.withdrawals
    }

    /// Lines that were no route commands.
    #[must_use]
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_adds_up() {
        let mut table = Table::default();
        for line in [
            "announce route 100.64.0.1 next-hop self",
            "announce route 100.64.0.2/32 next-hop 10.0.0.1",
            "peer * announce route 2001:db8::1/128 next-hop self",
            "neighbor 127.0.1.1 announce attributes next-hop self nlri 10.0.0.1/32 10.0.0.0/24",
            "withdraw attributes next-hop self nlri 100.64.0.1/32 10.0.0.1/32",
        ] {
            table.apply(line);
        }
        let announced: Vec<&str> = table.announced().iter().map(String::as_str).collect();
        assert_eq!(announced, ["10.0.0.0/24", "100.64.0.2", "2001:db8::1"]);
        assert_eq!((table.withdrawals(), table.wrong().len()), (2, 0));
    }

    #[test]
    fn anything_else_is_wrong() {
        for line in ["", "# a comment", "announce", "INFO announce route 1.2.3.4 next-hop self"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
