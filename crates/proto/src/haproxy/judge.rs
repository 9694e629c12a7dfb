//! The verdict of one look: a [`Table`] and a [`Requirement`] become a [`Judgement`].
//!
//! Each frontend must be OPEN (FULL is a warning: overload is not down). Each backend, or any of
//! them, must have enough servers up. What counts:
//!
//! * **Up** are `UP`, `UP 1/3` and `no check`, which HAProxy itself sends traffic to.
//! * **Drain** (`DRAIN`, `NOLB`: up, but without new users) is down unless
//!   [`Requirement::drain_is_up`].
//! * **Maintenance** is never up. With [`Maintenance::Excluded`], the default, a percentage is of
//!   the servers that are not in maintenance; a count is of servers up in any case. `MAINT
//!   (resolution)` is the same: unused places of a `server-template` look so.
//! * **Backups** with [`Backups::WhenActiveDown`], the default, count as HAProxy uses them: not at
//!   all while an active server is up, and in place of the active ones when none is. HAProxy then
//!   uses only the first backup unless `option allbackups`, which the table does not tell; all
//!   that are up count here. A backend of backups only is judged by them.
//! * **Weights** with [`Requirement::weighted`]: the weight as configured or set by an operator
//!   (`uweight`), else the effective one (`weight`), else 1. The configured weight of a server
//!   whose weight an operator changed is not in the table (`show servers state` has it).
//! * A status word we do not know counts as neither up nor down: where it decides, the outcome is
//!   unknown.
//!
//! A backend without servers (`stats`, redirects, `http-request return`) works by itself when it
//! was derived from a frontend and HAProxy calls it UP; one that was named in the configuration
//! must have servers. A frontend without backends needs only to be OPEN.
//!
//! Among backends with [`Quantifier::Each`]: one that fails decides, then one that is missing,
//! then the worst. With [`Quantifier::Any`]: one that works decides, then one that is missing.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ha2bgp_core::check::{Outcome, ProbeResult};

use super::info::Info;
use super::stat::{Status, Table};

mod servers;
#[cfg(test)]
mod tests;

/// How many servers must be up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Amount {
    /// So many, or so much weight.
    Count(u32),
    /// So many of a hundred, 0 to 100; more is as 100.
    Percent(u8),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// Which backends are judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Backends {
    /// These, which somebody named: they must have servers.
    Named(Vec<String>),
    /// These, which the frontend uses: they may be without servers.
    OfFrontend(Vec<String>),
}

/// How many of the backends must work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Quantifier {
    /// All.
    #[default]
    Each,
    /// One.
    Any,
}

/// How backup servers count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Backups {
    /// Like any other.
    Count,
    /// Not at all.
    Ignore,
    /// As HAProxy uses them: when no active one is up.
    #[default]
    WhenActiveDown,
}

/// How servers in maintenance count where a percentage is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Maintenance {
    /// They are left out of the total.
    #[default]
    Excluded,
    /// They are part of the total and not up.
    Down,
}

/// What a service needs of HAProxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// Frontends that must all be open.
    pub frontends: Vec<String>,
    /// Backends that must have servers up.
    pub backends: Backends,
    /// All of them, or one.
    pub quantifier: Quantifier,
    /// Fewer than that is a fail.
    pub min_servers: Amount,
    /// Fewer than that is a warning. It should be above `min_servers`, else it never matters.
    pub warn_servers: Option<Amount>,
    /// Count weights instead of heads.
    pub weighted: bool,
    /// Backup servers.
    pub backups: Backups,
    /// Servers that drain count as up.
    pub drain_is_up: bool,
    /// Servers in maintenance.
    pub maintenance: Maintenance,
}

impl Requirement {
    /// The defaults: these frontends open, each of these backends with one server up.
    pub fn new(frontends: Vec<String>, backends: Backends) -> Self {
        Self {
            frontends,
            backends,
            quantifier: Quantifier::default(),
            min_servers: Amount::Count(1),
            warn_servers: None,
            weighted: false,
            backups: Backups::default(),
            drain_is_up: false,
            maintenance: Maintenance::default(),
        }
    }
}

/// What is not in the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A frontend of this name.
    Frontend(Box<str>),
    /// A backend of this name.
    Backend(Box<str>),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frontend(name) => write!(f, "HAProxy has no frontend {name}, or it is disabled"),
            Self::Backend(name) => write!(f, "HAProxy has no backend {name}, or it is disabled"),
        }
    }
}

