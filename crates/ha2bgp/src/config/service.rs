//! Services and their checks: from sections to what the engine and the probes are told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, Counting, Outcome};
use ha2bgp_core::config::{
    ADDRESS, CheckConfig, CheckKind, EngineConfig, LISTEN, OnFailure, Powers, ServiceConfig,
};
use ha2bgp_core::net::{Networks, Prefix, never_announced};
use ha2bgp_core::rule::{self, Name, Rule};

use super::check::{self, Check};
use super::duration;
use super::error::ConfigError;
use super::origin::Written;
use super::raw::{CheckSection, Raw, ServiceSection};
use super::reader::{Host, Reader};
use super::settings::{allow_list, damping};
use crate::near::nearest;
use crate::observe::check::haproxy::HaproxyProbe;
use crate::observe::check::net::SourceOptions;
use crate::observe::check::{CheckSpec, CheckSpecs, ProbeSpec, Timing, Watched};

/// The longest name of a service.
const NAME_MAX: usize = 64;

/// What the sections come to.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) services: Vec<ServiceConfig>,
    /// By their numbers.
    pub(super) checks: BTreeMap<CheckIndex, CheckConfig>,
    pub(super) specs: CheckSpecs,
}

impl Services {
    /// Adds what HAProxy says to the rule of all VIPs that no service has.
    pub(super) fn add_haproxy(
        &mut self,
        probe: Option<HaproxyProbe>,
        defaults: &mut ServiceConfig,
    ) {
        let Some(probe) = probe else { return };
        let index = next(&self.checks);
        let counting = Counting::default();
        let check = CheckConfig {
            name: "haproxy".into(),
            kind: CheckKind::Probe { per_vip: true, counting },
            powers: Powers::default(),
            shadow: false,
        };
        self.checks.insert(index, check);
        let timing = Timing {
            interval: probe.source.interval,
            fast_interval: probe.source.interval,
            timeout: probe.source.timeout,
            splay: Duration::ZERO,
            jitter: 0.0,
        };
        let spec = CheckSpec {
            timing,
            source: SourceOptions::default(),
            probe: ProbeSpec::Watched(Watched::Haproxy(probe)),
        };
        let place = self.specs.specs.len();
        self.specs.of.insert(index, (place, counting));
        self.specs.specs.insert(place, spec);
        let all = [LISTEN, ADDRESS, index];
        defaults.rule = Rule::All(all.into_iter().map(Rule::Check).collect());
    }
}

/// Reads all services. Everything that is wrong is told.
pub(super) fn read(
    reader: &mut Reader,
    raw: &Raw,
    host: &Host<'_>,
    networks: &Networks,
    defaults: &ServiceConfig,
) -> Services {
    let mut book = Book {
        reader,
        raw,
        host,
        networks,
        checks: EngineConfig::default().checks,
        specs: CheckSpecs::default(),
        known: BTreeMap::new(),
        used: vec![false; raw.checks.len()],
        unparsed: false,
        wrong: vec![false; raw.checks.len()],
    };
    let mut names: BTreeMap<String, Written> = BTreeMap::new();
    let mut vips: BTreeMap<IpAddr, Written> = BTreeMap::new();
    let mut nets: BTreeMap<Prefix, Written> = BTreeMap::new();
    let mut services = Vec::new();
    for section in &raw.services {
        let name = book.name(section, &mut names);
        services.extend(book.service(section, name, defaults, &mut vips, &mut nets));
    }
    book.tell_unused();
    let Book { checks, specs, .. } = book;
    Services { services, checks, specs }
}

/// What grows while services are read.
struct Book<'a> {
    reader: &'a mut Reader,
    raw: &'a Raw,
    host: &'a Host<'a>,
    networks: &'a Networks,
    checks: BTreeMap<CheckIndex, CheckConfig>,
    specs: CheckSpecs,
    /// Specifications by what they look like, to find those that are alike.
    known: BTreeMap<String, Vec<usize>>,
    /// Which checks of all services some rule names.
    used: Vec<bool>,
    /// A rule could not be read: nobody knows what it names.
    unparsed: bool,
    /// Those with errors, which are told once.
    wrong: Vec<bool>,
}

