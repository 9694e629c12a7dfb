//! Flap damping after RFC 2439: each change adds a penalty that decays with a half-life.
//!
//! Above `suppress` the service is held down; when the penalty has decayed to `reuse` it may come
//! back. Integer arithmetic only: the same inputs give the same decisions on every machine.

use core::time::Duration;

use crate::time::Instant;

/// The thresholds. Penalties are plain numbers, as in FRR and Cisco's `bgp dampening`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DampingConfig {
    /// Added at each change of health. Default 1000.
    pub penalty: u32,
    /// Held down when the penalty is above this. Default 5000: the sixth change in quick
    /// succession, as in the original.
    pub suppress: u32,
    /// Released when the penalty has decayed to this. Default 1000. Below `suppress`.
    pub reuse: u32,
    /// The time in which the penalty halves. Default 15 s. Not zero.
    pub half_life: Duration,
    /// The longest a service stays held after its last change. Default 10 min.
    pub max_suppress: Duration,
}

impl Default for DampingConfig {
    fn default() -> Self {
        Self {
            penalty: 1000,
            suppress: 5000,
            reuse: 1000,
            half_life: Duration::from_secs(15),
            max_suppress: Duration::from_secs(600),
        }
    }
}

/// Why damping values do not fit together.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DampingError {
    /// Nothing would ever be released, or everything would be held.
    #[error(
        "reuse {reuse} must be above 0 and below suppress {suppress}: for example 1000 and 5000"
    )]
    ReuseNotBelowSuppress {
        /// The reuse threshold.
        reuse: u32,
        /// The suppress threshold.
        suppress: u32,
    },
    /// A change must cost something.
    #[error("penalty must be above 0: to switch damping off, say so (--damping off)")]
    NoPenalty,
    /// Decay needs time.
    #[error("half-life must be above 0: for example 15s")]
    NoHalfLife,
    /// Within so short a hold no penalty above `suppress` decays to `reuse`: nothing is ever held.
    #[error(
        "max-suppress is too short: the penalty is kept so low that it never goes above suppress \
         {suppress}, and nothing is ever held; with this half-life make it at least {least_seconds}s"
    )]
    MaxSuppressTooShort {
        /// The suppress threshold.
        suppress: u32,
        /// Whole seconds that are long enough.
        least_seconds: u64,
    },
}

impl DampingConfig {
    /// Checks that the values fit together.
    ///
    /// # Errors
    /// Names the two values that contradict each other.
    pub fn validate(&self) -> Result<(), DampingError> {
        if self.reuse == 0 || self.reuse >= self.suppress {
            return Err(DampingError::ReuseNotBelowSuppress {
                reuse: self.reuse,
                suppress: self.suppress,
            });
        }
        if self.penalty == 0 {
            return Err(DampingError::NoPenalty);
        }
        if self.half_life.is_zero() {
            return Err(DampingError::NoHalfLife);
        }
        let suppress = u64::from(self.suppress) << 16;
        if ceiling(self) <= suppress {
            let just_above = Penalty { value: suppress + (1 << 16), at: Instant::START };
            let least = just_above.reuse_at(self).since(Instant::START);
            let least_seconds = least.as_secs() + 1;
            return Err(DampingError::MaxSuppressTooShort {
                suppress: self.suppress,
                least_seconds,
            });
        }
        Ok(())
    }
}

/// The penalty of one service: its value at one moment, from which the decay is computed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Penalty {
    /// Fixed point, 16 bits behind the point.
    value: u64,
    at: Instant,
}

impl Penalty {
    /// Counts one change.
    pub(crate) fn add(&mut self, config: &DampingConfig, now: Instant) {
        let added = u64::from(config.penalty) << 16;
        self.value = self.at_moment(config, now).saturating_add(added).min(ceiling(config));
        self.at = now;
    }

    /// From now on it decays by another configuration.
    pub(crate) fn rebase(&mut self, before: &DampingConfig, config: &DampingConfig, now: Instant) {
        self.value = self.at_moment(before, now).min(ceiling(config));
        self.at = now;
    }

    /// The penalty now, rounded down.
    pub(crate) fn current(&self, config: &DampingConfig, now: Instant) -> u64 {
        self.at_moment(config, now) >> 16
    }

    /// True when the penalty is above the suppress threshold.
    pub(crate) fn exceeds(&self, config: &DampingConfig, now: Instant) -> bool {
        self.at_moment(config, now) > u64::from(config.suppress) << 16
    }

