//! What a monitoring plugin says: its exit code and its output, as the plugin development
//! guidelines of Nagios and the Monitoring Plugins project describe them.
//!
//! ```text
//! TEXT | 'label'=value[UOM];warn;crit;min;max …
//! LONG TEXT
//! LONG TEXT | MORE PERFORMANCE DATA
//! MORE PERFORMANCE DATA
//! ```
//!
//! The exit code alone decides; the text is for people and the performance data for metrics, so
//! nothing in the output is an error: what cannot be read is counted and left out. Starting and
//! killing the program is not done here.
//!
//! * [`PluginOutput`]: all of it. * [`Perf`], [`Unit`], [`Number`]: one item of performance data.
//! * [`Range`]: a threshold such as `@10:20`.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use ha2bgp_core::check::{LONG_MAX, METRICS_MAX, Metric, MetricUnit, More, Outcome, ProbeResult};

mod fuzz;
mod perf;
mod range;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_plugin_output;
pub use perf::{BaseUnit, Number, Perf, Unit};
pub use range::{Bounds, Range};

/// What is read of a plugin's output, in octets; whoever runs it keeps no more than this.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// What is kept of performance data, in items.
pub const MAX_PERFDATA: usize = METRICS_MAX;

/// What is kept of long output, in lines.
pub const MAX_LONG_LINES: usize = 64;

/// What is kept of one line of long output, in octets.
pub const MAX_LONG_LINE: usize = 1024;

/// How a plugin ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExitStatus {
    /// It left with this code.
    Code(i32),
    /// A signal ended it (signal(7)); that of a time-out is told by whoever sent it.
    Signal(i32),
}

/// What a plugin said.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginOutput {
    /// The verdict of its exit code, with the first line of its output.
    pub result: ProbeResult,
    /// The lines after the first, without performance data, control characters and blank lines:
    /// at most [`MAX_LONG_LINES`] of at most [`MAX_LONG_LINE`] octets.
    pub long: Vec<String>,
    /// Its performance data in the order of the output, at most [`MAX_PERFDATA`].
    pub perfdata: Vec<Perf>,
    /// How many items of performance data are missing: not as the guidelines say, or one of those
    /// after the first [`MAX_PERFDATA`].
    pub skipped: usize,
}

impl PluginOutput {
    /// Reads what a plugin wrote to its standard output. What is after [`MAX_OUTPUT`] octets is
    /// not looked at; what is not UTF-8 becomes `U+FFFD`.
    pub fn parse(status: ExitStatus, stdout: &[u8]) -> Self {
        let octets = stdout.get(..MAX_OUTPUT).unwrap_or(stdout);
        let text: Cow<'_, str> = String::from_utf8_lossy(octets);
        let mut lines = text.lines();
        let (first, data) = split(lines.next().unwrap_or_default());
        let mut output = Self {
            result: verdict(status, first.trim()),
            long: Vec::new(),
            perfdata: Vec::new(),
            skipped: 0,
        };
        output.perf(data.unwrap_or_default());

        // The first bar after the first line ends the text: all that follows is performance data.
        let mut numbers = false;
        for line in lines {
            if numbers {
                output.perf(line);
                continue;
            }
            let (text, data) = split(line);
            output.long(text);
            if let Some(data) = data {
                numbers = true;
                output.perf(data);
            }
        }
        output
    }

    /// All of it as the result of a probe: long output up to [`LONG_MAX`] octets, and the performance
    /// data whose value is known, in base units.
    pub fn into_result(self) -> ProbeResult {
        let mut long = String::new();
        for line in &self.long {
            if long.len() + line.len() >= LONG_MAX {
                break;
            }
            if !long.is_empty() {
                long.push('\n');
            }
            long.push_str(line);
        }
        let metrics: Vec<Metric> = self.perfdata.into_iter().filter_map(metric).collect();
        let told = !long.is_empty() || !metrics.is_empty();
        let more = told.then(|| Arc::new(More { long: long.into(), metrics: metrics.into() }));
        ProbeResult { more, ..self.result }
    }

    fn perf(&mut self, text: &str) {
        for item in perf::items(text) {
            match item {
                Some(item) if self.perfdata.len() < MAX_PERFDATA => self.perfdata.push(item),
                Some(_) | None => self.skipped += 1,
            }
        }
    }

    fn long(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() || self.long.len() >= MAX_LONG_LINES {
            return;
        }
        let end = (0..=MAX_LONG_LINE.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
        let cut = line.get(..end.unwrap_or(0)).unwrap_or_default();
        // A control character becomes a blank, which is never longer.
        self.long.push(cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect());
    }
}

fn metric(perf: Perf) -> Option<Metric> {
    let (value, unit) = perf.base()?;
    let unit = match unit {
        BaseUnit::Number => MetricUnit::Number,
        BaseUnit::Seconds => MetricUnit::Seconds,
        BaseUnit::Bytes => MetricUnit::Bytes,
        BaseUnit::Ratio => MetricUnit::Ratio,
        BaseUnit::Counter => MetricUnit::Counter,
    };
    Some(Metric { label: perf.label.into(), value: value.to_string().into(), unit })
}

/// A line without and with what is after its first bar.
fn split(line: &str) -> (&str, Option<&str>) {
    match line.split_once('|') {
        Some((text, data)) => (text, Some(data)),
        None => (line, None),
    }
}

fn verdict(status: ExitStatus, first: &str) -> ProbeResult {
    let said = if first.is_empty() { "(no output)" } else { first };
    let (outcome, detail) = match status {
        ExitStatus::Code(0) => (Outcome::Pass, said.to_owned()),
        ExitStatus::Code(1) => (Outcome::Warn, said.to_owned()),
        ExitStatus::Code(2) => (Outcome::Fail, said.to_owned()),
        ExitStatus::Code(3) => (Outcome::Unknown, said.to_owned()),
        // 126 and 127: what shells, env(1) and the like say of a command they could not run.
        ExitStatus::Code(code @ 126) => (
            Outcome::Unknown,
            format!("exit code {code}: a command could not be executed, check its mode: {said}"),
        ),
        ExitStatus::Code(code @ 127) => (
            Outcome::Unknown,
            format!("exit code {code}: a command was not found, check its path: {said}"),
        ),
        ExitStatus::Code(code) => {
            (Outcome::Unknown, format!("exit code {code}, plugins may use 0 to 3: {said}"))
        }
        ExitStatus::Signal(signal) => {
            let name = signal_name(signal);
            (Outcome::Unknown, format!("ended by signal {signal}{name}: {said}"))
        }
    };
    ProbeResult::new(outcome, &detail)
}

/// The names of signals that end programs, as on Linux for x86 and ARM (signal(7)).
const fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        14 => " (SIGALRM)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}
