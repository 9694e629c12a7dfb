//! What another configuration would change, part by part, in the words of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::{EngineConfig, ServiceConfig};
use ha2bgp_core::engine::{Engine, PlannedChange};
use ha2bgp_core::reason::Reason;
use ha2bgp_core::route::Route;
use ha2bgp_core::time::Instant;

use super::output;
use super::state::Beginning;
use crate::announce::speaker::{self, Effect};
use crate::config::bfd;
use crate::config::carry::carry_over;
use crate::config::peer::PeerSettings;
use crate::config::settings::Settings;
use crate::control::orders::{Planned, PlannedPart, PlannedRoute};

/// So many routes are named; the others are counted.
pub(super) const ROUTES_MAX: usize = 10_000;

/// The settings that would count now, and what of the new ones would only count after a restart.
pub(super) fn effective(old: &Settings, new: Settings) -> (Settings, Vec<String>) {
    // All of them by name: whoever adds one says here what becomes of it.
    let Settings {
        // These count at once,
        engine: _,
        checks: _,
        test_mode: _,
        listen_filter: _,
        protocols: _,
        speaker: _,
        bfd: _,
        control: _,
        watched_files: _,
        drain_settle: _,
        in_force: _,
        // and these stay.
        doorbell: _,
        backend: _,
        exabgp_api: _,
        exabgp_group: _,
        exabgp_last_choice: _,
        exabgp_drain: _,
        reassert: _,
        state_file: _,
        status: _,
        history: _,
        overrides_file: _,
        record: _,
        log: _,
    } = old;
    let mut then = new;
    let mut restart = Vec::new();
    if then.backend != old.backend {
        // What is said of routes and peers belongs to the output, which stays.
        then.speaker.clone_from(&old.speaker);
        then.bfd.sessions = bfd::sessions(then.speaker.as_ref(), &then.checks).0;
        then.engine.next_hop = old.engine.next_hop;
        then.exabgp_last_choice.clone_from(&old.exabgp_last_choice);
    }
    macro_rules! stays {
        ($($name:literal: $($field:ident).+),* $(,)?) => {$(
            if then.$($field).+ != old.$($field).+ {
                restart.push($name.to_owned());
                then.$($field).+ = old.$($field).+.clone();
            }
        )*};
    }
    stays!(
        "bgp-backend": backend,
        "state-file": state_file,
        "overrides-file": overrides_file,
        "record": record,
        "history": history,
        "status files": status,
        "doorbell": doorbell,
        "exabgp-api": exabgp_api,
        "exabgp-group": exabgp_group,
        "last-choice of ExaBGP": exabgp_last_choice,
        "drain of ExaBGP": exabgp_drain,
        "reassert": reassert,
        "limits": checks.limits,
        "bfd.realtime": bfd.real_time,
        "log": log,
    );
    carry_over(old, &mut then);
    (then, restart)
}

/// What it would change.
pub(super) fn plan(
    engine: &Engine,
    old: &Settings,
    then: &Settings,
    restart: Vec<String>,
    now: Instant,
) -> Planned {
    let changes = engine.plan(then.engine.clone(), now);
    let gone = changes.iter().filter(|it| is_lost(it)).count();
    let room = engine.explain_guard(now).room.unwrap_or(usize::MAX);
    let mut routes: Vec<PlannedRoute> = changes.iter().map(|it| route(it, now)).collect();
    // What is lost comes first, whatever is left out.
    routes.sort_by_key(|route| match route.change.as_str() {
        "withdraw" => 0,
        "change" => 1,
        _ => 2,
    });
    let count = |change: &str| routes.iter().filter(|route| route.change == change).count();
    let (announce, withdraw, change) = (count("announce"), count("withdraw"), count("change"));
    let left_out = routes.len().saturating_sub(ROUTES_MAX);
    routes.truncate(ROUTES_MAX);
    let mut other = Vec::new();
    let mut differs = |what: &str, differs: bool| {
        if differs {
            other.push(what.to_owned());
        }
    };
    let (a, b) = (&old.engine, &then.engine);
    differs("networks", !a.networks.iter().eq(b.networks.iter()));
    differs("next-hop", a.next_hop != b.next_hop);
    differs("devices", a.devices != b.devices);
    differs("labels", a.labels != b.labels);
    differs("require-all-ports", a.require_all_ports != b.require_all_ports);
    differs("guard", a.guard != b.guard);
    differs("listen-filter", old.listen_filter.text != then.listen_filter.text);
    differs("control", old.control != then.control);
    differs("protocols", old.protocols != then.protocols);
    let (c, d) = (old.speaker.as_ref(), then.speaker.as_ref());
    differs("listen", c.map(|it| &it.listen) != d.map(|it| &it.listen));
    differs("watch-config", old.watched_files != then.watched_files);
    differs("bfd", old.bfd.sessions != then.bfd.sessions);
    differs("drain-time", c.map(|it| it.drain_time) != d.map(|it| it.drain_time));
    differs("drain-settle", old.drain_settle != then.drain_settle);
    Planned {
        announce,
        withdraw,
        change,
        routes,
        left_out,
        services: services(a, b),
        checks: checks(old, then),
        peers: peers(old, then),
        other,
        restart,
        beyond_guard: gone.saturating_sub(room),
        confirm_seconds: None,
    }
}

