//! The table of what was pushed last, and the one task that takes pushes and reports them.
//!
//! It runs with all checks on their thread: nothing here is shared with another one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::ProbeResult;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::super::Reporter;
use super::super::{CheckSpec, ProbeSpec, Target, Watched};
use super::{By, LIST_MAX, Last, List, Listed, Push, PushName, PushSpec, Request, TTL_MIN, Taken};
use crate::config::duration;

/// The place of a check in the specifications, and the VIP where each has results of its own.
type Key = (usize, Option<IpAddr>);

#[derive(Debug, Default)]
struct Entry {
    /// Whom it is reported to, and which of all that came to be so this one is.
    reporter: Option<(u64, Reporter)>,
    held: Option<Held>,
    /// When a time is over.
    due: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Held {
    result: ProbeResult,
    at: Instant,
    ttl: Duration,
    by: By,
}

/// What was pushed, and to whom it is reported.
#[derive(Debug)]
pub struct Hub {
    state: RefCell<State>,
    /// Another time may be over first.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    specs: BTreeMap<usize, PushSpec>,
    names: BTreeMap<PushName, usize>,
    entries: BTreeMap<Key, Entry>,
    /// The same moments as in the entries, the first one first.
    due: BTreeSet<(Instant, Key)>,
    joined: u64,
}

impl State {
    fn set_due(&mut self, key: Key, due: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(before) = std::mem::replace(&mut entry.due, due) {
            self.due.remove(&(before, key));
        }
        self.due.extend(due.map(|at| (at, key)));
    }

    /// What is reported when nothing came in time.
    fn expired(&self, place: usize, held: Option<&Held>) -> Option<ProbeResult> {
        let spec = self.specs.get(&place)?;
        let text = match held {
            Some(held) => format!(
                "nothing was pushed for {}; the last was {}: {}",
                duration::show(held.ttl),
                held.result.outcome,
                held.result.detail
            ),
            None => format!("nothing was pushed yet, for {}", duration::show(spec.ttl)),
        };
        Some(ProbeResult::new(spec.on_expiry, &text))
    }
}

/// Whoever wants the results of a check, until it is dropped.
struct Joined {
    hub: Rc<Hub>,
    key: Key,
    number: u64,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut state = self.hub.state.borrow_mut();
        let mine = |entry: &Entry| entry.reporter.as_ref().is_some_and(|it| it.0 == self.number);
        if !state.entries.get(&self.key).is_some_and(mine) {
            return;
        }
        state.set_due(self.key, None);
        if self.key.1.is_some() {
            state.entries.remove(&self.key);
        } else if let Some(entry) = state.entries.get_mut(&self.key) {
            entry.reporter = None;
        }
    }
}

impl Hub {
    /// A hub for those of the specifications that are pushed.
    pub fn new(specs: &BTreeMap<usize, CheckSpec>) -> Rc<Self> {
        let hub = Self { state: RefCell::default(), changed: Notify::new() };
        hub.set_specs(specs);
        Rc::new(hub)
    }

    /// Others count from now on. What was pushed stays for those whose place is the same.
    pub fn set_specs(&self, specs: &BTreeMap<usize, CheckSpec>) {
        let mut state = self.state.borrow_mut();
        let mut own = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (place, spec) in specs {
            let ProbeSpec::Watched(Watched::Push(push)) = &spec.probe else { continue };
            names.insert(push.name.clone(), *place);
            if !push.per_vip {
                state.entries.entry((*place, None)).or_default();
            }
            own.insert(*place, push.clone());
        }
        state.entries.retain(|(place, _), _| own.contains_key(place));
        state.due.retain(|(_, (place, _))| own.contains_key(place));
        (state.specs, state.names) = (own, names);
    }

    /// Wants the results of a check: reports what counts now, and begins to wait for more.
    fn join(self: &Rc<Self>, key: Key, reporter: Reporter) -> (Joined, Option<ProbeResult>) {
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        state.joined += 1;
        let number = state.joined;
        let entry = state.entries.entry(key).or_default();
        entry.reporter = Some((number, reporter));
        let held = entry.held.clone();
        let ttl = state.specs.get(&key.0).map_or(duration::MAX, |spec| spec.ttl);
        let (result, due) = match held {
            Some(held) if now < held.at + held.ttl => (Some(held.result), held.at + held.ttl),
            Some(held) => (state.expired(key.0, Some(&held)), now + ttl),
            None => (None, now + ttl),
        };
        state.set_due(key, Some(due));
        drop(state);
        self.changed.notify_one();
        (Joined { hub: self.clone(), key, number }, result)
    }

