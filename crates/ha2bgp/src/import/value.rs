//! Values of other programs: times, counts, addresses; and values of ours as TOML.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::net::{Prefix, never_announced};

use crate::config::duration;

/// The shortest interval that we have.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// The most results in a row that we count.
const COUNT_MAX: u32 = 1000;

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of texts as TOML.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// A time as TOML.
pub(super) fn time(time: Duration) -> String {
    quoted(&duration::show(time))
}

/// Seconds with or without a fraction, such as Python's `float` reads.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let time = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    let time =
        time.ok_or_else(|| format!("\"{text}\" is no number of seconds: write for example 5"))?;
    short(text, time)
}

/// None longer than any of ours, and whole microseconds.
pub(super) fn short(text: &str, time: Duration) -> Result<Duration, String> {
    if time > duration::MAX {
        return Err(format!("\"{text}\" is longer than 7 days: write less"));
    }
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Ok(Duration::from_micros(micros))
}

/// The time from one run to the next.
pub(super) fn interval(text: &str, time: Duration) -> Result<Duration, String> {
    if time < INTERVAL_MIN {
        return Err(format!("\"{text}\" is less than 10 ms, which is the least here: write more"));
    }
    Ok(time)
}

/// A whole number.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("\"{text}\" is no whole number: write for example 3"))
}

/// A number of results in a row; whatever is less than one is one.
pub(super) fn count(text: &str) -> Result<u32, String> {
    let number = integer(text)?.max(1);
    u32::try_from(number)
        .ok()
        .filter(|number| *number <= COUNT_MAX)
        .ok_or_else(|| format!("\"{text}\" is more than {COUNT_MAX}, the most here: write less"))
}

/// An address, or a network in CIDR form; alone it is a host route.
pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Prefix::host(address));
    }
    text.parse::<Prefix>().map_err(|error| error.to_string())
}

/// An address that can be a VIP.
pub(super) fn vip(address: IpAddr) -> Result<IpAddr, String> {
    let address = address.to_canonical();
    match never_announced(address) {
        None => Ok(address),
        Some(_) => Err(format!(
            "{address} is unspecified, multicast, link-local or reserved, and never announced: \
             leave it out"
        )),
    }
}

/// Every address of a network, if they are at most so many.
pub(super) fn hosts(network: Prefix, most: usize) -> Option<Vec<IpAddr>> {
    let bits = match network.address() {
        IpAddr::V4(_) => 32u32,
        IpAddr::V6(_) => 128,
    };
    let count = 1usize.checked_shl(bits - u32::from(network.len()))?;
    if count > most || bits - u32::from(network.len()) >= usize::BITS {
        return None;
    }
    let nth = |index: usize| match network.address() {
        IpAddr::V4(first) => {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            IpAddr::V4(u32::from(first).saturating_add(index).into())
        }
        IpAddr::V6(first) => {
            let index = u128::try_from(index).unwrap_or(u128::MAX);
            IpAddr::V6(u128::from(first).saturating_add(index).into())
        }
    };
    Some((0..count).map(nth).collect())
}

/// The name of a user or a group, as /etc/passwd may have it.
pub(super) fn account(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) || text.starts_with('-') {
        return Err(format!("\"{text}\" is no name of a user or a group: write one, or a number"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_toml() {
        let text = "a \"b\" \\ \u{1b}\n\t\u{7f}\u{85}é";
        assert_eq!(quoted(text), "\"a \\\"b\\\" \\\\ \\u001B\\n\\t\\u007F\\u0085é\"");
        let toml = format!("a = {}", quoted(text));
        let table = toml::de::DeTable::parse(&toml).unwrap();
        assert_eq!(table.get_ref().get("a").unwrap().get_ref().as_str(), Some(text));
    }

    #[test]
    fn seconds_may_have_fractions() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds(" .25"), Ok(Duration::from_millis(250)));
        assert_eq!(time(Duration::from_millis(1500)), "\"1s500ms\"");
        for bad in ["", "x", "-1", "inf", "nan", "1e9"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_have_hosts() {
        let hosts = |text: &str| hosts(text.parse().unwrap(), 256).map(|all| all.len());
        assert_eq!(hosts("192.0.2.0/30"), Some(4));
        assert_eq!(hosts("192.0.2.1/32"), Some(1));
        assert_eq!(hosts("192.0.0.0/16"), None);
        assert_eq!(hosts("2001:db8::/64"), None);
        assert_eq!(hosts("2001:db8::/120"), Some(256));
        assert_eq!(hosts("::/0"), None);
    }
}
