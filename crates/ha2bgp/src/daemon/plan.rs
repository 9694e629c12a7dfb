//! What another configuration would change, part by part, in the words of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::{EngineConfig, ServiceConfig};
use ha2bgp_core::engine::{Engine, PlannedChange};
use ha2bgp_core::route::Route;
use ha2bgp_core::time::Instant;

use crate::config::carry::carry_over;
use crate::config::settings::Settings;
use crate::control::orders::{Planned, PlannedPart, PlannedRoute};

/// The settings that would count now, and what of the new ones would only count after a restart.
pub(super) fn effective(old: &Settings, new: Settings) -> (Settings, Vec<String>) {
    let mut then = new;
    let mut restart = Vec::new();
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
        "peers": speaker,
        "state-file": state_file,
        "overrides-file": overrides_file,
        "record": record,
        "history": history,
        "status files": status,
        "doorbell": doorbell,
        "exabgp-api": exabgp_api,
        "exabgp-group": exabgp_group,
        "last-choice of ExaBGP": exabgp_last_choice,
        "reassert": reassert,
        "limits": checks.limits,
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
    let gone = changes.iter().filter(|it| it.before.is_some() && it.after.is_none()).count();
    let room = engine.explain_guard(now).room.unwrap_or(usize::MAX);
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
    Planned {
        routes: changes.iter().map(|change| route(change, now)).collect(),
        services: services(a, b),
        checks: checks(old, then),
        peers: Vec::new(),
        other,
        restart,
        beyond_guard: gone.saturating_sub(room),
        confirm_seconds: None,
    }
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
fn each<'a, T>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    change: impl Fn(&T, &T) -> Option<String> + 'a,
) -> Vec<PlannedPart> {
    let mut parts = Vec::new();
    for (name, old) in before {
        match after.get(name) {
            None => parts.push(part(name, "remove", "")),
            Some(new) => {
                parts.extend(change(old, new).map(|detail| part(name, "change", detail)));
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
        (!what.is_empty()).then(|| what.join(", "))
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
            return Some("it starts anew".to_owned());
        }
        let (before, after) = (config(old, a), config(new, b));
        (before != after).then(|| "what its verdict is worth".to_owned())
    })
}
