//! The screen of `ha2bgp status`: a line that says it all, the table, and what else there is to know.

use jiff::tz::TimeZone;

use crate::cli::screen::{
    BAD, Cell, Column, GOOD, PLAIN, QUIET, Screen, Table, WARNING, brief, clean, count, time,
};
use crate::cli::why::override_text;
use crate::control::api::service::ServiceShown;
use crate::control::api::status::StatusShown;

/// So many reasons are named in the first line.
const REASONS_SHOWN: usize = 3;
/// So many problems are shown.
const PROBLEMS_SHOWN: usize = 20;
/// So many overrides are shown.
const OVERRIDES_SHOWN: usize = 20;

/// What is shown.
pub(super) struct View<'a> {
    pub(super) status: &'a StatusShown,
    pub(super) services: &'a [ServiceShown],
    /// Not all services were asked for.
    pub(super) filtered: bool,
    pub(super) zone: &'a TimeZone,
}

impl View<'_> {
    /// All of it.
    pub(super) fn show(&self, screen: Screen) -> String {
        let mut lines = vec![self.summary(screen)];
        if !self.services.is_empty() {
            lines.push(self.table(screen));
        } else if self.filtered {
            lines.push(screen.fit("none of these services is there"));
        } else {
            lines
                .push("no service was found yet: does anything listen in the networks?".to_owned());
        }
        self.notes(&mut lines, screen);
        lines.join("\n")
    }

    fn summary(&self, screen: Screen) -> String {
        let StatusShown { services, .. } = self.status;
        let mut text = format!("{} of {} announced", services.announced, services.all);
        if services.last_choice > 0 {
            text.push_str(&format!(", {} as the last choice", services.last_choice));
        }
        if services.withdrawn > 0 {
            text.push_str(&format!("; {} not: {}", services.withdrawn, self.why_not()));
        }
        let peers = &self.status.peers.peers;
        text.push_str(&format!("; {}", clean(&self.status.backend)));
        if !peers.is_empty() {
            let up = peers.iter().filter(|peer| peer.is_up()).count();
            text.push_str(&format!(", {up} of {} up", count(peers.len(), "peer")));
        }
        let uptime = time(self.status.uptime_seconds);
        text.push_str(&format!("; runs for {uptime}, version {}", clean(&self.status.version)));
        let color = match () {
            () if services.withdrawn > services.overridden => BAD,
            () if services.withdrawn > 0 || services.last_choice > 0 => WARNING,
            () => GOOD,
        };
        screen.paint(color, &screen.wrap(&text, 2))
    }

    /// The most frequent reasons of what is not announced.
    fn why_not(&self) -> String {
        let mut reasons: Vec<(&String, &usize)> = self.status.withdrawn_by.iter().collect();
        reasons.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), *code));
        let more = reasons.len() > REASONS_SHOWN;
        let shown = reasons.into_iter().take(REASONS_SHOWN);
        let mut words: Vec<String> =
            shown.map(|(code, count)| format!("{count} {}", clean(code))).collect();
        if more {
            words.push("…".to_owned());
        }
        words.join(", ")
    }

    fn table(&self, screen: Screen) -> String {
        let mut table = Table::new(&[
            Column::flexible("SERVICE", 8),
            Column::whole("PREFIX"),
            Column::whole("STATE"),
            Column::number("SINCE"),
            Column::number("CHECKS"),
            Column::number("PEERS"),
            Column::flexible("WHY", 17),
        ]);
        for service in self.services {
            let (state, color) = match (service.announced, service.last_choice) {
                (true, false) => ("announced", GOOD),
                (true, true) => ("last choice", WARNING),
                (false, _) if service.overrides.is_empty() => ("withdrawn", BAD),
                (false, _) => ("withdrawn", WARNING),
            };
            let part = |good: usize, all: usize| {
                let color = if good < all { WARNING } else { PLAIN };
                Cell::new(color, if all == 0 { "-".to_owned() } else { format!("{good}/{all}") })
            };
            let name = if service.service.is_empty() { "-" } else { &service.service };
            table.row(vec![
                Cell::new(PLAIN, clean(name)),
                Cell::new(PLAIN, clean(address(&service.prefix))),
                Cell::new(color, state),
                Cell::new(PLAIN, brief(service.for_seconds)),
                part(service.checks_good, service.checks_all),
                part(service.peers_told, service.peers_all),
                Cell::new(
                    if service.reason == "healthy" { QUIET } else { PLAIN },
                    clean(&self.words(service)),
                ),
            ]);
        }
        table.show(screen)
    }

    /// Why, in a few words: the code first, then what it is about.
    fn words(&self, service: &ServiceShown) -> String {
        let mut text = service.reason.clone();
        let said = ["draining", "drained", "maintenance", "force-up", "force-down"];
        if said.contains(&service.reason.as_str()) {
            let over = |id: &u64| self.status.overrides.iter().find(|over| over.id == *id);
            if let Some(over) = service.overrides.iter().find_map(over) {
                text.push_str(&format!(" by {}: {}", over.author, over.reason));
            }
            return text;
        }
        if let Some(left) = service.damping_left_seconds.filter(|_| service.reason == "damping") {
            text.push_str(&format!(", {} left", brief(left)));
        } else if let Some(left) = service.delay_left_seconds {
            text.push_str(&format!(", {} left", brief(left)));
        }
        // Other codes say by themselves which check it is.
        let by_check = service.reason.starts_with("check-")
            || matches!(
                service.reason.as_str(),
                "down-delay" | "guard" | "depreferenced" | "absorbed"
            );
        if let Some(decider) = service.decider.as_ref().filter(|_| by_check) {
            text.push_str(&format!(": {decider}"));
            if let Some(detail) = &service.detail {
                text.push_str(&format!(": {detail}"));
            }
        }
        text
    }

    /// What is below the table.
    fn notes(&self, lines: &mut Vec<String>, screen: Screen) {
        let status = self.status;
        let mut add = |color: &str, text: String| {
            lines.push(screen.paint(color, &screen.wrap(&text, 2)));
        };
        if let Some(left) = status.stopping_seconds {
            add(WARNING, format!("ha2bgp stops: everything is withdrawn in {}", time(left)));
        }
        for over in status.overrides.iter().take(OVERRIDES_SHOWN) {
            add(WARNING, override_text(over, self.zone));
        }
        if let more @ 1.. = status.overrides.len().saturating_sub(OVERRIDES_SHOWN) {
            add(WARNING, format!("and {more} more: ha2bgp overrides"));
        }
        if let Some(guard) = &status.guard {
            if guard.held > 0 {
                let held = count(guard.held, "route");
                add(
                    WARNING,
                    format!(
                        "the guard holds {held} that checks would withdraw: it lets {} through in {}",
                        guard.count,
                        time(guard.per_seconds)
                    ),
                );
            } else if guard.room == 0 {
                add(WARNING, "the guard has no room: the next withdrawal is held".to_owned());
            }
        }
        if let Some(trial) = &status.trial {
            add(
                WARNING,
                format!(
                    "a configuration of {} is on trial: it goes in {} unless it is confirmed",
                    clean(&trial.author),
                    time(trial.left_seconds)
                ),
            );
        }
        if let Some(log) = status.log.as_ref().filter(|log| log.level != log.configured) {
            let more = log.left_seconds.map(|left| format!(", for {} more", time(left)));
            let why = log.reason.as_deref().filter(|it| !it.is_empty());
            let why = why.map(|it| format!(": {}", clean(it)));
            let by = log.author.as_deref().map(|it| format!(" ({})", clean(it)));
            let [more, why, by] = [more, why, by].map(Option::unwrap_or_default);
            let (level, configured) = (&log.level, &log.configured);
            add(WARNING, format!("the log has {level} instead of {configured}{more}{why}{by}"));
        }
        for problem in status.problems.iter().take(PROBLEMS_SHOWN) {
            add(BAD, format!("problem: {}", clean(&problem.text)));
        }
        if let more @ 1.. = status.problems.len().saturating_sub(PROBLEMS_SHOWN) {
            add(BAD, format!("and {}: --json has all", count(more, "more problem")));
        }
    }
}

