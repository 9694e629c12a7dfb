//! `type = "push"`: what is reported of what somebody sends, and of silence.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp::observe::check::push::{By, List, Push, PushName, Request, Taken};
use ha2bgp_core::check::{Outcome, ProbeResult};
use tokio::sync::{mpsc, oneshot};

use crate::stand::{SOON, Stand, VIP, checks};

const CONTROL: &str = "[control]\nunix = \"/run/x.sock\"\n";

/// Checks that run, and the way to push to them.
struct Pushed {
    stand: Stand,
    hub: mpsc::Sender<Request>,
}

impl Pushed {
    /// One service with the check `x`, and nothing wanted yet.
    fn new(keys: &str) -> Self {
        Self::of(&format!("[service.checks.x]\ntype = \"push\"\n{keys}"))
    }

    fn of(text: &str) -> Self {
        let (hub, requests) = mpsc::channel(4);
        Self { stand: Stand::idle_with(checks(&format!("{text}{CONTROL}")), requests), hub }
    }

    async fn push(&self, at: (Option<&str>, &str), outcome: Outcome, ttl: u64) -> Taken {
        self.push_for(at, None, outcome, ttl).await
    }

    async fn push_for(
        &self,
        (service, check): (Option<&str>, &str),
        vip: Option<&str>,
        outcome: Outcome,
        ttl: u64,
    ) -> Taken {
        let (answer, answered) = oneshot::channel();
        let push = Push {
            name: PushName { service: service.map(Into::into), check: check.into() },
            vip: vip.map(|vip| vip.parse().unwrap()),
            result: ProbeResult::new(outcome, outcome.name()),
            ttl: Duration::from_millis(ttl),
            by: By { author: "ann".into(), uid: Some(7) },
        };
        self.hub.send(Request::Push(push, answer)).await.unwrap();
        tokio::time::timeout(SOON, answered).await.unwrap().unwrap()
    }

    async fn list(&self) -> List {
        let (answer, answered) = oneshot::channel();
        self.hub.send(Request::List(None, answer)).await.unwrap();
        tokio::time::timeout(SOON, answered).await.unwrap().unwrap()
    }

    /// The next result, of a VIP or of all.
    async fn next(&mut self, vip: Option<&str>) -> (Outcome, String) {
        let result = self.stand.next_of(vip).await;
        (result.outcome, result.detail.to_string())
    }
}

const X: (Option<&str>, &str) = (Some("web"), "x");
const LONG: u64 = 60_000;

fn said(outcome: Outcome, detail: &str) -> (Outcome, String) {
    (outcome, detail.to_owned())
}

#[tokio::test]
async fn every_push_is_one_result() {
    let mut pushed = Pushed::new("");
    pushed.stand.want(&[VIP]);
    for outcome in Outcome::ALL.into_iter().chain([Outcome::Fail, Outcome::Fail]) {
        assert_eq!(pushed.push(X, outcome, LONG).await, Taken::Yes);
        assert_eq!(pushed.next(None).await, said(outcome, outcome.name()));
    }
    for wrong in [(Some("web"), "y"), (None, "x"), (Some("x"), "x")] {
        assert_eq!(pushed.push(wrong, Outcome::Fail, LONG).await, Taken::NoSuchCheck);
    }
    pushed.stand.end().await;
}

/// Silence is reported when the time is over, and once more for each further time: so `fall`
/// counts it.
#[tokio::test]
async fn silence_is_reported() {
    let mut pushed = Pushed::new("ttl = \"100ms\"\non-expiry = \"fail\"\n");
    pushed.stand.want(&[VIP]);
    for _ in 0..2 {
        let silence = said(Outcome::Fail, "nothing was pushed yet, for 100ms");
        assert_eq!(pushed.next(None).await, silence);
    }
    pushed.push(X, Outcome::Pass, 120).await;
    while pushed.next(None).await != said(Outcome::Pass, "pass") {}
    let silence = said(Outcome::Fail, "nothing was pushed for 120ms; the last was pass: pass");
    for _ in 0..3 {
        assert_eq!(pushed.next(None).await, silence);
    }
    let mut unknown = Pushed::new("ttl = \"100ms\"\n");
    unknown.stand.want(&[VIP]);
    assert_eq!(unknown.next(None).await.0, Outcome::Unknown);
    unknown.stand.end().await;
    pushed.stand.end().await;
}

