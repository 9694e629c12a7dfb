//! Threshold ranges of the plugin development guidelines.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::perf::leading_number;

/// A threshold: values that are fine, or with `@` those that are not. The text is kept as it is,
/// for nobody promises that it is a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// As written, not empty.
    pub text: String,
    /// What it means, if it is a range.
    pub bounds: Option<Bounds>,
}

/// What a range means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least value in it; `None` is minus infinity (`~`).
    pub start: Option<f64>,
    /// The greatest value in it; `None` is infinity.
    pub end: Option<f64>,
    /// True for `@`: values in it are the bad ones.
    pub inside: bool,
}

impl Range {
    /// `10` is 0 to 10, `10:` from 10 on, `~:10` up to 10, `10:20`, and `@10:20` for not these.
    /// `None` for an empty text.
    pub(super) fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { text: text.to_owned(), bounds: bounds(text) })
    }

    /// True if a value is beyond this threshold; `None` if the text is no range.
    pub fn alerts(&self, value: f64) -> Option<bool> {
        let bounds = self.bounds?;
        let within = bounds.start.is_none_or(|start| start <= value)
            && bounds.end.is_none_or(|end| value <= end);
        Some(within == bounds.inside)
    }
}

fn bounds(text: &str) -> Option<Bounds> {
    let (inside, text) = match text.strip_prefix('@') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (start, end) = match text.split_once(':') {
        Some((start, end)) => (start, end),
        None => ("", text),
    };
    let start = match start {
        "~" => None,
        "" => Some(0.0),
        text => Some(whole(text)?),
    };
    // "x:" has no end; "x" has no colon, and must have one number.
    let end = if end.is_empty() && text.ends_with(':') { None } else { Some(whole(end)?) };
    let ordered = start.zip(end).is_none_or(|(start, end)| start <= end);
    ordered.then_some(Bounds { start, end, inside })
}

fn whole(text: &str) -> Option<f64> {
    let (number, rest) = leading_number(text)?;
    // Some plugins repeat the unit here; which one it is says the value.
    rest.chars().all(|c| c.is_ascii_alphabetic() || c == '%').then_some(number.value)
}
