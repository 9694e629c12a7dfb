//! The reading end of a BPF ring buffer (kernel/bpf/ringbuf.c).
//!
//! Its memory is one page that the reader writes (how far it has read), then, read-only, one page
//! with how far the kernel has written, then the data. The data does not matter here: every record
//! says the same, and the two positions tell how many there are.
#![allow(unsafe_code, reason = "memory that the kernel writes to")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::program::RECORD;

/// Octets that a record takes: its header of eight, and what the program writes.
const STEP: u64 = 8 + RECORD as u64;

/// Octets of the data area: a power of two and whole pages; one page is plenty.
pub(super) fn size() -> io::Result<u32> {
    u32::try_from(rustix::param::page_size()).map_err(io::Error::other)
}

/// A ring buffer, mapped.
#[derive(Debug)]
pub(super) struct Ring {
    map: OwnedFd,
    /// How far we have read: a page that we write.
    consumed: Page,
    /// How far the kernel has written: a page that only the kernel writes.
    produced: Page,
}

impl Ring {
    pub(super) fn map(map: OwnedFd) -> io::Result<Self> {
        let page = rustix::param::page_size() as u64;
        let consumed = Page::map(&map, 0, ProtFlags::READ | ProtFlags::WRITE)?;
        let produced = Page::map(&map, page, ProtFlags::READ)?;
        Ok(Self { map, consumed, produced })
    }

    /// How many records came since the last time; they count as read.
    pub(super) fn take(&mut self) -> u64 {
        let produced = self.produced.position().load(Ordering::Acquire);
        // A record that is being written right now counts as read too: its writer wakes us when
        // it is done.
        let consumed = self.consumed.position().swap(produced, Ordering::AcqRel);
        produced.wrapping_sub(consumed) / STEP
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.map.as_raw_fd()
    }
}

/// A page of it. The position is its first word.
#[derive(Debug)]
struct Page {
    address: NonNull<AtomicU64>,
}

// SAFETY: the memory belongs to the process, and is only used through an atomic.
unsafe impl Send for Page {}
// SAFETY: the same.
unsafe impl Sync for Page {}

impl Page {
    fn map(map: &OwnedFd, offset: u64, protection: ProtFlags) -> io::Result<Self> {
        let length = rustix::param::page_size();
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, map.as_fd(), offset)?
        };
        NonNull::new(address.cast())
            .map(|address| Self { address })
            .ok_or_else(|| io::Error::other("mapped at address zero"))
    }

    const fn position(&self) -> &AtomicU64 {
        // SAFETY: mapped until the page is dropped, aligned to a page, and everybody, the kernel
        // too, uses the word atomically.
        unsafe { self.address.as_ref() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this length; nobody can use it any more.
        let _ = unsafe { munmap(self.address.as_ptr().cast(), rustix::param::page_size()) };
    }
}
