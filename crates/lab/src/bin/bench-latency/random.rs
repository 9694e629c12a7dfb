//! Moments at no fixed phase to anything that polls.

use std::hash::{BuildHasher, Hasher};

/// xorshift64*, seeded anew in each run; the seed is printed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(std::hash::RandomState::new().build_hasher().finish() | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}
