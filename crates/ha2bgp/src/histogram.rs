//! How long something takes, counted in fixed buckets: plain numbers, nothing is allocated.

use std::time::Duration;

/// Upper bounds of the buckets in microseconds, from 10 µs to 10 s; what is longer has a bucket of
/// its own.
const BOUNDS: [u64; 19] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// What was counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    /// Of all durations, in microseconds.
    sum: u64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(micros);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How long all of them took together.
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// Each bucket's upper bound, none for the last one, with how many did not take longer: as
    /// OpenMetrics has it.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = BOUNDS.iter().map(|bound| Some(Duration::from_micros(*bound)));
        let counts = self.counts.iter().scan(0_u64, |sum, count| {
            *sum = sum.saturating_add(*count);
            Some(*sum)
        });
        bounds.chain([None]).zip(counts)
    }

    /// The bound that so many of a thousand did not exceed; none when nothing was counted, or when
    /// that is longer than the largest bound.
    pub fn at_most(&self, of_thousand: u64) -> Option<Duration> {
        let count = u128::from(self.count());
        let enough =
            |sum: u64| count > 0 && u128::from(sum) * 1000 >= count * u128::from(of_thousand);
        self.cumulative().find(|(_, sum)| enough(*sum)).and_then(|(bound, _)| bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_has_one_bucket() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.count(), histogram.sum()), (0, Duration::ZERO));
        assert_eq!(histogram.at_most(500), None);
        let micros = [0, 10, 11, 20, 999, 1000, 10_000_000, 10_000_001];
        micros.iter().for_each(|it| histogram.record(Duration::from_micros(*it)));
        assert_eq!(histogram.count(), 8);
        assert_eq!(histogram.sum(), Duration::from_micros(micros.iter().sum()));
        let counts: Vec<_> = histogram.cumulative().collect();
        assert_eq!(counts.len(), 20);
        let at = |bound: Option<u64>| {
            let bound = bound.map(Duration::from_micros);
            counts.iter().find(|(it, _)| *it == bound).map(|(_, count)| *count)
        };
        assert_eq!(at(Some(10)), Some(2));
        assert_eq!(at(Some(20)), Some(4));
        assert_eq!(at(Some(500)), Some(4));
        assert_eq!(at(Some(1000)), Some(6));
        assert_eq!(at(Some(10_000_000)), Some(7));
        assert_eq!(at(None), Some(8));
        assert!(counts.is_sorted_by_key(|(_, count)| *count));
        assert_eq!(histogram.at_most(250), Some(Duration::from_micros(10)));
        assert_eq!(histogram.at_most(500), Some(Duration::from_micros(20)));
        assert_eq!(histogram.at_most(1000), None, "one took longer than all bounds");
        histogram.record(Duration::MAX);
        assert_eq!(histogram.sum(), Duration::from_micros(u64::MAX));
    }
}
