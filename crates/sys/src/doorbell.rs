//! The doorbell: it rings when a TCP socket starts or stops to listen, anywhere on this host.
//!
//! A program of twenty eBPF instructions (`doorbell/program.rs`) at the raw tracepoint
//! `inet_sock_set_state` writes to a ring buffer and wakes its reader, 3 to 6 µs after `listen`,
//! `close` or `shutdown`, also while half-open connections keep the socket alive and destroy
//! events late. It says "look", and where this kernel's sockets are laid out as expected, which a
//! trial at the start finds out, it says at which address and port; and rings of other network
//! namespaces are told apart and only counted. At the moment of the ring the kernel's tables may
//! not show the change yet: look now, and once more a millisecond later.
//!
//! Needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8) while it is hung up, none
//! later: the descriptors stay. UDP sockets have no states and never ring.

mod program;
mod record;
mod ring;
mod trial;

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::program::{Instruction, plain, telling};
pub use self::record::{Change, Chime, Place};
use self::record::{Known, Record};
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
    /// What of its records can be believed.
    known: Known,
    /// There is more in the ring than was taken, and nobody wakes us for it.
    behind: bool,
    /// The program, and where it is attached.
    _program: OwnedFd,
    _link: OwnedFd,
}

/// How it rang since the last time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rang {
    /// All rings.
    pub rings: u64,
    /// Those of other network namespaces.
    pub foreign: u64,
    /// It rang more often than can be told: anything may have happened.
    pub lost: bool,
}

impl Doorbell {
    /// Hangs it up: from now on nothing is missed. Needs a tokio runtime.
    ///
    /// Sockets of its own listen on loopback for some microseconds, see the head.
    ///
    /// # Errors
    /// Without the capabilities, in a container that forbids bpf(2), on a kernel that is too old.
    pub fn hang() -> Result<Self, DoorbellError> {
        let (map, size) = create_ring().map_err(trying("create a ring buffer"))?;
        let ring = map.as_raw_fd();
        // A kernel that forbids to read its memory still lets it ring.
        let (loaded, tells) = match load(&telling(ring)) {
            Ok(loaded) => (loaded, true),
            Err(_) => (load(&plain(ring)).map_err(trying("load the program"))?, false),
        };
        let ring = Ring::map(map, size, tells).map_err(trying("map the ring buffer"))?;
        let mut ring = watch(ring).map_err(trying("wait for the ring buffer"))?;
        let link = attach(loaded.as_raw_fd()).map_err(trying("attach to inet_sock_set_state"))?;
        let known = if tells { trial::run(ring.get_mut()) } else { Known::default() };
        Ok(Self { ring, known, behind: true, _program: loaded, _link: link })
    }

    /// Whether rings say where: for IPv4 and for IPv6 sockets.
    pub const fn tells_places(&self) -> (bool, bool) {
        (self.known.v4, self.known.v6)
    }

    /// Whether rings of other network namespaces are told apart.
    pub const fn tells_namespaces(&self) -> bool {
        self.known.namespace.is_some()
    }

    /// Waits until it rings, and puts the rings of this network namespace into `chimes`, replacing
    /// what is in there; at most some thousand. Cancelling it loses nothing.
    ///
    /// # Errors
    /// When the runtime ends.
    pub async fn ring(&mut self, chimes: &mut Vec<Chime>) -> io::Result<Rang> {
        loop {
            if !self.behind {
                // Before the look: what rings in between makes it ready again.
                self.ring.readable_mut().await?.clear_ready();
            }
            let rang = self.take(chimes);
            if rang.rings > 0 {
                return Ok(rang);
            }
        }
    }

    /// The same without waiting, for a caller that watches the descriptor by itself.
    pub fn take(&mut self, chimes: &mut Vec<Chime>) -> Rang {
        chimes.clear();
        let (mut foreign, known) = (0, &self.known);
        let taken = self.ring.get_mut().take(&mut |record: Record| match record.chime(known) {
            Some(chime) => chimes.push(chime),
            None => foreign += 1,
        });
        self.behind = taken.more;
        Rang { rings: taken.records, foreign, lost: taken.full }
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.get_ref().as_fd()
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

/// A ring buffer, and the octets of its data area.
fn create_ring() -> io::Result<(OwnedFd, u32)> {
    let [large, small] = ring::sizes()?;
    let create = |size| {
        let attributes = MapCreate { map_type: RINGBUF, max_entries: size, ..MapCreate::default() };
        bpf(MAP_CREATE, &attributes).map(|map| (map, size))
    };
    create(large).or_else(|_| create(small))
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
