//! The reference page of the configuration file, made from the table of keys; and which sections
//! there are, for it and for the example.

use super::keys::{self, Key};
use crate::cli::flags::FLAGS;
use crate::config::check::{self, KINDS};

/// What stands before the tables.
const HEAD: &str = include_str!("reference.md");

/// The sections in the order of the page, each with a word on it.
pub(super) const SECTIONS: &[(&str, &str, &str)] = &[
    ("", "Top of the file", "Before the first `[section]`."),
    ("discover", "`[discover]`", "Which services there are."),
    ("defaults", "`[defaults]`", "What holds for every service."),
    (
        "defaults.damping",
        "`[defaults.damping]`",
        "Flap damping; `damping = false` in `[defaults]` switches it off.",
    ),
    (
        "defaults.route",
        "`[defaults.route]`",
        "What is announced with every route. A peer may have its own, key by key. ExaBGP is told \
         the next hop, and what is otherwise about the last choice.",
    ),
    (
        "defaults.route.last-choice",
        "`[defaults.route.last-choice]`",
        "What is otherwise about a route that is the last choice: that of a service which warns, with \
         `on-warn = \"depreference\"`. A peer may have its own, key by key. ExaBGP is told all but \
         `prepend`. [speaker.md](speaker.md) says what routers make of each.",
    ),
    (
        "service",
        "`[[service]]`",
        "What counts for some addresses; one section each. Addresses that no service has count by \
         [defaults] and are checked by `all(listen, address)`.",
    ),
    (
        "service.damping",
        "`[service.damping]`",
        "Below its `[[service]]`, or as `damping = { reuse = 500 }` in it.",
    ),
    (
        "guard.max-withdrawals",
        "`[guard]`, `max-withdrawals`",
        "How many withdrawals checks may bring about: `max-withdrawals = { count = 5, per = \"1m\" }`. \
         A check that is wrong is often wrong for many services at once, and on many hosts.",
    ),
    ("limits", "`[limits]`", "How much is done at once."),
    (
        "control",
        "`[control]`",
        "The socket that `ha2bgp push` and other programs speak to; [control.md](control.md) says how.",
    ),
    ("exabgp", "`[exabgp]`", "Only where ExaBGP speaks BGP."),
    ("log", "`[log]`", "What is said on stderr."),
    ("bfd", "`[bfd]`", "The BFD sessions of peers and checks; [bfd.md](bfd.md) says how."),
    (
        "peer",
        "`[[peer]]`",
        "A router to announce to; one section each. With one of them `backend` is `speaker` unless \
         something else is said.",
    ),
    (
        "peer.last-choice",
        "`[peer.last-choice]`",
        "Below its `[[peer]]`, or as `last-choice = { prepend = 5 }` in it.",
    ),
    (
        "peer.graceful-restart",
        "`[peer.graceful-restart]`",
        "Below its `[[peer]]`, or as `graceful-restart = { restart-time = \"30s\" }` in it.",
    ),
    (
        "peer.bfd",
        "`[peer.bfd]`",
        "Below its `[[peer]]`, or as `bfd = { tx = \"100ms\", rx = \"100ms\" }` in it, or `bfd = true`. \
         [bfd.md](bfd.md) says what comes of it.",
    ),
    (
        "peer.capabilities",
        "`[peer.capabilities]`",
        "What is offered in OPEN; below its `[[peer]]`, or as `capabilities = { … }` in it.",
    ),
];

const TABLE: &str = "| key | takes | default | meaning |\n|---|---|---|---|\n";

const CHECKS: &str = "
## `[service.checks.NAME]` and `[checks.NAME]`

A check has a name, which rules use, and a `type`; where the name is that of a type, `type` may be
left out. Below `[[service]]` it is the service's own; `[checks.NAME]` at the top is for the rules of
all services. [checks.md](checks.md) has a guide to each type. Probes that are alike are made once,
however many services use them.
";

