//! What must hold for any text of a rule: the body of the fuzz target `rule`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use super::parse;
use crate::check::Outcome;

/// The first octets say what the checks say, the rest is the text: a rule that judges as it must,
/// or an error with its place inside the text.
#[doc(hidden)]
pub fn fuzz_rule(input: &[u8]) {
    let (said, text) = input.split_at(input.len().min(4));
    let Ok(text) = core::str::from_utf8(text) else { return };
    let rule = match parse(text) {
        Ok(rule) => rule,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{:?} is outside", error.span);
            assert!(!error.message.is_empty());
            return;
        }
    };
    let mut names = 0_usize;
    rule.for_each(&mut |name| {
        assert_eq!(text.get(name.span.clone()), Some(name.text.as_str()));
        names += 1;
    });
    let mut asked = 0_usize;
    let outcomes = [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Unknown];
    let found = rule.judge(&mut |_| {
        let octet = said.get(asked % said.len().max(1)).copied().unwrap_or(0);
        asked += 1;
        outcomes.get(usize::from(octet % 5)).copied()
    });
    assert_eq!(asked, names, "each check is asked once");
    if let Some((_, decider)) = found {
        assert!(text.get(decider.span.clone()).is_some());
    }
    let same = rule.try_map(&mut |name| Ok::<_, ()>(name.clone()));
    assert_eq!(same, Ok(rule));
}
