//! What one process leaves for the one that comes after it, as text, and what follows from it.
//!
//! ```text
//! ha2bgp-state 1
//! boot 4c6d2f6e-…             /proc/sys/kernel/random/boot_id
//! namespace 4026531840        the network namespace
//! written 00000000000000012345 ms of CLOCK_BOOTTIME; kept up to date while the process lives
//! 100.64.0.10/32 self         what is announced, one a line, with its next hop
//! end 1                       how many
//! ```
//!
//! Whether a route was the last choice is not kept: a service is judged anew before it is announced,
//! and nothing that follows from this file depends on it. So older versions read it, and we theirs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::bgp::wire::{Families, Family};

/// More than the engine ever announces.
const ROUTES_MAX: usize = 262_144;
/// A file that is longer than this is not one of ours: [`ROUTES_MAX`] lines of the longest kind.
pub(super) const BYTES_MAX: usize = ROUTES_MAX * 96;
/// So many VIPs of a family are looked for on this host at most.
const LOOKED_FOR_MAX: usize = 1024;
/// The first line.
const MAGIC: &str = "ha2bgp-state 1";

/// Where a process runs: what another process writes counts only in the same place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    /// The id of this boot of the kernel.
    pub(super) boot: String,
    /// The inode of the network namespace.
    pub(super) namespace: u64,
}

/// The state that a process has left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct State {
    /// Where it ran.
    pub(super) place: Place,
    /// When it was last known to live, on `CLOCK_BOOTTIME`.
    pub(super) written: Duration,
    /// What it announced.
    pub(super) routes: RouteSet,
}

/// A text that is no state.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line} is not \"{wanted}\"")]
pub(super) struct StateError {
    line: usize,
    wanted: &'static str,
}

impl State {
    /// The state as text, and where in it the 20 digits of the time stand.
    pub(super) fn text(place: &Place, written: Duration, routes: &RouteSet) -> (String, u64) {
        let Place { boot, namespace } = place;
        let mut text = format!("{MAGIC}\nboot {boot}\nnamespace {namespace}\nwritten ");
        let at = u64::try_from(text.len()).unwrap_or(0);
        text.push_str(&digits(written));
        text.push_str(" ms\n");
        text.reserve(routes.len() * 24);
        // Writing to a String cannot fail.
        routes.for_each(&mut |prefix, route| {
            let _ = writeln!(text, "{prefix} {}", route.next_hop);
        });
        let _ = writeln!(text, "end {}", routes.len());
        (text, at)
    }

    /// Reads a state.
    ///
    /// # Errors
    /// When the text is anything but a whole state.
    pub(super) fn parse(text: &str) -> Result<Self, StateError> {
        let mut lines = text.lines().zip(1..);
        let mut next = |wanted, prefix: &str| {
            let (line, number) = lines.next().unwrap_or(("", 0));
            let error = StateError { line: number, wanted };
            line.strip_prefix(prefix).map(|rest| (rest, error.clone())).ok_or(error)
        };
        let (rest, error) = next(MAGIC, MAGIC)?;
        if !rest.is_empty() {
            return Err(error);
        }
        let (boot, _) = next("boot ID", "boot ")?;
        let (namespace, error) = next("namespace NUMBER", "namespace ")?;
        let namespace = namespace.parse().map_err(|_| error)?;
        let (written, error) = next("written TIME ms", "written ")?;
        let millis = written.strip_suffix(" ms").and_then(|digits| digits.parse().ok());
        let written = Duration::from_millis(millis.ok_or(error)?);
        let mut routes = RouteSet::new();
        loop {
            let (line, error) = next("PREFIX NEXT-HOP", "")?;
            if let Some(count) = line.strip_prefix("end ") {
                let right = count.parse() == Ok(routes.len());
                let place = Place { boot: boot.to_owned(), namespace };
                return if right { Ok(Self { place, written, routes }) } else { Err(error) };
            }
            let (prefix, route) = route_of(line).ok_or_else(|| error.clone())?;
            if routes.insert(prefix, route).is_some() || routes.len() > ROUTES_MAX {
                return Err(error);
            }
        }
    }
}

/// The time of a state, always of the same length: it is written over again and again.
pub(super) fn digits(written: Duration) -> String {
    format!("{:020}", u64::try_from(written.as_millis()).unwrap_or(u64::MAX))
}

fn route_of(line: &str) -> Option<(Prefix, Route)> {
    let (prefix, next_hop) = line.split_once(' ')?;
    let next_hop = match next_hop {
        "self" => NextHop::SelfAddress,
        address => NextHop::Address(address.parse().ok()?),
    };
    Some((prefix.parse().ok()?, Route::new(next_hop)))
}

/// The times that routers go by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Times {
    /// The longest hold time of a session; zero: for ever.
    pub(super) hold: Duration,
    /// For how long routers keep the routes of a session that broke.
    pub(super) restart: Duration,
}

/// How to begin.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Beginning {
    /// The R bit (RFC 4724 section 3): a process before this one ended moments ago.
    pub(super) restarting: bool,
    /// The F bits: what the routes that a router may still hold lead to has survived.
    pub(super) preserved: Families,
    /// What the process before announced, if it ran in this place.
    pub(super) before: RouteSet,
    /// For how long from now on routers keep it, and services of it need no up delay.
    pub(super) memory: Duration,
}

/// Decides how to begin. `now` is `CLOCK_BOOTTIME`, the time since the kernel started.
///
/// The F bit of a family (RFC 4724 sections 3 and 4.1): a process of this boot that announced
/// VIPs of the family has left its state: set if one of them is still an address of this host.
/// Otherwise routers may only hold routes of an earlier boot: set if this boot is older than they
/// can be, so that a crash costs no route where no state can be kept.
pub(super) fn begin(
    state: Option<&State>,
    place: &Place,
    now: Duration,
    times: Times,
    is_local: &dyn Fn(IpAddr) -> bool,
) -> Beginning {
    let ours = state.filter(|state| state.place == *place && state.written <= now);
    let before = ours.map(|state| state.routes.clone()).unwrap_or_default();
    let age = ours.map_or(Duration::MAX, |state| now - state.written);
    let old_boot = !times.hold.is_zero() && now > times.hold + times.restart;
    let mut vips: BTreeMap<bool, Vec<IpAddr>> = BTreeMap::new();
    before.for_each(&mut |prefix, _| {
        vips.entry(prefix.is_ipv4()).or_default().push(prefix.address());
    });
    let mut preserved = Families::NONE;
    for family in Family::ALL {
        let survived = match vips.get(&(family == Family::Ipv4)) {
            Some(vips) => vips.iter().take(LOOKED_FOR_MAX).any(|vip| is_local(*vip)),
            None => old_boot,
        };
        preserved.set(family, survived);
    }
    let memory = times.restart.saturating_sub(age);
    Beginning { restarting: !memory.is_zero(), preserved, before, memory }
}

#[cfg(test)]
mod tests;
