//! What can go wrong in the lab itself, as opposed to in what it tests.

use std::fmt;
use std::time::Duration;

/// The lab's result.
pub type Result<T> = std::result::Result<T, LabError>;

/// A failure of the lab or of something it waited for.
#[derive(thiserror::Error)]
pub enum LabError {
    /// A system call or a file operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A command ended with a failure.
    #[error("`{command}` ended with {status}:\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it printed.
        output: String,
    },
    /// What a test waited for did not happen.
    #[error("not within {after:?}: {what}\n{detail}")]
    Timeout {
        /// What should have become true.
        what: String,
        /// How long was waited.
        after: Duration,
        /// The state at the end.
        detail: String,
    },
    /// What should have stayed true did not.
    #[error("stopped being true after {after:?}: {what}\n{detail}")]
    Broken {
        /// What should have stayed true.
        what: String,
        /// When it was seen to be false.
        after: Duration,
        /// The state then.
        detail: String,
    },
    /// A command line that is wrong.
    #[error("{0}")]
    Argument(String),
    /// Something that must be there is not.
    #[error("{0}")]
    Missing(String),
}

/// A test that returns an error prints it so: with its line breaks, for people.
impl fmt::Debug for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl LabError {
    /// For `map_err`: an I/O error with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: an errno with what was tried.
    pub fn errno(what: impl Into<String>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let what = what.into();
        move |errno| Self::Io { what, source: errno.into() }
    }
}