/// A push in time puts off the end of the one before.
#[tokio::test]
async fn a_push_in_time_renews() {
    let mut pushed = Pushed::new("on-expiry = \"fail\"\n");
    pushed.stand.want(&[VIP]);
    for ttl in [1000, LONG] {
        pushed.push(X, Outcome::Pass, ttl).await;
        assert_eq!(pushed.next(None).await.0, Outcome::Pass);
    }
    let more = tokio::time::timeout(Duration::from_millis(1500), pushed.next(None)).await;
    assert!(more.is_err(), "{more:?}");
    pushed.stand.end().await;
}

/// What is pushed before a service has a VIP is told when it has one, as far as its time goes.
#[tokio::test]
async fn what_nobody_wants_yet_is_kept() {
    let mut pushed = Pushed::new("");
    assert_eq!(pushed.push(X, Outcome::Fail, LONG).await, Taken::Yes);
    let list = pushed.list().await;
    assert!(!list.entries[0].wanted && list.entries[0].last.is_some());
    pushed.stand.want(&[VIP]);
    assert_eq!(pushed.next(None).await, said(Outcome::Fail, "fail"));
    pushed.stand.want(&[]);
    pushed.stand.end().await;

    let mut pushed = Pushed::new("");
    pushed.push(X, Outcome::Pass, 100).await;
    while pushed.list().await.entries[0].last.as_ref().unwrap().age < Duration::from_millis(100) {}
    pushed.stand.want(&[VIP]);
    let silence = said(Outcome::Unknown, "nothing was pushed for 100ms; the last was pass: pass");
    assert_eq!(pushed.next(None).await, silence);
    pushed.stand.end().await;
}

#[tokio::test]
async fn each_vip_has_results_of_its_own() {
    let other = "127.0.0.2";
    let mut pushed = Pushed::new("per-vip = true\n");
    let push = |vip| pushed.push_for(X, Some(vip), Outcome::Pass, LONG);
    assert_eq!(push(VIP).await, Taken::NoSuchVip(vec![]));
    pushed.stand.want(&[VIP, other]);
    let wait = async { while pushed.list().await.entries.len() < 2 {} };
    tokio::time::timeout(SOON, wait).await.unwrap();
    assert_eq!(pushed.push_for(X, Some(VIP), Outcome::Pass, LONG).await, Taken::Yes);
    assert_eq!(pushed.push_for(X, Some(other), Outcome::Fail, LONG).await, Taken::Yes);
    let there: Vec<IpAddr> = vec![VIP.parse().unwrap(), other.parse().unwrap()];
    let third = pushed.push_for(X, Some("127.0.0.3"), Outcome::Fail, LONG).await;
    assert_eq!(third, Taken::NoSuchVip(there));
    assert_eq!(pushed.next(Some(VIP)).await.0, Outcome::Pass);
    assert_eq!(pushed.next(Some(other)).await.0, Outcome::Fail);
    pushed.stand.end().await;
}

/// Two checks that look alike are two; one of all services is one, whoever uses it.
#[tokio::test]
async fn whose_a_push_is() {
    let two = "rule = \"all(x, up)\"\n[service.checks.x]\ntype = \"push\"\n\
               [[service]]\nname = \"dns\"\nvips = [\"127.0.0.9\"]\nrule = \"all(x, up)\"\n\
               [service.checks.x]\ntype = \"push\"\n[checks.up]\ntype = \"push\"\n";
    let mut pushed = Pushed::of(two);
    let names = |list: &List| -> Vec<String> {
        list.entries.iter().map(|entry| entry.name.to_string()).collect()
    };
    assert_eq!(names(&pushed.list().await), ["web/x", "up", "dns/x"]);
    pushed.stand.want(&[VIP]);
    pushed.push((Some("dns"), "x"), Outcome::Fail, LONG).await;
    assert_eq!(pushed.next(None).await.0, Outcome::Fail);
    pushed.push((None, "up"), Outcome::Warn, LONG).await;
    for _ in 0..2 {
        assert_eq!(pushed.next(None).await.0, Outcome::Warn);
    }
    pushed.push(X, Outcome::Pass, LONG).await;
    assert_eq!(pushed.next(None).await.0, Outcome::Pass);
    let list = pushed.list().await;
    // The stand wants each of them for its VIP too.
    let own = list.entries.iter().filter(|entry| entry.vip.is_none());
    let last: Vec<_> = own.map(|entry| entry.last.as_ref().unwrap()).collect();
    let outcomes: Vec<Outcome> = last.iter().map(|last| last.result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Warn, Outcome::Fail]);
    assert!(last.iter().all(|last| last.by.uid == Some(7)));
    pushed.stand.end().await;
}
