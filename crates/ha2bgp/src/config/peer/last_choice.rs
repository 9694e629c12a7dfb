//! How routes are announced that are the last choice: `last-choice` of `[defaults.route]` and of a
//! peer in its place, key by key.

use ha2bgp_proto::bgp::{Community, Policy};
use ha2bgp_proto::exabgp;

use super::super::error::ConfigError;
use super::super::raw::Values;
use super::super::reader::Reader;
use super::super::settings::number;
use super::route::{communities, prepend};

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

/// Where the defaults of all peers stand.
pub(super) const SECTION: &str = "defaults.route.";

fn med(text: &str) -> Result<Option<u32>, String> {
    match text {
        "off" => Ok(None),
        _ => number(text).map(Some),
    }
}
