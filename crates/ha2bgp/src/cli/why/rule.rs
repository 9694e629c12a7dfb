//! The rule as a tree: each part with what it says, each check with what it found.

use crate::cli::screen::{BAD, GOOD, PLAIN, Screen, WARNING, clean, time};
use crate::control::api::why::{WhyCheck, WhyRule};

/// The lines of a rule.
pub(super) fn tree(lines: &mut Vec<String>, rule: &WhyRule, screen: Screen) {
    add(lines, rule, "", "", screen);
}

/// A part of the rule and what it is made of.
fn add(lines: &mut Vec<String>, rule: &WhyRule, first: &str, rest: &str, screen: Screen) {
    let weight = if rule.weight == 1 { String::new() } else { format!("*{}", rule.weight) };
    let (outcome, note) = match (&rule.outcome, &rule.check) {
        (Some(outcome), _) => (outcome.as_str(), ""),
        (None, Some(check)) => (check.outcome.as_str(), " (shadow: no power)"),
        (None, None) => ("no power", ""),
    };
    let color = match outcome {
        "pass" => GOOD,
        "fail" => BAD,
        "warn" | "unknown" => WARNING,
        _ => PLAIN,
    };
    let mut text =
        format!("{}{weight} = {}{note}", clean(&rule.part), screen.paint(color, &clean(outcome)));
    if let Some(check) = &rule.check {
        text.push_str(&found(check, rule.outcome.as_deref()));
    }
    // What does not fit goes on below, right of the branches.
    let below = format!("{rest}{}", if rule.of.is_empty() { "  " } else { "│ " });
    lines.push(wrap(&text, first, &below, screen));
    for (number, part) in rule.of.iter().enumerate() {
        let last = number + 1 == rule.of.len();
        let (branch, next) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        add(lines, part, &format!("{rest}{branch}"), &format!("{rest}{next}"), screen);
    }
}

fn wrap(text: &str, first: &str, below: &str, screen: Screen) -> String {
    let room =
        |prefix: &str| screen.width.map(|width| width.saturating_sub(prefix.chars().count()));
    // Both beginnings are about as wide; the wider one says how much room there is.
    let width = room(first).into_iter().chain(room(below)).min();
    let wrapped = Screen { width, ..screen }.wrap(text, 0);
    let mut lines = wrapped.split('\n');
    let mut shown = format!("{first}{}", lines.next().unwrap_or_default());
    for line in lines {
        shown.push_str(&format!("\n{below}{line}"));
    }
    shown
}

/// What a check found, behind its verdict.
fn found(check: &WhyCheck, counts_as: Option<&str>) -> String {
    let mut text = String::new();
    if counts_as.is_some_and(|counts_as| counts_as != check.outcome) {
        text.push_str(&format!(", as {} counts", clean(&check.outcome)));
    }
    match (&check.detail, check.age_seconds) {
        (Some(detail), Some(age)) => {
            text.push_str(": ");
            if let Some(last) = check.last.as_ref().filter(|last| **last != check.outcome) {
                text.push_str(&format!("last {}: ", clean(last)));
            }
            text.push_str(&format!("{} ({} ago", clean(detail), time(age)));
            if let (Some(count), Some((rise, fall))) = (check.in_a_row, check.needed)
                && (rise > 1 || fall > 1)
            {
                text.push_str(&format!(", {count} in a row of {rise} up and {fall} down"));
            }
            text.push(')');
        }
        _ if check.reason != "healthy" => text.push_str(&format!(": {}", clean(&check.reason))),
        _ => {}
    }
    text
}
