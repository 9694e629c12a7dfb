//! How routes are announced that are the last choice: `last-choice` of `[defaults.route]` and of a
//! peer in its place, key by key.

use ha2bgp_proto::bgp::{Community, Drain, Policy};
use ha2bgp_proto::exabgp;

use super::super::error::ConfigError;
use super::super::raw::Values;
use super::super::reader::Reader;
use super::super::settings::number;
use super::route::{communities, prepend};
use crate::near::nearest;

/// What of it was given.
#[derive(Debug, Default)]
pub(super) struct LastChoice {
    /// Given as `"off"`: none of its own.
    med: Option<Option<u32>>,
    local_pref: Option<u32>,
    prepend: Option<u8>,
    communities: Option<Vec<u32>>,
}

impl LastChoice {
    /// Reads the keys that begin with `section`.
    pub(super) fn read(reader: &mut Reader, values: &Values, section: &str) -> Self {
        let name = |key: &str| format!("{section}last-choice.{key}");
        let given = communities(reader, values, &name("communities"));
        let standard = |community: &Community| match community {
            Community::Standard(value) => Some(*value),
            // Those are refused where they stand.
            Community::Extended(_) | Community::Large(_) => None,
        };
        Self {
            med: reader.one(values, &name("med"), med),
            local_pref: reader.one(values, &name("local-pref"), number),
            prepend: reader.one(values, &name("prepend"), prepend),
            communities: given.map(|list| list.iter().filter_map(standard).collect()),
        }
    }

    /// Sets what was given.
    pub(super) fn apply(&self, policy: &mut Policy) {
        let last = &mut policy.last_choice;
        last.med = self.med.unwrap_or(last.med);
        last.local_pref = self.local_pref.or(last.local_pref);
        last.prepend = self.prepend.or(last.prepend);
        if let Some(communities) = &self.communities {
            last.communities.clone_from(communities);
        }
    }
}

/// What ExaBGP is told of such routes. `prepend` is refused elsewhere.
pub(in crate::config) fn of_exabgp(reader: &mut Reader, values: &Values) -> exabgp::LastChoice {
    let LastChoice { med, local_pref, communities, .. } = LastChoice::read(reader, values, SECTION);
    let last = values.all(&format!("{SECTION}last-choice.communities"));
    if let Some(at) = last.get(exabgp::LastChoice::COMMUNITIES_MAX) {
        let error = format!(
            "\"{}\" is one too many: ExaBGP is told {} at most, leave some out",
            at.text,
            exabgp::LastChoice::COMMUNITIES_MAX
        );
        reader.errors.push(ConfigError::new(at, error));
    }
    let usual = exabgp::LastChoice::default();
    exabgp::LastChoice {
        med: med.unwrap_or(usual.med),
        local_pref: local_pref.or(usual.local_pref),
        communities: communities.unwrap_or(usual.communities),
    }
}

/// How a peer is told of routes that an operator drains.
pub(super) fn drain(text: &str) -> Result<Drain, String> {
    Drain::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| not_a_way(text, &WAYS))
}

/// How ExaBGP is told of them.
pub(in crate::config) fn drain_of_exabgp(text: &str) -> Result<exabgp::Drain, String> {
    let none = exabgp::LastChoice { med: None, local_pref: None, communities: Vec::new() };
    let usual = exabgp::LastChoice::default();
    Ok(match text {
        "last-choice" => exabgp::Drain::LastChoice,
        "gshut" => exabgp::Drain::With(exabgp::LastChoice { med: None, ..usual }),
        "med" => exabgp::Drain::With(exabgp::LastChoice { med: usual.med, ..none }),
        "withdraw" => exabgp::Drain::Withdraw,
        "prepend" => {
            return Err(
                "\"prepend\" is for the built-in speaker, since only ExaBGP knows the paths \
                        that it sends: write \"med\" or \"gshut\""
                    .to_owned(),
            );
        }
        _ => return Err(not_a_way(text, &["last-choice", "gshut", "med", "withdraw"])),
    })
}

/// The ways of a peer.
const WAYS: [&str; 5] = ["last-choice", "gshut", "med", "prepend", "withdraw"];

fn not_a_way(text: &str, ways: &[&str]) -> String {
    let meant = match nearest(ways.iter().copied(), text) {
        Some(near) => format!("did you mean \"{near}\"? There are"),
        None => "write one of".to_owned(),
    };
    let ways: Vec<String> = ways.iter().map(|way| format!("\"{way}\"")).collect();
    format!("\"{text}\" is no way to drain: {meant} {}", ways.join(", "))
}

/// Where the defaults of all peers stand.
pub(super) const SECTION: &str = "defaults.route.";

fn med(text: &str) -> Result<Option<u32>, String> {
    match text {
        "off" => Ok(None),
        _ => number(text).map(Some),
    }
}
