use alloc::string::ToString as _;
use alloc::vec::Vec;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_core::time::Instant;
use proptest::prelude::*;

use super::*;

#[test]
fn conditions() {
    let read = |text: &str| text.parse::<Condition>().unwrap();
    let full = Condition { trouble: Trouble::Full, hold: Duration::from_secs(2) };
    assert_eq!(read("full for 2s"), full);
    assert_eq!(read("  full   for 2000ms "), full);
    assert_eq!(read("80% for 5s").trouble, Trouble::Share(80));
    assert_eq!(read("drops for 0s").hold, Duration::ZERO);
    assert_eq!(read("stuck for 1m").to_string(), "stuck for 60s");
    assert_eq!(read("100% for 250ms").to_string(), "100% for 250ms");
    assert_eq!(read("full for 1h").hold, HOLD_MAX);
}

#[test]
fn errors_say_what_to_write() {
    let error = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
    assert_eq!(
        error("full"),
        "\"full\" is no condition of a queue: write WHAT for TIME, for example \"full for 2s\""
    );
    for text in ["", "full for", "full 2s", "full for 2 s", "full for 2s or stuck for 1s"] {
        assert!(error(text).contains("no condition"), "{text}");
    }
    assert_eq!(
        error("ful for 2s"),
        "\"ful\" is nothing that a queue can be: did you mean full? write full, stuck, drops, or a \
         share such as 80%"
    );
    assert!(error("hung for 2s").contains("did you mean stuck?"));
    for text in ["0% for 1s", "101% for 1s", "% for 1s", "-1% for 1s", "+5% for 1s"] {
        assert!(error(text).contains("no share"), "{text}");
    }
    for time in ["2", "s", "2d", "2h", "+2s", "1.5s", "99999999999999999999s", "1m30s"] {
        assert!(error(&alloc::format!("full for {time}")).contains("no time"), "{time}");
    }
}

/// A monitor that is fed every 250 ms of virtual time.
struct Run {
    monitor: Monitor,
    now: Instant,
}

impl Run {
    fn new(fail: &[&str], warn: &[&str]) -> Self {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let rules = Rules { fail: read(fail), warn: read(warn) };
        Self { monitor: Monitor::new(rules, STEP), now: Instant::START }
    }

    fn many(&mut self, samples: &[Sample]) -> ProbeResult {
        self.now = self.now + STEP;
        self.monitor.observe(samples, self.now)
    }

    fn one(&mut self, queue: u32, drops: u32) -> String {
        let result = self.many(&[sample(1, queue, drops)]);
        alloc::format!("{} {}", result.outcome, result.detail)
    }

    /// The outcomes for these queues, one letter each.
    fn queues(&mut self, queues: &[u32]) -> String {
        let mut letter = |queue: &u32| self.one(*queue, 0).chars().next().unwrap();
        queues.iter().map(&mut letter).collect()
    }
}

const STEP: Duration = Duration::from_millis(250);

fn sample(cookie: u64, queue: u32, drops: u32) -> Sample {
    Sample {
        cookie,
        address: "100.64.0.10:443".parse().unwrap(),
        inode: 7000 + u32::try_from(cookie).unwrap(),
        queue,
        backlog: 128,
        drops: Some(drops),
    }
}

#[test]
fn a_queue_that_is_full_for_a_while() {
    let mut run = Run::new(&["full for 2s"], &["full for 1s"]);
    assert_eq!(run.one(128, 0), "pass queue 128 of 128 on 100.64.0.10:443");
    assert_eq!(run.one(129, 3), "pass queue 129 of 128 on 100.64.0.10:443 for 0.0 s, 3 drops");
    assert_eq!(run.queues(&[129; 3]), "ppp");
    assert_eq!(run.one(129, 4), "warn queue 129 of 128 on 100.64.0.10:443 for 1.0 s, 4 drops");
    assert_eq!(run.queues(&[129; 3]), "www");
    assert_eq!(run.one(129, 37), "fail queue 129 of 128 on 100.64.0.10:443 for 2.0 s, 37 drops");
    // One accept ends it, and it begins anew.
    assert_eq!(run.queues(&[128, 129, 129, 129, 129, 129]), "pppppw");
}

#[test]
fn a_share_of_the_queue() {
    let mut run = Run::new(&[], &["80% for 500ms"]);
    assert_eq!(run.queues(&[102, 102, 102, 102]), "pppp", "79.6 %");
    assert_eq!(run.queues(&[103, 110, 129, 102, 103]), "ppwpp");
    run.one(110, 0);
    assert_eq!(run.one(110, 0), "warn queue 110 of 128 on 100.64.0.10:443, 80% or more for 0.5 s");
    let none = Sample { backlog: 0, ..sample(1, 0, 0) };
    assert_eq!(run.many(&[none]).outcome, Outcome::Pass, "an empty queue without a backlog");
}

