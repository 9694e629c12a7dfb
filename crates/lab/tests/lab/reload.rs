//! Reloads of every kind with live sessions of BIRD and FRR: what does not change is not spoken of,
//! as both routers count.

use crate::reload_stage::{DNS, FAR, FOUND, OTHER, PAGE, Stage, Text, WEB};
use crate::stage::SOON;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, require, wait};
use rustix::process::Signal;

/// Loads a configuration. So many routes are announced and withdrawn to BIRD; FRR hears nothing when
/// that is none. Returns what the command has said.
fn step(
    stage: &mut Stage,
    text: &Text,
    (announced, withdrawn): (u64, u64),
    said: &[&str],
) -> Result<()> {
    let before = stage.rest()?;
    let shown = stage.reload(text)?;
    for words in said {
        assert!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
    hears(stage, &before, (announced, withdrawn), &shown)
}

fn hears(
    stage: &mut Stage,
    before: &crate::reload_stage::Told,
    (announced, withdrawn): (u64, u64),
    shown: &str,
) -> Result<()> {
    let want = (before.routes.0 + announced, before.routes.1 + withdrawn);
    wait::until(SOON, "BIRD has all of it", || match stage.told() {
        Ok(told) if told.routes == want => Ok(()),
        other => Err(format!("{other:?}, not {want:?}, after {before:?}\n{shown}")),
    })?;
    let after = stage.rest()?;
    assert_eq!(after.routes, want, "{shown}\n{}", stage.ha2bgp.tail());
    if (announced, withdrawn) == (0, 0) {
        assert_eq!(&after, before, "{shown}\n{}", stage.ha2bgp.tail());
    } else {
        assert_eq!(after.updates.1, before.updates.1, "UPDATEs only: {shown}");
        assert!(after.updates.0 > before.updates.0, "{shown}");
    }
    Ok(())
}

#[test]
fn what_does_not_change_is_not_spoken_of() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"), Need::Tool("nginx"));
    require!(Need::File("/usr/lib/frr/bgpd"));
    let mut text = Text::new();
    let mut stage = Stage::start(&text)?;

    step(&mut stage, &text, (0, 0), &["reloaded: nothing has changed"])?;
    // Another order, and words for people.
    text.services.reverse();
    text.more = "# for people".to_owned();
    step(&mut stage, &text, (0, 0), &["reloaded: nothing has changed"])?;
    text.services.reverse();

    // Services come, get another name and other addresses, and go.
    text.and("extra", OTHER[0], "all(address)", "");
    step(&mut stage, &text, (1, 0), &["announces 1 route", OTHER[0], "service extra  add"])?;
    text.services[2].0 = "more".to_owned();
    step(&mut stage, &text, (0, 0), &["no route changes", "remove", "add"])?;
    text.services[2].1 = OTHER[1].to_owned();
    step(&mut stage, &text, (1, 1), &["withdraws 1 route, announces 1 route", "vips"])?;
    text.services.truncate(2);
    step(&mut stage, &text, (0, 1), &["withdraws 1 route", "WITHDRAW"])?;
    // One that was found belongs to a service, and then to none again.
    text.and("found", FOUND, "all(listen, address)", "");
    step(&mut stage, &text, (0, 0), &["service found  add"])?;
    text.services.truncate(2);
    step(&mut stage, &text, (0, 0), &["service found  remove"])?;

    // Rules and checks.
    text.web().2 = "any(all(listen, address), page)".to_owned();
    step(&mut stage, &text, (0, 0), &["service web  change  rule"])?;
    text.web().2 = "all(listen, address, page)".to_owned();
    text.web().3 = PAGE.replace("100ms", "150ms");
    step(&mut stage, &text, (0, 0), &["check web/page", "it starts anew"])?;
    text.web().3 = PAGE.replace("fall = 2", "fall = 3");
    step(&mut stage, &text, (0, 0), &["check web/page", "it starts anew"])?;
    text.web().3 = PAGE.to_owned();
    // A check that is new has not failed, whatever it is at first.
    let second = PAGE.replace("checks.page", "checks.second") + "initial = \"down\"\n";
    text.web().3 = format!("{PAGE}{second}");
    text.web().2 = "all(listen, address, page, second)".to_owned();
    step(&mut stage, &text, (0, 0), &["check web/second", "add"])?;
    text = Text::new();
    step(&mut stage, &text, (0, 0), &["check web/second", "remove"])?;

    // What holds for all.
    text.defaults = text.defaults.replace("up-delay = \"0s\"", "up-delay = \"5s\"");
    text.defaults = text.defaults.replace("damping = false", "damping = true");
    step(&mut stage, &text, (0, 0), &["up-delay", "damping"])?;
    text = Text::new();
    step(&mut stage, &text, (0, 0), &["no route changes"])?;
    text.filter = "sport = :8080 or sport = :9090";
    step(&mut stage, &text, (2, 0), &["listen-filter"])?;
    text = Text::new();
    step(&mut stage, &text, (0, 2), &["listen-filter"])?;

    // By a signal it is the same.
    let before = stage.rest()?;
    stage.ha2bgp.signal(Signal::HUP)?;
    stage.wait_log("the configuration was read again and counts now author=SIGHUP")?;
    hears(&mut stage, &before, (0, 0), "SIGHUP")?;
    // All that was there is there.
    for vip in [WEB, DNS, FOUND, FAR] {
        for router in [&stage.bird, &stage.frr] {
            router.wait_route(&format!("{vip}/32"), true, SOON)?;
        }
    }
    let log = stage.ha2bgp.stderr();
    assert!(!log.contains("session lost"), "{log}");
    Ok(())
}

