//! What a configuration changes, for people: how much first, what is lost before anything else.

use super::super::screen::{
    BAD, Cell, Column, GOOD, PLAIN, QUIET, Screen, Table, WARNING, clean, count, time,
};
use crate::control::orders::{Planned, PlannedPart, PlannedRoute};

/// So many lines of a kind; `--json` has all.
const ROWS_MAX: usize = 50;

/// Whether it has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Tense {
    /// It was asked for only.
    Would,
    /// It counts now.
    Is,
}

/// All of it.
pub(in super::super) fn show(planned: &Planned, tense: Tense, screen: Screen) -> String {
    let mut parts = vec![headline(planned, tense, screen)];
    if planned.beyond_guard > 0 {
        parts.push(guard(planned, tense, screen));
    }
    if !planned.routes.is_empty() {
        parts.push(routes(planned, screen));
    }
    let changes =
        [("service", &planned.services), ("check", &planned.checks), ("peer", &planned.peers)];
    if changes.iter().any(|(_, parts)| !parts.is_empty()) {
        parts.push(table_of(&changes, screen));
    }
    let mut lists = Vec::new();
    if !planned.other.is_empty() {
        let also = if tense == Tense::Is { "also changed" } else { "would change too" };
        lists.push(screen.wrap(&clean(&format!("{also}: {}", planned.other.join(", "))), 2));
    }
    if !planned.restart.is_empty() {
        let text = format!(
            "only after a restart of ha2bgp (ha2bgp reload --restart): {}",
            planned.restart.join(", ")
        );
        lists.push(painted(screen, WARNING, &screen.wrap(&clean(&text), 2)));
    }
    if !lists.is_empty() {
        parts.push(lists.join("\n"));
    }
    if let Some(seconds) = planned.confirm_seconds {
        let text = format!(
            "on trial for {}: `ha2bgp reload --confirmed` keeps it; without that the configuration \
             before counts again",
            time(seconds)
        );
        parts.push(painted(screen, WARNING, &screen.wrap(&text, 2)));
    }
    parts.join("\n\n")
}

/// Lines in a colour.
fn painted(screen: Screen, color: &str, text: &str) -> String {
    text.lines().map(|line| screen.paint(color, line)).collect::<Vec<_>>().join("\n")
}

fn headline(planned: &Planned, tense: Tense, screen: Screen) -> String {
    let Planned { announce, withdraw, change, .. } = *planned;
    let parts = [&planned.services, &planned.checks, &planned.peers];
    let same = parts.iter().all(|parts| parts.is_empty())
        && planned.other.is_empty()
        && planned.restart.is_empty();
    let would = tense == Tense::Would;
    let mut words = Vec::new();
    let mut add = |number: usize, verb: &str| {
        if number > 0 {
            let s = if would { "" } else { "s" };
            words.push(format!("{verb}{s} {}", count(number, "route")));
        }
    };
    add(withdraw, "withdraw");
    add(announce, "announce");
    add(change, "change");
    let what = match (words.is_empty(), same, would) {
        (false, _, _) => words.join(", "),
        (true, true, true) => "change nothing".to_owned(),
        (true, false, true) => "change no route".to_owned(),
        (true, true, false) => "nothing has changed".to_owned(),
        (true, false, false) => "no route changes".to_owned(),
    };
    let text = match tense {
        Tense::Would => format!("the configuration would {what}"),
        Tense::Is => format!("reloaded: {what}"),
    };
    let color = if withdraw > 0 { BAD } else { GOOD };
    painted(screen, color, &screen.wrap(&text, 2))
}

fn guard(planned: &Planned, tense: Tense, screen: Screen) -> String {
    let text = format!(
        "BEYOND THE GUARD: {} more than [guard] allows now: {}",
        count(planned.beyond_guard, "withdrawal"),
        match tense {
            Tense::Would => {
                "a reload is refused, unless with --force; then what checks bring about is held by \
                 the guard all the same, one by one"
            }
            Tense::Is => "--force was given",
        }
    );
    painted(screen, BAD, &screen.wrap(&text, 2))
}

fn routes(planned: &Planned, screen: Screen) -> String {
    let columns = [
        Column::whole("ROUTE"),
        Column::whole("WHAT"),
        Column::whole("WHEN"),
        Column::flexible("WHY", 10),
    ];
    let mut table = Table::new(&columns);
    for route in planned.routes.iter().take(ROWS_MAX) {
        let (color, what) = what_of(route);
        let when = match route.in_seconds {
            Some(seconds) => format!("in {}", time(seconds)),
            None => "at once".to_owned(),
        };
        table.row(vec![
            Cell::new(color, clean(address(&route.prefix))),
            Cell::new(color, what),
            Cell::new(PLAIN, when),
            Cell::new(PLAIN, clean(&route.reason)),
        ]);
    }
    let all = planned.routes.len().saturating_add(planned.left_out);
    with_more(table.show(screen), all, screen)
}

/// A route of one address without its length.
fn address(prefix: &str) -> &str {
    let length = if prefix.contains(':') { "/128" } else { "/32" };
    prefix.strip_suffix(length).unwrap_or(prefix)
}

/// A word for it. What is lost is in capitals, for those who see no colours.
fn what_of(route: &PlannedRoute) -> (&'static str, String) {
    let last_choice = |at: &Option<String>| at.as_deref() == Some("last-choice");
    match route.change.as_str() {
        "withdraw" => (BAD, "WITHDRAW".to_owned()),
        "announce" if last_choice(&route.after) => (WARNING, "announce as last".to_owned()),
        "announce" => (GOOD, "announce".to_owned()),
        _ if last_choice(&route.after) => (WARNING, "to last choice".to_owned()),
        _ if last_choice(&route.before) => (GOOD, "from last choice".to_owned()),
        other => (PLAIN, clean(other)),
    }
}

fn table_of(kinds: &[(&str, &Vec<PlannedPart>)], screen: Screen) -> String {
    let columns = [Column::whole(""), Column::whole("WHAT"), Column::flexible("OF IT", 10)];
    let mut table = Table::new(&columns);
    let rows = kinds.iter().flat_map(|(kind, parts)| parts.iter().map(move |part| (kind, part)));
    for (kind, part) in rows.clone().take(ROWS_MAX) {
        let color = match part.change.as_str() {
            "restart" => WARNING,
            "remove" => BAD,
            "add" => GOOD,
            _ => PLAIN,
        };
        table.row(vec![
            Cell::new(PLAIN, clean(&format!("{kind} {}", part.name))),
            Cell::new(color, clean(&part.change)),
            Cell::new(PLAIN, clean(&part.detail)),
        ]);
    }
    with_more(table.show(screen), rows.count(), screen)
}

fn with_more(table: String, all: usize, screen: Screen) -> String {
    match all.checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        Some(more) => {
            format!("{table}\n{}", screen.paint(QUIET, &format!("… and {more} more: see --json")))
        }
        None => table,
    }
}

#[cfg(test)]
mod tests;
