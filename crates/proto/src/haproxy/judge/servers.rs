//! One backend: how many of its servers are up, and is that enough?

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use ha2bgp_core::check::Outcome;

use super::super::stat::{Row, Status, Table};
use super::{Amount, Backups, Finding, Maintenance, Requirement, What};

/// Servers that a text names; of more, only the number is told.
const NAMED_MAX: usize = 6;

/// How one server counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Up,
    Down,
    Maintenance,
    Unknown,
}

fn state(row: &Row, requirement: &Requirement) -> State {
    match &row.status {
        Status::Up(_) | Status::NoCheck | Status::Open => State::Up,
        Status::Drain(_) | Status::DrainAgent | Status::NoLoadBalancing(_) => {
            if requirement.drain_is_up { State::Up } else { State::Down }
        }
        Status::Down(_) | Status::DownAgent | Status::Stop | Status::Paused => State::Down,
        Status::Maintenance | Status::MaintenanceVia(_) | Status::MaintenanceResolution => {
            State::Maintenance
        }
        Status::Full | Status::Waiting | Status::Unknown(_) => State::Unknown,
    }
}

/// Sums of heads or of weights.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    servers: u32,
    up: u64,
    unknown: u64,
    /// All but those in maintenance.
    present: u64,
    total: u64,
}

impl Sums {
    fn add(&mut self, row: &Row, requirement: &Requirement) {
        let weight = if requirement.weighted {
            u64::from(row.user_weight.or(row.weight).unwrap_or(1))
        } else {
            1
        };
        self.servers = self.servers.saturating_add(1);
        self.total += weight;
        match state(row, requirement) {
            State::Up => self.up += weight,
            State::Unknown => self.unknown += weight,
            State::Down => {}
            State::Maintenance => return,
        }
        self.present += weight;
    }

    /// Is `up` enough? A percentage of nothing never is, unless it is 0.
    fn reaches(self, up: u64, amount: Amount, maintenance: Maintenance) -> bool {
        match amount {
            Amount::Count(count) => up >= u64::from(count),
            Amount::Percent(0) => true,
            Amount::Percent(percent) => {
                let whole = match maintenance {
                    Maintenance::Excluded => self.present,
                    Maintenance::Down => self.total,
                };
                // Backups that stand in may be more than there are active ones.
                let percent = u64::from(percent.min(100));
                up > 0 && up.saturating_mul(100) >= percent.saturating_mul(whole)
            }
        }
    }
}

/// Judges a backend.
pub(super) fn backend(
    table: &Table,
    name: &str,
    named: bool,
    requirement: &Requirement,
) -> Finding {
    let Some((row, servers)) = table.backend(name) else {
        return Finding::Missing(What::Backend(name.into()));
    };
    if servers.is_empty() && !named {
        return match row.status {
            Status::Up(_) => Finding::Is(Outcome::Pass, format!("backend {name} needs no servers")),
            _ => Finding::Is(Outcome::Fail, format!("backend {name} {}", row.status)),
        };
    }
    let (sums, stand_in) = count(servers, requirement);
    let reaches = |up, amount| sums.reaches(up, amount, requirement.maintenance);
    let most = sums.up + sums.unknown;
    let (outcome, needed) = match requirement.warn_servers {
        _ if !reaches(most, requirement.min_servers) => (Outcome::Fail, requirement.min_servers),
        _ if !reaches(sums.up, requirement.min_servers) => {
            (Outcome::Unknown, requirement.min_servers)
        }
        Some(warn) if !reaches(sums.up, warn) => (Outcome::Warn, warn),
        _ => (Outcome::Pass, requirement.min_servers),
    };
    let mut text = format!("backend {name}: {}", amount(sums, requirement));
    if stand_in {
        text.push_str(" by backups");
    }
    let wish = if outcome == Outcome::Warn { "wanted" } else { "needed" };
    // Writing into a string does not fail.
    let _ = write!(text, ", {needed} {wish}");
    if sums.servers == 0 {
        text.push_str(" (it has no servers that count)");
    } else if outcome != Outcome::Pass {
        list(&mut text, servers, requirement);
    }
    Finding::Is(outcome, text)
}

/// `1 of 4 servers up`, and how many of them are in maintenance where that matters.
fn amount(sums: Sums, requirement: &Requirement) -> String {
    let percent = matches!(requirement.min_servers, Amount::Percent(_));
    let excluded = percent && requirement.maintenance == Maintenance::Excluded;
    let whole = if excluded { sums.present } else { sums.total };
    let away = if excluded && sums.present < sums.total { " not in maintenance" } else { "" };
    let up = sums.up;
    if requirement.weighted {
        format!("weight {up} of {whole}{away} up")
    } else if whole == 1 && away.is_empty() {
        format!("{up} of 1 server up")
    } else {
        format!("{up} of {whole} servers{away} up")
    }
}

/// The sums, and whether backups stand in for the active ones.
fn count(servers: &[Row], requirement: &Requirement) -> (Sums, bool) {
    let (mut active, mut backup) = (Sums::default(), Sums::default());
    for row in servers {
        match (requirement.backups, row.is_backup()) {
            (Backups::Ignore, true) => {}
            (Backups::WhenActiveDown, true) => backup.add(row, requirement),
            (Backups::Count, true) | (_, false) => active.add(row, requirement),
        }
    }
    if active.servers == 0 {
        return (backup, false);
    }
    if active.up > 0 || backup.up == 0 {
        return (active, false);
    }
    // The total stays that of the active ones: they are what the backend is meant to have. With
    // all of those in maintenance there is nothing to be a percentage of but the backups.
    let instead = Sums {
        up: backup.up,
        unknown: active.unknown + backup.unknown,
        present: if active.present == 0 { backup.present } else { active.present },
        ..active
    };
    (instead, true)
}

/// ` (web2 DOWN L4CON, web3 MAINT)`: the servers that are not up.
fn list(text: &mut String, servers: &[Row], requirement: &Requirement) {
    let counts = |row: &&Row| !(row.is_backup() && requirement.backups == Backups::Ignore);
    let is_up = |row: &&Row| state(row, requirement) == State::Up;
    let mut bad = servers.iter().filter(counts).filter(|row| !is_up(row));
    let mut separator = " (";
    for row in bad.by_ref().take(NAMED_MAX) {
        let backup = if row.is_backup() { "backup " } else { "" };
        let _ = write!(text, "{separator}{backup}{} {}", row.name(), row.status);
        let failed = matches!(row.status, Status::Down(_));
        if let Some(check) = row.check_status().filter(|_| failed) {
            let _ = write!(text, " {}", check.trim_start_matches("* "));
        }
        separator = ", ";
    }
    let rest = bad.count();
    if rest > 0 {
        let _ = write!(text, " and {rest} more");
    }
    if separator == ", " {
        text.push(')');
    }
}
