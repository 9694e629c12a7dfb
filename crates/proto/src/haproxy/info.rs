//! `show info`: lines `Key: value` about the process (management.txt section 9.3 "show info").
//!
//! Kept is what tells processes apart and whether this one is going away. Everything else, about
//! 70 keys, is skipped. Limits: [`LINE_MAX`], [`LINES_MAX`].

use alloc::boxed::Box;
use alloc::string::String;

use thiserror::Error;

use super::stat::excerpt;

/// The longest line in octets.
pub const LINE_MAX: usize = 4096;
/// The most lines.
pub const LINES_MAX: usize = 1000;

/// What HAProxy says of its process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Info {
    /// `Name`: the product.
    pub name: Option<Box<str>>,
    /// `Version`, as `2.6.12-1+deb12u3`.
    pub version: Option<Box<str>>,
    /// `node`: the name of the host or of the `node` statement.
    pub node: Option<Box<str>>,
    /// `Pid`: the process that answers.
    pub pid: Option<u32>,
    /// `Process_num`: 1 since HAProxy 2.5.
    pub process_number: Option<u32>,
    /// `Uptime_sec`: its age in seconds.
    pub uptime_seconds: Option<u32>,
    /// `Stopping`: it takes no new connections and ends with the last one. After a reload the old
    /// process still answers on a connection to its stats socket that was open before.
    pub stopping: bool,
}

/// Why an answer to `show info` is not one.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InfoError {
    /// A line without a colon, or no line that says who it is.
    #[error("`show info` answered {line:?} and no `Version:` and `Pid:`: is this HAProxy?")]
    NotInfo {
        /// The first line, shortened.
        line: Box<str>,
    },
    /// A limit is reached.
    #[error("`show info` is longer than {LINES_MAX} lines of {LINE_MAX} octets")]
    TooMuch,
}

/// Reads an answer line by line.
#[derive(Debug, Default)]
pub(super) struct InfoReader {
    info: Info,
    first: Option<Box<str>>,
    lines: usize,
}

impl InfoReader {
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), InfoError> {
        if line.is_empty() {
            return Ok(());
        }
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(InfoError::TooMuch);
        }
        if self.first.is_none() {
            self.first = Some(excerpt(line));
        }
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { return Ok(()) };
        let (key, value) = line.split_at(colon);
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default());
        let value = value.trim();
        let text = || Some(value.into());
        match key {
            b"Name" => self.info.name = text(),
            b"Version" => self.info.version = text(),
            b"node" => self.info.node = text(),
            b"Pid" => self.info.pid = value.parse().ok(),
            b"Process_num" => self.info.process_number = value.parse().ok(),
            b"Uptime_sec" => self.info.uptime_seconds = value.parse().ok(),
            b"Stopping" => self.info.stopping = value != "0",
            _ => {}
        }
        Ok(())
    }

    pub(super) fn first_line(&self) -> &str {
        self.first.as_deref().unwrap_or_default()
    }

    pub(super) fn finish(self) -> Result<Info, InfoError> {
        if self.info.version.is_none() || self.info.pid.is_none() {
            return Err(InfoError::NotInfo { line: self.first.unwrap_or_default() });
        }
        Ok(self.info)
    }
}

/// Reads a whole answer at once.
///
/// # Errors
///
/// See [`InfoError`].
pub fn parse(bytes: &[u8]) -> Result<Info, InfoError> {
    let mut reader = InfoReader::default();
    for line in bytes.split(|octet| *octet == b'\n') {
        if line.len() > LINE_MAX {
            return Err(InfoError::TooMuch);
        }
        reader.line(line)?;
    }
    reader.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_answer() {
        let info = parse(include_bytes!("testdata/info-2.6.txt")).unwrap();
        assert_eq!(info.name.as_deref(), Some("HAProxy"));
        assert_eq!(info.version.as_deref(), Some("2.6.12-1+deb12u3"));
        assert!(info.pid.is_some() && info.uptime_seconds.is_some());
        assert_eq!(info.process_number, Some(1));
        assert!(!info.stopping);
    }

    #[test]
    fn stopping_is_seen() {
        assert!(parse(b"Version: 3.2.1\nPid: 7\nStopping: 1\n").unwrap().stopping);
    }

    #[test]
    fn what_is_not_info_says_so() {
        let error = parse(b"220 mail.example.org ESMTP\n").unwrap_err();
        assert_eq!(error, InfoError::NotInfo { line: "220 mail.example.org ESMTP".into() });
        let long = [b'x'; LINE_MAX + 1];
        assert_eq!(parse(&long), Err(InfoError::TooMuch));
        assert_eq!(parse(&b"a: b\n".repeat(LINES_MAX + 1)), Err(InfoError::TooMuch));
    }
}
