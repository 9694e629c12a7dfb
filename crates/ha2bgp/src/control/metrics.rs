//! `GET /metrics`: what is known of services and their checks, as OpenMetrics text.
//!
//! The engine is asked once a second at most, however many scrape: it answers from what it has, and
//! what that costs is a copy of its explanations.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use ha2bgp_core::check::{CheckState, MetricUnit, Outcome};
use ha2bgp_core::explain::{CheckExplanation, Explanation, ServiceExplanation};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::api::Refusal;
use super::questions::Questions;

/// What the text is (OpenMetrics 1.0, section "Overall structure").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For so long an answer counts.
const FRESH: Duration = Duration::from_secs(1);
/// The newest metrics.
#[derive(Debug)]
pub struct Metrics {
    engine: Questions,
    newest: RefCell<Option<(Instant, Vec<u8>)>>,
}

impl Metrics {
    /// Nothing is asked yet.
    pub const fn new(engine: Questions) -> Self {
        Self { engine, newest: RefCell::new(None) }
    }

    /// The text, a second old at most.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn text(&self) -> Result<Vec<u8>, Refusal> {
        if let Some((at, text)) = &*self.newest.borrow()
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let services = self.engine.all().await?;
        let text = encode(services).into_bytes();
        self.newest.replace(Some((Instant::now(), text.clone())));
        Ok(text)
    }
}

/// All metrics of these services.
fn encode(services: Vec<Explanation>) -> String {
    let mut registry = Registry::with_prefix("ha2bgp");
    registry.register_collector(Box::new(Snapshot(services)));
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = text::encode(&mut out, &registry);
    out
}

#[derive(Debug)]
struct Snapshot(Vec<Explanation>);

