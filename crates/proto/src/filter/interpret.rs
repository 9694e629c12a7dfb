//! Runs filter bytecode over a socket as the kernel does, after the same audit.
//!
//! Modelled on `inet_diag_bc_audit` and `inet_diag_bc_run` in net/ipv4/inet_diag.c. It exists to
//! prove the compiler right, to explain bytecode, and to read what other programs send.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::bytecode::{code, family};
use super::evaluate::Socket;
use super::expression::Side;

/// Why bytecode is refused. The kernel answers `EINVAL` to all of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BytecodeError {
    /// There is not one whole operation.
    #[error("the bytecode has {length} bytes: an operation needs at least 4")]
    TooShort {
        /// What there is.
        length: usize,
    },
    /// A code that the kernel does not know.
    #[error("the operation at byte {at} has the unknown code {code}")]
    UnknownCode {
        /// Where.
        at: usize,
        /// Which.
        code: u8,
    },
    /// The operands reach behind the end.
    #[error("the operation at byte {at} ends behind the end of the bytecode")]
    Truncated {
        /// Where.
        at: usize,
    },
    /// A host condition of neither IPv4 nor IPv6, or with more prefix bits than address bits.
    #[error("the operation at byte {at} has the bad prefix length {length} for family {family}")]
    BadPrefix {
        /// Where.
        at: usize,
        /// Address family.
        family: u8,
        /// Prefix length.
        length: u8,
    },
    /// A jump that is too short, too far, not aligned, or lands inside an operation.
    #[error("the operation at byte {at} jumps {distance} bytes, which leads to no operation")]
    BadJump {
        /// Where.
        at: usize,
        /// How far.
        distance: u16,
    },
    /// `MARK_COND` is for the privileged: the kernel answers `EPERM`.
    #[error("the operation at byte {at} asks for marks, which needs CAP_NET_ADMIN")]
    NotPermitted {
        /// Where.
        at: usize,
    },
}

/// Bytecode that passed the audit: running it ends, whatever the socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bytecode<'a>(&'a [u8]);

/// The fixed part of an operation.
#[derive(Clone, Copy)]
struct Operation {
    code: u8,
    yes: u8,
    no: u16,
}

impl Operation {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let [code, yes, low, high] = *array(bytes, at)?;
        Some(Self { code, yes, no: u16::from_ne_bytes([low, high]) })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

impl<'a> Bytecode<'a> {
    /// Checks bytecode as the kernel does for a program with CAP_NET_ADMIN.
    pub fn audit(bytes: &'a [u8]) -> Result<Self, BytecodeError> {
        Self::audit_as(bytes, true)
    }

    /// Checks bytecode as the kernel does for a program with or without CAP_NET_ADMIN.
    pub fn audit_as(bytes: &'a [u8], net_admin: bool) -> Result<Self, BytecodeError> {
        let length = bytes.len();
        if length < 4 {
            return Err(BytecodeError::TooShort { length });
        }
        // The operations are those that `yes` leads through; `no` may only lead to one of them.
        let mut starts = Vec::new();
        let mut at = 0;
        while at < length {
            let operation = Operation::at(bytes, at).ok_or(BytecodeError::Truncated { at })?;
            let size = size(bytes, at, operation, net_admin)?;
            let rest = length - at;
            let yes = u16::from(operation.yes);
            for distance in [Some(yes), (operation.code != code::NOP).then_some(operation.no)]
                .into_iter()
                .flatten()
            {
                let far = usize::from(distance);
                if far < size || far > rest + 4 || far % 4 != 0 {
                    return Err(BytecodeError::BadJump { at, distance });
                }
            }
            starts.push(at);
            at += usize::from(yes);
        }
        if at != length {
            let at = starts.last().copied().unwrap_or_default();
            return Err(BytecodeError::Truncated { at });
        }
        for at in starts.iter().copied() {
            let Some(Operation { code, no, .. }) = Operation::at(bytes, at) else {
                continue;
            };
            let target = at + usize::from(no);
            if code != code::NOP && target < length && starts.binary_search(&target).is_err() {
                return Err(BytecodeError::BadJump { at, distance: no });
            }
        }
        Ok(Self(bytes))
    }

    /// True when the kernel would show this socket.
    pub fn accepts(self, socket: &Socket) -> bool {
        let mut at = 0;
        while at < self.0.len() {
            // Neither can be missing or zero after the audit; both would be "no".
            let Some(operation) = Operation::at(self.0, at) else {
                return false;
            };
            let step = if self.holds(at, operation, socket).unwrap_or(false) {
                usize::from(operation.yes)
            } else {
                usize::from(operation.no)
            };
            if step == 0 {
                return false;
            }
            at += step;
        }
        at == self.0.len()
    }

    /// What it asks of sockets beyond their addresses and ports, in words: the first such thing.
    pub fn asks_beyond_addresses(self) -> Option<&'static str> {
        let mut at = 0;
        while let Some(operation) = Operation::at(self.0, at).filter(|it| it.yes != 0) {
            match operation.code {
                code::DEV_COND => return Some("the device"),
                code::MARK_COND => return Some("the mark"),
                code::CGROUP_COND => return Some("the cgroup"),
                code::AUTO => return Some("whether the port was chosen by the kernel"),
                _ => at += usize::from(operation.yes),
            }
        }
        None
    }

