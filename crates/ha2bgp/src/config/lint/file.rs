//! Of files, and of the text as a whole.

use ha2bgp_proto::filter::Filter;

use super::super::file::keys;
use super::super::origin::{Origin, Written};
use super::super::raw::Values;
use super::view::View;
use super::{Lint, Warning};

pub(super) const TEST_MODE: Lint = Lint {
    code: "test-mode",
    about: "a configuration file without `networks`",
    reason: "only 127.0.0.0/8 is then looked at, and no router takes that",
};
pub(super) const REPLACED_LIST: Lint = Lint {
    code: "replaced-list",
    about: "a list that a later `--config` replaces",
    reason: "lists of several files look as if they were joined",
};
pub(super) const IGNORED_FILE: Lint = Lint {
    code: "ignored-file",
    about: "a file in a configuration directory that does not end with `.toml`",
    reason: "it does not count, and may have been meant to",
};
pub(super) const READABLE_SECRET: Lint = Lint {
    code: "readable-secret",
    about: "a file with a secret that others than its owner may read or write",
    reason: "whoever has the key of a session can announce routes in the name of this host",
};
pub(super) const LISTEN_FILTER: Lint = Lint {
    code: "listen-filter",
    about: "a listen filter that reads otherwise than it looks",
    reason: "`ss` knows no precedence, and some words mean more than they say",
};

/// Group and others may read or write (chmod(2)).
const OPEN: u32 = 0o066;

/// A file in a directory that was left out.
pub(in crate::config) fn ignored_file(at: &Written) -> Warning {
    let message = format!(
        "\"{}\" does not count, because its name does not end with .toml: rename it, or let it end with \
         .disabled",
        at.text
    );
    Warning::new(&IGNORED_FILE, at, message)
}

/// A list that stands in the place of another one.
pub(in crate::config) fn replaced_list(at: &Written, before: &Written) -> Warning {
    let Origin::File(place) = &before.origin else {
        return Warning::new(&REPLACED_LIST, at, "stands in the place of another list");
    };
    let (line, column) = before.origin.line_and_column();
    let message = format!(
        "stands in the place of the list in {}:{line}:{column}, of which nothing counts: write all of it \
         here, or leave one of both out",
        place.source.name
    );
    Warning::new(&REPLACED_LIST, at, message)
}

pub(super) fn check(view: &View<'_>, filter: &Filter, warnings: &mut Vec<Warning>) {
    let raw = view.raw;
    if view.settings.test_mode && (raw.has_file() || view.settings.speaker.is_some()) {
        let origin = raw.missing("network");
        let fix = origin.spell("network", "[\"192.0.2.0/24\"]");
        let message = format!(
            "nothing is allowed but 127.0.0.0/8, which no router takes: name the networks of your \
             service addresses, such as {fix}"
        );
        warnings.push(Warning { lint: &TEST_MODE, origin, message });
    }
    let at = &view.settings.listen_filter;
    for warning in filter.warnings() {
        let word = warning.span.offset..warning.span.offset.saturating_add(warning.span.length);
        let origin = at.origin.part(&at.text, &word);
        warnings.push(Warning { lint: &LISTEN_FILTER, origin, message: warning.to_string() });
    }
    secrets(view, &raw.values, warnings);
    for section in &raw.peers {
        secrets(view, &section.values, warnings);
    }
    let own = raw.services.iter().flat_map(|service| &service.checks);
    for check in own.chain(&raw.checks) {
        secrets(view, &check.values, warnings);
    }
}

/// Files with secrets, and who may read them.
fn secrets(view: &View<'_>, values: &Values, warnings: &mut Vec<Warning>) {
    let is_secret =
        |name: &str| name.rsplit('.').next().is_some_and(|key| keys::SECRETS.contains(&key));
    for (_, at) in values.iter().filter(|(name, _)| is_secret(name)) {
        let Some(at) = at.last() else { continue };
        let mode =
            view.host.locate(&at.text).ok().and_then(|path| (view.host.file_mode)(&path).ok());
        let Some(mode) = mode.filter(|mode| mode & OPEN != 0) else { continue };
        let who = match mode & 0o006 {
            0 => "its group",
            _ => "everybody on this host",
        };
        let does = match mode & 0o044 {
            0 => "write to",
            _ => "read",
        };
        let message = format!(
            "\"{}\" has the mode {:04o}, with which {who} can {does} it: `chmod 0400 {}`, and let it belong to \
             the user that ha2bgp runs as",
            at.text,
            mode & 0o7777,
            at.text
        );
        warnings.push(Warning::new(&READABLE_SECRET, at, message));
    }
}
