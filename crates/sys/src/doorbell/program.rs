//! The program, instruction by instruction (Documentation/bpf/standardization/instruction-set.rst).
//!
//! It runs at the raw tracepoint `inet_sock_set_state(sk, oldstate, newstate)` for every change of
//! state of every TCP socket of the host, so it leaves as early as it can: two loads and two or
//! three comparisons for a connection. For what is left it copies the beginning of the socket,
//! where its local end stands ([`super::record`]); at places that no kernel promises, so that what
//! was copied is believed only after a trial. Where a kernel forbids to read its memory (lockdown),
//! [`plain`] reads nothing of the socket.

use std::os::fd::RawFd;

/// Octets that [`plain`] puts into the ring: the new state.
pub(super) const PLAIN: u32 = 8;
/// Octets of `struct sock_common` that [`telling`] adds to that.
pub(super) const SOCKET: u32 = 96;

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub(super) struct Instruction {
    /// Class, operation, source.
    code: u8,
    /// The destination register in the low half, the source register in the high half.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// `TCP_CLOSE` and `TCP_LISTEN` (include/net/tcp_states.h).
const CLOSE: i32 = 7;
const LISTEN: i32 = 10;

/// Load of eight octets from memory: `BPF_LDX | BPF_MEM | BPF_DW`.
const LOAD: u8 = 0x79;
/// Store of a register to memory: `BPF_STX | BPF_MEM | BPF_DW`.
const STORE: u8 = 0x7b;
/// Load of a 64-bit immediate, two instructions: `BPF_LD | BPF_IMM | BPF_DW`.
const LOAD_WIDE: u8 = 0x18;
/// `BPF_ALU64 | BPF_MOV`, from a register and from an immediate.
const MOVE: u8 = 0xbf;
const MOVE_IMMEDIATE: u8 = 0xb7;
/// `BPF_ALU64 | BPF_ADD | BPF_K`.
const ADD_IMMEDIATE: u8 = 0x07;
/// `BPF_JMP | BPF_JEQ | BPF_K` and its opposite.
const JUMP_EQUAL: u8 = 0x15;
const JUMP_UNEQUAL: u8 = 0x55;
/// `BPF_JMP | BPF_CALL` and `BPF_JMP | BPF_EXIT`.
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// The immediate of the wide load is the descriptor of a map: `BPF_PSEUDO_MAP_FD`.
const MAP_DESCRIPTOR: u8 = 1;
/// `bpf_probe_read_kernel` and `bpf_ringbuf_output` (include/uapi/linux/bpf.h).
const PROBE_READ_KERNEL: i32 = 113;
const RINGBUF_OUTPUT: i32 = 130;
/// Flags of it, none: the reader is woken if it has read everything before. One that has not will look
/// again by itself, and while many sockets close at once each wake-up costs them 5 µs and more.
const WAKE_WHO_HAS_READ_ALL: i32 = 0;

const fn instruction(
    code: u8,
    destination: u8,
    source: u8,
    offset: i16,
    immediate: i32,
) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

// In both: r0 result, r1 to r5 arguments (r1: the context at the start), r6 to r9 kept over calls,
// r10 the end of the stack.

/// The program that tells the new state and the beginning of the socket.
pub(super) const fn telling(ring: RawFd) -> [Instruction; 20] {
    const RECORD: i32 = (PLAIN + SOCKET) as i32;
    [
        // r6 = oldstate: the second argument of the tracepoint, eight octets each.
        instruction(LOAD, 6, 1, 8, 0),
        // r7 = newstate.
        instruction(LOAD, 7, 1, 16, 0),
        // A listener comes: ring.
        instruction(JUMP_EQUAL, 7, 0, 2, LISTEN),
        // Anything else than a socket that closes is of no interest …
        instruction(JUMP_UNEQUAL, 7, 0, 14, CLOSE),
        // … and of those, only one that listened. (A new connection comes out of LISTEN too, as a
        // clone of its listener, but goes to SYN_RECV.)
        instruction(JUMP_UNEQUAL, 6, 0, 13, LISTEN),
        // The record begins on the stack: newstate.
        instruction(STORE, 10, 7, -(RECORD as i16), 0),
        // r3 = the socket: the first argument.
        instruction(LOAD, 3, 1, 0, 0),
        // r1 = where it is copied to, behind the state; r2 = how much of it.
        instruction(MOVE, 1, 10, 0, 0),
        instruction(ADD_IMMEDIATE, 1, 0, 0, -(SOCKET as i32)),
        instruction(MOVE_IMMEDIATE, 2, 0, 0, SOCKET as i32),
        // What cannot be read becomes zeros.
        instruction(CALL, 0, 0, 0, PROBE_READ_KERNEL),
        // r1 = the ring buffer.
        instruction(LOAD_WIDE, 1, MAP_DESCRIPTOR, 0, ring),
        instruction(0, 0, 0, 0, 0),
        // r2 = the address of the record.
        instruction(MOVE, 2, 10, 0, 0),
        instruction(ADD_IMMEDIATE, 2, 0, 0, -RECORD),
        // r3 = its length, r4 = flags.
        instruction(MOVE_IMMEDIATE, 3, 0, 0, RECORD),
        instruction(MOVE_IMMEDIATE, 4, 0, 0, WAKE_WHO_HAS_READ_ALL),
        // When the ring is full the record is lost, and the reader has much to read anyway.
        instruction(CALL, 0, 0, 0, RINGBUF_OUTPUT),
        // return 0.
        instruction(MOVE_IMMEDIATE, 0, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

/// The program that tells the new state and nothing of the socket.
pub(super) const fn plain(ring: RawFd) -> [Instruction; 15] {
    // What is not said here is said above.
    [
        instruction(LOAD, 6, 1, 8, 0),
        instruction(LOAD, 7, 1, 16, 0),
        instruction(JUMP_EQUAL, 7, 0, 2, LISTEN),
        instruction(JUMP_UNEQUAL, 7, 0, 9, CLOSE),
        instruction(JUMP_UNEQUAL, 6, 0, 8, LISTEN),
        instruction(STORE, 10, 7, -(PLAIN as i16), 0),
        instruction(LOAD_WIDE, 1, MAP_DESCRIPTOR, 0, ring),
        instruction(0, 0, 0, 0, 0),
        instruction(MOVE, 2, 10, 0, 0),
        instruction(ADD_IMMEDIATE, 2, 0, 0, -(PLAIN as i32)),
        instruction(MOVE_IMMEDIATE, 3, 0, 0, PLAIN as i32),
        instruction(MOVE_IMMEDIATE, 4, 0, 0, WAKE_WHO_HAS_READ_ALL),
        instruction(CALL, 0, 0, 0, RINGBUF_OUTPUT),
        instruction(MOVE_IMMEDIATE, 0, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}
