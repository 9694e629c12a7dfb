//! What two configurations have in common keeps its number, so that a reload touches nothing of it:
//! checks by their service, name and kind, probes by what they do.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::{ADDRESS, EngineConfig, LISTEN};

use super::settings::Settings;
use crate::observe::check::{CheckSpec, CheckSpecs};

/// What people call a check: the service whose rule names it, and its name there.
pub type Name = (Arc<str>, Arc<str>);

/// Gives checks and probes of `new` the numbers that `old` has for the same. All others get numbers
/// that `old` does not have.
pub fn carry_over(old: &Settings, new: &mut Settings) {
    let places = places(&old.checks, &new.checks);
    let numbers = numbers(old, new, &places);
    let number = |index: CheckIndex| numbers.get(&index).copied().unwrap_or(index);
    let checks = std::mem::take(&mut new.engine.checks);
    new.engine.checks = checks.into_iter().map(|(index, it)| (number(index), it)).collect();
    let services = std::iter::once(&mut new.engine.defaults).chain(&mut new.engine.services);
    for service in services {
        let Ok(rule) = service.rule.try_map(&mut |index| Ok::<_, Infallible>(number(*index)));
        service.rule = rule;
    }
    let place = |at: usize| places.get(&at).copied().unwrap_or(at);
    let CheckSpecs { specs, of, .. } = &mut new.checks;
    *specs = std::mem::take(specs).into_iter().map(|(at, spec)| (place(at), spec)).collect();
    let used = std::mem::take(of).into_iter();
    *of = used.map(|(index, (at, counting))| (number(index), (place(at), counting))).collect();
}

/// From the places of the new probes to those that they get.
fn places(old: &CheckSpecs, new: &CheckSpecs) -> BTreeMap<usize, usize> {
    // Looks are quick to find, and may hide a secret: what counts is what they are.
    let mut alike: BTreeMap<String, Vec<(usize, &CheckSpec)>> = BTreeMap::new();
    for (place, spec) in &old.specs {
        alike.entry(format!("{spec:?}")).or_default().push((*place, spec));
    }
    let mut free = old.specs.last_key_value().map_or(0, |(last, _)| last + 1);
    let mut places = BTreeMap::new();
    for (place, spec) in &new.specs {
        let same = alike.get(&format!("{spec:?}")).into_iter().flatten();
        let same = same.copied().find(|(_, other)| *other == spec).map(|(place, _)| place);
        let place_then = same.unwrap_or_else(|| {
            free += 1;
            free - 1
        });
        places.insert(*place, place_then);
    }
    places
}

/// From the numbers of the new checks to those that they get.
fn numbers(
    old: &Settings,
    new: &Settings,
    places: &BTreeMap<usize, usize>,
) -> BTreeMap<CheckIndex, CheckIndex> {
    let before: BTreeMap<Name, CheckIndex> =
        names(&old.engine).into_iter().map(|(index, name)| (name, index)).collect();
    let names = names(&new.engine);
    let mut free = old.engine.checks.last_key_value().map_or(ADDRESS.0, |(last, _)| last.0);
    let mut numbers = BTreeMap::new();
    for (index, check) in &new.engine.checks {
        if [LISTEN, ADDRESS].contains(index) {
            continue;
        }
        let same = names.get(index).and_then(|name| before.get(name)).copied().filter(|other| {
            let probe_of = |checks: &CheckSpecs, index| checks.of.get(index).copied();
            let moved = |(place, counting)| (places.get(&place).copied(), counting);
            let here = probe_of(&new.checks, index).map(moved);
            let there = probe_of(&old.checks, other).map(|(place, it)| (Some(place), it));
            here == there && old.engine.checks.get(other).is_some_and(|it| it.kind == check.kind)
        });
        let number = same.unwrap_or_else(|| {
            free = free.saturating_add(1);
            CheckIndex(free)
        });
        numbers.insert(*index, number);
    }
    numbers
}

/// What people call each check that a rule names.
pub fn names(engine: &EngineConfig) -> BTreeMap<CheckIndex, Name> {
    let mut names = BTreeMap::new();
    for service in std::iter::once(&engine.defaults).chain(&engine.services) {
        service.rule.for_each(&mut |index| {
            if let Some(check) = engine.checks.get(index) {
                let name = (Arc::clone(&service.name), Arc::clone(&check.name));
                names.entry(*index).or_insert(name);
            }
        });
    }
    names
}

#[cfg(test)]
mod tests;
