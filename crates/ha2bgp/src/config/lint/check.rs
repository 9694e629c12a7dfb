//! Of checks and times: what they come to together.

use std::time::Duration;

use ha2bgp_core::check::Outcome;
use ha2bgp_core::config::{CheckKind, OnFailure};

use super::super::duration;
use super::super::origin::Written;
use super::super::raw::CheckSection;
use super::super::settings::StateFile;
use super::view::{Check, Service, View};
use super::{Lint, Warning};
use crate::observe::check::ProbeSpec;

pub(super) const LONG_TIMEOUT: Lint = Lint {
    code: "long-timeout",
    about: "a probe whose timeout is longer than its interval",
    reason: "while nothing answers, probes come as slowly as the timeout, and a failure is noticed later \
             than `fall` and `interval` say",
};
pub(super) const ONE_PROBE: Lint = Lint {
    code: "one-probe",
    about: "`fall = 1` without a down delay",
    reason: "one lost packet withdraws the route",
};
pub(super) const SLOW_RESTART: Lint = Lint {
    code: "slow-restart",
    about: "checks that need longer after a start than routers keep the routes of a restart",
    reason: "every restart of ha2bgp is then an outage, although graceful restart is on",
};
pub(super) const LONG_DOWN_DELAY: Lint = Lint {
    code: "long-down-delay",
    about: "a down delay that is longer than the hold time of a peer",
    reason: "a service that fails attracts traffic longer than a host that dies",
};

/// Which part of the restart time End-of-RIB is kept back at most: three quarters, as routers count from
/// when they lost the session.
const KEPT_BACK: (u32, u32) = (3, 4);

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    for service in view.services() {
        for check in view.checks(service) {
            if matches!(check.spec.probe, ProbeSpec::Polled(_)) {
                timeout(&check, warnings);
                one_probe(service, &check, warnings);
            }
        }
    }
    restart(view, warnings);
    down_delay(view, warnings);
}

/// Where a key of a check was written, or the check where it was not.
fn at<'a>(section: &'a CheckSection, keys: &[&str]) -> &'a Written {
    keys.iter().find_map(|key| section.values.one(key)).unwrap_or(&section.name)
}

fn timeout(check: &Check<'_>, warnings: &mut Vec<Warning>) {
    let (timeout, interval) = (check.spec.timing.timeout, check.spec.timing.interval);
    let CheckKind::Probe { counting, .. } = &check.config.kind else { return };
    if timeout <= interval {
        return;
    }
    let message = format!(
        "the timeout {} is longer than the interval {}: without any answer \"{}\" needs {} to fail, not {}: \
         write a shorter timeout or a longer interval",
        duration::show(timeout),
        duration::show(interval),
        check.config.name,
        duration::show(timeout.saturating_mul(counting.fall)),
        duration::show(interval.saturating_mul(counting.fall)),
    );
    warnings.push(Warning::new(
        &LONG_TIMEOUT,
        at(check.section, &["timeout", "interval"]),
        message,
    ));
}

fn one_probe(service: Service<'_>, check: &Check<'_>, warnings: &mut Vec<Warning>) {
    let CheckKind::Probe { counting, .. } = &check.config.kind else { return };
    let decides = !check.config.shadow
        && check.config.powers.on_fail == Outcome::Fail
        && service.config.on_failure == OnFailure::Withdraw;
    if counting.fall > 1 || !service.config.down_delay.is_zero() || !decides {
        return;
    }
    let message = format!(
        "one failed probe of \"{}\" withdraws \"{}\", which has no down delay: write fall = 2 or more, or a \
         down-delay",
        check.config.name, service.config.name
    );
    warnings.push(Warning::new(&ONE_PROBE, at(check.section, &["fall"]), message));
}

/// How long a service may need after a start until its checks have said what they say.
fn first_verdict(view: &View<'_>, service: Service<'_>) -> Option<(Duration, String)> {
    let needed = view.checks(service).into_iter().filter_map(|check| {
        let CheckKind::Probe { counting, .. } = &check.config.kind else { return None };
        let timing = check.spec.timing;
        if check.config.shadow || timing.interval == Duration::MAX {
            return None;
        }
        let rest = timing.interval.saturating_mul(counting.rise.saturating_sub(1));
        Some((timing.splay.saturating_add(rest), check.config.name.to_string()))
    });
    needed.max_by_key(|(time, _)| *time)
}

fn restart(view: &View<'_>, warnings: &mut Vec<Warning>) {
    // With a state file what was up needs no up delay after a restart.
    let no_state = view.settings.state_file == StateFile::Off;
    let slowest = view.services().filter_map(|service| {
        let (probes, check) = first_verdict(view, service)?;
        let up = if no_state { service.config.up_delay } else { Duration::ZERO };
        Some((probes.saturating_add(up), check, service, up))
    });
    let Some((needed, check, service, up)) = slowest.max_by_key(|(needed, ..)| *needed) else {
        return;
    };
    for (section, peer) in view.peers() {
        let Some(restart) = peer.config.graceful_restart else { continue };
        let kept = restart.restart_time.saturating_mul(KEPT_BACK.0) / KEPT_BACK.1;
        if needed <= kept {
            continue;
        }
        let at = section.values.one("graceful-restart.restart-time");
        let at = at.or(section.values.one("address")).unwrap_or(&section.at);
        let delay = match up.is_zero() {
            true => String::new(),
            false => {
                format!(" (up-delay {} with it, as there is no state file)", duration::show(up))
            }
        };
        let message = format!(
            "after a restart \"{}\" of \"{}\" says nothing for {}{delay}, and {} keeps our routes {} of the \
             restart time {}: write a longer restart-time, or a smaller rise or interval",
            check,
            service.config.name,
            duration::show(needed),
            peer.config.peer,
            duration::show(kept),
            duration::show(restart.restart_time),
        );
        warnings.push(Warning::new(&SLOW_RESTART, at, message));
    }
}

fn down_delay(view: &View<'_>, warnings: &mut Vec<Warning>) {
    let holds = view.peers().map(|(_, peer)| peer).filter(|peer| !peer.config.hold_time.is_zero());
    let Some(peer) = holds.min_by_key(|peer| peer.config.hold_time) else { return };
    let hold = peer.config.hold_time;
    // What stays announced when it fails has no delay that matters.
    let withdrawn = view.services().filter(|it| it.config.on_failure == OnFailure::Withdraw);
    let own = withdrawn.filter_map(|service| {
        let at = service.section.section.values.one("down-delay")?;
        Some((at, service.config.down_delay))
    });
    let defaults = &view.settings.engine.defaults;
    let all = view.raw.values.one("down-delay").map(|at| (at, defaults.down_delay));
    let all = all.filter(|_| defaults.on_failure == OnFailure::Withdraw);
    for (at, delay) in own.chain(all).filter(|(_, delay)| *delay > hold) {
        let message = format!(
            "a service that fails is announced for {} more, longer than a host that dies (hold time {} with \
             {}): write a shorter down-delay",
            duration::show(delay),
            duration::show(hold),
            peer.config.peer
        );
        warnings.push(Warning::new(&LONG_DOWN_DELAY, at, message));
    }
}
