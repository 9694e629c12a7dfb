//! What must hold whatever a plugin prints: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use ha2bgp_core::check::{DETAIL_MAX, LONG_MAX, Outcome};

use super::{ExitStatus, MAX_LONG_LINE, MAX_LONG_LINES, MAX_PERFDATA, PluginOutput, Range};

/// The first octet is the exit code, the rest the output: the code alone decides, and nothing that
/// is kept is longer than it may be.
#[doc(hidden)]
pub fn fuzz_plugin_output(input: &[u8]) {
    let Some((code, stdout)) = input.split_first() else { return };
    let status = match code {
        200.. => ExitStatus::Signal(i32::from(*code) - 200),
        _ => ExitStatus::Code(i32::from(*code)),
    };
    let output = PluginOutput::parse(status, stdout);
    let wanted = match status {
        ExitStatus::Code(0) => Outcome::Pass,
        ExitStatus::Code(1) => Outcome::Warn,
        ExitStatus::Code(2) => Outcome::Fail,
        ExitStatus::Code(_) | ExitStatus::Signal(_) => Outcome::Unknown,
    };
    assert_eq!(output.result.outcome, wanted, "the code decides");
    assert!(!output.result.detail.is_empty(), "there is always a text");
    assert!(output.result.detail.len() <= DETAIL_MAX, "a short text");
    assert!(output.perfdata.len() <= MAX_PERFDATA, "few items");
    assert!(output.long.len() <= MAX_LONG_LINES, "few lines");
    for line in &output.long {
        assert!(line.len() <= MAX_LONG_LINE && !line.is_empty(), "a short line");
        assert!(!line.chars().any(char::is_control), "a harmless line");
    }
    for perf in &output.perfdata {
        assert!(!perf.label.is_empty() && !perf.label.chars().any(char::is_control), "a label");
        for number in [&perf.value, &perf.min, &perf.max].into_iter().flatten() {
            assert!(number.value.is_finite(), "a number");
            assert_eq!(number.text.parse(), Ok(number.value), "text and value agree");
        }
        if let Some((base, _)) = perf.base() {
            assert!(base.is_finite(), "a metric");
        }
        for range in [&perf.warn, &perf.crit].into_iter().flatten() {
            let again = Range::read(&range.text);
            assert_eq!(again.as_ref(), Some(range), "the text is the range");
            assert_eq!(range.alerts(0.0).is_some(), range.bounds.is_some(), "a range decides");
        }
    }
    assert_eq!(PluginOutput::parse(status, stdout), output, "the same again");
    let known = output.perfdata.iter().filter(|perf| perf.base().is_some()).count();
    let told = output.result.clone();
    let result = output.into_result();
    assert_eq!((result.outcome, &result.detail), (told.outcome, &told.detail), "the verdict stays");
    let more = result.more.as_deref().cloned().unwrap_or_default();
    assert!(more.long.len() <= LONG_MAX && more.metrics.len() == known, "all that is known");
    for metric in &more.metrics {
        assert!(metric.value.parse().is_ok_and(f64::is_finite), "a number in base units");
    }
}
