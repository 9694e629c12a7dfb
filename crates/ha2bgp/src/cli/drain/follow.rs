//! Watches a drain until it is over, or somebody has enough of it.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use serde_json::Value;
use tokio::time::Instant;

use super::{EXIT_INTERRUPTED, Failure, POLL, RESTART_TIME, ask, json, screen};
use crate::cli::{print_error, say};
use crate::control::orders::OverrideShown;

/// How it ended.
enum End {
    /// There is nothing more to wait for.
    Over(OverrideShown),
    /// The user has had enough.
    Interrupted(OverrideShown),
    /// The daemon is gone, or does not know it any more.
    Lost(OverrideShown, Failure),
}

/// Follows it; the exit code says how it ended.
pub(super) fn main(socket: &Path, started: OverrideShown, as_json: bool) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot wait for it: {error}; the drain goes on"));
            return ExitCode::FAILURE;
        }
    };
    let live = !as_json && io::stdout().is_terminal();
    let end = runtime.block_on(follow(socket, started, live));
    if live {
        line("");
    }
    match end {
        End::Over(shown) => {
            let code = if screen::is_good(&shown) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            let said = say(if as_json { json(&shown) } else { screen::end(&shown) });
            if said.is_ok() { code } else { ExitCode::FAILURE }
        }
        End::Interrupted(shown) => {
            print_error(&screen::interrupted(&shown));
            ExitCode::from(EXIT_INTERRUPTED)
        }
        End::Lost(shown, Failure::Refused(404, _)) => {
            print_error(&screen::gone(&shown));
            ExitCode::FAILURE
        }
        End::Lost(shown, failure) => {
            let code = failure.tell();
            print_error(&screen::unknown(&shown));
            code
        }
    }
}

async fn follow(socket: &Path, started: OverrideShown, live: bool) -> End {
    let mut newest = started;
    let mut answered = Instant::now();
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        let target = format!("/v1/overrides/{}", newest.id);
        match ask::<OverrideShown>(socket, "GET", &target, &Value::Null) {
            Ok(shown) => {
                (newest, answered) = (shown, Instant::now());
                if screen::is_over(&newest) {
                    return End::Over(newest);
                }
                if live {
                    line(&screen::progress(&newest));
                }
            }
            // It restarts, or is busy.
            Err(Failure::Unreachable(_) | Failure::Refused(429 | 503, _))
                if answered.elapsed() < RESTART_TIME =>
            {
                if live {
                    line("ha2bgp does not answer: waiting");
                }
            }
            Err(failure) => return End::Lost(newest, failure),
        }
        tokio::select! {
            _ = &mut interrupted => return End::Interrupted(newest),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Writes over the line.
fn line(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody is there to be told that the terminal is gone; the end is told again.
    let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
}