/// A configuration that is no good changes nothing, and is told as `check-config` tells it.
#[test]
fn bad_files_change_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"), Need::Tool("nginx"));
    require!(Need::File("/usr/lib/frr/bgpd"));
    let text = Text::new();
    let mut stage = Stage::start(&text)?;
    let before = stage.rest()?;
    let mut bad = text.clone();
    bad.services[1].2 = "all(listen, adress)".to_owned();
    bad.peers[0].1 = "hold-tme = \"3s\"".to_owned();
    stage.write(&bad)?;
    let path = stage.path("ha2bgp.toml").display().to_string();
    let said = stage.ends(&["reload"], 2)?;
    let checked = stage.ends(&["check-config", &path], 2)?;
    assert_eq!(said, checked, "what is wrong is said in the same words");
    assert!(said.contains("adress") && said.contains("hold-tme"), "{said}");
    assert_eq!(stage.ends(&["plan"], 2)?, checked);
    assert_eq!(stage.ends(&["plan", &path], 2)?, checked);
    // The files of a directory, which the daemon does not see: those of one directory do not replace
    // each other's keys.
    let parts = stage.path("parts");
    let part =
        |name: &str, text: &str| std::fs::write(parts.join(name), text).map_err(LabError::io(name));
    std::fs::create_dir(&parts).map_err(LabError::io("parts"))?;
    part("a.toml", "networks = [\"100.64.0.0/24\"]\n")?;
    part("b.toml", "networks = [\"100.65.0.0/24\"]\n")?;
    part("c.conf", "nonsense")?;
    let said = stage.ends(&["plan", &parts.display().to_string()], 2)?;
    assert!(said.contains("parts/b.toml:1") && said.contains("twice"), "{said}");
    part(
        "b.toml",
        "backend = \"speaker\"\nlocal-as = 65000\nrouter-id = \"10.1.1.1\"\n\
                    peer = [{ address = \"10.9.1.2\", remote-as = 65001 }]\n",
    )?;
    let said = stage.ends(&["plan", &parts.display().to_string()], 1)?;
    assert!(said.contains("peer 10.9.2.2") && said.contains("remove"), "{said}");
    stage.ha2bgp.signal(Signal::HUP)?;
    stage.wait_log("bad configuration: everything stays as it is")?;
    // No file at all.
    std::fs::remove_file(&path).map_err(LabError::io(path.clone()))?;
    let said = stage.ends(&["reload"], 2)?;
    assert!(said.contains("ha2bgp.toml"), "{said}");
    assert_eq!(stage.rest()?, before);
    // And then all is well again.
    stage.write(&text)?;
    assert!(stage.ends(&["reload"], 0)?.contains("nothing has changed"));
    assert_eq!(stage.rest()?, before);
    Ok(())
}

