//! How a log line looks.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The head of each line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// `2026-11-22T10:27:00+01:00 [N] …`
    Stamped {
        /// Bold time, levels coloured by meaning.
        color: bool,
    },
    /// `[ha2bgp] [N] …`
    Helper,
}

/// The original's letters: E an operator must act, W unexpected, N (notice) what a network
/// operator wants to read, D every step.
const fn letter(level: Level) -> (char, &'static str) {
    match level {
        Level::ERROR => ('E', "\x1b[31m"),
        Level::WARN => ('W', "\x1b[33m"),
        Level::INFO => ('N', "\x1b[32m"),
        Level::DEBUG | Level::TRACE => ('D', "\x1b[36m"),
    }
}

impl<S, N> FormatEvent<S, N> for Style
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (letter, color) = letter(*event.metadata().level());
        match self {
            Self::Helper => write!(writer, "[ha2bgp] [{letter}] ")?,
            Self::Stamped { color: false } => write!(writer, "{} [{letter}] ", stamp())?,
            Self::Stamped { color: true } => {
                write!(writer, "\x1b[1m{}\x1b[0m {color}[{letter}]\x1b[0m ", stamp())?;
            }
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn stamp() -> impl fmt::Display {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z")
}

/// Writes `message key=value …`; control characters are escaped, so that a line stays a line.
#[derive(Debug)]
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut visitor = Line { writer, result: Ok(()), first: true };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
    first: bool,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: &dyn fmt::Display) {
        if self.result.is_err() {
            return;
        }
        let text = clean(&value.to_string());
        let gap = if self.first { "" } else { " " };
        self.first = false;
        self.result = match field.name() {
            "message" => write!(self.writer, "{gap}{text}"),
            name if text.is_empty() || text.contains([' ', '"']) => {
                write!(self.writer, "{gap}{name}={text:?}")
            }
            name => write!(self.writer, "{gap}{name}={text}"),
        };
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format_args!("{value:?}"));
    }
}

/// Escapes control characters: texts may come from other programs.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(clean("one\ntwo\x1b[31m"), "one\\ntwo\\u{1b}[31m");
        assert_eq!(clean("größer"), "größer");
    }
}
