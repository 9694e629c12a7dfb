//! Records as lines for people: the time, whom it is about, what happened.

use jiff::tz::TimeZone;

use super::super::screen::{Screen, clean};
use crate::control::happened::GapShown;
use crate::events::{Level, Record};

/// How wide whom it is about is at least.
const SUBJECT: usize = 18;

/// Makes lines; the day is told when it changes.
#[derive(Debug)]
pub(in super::super) struct Lines {
    screen: Screen,
    zone: TimeZone,
    day: String,
}

impl Lines {
    pub(in super::super) const fn new(screen: Screen, zone: TimeZone) -> Self {
        Self { screen, zone, day: String::new() }
    }

    /// The line of a record; before it, that of its day, where it is another one.
    pub(in super::super) fn of(&mut self, record: &Record) -> String {
        let at = record.at.to_zoned(self.zone.clone());
        let mut text = String::new();
        let day = at.strftime("%Y-%m-%d %Z").to_string();
        if day != self.day {
            text.push_str(&self.screen.paint("1", &day));
            text.push('\n');
            self.day = day;
        }
        let (letter, color) = match record.level {
            Level::Error => ('E', "31"),
            Level::Warn => ('W', "33"),
            Level::Info => ('N', "32"),
            Level::Debug => ('D', "2"),
        };
        let subject = clean(&subject(record));
        let mut line = format!("{} {letter} {subject:SUBJECT$} ", at.strftime("%H:%M:%S.%3f"));
        line.push_str(&clean(&record.text));
        if !record.reason.is_empty() {
            line.push_str(&format!(" ({})", clean(&record.reason)));
        }
        if !record.author.is_empty() {
            line.push_str(&format!(" by {}", clean(&record.author)));
        }
        for (name, value) in &record.more {
            line.push_str(&format!(" {}={}", clean(name), clean(value)));
        }
        text.push_str(&self.screen.paint(color, &self.screen.fit(line.trim_end())));
        text
    }

    /// The line of records that are missing.
    pub(in super::super) fn gap(&self, gap: &GapShown) -> String {
        let text = match gap.lost {
            Some(lost) => format!("--- {lost} events are missing here ---"),
            None => "--- events may be missing here ---".to_owned(),
        };
        self.screen.paint("33", &self.screen.fit(&text))
    }
}

/// Whom it is about: the address of a host route without its length.
fn subject(record: &Record) -> String {
    let prefix = record.prefix.as_str();
    let host = if prefix.contains(':') { "/128" } else { "/32" };
    let prefix = prefix.strip_suffix(host).unwrap_or(prefix);
    let parts = [record.service.as_str(), prefix, record.peer.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use ha2bgp_core::reason::Reason;

    use super::*;
    use crate::events::{Draft, Id, Kind};

    fn records() -> Vec<Record> {
        let host = |text: &str| text.parse().unwrap();
        let drafts = [
            (
                "2026-11-26T22:59:58.5Z",
                Draft::new(Kind::Started, Level::Debug, "ha2bgp has started"),
            ),
            (
                "2026-11-26T22:59:59.25Z",
                Draft::new(
                    Kind::RouteWithdrawn,
                    Level::Info,
                    "withdrawing: a check fails: page: \
                     status 503, expected 200-399, and a body that has the word ready in it",
                )
                .service("web")
                .prefix(host("100.64.0.10/32"))
                .reason(Reason::CheckFailed)
                .check("page", "status 503"),
            ),
            (
                "2026-11-26T23:00:00.001Z",
                Draft::new(
                    Kind::RouteAnnounced,
                    Level::Warn,
                    "announcing as the last choice: a \
                     check warns, which counts as working",
                )
                .service("dns")
                .prefix(host("2001:db8::53/128"))
                .reason(Reason::CheckWarns)
                .more("next_hop", "self"),
            ),
            (
                "2026-11-26T23:00:01Z",
                Draft::new(
                    Kind::PeerLost,
                    Level::Error,
                    "BGP session lost: the\x1b[31m connection \
                     was closed",
                )
                .peer("10.0.0.1")
                .author("root"),
            ),
        ];
        let made = drafts.into_iter().zip(1..);
        made.map(|((at, draft), seq)| draft.finish(Id::default().plus(seq), at.parse().unwrap()))
            .collect()
    }

    fn screen(width: Option<usize>, color: bool) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let mut lines = Lines::new(Screen { width, color }, zone);
        let mut shown: Vec<String> = records().iter().map(|record| lines.of(record)).collect();
        let id = Id::default();
        for lost in [Some(3), None] {
            let gap = GapShown { kind: "gap".to_owned(), after: id, before: None, lost };
            shown.push(lines.gap(&gap));
        }
        shown.join("\n")
    }

    #[test]
    fn at_80_columns() {
        let want = "\
2026-11-26 +01
23:59:58.500 D -                  ha2bgp has started
23:59:59.250 N web 100.64.0.10    withdrawing: a check fails: page: status 503,…
2026-11-27 +01
00:00:00.001 W dns 2001:db8::53   announcing as the last choice: a check warns,…
00:00:01.000 E 10.0.0.1           BGP session lost: the\\u{1b}[31m connection wa…
--- 3 events are missing here ---
--- events may be missing here ---";
        assert_eq!(screen(Some(80), false), want);
    }

    #[test]
    fn at_120_columns() {
        let want = "\
2026-11-26 +01
23:59:58.500 D -                  ha2bgp has started
23:59:59.250 N web 100.64.0.10    withdrawing: a check fails: page: status 503, expected 200-399, and a body that has t…
2026-11-27 +01
00:00:00.001 W dns 2001:db8::53   announcing as the last choice: a check warns, which counts as working (check-warns) n…
00:00:01.000 E 10.0.0.1           BGP session lost: the\\u{1b}[31m connection was closed by root
--- 3 events are missing here ---
--- events may be missing here ---";
        assert_eq!(screen(Some(120), false), want);
    }

    #[test]
    fn colours_have_a_meaning_and_nothing_is_cut_for_programs() {
        let colored = screen(Some(80), true);
        assert!(
            colored.contains("\x1b[1m2026-11-26 +01\x1b[0m\n\x1b[2m23:59:58.500 D"),
            "{colored}"
        );
        assert!(colored.contains("\x1b[31m00:00:01.000 E 10.0.0.1"), "{colored}");
        assert!(screen(None, false).contains("word ready in it (check-failed)\n"));
    }
}
