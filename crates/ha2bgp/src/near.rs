//! What was meant by a name that does not exist: the name that is most like it.

/// Longer names are like none. Those of keys, checks and types have at most 64 characters, and
/// comparing takes time and memory that grow with the length.
const LENGTH_MAX: usize = 256;

/// A shorter part of a name is too little to know it by.
const PART_MIN: usize = 4;

/// The known name that is most like `asked`, the first of several; nothing when more than one
/// character and a quarter of `asked` would have to be changed, and it is no part of just one of them.
pub(crate) fn nearest<'a>(
    known: impl IntoIterator<Item = &'a str>,
    asked: &str,
) -> Option<&'a str> {
    if asked.len() > LENGTH_MAX {
        return None;
    }
    let length = asked.chars().count();
    let most = 1 + length / 4;
    let changes = |name: &'a str| {
        // Each character more or less is a change: often enough to know.
        let least = name.chars().count().abs_diff(length);
        let changes = (least <= most).then(|| strsim::damerau_levenshtein(name, asked));
        changes.filter(|changes| *changes <= most).map(|changes| (changes, name))
    };
    let known: Vec<&str> = known.into_iter().collect();
    let like = known.iter().copied().filter_map(changes).min_by_key(|(changes, _)| *changes);
    like.map(|(_, name)| name).or_else(|| part(&known, asked))
}

/// The one name that `asked` is the beginning or the end of, or the other way round.
fn part<'a>(known: &[&'a str], asked: &str) -> Option<&'a str> {
    let within = |long: &str, short: &str| {
        short.len() >= PART_MIN && (long.starts_with(short) || long.ends_with(short))
    };
    let mut found = known.iter().filter(|name| within(name, asked) || within(asked, name));
    found.next().copied().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let known = ["networks", "listen", "peer", "pear"];
        assert_eq!(nearest(known, "netwrks"), Some("networks"));
        assert_eq!(nearest(known, "lisetn"), Some("listen"));
        assert_eq!(nearest(known, "pexr"), Some("peer"), "the first of several");
        assert_eq!(nearest(known, "pear"), Some("pear"));
        assert_eq!(nearest(known, "doorbell"), None);
        assert_eq!(nearest(known, "中中中中中中"), None, "characters count, not octets");
        assert_eq!(nearest([], "x"), None);
        let known = ["restart-time", "notification", "local-pref", "hold-time"];
        assert_eq!(nearest(known, "local-preference"), Some("local-pref"));
        assert_eq!(nearest(known, "restart"), Some("restart-time"));
        assert_eq!(nearest(known, "time"), None, "of two");
    }

    #[test]
    fn what_is_far_too_long_is_not_compared() {
        let long = "a".repeat(LENGTH_MAX);
        assert_eq!(nearest([long.as_str()], &long), Some(long.as_str()));
        let longer = "a".repeat(LENGTH_MAX + 1);
        assert_eq!(nearest([longer.as_str()], &longer), None);
    }
}