impl Book<'_> {
    fn fail(&mut self, at: &Written, message: impl std::fmt::Display) {
        self.reader.errors.push(ConfigError::new(at, message));
    }

    fn name(&mut self, section: &ServiceSection, names: &mut BTreeMap<String, Written>) -> String {
        let values = &section.section.values;
        if values.is_missing("name") && section.section.at.origin.is_whole() {
            let text = "name is missing: write for example name = \"web\"";
            self.fail(&section.section.at, text);
        }
        let Some(at) = values.one("name") else { return String::new() };
        if let Err(error) = service_name(&at.text) {
            self.fail(at, error);
        } else if let Some(before) = names.insert(at.text.clone(), at.clone()) {
            let error = format!("\"{}\" is given twice{}: rename one", at.text, first(&before, at));
            self.fail(at, error);
        }
        at.text.clone()
    }

    fn service(
        &mut self,
        section: &ServiceSection,
        name: String,
        defaults: &ServiceConfig,
        known_vips: &mut BTreeMap<IpAddr, Written>,
        known_nets: &mut BTreeMap<Prefix, Written>,
    ) -> Option<ServiceConfig> {
        let before = self.reader.errors.len();
        let values = &section.section.values;
        let mut vips = Vec::new();
        for at in values.all("vips") {
            let Some(vip) = self.reader.keep(at, vip(&at.text, self.networks)) else { continue };
            match known_vips.insert(vip, at.clone()) {
                None => vips.push(vip),
                Some(other) => {
                    let error =
                        format!("\"{vip}\" is given twice{}: leave one out", first(&other, at));
                    self.fail(at, error);
                }
            }
        }
        let mut networks = Vec::new();
        for (at, network) in allow_list(self.reader, values.all("networks"), true) {
            if !self.networks.iter().any(|allowed| allowed.covers(network)) {
                let error = format!(
                    "\"{network}\" is in none of the networks at the top, so nothing in it is ever \
                     announced: add it there, or leave it out"
                );
                self.fail(at, error);
            } else if let Some(other) = known_nets.insert(network, at.clone()) {
                let error = format!(
                    "\"{network}\" is of two services{}, and an address in it can be of one only: leave it out \
                     of one",
                    first(&other, at)
                );
                self.fail(at, error);
            } else {
                networks.push(network);
            }
        }
        if values.is_missing("vips") && values.is_missing("networks") {
            let error = "it has no addresses: write vips = [\"192.0.2.1\"], or networks = \
                         [\"192.0.2.0/24\"] for those that are found by their listening sockets";
            self.fail(&section.section.at, error);
        }
        let own = self.own_checks(section, &name);
        let rule = self.rule(section, &own, &name);
        let reader = &mut *self.reader;
        let one = |reader: &mut Reader, name| reader.one(values, name, duration::parse);
        let on_warn = reader.one(values, "on-warn", on_warn);
        let on_failure = reader.one(values, "on-failure", on_failure);
        let config = ServiceConfig {
            name: name.into(),
            vips,
            networks,
            rule: rule?,
            up_delay: one(reader, "up-delay").unwrap_or(defaults.up_delay),
            down_delay: one(reader, "down-delay").unwrap_or(defaults.down_delay),
            damping: damping(reader, values, defaults.damping),
            warn_depreferences: on_warn.unwrap_or(defaults.warn_depreferences),
            on_failure: on_failure.unwrap_or(defaults.on_failure),
        };
        (self.reader.errors.len() == before).then_some(config)
    }

    /// Its own checks, by their names.
    fn own_checks(&mut self, section: &ServiceSection, service: &str) -> Vec<Own> {
        let mut own: Vec<Own> = Vec::new();
        for check in &section.checks {
            let index = self.add(check, service);
            own.push(Own { name: check.name.clone(), index, used: false });
        }
        own
    }

    /// Takes a check in, as the service of that name uses it.
    fn add(&mut self, section: &CheckSection, service: &str) -> Option<CheckIndex> {
        let Check { config, spec } = check::read(self.reader, self.host, section, Some(service))?;
        let index = next(&self.checks);
        self.checks.insert(index, config);
        if let Some((spec, counting)) = spec {
            // Over TCP only tokens let anybody write.
            let missing = |name| self.raw.values.is_missing(name);
            let no_control = self.raw.is_whole()
                && missing("control.unix")
                && (missing("control.http") || missing("control.tokens-file"));
            if matches!(spec.probe, ProbeSpec::Watched(Watched::Push(_))) && no_control {
                let error = "nobody could push to it without a control socket: add [control] with \
                             unix = \"/run/ha2bgp/ha2bgp.sock\"";
                self.fail(&section.name, error);
            }
            // Looks are quick to find, and may hide a secret: what counts is what they are.
            let specs = &mut self.specs.specs;
            let alike = self.known.entry(format!("{spec:?}")).or_default();
            let same = |place: &&usize| specs.get(*place) == Some(&spec);
            let place = alike.iter().find(same).copied().unwrap_or_else(|| {
                let place = specs.len();
                specs.insert(place, spec);
                alike.push(place);
                place
            });
            self.specs.of.insert(index, (place, counting));
        }
        Some(index)
    }

    /// Its rule, over the checks that it names.
    fn rule(
        &mut self,
        section: &ServiceSection,
        own: &[Own],
        service: &str,
    ) -> Option<Rule<CheckIndex>> {
        let mut own = own.to_vec();
        let Some(at) = section.section.values.one("rule") else {
            if section.section.values.is_missing("rule") {
                return default_rule(&own);
            }
            return None;
        };
        let parsed = match rule::parse(&at.text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let origin = at.origin.part(&at.text, &error.span);
                self.reader.errors.push(ConfigError { origin, message: error.message });
                self.unparsed = true;
                return None;
            }
        };
        let before = self.reader.errors.len();
        let mut shared: BTreeMap<String, Option<CheckIndex>> = BTreeMap::new();
        let named = parsed.try_map(&mut |name| {
            Ok::<_, ()>(self.named(name, at, &mut own, &mut shared, section, service))
        });
        for own in own.iter().filter(|own| !own.used) {
            let error = format!(
                "the rule of its service does not name \"{}\": add it there, or leave the check out",
                own.name.text
            );
            self.fail(&own.name, error);
        }
        if self.reader.errors.len() > before {
            return None;
        }
        let rule = named.ok()?.try_map(&mut |index| index.ok_or(())).ok()?;
        self.check_power(at, &rule);
        Some(rule)
    }

    /// The check of that name: its own one, one for all services, or one of the engine's.
    fn named(
        &mut self,
        name: &Name,
        at: &Written,
        own: &mut [Own],
        shared: &mut BTreeMap<String, Option<CheckIndex>>,
        section: &ServiceSection,
        service: &str,
    ) -> Option<CheckIndex> {
        if let Some(own) = own.iter_mut().find(|own| own.name.text == name.text) {
            own.used = true;
            return own.index;
        }
        if let Some(known) = shared.get(&name.text) {
            return *known;
        }
        let raw = self.raw;
        if let Some(place) = raw.checks.iter().position(|check| check.name.text == name.text) {
            if let Some(used) = self.used.get_mut(place) {
                *used = true;
            }
            if self.wrong.get(place).copied().unwrap_or(true) {
                return None;
            }
            let before = self.reader.errors.len();
            let index = raw.checks.get(place).and_then(|check| self.add(check, service));
            if let Some(wrong) = self.wrong.get_mut(place) {
                *wrong = self.reader.errors.len() > before;
            }
            shared.insert(name.text.clone(), index);
            return index;
        }
        match name.text.as_str() {
            "listen" => return Some(LISTEN),
            "address" => return Some(ADDRESS),
            _ => {}
        }
        // What is missing may stand where the file is no TOML, or could not be read.
        let mut unread = section.unread.iter().chain(&raw.unread);
        if raw.is_whole() && !unread.any(|unread| *unread == name.text) {
            let known: Vec<&str> = own
                .iter()
                .map(|own| own.name.text.as_str())
                .chain(raw.checks.iter().map(|check| check.name.text.as_str()))
                .chain(["listen", "address"])
                .collect();
            let fix = match nearest(known.iter().copied(), &name.text) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("there are {}", known.join(", ")),
            };
            let origin = at.origin.part(&at.text, &name.span);
            let message = format!("there is no check \"{}\": {fix}", name.text);
            self.reader.errors.push(ConfigError { origin, message });
        }
        None
    }

    /// What a rule may not make of checks that have less power.
    fn check_power(&mut self, at: &Written, rule: &Rule<CheckIndex>) {
        let checks = &self.checks;
        let check = |index: &CheckIndex| checks.get(index);
        let powerful = rule
            .judge(&mut |index| check(index).filter(|check| !check.shadow).map(|_| Outcome::Pass));
        let weak = weak_not(rule, &|index| {
            check(index).is_some_and(|check| check.powers.on_fail != Outcome::Fail)
        });
        let never =
            powerful.is_some_and(|(outcome, _)| outcome == Outcome::Fail) && !contains_not(rule);
        if powerful.is_none() {
            self.fail(at, "all checks of the rule are shadows, so nothing decides: add listen");
        } else if never {
            self.fail(
                at,
                "without its shadow checks the rule can never pass: ask for less in at-least(…)",
            );
        }
        if let Some(index) = weak {
            let name = self.checks.get(&index).map(|check| check.name.clone());
            let error = format!(
                "not({}) would let a check withdraw whose failure may only warn: leave the not \
                 out, or give the check on-fail = \"fail\"",
                name.unwrap_or_default()
            );
            self.fail(at, error);
        }
    }

    /// Checks for all services that no rule names.
    fn tell_unused(&mut self) {
        let raw = self.raw;
        for (place, section) in raw.checks.iter().enumerate() {
            if self.used.get(place).copied().unwrap_or(true) {
                continue;
            }
            let before = self.reader.errors.len();
            check::read(self.reader, self.host, section, None);
            if self.reader.errors.len() == before && raw.is_whole() && !self.unparsed {
                let error = format!(
                    "no rule names \"{}\": name it in the rule of a service, or leave it out",
                    section.name.text
                );
                self.fail(&section.name, error);
            }
        }
    }
}

