//! A real ExaBGP that does not read for a while: it is stopped while thousands of changes happen.

use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::readme::Readme;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, link, procfs, require, service, wait};
use socket2::Socket;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const CHANGES: usize = 5_000;
const VIPS: usize = 200;
const MIB: u64 = 1024 * 1024;
/// The changes are spread over this long; `HA2BGP_LAB_STALL` (seconds) overrides it.
const STALL: Duration = Duration::from_secs(60);

fn stall() -> Duration {
    let seconds = std::env::var("HA2BGP_LAB_STALL").ok().and_then(|text| text.parse().ok());
    seconds.map_or(STALL, |seconds: u64| Duration::from_secs(seconds.min(150)))
}

fn stalled(version: Version) -> Result<()> {
    let flags = "--up-delay 0s --down-delay 0s --damping off";
    let mut lab = Readme::start(version, flags, "root")?;
    let vips: Vec<String> = (11..11 + VIPS).map(|last| format!("100.64.0.{last}")).collect();
    for vip in &vips {
        link::add_address(&lab.r1, &format!("{vip}/32"), "lo")?;
    }
    let helper = lab.exabgp.helper(Duration::from_secs(10))?;
    let mut up: BTreeMap<&str, Socket> = BTreeMap::new();
    for vip in vips.iter().step_by(2) {
        up.insert(vip, service::listen(&lab.r1, &format!("{vip}:80"))?);
    }
    settles(&lab, &up)?;
    let before = memory(helper)?;

    lab.exabgp.freeze()?;
    let (time, start) = (stall(), Instant::now());
    for change in 0..CHANGES {
        // Two steps of different length: the pattern repeats only after all VIPs were met.
        let Some(vip) = vips.get((change * 7 + change / VIPS) % VIPS) else {
            continue;
        };
        if up.remove(vip.as_str()).is_none() {
            up.insert(vip, service::listen(&lab.r1, &format!("{vip}:80"))?);
        }
        let due = time.mul_f64((change + 1) as f64 / CHANGES as f64);
        wait::pause(due.saturating_sub(start.elapsed()));
    }
    let during = memory(helper)?;
    lab.exabgp.thaw()?;

    settles(&lab, &up)?;
    assert_eq!(lab.exabgp.helper(Duration::from_secs(1))?, helper, "the same ha2bgp all the time");
    let grown = during.saturating_sub(before);
    assert!(grown < 16 * MIB, "{} KiB more than before", grown / 1024);
    assert!(during < 48 * MIB, "{} KiB", during / 1024);
    Ok(())
}

fn memory(pid: u32) -> Result<u64> {
    procfs::memory(pid, "VmHWM").ok_or_else(|| LabError::Missing(format!("memory of {pid}")))
}

fn routes(up: &BTreeMap<&str, Socket>) -> BTreeSet<String> {
    up.keys().map(|vip| format!("{vip}/32")).collect()
}

fn settles(lab: &Readme, up: &BTreeMap<&str, Socket>) -> Result<()> {
    let expected = routes(up);
    wait::until(Duration::from_secs(90), "BIRD has exactly what listens", || {
        match lab.bird1.routes_from("exabgp") {
            Ok(routes) if routes == expected => Ok(()),
            Ok(routes) => {
                let missing: Vec<_> = expected.difference(&routes).take(5).collect();
                let extra: Vec<_> = routes.difference(&expected).take(5).collect();
                let (have, want) = (routes.len(), expected.len());
                Err(format!("{have} of {want}; missing {missing:?}, extra {extra:?}"))
            }
            Err(error) => Err(error.to_string()),
        }
    })
}

#[test]
fn five_thousand_changes_while_exabgp_is_stopped_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    stalled(Version::Debian)
}

#[test]
fn five_thousand_changes_while_exabgp_is_stopped_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    stalled(Version::V5_0_15)
}
