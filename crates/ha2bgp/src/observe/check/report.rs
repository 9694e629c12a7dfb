//! Whom the results of one probe are for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{CheckKey, Counting, ProbeResult, Streak};
use ha2bgp_core::fact::Observation;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::observe::Seen;

/// Reports the results of one probe to every check that uses it. A clone reports for the same ones.
#[derive(Clone, Debug)]
pub struct Reporter {
    users: Rc<RefCell<BTreeMap<CheckKey, Counting>>>,
    /// The newest result.
    last: Rc<RefCell<Option<ProbeResult>>>,
    observed: mpsc::Sender<Seen>,
}

impl Reporter {
    pub(super) fn new(users: BTreeMap<CheckKey, Counting>, observed: mpsc::Sender<Seen>) -> Self {
        Self { users: Rc::new(RefCell::new(users)), last: Rc::default(), observed }
    }

    /// Reports a result. False when nobody listens any more.
    pub async fn report(&self, result: ProbeResult) -> bool {
        self.report_timed(result, None).await
    }

    /// The same, with how long the probe took.
    pub(super) async fn report_timed(&self, result: ProbeResult, took: Option<Duration>) -> bool {
        self.last.replace(Some(result.clone()));
        let users = self.users.borrow().keys().copied().collect();
        self.tell(users, result, took).await
    }

    /// The same for what is not a probe in a row: a result like the last one is news only where
    /// results are counted.
    pub async fn report_change(&self, result: ProbeResult) -> bool {
        let counted = |counting: &Counting| counting.rise > 1 || counting.fall > 1;
        let news = self.last.borrow().as_ref() != Some(&result)
            || self.users.borrow().values().any(counted);
        if news { self.report(result).await } else { !self.observed.is_closed() }
    }

    /// Puts these in the place of the users that there were. Who is new is told the newest result:
    /// the next one may be far away. False when nobody listens any more.
    pub(super) async fn set_users(&self, users: BTreeMap<CheckKey, Counting>) -> bool {
        let before = self.users.replace(users);
        let Some(result) = self.last.borrow().clone() else { return true };
        let is_new = |check: &CheckKey| !before.contains_key(check);
        let new = self.users.borrow().keys().copied().filter(is_new).collect();
        self.tell(new, result, None).await
    }

    /// True while some check is about to change its verdict.
    pub(super) fn is_deciding(&self, streak: &Streak) -> bool {
        self.users.borrow().values().any(|counting| streak.is_deciding(counting))
    }

    async fn tell(
        &self,
        users: Vec<CheckKey>,
        result: ProbeResult,
        took: Option<Duration>,
    ) -> bool {
        let at = Instant::now();
        for check in users {
            let what = Observation::Probed { check, result: result.clone() };
            if self.observed.send(Seen { at, took, what }).await.is_err() {
                return false;
            }
        }
        true
    }
}
