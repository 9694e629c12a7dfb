//! The other end of a stream of events (`text/event-stream`, HTML standard section 9.2).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;

use super::{ClientError, connect, timed_out, unreachable};

/// A longer line is none of ours.
const LINE_MAX: u64 = 64 * 1024;
/// The most lines of a head.
const HEAD_LINES_MAX: usize = 100;

/// One event.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// What to name as the last event when coming again.
    pub id: Option<String>,
    /// Its kind.
    pub kind: String,
    /// One line of JSON.
    pub data: String,
}

/// Why a stream ended.
#[derive(Debug)]
pub enum StreamEnd {
    /// The other end ended it, or is gone: come again.
    Closed,
    /// It was refused, with this status and body.
    Refused(super::Answer),
}

/// Follows a stream of events until it ends, or `each` says to stop with `false`. `after` is the last
/// event that is known.
///
/// # Errors
/// When nobody is there, or what is there does not speak as we do.
pub fn follow(
    path: &Path,
    target: &str,
    after: Option<&str>,
    each: &mut dyn FnMut(Received) -> bool,
) -> Result<StreamEnd, ClientError> {
    let no_answer = |why: String| ClientError::NoAnswer { path: path.to_owned(), why };
    let mut socket = connect(path).map_err(|error| unreachable(path, error))?;
    let last = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    // HTTP/1.0 has no chunks: the octets of the stream are the body.
    let head = format!("GET {target} HTTP/1.0\r\nhost: ha2bgp\r\n{last}\r\n");
    socket.write_all(head.as_bytes()).map_err(|error| no_answer(timed_out(&error)))?;
    // The other end sends something every 15 s.
    socket
        .set_read_timeout(Some(super::STREAM_TIME))
        .map_err(|error| no_answer(error.to_string()))?;
    let mut lines = BufReader::new(&socket);
    let status = match status(&mut lines) {
        Ok(status) => status,
        Err(error) => return Err(no_answer(timed_out(&error))),
    };
    if status != 200 {
        let mut body = Vec::new();
        let read = lines.take(super::ANSWER_MAX).read_to_end(&mut body);
        read.map_err(|error| no_answer(timed_out(&error)))?;
        return Ok(StreamEnd::Refused(super::Answer { status, body }));
    }
    let mut event = Received::default();
    // A broken stream is an end as any other: whoever comes again misses nothing.
    while let Ok(Some(line)) = line(&mut lines) {
        if line.is_empty() {
            let whole = std::mem::take(&mut event);
            if !whole.data.is_empty() && !each(whole) {
                break;
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.kind),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    Ok(StreamEnd::Closed)
}

/// Reads a head; what is in it but for the status is of no use here.
fn status(lines: &mut impl io::BufRead) -> io::Result<u16> {
    let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
    let first = line(lines)?.ok_or_else(|| bad("it is empty"))?;
    let is_ours = first.starts_with("HTTP/1.0 ") || first.starts_with("HTTP/1.1 ");
    let status = first.get(9..12).filter(|_| is_ours).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| bad("it is no HTTP"))?;
    for _ in 0..HEAD_LINES_MAX {
        match line(lines)? {
            Some(line) if line.is_empty() => return Ok(status),
            Some(_) => {}
            None => break,
        }
    }
    Err(bad("it has no end"))
}

/// A line without its end; nothing at the end of all.
fn line(lines: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    lines.take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.pop_if(|octet| *octet == b'\n').is_none() {
        return Ok(None);
    }
    line.pop_if(|octet| *octet == b'\r');
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}
