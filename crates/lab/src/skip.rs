//! What a test needs, and what happens where it is not there.
//!
//! A missing tool skips the test and says so past the test runner's capture; as root in CI it
//! fails instead, because there `cargo xtask test` has installed everything. A version of ExaBGP
//! that cannot run on this Python is skipped everywhere, with the recorded reason.

use crate::exabgp::Version;
use crate::{program, tools};
use std::io::Write;

/// Something a test cannot do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Namespaces need root.
    Root,
    /// The program under test.
    Ha2bgp,
    /// A program from a Debian package.
    Tool(&'static str),
    /// A file from a Debian package, where the program is on no path.
    File(&'static str),
    /// A version of ExaBGP.
    ExaBgp(Version),
    /// gRPC's own implementation, for Python.
    Grpc,
    /// Schemathesis, which makes requests from an OpenAPI document.
    Schemathesis,
    /// The right to hang a doorbell; containers often lack it.
    Doorbell,
}

impl Need {
    /// Why it is not there, if it is not.
    #[must_use]
    pub fn why_missing(self) -> Option<String> {
        self.missing().map(|(reason, _)| reason)
    }

    /// Why it is not there, and whether that may be so in CI.
    fn missing(self) -> Option<(String, bool)> {
        match self {
            Self::Root => {
                (!rustix::process::geteuid().is_root()).then(|| ("needs root".to_owned(), true))
            }
            Self::Ha2bgp => program::path().err().map(|reason| (reason, false)),
            Self::Tool(name) => tools::find(name)
                .is_none()
                .then(|| (format!("no `{name}` here: cargo xtask lab-setup"), false)),
            Self::File(path) => (!std::path::Path::new(path).is_file())
                .then(|| (format!("no {path} here: cargo xtask lab-setup"), false)),
            Self::ExaBgp(version) => version.program().err(),
            Self::Grpc => crate::grpc_server::python()
                .is_none()
                .then(|| ("no grpcio here: cargo xtask lab-setup".to_owned(), true)),
            Self::Schemathesis => tools::schemathesis()
                .is_none()
                .then(|| ("no Schemathesis here: cargo xtask lab-setup".to_owned(), true)),
            Self::Doorbell => no_doorbell().map(|reason| (reason, true)),
        }
    }
}

/// Why this process cannot hang a doorbell, if it cannot.
fn no_doorbell() -> Option<String> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(error.to_string()),
    };
    let _inside = runtime.enter();
    ha2bgp_sys::doorbell::Doorbell::hang().err().map(|error| error.to_string())
}

/// Whether the test of this thread may run. Says why not; panics where that is a failure.
#[must_use]
pub fn may_run(needs: &[Need]) -> bool {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    for need in needs {
        let Some((reason, allowed)) = need.missing() else {
            continue;
        };
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        let strict = ci && rustix::process::geteuid().is_root();
        assert!(allowed || !strict, "{name}: {reason} (in CI as root this is a failure)");
        record(name, &reason);
        return false;
    }
    true
}

/// Says that a test is skipped, and adds it to the count of `cargo xtask test`.
fn record(name: &str, reason: &str) {
    match std::env::var_os("HA2BGP_SKIP_LOG") {
        Some(file) => {
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
            if let Ok(mut file) = opened {
                // One write: tests run in parallel.
                let _outcome = file.write_all(format!("{name}: {reason}\n").as_bytes());
            }
        }
        None => say(&format!("skipped: {name}: {reason}\n")),
    }
}

/// Writes to standard error past the test runner's capture.
pub fn say(text: &str) {
    let _outcome = std::io::stderr().write_all(text.as_bytes());
}

/// Returns from a test with `Ok(())` where something it needs is missing.
#[macro_export]
macro_rules! require {
    ($($need:expr),+ $(,)?) => {
        if !$crate::skip::may_run(&[$($need),+]) {
            return Ok(());
        }
    };
}