type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Snapshot {
    /// Every service with its labels.
    fn services(&self) -> impl Iterator<Item = (&Explanation, &ServiceExplanation, String)> {
        self.0
            .iter()
            .filter_map(|it| Some((it, it.service.as_ref()?, it.prefix.address().to_string())))
    }

    /// Calls `each` for every check of every service.
    fn checks(
        &self,
        each: &mut dyn FnMut(&Labels<'_>, &CheckExplanation) -> fmt::Result,
    ) -> fmt::Result {
        for (_, service, vip) in self.services() {
            for check in &service.checks {
                let labels =
                    vec![("service", &*service.name), ("vip", &vip), ("check", &check.name)];
                each(&labels, check)?;
            }
        }
        Ok(())
    }

    fn states(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 for the verdict that a check has now, 0 for the others";
        let mut family =
            encoder.encode_descriptor("check_verdict", help, None, MetricType::Gauge)?;
        self.checks(&mut |labels, check| {
            for outcome in Outcome::ALL {
                let labels = [labels.as_slice(), &[("verdict", outcome.name())]].concat();
                let is = i64::from(check.outcome == outcome);
                ConstGauge::new(is).encode(family.encode_family(&labels)?)?;
            }
            Ok(())
        })
    }

    fn results(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Results of probes";
        let mut family =
            encoder.encode_descriptor("check_results", help, None, MetricType::Counter)?;
        self.checks(&mut |labels, check| {
            let Some((state, _)) = &check.probe else { return Ok(()) };
            for (outcome, count) in Outcome::ALL.into_iter().zip(state.counts) {
                let labels = [labels.as_slice(), &[("outcome", outcome.name())]].concat();
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
            Ok(())
        })
    }

    /// What plugins and other probes have measured, a family for each unit.
    fn measured(&self, encoder: &mut DescriptorEncoder<'_>, wanted: MetricUnit) -> fmt::Result {
        let help = "What the newest probe has measured (performance data of plugins)";
        let (name, unit, kind) = match wanted {
            MetricUnit::Number => ("check_value", None, MetricType::Gauge),
            MetricUnit::Seconds => ("check_value", Some(Unit::Seconds), MetricType::Gauge),
            MetricUnit::Bytes => ("check_value", Some(Unit::Bytes), MetricType::Gauge),
            MetricUnit::Ratio => ("check_value", Some(Unit::Ratios), MetricType::Gauge),
            MetricUnit::Counter => ("check_value_counted", None, MetricType::Counter),
        };
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        self.checks(&mut |labels, check| {
            let Some((CheckState { last: Some((last, _)), .. }, _)) = &check.probe else {
                return Ok(());
            };
            for metric in last.more.iter().flat_map(|more| &more.metrics) {
                // The texts are finite numbers: whoever made them has seen to that.
                let Ok(value) = metric.value.parse::<f64>() else { continue };
                if metric.unit != wanted {
                    continue;
                }
                let labels = [labels.as_slice(), &[("label", &*metric.label)]].concat();
                let encoder = family.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value).encode(encoder)?,
                    _ => ConstGauge::new(value).encode(encoder)?,
                }
            }
            Ok(())
        })
    }

    fn services_of(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while the VIP is announced, else 0";
        let mut family =
            encoder.encode_descriptor("service_announced", help, None, MetricType::Gauge)?;
        for (all, service, vip) in self.services() {
            let labels: Labels<'_> = vec![("service", &*service.name), ("vip", &vip)];
            ConstGauge::new(i64::from(all.announced)).encode(family.encode_family(&labels)?)?;
        }
        let help = "How often checks without power (shadow) would have withdrawn it";
        let mut family = encoder.encode_descriptor(
            "service_would_have_withdrawn",
            help,
            None,
            MetricType::Counter,
        )?;
        for (_, service, vip) in self.services() {
            let labels: Labels<'_> = vec![("service", &*service.name), ("vip", &vip)];
            ConstCounter::new(service.shadow.1).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.services_of(&mut encoder)?;
        self.states(&mut encoder)?;
        self.results(&mut encoder)?;
        let units = [
            MetricUnit::Number,
            MetricUnit::Seconds,
            MetricUnit::Bytes,
            MetricUnit::Ratio,
            MetricUnit::Counter,
        ];
        units.into_iter().try_for_each(|unit| self.measured(&mut encoder, unit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Metric, More, ProbeResult};
    use ha2bgp_core::config::{CheckConfig, CheckKind, EngineConfig, ServiceConfig};
    use ha2bgp_core::engine::{Engine, Input};
    use ha2bgp_core::fact::Observation;
    use ha2bgp_core::net::Networks;
    use ha2bgp_core::rule::Rule;
    use ha2bgp_core::time::Instant;

    use super::*;

    /// One service with one check whose newest result has measured something.
    fn explained() -> Vec<Explanation> {
        let mut config = EngineConfig {
            networks: Networks::new(vec!["100.64.0.0/24".parse().unwrap()]),
            ..EngineConfig::default()
        };
        let kind = CheckKind::Probe { per_vip: true, counting: Counting::default() };
        config.add_check(CheckConfig { name: "disk".into(), kind, ..CheckConfig::listen() });
        config.services.push(ServiceConfig {
            name: "web \"1\"".into(),
            vips: vec!["100.64.0.10".parse().unwrap()],
            rule: Rule::Check(CheckIndex(2)),
            up_delay: Duration::ZERO,
            ..ServiceConfig::default()
        });
        let mut engine = Engine::new(config, Instant::START);
        let metric = |label: &str, value: &str, unit| Metric {
            label: label.into(),
            value: value.into(),
            unit,
        };
        let more = More {
            metrics: Box::new([
                metric("time", "0.25", MetricUnit::Seconds),
                metric("used", "1024", MetricUnit::Bytes),
                metric("hits", "7", MetricUnit::Counter),
            ]),
            ..More::default()
        };
        let mut result = ProbeResult::new(Outcome::Warn, "nearly full");
        result.more = Some(Arc::new(more));
        let check = CheckKey { check: CheckIndex(2), vip: Some("100.64.0.10".parse().unwrap()) };
        let input = Input::Observation(Observation::Probed { check, result });
        engine.handle(input, Instant::START);
        engine.explain_all(Instant::START).collect()
    }

    #[test]
    fn everything_is_there_and_never_absent() {
        let text = encode(explained());
        let labels = "service=\"web \\\"1\\\"\",vip=\"100.64.0.10\"";
        let check = format!("{labels},check=\"disk\"");
        for line in [
            format!("ha2bgp_service_announced{{{labels}}} 1"),
            format!("ha2bgp_service_would_have_withdrawn_total{{{labels}}} 0"),
            format!("ha2bgp_check_verdict{{{check},verdict=\"pass\"}} 0"),
            format!("ha2bgp_check_verdict{{{check},verdict=\"warn\"}} 1"),
            format!("ha2bgp_check_results_total{{{check},outcome=\"warn\"}} 1"),
            format!("ha2bgp_check_value_seconds{{{check},label=\"time\"}} 0.25"),
            format!("ha2bgp_check_value_bytes{{{check},label=\"used\"}} 1024.0"),
            format!("ha2bgp_check_value_counted_total{{{check},label=\"hits\"}} 7.0"),
            "# EOF".to_owned(),
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