    /// Takes a result.
    async fn push(&self, push: Push) -> Taken {
        let reporter = {
            let mut state = self.state.borrow_mut();
            let Some(place) = state.names.get(&push.name).copied() else {
                return Taken::NoSuchCheck;
            };
            let key = (place, push.vip);
            let Some(entry) = state.entries.get_mut(&key) else {
                let of_it =
                    state.entries.range((place, None)..).take_while(|(key, _)| key.0 == place);
                return Taken::NoSuchVip(of_it.filter_map(|(key, _)| key.1).take(3).collect());
            };
            let (at, ttl) = (Instant::now(), push.ttl);
            let result = push.result.clone();
            entry.held = Some(Held { result, at, ttl, by: push.by });
            let reporter = entry.reporter.as_ref().map(|(_, reporter)| reporter.clone());
            state.set_due(key, reporter.is_some().then(|| at + ttl));
            reporter
        };
        if let Some(reporter) = reporter {
            reporter.report(push.result).await;
        }
        Taken::Yes
    }

    /// Reports that times are over; each further time counts as one more bad result.
    async fn expire(&self) {
        let now = Instant::now();
        loop {
            let (reporter, result) = {
                let mut state = self.state.borrow_mut();
                let Some((at, key)) = state.due.first().copied() else { return };
                if at > now {
                    return;
                }
                let Some(entry) = state.entries.get(&key) else {
                    state.due.remove(&(at, key));
                    continue;
                };
                let held = entry.held.clone();
                let reporter = entry.reporter.as_ref().map(|(_, reporter)| reporter.clone());
                let ttl = match &held {
                    Some(held) => Some(held.ttl),
                    None => state.specs.get(&key.0).map(|spec| spec.ttl),
                };
                state.set_due(key, ttl.map(|ttl| now + ttl.max(TTL_MIN)));
                (reporter, state.expired(key.0, held.as_ref()))
            };
            if let (Some(reporter), Some(result)) = (reporter, result) {
                reporter.report(result).await;
            }
        }
    }

    fn list(&self, only: Option<&PushName>) -> List {
        let state = self.state.borrow();
        let now = Instant::now();
        let mut list = List::default();
        for ((place, vip), entry) in &state.entries {
            let Some(spec) = state.specs.get(place) else { continue };
            if only.is_some_and(|only| spec.name != *only) {
                continue;
            }
            if list.entries.len() == LIST_MAX {
                list.left_out += 1;
                continue;
            }
            let last = entry.held.as_ref().map(|held| Last {
                result: held.result.clone(),
                age: now - held.at,
                ttl: held.ttl,
                by: held.by.clone(),
            });
            let wanted = entry.reporter.is_some();
            list.entries.push(Listed { name: spec.name.clone(), vip: *vip, wanted, last });
        }
        list
    }
}

/// Takes requests and reports, until it is dropped.
pub async fn serve(hub: Rc<Hub>, mut requests: mpsc::Receiver<Request>) {
    let mut open = true;
    loop {
        let due = hub.state.borrow().due.first().map(|(at, _)| *at);
        let over = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = requests.recv(), if open => match request {
                Some(Request::Push(push, answer)) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(hub.push(push).await);
                }
                Some(Request::List(only, answer)) => {
                    let _ = answer.send(hub.list(only.as_ref()));
                }
                None => open = false,
            },
            () = hub.changed.notified() => {}
            () = over => hub.expire().await,
        }
    }
}

/// Reports what is pushed for one target, until it is dropped.
pub async fn stand(hub: Rc<Hub>, place: usize, at: Target, reporter: Reporter) {
    // First in the table, then told: what comes meanwhile waits behind it.
    let (_joined, result) = hub.join((place, at.vip), reporter.clone());
    if let Some(result) = result {
        reporter.report(result).await;
    }
    std::future::pending::<()>().await;
}
