//! Reads what [`super::write`] writes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::settings::Settings;
use super::words::{Words, list, moment, unescape};
use super::{Decision, Entry, HEAD, Verb};
use crate::check::{CheckIndex, CheckKey, Outcome, ProbeResult};
use crate::engine::Input;
use crate::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use crate::overrides::{Override, OverrideId, OverrideKind, Scope};
use crate::reason::Reason;
use crate::time::Instant;

/// Something in a line is not what it should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {what}")]
pub struct RecordError {
    /// The octets of the line.
    pub span: Range<usize>,
    /// What should stand there.
    pub what: &'static str,
}

/// Reads a record line by line.
#[derive(Debug, Default)]
pub struct Reader {
    /// A configuration whose lines are not all read: what it is for, and what there is of it.
    pending: Option<(Instant, bool, Settings)>,
    begun: bool,
    now: Instant,
}

impl Reader {
    /// Takes the next line, without its newline. An entry may have several lines; it comes with the
    /// last of them.
    ///
    /// # Errors
    /// What is wrong, with its place in the line. The line counts as not read.
    pub fn line(&mut self, line: &str) -> Result<Option<(Instant, Entry)>, RecordError> {
        if !self.begun {
            let head = line == HEAD;
            self.begun = head;
            let what = "\"ha2bgp-record 1\", the head of a record that this version reads";
            return if head { Ok(None) } else { Err(RecordError { span: 0..line.len(), what }) };
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let mut words = Words::new(line);
        if line.starts_with('+') {
            return self.more(words);
        }
        if self.pending.is_some() {
            let what = "\"+\": the configuration above has no end";
            return Err(RecordError { span: 0..line.len(), what });
        }
        let before = self.now;
        let at = words.read("a moment in microseconds, not before the one above", |word| {
            moment(word).filter(|at| *at >= before)
        })?;
        let (verb, span) = words.word("what happened")?;
        let entry = match verb {
            "start" | "config" => {
                self.pending = Some((at, verb == "start", Settings::begin(words)?));
                self.now = at;
                return Ok(None);
            }
            ">" => Entry::Decision(decision(&mut words)?),
            "missing" => Entry::Missing(words.parse("how many entries are missing")?),
            verb => Entry::Input(input(verb, span, &mut words)?),
        };
        words.end()?;
        self.now = at;
        Ok(Some((at, entry)))
    }

    /// A line of a configuration.
    fn more(&mut self, mut words: Words<'_>) -> Result<Option<(Instant, Entry)>, RecordError> {
        let (_, span) = words.word("+")?;
        let Some((at, start, mut settings)) = self.pending.take() else {
            return Err(RecordError { span, what: "a moment: no configuration is above" });
        };
        let ended = settings.more(words);
        match ended {
            Ok(true) => {
                let config = Box::new(settings.config);
                let entry = match start {
                    true => Entry::Start(config),
                    false => Entry::Input(Input::Reconfigure(config)),
                };
                Ok(Some((at, entry)))
            }
            other => {
                self.pending = Some((at, start, settings));
                other.map(|_| None)
            }
        }
    }
}

fn decision(words: &mut Words<'_>) -> Result<Decision, RecordError> {
    let verb = words.read("announced, last-choice or withdrawn", |word| {
        Verb::ALL.into_iter().find(|verb| verb.name() == word)
    })?;
    let prefix = words.parse("a prefix")?;
    let reason = words
        .read("a reason", |word| Reason::ALL.into_iter().find(|reason| reason.code() == word))?;
    Ok(Decision { prefix, verb, reason })
}

fn input(verb: &str, span: Range<usize>, words: &mut Words<'_>) -> Result<Input, RecordError> {
    Ok(Input::Observation(match verb {
        "timeout" => return Ok(Input::Timeout),
        "shutdown" => return Ok(Input::Shutdown),
        "remember" => {
            let until = words.read("a moment", moment)?;
            let vips = words.read("addresses", |word| list(word, |it| it.parse().ok()))?;
            return Ok(Input::Remember { vips, until });
        }
        "overrides" => {
            let mut all = Vec::new();
            while let Some((word, span)) = words.next() {
                let what = "an override: NUMBER,KIND,SCOPE[,UNTIL]";
                all.push(over(word).ok_or(RecordError { span, what })?);
            }
            return Ok(Input::SetOverrides(all));
        }
        "reset-damping" => return Ok(Input::ResetDamping(words.read("a scope", scope)?)),
        "listen" => {
            let id = socket(words)?;
            let address = words.read("an address, any, any4 or any6", |word| match word {
                "any" => Some(ListenAddress::AnyDual),
                "any4" => Some(ListenAddress::AnyV4),
                "any6" => Some(ListenAddress::AnyV6Only),
                word => word.parse().ok().map(ListenAddress::Address),
            })?;
            Observation::ListenerOpened(Listener { id, address, port: words.parse("a port")? })
        }
        "close" => Observation::ListenerClosed(socket(words)?),
        "address" => {
            let id = address(words)?;
            let device = words.text("an interface")?.into();
            let state = words.read("the state of an address", |word| match word {
                "usable" => Some(AddressState::Usable),
                "tentative" => Some(AddressState::Tentative),
                "dad-failed" => Some(AddressState::DadFailed),
                "link-down" => Some(AddressState::LinkDown),
                _ => None,
            })?;
            let loopback = words.read("0 or 1", flag)?;
            let label = match words.next() {
                None => None,
                Some((word, span)) => {
                    let label = unescape(word).ok_or(RecordError { span, what: "a label" })?;
                    Some(label.into())
                }
            };
            Observation::AddressChanged(LocalAddress { id, device, label, loopback, state })
        }
        "no-address" => Observation::AddressRemoved(address(words)?),
        "probe" => {
            let check = CheckIndex(words.parse("the number of a check")?);
            let vip = words.read("an address or -", |word| match word {
                "-" => Some(None),
                word => word.parse().ok().map(Some),
            })?;
            let outcome = words.read("an outcome", outcome)?;
            let detail = words.text("a detail")?.into();
            let result = ProbeResult { outcome, detail, more: None };
            Observation::Probed { check: CheckKey { check, vip }, result }
        }
        "complete" => Observation::Complete(words.read("listen or address", source)?),
        "failed" => {
            let source = words.read("listen or address", source)?;
            Observation::Failed { source, error: words.text("an error")?.into() }
        }
        _ => return Err(RecordError { span, what: "an input that this version knows" }),
    }))
}

fn socket(words: &mut Words<'_>) -> Result<SocketId, RecordError> {
    let protocol = words.read("tcp or udp", protocol)?;
    Ok(SocketId { protocol, cookie: words.parse("the cookie of a socket")? })
}

fn address(words: &mut Words<'_>) -> Result<AddressId, RecordError> {
    let ip = words.parse("an address")?;
    let prefix_length = words.parse("the length of a prefix")?;
    Ok(AddressId { ip, prefix_length, interface: words.parse("the number of an interface")? })
}

fn over(word: &str) -> Option<Override> {
    let mut parts = word.split(',');
    let id = OverrideId(parts.next()?.parse().ok()?);
    let kind = parts.next()?;
    let kind = OverrideKind::ALL.into_iter().find(|it| it.name() == kind)?;
    let scope = scope(parts.next()?)?;
    let until = match parts.next() {
        None => None,
        Some(until) => Some(moment(until)?),
    };
    parts.next().is_none().then_some(Override { id, scope, kind, until })
}

fn scope(word: &str) -> Option<Scope> {
    match word.split_once(':') {
        None if word == "all" => Some(Scope::All),
        Some(("service", name)) => Some(Scope::Service(unescape(name)?.into())),
        Some(("prefix", prefix)) => prefix.parse().ok().map(Scope::Network),
        _ => None,
    }
}

pub(super) fn protocol(word: &str) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp].into_iter().find(|it| it.name() == word)
}

pub(super) fn outcome(word: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|it| it.name() == word)
}

fn source(word: &str) -> Option<Source> {
    Source::ALL.into_iter().find(|it| it.name() == word)
}

pub(super) fn flag(word: &str) -> Option<bool> {
    match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}
