//! Waiting: always for something, always with a deadline.
//!
//! [`pause`] is the one place that lets time pass. Tests call [`until`] and [`holds`].

use crate::{LabError, Result};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Lets time pass, at most a minute: `poll(2)` on no file descriptors.
pub fn pause(time: Duration) {
    let time = time.min(Duration::from_secs(60));
    let timeout = rustix::time::Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(60),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    // A signal may end it early; the callers look at the clock themselves.
    let _early = rustix::event::poll(&mut [], Some(&timeout));
}

/// Looks until `look` says `Ok`; the last `Err` is the detail of the time-out.
pub fn until<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let detail = match look() {
            Ok(value) => return Ok(value),
            Err(detail) => detail,
        };
        if start.elapsed() >= limit {
            return Err(LabError::Timeout { what: what.to_owned(), after: limit, detail });
        }
        pause(STEP);
    }
}

/// [`until`] for a plain condition.
pub fn until_true(limit: Duration, what: &str, mut look: impl FnMut() -> bool) -> Result<()> {
    until(limit, what, || if look() { Ok(()) } else { Err(String::new()) })
}

/// Watches that something stays true for a while.
pub fn holds(
    time: Duration,
    what: &str,
    mut look: impl FnMut() -> std::result::Result<(), String>,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(detail) = look() {
            return Err(LabError::Broken { what: what.to_owned(), after: start.elapsed(), detail });
        }
        pause(STEP);
    }
    Ok(())
}

/// Looks until `look` has said `Ok` for `time` without a break: what only passes through the
/// state that is waited for does not count.
pub fn settled(
    limit: Duration,
    time: Duration,
    what: &str,
    mut look: impl FnMut() -> std::result::Result<(), String>,
) -> Result<()> {
    let mut since = None;
    until(limit + time, what, || match look() {
        Ok(()) if since.get_or_insert_with(Instant::now).elapsed() >= time => Ok(()),
        Ok(()) => Err("true, but not for long enough yet".to_owned()),
        Err(detail) => {
            since = None;
            Err(detail)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_ends_the_wait_with_the_last_detail() {
        let mut looks = 0;
        let error =
            until(Duration::from_millis(50), "pigs fly", || -> std::result::Result<(), _> {
                looks += 1;
                Err(format!("look {looks}"))
            })
            .unwrap_err();
        assert!(looks > 1);
        assert!(error.to_string().contains(&format!("look {looks}")), "{error}");
    }

    #[test]
    fn passing_through_is_not_settling() {
        let mut looks = 0;
        let (limit, time) = (Duration::from_secs(10), Duration::from_millis(60));
        let look = || {
            looks += 1;
            if looks == 3 { Err("broken once".to_owned()) } else { Ok(()) }
        };
        settled(limit, time, "calm", look).unwrap();
        assert!(looks > 4, "the time starts again after a break");
    }

    #[test]
    fn what_breaks_is_reported_when_it_breaks() {
        let start = Instant::now();
        let error = holds(Duration::from_secs(30), "calm", || Err("storm".to_owned())).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(matches!(error, LabError::Broken { .. }), "{error}");
    }
}
