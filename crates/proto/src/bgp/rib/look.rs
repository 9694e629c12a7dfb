//! A look at single prefixes, without moving the walk.

use alloc::collections::BTreeSet;

use super::walk::{Passed, Phase};
use super::*;
use crate::bgp::export::Sent;

/// What the peer has of a prefix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::bgp) enum Held {
    Nothing,
    /// As these rules have it.
    Under(Arc<Export>, Sent),
    /// As rules had it that are no longer known; it is being said again.
    Older,
}

/// The Adj-RIB-Out as it is now.
pub(in crate::bgp) struct Look<'a> {
    rib: &'a Rib,
    passed: Passed,
}

impl Rib {
    /// To ask for several prefixes.
    pub(in crate::bgp) fn look(&self) -> Look<'_> {
        Look { rib: self, passed: self.passed() }
    }

    /// The first `limit` prefixes behind `after` that are desired or that the peer may have.
    pub(in crate::bgp) fn prefixes(&self, after: Option<Prefix>, limit: usize) -> Vec<Prefix> {
        let mut found = BTreeSet::new();
        for set in [&self.desired, &self.told, &self.stale] {
            let mut left = limit;
            let _ = RouteSet::new().diff_after(set, after, &mut |change| {
                if left == 0 {
                    return ControlFlow::Break(());
                }
                left -= 1;
                found.insert(change.prefix);
                ControlFlow::Continue(())
            });
        }
        found.into_iter().take(limit).collect()
    }
}

impl Look<'_> {
    /// What the peer has of a prefix: what [`Rib::commit`] would make of it.
    pub(in crate::bgp) fn held(&self, prefix: Prefix) -> Held {
        let Rib { told, desired, stale, stale_rules, export, .. } = self.rib;
        let Some(export) = export else { return Held::Nothing };
        let (before, after) = (told.get(prefix), desired.get(prefix));
        let sendable = |route| export.sent(prefix, route).is_some();
        let announced = self.passed.by(Phase::Announce, prefix);
        let withdrawn = self.passed.by(Phase::Withdraw, prefix);
        let taken = announced || withdrawn && sendable(before) && !sendable(after);
        if let Some(sent) = export.sent(prefix, if taken { after } else { before }) {
            return Held::Under(export.clone(), sent);
        }
        let gone = announced || self.passed.by(Phase::WithdrawStale, prefix) && !sendable(after);
        let Some(route) = stale.get(prefix).filter(|_| !gone) else { return Held::Nothing };
        let sent = stale_rules
            .as_ref()
            .and_then(|rules| Some(Held::Under(rules.clone(), rules.sent(prefix, Some(route))?)));
        sent.unwrap_or(Held::Older)
    }
}
