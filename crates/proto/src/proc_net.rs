//! The tables of sockets as text: `/proc/net/tcp`, `tcp6`, `udp` and `udp6`, for a host where
//! sock_diag is forbidden.
//!
//! Written by `get_tcp4_sock` and its like (net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c, udp.c): a line
//! of headings, then a line for each socket, listeners first. Addresses are words of 32 bits in
//! hexadecimal as the machine reads them, ports are numbers. What the text does not say: marks,
//! cgroups, devices, and whether `[::]` serves IPv4 too.

use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::family::Family;
use crate::inet_diag::State;

/// A socket without a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcSocket {
    /// The local address, as the family of the table spells it.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// Names the socket while it lives.
    pub inode: u64,
}

/// A line that is none of a table of sockets.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {field} is `{value}`, which is not what the kernel writes there")]
pub struct ProcError {
    /// From 1.
    pub line: usize,
    /// Which field.
    pub field: &'static str,
    /// What it is, its beginning.
    pub value: String,
}

/// How much of a bad value is shown.
const VALUE_MAX: usize = 40;

/// How long Linux makes the lines of `/proc/net/tcp` (`TMPSZ` in net/ipv4/tcp_ipv4.c).
const LINE: usize = 150;

/// Hands out the sockets of a table that are in this state.
///
/// # Errors
/// At the first line that cannot be read; what was handed out before is true. Lines of other states
/// are not looked at closely.
pub fn sockets(
    table: &[u8],
    family: Family,
    state: State,
    visit: &mut dyn FnMut(ProcSocket),
) -> Result<(), ProcError> {
    for (line, number) in table.split(|octet| *octet == b'\n').zip(1..) {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        // Before the first line: headings. Behind the last one: nothing.
        let Some(_slot) = fields.next().filter(|_| number != 1) else { continue };
        let bad = |field: &'static str, value: &[u8]| ProcError {
            line: number,
            field,
            value: String::from_utf8_lossy(value.get(..VALUE_MAX).unwrap_or(value)).into_owned(),
        };
        let local = fields.next().unwrap_or_default();
        let remote = fields.next().unwrap_or_default();
        let is = fields.next().unwrap_or_default();
        let code = hexadecimal(is, 2).and_then(|code| u8::try_from(code).ok());
        if code.ok_or_else(|| bad("the state", is))? != state.0 {
            continue;
        }
        let (address, port) = end(local, family).ok_or_else(|| bad("the local end", local))?;
        let peer = end(remote, family).ok_or_else(|| bad("the remote end", remote))?;
        // Queues, timer, retransmits, user, time-out.
        let inode = fields.nth(5).unwrap_or_default();
        let inode = decimal(inode).ok_or_else(|| bad("the inode", inode))?;
        if peer.1 == 0 && port != 0 {
            visit(ProcSocket { address, port, inode });
        }
    }
    Ok(())
}

/// Whether no listener comes behind a connection in tables of TCP sockets, as the beginning of that
/// of IPv4 shows; unknown where it has no socket. Linux promises it
/// (Documentation/networking/proc_net_tcp.rst), and fills its lines up with spaces. Others that write such
/// tables, as gVisor, do neither.
pub fn lists_listeners_first(ipv4_table: &[u8]) -> Option<bool> {
    let lines = ipv4_table.split_inclusive(|octet| *octet == b'\n').skip(1);
    lines
        .filter(|line| line.ends_with(b"\n"))
        .map(|line| line.len() == LINE)
        .reduce(|all, it| all && it)
}

/// Whether a piece of a table of TCP sockets has connections and no listener: then the listeners are
/// all before it, where [they come first](lists_listeners_first). Lines that are cut off do not count.
pub fn has_connections_only(piece: &[u8]) -> bool {
    let mut connections = 0;
    for line in piece.split_inclusive(|octet| *octet == b'\n') {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let whole = fields.next().is_some_and(|slot| slot.ends_with(b":"));
        match fields.nth(2).and_then(|field| hexadecimal(field, 2)) {
            Some(state) if state == u32::from(State::LISTEN.0) => return false,
            Some(_) if whole && line.ends_with(b"\n") => connections += 1,
            _ => {}
        }
    }
    connections > 0
}