/// A configuration that would withdraw more than the guard allows is refused, and counts with
/// `--force`.
#[test]
fn the_guard_refuses_what_would_withdraw_too_much() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"), Need::Tool("nginx"));
    require!(Need::File("/usr/lib/frr/bgpd"));
    let mut text = Text::new();
    text.more = "guard.max-withdrawals = { count = 1, per = \"1h\" }".to_owned();
    let mut stage = Stage::start(&text)?;
    let before = stage.rest()?;
    let all = text.networks;
    text.networks = "\"100.65.0.0/24\"";
    text.services.clear();
    stage.write(&text)?;
    let plan = stage.ends(&["plan"], 1)?;
    for words in ["would withdraw 3 routes", "BEYOND THE GUARD: 2 withdrawals", "WITHDRAW", WEB] {
        assert!(plan.contains(words), "{plan}");
    }
    let said = stage.ends(&["reload"], 1)?;
    assert!(said.contains("2 routes more than the guard allows"), "{said}");
    assert_eq!(stage.rest()?, before);
    let said = stage.ends(&["reload", "--force"], 0)?;
    hears(&mut stage, &before, (0, 3), &said)?;
    // Back.
    text.networks = all;
    text.services = Text::new().services;
    // The check of one is new, and must be made first.
    step(&mut stage, &text, (3, 0), &["announces 2 routes", "check web/page  add"])
}

/// Peers: those that do not change hear nothing of those that do.
#[test]
fn peers_change_one_by_one() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"), Need::Tool("nginx"));
    require!(Need::File("/usr/lib/frr/bgpd"));
    let mut text = Text::new();
    let mut stage = Stage::start(&text)?;
    let before = stage.rest()?;
    // BIRD hears all routes again, FRR nothing.
    text.peers[0].1 = "med = 77".to_owned();
    let said = stage.reload(&text)?;
    assert!(said.contains("peer 10.9.1.2  change  med: the session stays"), "{said}");
    stage.bird.wait_route(&format!("{WEB}/32"), true, SOON)?;
    wait::until(SOON, "BIRD has the new MED", || match stage.bird.route(&format!("{WEB}/32")) {
        Ok(route) if route.contains("BGP.med: 77") => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let after = stage.rest()?;
    assert_eq!(after.routes, (before.routes.0 + 4, before.routes.1));
    assert_eq!(after.updates, before.updates);
    // FRR goes; BIRD hears nothing.
    let frr = text.peers.pop();
    let said = stage.reload(&text)?;
    assert!(said.contains("peer 10.9.2.2  remove"), "{said}");
    stage.frr.wait_established(false, SOON)?;
    stage.wait_log("no longer a peer")?;
    // And comes back.
    text.peers.extend(frr);
    let said = stage.reload(&text)?;
    assert!(said.contains("peer 10.9.2.2  add"), "{said}");
    stage.wait_routes(4)?;
    assert_eq!(stage.rest()?.routes, after.routes);
    // A session that must begin anew does, alone.
    text.peers[1].1 = "graceful-restart = false".to_owned();
    let said = stage.reload(&text)?;
    assert!(said.contains("restart") && said.contains("graceful-restart"), "{said}");
    stage.wait_log("graceful-restart: the session restarts")?;
    stage.wait_routes(4)?;
    assert_eq!(stage.rest()?.routes, after.routes);
    Ok(())
}
