//! TCP MD5 signatures (RFC 2385): the key of a peer on a socket.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use thiserror::Error;

use super::{Plain, set_option};

/// The kernel takes no longer keys (`TCP_MD5SIG_MAXKEYLEN` in linux/tcp.h).
const LENGTH_MAX: usize = libc::TCP_MD5SIG_MAXKEYLEN;

/// A key that the kernel takes. Its bytes are never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Key(Vec<u8>);

/// Why some bytes cannot be a key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// No bytes at all: the kernel takes that as "no key".
    #[error("the key is empty")]
    Empty,
    /// Too many.
    #[error("the key has {length} bytes, the kernel takes at most {LENGTH_MAX}")]
    TooLong {
        /// How many.
        length: usize,
    },
}

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    /// When there are none, or more than 80.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            length if length > LENGTH_MAX => Err(KeyError::TooLong { length }),
            _ => Ok(Self(bytes.to_vec())),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct Md5Sig {
    family: u16,
    /// The port, which the kernel does not look at, and for IPv6 the flow information.
    before: [u8; 6],
    /// An IPv4 address stands in `before`, this is where an IPv6 one is.
    address: [u8; 16],
    rest: [u8; 104],
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: u32,
    key: [u8; LENGTH_MAX],
}

#[allow(unsafe_code, reason = "a promise that the compiler cannot check")]
// SAFETY: `repr(C)`, each field is aligned where the one before it ends, and the sum of the sizes
// of the fields is the size of the whole, as the assertion below says: no padding.
unsafe impl Plain for Md5Sig {}

const _: () = assert!(
    size_of::<Md5Sig>() == 2 + 6 + 16 + 104 + 1 + 1 + 2 + 4 + LENGTH_MAX
        && size_of::<libc::sockaddr_storage>() == 2 + 6 + 16 + 104
);

/// Sets, changes or (with `None`) removes the key of a peer, on a listener or on a connection,
/// before it connects or while it lives.
///
/// # Errors
/// When the kernel refuses. Removing a key that is not there is no error.
pub fn set_key(socket: &impl AsFd, peer: IpAddr, key: Option<&Key>) -> io::Result<()> {
    let mut value = Md5Sig {
        family: 0,
        before: [0; 6],
        address: [0; 16],
        rest: [0; 104],
        flags: 0,
        prefix_length: 0,
        key_length: 0,
        interface: 0,
        key: [0; LENGTH_MAX],
    };
    match peer {
        IpAddr::V4(address) => {
            value.family = libc::AF_INET as u16;
            let [_, _, space @ ..] = &mut value.before;
            *space = address.octets();
        }
        IpAddr::V6(address) => {
            value.family = libc::AF_INET6 as u16;
            value.address = address.octets();
        }
    }
    if let Some(Key(bytes)) = key {
        value.key_length = u16::try_from(bytes.len()).unwrap_or(0);
        for (to, from) in value.key.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
    let socket = socket.as_fd().as_raw_fd();
    match set_option(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG, &value) {
        Err(error) if key.is_none() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}