/// The address of a host route, without its length.
fn address(prefix: &str) -> &str {
    let host = if prefix.contains(':') { "/128" } else { "/32" };
    prefix.strip_suffix(host).unwrap_or(prefix)
}

#[cfg(test)]
mod tests {
    use ha2bgp_core::reason::Reason;

    use super::*;
    use crate::cli::screen::assert_screens;
    use crate::cli::why::stage::{VIP, of};
    use crate::control::api::peer::{PeerShown, PeersShown};
    use crate::control::api::status::{Counts, GuardShown, ProblemShown, TrialShown};
    use crate::control::level::LevelShown;
    use crate::control::read::service;

    fn services() -> Vec<ServiceShown> {
        let service_of = |reason: Reason| {
            let (stage, address) = of(reason);
            let scene = stage.scene();
            let prefix = ha2bgp_core::net::Prefix::host(address.parse().unwrap());
            let mut shown = service(&scene, &stage.engine.explain(prefix, scene.now)).unwrap();
            (shown.peers_told, shown.peers_all) = (2, 2);
            shown
        };
        let mut services: Vec<ServiceShown> = Reason::ALL
            .into_iter()
            .filter(|reason| {
                !matches!(
                    reason,
                    Reason::OutsideNetworks | Reason::NeverAnnounced | Reason::NotDiscovered
                )
            })
            .map(service_of)
            .collect();
        assert!(services.iter().all(|service| service.prefix == format!("{VIP}/32")));
        services[1].service = String::new();
        services[2].service = "a-service-with-a-long-name".to_owned();
        services[2].prefix = "2001:db8:100::10/128".to_owned();
        services[3].peers_told = 1;
        services
    }

