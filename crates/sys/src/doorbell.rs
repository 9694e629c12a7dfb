//! The doorbell: it rings when a TCP socket starts or stops to listen, anywhere on this host.
//!
//! A program of fifteen eBPF instructions ([`program`]) at the raw tracepoint
//! `inet_sock_set_state` writes to a ring buffer and wakes its reader, 3 to 6 µs after `listen`,
//! `close` or `shutdown`, also while half-open connections keep the socket alive and destroy
//! events late. It says nothing but "look": the tracepoint is of the whole host, other network
//! namespaces ring too, and at the moment of the ring the kernel's tables may not show the change
//! yet. Look now, and once more a millisecond later.
//!
//! Needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8) while it is hung up, none
//! later: the descriptors stay. UDP sockets have no states and never ring.

mod program;
mod ring;

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::program::{Instruction, program};
use self::ring::Ring;

/// Commands of bpf(2) (include/uapi/linux/bpf.h).
const MAP_CREATE: libc::c_long = 0;
const PROG_LOAD: libc::c_long = 5;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
/// `BPF_MAP_TYPE_RINGBUF`.
const RINGBUF: u32 = 27;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
const RAW_TRACEPOINT: u32 = 17;
/// The helper for ring buffers is for programs under the GPL only.
const LICENSE: &core::ffi::CStr = c"GPL";
const TRACEPOINT: &core::ffi::CStr = c"inet_sock_set_state";

/// Why there is no doorbell.
#[derive(Debug, Error)]
#[error("cannot {action}: {source}{hint}")]
pub struct DoorbellError {
    /// What was tried.
    pub action: &'static str,
    /// The errno.
    pub source: io::Error,
    /// What to do where that is known.
    pub hint: &'static str,
}

/// A doorbell that hangs. It is taken down when this is dropped.
#[derive(Debug)]
pub struct Doorbell {
    /// The ring buffer, and readable when it has something.
    ring: AsyncFd<Ring>,
    /// The program, and where it is attached.
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Doorbell {
    /// Hangs it up: from now on nothing is missed. Needs a tokio runtime.
    ///
    /// # Errors
    /// Without the capabilities, in a container that forbids bpf(2), on a kernel that is too old.
    pub fn hang() -> Result<Self, DoorbellError> {
        let map = create_ring().map_err(trying("create a ring buffer"))?;
        let loaded = load(&program(map.as_raw_fd())).map_err(trying("load the program"))?;
        let ring = Ring::map(map).map_err(trying("map the ring buffer"))?;
        let ring = watch(ring).map_err(trying("wait for the ring buffer"))?;
        let link = attach(loaded.as_raw_fd()).map_err(trying("attach to inet_sock_set_state"))?;
        Ok(Self { ring, _program: loaded, _link: link })
    }

    /// Waits until it rings; how often it has since the last time. Cancelling it loses nothing.
    ///
    /// # Errors
    /// When the runtime ends.
    pub async fn ring(&mut self) -> io::Result<u64> {
        loop {
            let mut ready = self.ring.readable_mut().await?;
            // Before the look: what rings in between makes it ready again.
            ready.clear_ready();
            let rings = ready.get_inner_mut().take();
            if rings > 0 {
                return Ok(rings);
            }
        }
    }
}

fn trying(action: &'static str) -> impl FnOnce(io::Error) -> DoorbellError {
    move |source| {
        let hint = match source.raw_os_error() {
            Some(libc::EPERM) => "; it takes CAP_BPF and CAP_PERFMON",
            Some(libc::ENOSYS | libc::EINVAL) => "; this kernel may be too old: 5.8 has all of it",
            _ => "",
        };
        DoorbellError { action, source, hint }
    }
}

/// The part of `union bpf_attr` that creating a map needs.
#[derive(Default)]
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// The part that loading a program needs.
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// The part that attaching to a raw tracepoint needs.
#[repr(C)]
struct RawTracepointOpen {
    name: u64,
    prog_fd: u32,
    /// Fills the structure to its alignment.
    zero: u32,
}

fn create_ring() -> io::Result<OwnedFd> {
    let attributes =
        MapCreate { map_type: RINGBUF, max_entries: ring::size()?, ..MapCreate::default() };
    bpf(MAP_CREATE, &attributes)
}

fn load(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let attributes = ProgLoad {
        prog_type: RAW_TRACEPOINT,
        insn_cnt: u32::try_from(instructions.len()).map_err(io::Error::other)?,
        insns: instructions.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    bpf(PROG_LOAD, &attributes)
}

fn attach(program: RawFd) -> io::Result<OwnedFd> {
    let prog_fd = u32::try_from(program).map_err(io::Error::other)?;
    bpf(
        RAW_TRACEPOINT_OPEN,
        &RawTracepointOpen { name: TRACEPOINT.as_ptr() as u64, prog_fd, zero: 0 },
    )
}

/// A command of bpf(2) that returns a new descriptor (it closes on exec).
#[allow(unsafe_code, reason = "libc has no wrapper for bpf(2)")]
fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes are a prefix of union bpf_attr for this command, as long as said, and
    // what they point to lives until the call is over; the kernel only reads it.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    match i32::try_from(result) {
        Ok(descriptor) if descriptor >= 0 => {
            // SAFETY: the kernel has just made it, and nobody else knows it.
            Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Registers the ring buffer with the runtime.
#[allow(unsafe_code, reason = "tokio cannot know that the descriptor stays open")]
fn watch(ring: Ring) -> io::Result<AsyncFd<Ring>> {
    // SAFETY: the `Ring` owns its descriptor until it is dropped, and the `AsyncFd` owns the
    // `Ring` and hands out no way to take it.
    let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
    registered.map_err(io::Error::from)
}

#[cfg(test)]
mod tests;