/// The number of the next check.
fn next(checks: &BTreeMap<CheckIndex, CheckConfig>) -> CheckIndex {
    CheckIndex(checks.last_key_value().map_or(0, |(last, _)| last.0.saturating_add(1)))
}

/// A check of a service's own.
#[derive(Clone, Debug)]
struct Own {
    name: Written,
    /// Nothing when something is wrong with it.
    index: Option<CheckIndex>,
    used: bool,
}

/// `all(listen, address, …)`, where its own checks may be called that too.
fn default_rule(own: &[Own]) -> Option<Rule<CheckIndex>> {
    let mut all = Vec::new();
    for (name, index) in [("listen", LISTEN), ("address", ADDRESS)] {
        if own.iter().all(|own| own.name.text != name) {
            all.push(Rule::Check(index));
        }
    }
    for own in own {
        all.push(Rule::Check(own.index?));
    }
    Some(Rule::All(all))
}

/// A check below a `not` for which `is_weak` holds.
fn weak_not(rule: &Rule<CheckIndex>, is_weak: &dyn Fn(&CheckIndex) -> bool) -> Option<CheckIndex> {
    match rule {
        Rule::Check(_) => None,
        Rule::All(rules) | Rule::Any(rules) => {
            rules.iter().find_map(|rule| weak_not(rule, is_weak))
        }
        Rule::AtLeast { of, .. } => of.iter().find_map(|(_, rule)| weak_not(rule, is_weak)),
        Rule::Not(inner) => {
            let mut found = None;
            inner.for_each(&mut |index| {
                if found.is_none() && is_weak(index) {
                    found = Some(*index);
                }
            });
            found
        }
    }
}

