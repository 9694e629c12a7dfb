//! `[guard]`: what stands between checks and too many withdrawals.

use std::time::Duration;

use ha2bgp_core::guard::{COUNT_MAX, GuardConfig};

use super::duration;
use super::error::ConfigError;
use super::raw::Raw;
use super::reader::Reader;

const COUNT: &str = "guard.max-withdrawals.count";
const PER: &str = "guard.max-withdrawals.per";
/// The longest window.
const PER_MAX: Duration = Duration::from_secs(24 * 3600);

/// Reads the section. Everything that is wrong is told.
pub(super) fn read(reader: &mut Reader, raw: &Raw) -> Option<GuardConfig> {
    let values = &raw.values;
    let count = reader.one(values, COUNT, count);
    let per = reader.one(values, PER, per);
    for (name, other, fix) in [(COUNT, PER, "per = \"1m\""), (PER, COUNT, "count = 5")] {
        if let (Some(at), true, true) = (values.one(name), values.is_missing(other), raw.is_whole())
        {
            let error = format!("is half of a rule: add {fix}");
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    Some(GuardConfig { count: count?, per: per? })
}

fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=COUNT_MAX).contains(&count) => Ok(count),
        _ => Err(format!("\"{text}\" is not a whole number from 1 to {COUNT_MAX}: write 5")),
    }
}

fn per(text: &str) -> Result<Duration, String> {
    let per = duration::parse(text).map_err(|error| error.to_string())?;
    if per < Duration::from_secs(1) || per > PER_MAX {
        return Err(format!("\"{text}\" is not from 1s to 24h: write for example 1m"));
    }
    Ok(per)
}