/// An address and a port.
fn end(text: &[u8], family: Family) -> Option<(IpAddr, u16)> {
    let colon = text.iter().position(|octet| *octet == b':')?;
    let (address, port) = (text.get(..colon)?, text.get(colon + 1..)?);
    let address = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(word(address)?)),
        Family::V6 => {
            let mut octets = [0; 16];
            if address.len() != 32 {
                return None;
            }
            for (own, text) in octets.chunks_mut(4).zip(address.chunks(8)) {
                own.copy_from_slice(&word(text)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
    };
    Some((address, u16::try_from(hexadecimal(port, 4)?).ok()?))
}

/// Four octets of an address.
fn word(text: &[u8]) -> Option<[u8; 4]> {
    hexadecimal(text, 8).map(u32::to_ne_bytes)
}

fn hexadecimal(text: &[u8], digits: usize) -> Option<u32> {
    if text.len() != digits {
        return None;
    }
    text.iter()
        .try_fold(0, |number: u32, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0, |number: u64, digit| {
        number.checked_mul(10)?.checked_add(u64::from(char::from(*digit).to_digit(10)?))
    })
}

/// Any bytes as a table: read or refused, and no more sockets than lines. The body of a fuzz target
/// in `fuzz/`, replayed by `cargo test`.
#[doc(hidden)]
pub fn fuzz_table(input: &[u8]) {
    let _ = lists_listeners_first(input);
    if has_connections_only(input) {
        let mut listeners = 0;
        let _ = sockets(input, Family::V4, State::LISTEN, &mut |_| listeners += 1);
        assert_eq!(listeners, 0);
    }
    for family in Family::ALL {
        for state in [State::LISTEN, State::CLOSE] {
            let mut count = 0;
            let read = sockets(input, family, state, &mut |socket| {
                count += 1;
                assert_ne!(socket.port, 0);
                assert_eq!(socket.address.is_ipv6(), family == Family::V6);
            });
            assert!(count <= input.iter().filter(|octet| **octet == b'\n').count());
            if let Err(error) = read {
                assert!(error.line > 1 && error.value.chars().count() <= VALUE_MAX, "{error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const HEADINGS: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                            retrnsmt   uid  timeout inode\n";

    /// A line as the kernel writes it, on a machine of this byte order.
    fn line(
        slot: usize,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
        state: u8,
        inode: u64,
    ) -> String {
        let words = |address: IpAddr| -> String {
            let octets = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            let words = octets.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
            words.map(|word| format!("{word:08X}")).collect()
        };
        let end = |(address, port)| format!("{}:{port:04X}", words(address));
        format!(
            "{slot:4}: {} {} {state:02X} 00000000:00000000 00:00000000 00000000  1000        0 \
             {inode} 1 0000000000000000 100 0 0 10 0\n",
            end(local),
            end(remote)
        )
    }

    fn read(table: &str, family: Family, state: State) -> Result<Vec<ProcSocket>, ProcError> {
        let mut found = Vec::new();
        sockets(table.as_bytes(), family, state, &mut |socket| found.push(socket))?;
        Ok(found)
    }

    fn listener(address: &str, port: u16, inode: u64) -> ProcSocket {
        ProcSocket { address: address.parse().unwrap(), port, inode }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_table_of_a_kernel() {
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n   \
                  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 26041 1 0000000000000000 100 0 0 10 0                     \n   \
                  1: 0100007F:1F90 0100007F:8C1E 01 00000000:00000000 00:00000000 00000000     0        0 26044 1 0000000000000000 20 0 0 10 -1                    \n";
        assert_eq!(
            read(v4, Family::V4, State::LISTEN),
            Ok([listener("127.0.0.1", 8080, 26041)].into())
        );
        let v6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                  0: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0000000000000000 100 0 0 10 0\n";
        assert_eq!(
            read(v6, Family::V6, State::LISTEN),
            Ok([listener("2001:db8::1", 443, 7)].into())
        );
    }

    #[test]
    fn unconnected_datagram_sockets() {
        let any = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let own = (IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
        let table = [HEADINGS, &line(0, own, any, 7, 5), &line(1, own, own, 1, 6)].concat();
        let found = [listener("127.0.0.1", 53, 5)];
        assert_eq!(read(&table, Family::V4, State::CLOSE), Ok(found.into()));
    }

    #[test]
    fn listeners_come_first_where_lines_are_filled_up() {
        let any = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let bare = line(1, any, any, 10, 5);
        let linux = format!("{:149}\n", bare.trim_end());
        let first = |parts: &[&str]| lists_listeners_first(parts.concat().as_bytes());
        assert_eq!(first(&[HEADINGS, &linux]), Some(true));
        assert_eq!(first(&[HEADINGS, &linux, &linux[..100]]), Some(true));
        assert_eq!(first(&[HEADINGS, &bare]), Some(false));
        assert_eq!(first(&[HEADINGS, &linux, &bare]), Some(false));
        // gVisor fills up its headings.
        let headings = format!("{:149}\n", HEADINGS.trim_end());
        assert_eq!(first(&[&headings, &bare]), Some(false));
        for nothing in [&[][..], &[HEADINGS], &[HEADINGS, &linux[..100]]] {
            assert_eq!(first(nothing), None);
        }
    }

    #[test]
    fn a_piece_with_connections_only() {
        let any = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let own = (IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
        let [listens, connected, waits] = [10, 1, 6].map(|state| line(7, own, any, state, 5));
        let only = |parts: &[&str]| has_connections_only(parts.concat().as_bytes());
        assert!(only(&[&connected]) && only(&[&waits, &connected]));
        for other in [
            &[][..],
            &[HEADINGS],
            &[HEADINGS, &listens],
            &[&listens, &connected],
            &[&connected, &listens],
            // What is cut off tells nothing.
            &[&connected[..40]],
            &[" 0A 00000000:00000000 00:00000000 12 \n"],
        ] {
            assert!(!only(other), "{other:?}");
        }
        assert!(!only(&[&connected, &listens[..40]]), "a listener is one also where it is cut off");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let bad = |line: &str| {
            let table = [HEADINGS, line].concat();
            read(&table, Family::V4, State::LISTEN).unwrap_err().to_string()
        };
        for (line, named) in [
            ("0: 0100007F:1F90 00000000:0000 XX", "line 2: the state is `XX`"),
            ("0: 0100007F 00000000:0000 0A", "line 2: the local end is `0100007F`"),
            ("0: 0100007F:1F90 :0000 0A", "line 2: the remote end is `:0000`"),
            ("0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 -1", "line 2: the inode is `-1`"),
            ("0:", "line 2: the state is ``"),
        ] {
            assert!(bad(line).starts_with(named), "{}", bad(line));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            sockets in prop::collection::vec(
                (any::<u128>(), 1_u16.., prop::sample::select(&[1_u8, 6, 7, 10][..]), any::<u64>()),
                0..20,
            ),
            v6 in any::<bool>(),
        ) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let address = |bits: u128| match family {
                Family::V6 => IpAddr::V6(Ipv6Addr::from(bits)),
                Family::V4 => IpAddr::V4(Ipv4Addr::from(bits.to_ne_bytes().first_chunk::<4>().copied().unwrap())),
            };
            let mut table = String::from(HEADINGS);
            let mut wanted = Vec::new();
            for (slot, (bits, port, state, inode)) in sockets.into_iter().enumerate() {
                let (address, none) = (address(bits), address(0));
                table.push_str(&line(slot, (address, port), (none, 0), state, inode));
                if state == 10 {
                    wanted.push(ProcSocket { address, port, inode });
                }
            }
            prop_assert_eq!(read(&table, family, State::LISTEN), Ok(wanted));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_table(&bytes);
            fuzz_table(&[HEADINGS.as_bytes(), &bytes].concat());
        }
    }
}
