//! From a line of the table to the text.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::registry::Unit;

use super::table::{Def, In, Is};
use crate::histogram::Histogram;

/// One family that is being written.
pub(super) struct Family<'a> {
    def: &'static Def,
    encoder: MetricEncoder<'a>,
}

/// Writes a family: its head, and what `samples` adds.
pub(super) fn family(
    encoder: &mut DescriptorEncoder<'_>,
    def: &'static Def,
    samples: impl FnOnce(&mut Family<'_>) -> fmt::Result,
) -> fmt::Result {
    let unit = match def.unit {
        In::Nothing => None,
        In::Seconds => Some(Unit::Seconds),
        In::Bytes => Some(Unit::Bytes),
        In::Ratios => Some(Unit::Ratios),
    };
    let encoder =
        encoder.encode_descriptor(def.name, def.help, unit.as_ref(), def.is.metric_type())?;
    samples(&mut Family { def, encoder })
}

impl Family<'_> {
    /// Writes one sample, or one histogram, with these labels, in the order of the table.
    fn write(
        &mut self,
        is: Is,
        values: &[&str],
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let Def { name, labels, .. } = self.def;
        debug_assert_eq!((self.def.is, labels.len()), (is, values.len()), "{name}");
        let labels: Vec<_> = labels.iter().copied().zip(values.iter().copied()).collect();
        if labels.is_empty() {
            return write(&mut self.encoder);
        }
        write(&mut self.encoder.encode_family(&labels)?)
    }

    /// Writes a sample of a gauge.
    pub(super) fn gauge(&mut self, values: &[&str], value: impl EncodeGaugeValue) -> fmt::Result {
        self.write(Is::Gauge, values, |encoder| encoder.encode_gauge(&value))
    }

    /// Writes a gauge that is 0 or 1.
    pub(super) fn is(&mut self, values: &[&str], value: bool) -> fmt::Result {
        self.gauge(values, i64::from(value))
    }

    /// Writes a sample of a counter.
    pub(super) fn count(&mut self, values: &[&str], value: impl EncodeCounterValue) -> fmt::Result {
        self.write(Is::Counter, values, |encoder| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// Writes an info.
    pub(super) fn info(&mut self, values: &[&str]) -> fmt::Result {
        let Def { is, name, labels, .. } = self.def;
        debug_assert_eq!((*is, labels.len()), (Is::Info, values.len()), "{name}");
        let labels: Vec<_> = labels.iter().copied().zip(values.iter().copied()).collect();
        self.encoder.encode_info(&labels)
    }

    /// Writes a histogram.
    pub(super) fn histogram(&mut self, values: &[&str], histogram: &Histogram) -> fmt::Result {
        let mut before = 0;
        let bucket = |(bound, sum): (Option<std::time::Duration>, u64)| {
            let count = sum.saturating_sub(std::mem::replace(&mut before, sum));
            (bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64()), count)
        };
        let buckets: Vec<(f64, u64)> = histogram.cumulative().map(bucket).collect();
        let (sum, count) = (histogram.sum().as_secs_f64(), histogram.count());
        self.write(Is::Histogram, values, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }
}
