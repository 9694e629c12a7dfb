//! What must hold for any condition and any samples: the body of a fuzz target in `fuzz/`,
//! replayed by `cargo test`. A broken rule panics; nothing else calls this.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use ha2bgp_core::check::{DETAIL_MAX, Outcome};
use ha2bgp_core::time::Instant;

use super::{Condition, Monitor, Rules, Sample};

/// A line that fails, a line that warns, then samples of two listeners, four octets each: the time
/// since the last, the queue, the backlog and the drops of both. What was written back is read as
/// the same; a verdict has its reason; an empty queue without drops is good.
#[doc(hidden)]
pub fn fuzz_accept_queue(input: &[u8]) {
    let mut parts = input.splitn(3, |octet| *octet == b'\n');
    let mut condition = || {
        let line = core::str::from_utf8(parts.next()?).ok()?;
        match line.parse::<Condition>() {
            Ok(condition) => {
                assert_eq!(condition.to_string().parse(), Ok(condition), "written back");
                Some(condition)
            }
            Err(error) => {
                assert!(error.to_string().contains("write"), "an error names the fix");
                None
            }
        }
    };
    let rules =
        Rules { fail: condition().into_iter().collect(), warn: condition().into_iter().collect() };
    let mut monitor = Monitor::new(rules.clone(), Duration::from_millis(250));
    let mut now = Instant::START;
    let mut before: Vec<Sample> = Vec::new();
    for octets in parts.next().unwrap_or_default().chunks_exact(4).take(1024) {
        let &[time, queue, backlog, drops] = octets else { continue };
        now = now + Duration::from_millis(u64::from(time) * 10);
        let sample = |cookie: u8| Sample {
            cookie: cookie.into(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 80)),
            inode: cookie.into(),
            queue: u32::from(queue >> cookie),
            backlog: u32::from(backlog),
            drops: (drops != 255).then(|| u32::from(drops)),
        };
        let samples: Vec<Sample> = (0..time % 3).map(sample).collect();
        let result = monitor.observe(&samples, now);
        let text = &result.detail;
        assert!(!text.is_empty() && text.len() <= DETAIL_MAX, "a short text");
        match result.outcome {
            Outcome::Fail => assert!(!rules.fail.is_empty(), "{text}"),
            Outcome::Warn => assert!(!rules.warn.is_empty(), "{text}"),
            Outcome::Unknown => assert!(samples.is_empty(), "{text}"),
            Outcome::Pass => {}
        }
        before = samples;
    }
    for sample in &mut before {
        sample.queue = 0;
    }
    // Twice, with a pause that ends whatever was dropped.
    for _ in 0..2 {
        now = now + Duration::from_secs(1);
        let result = monitor.observe(&before, now);
        assert!(!matches!(result.outcome, Outcome::Fail | Outcome::Warn), "{}", result.detail);
    }
}
