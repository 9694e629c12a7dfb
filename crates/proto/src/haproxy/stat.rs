//! `show stat`: a CSV becomes a [`Table`] (management.txt sections 9.1 and 9.3 "show stat").
//!
//! Columns are found by their names in the header line, so that every version from 2.2 to 3.x
//! reads the same; columns we do not know are skipped, missing ones are `None`. Quoting is that of
//! RFC 4180, as section 9.1 says. [`StatReader`] takes octets cut anywhere and keeps one partial
//! line and the rows.
//!
//! Limits: [`LINE_MAX`], [`ROWS_MAX`], [`BYTES_MAX`], [`COLUMNS_MAX`]. A table of the largest size
//! takes about 100 MiB; one of 10 000 rows about 3 MiB. Measured (`benches/haproxy_stat.rs`,
//! shared machine): 10 000 rows of 2.6, 2.5 MB, are read and dropped again in 3.6 to 4.0 ms.
//!
//! Not read, and why: the domains `dns`/`resolvers` (no proxies in them), the typed and JSON forms
//! (same content, three to ten times the bytes), `no-maint` (the servers in maintenance are needed
//! to count). Several processes (`nbproc`, gone since 2.5) each have their own socket and table.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use thiserror::Error;

use super::scan::{Lines, TooLong};

mod csv;
mod row;
mod status;
mod table;
#[cfg(test)]
mod tests;

pub use row::{Kind, Mode, Row};
pub use status::{Progress, Status};
pub use table::{Proxy, Table};

use csv::{Column, Columns, Fields};
use table::Builder;

/// The longest line in octets; HAProxy's buffer (`tune.bufsize`) is 16 KiB by default.
pub const LINE_MAX: usize = 64 * 1024;
/// The most rows.
pub const ROWS_MAX: usize = 200_000;
/// The most octets of one answer.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most columns; HAProxy 3.x has about 200.
pub const COLUMNS_MAX: usize = 4096;

/// Why an answer to `show stat` is not a table.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum StatError {
    /// The first line is not a header.
    #[error(
        "`show stat` answered {line:?}, but its first line must start with `# pxname,svname,`: \
         is this HAProxy's stats socket?"
    )]
    NoHeader {
        /// What came, shortened.
        line: Box<str>,
    },
    /// A column without which nothing can be said is not there.
    #[error("`show stat` has no column {name:?}: HAProxy 2.2 or later is needed")]
    NoColumn {
        /// The column.
        name: &'static str,
    },
    /// A row cannot be read.
    #[error("`show stat`, row {row}: {what}")]
    Row {
        /// Which, from 1.
        row: usize,
        /// What is wrong with it.
        what: RowError,
    },
    /// A limit is reached.
    #[error("`show stat` is longer than {max} {unit}, the most that is read")]
    TooMuch {
        /// The limit.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The answer ended inside of quotes, or before its last line was complete.
    #[error("`show stat` ended in the middle of a line, after {rows} rows")]
    Truncated {
        /// Rows before it.
        rows: usize,
    },
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum RowError {
    /// It has no name of a proxy or of what is in it.
    #[error("pxname or svname is empty or missing")]
    NoName,
    /// The type is none of 0 to 3.
    #[error("type must be 0, 1, 2 or 3 (frontend, backend, server, listener)")]
    BadType,
    /// A frontend or backend came twice.
    #[error("this frontend or backend was there already")]
    Twice,
}

/// Reads one answer to `show stat`.
#[derive(Debug)]
pub struct StatReader {
    lines: Lines,
    content: Content,
}

impl Default for StatReader {
    fn default() -> Self {
        Self { lines: Lines::new(LINE_MAX, true), content: Content::default() }
    }
}

impl StatReader {
    /// Takes the next octets, cut anywhere. After an error, nothing more can be read.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), StatError> {
        self.content.count(bytes.len())?;
        let mut result = Ok(());
        let content = &mut self.content;
        let fed = self.lines.feed(bytes, &mut |line, quoted| {
            result = content.line(line, quoted);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        fed.map(|_| ()).map_err(too_long)
    }

    /// The table, when the answer is complete.
    pub fn finish(self) -> Result<Table, StatError> {
        if self.lines.in_quotes() || !self.lines.partial().is_empty() {
            return Err(StatError::Truncated { rows: self.content.rows });
        }
        self.content.finish()
    }
}

/// Reads a whole answer at once.
///
/// # Errors
///
/// See [`StatError`].
pub fn parse(bytes: &[u8]) -> Result<Table, StatError> {
    let mut reader = StatReader::default();
    reader.feed(bytes)?;
    reader.finish()
}

pub(super) const fn too_long(_: TooLong) -> StatError {
    StatError::TooMuch { max: LINE_MAX, unit: "octets in one line" }
}

/// What the lines of an answer say, line by line.
#[derive(Debug, Default)]
pub(super) struct Content {
    columns: Option<Columns>,
    fields: Fields,
    scratch: String,
    bytes: usize,
    rows: usize,
    builder: Builder,
}

impl Content {
    /// Counts octets that arrived.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), StatError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX {
            return Err(StatError::TooMuch { max: BYTES_MAX, unit: "octets" });
        }
        Ok(())
    }

    /// Takes one logical line without its line feed, and whether it has quotes. Empty lines are skipped: one ends the answer.
    pub(super) fn line(&mut self, line: &[u8], quoted: bool) -> Result<(), StatError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let Some(columns) = &self.columns else {
            self.columns = Some(Columns::parse(line)?);
            return Ok(());
        };
        self.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(StatError::TooMuch { max: ROWS_MAX, unit: "rows" });
        }
        self.fields.split(line, quoted, columns);
        let proxy = self.fields.text(line, Column::Pxname);
        let added = Row::new(&self.fields, line, &mut self.scratch)
            .and_then(|row| self.builder.add(&proxy, row));
        added.map_err(|what| StatError::Row { row: self.rows, what })
    }

    /// The table.
    pub(super) fn finish(self) -> Result<Table, StatError> {
        if self.columns.is_none() {
            return Err(StatError::NoHeader { line: "".into() });
        }
        Ok(self.builder.finish())
    }
}

/// Text for an error, from foreign octets: short, and what is not text replaced.
pub(super) fn excerpt(bytes: &[u8]) -> Box<str> {
    let start: Vec<u8> = bytes.iter().copied().take(80).collect();
    let text = String::from_utf8_lossy(&start).into_owned();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}
