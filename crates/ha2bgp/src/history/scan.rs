//! Reading the lines of a history file, whatever is in it.

use std::io::{self, BufRead, Read as _};

use jiff::Timestamp;
use serde::Deserialize;

use crate::events::kind::Kind;
use crate::events::{Id, Record, Stored};

/// A longer line is none of ours.
const LINE_MAX: usize = 64 * 1024;

/// What a line must have.
#[derive(Deserialize)]
struct Head {
    id: Id,
    kind: String,
}

/// Hands out every record of a file in its order. Returns how many octets it has up to the end of
/// its last whole line: what is behind that was torn by a power loss.
///
/// Lines that are no records are skipped, and so are those whose id does not rise.
pub(super) fn scan(
    mut file: impl BufRead,
    newest: &mut Option<Id>,
    each: &mut dyn FnMut(Stored),
) -> io::Result<u64> {
    let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    let (mut whole, mut octets, mut long) = (0, 0, false);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = file.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(whole);
        }
        octets += u64::try_from(count).unwrap_or(0);
        if line.pop_if(|octet| *octet == b'\n').is_none() {
            long = true;
            continue;
        }
        whole = octets;
        if !std::mem::take(&mut long)
            && let Some(stored) = read(&line)
            && newest.is_none_or(|newest| newest < stored.id)
        {
            *newest = Some(stored.id);
            each(stored);
        }
    }
}

fn read(line: &[u8]) -> Option<Stored> {
    let text = std::str::from_utf8(line).ok()?;
    let head: Head = serde_json::from_str(text).ok()?;
    Some(Stored { id: head.id, last: head.kind == Kind::Stopped.name(), line: text.into() })
}

/// Which records are wanted. What is not given is no condition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Those behind this one, the oldest first; without it the newest.
    pub after: Option<Id>,
    /// None that is older.
    pub since: Option<Timestamp>,
    /// Of this service.
    pub service: Option<String>,
    /// Of this prefix.
    pub prefix: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// So many at most.
    pub limit: usize,
}

impl Query {
    /// Whether a record is wanted. One that this version cannot read is not.
    pub fn wants(&self, stored: &Stored) -> bool {
        if self.after.is_some_and(|after| stored.id <= after) {
            return false;
        }
        let Self { since, service, prefix, kind, .. } = self;
        if since.is_none() && service.is_none() && prefix.is_none() && kind.is_none() {
            return true;
        }
        let Ok(record) = serde_json::from_str::<Record>(&stored.line) else { return false };
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        since.is_none_or(|since| record.at >= since)
            && is(service, &record.service)
            && is(prefix, &record.prefix)
            && is(kind, &record.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        format!("{{\"id\":\"{id}\",\"kind\":\"x\"}}\n")
    }

    fn ids(bytes: &[u8]) -> (Vec<String>, u64) {
        let mut found = Vec::new();
        let whole = scan(bytes, &mut None, &mut |stored| found.push(stored.id.to_string()));
        (found, whole.unwrap())
    }

    #[test]
    fn whatever_is_in_the_file() {
        let (one, two) = (line("1-1"), line("1-2"));
        let both = format!("{one}{two}");
        let length = |text: &str| u64::try_from(text.len()).unwrap();
        assert_eq!(ids(both.as_bytes()), (vec!["1-1".into(), "1-2".into()], length(&both)));
        for junk in ["\n", "{}\n", "\0\0\0\n", "[1]\n", "{\"id\":\"x\",\"kind\":\"x\"}\n"] {
            let text = format!("{junk}{one}{junk}{two}{junk}");
            assert_eq!(ids(text.as_bytes()).0, ["1-1", "1-2"], "{junk:?}");
        }
        // Twice, or out of order: each record once.
        let text = format!("{two}{one}{two}{}", line("1-3"));
        assert_eq!(ids(text.as_bytes()).0, ["1-2", "1-3"]);
        let long = format!("{one}{}\n{two}", "x".repeat(3 * LINE_MAX));
        assert_eq!(ids(long.as_bytes()), (vec!["1-1".into(), "1-2".into()], length(&long)));
        let torn = format!("{one}{{\"id\":\"1-2\",");
        assert_eq!(ids(torn.as_bytes()), (vec!["1-1".into()], length(&one)));
        assert_eq!(ids(b"\xff\xfe\n"), (vec![], 3));
        assert_eq!(ids(b""), (vec![], 0));
    }
}
