//! Bytes from ExaBGP to answers: lines with a limit, then their meaning.
//!
//! Per command one line: `done` or `error`, or in JSON `{ "answer": "done", "message": "…" }`
//! (`reactor/api/response/answer.py`). Newer ones put a reason before an error: `error: TEXT` or
//! `{"error": "TEXT"}`, and after a JSON error the word `error` once more (`processes.py`,
//! `answer_error`). Before it ends its helpers, ExaBGP says `shutdown PID PPID`, or in JSON an event
//! with `"notification": "shutdown"`. Everything else (neighbour events, help texts) is not for us.

use alloc::string::String;
use alloc::vec::Vec;

/// What the JSON event of a stopping ExaBGP has in it (`reactor/api/response/json.py`). Should the
/// text of a neighbour ever look like it, we wait for fewer answers, no more.
const STOPS: &[u8] = b"\"notification\": \"shutdown\"";
/// Longer lines are skipped whole.
pub(super) const LINE_MAX: usize = 64 * 1024;
/// The most characters of a reason that are kept.
const REASON_MAX: usize = 200;

/// What a line means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Line {
    Done,
    Error,
    /// Why the error that follows happened.
    Reason(String),
    /// ExaBGP stops: it reads and answers nothing any more.
    Stops,
    Other,
}

/// Cuts a stream into lines and reads them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    partial: Vec<u8>,
    /// The current line is too long: drop it up to its end.
    skipping: bool,
    /// The last answer was a JSON error: the word `error` behind it repeats it.
    echo: bool,
    /// Lines that were too long.
    pub(super) skipped: u64,
}

impl Reader {
    /// Takes the next bytes; calls `each` with each line that is complete now.
    pub(super) fn feed(&mut self, bytes: &[u8], each: &mut dyn FnMut(Line)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            self.append(head);
            if self.skipping {
                self.skipping = false;
                self.skipped += 1;
                self.echo = false;
                continue;
            }
            let mut line = core::mem::take(&mut self.partial);
            if let Some(meaning) = self.read(&line) {
                each(meaning);
            }
            // Keep the allocation for the next line.
            line.clear();
            self.partial = line;
        }
        self.append(rest);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.partial.len() + bytes.len() > LINE_MAX {
            self.skipping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn read(&mut self, line: &[u8]) -> Option<Line> {
        let (meaning, json) = meaning(line.trim_ascii());
        let echo = core::mem::replace(&mut self.echo, json && meaning == Line::Error);
        if echo && !json && meaning == Line::Error {
            return None;
        }
        Some(meaning)
    }
}

/// The meaning of one line, and whether it was JSON.
fn meaning(line: &[u8]) -> (Line, bool) {
    if let Some(body) = line.strip_prefix(b"{") {
        return (json(body, line).unwrap_or(Line::Other), true);
    }
    let text = match line {
        b"done" => Line::Done,
        b"error" => Line::Error,
        b"shutdown" => Line::Stops,
        _ if line.starts_with(b"shutdown ") => Line::Stops,
        _ => match line.strip_prefix(b"error:") {
            Some(reason) => Line::Reason(readable(reason)),
            None => Line::Other,
        },
    };
    (text, false)
}

/// The first member decides: answers put `answer` first, events `exabgp`.
fn json(body: &[u8], line: &[u8]) -> Option<Line> {
    let (name, rest) = string(body.trim_ascii_start())?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let (value, _) = string(rest.trim_ascii_start())?;
    match (name, value) {
        (b"answer", b"done") => Some(Line::Done),
        (b"answer", b"error") => Some(Line::Error),
        (b"answer", b"shutdown") => Some(Line::Stops),
        (b"exabgp", _) => line.windows(STOPS.len()).any(|it| it == STOPS).then_some(Line::Stops),
        (b"error", reason) => Some(Line::Reason(readable(reason))),
        _ => None,
    }
}

/// A JSON string at the start: its raw inside (escapes stay) and what follows.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = inside.iter().position(|byte| {
        let end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        end
    })?;
    Some((inside.get(..end)?, inside.get(end + 1..)?))
}

/// Text for a log: no control characters, not long.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii())
        .chars()
        .filter(|c| !c.is_control())
        .take(REASON_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn lines(reader: &mut Reader, bytes: &[u8]) -> Vec<Line> {
        let mut got = Vec::new();
        reader.feed(bytes, &mut |line| got.push(line));
        got
    }

    #[test]
    fn lines_are_understood() {
        let reason = |text: &str| Line::Reason(text.into());
        let cases: &[(&[u8], &[Line])] = &[
            (b"done\n", &[Line::Done]),
            (b"  error \r\n", &[Line::Error]),
            (b"{ \"answer\": \"done\", \"message\": \"command completed\" }\n", &[Line::Done]),
            (b"{\"answer\":\"error\"}\n", &[Line::Error]),
            (b"{\"answer\":\"error\"}\nerror\nerror\n", &[Line::Error, Line::Error]),
            (b"error\nerror\n", &[Line::Error, Line::Error]),
            (b"error: no such peer\x1b[1m\nerror\n", &[reason("no such peer[1m"), Line::Error]),
            (
                b"{\"error\": \"bad \\\"route\\\"\"}\n{ \"answer\": \"error\" }\nerror\n",
                &[reason("bad \\\"route\\\""), Line::Error],
            ),
            (b"shutdown 12 13\nshutdown\ndone\n", &[Line::Stops, Line::Stops, Line::Done]),
            (b"shutdowns\n", &[Line::Other]),
            (b"{ \"exabgp\": \"4.0.1\", \"answer\": \"done\" }\n", &[Line::Other]),
            (b"{ \"answer\": \"shutdown\" }\n", &[Line::Stops]),
            (
                b"{ \"exabgp\": \"4.0.1\", \"type\": \"notification\", \"notification\": \"shutdown\" }\n",
                &[Line::Stops],
            ),
            (
                b"{ \"answer\n{\n{\"answer\":done}\n\n",
                &[Line::Other, Line::Other, Line::Other, Line::Other],
            ),
            (b"neighbor 10.0.0.1 up\ndonee\nDONE\n", &[Line::Other, Line::Other, Line::Other]),
            (b"\xff\xfe done\ndone", &[Line::Other]),
        ];
        for (bytes, want) in cases {
            assert_eq!(lines(&mut Reader::default(), bytes), *want);
            // One byte at a time makes no difference.
            let mut reader = Reader::default();
            let got: Vec<Line> = bytes.iter().flat_map(|b| lines(&mut reader, &[*b])).collect();
            assert_eq!(got, *want);
        }
    }

    #[test]
    fn long_lines_are_skipped_whole() {
        let mut reader = Reader::default();
        assert_eq!(lines(&mut reader, &vec![b'x'; LINE_MAX]), []);
        assert_eq!(lines(&mut reader, b"done\ndone\n"), [Line::Done]);
        assert_eq!(reader.skipped, 1);
        for _ in 0..1000 {
            assert_eq!(lines(&mut reader, &[b'y'; 1000]), []);
            assert!(reader.partial.capacity() <= 2 * LINE_MAX);
        }
        assert_eq!(lines(&mut reader, b"\nerror\n"), [Line::Error]);
        assert_eq!(reader.skipped, 2);
    }
}