fn contains_not(rule: &Rule<CheckIndex>) -> bool {
    match rule {
        Rule::Check(_) => false,
        Rule::All(rules) | Rule::Any(rules) => rules.iter().any(contains_not),
        Rule::AtLeast { of, .. } => of.iter().any(|(_, rule)| contains_not(rule)),
        Rule::Not(_) => true,
    }
}

/// Where something was given first.
fn first(before: &Written, at: &Written) -> String {
    before.origin.first_for(&at.origin)
}

fn service_name(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || text.len() > NAME_MAX || !text.chars().all(good) {
        return Err(format!(
            "\"{text}\" cannot be the name of a service: write a letter or digit, then at most {} \
             letters, digits, -, _ and .",
            NAME_MAX - 1
        ));
    }
    Ok(())
}

fn vip(text: &str, networks: &Networks) -> Result<IpAddr, String> {
    let vip: IpAddr = text.parse().map_err(|_| {
        format!("\"{text}\" is not an IP address: write one without a length, such as 192.0.2.1")
    })?;
    let vip = vip.to_canonical();
    if never_announced(vip).is_some() {
        return Err(format!("\"{text}\" is an address that is never announced: leave it out"));
    }
    if networks.containing(vip).is_none() {
        return Err(format!(
            "\"{text}\" is in none of the networks at the top, so it is never announced: add its \
             network there, or leave it out"
        ));
    }
    Ok(vip)
}

/// Whether a warning makes the route the last choice.
pub(super) fn on_warn(text: &str) -> Result<bool, String> {
    match text {
        "announce" => Ok(false),
        "depreference" => Ok(true),
        other => Err(format!(
            "\"{other}\" does not say what follows a warning: write \"announce\" or \"depreference\""
        )),
    }
}

/// What follows when the rule fails.
pub(super) fn on_failure(text: &str) -> Result<OnFailure, String> {
    OnFailure::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| {
        format!(
            "\"{text}\" does not say what follows a failure: write \"withdraw\", \"depreference\" or \
             \"absorb\""
        )
    })
}

#[cfg(test)]
mod tests;