    fn status() -> StatusShown {
        let (stage, _) = of(Reason::Maintenance);
        let peer = |peer: &str, state: &str| PeerShown {
            peer: peer.to_owned(),
            state: Some(state.to_owned()),
            ..PeerShown::default()
        };
        StatusShown {
            version: "0.1.0".to_owned(),
            uptime_seconds: 3700.0,
            backend: "speaker".to_owned(),
            services: Counts {
                all: 24,
                announced: 8,
                last_choice: 2,
                withdrawn: 16,
                overridden: 3,
            },
            withdrawn_by: [("check-failed", 7), ("no-listener", 4), ("damping", 2)]
                .into_iter()
                .chain([("maintenance", 3)])
                .map(|(code, count)| (code.to_owned(), count))
                .collect(),
            peers: PeersShown {
                peers: vec![peer("10.0.0.1", "Established"), peer("10.0.0.2", "Active")],
                ..PeersShown::default()
            },
            overrides: stage.scene().overrides,
            guard: Some(GuardShown {
                count: 5,
                per_seconds: 60.0,
                held: 1,
                ..GuardShown::default()
            }),
            trial: Some(TrialShown { left_seconds: 42.0, author: "anna".to_owned() }),
            log: Some(LevelShown {
                level: "debug".to_owned(),
                configured: "info".to_owned(),
                left_seconds: Some(540.0),
                author: Some("anna".to_owned()),
                reason: Some("ticket 42".to_owned()),
                saved: true,
            }),
            problems: vec![ProblemShown {
                code: "peer".to_owned(),
                text: "peer 10.0.0.2: the session is Active: Connection refused (os error 111)"
                    .to_owned(),
            }],
            ..StatusShown::default()
        }
    }

    #[test]
    fn the_table_fits() {
        let (status, services) = (status(), services());
        let view =
            View { status: &status, services: &services, filtered: false, zone: &TimeZone::UTC };
        assert_screens("status", |screen| view.show(screen));
        // What is for other programs is not cut.
        let text = view.show(Screen { width: None, color: false });
        assert!(text.contains("no database: connection refused"), "{text}");
        let colored = view.show(Screen { width: Some(80), color: true });
        assert!(colored.contains("\x1b[32mannounced\x1b[0m"), "{colored}");
        assert!(colored.contains("\x1b[31mwithdrawn\x1b[0m"), "{colored}");
    }

    /// The screens of docs/commands.md are those that the program makes.
    #[test]
    fn the_guide_has_real_screens() {
        let named = |at: usize, name: &str, vip: &str| ServiceShown {
            service: name.to_owned(),
            prefix: vip.to_owned(),
            ..services().swap_remove(at)
        };
        let some = [
            named(0, "web", "100.64.0.10/32"),
            named(11, "mail", "100.64.0.25/32"),
            named(19, "dns", "100.64.0.53/32"),
            named(2, "dns", "2001:db8:100::53/128"),
        ];
        let counts = Counts { all: 4, announced: 1, withdrawn: 3, overridden: 1, last_choice: 0 };
        let reasons = ["check-failed", "maintenance", "up-delay"];
        let status = StatusShown {
            services: counts,
            withdrawn_by: reasons.into_iter().map(|code| (code.to_owned(), 1)).collect(),
            guard: None,
            trial: None,
            log: None,
            ..status()
        };
        let view = View { status: &status, services: &some, filtered: false, zone: &TimeZone::UTC };
        assert_screens("status-guide", |screen| view.show(screen));
        let guide = include_str!("../../../../../docs/commands.md");
        for screen in [
            include_str!("../../../tests/screens/status-guide-80.txt"),
            include_str!("../../../tests/screens/why-guard-80.txt"),
            include_str!("../../../tests/screens/why-not-discovered-80.txt"),
            include_str!("../../../tests/screens/peers-80.txt"),
        ] {
            assert!(guide.contains(screen), "docs/commands.md has not:\n{screen}");
        }
    }

    #[test]
    fn when_all_is_well_it_is_short() {
        let counts = Counts { all: 1, announced: 1, ..Counts::default() };
        let status = StatusShown {
            services: counts,
            overrides: Vec::new(),
            guard: None,
            trial: None,
            log: None,
            problems: Vec::new(),
            ..status()
        };
        let services = &services()[..1];
        let view = View { status: &status, services, filtered: false, zone: &TimeZone::UTC };
        assert_screens("status-good", |screen| view.show(screen));
        let view = View { services: &[], ..view };
        assert_screens("status-nothing", |screen| view.show(screen));
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal() {
        let evil = "\x1b]0;evil\x07\u{202e}".to_owned();
        let (mut status, mut services) = (status(), services());
        services[0].service.clone_from(&evil);
        services[0].reason = "check-failed".to_owned();
        services[0].detail = Some(evil.clone());
        services[0].decider = Some(evil.clone());
        status.overrides[0].reason.clone_from(&evil);
        status.problems[0].text.clone_from(&evil);
        if let Some(log) = &mut status.log {
            (log.author, log.reason) = (Some(evil.clone()), Some(evil.clone()));
        }
        status.trial = Some(TrialShown { left_seconds: 1.0, author: evil });
        let view =
            View { status: &status, services: &services, filtered: false, zone: &TimeZone::UTC };
        let text = view.show(Screen { width: None, color: false });
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
        // A name, a check, its detail, an override in five rows and below, a problem, an author, the log.
        assert_eq!(text.matches("evil").count(), 13, "{text}");
    }
}
