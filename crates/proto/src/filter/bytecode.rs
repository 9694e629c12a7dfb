//! From an expression to the bytecode that the kernel runs over its sockets.
//!
//! The bytes are those that `ss` 6.1 sends, with one exception: `ss` has no bytecode for a filter
//! with `dev` and filters all sockets itself; here it is the kernel's `DEV_COND`, so that there is
//! one meaning of a filter and not two. The format is struct `inet_diag_bc_op` of
//! linux/inet_diag.h: `{u8 code, u8 yes, u16 no}` and operands, native byte order, `yes` and `no`
//! counted from the operation itself. A jump to the end accepts, a jump to the end + 4 rejects.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::expression::{Address, Condition, Expression, Ordering, Port, Side, Step};

/// Operation codes, `INET_DIAG_BC_*` in linux/inet_diag.h.
pub(super) mod code {
    pub(in super::super) const NOP: u8 = 0;
    pub(in super::super) const JMP: u8 = 1;
    pub(in super::super) const S_GE: u8 = 2;
    pub(in super::super) const S_LE: u8 = 3;
    pub(in super::super) const D_GE: u8 = 4;
    pub(in super::super) const D_LE: u8 = 5;
    pub(in super::super) const AUTO: u8 = 6;
    pub(in super::super) const S_COND: u8 = 7;
    pub(in super::super) const D_COND: u8 = 8;
    pub(in super::super) const DEV_COND: u8 = 9;
    pub(in super::super) const MARK_COND: u8 = 10;
    pub(in super::super) const S_EQ: u8 = 11;
    pub(in super::super) const D_EQ: u8 = 12;
    pub(in super::super) const CGROUP_COND: u8 = 13;
}

/// Address families as the kernel numbers them.
pub(super) mod family {
    pub(in super::super) const UNSPEC: u8 = 0;
    pub(in super::super) const INET: u8 = 2;
    pub(in super::super) const INET6: u8 = 10;
}

/// Size of an operation without operands.
const OP: u8 = 4;

/// Bytes of bytecode that a condition needs.
pub(super) fn length(condition: &Condition) -> usize {
    usize::from(operation(condition).1)
}

/// Compiles an expression.
///
/// The caller keeps the size below 64 KiB, which is what the offsets can say.
pub(super) fn compile(expression: &Expression) -> Vec<u8> {
    let mut code = Vec::new();
    // Where each operand of the joins to come begins.
    let mut starts = Vec::new();
    for step in expression.steps() {
        match step {
            Step::Condition(condition) => {
                starts.push(code.len());
                emit(&mut code, condition);
            }
            // Success runs into the jump, which rejects; failure lands behind it, at the end.
            Step::Not => code.extend_from_slice(&jump(2 * usize::from(OP))),
            Step::And => {
                let right = starts.pop().unwrap_or_default();
                let left = starts.last().copied().unwrap_or_default();
                let by = code.len().saturating_sub(right);
                let left = code.get_mut(left..right).unwrap_or_default();
                relocate_failures(left, by);
            }
            // Success of the left side runs into the jump over the right side; its failure lands
            // behind the jump.
            Step::Or => {
                let right = starts.pop().unwrap_or_default();
                let over = code.len().saturating_sub(right) + usize::from(OP);
                code.splice(right..right, jump(over));
            }
        }
    }
    code
}

fn jump(distance: usize) -> [u8; 4] {
    op(code::JMP, OP, distance)
}

fn op(code: u8, yes: u8, no: usize) -> [u8; 4] {
    let [low, high] = u16::try_from(no).unwrap_or(u16::MAX).to_ne_bytes();
    [code, yes, low, high]
}

/// Moves the exits for "fails" of the left side of an `and` behind its right side.
fn relocate_failures(left: &mut [u8], by: usize) {
    let mut rest = left;
    while let [_, yes, low, high, ..] = rest {
        let no = usize::from(u16::from_ne_bytes([*low, *high]));
        let size = usize::from(*yes);
        if no == rest.len() + usize::from(OP)
            && let [code, yes, ..] = *rest
            && let Some(head) = rest.first_chunk_mut()
        {
            *head = op(code, yes, no + by);
        }
        rest = rest.get_mut(size.max(usize::from(OP))..).unwrap_or_default();
    }
}

/// Code and whole size of the operation of a condition.
fn operation(condition: &Condition) -> (u8, u8) {
    match condition {
        Condition::Host { side, address, .. } => {
            let code = match side {
                Side::Source => code::S_COND,
                Side::Destination => code::D_COND,
            };
            // `ss` writes four bytes of address also for "any".
            let address = match address {
                Address::Any | Address::V4 { .. } => 4,
                Address::V6 { .. } => 16,
            };
            (code, OP + 8 + address)
        }
        Condition::Compare { side, ordering, .. } => {
            let code = match (side, ordering) {
                (Side::Source, Ordering::AtLeast) => code::S_GE,
                (Side::Source, Ordering::AtMost) => code::S_LE,
                (Side::Destination, Ordering::AtLeast) => code::D_GE,
                (Side::Destination, Ordering::AtMost) => code::D_LE,
            };
            (code, OP + 4)
        }
        Condition::Autobound => (code::AUTO, OP),
        Condition::Device { .. } => (code::DEV_COND, OP + 4),
        Condition::Mark { .. } => (code::MARK_COND, OP + 8),
        Condition::Cgroup { .. } => (code::CGROUP_COND, OP + 8),
    }
}

fn emit(out: &mut Vec<u8>, condition: &Condition) {
    let (code, size) = operation(condition);
    out.extend_from_slice(&op(code, size, usize::from(size) + usize::from(OP)));
    match condition {
        Condition::Host { address, port, .. } => emit_host(out, *address, *port),
        // The operand is an operation whose `no` is the port.
        Condition::Compare { port, .. } => {
            out.extend_from_slice(&op(0, 0, usize::from(port.low_bits())));
        }
        Condition::Autobound => {}
        Condition::Device { index, .. } => out.extend_from_slice(&index.to_ne_bytes()),
        Condition::Mark { value, mask } => {
            out.extend_from_slice(&value.to_ne_bytes());
            out.extend_from_slice(&mask.to_ne_bytes());
        }
        Condition::Cgroup { id, .. } => out.extend_from_slice(&id.to_ne_bytes()),
    }
}

/// Struct `inet_diag_hostcond`: family, prefix length, two bytes of padding, port, address.
///
/// `ss` leaves the padding as `malloc` gave it; here it is zero.
fn emit_host(out: &mut Vec<u8>, address: Address, port: Port) {
    let (family, length, address) = match address {
        Address::Any => (family::UNSPEC, 0, None),
        Address::V4 { address, length } => (family::INET, length, Some(IpAddr::V4(address))),
        Address::V6 { address, length } => (family::INET6, length, Some(IpAddr::V6(address))),
    };
    out.extend_from_slice(&[family, length, 0, 0]);
    out.extend_from_slice(&port.0.to_ne_bytes());
    match address {
        None => out.extend_from_slice(&[0; 4]),
        Some(IpAddr::V4(address)) => out.extend_from_slice(&address.octets()),
        Some(IpAddr::V6(address)) => out.extend_from_slice(&address.octets()),
    }
}
