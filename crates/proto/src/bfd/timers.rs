//! Intervals as they are configured and negotiated, and the jitter of what is sent.

use core::fmt;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use thiserror::Error;

/// A session that is not up sends no more often than this, in microseconds (RFC 5880 section
/// 6.8.3).
const SLOW: u32 = 1_000_000;

/// An interval between packets: 1 µs to about 71 minutes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Interval(NonZeroU32);

/// An interval that packets cannot carry.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("an interval of {0:?} does not fit: BFD has intervals of 1 µs to 4294.967295 s")]
pub struct IntervalError(pub Duration);

impl Interval {
    /// The interval of so many milliseconds; `None` for 0 and for what does not fit.
    pub fn from_millis(millis: u32) -> Option<Self> {
        NonZeroU32::new(millis.checked_mul(1000)?).map(Self)
    }

    /// In microseconds, as packets have it.
    pub const fn as_micros(self) -> u32 {
        self.0.get()
    }

    /// As a duration.
    pub const fn as_duration(self) -> Duration {
        micros(self.0.get())
    }

    /// At least as slow as a session that is not up must be.
    pub(super) fn slow(self) -> Self {
        NonZeroU32::new(SLOW).map_or(self, |slow| Self(self.0.max(slow)))
    }
}

impl TryFrom<Duration> for Interval {
    type Error = IntervalError;

    /// Parts of a microsecond are dropped.
    fn try_from(duration: Duration) -> Result<Self, IntervalError> {
        let micros = u32::try_from(duration.as_micros()).ok().and_then(NonZeroU32::new);
        micros.map(Self).ok_or(IntervalError(duration))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_duration())
    }
}

/// What is configured of a session's timing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timers {
    /// We would like to send this often while the session is up.
    pub desired_min_tx: Interval,
    /// We want to receive no more often than this.
    pub required_min_rx: Interval,
    /// The peer may miss one packet less than this before it gives the session up.
    pub multiplier: NonZeroU8,
}

/// So many microseconds.
pub(super) const fn micros(micros: u32) -> Duration {
    // Not `from`: this is const.
    Duration::from_micros(micros as u64)
}

/// Randomness from a seed: the same seed, the same packets at the same times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 32 bits.
    pub(super) fn next_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The time to the next packet: 75 to 100 % of the interval, and with a multiplier of one 75
    /// to 90 % of it, so that the only packet is never late (RFC 5880 section 6.8.7).
    pub(super) fn jitter(&mut self, interval: Duration, multiplier: NonZeroU8) -> Duration {
        let most: u64 = if multiplier.get() == 1 { 150 } else { 250 };
        let share = 750 + self.next() % (most + 1);
        let whole = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(whole.saturating_mul(share) / 1000)
    }
}
