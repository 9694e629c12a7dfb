//! Log lines at a limited rate: so many of each kind in one second, and a count of the rest.
//!
//! A thousand services that die at once must not make the log the bottleneck, and must not hide the
//! one line of another kind that says why.

use std::collections::BTreeMap;
use std::time::Duration;

use ha2bgp_core::time::Instant;

use super::kind::Kind;

/// How many lines of one kind are written in one second.
pub(super) const LINES_PER_SECOND: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// What was written in the seconds that are not over.
#[derive(Debug, Default)]
pub(super) struct Limit {
    kinds: BTreeMap<Kind, Second>,
}

#[derive(Debug)]
struct Second {
    ends: Instant,
    lines: u32,
    left_out: u64,
}

impl Limit {
    /// Whether one more line of the kind may be written.
    pub(super) fn may_write(&mut self, kind: Kind, now: Instant) -> bool {
        let fresh = Second { ends: now + SECOND, lines: 0, left_out: 0 };
        let second = self.kinds.entry(kind).or_insert(fresh);
        if second.lines < LINES_PER_SECOND {
            second.lines += 1;
            true
        } else {
            second.left_out += 1;
            false
        }
    }

    /// When the first of these seconds is over in which something was left out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let seconds = self.kinds.values().filter(|second| second.left_out > 0);
        seconds.map(|second| second.ends).min()
    }

    /// Ends the seconds that are over; says of which kinds how many lines were left out in them.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(Kind, u64)> {
        let over: Vec<Kind> = self
            .kinds
            .iter()
            .filter(|(_, second)| second.ends <= now)
            .map(|(kind, _)| *kind)
            .collect();
        let ended = over.into_iter().filter_map(|kind| Some((kind, self.kinds.remove(&kind)?)));
        ended
            .map(|(kind, second)| (kind, second.left_out))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_limit_and_what_is_left_out_is_counted() {
        let mut limit = Limit::default();
        let at = Instant::from_millis;
        let (noisy, rare) = (Kind::RouteWithdrawn, Kind::SourceUnknown);
        let written = (0..1000).filter(|_| limit.may_write(noisy, at(0))).count();
        assert_eq!(written, 100);
        assert!(limit.may_write(rare, at(500)));
        assert_eq!(limit.deadline(), Some(at(1000)));
        assert_eq!(limit.expire(at(999)), []);
        assert_eq!(limit.expire(at(1000)), [(noisy, 900)]);
        assert!(limit.may_write(noisy, at(1000)));
        assert_eq!((limit.deadline(), limit.expire(at(9000))), (None, vec![]));
    }
}
