//! What the configuration asks of this host, asked of the real one.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::Zone;
use ha2bgp_sys::route::Route;

use crate::config::file;
use crate::config::host::{Host, OwnAddress};
use crate::control::orders::FileText;

/// An address that no host has (RFC 5737), to see whether this one binds everything
/// (`net.ipv4.ip_nonlocal_bind`).
const PROBABLY_FOREIGN: std::net::Ipv4Addr = std::net::Ipv4Addr::new(192, 0, 2, 255);
/// A directory with more names is none of configuration files.
const NAMES_MAX: usize = 4096;

/// Calls `ask` with the real host, on which these texts are in the place of files of their names.
pub(super) fn with<T>(sent: &[FileText], ask: impl FnOnce(&Host<'_>) -> T) -> T {
    let files = sent;
    let sent = |path: &str| files.iter().find(|file| file.name == path);
    let credentials = std::env::var("CREDENTIALS_DIRECTORY").ok();
    let uname = rustix::system::uname();
    ask(&Host {
        device_exists: &|device| ha2bgp_sys::lookup::device_index(device).is_some(),
        // Only an address of this host can be bound, unless the host permits all.
        is_own_address: &|address| {
            let device = address.zone();
            let device = device.as_ref().map(Zone::as_str);
            ha2bgp_sys::lookup::socket_address(address.ip(), 0, device)
                .is_some_and(|own| std::net::UdpSocket::bind(own).is_ok())
                && std::net::UdpSocket::bind((PROBABLY_FOREIGN, 0)).is_err()
        },
        read_file: &|path| match sent(path) {
            Some(file) => Ok(file.text.clone().into_bytes()),
            None => read_file(path),
        },
        is_executable: &is_executable,
        list_dir: &|path| match sent_of(files, path) {
            Some(names) => Ok(Some(names)),
            None if sent(path).is_some() => Ok(None),
            None => list_dir(path),
        },
        file_mode: &|path| Ok(std::fs::metadata(path)?.permissions().mode()),
        addresses: &addresses,
        credentials: credentials.as_deref(),
        name: uname.nodename().to_str().unwrap_or(""),
    })
}

/// The names of those that were sent as the files of a directory.
fn sent_of(sent: &[FileText], directory: &str) -> Option<Vec<String>> {
    let of = sent.iter().filter(|file| file.directory.as_deref() == Some(directory));
    let names = of.filter_map(|file| Path::new(&file.name).file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    (!names.is_empty()).then_some(names)
}

/// What a file holds, as far as anybody wants to know.
pub(super) fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(file::LENGTH_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether it is a file that somebody may execute.
fn is_executable(path: &str) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The names in a directory. What could be waited for (pipes, sockets, devices) does not count, what
/// cannot be looked at (a broken link) does: reading it says why.
fn list_dir(path: &str) -> io::Result<Option<Vec<String>>> {
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let could_hang = std::fs::metadata(entry.path())
            .is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if could_hang {
            continue;
        }
        names.push(entry.file_name().to_string_lossy().into_owned());
        if names.len() > NAMES_MAX {
            let error = format!("it has more than {NAMES_MAX} entries");
            return Err(io::Error::other(error));
        }
    }
    Ok(Some(names))
}

/// All addresses with their interfaces; nothing where the kernel does not tell.
fn addresses() -> Option<Vec<OwnAddress>> {
    let tables = Route::open().ok()?.tables().ok()?;
    let own = tables.addresses.into_iter().filter_map(|address| {
        let link = tables.links.iter().find(|link| link.index == address.interface)?;
        let device: Arc<str> = link.name.as_str().into();
        Some(OwnAddress {
            ip: address.local,
            subnet: Prefix::truncating(address.peer, address.prefix_length)?,
            label: address.label.map_or_else(|| Arc::clone(&device), Arc::from),
            device,
            loopback: link.flags.loopback(),
            up: link.is_up(),
        })
    });
    Some(own.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback() {
        let addresses = addresses().unwrap();
        let own = addresses.iter().find(|own| own.ip.to_string() == "127.0.0.1").unwrap();
        assert!(own.loopback && &*own.device == "lo", "{own:?}");
        assert_eq!(own.subnet.to_string(), "127.0.0.0/8");
    }

    #[test]
    fn directories_are_told_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("a.toml"), "").unwrap();
        std::os::unix::fs::symlink("loop.toml", dir.path().join("loop.toml")).unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("socket.toml")).unwrap();
        let mut names = list_dir(path).unwrap().unwrap();
        names.sort_unstable();
        assert_eq!(names, ["a.toml", "loop.toml"]);
        assert!(read_file(&format!("{path}/loop.toml")).is_err());
        assert_eq!(list_dir(&format!("{path}/a.toml")).unwrap(), None);
        assert_eq!(list_dir(&format!("{path}/none")).unwrap(), None);
    }
}
