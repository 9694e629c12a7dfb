//! `type = "process"`: a process runs, by its pid file or as a systemd unit.
//!
//! Both are told of the end at once, and look at intervals too.

pub(super) mod pidfile;
#[cfg(feature = "systemd")]
pub(super) mod unit;
#[cfg(feature = "systemd")]
mod unit_state;

use super::place::Place;

/// How the process is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProcessProbe {
    /// By the number that it wrote to a file.
    Pidfile {
        /// The file.
        path: Place,
        /// What the process must be called, so that a number that another one has by now does not
        /// count.
        name: Option<String>,
    },
    /// As a unit of systemd, over D-Bus.
    #[cfg(feature = "systemd")]
    Unit {
        /// Its name: `nginx.service`.
        unit: Place,
        /// The address of the bus; `None`: the system's.
        bus: Option<String>,
    },
}