/// Whether a route goes, or would go if the guard did not hold it.
fn is_lost(change: &PlannedChange) -> bool {
    let held = change.reason == Reason::Guard && change.before.is_some_and(|it| !it.last_choice);
    (change.before.is_some() && change.after.is_none()) || held
}

fn route(change: &PlannedChange, now: Instant) -> PlannedRoute {
    let show = |route: Option<Route>| {
        route.map(|it| if it.last_choice { "last-choice" } else { "announced" }.to_owned())
    };
    PlannedRoute {
        prefix: change.prefix.to_string(),
        change: match (change.before, change.after) {
            (None, _) => "announce",
            (_, None) => "withdraw",
            _ => "change",
        }
        .to_owned(),
        before: show(change.before),
        after: show(change.after),
        in_seconds: change.at.map(|at| at.since(now).as_secs_f64()),
        reason: change.reason.code().to_owned(),
    }
}

fn part(name: impl Into<String>, change: &str, detail: impl Into<String>) -> PlannedPart {
    PlannedPart { name: name.into(), change: change.to_owned(), detail: detail.into() }
}

/// Of every name that one of both has: what becomes of it.
fn each<T>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    change: impl Fn(&T, &T) -> Option<(&'static str, String)>,
) -> Vec<PlannedPart> {
    let mut parts = Vec::new();
    for (name, old) in before {
        match after.get(name) {
            None => parts.push(part(name, "remove", "")),
            Some(new) => {
                parts.extend(change(old, new).map(|(change, detail)| part(name, change, detail)));
            }
        }
    }
    let added = after.keys().filter(|name| !before.contains_key(*name));
    parts.extend(added.map(|name| part(name, "add", "")));
    parts
}

fn services(before: &EngineConfig, after: &EngineConfig) -> Vec<PlannedPart> {
    let named = |engine: &EngineConfig| {
        let all = engine.services.iter().cloned().map(|it| (it.name.to_string(), it));
        let defaults = ("defaults".to_owned(), engine.defaults.clone());
        all.chain([defaults]).collect::<BTreeMap<String, ServiceConfig>>()
    };
    each(&named(before), &named(after), |old, new| {
        let mut what = Vec::new();
        let mut differs = |name: &'static str, differs: bool| {
            if differs {
                what.push(name);
            }
        };
        differs("vips", old.vips != new.vips);
        differs("networks", old.networks != new.networks);
        differs("rule", old.rule != new.rule);
        differs("up-delay", old.up_delay != new.up_delay);
        differs("down-delay", old.down_delay != new.down_delay);
        differs("damping", old.damping != new.damping);
        differs("on-warn", old.warn_depreferences != new.warn_depreferences);
        differs("on-failure", old.on_failure != new.on_failure);
        (!what.is_empty()).then(|| ("change", what.join(", ")))
    })
}

/// Peers by their addresses.
fn peers(old: &Settings, new: &Settings) -> Vec<PlannedPart> {
    let named = |settings: &Settings| {
        let peers = settings.speaker.as_ref().map_or(&[][..], |speaker| &speaker.peers).iter();
        let named = peers.map(|peer| (peer.config.peer.to_string(), peer.clone()));
        named.collect::<BTreeMap<String, PeerSettings>>()
    };
    let told = |peer: &PeerSettings| output::peer(peer, &Beginning::default());
    each(&named(old), &named(new), |a, b| {
        let change = speaker::change(&told(a), &told(b));
        match change.effect() {
            Effect::Untouched if a.description == b.description => None,
            Effect::Untouched => Some(("change", "description".to_owned())),
            Effect::Key | Effect::Live => Some(("change", change.to_string())),
            Effect::Session => Some(("restart", change.to_string())),
        }
    })
}

/// Checks by what people call them. One whose number is another starts anew.
fn checks(old: &Settings, new: &Settings) -> Vec<PlannedPart> {
    let named = |engine: &EngineConfig| {
        let mut names: BTreeMap<String, CheckIndex> = BTreeMap::new();
        for service in std::iter::once(&engine.defaults).chain(&engine.services) {
            service.rule.for_each(&mut |index| {
                let Some(check) = engine.checks.get(index) else { return };
                let own = !["listen", "address"].contains(&&*check.name) || index.0 > 1;
                if own {
                    let service = Arc::clone(&service.name);
                    names.insert(format!("{service}/{}", check.name), *index);
                }
            });
        }
        names
    };
    each(&named(&old.engine), &named(&new.engine), |a, b| {
        let config = |settings: &Settings, index| settings.engine.checks.get(index).cloned();
        if a != b {
            return Some(("restart", "it starts anew".to_owned()));
        }
        let (before, after) = (config(old, a), config(new, b));
        (before != after).then(|| ("change", "what its verdict is worth".to_owned()))
    })
}
