//! Who is at the other end of a unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// So many groups are asked for at first.
const USUAL: usize = 32;
/// The kernel lets no process have more (`NGROUPS_MAX` in `include/uapi/linux/limits.h`).
const GROUPS_MAX: usize = 65_536;

/// The supplementary groups that the other end had when it connected (`SO_PEERGROUPS` in
/// `net/core/sock.c`). Its main group comes with `SO_PEERCRED`.
///
/// # Errors
/// When the socket is none, or not connected, or the kernel is older than 4.13.
pub fn groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; USUAL];
    loop {
        match ask(socket, &mut groups) {
            Ok(count) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Err((error, count)) if error.raw_os_error() == Some(libc::ERANGE) => {
                if count <= groups.len() || count > GROUPS_MAX {
                    return Err(error);
                }
                groups.resize(count, 0);
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Asks once: how many there are, also when they do not fit.
#[allow(unsafe_code, reason = "neither rustix nor socket2 has this option")]
fn ask(socket: &impl AsFd, groups: &mut [libc::gid_t]) -> Result<usize, (io::Error, usize)> {
    let mut length = libc::socklen_t::try_from(size_of_val(groups)).unwrap_or(0);
    let socket = socket.as_fd().as_raw_fd();
    let value = groups.as_mut_ptr().cast();
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERGROUPS);
    // SAFETY: the pointer and the length describe `groups`, which lives across the call; the kernel
    // writes no more than `length` octets, and any bits are a number. `length` lives as long. A
    // descriptor that is not a socket would be an errno.
    let result = unsafe { libc::getsockopt(socket, level, option, value, &raw mut length) };
    let error = (result != 0).then(io::Error::last_os_error);
    let count = usize::try_from(length).unwrap_or(0) / size_of::<libc::gid_t>();
    match error {
        None => Ok(count),
        Some(error) => Err((error, count)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn our_own_groups() {
        let (one, _other) = UnixStream::pair().unwrap();
        let own: Vec<u32> =
            rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        assert_eq!(groups(&one).unwrap(), own);
        assert!(groups(&std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).is_err());
    }
}
