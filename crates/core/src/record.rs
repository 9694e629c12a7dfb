//! Inputs of the engine as lines of text, and back: what a flight recorder writes and a replay reads.
//!
//! ```text
//! ha2bgp-record 1
//! # whatever people want to know
//! 0 config networks=100.64.0.0/24 next-hop=self …
//! + check 2 name=page probe …
//! + defaults rule=all(c0,c1) …
//! + service name=web vips=100.64.0.10 …
//! + end
//! 1520 listen tcp 77 100.64.0.10 80
//! 6001520 timeout
//! 6001520 > announced 100.64.0.10/32 healthy
//! ```
//!
//! A line begins with the moment in microseconds. Words are separated by spaces; in a word, what is no
//! printable ASCII, and `%`, `,`, `=`, are written as `%` and two digits of base 16 for each octet.
//! `>` begins what the engine decided, to be compared. Long output and performance data of a probe
//! decide nothing and are left out.

mod fuzz;
mod read;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::IpAddr;

use crate::config::EngineConfig;
use crate::engine::Input;
use crate::event::Event;
use crate::fact::{AddressId, AddressState, ListenAddress, Observation, SocketId};
use crate::net::Prefix;
use crate::overrides::{Override, Scope};
use crate::reason::Reason;
use crate::time::Instant;

#[doc(hidden)]
pub use self::fuzz::fuzz_record;
pub use self::read::{Reader, RecordError};
use self::words::escape;

/// The first line.
pub const HEAD: &str = "ha2bgp-record 1";
/// The longest line that is read, in octets.
pub const LINE_MAX: usize = 1 << 20;

/// What a line says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The engine begins with this configuration.
    Start(Box<EngineConfig>),
    /// An input.
    Input(Input),
    /// What the engine decided.
    Decision(Decision),
    /// So many entries are missing here: they could not be written in time.
    Missing(u64),
}

/// What the engine decided about a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decision {
    /// The prefix.
    pub prefix: Prefix,
    /// What becomes of it.
    pub verb: Verb,
    /// What decided it.
    pub reason: Reason,
}

/// What becomes of a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// It is announced.
    Announced,
    /// It is announced as the last choice.
    LastChoice,
    /// It is withdrawn.
    Withdrawn,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Announced, Self::LastChoice, Self::Withdrawn];

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::LastChoice => "last-choice",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Decision {
    /// The decision in an event, if it is one.
    pub const fn of(event: &Event) -> Option<Self> {
        match event {
            Event::RouteAnnounced { prefix, last_choice, reason, .. } => {
                let verb = if *last_choice { Verb::LastChoice } else { Verb::Announced };
                Some(Self { prefix: *prefix, verb, reason: *reason })
            }
            Event::RouteWithdrawn { prefix, reason, .. } => {
                Some(Self { prefix: *prefix, verb: Verb::Withdrawn, reason: *reason })
            }
            _ => None,
        }
    }
}

/// Writes an entry: one line or several, each with its newline.
pub fn write(at: Instant, entry: &Entry) -> String {
    let at = at.as_micros();
    match entry {
        Entry::Start(config) => format!("{at} start{}", settings::write(config)),
        Entry::Input(Input::Reconfigure(config)) => {
            format!("{at} config{}", settings::write(config))
        }
        Entry::Input(input) => format!("{at} {}\n", self::input(input)),
        Entry::Decision(Decision { prefix, verb, reason }) => {
            format!("{at} > {} {prefix} {reason}\n", verb.name())
        }
        Entry::Missing(count) => format!("{at} missing {count}\n"),
    }
}

fn input(input: &Input) -> String {
    match input {
        Input::Observation(observation) => self::observation(observation),
        Input::Remember { vips, until } => {
            format!("remember {} {}", until.as_micros(), list(vips))
        }
        // Written by `write` with its lines.
        Input::Reconfigure(_) => "config".to_string(),
        Input::SetOverrides(all) => {
            let all: Vec<String> = all.iter().map(over).collect();
            format!("overrides {}", all.join(" "))
        }
        Input::ResetDamping(scope) => format!("reset-damping {}", self::scope(scope)),
        Input::Timeout => "timeout".to_string(),
        Input::Shutdown => "shutdown".to_string(),
    }
}

fn observation(observation: &Observation) -> String {
    match observation {
        Observation::ListenerOpened(listener) => {
            let address = match listener.address {
                ListenAddress::Address(address) => address.to_string(),
                ListenAddress::AnyV4 => "any4".to_string(),
                ListenAddress::AnyV6Only => "any6".to_string(),
                ListenAddress::AnyDual => "any".to_string(),
            };
            format!("listen {} {address} {}", socket(listener.id), listener.port)
        }
        Observation::ListenerClosed(id) => format!("close {}", socket(*id)),
        Observation::AddressChanged(address) => {
            let state = match address.state {
                AddressState::Usable => "usable",
                AddressState::Tentative => "tentative",
                AddressState::DadFailed => "dad-failed",
                AddressState::LinkDown => "link-down",
            };
            let mut text = format!(
                "address {} {} {state} {}",
                self::address(address.id),
                escape(&address.device),
                u8::from(address.loopback)
            );
            if let Some(label) = &address.label {
                // Writing into a string cannot fail.
                let _ = write!(text, " {}", escape(label));
            }
            text
        }
        Observation::AddressRemoved(id) => format!("no-address {}", address(*id)),
        Observation::Probed { check, result } => {
            let vip = check.vip.map_or("-".to_string(), |vip| vip.to_string());
            let (number, outcome) = (check.check.0, result.outcome.name());
            format!("probe {number} {vip} {outcome} {}", escape(&result.detail))
        }
        Observation::Complete(source) => format!("complete {source}"),
        Observation::Failed { source, error } => format!("failed {source} {}", escape(error)),
    }
}

fn socket(id: SocketId) -> String {
    format!("{} {}", id.protocol, id.cookie)
}

fn address(id: AddressId) -> String {
    format!("{} {} {}", id.ip, id.prefix_length, id.interface)
}

fn over(over: &Override) -> String {
    let until = over.until.map(|until| format!(",{}", until.as_micros())).unwrap_or_default();
    format!("{},{},{}{until}", over.id.0, over.kind.name(), scope(&over.scope))
}

fn scope(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_string(),
        Scope::Service(name) => format!("service:{}", escape(name)),
        Scope::Network(prefix) => format!("prefix:{prefix}"),
    }
}

fn list(vips: &[IpAddr]) -> String {
    let vips: Vec<String> = vips.iter().map(ToString::to_string).collect();
    if vips.is_empty() { "-".to_string() } else { vips.join(",") }
}
