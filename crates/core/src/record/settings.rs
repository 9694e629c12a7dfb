//! A configuration of the engine as lines, and back.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::str::FromStr;

use super::RecordError;
use super::read::{flag, outcome, protocol};
use super::words::{Words, duration, escape, list, unescape};
use crate::check::{CheckIndex, Counting};
use crate::config::{CheckConfig, CheckKind, EngineConfig, OnFailure, Powers, ServiceConfig};
use crate::damping::DampingConfig;
use crate::glob::Glob;
use crate::guard::GuardConfig;
use crate::net::{Networks, NextHop};
use crate::rule::{self, Rule};

/// What a configuration is read into.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) config: EngineConfig,
}

/// All lines, from behind the first verb to the end.
pub(super) fn write(config: &EngineConfig) -> String {
    let guard = config.guard.map_or("-".to_string(), |GuardConfig { count, per }| {
        format!("{count}/{}", per.as_micros())
    });
    let mut text = format!(
        " networks={} next-hop={} devices={} labels={} all-ports={} guard={guard} \
         unknown-after={} forget-after={} services-max={}\n",
        join(config.networks.iter()),
        config.next_hop,
        globs(&config.devices),
        globs(&config.labels),
        u8::from(config.require_all_ports),
        config.unknown_after.as_micros(),
        config.forget_after.as_micros(),
        config.services_max,
    );
    // Writing into a string cannot fail.
    for (index, check) in &config.checks {
        let _ = writeln!(text, "+ check {} {}", index.0, self::check(check));
    }
    let _ = writeln!(text, "+ defaults {}", service(&config.defaults));
    for it in &config.services {
        let _ = writeln!(text, "+ service {}", service(it));
    }
    text.push_str("+ end\n");
    text
}

fn check(check: &CheckConfig) -> String {
    let Powers { on_warn, on_fail, on_unknown } = check.powers;
    let kind = match &check.kind {
        CheckKind::Listen { ports } => {
            format!("listen ports={}", join(ports.iter().map(|(it, port)| format!("{it}/{port}"))))
        }
        CheckKind::Address { devices, labels } => {
            format!("address devices={} labels={}", globs(devices), globs(labels))
        }
        CheckKind::Probe { per_vip, counting: Counting { rise, fall, initial } } => {
            format!(
                "probe per-vip={} rise={rise} fall={fall} initial={initial}",
                u8::from(*per_vip)
            )
        }
    };
    format!(
        "name={} on-warn={on_warn} on-fail={on_fail} on-unknown={on_unknown} shadow={} {kind}",
        escape(&check.name),
        u8::from(check.shadow)
    )
}

fn service(service: &ServiceConfig) -> String {
    let damping = service.damping.map_or("-".to_string(), |it| {
        let DampingConfig { penalty, suppress, reuse, half_life, max_suppress } = it;
        let (half, max) = (half_life.as_micros(), max_suppress.as_micros());
        format!("{penalty}/{suppress}/{reuse}/{half}/{max}")
    });
    format!(
        "name={} vips={} networks={} rule={} up-delay={} down-delay={} damping={damping} on-warn={} \
         on-failure={}",
        escape(&service.name),
        join(service.vips.iter()),
        join(service.networks.iter()),
        escape(&rule(&service.rule)),
        service.up_delay.as_micros(),
        service.down_delay.as_micros(),
        u8::from(service.warn_depreferences),
        service.on_failure.name(),
    )
}

/// A rule in its own language, where checks are called `c` and their number.
fn rule(of: &Rule<CheckIndex>) -> String {
    let all = |rules: &[Rule<CheckIndex>]| rules.iter().map(rule).collect::<Vec<_>>().join(", ");
    match of {
        Rule::Check(index) => format!("c{}", index.0),
        Rule::All(rules) => format!("all({})", all(rules)),
        Rule::Any(rules) => format!("any({})", all(rules)),
        Rule::Not(inner) => format!("not({})", rule(inner)),
        Rule::AtLeast { needed, of } => {
            let of = of.iter().map(|(weight, it)| match weight {
                1 => rule(it),
                weight => format!("{}*{weight}", rule(it)),
            });
            format!("at-least({needed}, {})", of.collect::<Vec<_>>().join(", "))
        }
    }
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "-".to_string() } else { items.join(",") }
}

fn globs(globs: &[Glob]) -> String {
    join(globs.iter().map(|glob| escape(glob.as_str())))
}

