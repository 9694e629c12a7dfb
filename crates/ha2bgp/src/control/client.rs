//! The other end of the control socket, for commands: one request, one answer, a few seconds; or a
//! [`stream`] of events.

pub mod stream;

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// How long each step may take: to connect, to send, to get something of the answer.
const STEP_TIME: Duration = Duration::from_secs(10);
/// A longer answer is none of ours.
const ANSWER_MAX: u64 = 32 * 1024 * 1024;
/// How long nothing may come over a stream of events: a few heartbeats.
const STREAM_TIME: Duration = Duration::from_secs(60);

/// What was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody could be reached.
    #[error("{path}: {error}: {fix}")]
    Unreachable {
        /// The socket file.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
        /// What helps.
        fix: &'static str,
    },
    /// Somebody was reached, who does not speak as we do.
    #[error("{path}: the answer cannot be read: {why}: is it ha2bgp's control socket?")]
    NoAnswer {
        /// The socket file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Sends a request.
///
/// # Errors
/// When nobody is there, or what is there does not answer.
pub fn ask(path: &Path, method: &str, target: &str, body: &[u8]) -> Result<Answer, ClientError> {
    let mut socket = connect(path).map_err(|error| unreachable(path, error))?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: ha2bgp\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let no_answer = |why: String| ClientError::NoAnswer { path: path.to_owned(), why };
    // One that has no place answers at once, and takes nothing.
    let sent = socket.write_all(&[head.as_bytes(), body].concat());
    let mut answer = Vec::new();
    let got = (&socket).take(ANSWER_MAX).read_to_end(&mut answer);
    match parse(&answer) {
        Ok(answer) => Ok(answer),
        Err(why) => Err(no_answer(match (sent, got) {
            (_, Err(error)) | (Err(error), _) => timed_out(&error),
            _ => why.to_owned(),
        })),
    }
}

/// Nobody could be reached, and what helps.
fn unreachable(path: &Path, error: io::Error) -> ClientError {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => {
            "is ha2bgp running, with this as [control] unix = …? Another path goes into --socket or \
             HA2BGP_CONTROL"
        }
        io::ErrorKind::ConnectionRefused => "the ha2bgp that made it is gone: start it",
        io::ErrorKind::PermissionDenied => {
            "this user may not: [control] mode and group say who may"
        }
        _ => "is it ha2bgp's control socket?",
    };
    ClientError::Unreachable { path: path.to_owned(), error, fix }
}

fn timed_out(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("nothing came within {} s", STEP_TIME.as_secs())
        }
        _ => error.to_string(),
    }
}

fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It is for connecting too (unix_stream_connect in net/unix/af_unix.c).
    socket.set_write_timeout(Some(STEP_TIME))?;
    socket.set_read_timeout(Some(STEP_TIME))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Reads an answer that ends with its connection.
fn parse(answer: &[u8]) -> Result<Answer, &'static str> {
    if answer.is_empty() {
        return Err("it is empty");
    }
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").ok_or("it has no end")?;
    let (head, body) = answer.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| "it is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)?.parse().ok()).ok_or("it is no HTTP/1.1")?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())
    });
    match length {
        Some(Some(length)) if length <= body.len() => {
            Ok(Answer { status, body: body.get(..length).unwrap_or_default().to_vec() })
        }
        Some(_) => Err("it is cut off"),
        None => Ok(Answer { status, body: body.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let good = |status, body: &str| Ok(Answer { status, body: body.as_bytes().to_vec() });
        for (text, want) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", good(200, "{}")),
            ("HTTP/1.1 404 x\r\ncontent-length:2\r\n\r\n{}rest", good(404, "{}")),
            ("HTTP/1.1 400 Bad Request\r\n\r\n", good(400, "")),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", Err("it is cut off")),
            ("HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\n{}", Err("it is cut off")),
            ("HTTP/1.1 200 OK\r\ncont", Err("it has no end")),
            ("SSH-2.0-x\r\n\r\n", Err("it is no HTTP/1.1")),
            ("HTTP/1.1 é\r\n\r\n", Err("it is no HTTP/1.1")),
            ("", Err("it is empty")),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text}");
        }
        assert_eq!(parse(b"\xff\r\n\r\n"), Err("it is no text"));
    }
}