    /// The first moment at which the penalty is at or below the reuse threshold.
    pub(crate) fn reuse_at(&self, config: &DampingConfig) -> Instant {
        let reuse = u64::from(config.reuse) << 16;
        // After 64 half-lives nothing is left of a 64-bit number.
        let (mut low, mut high) = (0u64, micros(config.half_life).saturating_mul(64));
        while low < high {
            let middle = low + (high - low) / 2;
            if decay(self.value, middle, config.half_life) <= reuse {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        self.at + Duration::from_micros(low)
    }

    fn at_moment(&self, config: &DampingConfig, now: Instant) -> u64 {
        decay(self.value, micros(now - self.at), config.half_life)
    }
}

/// The largest useful penalty: from here the decay to `reuse` takes `max_suppress`
/// (RFC 2439 section 4.2, "ceiling").
fn ceiling(config: &DampingConfig) -> u64 {
    let half_life = micros(config.half_life).max(1);
    let held = micros(config.max_suppress);
    let whole = u32::try_from(held / half_life).unwrap_or(u32::MAX);
    let reuse = u128::from(config.reuse) << 16;
    if whole >= 48 {
        return u64::MAX;
    }
    let factor = u128::from(fraction(held % half_life, half_life));
    let ceiling = (reuse << 32 << whole) / factor;
    u64::try_from(ceiling).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `value × 2^(−elapsed / half_life)`, rounded down.
fn decay(value: u64, elapsed: u64, half_life: Duration) -> u64 {
    let half_life = micros(half_life).max(1);
    let whole = elapsed / half_life;
    if whole >= 64 {
        return 0;
    }
    let scaled = u128::from(value) * u128::from(fraction(elapsed % half_life, half_life));
    u64::try_from(scaled >> 32 >> whole).unwrap_or(u64::MAX)
}

/// `2^(−part / whole) × 2^32` for `part < whole`: a table of 64 steps, straight lines between.
fn fraction(part: u64, whole: u64) -> u64 {
    let position = (u128::from(part) << 16) / u128::from(whole);
    let step = usize::try_from(position >> 10).unwrap_or(63).min(63);
    let within = u64::try_from(position & 1023).unwrap_or(0);
    let (high, low) = (DECAY[step], DECAY[step + 1]);
    high - (high - low) * within / 1024
}

/// `2^(−i / 64) × 2^32` for i in 0..=64.
const DECAY: [u64; 65] = {
    // 2^(−1/64) × 2^63.
    const STEP: u128 = 9_124_017_994_966_720_698;
    let mut table = [0; 65];
    let mut value: u128 = 1 << 63;
    let mut i = 0;
    while i < 65 {
        #[expect(clippy::cast_possible_truncation, reason = "63 bits minus 31 fit")]
        let entry = (value >> 31) as u64;
        table[i] = entry;
        value = (value * STEP) >> 63;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: DampingConfig = DampingConfig {
        penalty: 1000,
        suppress: 5000,
        reuse: 1000,
        half_life: Duration::from_secs(15),
        max_suppress: Duration::from_secs(600),
    };

    #[test]
    fn six_quick_changes_suppress_and_calm_releases() {
        let mut penalty = Penalty::default();
        for change in 0..6 {
            let now = Instant::from_millis(500 * change);
            assert!(!penalty.exceeds(&CONFIG, now), "before change {change}");
            penalty.add(&CONFIG, now);
        }
        let now = Instant::from_millis(2500);
        assert!(penalty.exceeds(&CONFIG, now));
        let reuse = penalty.reuse_at(&CONFIG);
        // 5 670 decays to 1 000 in log2(5.67) half-lives, about 37.5 s.
        assert_eq!((reuse - now).as_secs(), 37);
        assert!(penalty.current(&CONFIG, reuse) <= 1000);
        assert!(
            penalty.at_moment(&CONFIG, Instant::from_micros(reuse.as_micros() - 1)) > 1000 << 16
        );
    }

    #[test]
    fn five_changes_at_once_do_not_suppress() {
        let mut penalty = Penalty::default();
        for _ in 0..5 {
            penalty.add(&CONFIG, Instant::START);
        }
        assert!(!penalty.exceeds(&CONFIG, Instant::START));
    }

    #[test]
    fn halves_each_half_life() {
        for (secs, want) in [(0, 1000), (15, 500), (30, 250), (150, 0), (100_000, 0)] {
            let mut penalty = Penalty::default();
            penalty.add(&CONFIG, Instant::START);
            assert_eq!(penalty.current(&CONFIG, Instant::from_secs(secs)), want, "{secs} s");
        }
    }

    #[test]
    fn a_hold_too_short_for_the_threshold_is_refused() {
        for half_life in [1, 15, 100, 3600] {
            let config = |max_suppress| DampingConfig {
                half_life: Duration::from_secs(half_life),
                max_suppress: Duration::from_secs(max_suppress),
                ..CONFIG
            };
            let Err(DampingError::MaxSuppressTooShort { least_seconds, .. }) =
                config(half_life).validate()
            else {
                panic!("a hold of one half-life is too short for five times the reuse threshold");
            };
            assert_eq!(config(least_seconds).validate(), Ok(()));
            // What is accepted does hold.
            let mut penalty = Penalty::default();
            for _ in 0..6 {
                penalty.add(&config(least_seconds), Instant::START);
            }
            assert!(penalty.exceeds(&config(least_seconds), Instant::START));
        }
    }

    proptest! {
        #[test]
        fn decays_monotonically_and_is_never_held_too_long(
            changes in prop::collection::vec(0u64..5_000_000, 1..80),
            half_life in 1u64..100_000,
            max_suppress in 1u64..1_000_000,
        ) {
            let config = DampingConfig {
                half_life: Duration::from_millis(half_life),
                max_suppress: Duration::from_millis(max_suppress),
                ..CONFIG
            };
            let mut penalty = Penalty::default();
            let mut now = Instant::START;
            for wait in changes {
                now = now + Duration::from_micros(wait);
                let before = penalty.at_moment(&config, now);
                penalty.add(&config, now);
                prop_assert!(penalty.at_moment(&config, now) >= before.min(ceiling(&config)));
            }
            let mut last = u64::MAX;
            for step in 0..50 {
                let value = penalty.at_moment(&config, now + Duration::from_millis(step * 97));
                prop_assert!(value <= last);
                last = value;
            }
            // Interpolation errs by far less than a thousandth.
            let held = penalty.reuse_at(&config) - now;
            prop_assert!(held <= config.max_suppress + config.max_suppress / 1000 + Duration::from_micros(2));
        }
    }
}