impl Settings {
    /// Reads the first line, behind its verb.
    pub(super) fn begin(mut words: Words<'_>) -> Result<Self, RecordError> {
        let mut config = EngineConfig::default();
        config.checks.clear();
        let w = &mut words;
        config.networks = Networks::new(value(w, "networks=", |it| list(it, parse))?);
        config.next_hop = value(w, "next-hop=", |it| match it {
            "self" => Some(NextHop::SelfAddress),
            it => it.parse().ok().map(NextHop::Address),
        })?;
        config.devices = value(w, "devices=", |it| list(it, glob))?;
        config.labels = value(w, "labels=", |it| list(it, glob))?;
        config.require_all_ports = value(w, "all-ports=", flag)?;
        config.guard = value(w, "guard=", guard)?;
        config.unknown_after = value(w, "unknown-after=", duration)?;
        config.forget_after = value(w, "forget-after=", duration)?;
        config.services_max = value(w, "services-max=", parse)?;
        words.end()?;
        Ok(Self { config })
    }

    /// Reads a further line, behind its `+`. True when that was the last one.
    pub(super) fn more(&mut self, mut words: Words<'_>) -> Result<bool, RecordError> {
        let (what, span) = words.word("check, defaults, service or end")?;
        let w = &mut words;
        match what {
            "check" => {
                let index = CheckIndex(w.parse("the number of a check")?);
                let check = read_check(w)?;
                self.config.checks.insert(index, check);
            }
            "defaults" => self.config.defaults = read_service(w)?,
            "service" => {
                let service = read_service(w)?;
                self.config.services.push(service);
            }
            "end" => {}
            _ => return Err(RecordError { span, what: "check, defaults, service or end" }),
        }
        words.end()?;
        Ok(what == "end")
    }
}

fn read_check(w: &mut Words<'_>) -> Result<CheckConfig, RecordError> {
    let name: Arc<str> = value(w, "name=", unescape)?.into();
    let powers = Powers {
        on_warn: value(w, "on-warn=", outcome)?,
        on_fail: value(w, "on-fail=", outcome)?,
        on_unknown: value(w, "on-unknown=", outcome)?,
    };
    let shadow = value(w, "shadow=", flag)?;
    let (kind, span) = w.word("listen, address or probe")?;
    let kind = match kind {
        "listen" => {
            let port = |it: &str| {
                let (of, port) = it.split_once('/')?;
                Some((protocol(of)?, port.parse().ok()?))
            };
            CheckKind::Listen { ports: value(w, "ports=", |it| list(it, port))? }
        }
        "address" => CheckKind::Address {
            devices: value(w, "devices=", |it| list(it, glob))?,
            labels: value(w, "labels=", |it| list(it, glob))?,
        },
        "probe" => CheckKind::Probe {
            per_vip: value(w, "per-vip=", flag)?,
            counting: Counting {
                rise: value(w, "rise=", parse)?,
                fall: value(w, "fall=", parse)?,
                initial: value(w, "initial=", outcome)?,
            },
        },
        _ => return Err(RecordError { span, what: "listen, address or probe" }),
    };
    Ok(CheckConfig { name, kind, powers, shadow })
}

fn read_service(w: &mut Words<'_>) -> Result<ServiceConfig, RecordError> {
    Ok(ServiceConfig {
        name: value(w, "name=", unescape)?.into(),
        vips: value(w, "vips=", |it| list(it, parse))?,
        networks: value(w, "networks=", |it| list(it, parse))?,
        rule: value(w, "rule=", read_rule)?,
        up_delay: value(w, "up-delay=", duration)?,
        down_delay: value(w, "down-delay=", duration)?,
        damping: value(w, "damping=", damping)?,
        warn_depreferences: value(w, "on-warn=", flag)?,
        on_failure: value(w, "on-failure=", |word| {
            OnFailure::ALL.into_iter().find(|it| it.name() == word)
        })?,
    })
}

/// The next word, `NAME=VALUE`.
fn value<T>(
    words: &mut Words<'_>,
    name: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RecordError> {
    words.read(name, |word| read(word.strip_prefix(name)?))
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn glob(text: &str) -> Option<Glob> {
    unescape(text)?.parse().ok()
}

fn guard(text: &str) -> Option<Option<GuardConfig>> {
    if text == "-" {
        return Some(None);
    }
    let (count, per) = text.split_once('/')?;
    // Nothing at all could never be let go.
    let count = parse(count).filter(|count| *count > 0)?;
    Some(Some(GuardConfig { count, per: duration(per)? }))
}

fn damping(text: &str) -> Option<Option<DampingConfig>> {
    if text == "-" {
        return Some(None);
    }
    let mut parts = text.split('/');
    let config = DampingConfig {
        penalty: parse(parts.next()?)?,
        suppress: parse(parts.next()?)?,
        reuse: parse(parts.next()?)?,
        half_life: duration(parts.next()?)?,
        max_suppress: duration(parts.next()?)?,
    };
    // What contradicts itself could never be released.
    (parts.next().is_none() && config.validate().is_ok()).then_some(Some(config))
}

fn read_rule(text: &str) -> Option<Rule<CheckIndex>> {
    let named = rule::parse(&unescape(text)?).ok()?;
    let number =
        |name: &rule::Name| name.text.strip_prefix('c').and_then(parse).map(CheckIndex).ok_or(());
    named.try_map(&mut |name| number(name)).ok()
}
