//! Samples of a bench: percentiles, one line of summary, a file for whoever wants to look closer.

use crate::{LabError, Result};
use std::path::Path;
use std::time::Duration;

/// The sample below which so many percent of all lie; zero without samples.
#[must_use]
pub fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Count, p50, p99 and maximum.
#[must_use]
pub fn summary(name: &str, samples: &[Duration]) -> String {
    let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(samples, percent));
    format!("{name}: n {}, p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}", samples.len())
}

/// The median, and the smallest and the largest.
#[must_use]
pub fn range(name: &str, samples: &[Duration]) -> String {
    let [min, p50, max] = [0, 50, 100].map(|percent| percentile(samples, percent));
    format!("{name}: {p50:.1?} ({min:.1?} to {max:.1?}, n {})", samples.len())
}

/// How many times longer the median of `slow` is.
#[must_use]
pub fn ratio(slow: &[Duration], fast: &[Duration], percent: usize) -> f64 {
    let fast = percentile(fast, percent).max(Duration::from_nanos(1));
    percentile(slow, percent).div_duration_f64(fast)
}

/// Writes them as a table of two columns.
pub fn save(path: &Path, samples: &[Duration]) -> Result<()> {
    let mut text = String::from("run,nanoseconds\n");
    for (run, sample) in samples.iter().enumerate() {
        text.push_str(&format!("{run},{}\n", sample.as_nanos()));
    }
    std::fs::write(path, text).map_err(LabError::io(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&samples, 0), Duration::from_millis(1));
        assert_eq!(percentile(&samples, 50), Duration::from_millis(100));
        assert_eq!(percentile(&samples, 99), Duration::from_millis(198));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
