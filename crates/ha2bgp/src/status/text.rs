//! The text: a line for each service, `PREFIX STATE SINCE REASON NAME`, in columns.

use std::fmt::Write as _;

use ha2bgp_core::explain::Explanation;
use ha2bgp_core::time::Instant;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// When a text is made, on both clocks.
#[derive(Clone, Debug)]
pub struct Moment {
    /// For the engine.
    pub now: Instant,
    /// For people.
    pub at: Timestamp,
    /// Their time zone.
    pub zone: TimeZone,
}

impl Moment {
    /// This one.
    pub fn now(clock: Clock) -> Self {
        Self { now: clock.now(), at: Timestamp::now(), zone: TimeZone::system() }
    }

    /// A moment of the engine as people write it.
    fn show(&self, moment: Instant) -> String {
        let ago = SignedDuration::try_from(self.now.since(moment)).unwrap_or_default();
        let at = self.at.checked_sub(ago).unwrap_or(self.at);
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// The status of these services.
pub fn status(services: &[Explanation], moment: &Moment) -> String {
    let announced = services.iter().filter(|service| service.announced).count();
    let mut text = String::with_capacity(128 + 100 * services.len());
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "# ha2bgp {} {}: {} services, {announced} announced\n# prefix state since reason name",
        env!("CARGO_PKG_VERSION"),
        moment.show(moment.now),
        services.len(),
    );
    for explanation in services {
        line(&mut text, explanation, moment);
    }
    text.push_str("# end\n");
    text
}

fn line(text: &mut String, explanation: &Explanation, moment: &Moment) {
    let Some(service) = &explanation.service else { return };
    let state = match (explanation.announced, service.last_choice) {
        (true, false) => "announced",
        (true, true) => "last-choice",
        (false, _) => "withdrawn",
    };
    let since = moment.show(service.since);
    let name = if service.name.is_empty() { "-" } else { &*service.name };
    let (prefix, reason) = (explanation.prefix.to_string(), explanation.reason.code());
    let _ = writeln!(text, "{prefix:<18} {state:<11} {since} {reason:<17} {name}");
}

/// The text that is left when the program ends.
pub fn ended(moment: &Moment) -> String {
    let at = moment.show(moment.now);
    format!("# ha2bgp {} {at}: it has ended\n# end\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
pub(super) mod tests {
    use ha2bgp_core::config::{EngineConfig, ServiceConfig};
    use ha2bgp_core::engine::Engine;
    use ha2bgp_core::net::Networks;

    use super::*;

    /// Services that nothing listens on yet.
    pub(in super::super) fn engine() -> Engine {
        let networks = ["100.64.0.0/24", "2001:db8::/64"].map(|net| net.parse().unwrap());
        let service = |name: &str, vip: &str| ServiceConfig {
            name: name.into(),
            vips: vec![vip.parse().unwrap()],
            ..ServiceConfig::default()
        };
        let config = EngineConfig {
            networks: Networks::new(networks.to_vec()),
            services: vec![service("web", "100.64.0.10"), service("dns", "2001:db8::53")],
            ..EngineConfig::default()
        };
        Engine::new(config, Instant::START)
    }

    pub(in super::super) fn moment(now: Instant) -> Moment {
        let at = "2026-11-26T15:00:00Z".parse().unwrap();
        Moment { now, at, zone: TimeZone::fixed(jiff::tz::offset(1)) }
    }

    #[test]
    fn a_line_for_each_service() {
        let now = Instant::from_secs(90);
        let mut services: Vec<Explanation> = engine().explain_all(now).collect();
        services[0].announced = true;
        let version = env!("CARGO_PKG_VERSION");
        let want = format!(
            "# ha2bgp {version} 2026-11-26T16:00:00+01:00: 2 services, 1 announced\n\
             # prefix state since reason name\n\
             100.64.0.10/32     announced   2026-11-26T15:58:30+01:00 starting          web\n\
             2001:db8::53/128   withdrawn   2026-11-26T15:58:30+01:00 starting          dns\n\
             # end\n"
        );
        assert_eq!(status(&services, &moment(now)), want);
        let service = services[0].service.as_mut().unwrap();
        (service.last_choice, service.name) = (true, "".into());
        let text = status(&services, &moment(now));
        let line = text.lines().nth(2).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words[4], words.len()), ("last-choice", "-", 5));
        let want = format!("# ha2bgp {version} 2026-11-26T16:00:00+01:00: it has ended\n# end\n");
        assert_eq!(ended(&moment(now)), want);
    }
}
