//! The reading end of a BPF ring buffer (kernel/bpf/ringbuf.c).
//!
//! Its memory is one page that the reader writes (how far it has read), then, read-only, one page
//! with how far the kernel has written, then the data, which is mapped twice in a row, so that no
//! record ends before it begins. A record is a word of header (its length, and whether it is still
//! being written), and what the program wrote.
#![allow(unsafe_code, reason = "memory that the kernel writes to")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::program::{PLAIN, SOCKET};
use super::record::{Record, WORDS};

/// Octets of the data area where the kernel grants them: some 600 rings.
const SIZE: u32 = 64 * 1024;
/// Octets of a record's header.
const HEADER: u64 = 8;
/// `BPF_RINGBUF_BUSY_BIT` and `BPF_RINGBUF_DISCARD_BIT` of a header.
const BUSY: u64 = 1 << 31;
const DISCARD: u64 = 1 << 30;

/// Sizes of the data area, the best one first: powers of two and whole pages. Kernels before 5.11
/// count it as locked memory, of which there may be little; one page does as well.
pub(super) fn sizes() -> io::Result<[u32; 2]> {
    let page = u32::try_from(rustix::param::page_size()).map_err(io::Error::other)?;
    Ok([SIZE.max(page), page])
}

/// A ring buffer, mapped.
#[derive(Debug)]
pub(super) struct Ring {
    map: OwnedFd,
    /// How far we have read: a page that we write.
    consumed: Pages,
    /// How far the kernel has written, and what: pages that only the kernel writes.
    produced: Pages,
    /// Octets of the data area.
    size: u64,
    /// Records have the beginning of a socket.
    telling: bool,
}

/// What was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Taken {
    /// So many records.
    pub(super) records: u64,
    /// There was no room for another one: some may be missing.
    pub(super) full: bool,
    /// There is more, which nobody wakes us for: it is to be taken without waiting.
    pub(super) more: bool,
}

/// How often what came meanwhile is taken as well.
const ROUNDS: u32 = 4;

impl Ring {
    /// Maps a ring buffer of so many octets, with records of [`super::program::telling`] or
    /// [`super::program::plain`].
    pub(super) fn map(map: OwnedFd, size: u32, telling: bool) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let data = usize::try_from(size).map_err(io::Error::other)?;
        let consumed = Pages::map(&map, 0, page, ProtFlags::READ | ProtFlags::WRITE)?;
        let produced = Pages::map(&map, page as u64, page + 2 * data, ProtFlags::READ)?;
        Ok(Self { map, consumed, produced, size: u64::from(size), telling })
    }

    /// Hands out the records that came since the last time.
    ///
    /// The kernel wakes whoever has read all that was written before; so how far we have read is told
    /// before the look whether that is all, with a barrier between, as the kernel has one between its
    /// two.
    pub(super) fn take(&mut self, record: &mut dyn FnMut(Record)) -> Taken {
        let mut taken = Taken { records: 0, full: false, more: true };
        for _ in 0..ROUNDS {
            self.take_round(record, &mut taken);
            fence(Ordering::SeqCst);
            if !self.has_record() {
                taken.more = false;
                break;
            }
        }
        taken
    }

    /// Hands out what is there.
    fn take_round(&mut self, record: &mut dyn FnMut(Record), taken: &mut Taken) {
        let length = self.length();
        let produced = self.produced.word(0).load(Ordering::Acquire);
        let begin = self.consumed.word(0).load(Ordering::Relaxed);
        taken.full |= produced.wrapping_sub(begin) + length > self.size;
        let mut at = begin;
        while at != produced {
            let header = self.data(at).load(Ordering::Acquire);
            if header & BUSY != 0 {
                // Its writer wakes us when it is done.
                break;
            }
            if header & DISCARD == 0 {
                let mut words = [0; WORDS];
                let own = words.iter_mut().zip((at + HEADER..at + length).step_by(8));
                own.for_each(|(word, at)| *word = self.data(at).load(Ordering::Relaxed));
                record(Record::new(words, self.telling));
                taken.records += 1;
            }
            at = at.wrapping_add(length);
        }
        self.consumed.word(0).store(at, Ordering::Release);
    }

    /// Whether there is a record that is written.
    fn has_record(&self) -> bool {
        let at = self.consumed.word(0).load(Ordering::Relaxed);
        at != self.produced.word(0).load(Ordering::Acquire)
            && self.data(at).load(Ordering::Acquire) & BUSY == 0
    }

    /// Octets of a record with its header.
    fn length(&self) -> u64 {
        HEADER + u64::from(if self.telling { PLAIN + SOCKET } else { PLAIN })
    }

    /// The word at a position, which grows for ever.
    fn data(&self, at: u64) -> &AtomicU64 {
        // Less than the size, which was a `usize`.
        let offset = usize::try_from(at % self.size).unwrap_or(0);
        self.produced.word(rustix::param::page_size() + offset)
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.map.as_raw_fd()
    }
}

/// Some pages of it.
#[derive(Debug)]
struct Pages {
    address: NonNull<AtomicU64>,
    length: usize,
}

// SAFETY: the memory belongs to the process, and is only used through atomics.
unsafe impl Send for Pages {}
// SAFETY: the same.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(map: &OwnedFd, offset: u64, length: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, map.as_fd(), offset)?
        };
        NonNull::new(address.cast())
            .map(|address| Self { address, length })
            .ok_or_else(|| io::Error::other("mapped at address zero"))
    }

    /// The word that begins so many octets behind the start; the first one when there is none.
    const fn word(&self, offset: usize) -> &AtomicU64 {
        let index = if offset < self.length { offset / size_of::<AtomicU64>() } else { 0 };
        // SAFETY: within the mapping, which lasts until this is dropped; aligned, as the mapping
        // is to a page; and everybody, the kernel too, uses the words of records and positions
        // atomically or before they are published with a release.
        unsafe { self.address.add(index).as_ref() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this length; nobody can use it any more.
        let _ = unsafe { munmap(self.address.as_ptr().cast(), self.length) };
    }
}
