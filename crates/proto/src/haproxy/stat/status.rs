//! The column `status`, typed.
//!
//! Words of servers: `srv_hlt_st` in HAProxy's src/stats.c (src/stats-proxy.c since 3.1); of
//! frontends and listeners: the same file and `li_status_st` in src/listener.c.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::csv::number;

/// How far a server is on its way to another state: so many of so many checks.
pub type Progress = Option<(u32, u32)>;

/// What HAProxy says of a frontend, listener, backend or server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Status {
    /// Frontend or listener: takes connections.
    Open,
    /// Frontend or listener: takes none for now, since it has as many as it may.
    Full,
    /// Listener: waits for a resource of the process.
    Waiting,
    /// Frontend or listener: `disable frontend` was said.
    Paused,
    /// Frontend: stopped for good.
    Stop,
    /// Server or backend: up. With progress: checks fail and it will go down, `UP 1/3`.
    Up(Progress),
    /// Server or backend: down. With progress: checks pass and it will come up, `DOWN 1/2`.
    Down(Progress),
    /// Server: its agent says that it is down.
    DownAgent,
    /// Server: up, but asked not to get new users (`http-check disable-on-404`).
    NoLoadBalancing(Progress),
    /// Server: in maintenance by an operator or the configuration.
    Maintenance,
    /// Server: in maintenance since the server it tracks is: `proxy/server`.
    MaintenanceVia(Box<str>),
    /// Server: without an address, since its name does not resolve. HAProxy handles this as
    /// maintenance; the unused places of a `server-template` look so.
    MaintenanceResolution,
    /// Server: drains: its weight is 0 or an operator said so.
    Drain(Progress),
    /// Server: drains since its agent said so.
    DrainAgent,
    /// Server: not checked, so taken as up.
    NoCheck,
    /// A word of a version we do not know, as it came.
    Unknown(Box<str>),
}

impl Status {
    /// Reads the column.
    pub(super) fn parse(text: &[u8]) -> Self {
        let unknown = || Self::Unknown(String::from_utf8_lossy(text).into());
        match text {
            b"UP" => Self::Up(None),
            b"OPEN" => Self::Open,
            b"DOWN" => Self::Down(None),
            b"MAINT" => Self::Maintenance,
            b"no check" => Self::NoCheck,
            b"DRAIN" => Self::Drain(None),
            b"NOLB" => Self::NoLoadBalancing(None),
            b"FULL" => Self::Full,
            b"STOP" => Self::Stop,
            b"PAUSED" => Self::Paused,
            b"WAITING" => Self::Waiting,
            b"DOWN (agent)" => Self::DownAgent,
            b"DRAIN (agent)" => Self::DrainAgent,
            b"MAINT (resolution)" | b"MAINT(resolution)" => Self::MaintenanceResolution,
            _ => {
                if let Some(via) = maintenance_via(text) {
                    return Self::MaintenanceVia(String::from_utf8_lossy(via).into());
                }
                let mut words = text.splitn(2, |octet| *octet == b' ');
                let word = words.next().unwrap_or_default();
                let Some(progress) = words.next().and_then(progress) else { return unknown() };
                match word {
                    b"UP" => Self::Up(Some(progress)),
                    b"DOWN" => Self::Down(Some(progress)),
                    b"NOLB" => Self::NoLoadBalancing(Some(progress)),
                    b"DRAIN" => Self::Drain(Some(progress)),
                    _ => unknown(),
                }
            }
        }
    }

    /// True for the three kinds of maintenance.
    pub const fn is_maintenance(&self) -> bool {
        matches!(self, Self::Maintenance | Self::MaintenanceVia(_) | Self::MaintenanceResolution)
    }
}

fn maintenance_via(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"MAINT")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    rest.strip_prefix(b"(via ")?.strip_suffix(b")")
}

fn progress(text: &[u8]) -> Option<(u32, u32)> {
    let slash = text.iter().position(|octet| *octet == b'/')?;
    let (done, of) = text.split_at_checked(slash)?;
    Some((number(done)?, number(of.get(1..)?)?))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, progress) = match self {
            Self::Open => ("OPEN", None),
            Self::Full => ("FULL", None),
            Self::Waiting => ("WAITING", None),
            Self::Paused => ("PAUSED", None),
            Self::Stop => ("STOP", None),
            Self::Up(progress) => ("UP", *progress),
            Self::Down(progress) => ("DOWN", *progress),
            Self::DownAgent => ("DOWN (agent)", None),
            Self::NoLoadBalancing(progress) => ("NOLB", *progress),
            Self::Maintenance => ("MAINT", None),
            Self::MaintenanceVia(via) => return write!(f, "MAINT (via {via})"),
            Self::MaintenanceResolution => ("MAINT (resolution)", None),
            Self::Drain(progress) => ("DRAIN", *progress),
            Self::DrainAgent => ("DRAIN (agent)", None),
            Self::NoCheck => ("no check", None),
            Self::Unknown(text) => (&**text, None),
        };
        f.write_str(word)?;
        match progress {
            Some((done, of)) => write!(f, " {done}/{of}"),
            None => Ok(()),
        }
    }
}