fn row(key: &Key, more: &str) -> String {
    let name = key.path.rsplit_once('.').map_or(key.path, |(_, name)| name);
    let default = match key.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    format!("| `{name}` | {} | {default} | {}.{more} |\n", key.kind.text(), key.help)
}

/// The page in Markdown: `ha2bgp config reference`, docs/configuration.md.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (section, title, about) in SECTIONS {
        page.push_str(&format!("\n## {title}\n\n{about}\n\n{TABLE}"));
        for key in keys::all() {
            let (of, _) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            if of != *section {
                continue;
            }
            let flag = FLAGS.iter().find(|flag| flag.key == key.path);
            let flag = flag.map(|flag| format!(" Flag `--{}`.", flag.long)).unwrap_or_default();
            page.push_str(&row(&key, &flag));
        }
    }
    page.push_str(CHECKS);
    for group in [check::POWERS, check::COUNTING, check::TIMING, check::SOURCE, check::TLS] {
        let having =
            KINDS.iter().filter(|kind| kind.groups.iter().any(|it| it[0].path == group[0].path));
        let having: Vec<String> = having.map(|kind| format!("`{}`", kind.name)).collect();
        page.push_str(&format!("\nOf the types {}:\n\n{TABLE}", having.join(", ")));
        group.iter().for_each(|key| page.push_str(&row(key, "")));
    }
    for kind in KINDS {
        page.push_str(&format!("\n### `type = \"{}\"`\n\n{}\n", kind.name, kind.about));
        if !kind.keys.is_empty() {
            page.push_str(&format!("\n{TABLE}"));
            kind.keys.iter().for_each(|key| page.push_str(&row(key, "")));
        }
    }
    page.push_str("\n## Not there yet\n\nThese keys are refused, so that nothing is believed to work that does not.\n\n");
    for (key, why) in keys::REFUSED {
        page.push_str(&format!("- `{key}`: {why}\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::assert_fresh;
    use crate::config::settings::tests::read_with;

    #[test]
    fn the_reference_page_is_fresh() {
        assert_fresh("docs/configuration.md", &page());
    }

    /// The examples work as they are.
    #[test]
    fn the_examples_are_good() {
        let blocks: Vec<&str> = HEAD.split("```toml\n").skip(1).collect();
        assert_eq!(blocks.len(), 2);
        for block in blocks {
            let text = block.split("```").next().unwrap().replace("leaf1.key", "good.key");
            let args = ["--config", "a.toml"];
            let read = read_with(&args, &[], &[("a.toml", text.as_str())]);
            assert_eq!(read.map(drop), Ok(()));
        }
    }

    /// So does that of the README.
    #[test]
    fn the_example_of_the_readme_is_good() {
        let readme = include_str!("../../../../../README.md");
        let (_, after) = readme.split_once("--config ha2bgp.toml`:\n\n").unwrap();
        let text = after.split("\n\n").next().unwrap().replace("    ", "");
        assert_eq!(text.lines().count(), 3);
        let read = read_with(&["--config", "a.toml"], &[], &[("a.toml", text.as_str())]);
        assert_eq!(read.map(drop), Ok(()));
    }

    #[test]
    fn every_key_has_one_place_on_the_page() {
        let mut paths: Vec<_> = keys::all().map(|key| key.path).collect();
        paths.sort_unstable();
        for pair in paths.windows(2) {
            assert_ne!(pair[0], pair[1], "twice");
        }
        for path in paths {
            let (section, _) = path.rsplit_once('.').unwrap_or(("", path));
            assert!(SECTIONS.iter().any(|(known, _, _)| *known == section), "{path}");
        }
    }

    #[test]
    fn other_words_are_for_keys_that_there_are() {
        for (path, _) in keys::WORDS {
            assert!(FLAGS.iter().any(|flag| flag.key == *path), "{path}");
        }
    }

    /// Whoever adds a flag gives it its key.
    #[test]
    fn every_flag_has_a_key() {
        let without = FLAGS.iter().filter(|flag| flag.key.is_empty()).map(|flag| flag.long);
        assert_eq!(without.collect::<Vec<_>>(), ["config"]);
    }
}
