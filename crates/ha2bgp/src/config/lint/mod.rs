//! What is legal and wrong all the same: the warnings of `ha2bgp check-config`, which the log has too
//! when the program starts.
//!
//! Each lint is a pure function of the settings, the text they came from, and what this host says of
//! itself ([`Host`]). Nothing here makes a configuration invalid. A new lint is a constant in its file,
//! a line in [`LINTS`], and its test; docs/reference/warnings.md is made from the table.

mod address;
mod bfd;
mod check;
mod file;
mod kernel;
mod peer;
mod route;
mod rule;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;
use std::fmt;

use ha2bgp_proto::filter::Filter;

pub(super) use self::file::{ignored_file, replaced_list};
use self::view::View;
use super::error::{ERRORS_MAX, shown};
use super::host::Host;
use super::origin::{Origin, Written};
use super::raw::Raw;
use super::settings::Settings;

/// A kind of warning.
#[derive(Debug, Eq, PartialEq)]
pub struct Lint {
    /// Its name, which stays the same over versions.
    pub code: &'static str,
    /// What it warns of.
    pub about: &'static str,
    /// Why an operator wants to know.
    pub reason: &'static str,
}

/// All lints, in the order of the reference.
pub const LINTS: &[&Lint] = &[
    &file::TEST_MODE,
    &file::REPLACED_LIST,
    &file::IGNORED_FILE,
    &file::READABLE_SECRET,
    &file::LISTEN_FILTER,
    &address::VIP_MISSING,
    &address::VIP_EXCLUDED,
    &address::VIP_IN_SUBNET,
    &address::VIP_AS_IDENTITY,
    &rule::NO_ADDRESS,
    &rule::NONLOCAL_BIND,
    &kernel::ARP_IGNORE,
    &kernel::ARP_ANNOUNCE,
    &kernel::RP_FILTER,
    &check::LONG_TIMEOUT,
    &check::ONE_PROBE,
    &check::SLOW_RESTART,
    &check::LONG_DOWN_DELAY,
    &route::NEXT_HOP_FAMILY,
    &route::NEXT_HOP_IS_VIP,
    &route::NO_PEER,
    &route::NOTHING_FOR_PEER,
    &route::FAMILY_LEFT_OUT,
    &peer::FAR_PEER,
    &peer::LOCAL_ADDRESS_MISSING,
    &peer::HOLD_TIME_OFF,
    &peer::LONG_DRAIN,
    &bfd::FAST,
    &bfd::RESTART,
    &bfd::ANY_DISTANCE,
    &bfd::SINGLE_HOP,
];

/// One thing that is legal, and probably not meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// Which kind it is.
    pub lint: &'static Lint,
    /// Where it was written.
    pub origin: Origin,
    /// The value, the rule, the fix.
    pub message: String,
}

impl Warning {
    fn new(lint: &'static Lint, at: &Written, message: impl fmt::Display) -> Self {
        Self { lint, origin: at.origin.clone(), message: message.to_string() }
    }

    /// It in one line, for the log.
    pub fn line(&self) -> String {
        format!("{}: {} [{}]", self.origin, self.message, self.lint.code)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, &self.origin, &format_args!("{} [{}]", self.message, self.lint.code))
    }
}

/// Everything there is to warn of in good settings, in the order of the text.
pub fn check(raw: &Raw, settings: &Settings, filter: &Filter, host: &Host<'_>) -> Vec<Warning> {
    let view = View::new(raw, settings, host);
    let mut warnings = raw.warnings.clone();
    file::check(&view, filter, &mut warnings);
    address::check(&view, &mut warnings);
    rule::check(&view, &mut warnings);
    kernel::check(&view, &mut warnings);
    check::check(&view, &mut warnings);
    route::check(&view, &mut warnings);
    peer::check(&view, &mut warnings);
    bfd::check(&view, &mut warnings);
    in_order(warnings)
}

/// Those of flags first, then those of files by position; each once, and not too many.
fn in_order(mut warnings: Vec<Warning>) -> Vec<Warning> {
    warnings.sort_by_key(|warning| warning.origin.position());
    let mut known = BTreeSet::new();
    warnings.retain(|warning| {
        let place = (warning.origin.position(), warning.origin.to_string());
        known.insert((place, warning.message.clone()))
    });
    warnings.truncate(ERRORS_MAX);
    warnings
}

/// The reference page, in Markdown.
#[cfg(test)]
fn page() -> String {
    let mut page = String::from(
        "# Warnings\n\nWhat `ha2bgp check-config` warns of, and the log at the start: it is legal, and \
         probably not meant. [check-config.md](../check-config.md) says how to read them. Made from the \
         program's own table: `cargo test -p ha2bgp` rewrites this page when it is out of date.\n\n\
         | code | warns of | because |\n|---|---|---|\n",
    );
    for Lint { code, about, reason } in LINTS {
        page.push_str(&format!("| `{code}` | {about} | {reason} |\n"));
    }
    page
}
