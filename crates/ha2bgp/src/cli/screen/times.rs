//! Times for people: how long, and when.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time for people: `350 ms`, `4.2 s`, `12 m`, `3 h`, `2 d`.
pub(in super::super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 99.95 => format!("{s:.1} s"),
        s if s < 5970.0 => format!("{:.0} m", s / 60.0),
        s if s < 171_000.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// The same for a column: `0s`, `42s`, `12m`, `3h`, `2d`.
pub(in super::super) fn brief(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0}s"),
        s if s < 5970.0 => format!("{:.0}m", s / 60.0),
        s if s < 171_000.0 => format!("{:.0}h", s / 3600.0),
        s => format!("{:.0}d", s / 86_400.0),
    }
}

/// A moment (RFC 3339) as this time zone has it; as it is where it cannot be read.
pub(in super::super) fn clock(moment: &str, zone: &TimeZone) -> String {
    match moment.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => super::clean(moment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let table = [
            (0.0, "0 ms", "0s"),
            (0.3504, "350 ms", "0s"),
            (0.9999, "1.0 s", "1s"),
            (4.2, "4.2 s", "4s"),
            (99.94, "99.9 s", "2m"),
            (99.96, "2 m", "2m"),
            (3600.0, "60 m", "60m"),
            (7200.0, "2 h", "2h"),
            (172_800.0, "2 d", "2d"),
        ];
        for (seconds, long, short) in table {
            assert_eq!((time(seconds).as_str(), brief(seconds).as_str()), (long, short));
        }
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(clock("2026-11-26T22:59:58.5Z", &zone), "2026-11-26 23:59:58 +01");
        assert_eq!(clock("soon\x1b", &zone), "soon\\u{1b}");
    }
}