#[test]
fn a_process_that_accepts_nothing() {
    let mut run = Run::new(&["stuck for 1s"], &[]);
    assert_eq!(run.queues(&[0, 0, 0, 0, 0, 0]), "pppppp", "nothing to accept");
    assert_eq!(run.queues(&[1, 1, 2, 2, 5]), "ppppf", "a queue that only grows");
    assert_eq!(run.one(5, 0), "fail queue 5 of 128 on 100.64.0.10:443, nothing accepted for 1.2 s");
    assert_eq!(run.queues(&[4, 4, 4, 4, 4]), "ppppf", "one accept begins it anew");
    assert_eq!(run.queues(&[3, 4, 3, 4, 3, 4, 3, 4]), "pppppppp", "slow, but alive");
}

#[test]
fn drops_that_go_on() {
    let mut run = Run::new(&[], &["drops for 1s"]);
    let mut say = |drops| run.one(9, drops).chars().next().unwrap();
    // What was dropped before is no news; one drop alone is no trouble.
    let mut said: String = [500, 500, 501, 501, 501, 501, 501, 501].map(&mut say).iter().collect();
    assert_eq!(said, "pppppppp");
    said = [502, 503, 504, 504, 506].map(&mut say).iter().collect();
    assert_eq!(said, "ppppw");
    // It lasts until there was none for a second.
    said = [506, 506, 506, 506, 506].map(&mut say).iter().collect();
    assert_eq!(said, "wwwpp");
    // The counter begins anew after 2^32; a step back is none.
    assert_eq!(run.one(9, u32::MAX), "pass queue 9 of 128 on 100.64.0.10:443");
    for drops in [1, 2, 3, 4] {
        run.one(9, drops);
    }
    assert_eq!(
        run.one(9, 5),
        "warn queue 9 of 128 on 100.64.0.10:443, dropping for 1.0 s, 6 drops"
    );
}

#[test]
fn the_worst_of_a_group_counts() {
    let mut run = Run::new(&["stuck for 1s"], &["full for 0s"]);
    let group = |one: u32, two: u32| [sample(1, one, 0), sample(2, two, 0), sample(3, 0, 0)];
    let mut queue = 0;
    let result = (0..6).map(|_| {
        queue = 5 - queue;
        run.many(&group(queue, 2))
    });
    let result = result.last().unwrap();
    assert_eq!(result.outcome, Outcome::Fail);
    assert_eq!(
        &*result.detail,
        "queue 2 of 128 on 100.64.0.10:443, nothing accepted for 1.2 s; socket inode 7002, the \
         worst of 3 there"
    );
    let result = run.many(&group(129, 1));
    assert_eq!(result.outcome, Outcome::Warn, "{}", result.detail);
    assert!(result.detail.contains("inode 7001"), "{}", result.detail);
    // A member that is closed takes its trouble with it.
    let result = run.many(&[sample(3, 0, 0)]);
    assert_eq!(&*result.detail, "queue 0 of 128 on 100.64.0.10:443");
}

#[test]
fn what_was_not_seen_is_not_counted() {
    let mut run = Run::new(&["full for 1s"], &[]);
    assert_eq!(run.queues(&[129, 129, 129]), "ppp");
    run.now = run.now + Duration::from_secs(60);
    assert_eq!(run.queues(&[129, 129, 129, 129, 129]), "ppppf", "frozen for a minute");
    run.monitor.forget();
    assert_eq!(run.queues(&[129]), "p");
    let gone = run.many(&[]);
    assert_eq!((gone.outcome, &*gone.detail), (Outcome::Unknown, "no socket listens on it"));
    assert_eq!(run.queues(&[129; 5]), "ppppf");
    let mut blind = sample(1, 9, 0);
    blind.drops = None;
    let mut run = Run::new(&["drops for 0s"], &[]);
    for _ in 0..3 {
        assert_eq!(run.many(&[blind]).outcome, Outcome::Pass, "a kernel that tells no drops");
    }
}

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_accept_queue(&octets);
    }

    #[test]
    fn nearly_right_input(
        fail in "(full|stuck|drops|[0-9]{1,3}%) for [0-9]{1,2}(ms|s)",
        warn in "(full|stuck|drops|80%) for [0-3]s",
        octets: Vec<u8>,
    ) {
        let mut input = alloc::format!("{fail}\n{warn}\n").into_bytes();
        input.extend_from_slice(&octets);
        fuzz_accept_queue(&input);
    }
}