    /// False when the kernel would show no socket with this local end, whatever else is true of it.
    pub fn may_accept(self, address: IpAddr, port: u16) -> bool {
        let socket = Socket::listening(address, port);
        // Jumps lead forwards, so each operation is looked at once, in order.
        let mut reached = Vec::from([0]);
        while let Some(at) = reached.pop() {
            if at == self.0.len() {
                return true;
            }
            let Some(operation) = Operation::at(self.0, at) else { continue };
            let known = self.decided_by_place(at, operation, &socket);
            for (holds, step) in [(true, u16::from(operation.yes)), (false, operation.no)] {
                // What is not decided may go either way.
                let next = at + usize::from(step);
                if known.is_none_or(|known| known == holds) && step != 0 && !reached.contains(&next)
                {
                    reached.push(next);
                }
            }
            // The nearest one is looked at next.
            reached.sort_unstable_by(|a, b| b.cmp(a));
        }
        false
    }

    /// Whether an operation holds, when the local end decides that.
    fn decided_by_place(self, at: usize, operation: Operation, socket: &Socket) -> Option<bool> {
        match operation.code {
            code::DEV_COND | code::MARK_COND | code::CGROUP_COND | code::AUTO => None,
            // An IPv4 address may be a mapped one of an IPv6 socket, whose peer is `::` then.
            code::D_COND if socket.addresses.is_v4() => None,
            code::S_COND if socket.addresses.is_v4() => {
                let [family, _, _, _] = *array(self.0, at + 4)?;
                (family != family::INET6).then(|| self.holds(at, operation, socket))?
            }
            _ => self.holds(at, operation, socket),
        }
    }

    fn holds(self, at: usize, operation: Operation, socket: &Socket) -> Option<bool> {
        let operand = at + 4;
        let port = || Operation::at(self.0, operand).map(|operand| operand.no);
        Some(match operation.code {
            code::NOP => true,
            code::JMP => false,
            code::S_EQ => socket.source_port == port()?,
            code::S_GE => socket.source_port >= port()?,
            code::S_LE => socket.source_port <= port()?,
            code::D_EQ => socket.destination_port == port()?,
            code::D_GE => socket.destination_port >= port()?,
            code::D_LE => socket.destination_port <= port()?,
            code::AUTO => socket.autobound,
            code::S_COND => self.host(operand, Side::Source, socket)?,
            code::D_COND => self.host(operand, Side::Destination, socket)?,
            code::DEV_COND => socket.interface == u32::from_ne_bytes(*array(self.0, operand)?),
            code::MARK_COND => {
                let value = u32::from_ne_bytes(*array(self.0, operand)?);
                let mask = u32::from_ne_bytes(*array(self.0, operand + 4)?);
                socket.mark & mask == value
            }
            code::CGROUP_COND => socket.cgroup == u64::from_ne_bytes(*array(self.0, operand)?),
            _ => return None,
        })
    }

    fn host(self, at: usize, side: Side, socket: &Socket) -> Option<bool> {
        let [family, length, _, _] = *array(self.0, at)?;
        let port = i32::from_ne_bytes(*array(self.0, at + 4)?);
        if port != -1 && port != i32::from(socket.port(side)) {
            return Some(false);
        }
        let wanted = self.0.get(at + 8..)?;
        Some(match (family, socket.address(side)) {
            (family::UNSPEC, _) => true,
            (family::INET, IpAddr::V4(address)) => bits_equal(&address.octets(), wanted, length),
            (family::INET6, IpAddr::V6(address)) => bits_equal(&address.octets(), wanted, length),
            (family::INET, IpAddr::V6(address)) => match address.octets() {
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, mapped @ ..] => {
                    bits_equal(&mapped, wanted, length)
                }
                _ => false,
            },
            _ => false,
        })
    }
}

/// Size of an operation with its operands, after checking these.
fn size(
    bytes: &[u8],
    at: usize,
    operation: Operation,
    net_admin: bool,
) -> Result<usize, BytecodeError> {
    let truncated = BytecodeError::Truncated { at };
    let size = match operation.code {
        code::NOP | code::JMP | code::AUTO => 4,
        code::S_EQ | code::S_GE | code::S_LE | code::D_EQ | code::D_GE | code::D_LE => 8,
        code::DEV_COND => 8,
        code::MARK_COND if !net_admin => return Err(BytecodeError::NotPermitted { at }),
        code::MARK_COND | code::CGROUP_COND => 12,
        code::S_COND | code::D_COND => {
            let [family, length, _, _] = *array(bytes, at + 4).ok_or(truncated)?;
            let address = match family {
                family::UNSPEC => 0,
                family::INET => 4,
                family::INET6 => 16,
                _ => return Err(BytecodeError::BadPrefix { at, family, length }),
            };
            if usize::from(length) > 8 * address {
                return Err(BytecodeError::BadPrefix { at, family, length });
            }
            12 + address
        }
        code => return Err(BytecodeError::UnknownCode { at, code }),
    };
    if bytes.len() - at < size {
        return Err(truncated);
    }
    Ok(size)
}

/// Compares the first `length` bits.
fn bits_equal(left: &[u8], right: &[u8], length: u8) -> bool {
    let mut bits = u32::from(length);
    for (left, right) in left.iter().zip(right) {
        let differing = (left ^ right).leading_zeros();
        if differing < bits.min(8) {
            return false;
        }
        bits = bits.saturating_sub(8);
    }
    bits == 0
}
