//! What must hold whatever is in a file: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use core::time::Duration;

use ha2bgp_core::check::{DETAIL_MAX, Outcome};

use super::{FileFacts, FileLimits, FileRule};

/// A line with a pattern, an octet for age and limits, then the content: a file is good for only
/// one of the two presences, and every verdict has a short text.
#[doc(hidden)]
pub fn fuzz_file_rule(input: &[u8]) {
    let mut parts = input.splitn(2, |octet| *octet == b'\n');
    let pattern = core::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let Some((numbers, content)) = parts.next().and_then(<[u8]>::split_first) else { return };
    let limits = FileLimits {
        contains: pattern.parse().ok(),
        max_age: (numbers & 1 == 1).then_some(Duration::from_secs(60)),
        min_size: (numbers & 2 == 2).then_some(8),
    };
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let age = Duration::from_millis(u64::from(*numbers) * 500);
    let facts = Some(FileFacts { size, age, content, truncated: numbers & 4 == 4 });
    let exists = FileRule::Exists(limits.clone());
    let results = [
        FileRule::Absent.judge(facts),
        FileRule::Absent.judge(None),
        exists.judge(facts),
        exists.judge(None),
    ];
    for result in &results {
        assert!(!result.detail.is_empty() && result.detail.len() <= DETAIL_MAX, "a short text");
    }
    let [present, gone, good, missing] = results.map(|result| result.outcome);
    assert_eq!((present, gone, missing), (Outcome::Fail, Outcome::Pass, Outcome::Fail), "presence");
    let young = limits.max_age.is_none_or(|most| age <= most);
    let large = limits.min_size.is_none_or(|least| size >= least);
    let right = limits.contains.is_none_or(|pattern| pattern.is_in(content));
    assert_eq!(good == Outcome::Pass, young && large && right, "all limits, and only these");
}
