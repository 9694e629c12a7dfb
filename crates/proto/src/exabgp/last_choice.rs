//! What ExaBGP is told beside the next hop of a route that is the last choice.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use ha2bgp_core::route::Route;

/// Attributes of a route that is announced as the last choice
/// ([`ha2bgp_core::route::Route::last_choice`]). Without any it is announced like all others.
///
/// AS_PATH is not among them: ExaBGP puts our AS in front only where no path is given, and only
/// ExaBGP knows which neighbors are in our own AS, where a path with it would be a loop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastChoice {
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; ExaBGP sends it to neighbors in our own AS only.
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997): the first [`LastChoice::COMMUNITIES_MAX`] are told.
    pub communities: Vec<u32>,
}

impl LastChoice {
    /// More communities would make lines too long.
    pub const COMMUNITIES_MAX: usize = 8;

    /// True when nothing tells such a route from others.
    pub(super) const fn is_empty(&self) -> bool {
        self.med.is_none() && self.local_pref.is_none() && self.communities.is_empty()
    }
}

/// How a route goes out while an operator drains it ([`ha2bgp_core::route::Route::draining`]).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Drain {
    /// As any route that is the last choice.
    #[default]
    LastChoice,
    /// With these attributes.
    With(LastChoice),
    /// Not at all: it is withdrawn as long as it drains.
    Withdraw,
}

/// What is said with routes that are not like most.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    last_choice: Option<Arc<LastChoice>>,
    draining: Option<Arc<LastChoice>>,
    withdraws: bool,
}

impl Looks {
    pub(super) fn new(last_choice: LastChoice, drain: Drain) -> Self {
        let some = |it: LastChoice| Some(it).filter(|it| !it.is_empty()).map(Arc::new);
        let last_choice = some(last_choice);
        let (draining, withdraws) = match drain {
            Drain::LastChoice => (last_choice.clone(), false),
            Drain::With(attributes) => (some(attributes), false),
            Drain::Withdraw => (None, true),
        };
        Self { last_choice, draining, withdraws }
    }

    /// What becomes of a route: two that go out alike are equal.
    pub(super) fn route(&self, route: Route) -> Option<Route> {
        let drains = route.draining && self.draining != self.last_choice;
        if route.draining && self.withdraws {
            return None;
        }
        let look = if drains { &self.draining } else { &self.last_choice };
        let plain = Route::new(route.next_hop);
        let other = route.last_choice && look.is_some();
        Some(if other { Route { last_choice: true, draining: drains, ..plain } } else { plain })
    }

    /// What is said with one that [`Looks::route`] has made.
    pub(super) fn of(&self, route: Route) -> Option<Arc<LastChoice>> {
        let look = if route.draining { &self.draining } else { &self.last_choice };
        look.clone().filter(|_| route.last_choice)
    }
}

/// No text of it is longer: ` med 4294967295 local-preference 4294967295`, ` community [ `, each
/// `65535:65535 `, `]`.
pub(super) const TEXT_MAX: usize = 15 + 28 + 13 + LastChoice::COMMUNITIES_MAX * 12 + 1;

impl Default for LastChoice {
    /// The worst MED, LOCAL_PREF 0, and GRACEFUL_SHUTDOWN (RFC 8326).
    fn default() -> Self {
        Self { med: Some(u32::MAX), local_pref: Some(0), communities: Vec::from([0xffff_0000]) }
    }
}

impl fmt::Display for LastChoice {
    /// As it stands behind a next hop: a space, then the attributes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(med) = self.med {
            write!(f, " med {med}")?;
        }
        if let Some(local_pref) = self.local_pref {
            write!(f, " local-preference {local_pref}")?;
        }
        if self.communities.is_empty() {
            return Ok(());
        }
        f.write_str(" community [ ")?;
        for community in self.communities.iter().take(Self::COMMUNITIES_MAX) {
            write!(f, "{}:{} ", community >> 16, community & 0xffff)?;
        }
        f.write_char(']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_longest_text_has_its_limit() {
        let longest = LastChoice {
            med: Some(u32::MAX),
            local_pref: Some(u32::MAX),
            communities: [u32::MAX].repeat(9),
        };
        let text = longest.to_string();
        assert_eq!(text.len(), TEXT_MAX, "{text}");
        assert!(!longest.is_empty());
    }

    #[test]
    fn what_is_not_set_is_not_said() {
        let text = " med 4294967295 local-preference 0 community [ 65535:0 ]";
        assert_eq!(LastChoice::default().to_string(), text);
        let nothing = LastChoice { med: None, local_pref: None, communities: Vec::new() };
        assert!(nothing.is_empty() && nothing.to_string().is_empty());
    }
}
