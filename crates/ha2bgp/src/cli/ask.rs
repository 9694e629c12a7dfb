//! What every command that speaks to the daemon has in common: to ask, to read the answer, and to say
//! why there is none.

use std::path::Path;
use std::process::ExitCode;

use serde::de::DeserializeOwned;

use super::print_error;
use super::push::{EXIT_UNREACHABLE, refusal};
use crate::control::client::{self, Answer};

/// Asks for something.
///
/// # Errors
/// When it is refused, or nobody answers: it is said already, and this is how to end.
pub(super) fn ask(
    socket: &Path,
    method: &str,
    target: &str,
    body: &[u8],
) -> Result<Answer, ExitCode> {
    match client::ask(socket, method, target, body) {
        Ok(answer) if answer.status == 200 => Ok(answer),
        Ok(answer) => {
            print_error(&refusal(&answer));
            Err(ExitCode::FAILURE)
        }
        Err(error) => {
            print_error(&error.to_string());
            Err(ExitCode::from(EXIT_UNREACHABLE))
        }
    }
}

/// Reads an answer.
///
/// # Errors
/// When it is another one than was asked for: it is said already, and this is how to end.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ExitCode> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        print_error(&format!("the answer cannot be read: {error}: is it another version?"));
        ExitCode::FAILURE
    })
}

/// Asks for something and reads it.
///
/// # Errors
/// As [`ask`] and [`read`].
pub(super) fn get<T: DeserializeOwned>(socket: &Path, target: &str) -> Result<T, ExitCode> {
    read(&ask(socket, "GET", target, &[])?)
}

/// A value for a path or a query string (RFC 3986 section 2.1).
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~:".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_into_paths_and_queries() {
        assert_eq!(encode("2001:db8::/32"), "2001:db8::%2f32");
        assert_eq!(encode("a b&é%"), "a%20b%26%c3%a9%25");
    }
}
