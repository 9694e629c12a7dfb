//! The README's section of numbers: made from the file of results, between two markers.

use super::{Case, Results, Who};
use crate::{LabError, Result};
use std::fmt::Write as _;

/// What stands before and behind the section.
const MARKERS: [&str; 2] =
    ["<!-- numbers: made by `cargo xtask bench readme` -->\n", "<!-- numbers: end -->\n"];
/// The section has no more lines than this: a reader looks at it once.
const LINES_MAX: usize = 25;

/// The text with the section made anew.
pub fn renewed(text: &str, results: &Results) -> Result<String> {
    let [begin, end] = MARKERS;
    let missing =
        || LabError::Missing(format!("the lines `{}` and `{}`", begin.trim(), end.trim()));
    let (before, rest) = text.split_once(begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{}{end}{after}", section(results)?))
}

/// The section alone.
fn section(results: &Results) -> Result<String> {
    let cases: Vec<&Case> =
        results.cases.iter().map(|(_, case)| case).filter(|case| case.headline).collect();
    if cases.is_empty() {
        return Err(LabError::Missing("results: run `cargo xtask bench all` first".to_owned()));
    }
    let mut text =
        String::from("| median (range) | ha2bgp | others in the same run |\n|---|---|---|\n");
    for case in cases {
        let Some(base) = case.base() else { continue };
        let shown = |value| case.unit.show(value);
        let mut own = format!("{} ({} to {})", shown(base.p50), shown(base.min), shown(base.max));
        if base.name != "ha2bgp" {
            // What the number hangs on, without the name that the column has already.
            let settings = base.name.strip_prefix("ha2bgp, ").unwrap_or(&base.name);
            let _infallible = write!(own, ": {settings}");
        }
        let others = case.rows.iter().filter(|row| *row != base).map(|row| {
            let floor = if row.who == Who::Floor { "floor: " } else { "" };
            let ratio = case.ratio(row).unwrap_or_default();
            format!("{floor}{} {} ({ratio})", row.name, shown(row.p50))
        });
        let others = others.collect::<Vec<_>>().join("; ");
        let _infallible = writeln!(text, "| {} | {own} | {others} |", case.what);
    }
    let _infallible = writeln!(text, "\nOn {}; × is how many times ours.", results.machine);
    let lines = text.lines().count();
    if lines > LINES_MAX {
        return Err(LabError::Missing(format!("room: {lines} lines, {LINES_MAX} at most")));
    }
    Ok(text)
}
