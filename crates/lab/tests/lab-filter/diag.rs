//! Asks the kernel for listening TCP sockets, with bytecode of ours.

use std::collections::BTreeSet;
use std::io::{Error, Read};

use ha2bgp_proto::family::Family;
use socket2::{Domain, Protocol, Socket, Type};

const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_AND_DUMP: u16 = 0x301;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const TCP_LISTEN: u32 = 10;
/// Where `idiag_inode` is in a reply: header, four bytes, the socket's id, four numbers.
const INODE: usize = 16 + 4 + 48 + 16;

/// Inodes of the listeners of a family that the kernel selects.
pub(crate) fn listeners(family: Family, bytecode: &[u8]) -> Result<BTreeSet<u64>, Error> {
    let netlink = Domain::from(libc::AF_NETLINK);
    let mut socket = Socket::new(netlink, Type::RAW, Some(Protocol::from(NETLINK_SOCK_DIAG)))?;
    socket.send(&request(family, bytecode))?;
    let mut inodes = BTreeSet::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = socket.read(&mut buffer)?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let (Some(length), Some(kind)) = (number::<4>(rest, 0), number::<2>(rest, 4)) {
            match u16::try_from(kind) {
                Ok(NLMSG_DONE) => return Ok(inodes),
                Ok(NLMSG_ERROR) => {
                    let code = number::<4>(rest, 16).and_then(|code| u32::try_from(code).ok());
                    let code = code.unwrap_or_default().cast_signed();
                    return Err(Error::from_raw_os_error(-code));
                }
                _ => inodes.extend(number::<4>(rest, INODE)),
            }
            let next = usize::try_from(length).unwrap_or(usize::MAX).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
    }
}

fn request(family: Family, bytecode: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    let family = match family {
        Family::V4 => 2,
        Family::V6 => 10,
    };
    let tcp = 6;
    message.extend_from_slice(&[family, tcp, 0, 0]);
    message.extend_from_slice(&(1u32 << TCP_LISTEN).to_ne_bytes());
    message.extend_from_slice(&[0; 48]);
    if !bytecode.is_empty() {
        let length = u16::try_from(bytecode.len() + 4).expect("an attribute");
        message.extend_from_slice(&length.to_ne_bytes());
        message.extend_from_slice(&INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        message.extend_from_slice(bytecode);
    }
    let length = u32::try_from(message.len() + 4).expect("a message");
    message.splice(0..0, length.to_ne_bytes());
    message
}

/// A number of `N` bytes in native order.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = bytes.get(at..)?.first_chunk()?;
    let mut wide = [0; 8];
    if cfg!(target_endian = "little") {
        wide.get_mut(..N)?.copy_from_slice(bytes);
    } else {
        wide.get_mut(8 - N..)?.copy_from_slice(bytes);
    }
    Some(u64::from_ne_bytes(wide))
}
