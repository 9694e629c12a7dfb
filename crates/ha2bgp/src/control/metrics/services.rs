//! Services and their checks.

use std::fmt;

use ha2bgp_core::Health;
use ha2bgp_core::check::{CheckState, MetricUnit, Outcome};
use ha2bgp_core::explain::{CheckExplanation, Explanation, ServiceExplanation};
use prometheus_client::encoding::DescriptorEncoder;

use super::family::{Family, family};
use super::measures::Measures;
use super::table::{self as t, Def, Is};

/// A service with its labels.
struct Line<'a> {
    all: &'a Explanation,
    service: &'a ServiceExplanation,
    vip: String,
}

impl Line<'_> {
    fn labels(&self) -> [&str; 2] {
        [&self.service.name, &self.vip]
    }
}

/// Writes everything of services.
pub(super) fn write(measures: &Measures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let lines = measures.services.iter().filter_map(|all| {
        let vip = all.prefix.address().to_string();
        Some(Line { all, service: all.service.as_ref()?, vip })
    });
    let lines: Vec<Line<'_>> = lines.collect();
    states(measures, &lines, encoder)?;
    family(encoder, &t::SERVICES_LEFT_OUT, |f| f.gauge(&[], measures.left_out))?;
    checks(measures, &lines, encoder)?;
    family(encoder, &t::CHECK_DURATION, |f| {
        let mut times = measures.check_times.iter();
        times.try_for_each(|it| f.histogram(&[&it.service, &it.check], &it.took))
    })?;
    for (def, unit) in [
        (&t::CHECK_VALUE, MetricUnit::Number),
        (&t::CHECK_VALUE_SECONDS, MetricUnit::Seconds),
        (&t::CHECK_VALUE_BYTES, MetricUnit::Bytes),
        (&t::CHECK_VALUE_RATIOS, MetricUnit::Ratio),
        (&t::CHECK_VALUE_COUNTED, MetricUnit::Counter),
    ] {
        measured(&lines, encoder, def, unit)?;
    }
    Ok(())
}

fn states(
    measures: &Measures,
    lines: &[Line<'_>],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut each = |def, write: &dyn Fn(&mut Family<'_>, &Line<'_>) -> fmt::Result| {
        family(encoder, def, |f| lines.iter().try_for_each(|line| write(f, line)))
    };
    each(&t::SERVICE_ANNOUNCED, &|f, it| f.is(&it.labels(), it.all.announced))?;
    each(&t::SERVICE_LAST_CHOICE, &|f, it| f.is(&it.labels(), it.service.last_choice))?;
    each(&t::SERVICE_HEALTH, &|f, it| {
        let [name, vip] = it.labels();
        [Health::Healthy, Health::Degraded, Health::Unhealthy, Health::Unknown]
            .into_iter()
            .try_for_each(|health| f.is(&[name, vip, health.name()], it.service.health == health))
    })?;
    each(&t::SERVICE_SINCE, &|f, it| f.gauge(&it.labels(), measures.seconds(it.service.since)))?;
    each(&t::SERVICE_TRANSITIONS, &|f, it| f.count(&it.labels(), it.service.transitions))?;
    each(&t::SERVICE_WOULD_HAVE_WITHDRAWN, &|f, it| f.count(&it.labels(), it.service.shadow.1))?;
    each(&t::SERVICE_PENALTY, &|f, it| f.gauge(&it.labels(), it.service.penalty))?;
    each(&t::SERVICE_SUPPRESSED, &|f, it| {
        f.is(&it.labels(), it.service.suppressed_until.is_some())
    })?;
    each(&t::SERVICE_HELD, &|f, it| f.is(&it.labels(), it.service.held.is_some()))?;
    each(&t::SERVICE_OVERRIDDEN, &|f, it| f.is(&it.labels(), !it.service.overrides.is_empty()))
}

/// Calls `write` for every check of every service.
fn each_check(
    lines: &[Line<'_>],
    mut write: impl FnMut([&str; 3], &CheckExplanation) -> fmt::Result,
) -> fmt::Result {
    for line in lines {
        let [name, vip] = line.labels();
        for check in &line.service.checks {
            write([name, vip, &check.name], check)?;
        }
    }
    Ok(())
}

fn checks(
    measures: &Measures,
    lines: &[Line<'_>],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    family(encoder, &t::CHECK_VERDICT, |f| {
        each_check(lines, |[name, vip, check], explained| {
            Outcome::ALL.into_iter().try_for_each(|outcome| {
                f.is(&[name, vip, check, outcome.name()], explained.outcome == outcome)
            })
        })
    })?;
    family(encoder, &t::CHECK_RESULTS, |f| {
        each_check(lines, |[name, vip, check], explained| {
            let Some((state, _)) = &explained.probe else { return Ok(()) };
            Outcome::ALL.into_iter().zip(state.counts).try_for_each(|(outcome, count)| {
                f.count(&[name, vip, check, outcome.name()], count)
            })
        })
    })?;
    family(encoder, &t::CHECK_LAST, |f| {
        each_check(lines, |labels, explained| match &explained.probe {
            Some((CheckState { last: Some((_, at)), .. }, _)) => {
                f.gauge(&labels, measures.seconds(*at))
            }
            _ => Ok(()),
        })
    })
}

/// What plugins and other probes have measured, a family for each unit.
fn measured(
    lines: &[Line<'_>],
    encoder: &mut DescriptorEncoder<'_>,
    def: &'static Def,
    wanted: MetricUnit,
) -> fmt::Result {
    family(encoder, def, |f| {
        each_check(lines, |[name, vip, check], explained| {
            let Some((CheckState { last: Some((last, _)), .. }, _)) = &explained.probe else {
                return Ok(());
            };
            let metrics = last.more.iter().flat_map(|more| &more.metrics);
            for metric in metrics.filter(|metric| metric.unit == wanted) {
                // The texts are finite numbers: whoever made them has seen to that.
                let Ok(value) = metric.value.parse::<f64>() else { continue };
                let labels = [name, vip, check, &metric.label];
                match def.is {
                    Is::Counter => f.count(&labels, value)?,
                    _ => f.gauge(&labels, value)?,
                }
            }
            Ok(())
        })
    })
}
