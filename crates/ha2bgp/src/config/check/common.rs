//! The keys that many kinds share: when a probe is made, how results are counted, where connections
//! come from, and what verdicts count as.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{Counting, Outcome};
use ha2bgp_core::config::Powers;

use super::super::duration;
use super::super::file::keys::{Key, Kind, key};
use super::super::settings::number;
use super::fields::Fields;
use crate::observe::check::Timing;
use crate::observe::check::net::SourceOptions;

/// No probe is made more often.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// More results than so many in a row are never asked for.
const COUNT_MAX: u32 = 1000;
/// The first probe comes within the interval, and within this.
const SPLAY_MAX: Duration = Duration::from_secs(1);

/// What verdicts count as.
pub(in crate::config) const POWERS: &[Key] = &[
    key(
        "scope",
        Kind::Text,
        "local",
        "`local`: of this host. `shared`: of what other hosts depend on too; its failure then counts \
         as a warning, so that it withdraws nothing everywhere at once, unless `on-fail` says more",
    ),
    key("shadow", Kind::Bool, "false", "Evaluated, shown and counted, without any power"),
    key("on-warn", Kind::Text, "warn", "What a warning counts as: `warn`, `pass` or `fail`"),
    key(
        "on-fail",
        Kind::Text,
        "",
        "What a failure counts as: `fail` or `warn`. Without it: `fail`, for `scope = \"shared\"` \
         `warn`",
    ),
    key(
        "on-unknown",
        Kind::Text,
        "unknown",
        "What it counts as when nothing can be told: `unknown` (the last state is held), `pass`, \
         `warn` or `fail`",
    ),
];

/// How results are counted.
pub(in crate::config) const COUNTING: &[Key] = &[
    key("rise", Kind::Number, "2", "So many good results in a row make it pass, 1 to 1000"),
    key("fall", Kind::Number, "3", "So many bad results in a row make it fail, 1 to 1000"),
    key(
        "initial",
        Kind::Text,
        "unknown",
        "What it is before there are results enough: `unknown`, `up` or `down`",
    ),
];

/// When probes are made.
pub(in crate::config) const TIMING: &[Key] = &[
    key("interval", Kind::Duration, "1s", "From one probe to the next, 10ms at least"),
    key(
        "fast-interval",
        Kind::Duration,
        "",
        "The same while results have turned, but not often enough yet. Without it: `interval`",
    ),
    key("timeout", Kind::Duration, "1s", "A probe that takes longer has failed"),
    key(
        "splay",
        Kind::Duration,
        "",
        "The first probe comes at a random moment within this. Without it: `interval`, 1s at most",
    ),
    key(
        "jitter",
        Kind::Text,
        "5%",
        "Intervals are up to this share longer or shorter, so that checks do not stay in step; `0%` \
         to `50%`",
    ),
];

/// Where connections come from.
pub(in crate::config) const SOURCE: &[Key] = &[
    key("source-address", Kind::Text, "", "The address of this host that connections come from"),
    key("source-device", Kind::Text, "", "The interface that they go through (SO_BINDTODEVICE)"),
    key("source-mark", Kind::Number, "", "The mark of their packets (SO_MARK; CAP_NET_ADMIN)"),
];

pub(super) fn powers(fields: &mut Fields<'_>) -> (Powers, bool) {
    let shared = fields.get("scope", scope).unwrap_or(false);
    let on_fail = fields.get("on-fail", |text| power(text, &[Outcome::Fail, Outcome::Warn]));
    let default = if shared { Outcome::Warn } else { Outcome::Fail };
    let warns = [Outcome::Warn, Outcome::Pass, Outcome::Fail];
    let powers = Powers {
        on_warn: fields.get("on-warn", |text| power(text, &warns)).unwrap_or(Outcome::Warn),
        on_fail: on_fail.unwrap_or(default),
        on_unknown: fields
            .get("on-unknown", |text| power(text, &Outcome::ALL))
            .unwrap_or(Outcome::Unknown),
    };
    (powers, fields.on("shadow"))
}

pub(super) fn counting(fields: &mut Fields<'_>) -> Counting {
    Counting {
        rise: fields.get("rise", count).unwrap_or(1),
        fall: fields.get("fall", count).unwrap_or(1),
        initial: fields.get("initial", initial).unwrap_or(Outcome::Unknown),
    }
}

/// Nothing when something is wrong.
pub(super) fn timing(fields: &mut Fields<'_>) -> Option<Timing> {
    let interval = fields.get("interval", interval)?;
    let fast_interval = fields.get("fast-interval", self::interval).unwrap_or(interval);
    // Kinds that only watch have neither a time-out nor jitter.
    let timeout = fields.get("timeout", time).unwrap_or(interval);
    let splay = fields.get("splay", duration::parse);
    if fast_interval > interval {
        fields.fail(
            "fast-interval",
            format_args!(
                "{} is longer than the interval, {}: write less",
                duration::show(fast_interval),
                duration::show(interval)
            ),
        );
    }
    Some(Timing {
        interval,
        fast_interval,
        timeout,
        splay: splay.unwrap_or_else(|| interval.min(SPLAY_MAX)),
        jitter: fields.get("jitter", share).unwrap_or(0.0),
    })
}

pub(super) fn source(fields: &mut Fields<'_>) -> SourceOptions {
    SourceOptions {
        address: fields.get("source-address", ip),
        device: fields.get("source-device", super::super::peer::device),
        mark: fields.get("source-mark", number),
    }
}

fn scope(text: &str) -> Result<bool, String> {
    match text {
        "local" => Ok(false),
        "shared" => Ok(true),
        other => Err(format!("\"{other}\" is no scope: write \"local\" or \"shared\"")),
    }
}

fn power(text: &str, allowed: &[Outcome]) -> Result<Outcome, String> {
    let found = allowed.iter().find(|outcome| outcome.name() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<String> =
            allowed.iter().map(|outcome| format!("\"{}\"", outcome.name())).collect();
        format!("\"{text}\" is not what it can count as: write one of {}", names.join(", "))
    })
}

fn initial(text: &str) -> Result<Outcome, String> {
    match text {
        "unknown" => Ok(Outcome::Unknown),
        "up" => Ok(Outcome::Pass),
        "down" => Ok(Outcome::Fail),
        other => Err(format!("\"{other}\" is no beginning: write \"unknown\", \"up\" or \"down\"")),
    }
}

fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..=COUNT_MAX) => Ok(count),
        _ => Err(format!("\"{text}\" is not a count from 1 to {COUNT_MAX}: write for example 3")),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if time < INTERVAL_MIN {
        return Err(format!(
            "\"{text}\" is too often: write {} or more",
            duration::show(INTERVAL_MIN)
        ));
    }
    Ok(time)
}

/// A time that has to pass.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(time) if time.is_zero() => {
            Err(format!("\"{text}\" is no time at all: write for example 500ms"))
        }
        other => other.map_err(|error| error.to_string()),
    }
}

/// A share such as `5%`, as a number from 0 to 0.5.
fn share(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').map(str::parse::<u8>) {
        Some(Ok(percent @ 0..=50)) => Ok(f64::from(percent) / 100.0),
        _ => Err(format!("\"{text}\" is not a share from 0% to 50%: write for example \"5%\"")),
    }
}

/// An address of a host.
pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => {
            Ok(address.to_canonical())
        }
        _ => Err(format!("\"{text}\" is not an address of a host: write for example 192.0.2.1")),
    }
}

/// A port, 1 to 65535.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("\"{text}\" is not a port: write a whole number from 1 to 65535")),
    }
}