/// The verdict of one look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// A clear one.
    Result(ProbeResult),
    /// Something that is required is not there. During a reload that may be for a moment, so keep
    /// the last status for the grace time before it counts as a fail.
    Missing {
        /// What.
        what: What,
    },
    /// The process that answered is going away: connect again and look again.
    Stopping {
        /// Which.
        pid: Option<u32>,
    },
}

/// Judges one picture.
pub fn judge(info: &Info, table: &Table, requirement: &Requirement) -> Judgement {
    if info.stopping {
        return Judgement::Stopping { pid: info.pid };
    }
    let frontends = merge_each(requirement.frontends.iter().map(|name| frontend(table, name)));
    let (names, named) = match &requirement.backends {
        Backends::Named(names) => (names, true),
        Backends::OfFrontend(names) => (names, false),
    };
    let each = names.iter().map(|name| servers::backend(table, name, named, requirement));
    let backends = match requirement.quantifier {
        Quantifier::Each => merge_each(each),
        Quantifier::Any => merge_any(each),
    };
    match merge_each([frontends, backends].into_iter()) {
        Finding::Missing(what) => Judgement::Missing { what },
        Finding::Is(outcome, text) if text.is_empty() => {
            Judgement::Result(ProbeResult::new(outcome, "nothing is required of HAProxy"))
        }
        Finding::Is(outcome, text) => Judgement::Result(ProbeResult::new(outcome, &text)),
    }
}

/// What was found about one part.
#[derive(Clone, Debug)]
enum Finding {
    Is(Outcome, String),
    Missing(What),
}

impl Finding {
    /// How much it decides when all must be good.
    const fn badness(&self) -> u8 {
        match self {
            Self::Is(Outcome::Fail, _) => 4,
            Self::Missing(_) => 3,
            Self::Is(Outcome::Unknown, _) => 2,
            Self::Is(Outcome::Warn, _) => 1,
            Self::Is(Outcome::Pass, _) => 0,
        }
    }

    /// The same when one good one is enough: one that is missing might be good.
    const fn goodness(&self) -> u8 {
        match self {
            Self::Is(Outcome::Pass, _) => 4,
            Self::Is(Outcome::Warn, _) => 3,
            Self::Missing(_) => 2,
            Self::Is(Outcome::Unknown, _) => 1,
            Self::Is(Outcome::Fail, _) => 0,
        }
    }
}

/// The most octets of text that are put together; a detail has less room anyway.
const TEXT_MAX: usize = 1024;

/// The worst of all, told with everything that is as bad.
fn merge_each(findings: impl Iterator<Item = Finding>) -> Finding {
    merge(findings, Finding::badness)
}

/// The best of all, told with everything that is as good.
fn merge_any(findings: impl Iterator<Item = Finding>) -> Finding {
    merge(findings, Finding::goodness)
}

fn merge(findings: impl Iterator<Item = Finding>, rank: fn(&Finding) -> u8) -> Finding {
    let mut merged: Option<Finding> = None;
    for finding in findings {
        match &mut merged {
            None => merged = Some(finding),
            Some(best) if rank(&finding) > rank(best) => *best = finding,
            Some(Finding::Is(own, text)) => {
                if let Finding::Is(other, more) = finding
                    && other == *own
                    && text.len() + more.len() < TEXT_MAX
                {
                    if !text.is_empty() && !more.is_empty() {
                        text.push_str("; ");
                    }
                    text.push_str(&more);
                }
            }
            Some(Finding::Missing(_)) => {}
        }
    }
    merged.unwrap_or(Finding::Is(Outcome::Pass, String::new()))
}

fn frontend(table: &Table, name: &str) -> Finding {
    let Some(row) = table.frontend(name) else {
        return Finding::Missing(What::Frontend(name.into()));
    };
    let outcome = match &row.status {
        Status::Open => Outcome::Pass,
        Status::Full | Status::Waiting => Outcome::Warn,
        Status::Unknown(_) => Outcome::Unknown,
        Status::Paused
        | Status::Stop
        | Status::Up(_)
        | Status::Down(_)
        | Status::DownAgent
        | Status::NoLoadBalancing(_)
        | Status::Maintenance
        | Status::MaintenanceVia(_)
        | Status::MaintenanceResolution
        | Status::Drain(_)
        | Status::DrainAgent
        | Status::NoCheck => Outcome::Fail,
    };
    let limits = match (row.sessions, row.session_limit) {
        (Some(now), Some(most)) if outcome == Outcome::Warn => {
            format!(" ({now} of {most} sessions)")
        }
        _ => "".to_owned(),
    };
    Finding::Is(outcome, format!("frontend {name} {}{limits}", row.status))
}
