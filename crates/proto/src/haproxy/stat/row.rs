//! One row.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};

use super::csv::{Column, Fields};
use super::{RowError, Status};

/// The column `type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// 0: what clients connect to.
    Frontend,
    /// 1: a group of servers.
    Backend,
    /// 2: one server of a backend.
    Server,
    /// 3: one listening socket of a frontend; only with `option socket-stats`.
    Listener,
}

/// The column `mode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Plain TCP.
    Tcp,
    /// HTTP.
    Http,
    /// `health`, `syslog`, `spop` and what else there may be.
    Other,
}

/// One line of `show stat` without the name of its proxy, under which the [`Table`] keeps it.
///
/// [`Table`]: super::Table
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Name, address, state and content of the last check, one after the other: one allocation
    /// for a row makes reading a table twice as fast as four do.
    text: Box<str>,
    /// Where the first three end.
    ends: [usize; 3],
    /// What it is.
    pub kind: Kind,
    /// The state.
    pub status: Status,
    /// Effective weight; for backends the sum of the servers that are in use.
    pub weight: Option<u32>,
    /// Weight as configured or set by an operator, before slow start. Not in 2.2.
    pub user_weight: Option<u32>,
    /// Servers: 1 when it is an active one. Backends: how many active ones are up.
    pub active: Option<u32>,
    /// Servers: 1 when it is a backup. Backends: how many backups are up.
    pub backup: Option<u32>,
    /// The mode of the proxy.
    pub mode: Option<Mode>,
    /// Sessions now.
    pub sessions: Option<u32>,
    /// Most sessions at once, if limited.
    pub session_limit: Option<u32>,
}

/// The columns whose text is kept.
const TEXTS: [Column; 4] = [Column::Svname, Column::Addr, Column::CheckStatus, Column::LastChk];

impl Row {
    /// The row of the fields of `line`. `scratch` is used again for every row.
    pub(super) fn new(
        fields: &Fields,
        line: &[u8],
        scratch: &mut String,
    ) -> Result<Self, RowError> {
        let number = |column| fields.number(line, column);
        if fields.get(line, Column::Svname).is_empty() {
            return Err(RowError::NoName);
        }
        let kind = match number(Column::Type) {
            Some(0) => Kind::Frontend,
            Some(1) => Kind::Backend,
            Some(2) => Kind::Server,
            Some(3) => Kind::Listener,
            _ => return Err(RowError::BadType),
        };
        let mode = match fields.get(line, Column::Mode) {
            b"" => None,
            b"http" => Some(Mode::Http),
            b"tcp" => Some(Mode::Tcp),
            _ => Some(Mode::Other),
        };
        let (text, ends) = texts(TEXTS.map(|column| fields.get(line, column)), scratch);
        Ok(Self {
            text,
            ends,
            kind,
            status: Status::parse(fields.get(line, Column::Status)),
            weight: number(Column::Weight),
            user_weight: number(Column::Uweight),
            active: number(Column::Act),
            backup: number(Column::Bck),
            mode,
            sessions: number(Column::Scur),
            session_limit: number(Column::Slim),
        })
    }

    /// `FRONTEND`, `BACKEND`, or the name of the server or listener.
    pub fn name(&self) -> &str {
        let [end, ..] = self.ends;
        self.text.get(..end).unwrap_or_default()
    }

    /// Servers and listeners: `192.0.2.1:80`, `[2001:db8::1]:80` or `unix`. None where HAProxy
    /// hides it (a socket with `level user`) or there is none yet.
    pub fn address(&self) -> Option<&str> {
        let [start, end, _] = self.ends;
        self.text.get(start..end).filter(|it| !it.is_empty())
    }

    /// Servers: the last check, as `L4CON` or, while the next one runs, `* L7OK`.
    pub fn check_status(&self) -> Option<&str> {
        let [_, start, end] = self.ends;
        self.text.get(start..end).filter(|it| !it.is_empty())
    }

    /// Servers: what the last check saw, for the eyes of people.
    pub fn last_check(&self) -> Option<&str> {
        let [.., start] = self.ends;
        self.text.get(start..).filter(|it| !it.is_empty())
    }

    /// True for a backup server.
    pub fn is_backup(&self) -> bool {
        self.backup.is_some_and(|it| it > 0)
    }

    /// True when this listener may take connections to `vip`, at `port` if given.
    ///
    /// A row does not tell whether `[::]` takes IPv4 too (`v4v6`, `v6only`, the sysctl
    /// `net.ipv6.bindv6only`), so it counts for both.
    pub fn serves(&self, vip: IpAddr, port: Option<u16>) -> bool {
        let Some((address, own)) = self.address().and_then(socket_address) else {
            return false;
        };
        let any6 = address == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let fits = address == vip
            || any6
            || (address.is_unspecified() && address.is_ipv4() == vip.is_ipv4());
        fits && port.is_none_or(|it| it == own)
    }
}

/// The texts in one, and where the first three end. What is not UTF-8 is replaced.
fn texts(parts: [&[u8]; 4], scratch: &mut String) -> (Box<str>, [usize; 3]) {
    scratch.clear();
    let mut ends = [0; 3];
    for (place, part) in parts.iter().enumerate() {
        match core::str::from_utf8(part) {
            Ok(part) => scratch.push_str(part),
            Err(_) => scratch.push_str(&String::from_utf8_lossy(part)),
        }
        if let Some(end) = ends.get_mut(place) {
            *end = scratch.len();
        }
    }
    (scratch.as_str().into(), ends)
}

/// `192.0.2.1:80` or `[2001:db8::1]:80`; none for `unix` and the like. A zone (`fe80::1%eth0`) is
/// dropped.
fn socket_address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let host = host.split('%').next().unwrap_or_default();
    Some((host.parse().ok()?, port.parse().ok()?))
}
