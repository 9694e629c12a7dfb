//! Of BFD: whether sessions can come up, and whether they mean what one expects.

use std::time::Duration;

use ha2bgp_sys::tcp::Hops;

use super::super::check::Kind;
use super::super::duration;
use super::super::origin::Written;
use super::super::raw::Values;
use super::view::View;
use super::{Lint, Warning};
use crate::bfd::target::{INTERVAL_MILLIS, MULTIPLIER};

pub(super) const FAST: Lint = Lint {
    code: "bfd-fast",
    about: "a detection time of BFD below 100 ms",
    reason: "a host that is busy for so long, or a virtual machine that is moved, looks dead: routes go \
             while the service is up",
};
pub(super) const RESTART: Lint = Lint {
    code: "bfd-graceful-restart",
    about: "`bfd` together with a `graceful-restart` that is written down",
    reason: "BFD ends with this program, so a crash makes routers drop what graceful restart would keep; \
             a planned restart says so first",
};
pub(super) const ANY_DISTANCE: Lint = Lint {
    code: "bfd-any-distance",
    about: "BFD over several hops without `min-ttl`, and without authentication",
    reason: "anybody who can send a packet with the addresses of the peer can end the session",
};
pub(super) const SINGLE_HOP: Lint = Lint {
    code: "bfd-single-hop",
    about: "`multihop = false` in `bfd` of a peer that is several hops away",
    reason: "packets of a peer behind a router have a lower TTL than 255, and the session never comes up",
};

/// A shorter detection time is a matter of luck on an ordinary host.
const DETECTION_MIN: Duration = Duration::from_millis(100);

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    for (section, peer) in view.peers() {
        let Some(bfd) = &peer.bfd else { continue };
        let values = &section.values;
        let at = |key: &str| values.one(&format!("bfd.{key}"));
        let wish = &bfd.wish;
        let name = peer.config.peer;
        fast(at, &wish.tx, wish.multiplier.unwrap_or(MULTIPLIER).get(), warnings);
        let restart = values.one("graceful-restart");
        if let (Some(at), Some(_)) = (restart, peer.config.graceful_restart) {
            let message = format!(
                "{name} keeps our routes over a planned restart only: when this program crashes, BFD ends \
                 with it, and a router that does BFD drops them at once"
            );
            warnings.push(Warning::new(&RESTART, at, message));
        }
        let place = at("multihop").or(values.one("multihop")).or(values.one("address"));
        if let (true, None, None, Some(at)) =
            (wish.target.multihop, wish.minimum_ttl, &wish.auth, place)
        {
            any_distance(&name.to_string(), at, warnings);
        }
        let far = matches!(peer.socket.hops, Hops::Ttl(2..) | Hops::Security(2..));
        if let (true, false, Some(at)) = (far, wish.target.multihop, at("multihop")) {
            let message = format!("{name} is several hops away: leave it out, or write true");
            warnings.push(Warning::new(&SINGLE_HOP, at, message));
        }
    }
    let of_services = view.raw.services.iter().flat_map(|service| &service.checks);
    for check in view.raw.checks.iter().chain(of_services) {
        if check.kind.name != Kind::BFD {
            continue;
        }
        of_check(&check.values, warnings);
    }
}

/// A check, by what is written: what it is not, a peer may say.
fn of_check(values: &Values, warnings: &mut Vec<Warning>) {
    use super::super::bfd::{interval, multiplier};
    let tx = values.one("tx").and_then(|at| interval(&at.text).ok());
    let times = values.one("multiplier").and_then(|at| multiplier(&at.text).ok());
    fast(|key| values.one(key), &tx, times.unwrap_or(MULTIPLIER).get(), warnings);
    let far = values.one("multihop").filter(|at| at.text == "true");
    let guarded = values.one("min-ttl").or(values.one("auth-type")).is_some();
    if let (Some(at), false, Some(address)) = (far, guarded, values.one("address")) {
        any_distance(&address.text, at, warnings);
    }
}

/// What the peer gives us up after.
fn fast<'a>(
    at: impl Fn(&str) -> Option<&'a Written>,
    tx: &Option<ha2bgp_proto::bfd::Interval>,
    multiplier: u8,
    warnings: &mut Vec<Warning>,
) {
    let usual = Duration::from_millis(INTERVAL_MILLIS.into());
    let tx = tx.map_or(usual, ha2bgp_proto::bfd::Interval::as_duration);
    let detection = tx.saturating_mul(multiplier.into());
    if let (true, Some(at)) = (detection < DETECTION_MIN, at("tx").or(at("multiplier"))) {
        let message = format!(
            "the peer takes this host for dead after {} without a packet: write 50ms or more, and a \
             multiplier of 3 or more, unless that is measured",
            duration::show(detection)
        );
        warnings.push(Warning::new(&FAST, at, message));
    }
}

fn any_distance(peer: &str, at: &Written, warnings: &mut Vec<Warning>) {
    let message = format!(
        "packets of {peer} are taken from any distance: write min-ttl, 255 less the routers on the way, or \
         auth-type"
    );
    warnings.push(Warning::new(&ANY_DISTANCE, at, message));
}
