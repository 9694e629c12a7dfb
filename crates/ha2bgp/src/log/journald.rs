//! Entries of systemd's journal over its own protocol: one datagram an entry, `NAME=value` lines
//! (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md). What does not fit into a datagram goes as a sealed
//! memory file.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
};

use super::line::Line;
use super::text;
use crate::events::{Kind, Level};

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The priorities of syslog (syslog(3)).
const fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "3",
        Level::Warn => "4",
        Level::Info => "6",
        Level::Debug => "7",
    }
}

/// The entry of a line.
pub(super) fn entry(line: &Line) -> Vec<u8> {
    let mut entry = Vec::new();
    put(&mut entry, "MESSAGE", &text::body(line));
    put(&mut entry, "PRIORITY", priority(line.level));
    put(&mut entry, "SYSLOG_IDENTIFIER", "ha2bgp");
    match &line.record {
        Some(record) => {
            if let Some(kind) = Kind::of_name(&record.kind) {
                put(&mut entry, "MESSAGE_ID", &format!("{:032x}", kind.message_id()));
            }
            put(&mut entry, "HA2BGP_ID", &record.id.to_string());
            record.fields().for_each(|(name, value)| put(&mut entry, &field(name), value));
        }
        None => line.fields.iter().for_each(|(name, value)| put(&mut entry, &field(name), value)),
    }
    entry
}

/// The name of a field: capitals, digits and underscores.
fn field(name: &str) -> String {
    let mut field = String::from("HA2BGP_");
    field.extend(
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }),
    );
    // The journal takes no longer name.
    field.truncate(64);
    field
}

/// A field; a value with line ends has its length before it.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        let length = u64::try_from(value.len()).unwrap_or(0);
        entry.push(b'\n');
        entry.extend_from_slice(&length.to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// The journal of this system.
    pub(super) fn of_system() -> Self {
        Self::at(PathBuf::from(SOCKET))
    }

    const fn at(path: PathBuf) -> Self {
        Self { path, socket: None }
    }

    /// Sends an entry. Waits while the journal takes nothing.
    pub(super) fn send(&mut self, entry: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => UnixDatagram::unbound()?,
        };
        // By its path each time: the journal may have been started anew.
        let sent = match socket.send_to(entry, &self.path) {
            Err(error) if is_too_long(&error) => self.send_file(&socket, entry),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        };
        self.socket = Some(socket);
        sent
    }

    fn send_file(&self, socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
        let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC;
        let mut file = File::from(memfd_create("ha2bgp-journal", flags)?);
        file.write_all(entry)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        let files = [file.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::other("no space for a descriptor"));
        }
        let address = SocketAddrUnix::new(&self.path)?;
        let nothing = [IoSlice::new(&[])];
        sendmsg_addr(socket, &address, &nothing, &mut ancillary, SendFlags::empty())?;
        Ok(())
    }
}

fn is_too_long(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    matches!(code, Some(Errno::MSGSIZE | Errno::NOBUFS))
}

#[cfg(test)]
mod tests;
