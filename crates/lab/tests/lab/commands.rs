//! The commands that look and steer, against the running program with BIRD: what each prints, and how
//! it ends.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::speaker_stage::{Pair, Plan};
use crate::stage::{SOON, VIP, VIP6};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require, service, wait};
use rustix::process::Signal;

/// Runs a command; its exit code and standard output.
fn ask(socket: &Path, args: &[&str]) -> Result<(Option<i32>, String)> {
    let mut command = program::command(args);
    command.env("HA2BGP_CONTROL", socket).env("TZ", "UTC");
    let output: Output = command.output().map_err(LabError::io("run ha2bgp"))?;
    let text = String::from_utf8(output.stdout)
        .map_err(|error| LabError::Missing(format!("{args:?} prints what is no text: {error}")))?;
    assert!(!text.contains('\x1b'), "colours without a terminal: {args:?}\n{text}");
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), format!("{text}{errors}")))
}

/// Asks until a command ends with that and prints these texts.
fn until(socket: &Path, args: &[&str], code: i32, texts: &[&str]) -> Result<String> {
    wait::until(SOON, &format!("{args:?} ends with {code} and says {texts:?}"), || {
        let (got, text) = ask(socket, args).map_err(|error| error.to_string())?;
        let good = got == Some(code) && texts.iter().all(|it| text.contains(it));
        if good { Ok(text) } else { Err(format!("{got:?}\n{text}")) }
    })
}

fn plan(socket: &Path) -> Plan {
    Plan::new(Kind::Bird).section(&format!(
        "description = \"router one\"\nmed = 100\n\
         [control]\nunix = \"{}\"\n\
         [[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\n",
        socket.display()
    ))
}

#[test]
fn a_look_from_every_side() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need());
    let dir = readme::workdir()?;
    let socket: PathBuf = dir.path().join("ha2bgp.sock");
    let mut pair = Pair::established(plan(&socket))?;
    let at = |args: &[&str], code, texts: &[&str]| until(&socket, args, code, texts);

    // Nothing listens: the service that is configured is there, and down.
    at(&["status"], 1, &["0 of 1 announced", "1 no-listener", "web", "withdrawn"])?;
    at(&["why", VIP], 0, &["is not announced: no matching socket", "listen = fail"])?;
    at(&["nagios"], 2, &["HA2BGP CRITICAL - 0 of 1 announced", "web: no-listener"])?;

    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let text = at(&["status"], 0, &["1 of 1 announced", "1 of 1 peer up", "1/1"])?;
    // How listeners are noticed is a sentence, which only a terminal has a width for.
    let mut table = text.lines().filter(|line| !line.starts_with("listeners are noticed by tier"));
    assert!(table.all(|line| line.chars().count() <= 80), "{text}");
    at(&["status", "--bad"], 0, &["none of these"])?;
    at(&["status", "web", VIP], 0, &["announced"])?;
    at(&["status", "wep"], 1, &["did you mean web?"])?;
    at(&["status", "100.64.0.99"], 1, &["none of these"])?;
    let acknowledged =
        ["is announced: all checks pass (healthy)", "(router one): announced", "MED 100"];
    at(&["why", VIP], 0, &acknowledged)?;
    at(&["why", VIP], 0, &["acknowledged"])?;
    at(&["why", "web"], 0, &acknowledged)?;
    at(&["why", "100.64.0.0/24"], 0, &acknowledged)?;
    at(&["peers"], 0, &["Established", "1/1"])?;
    at(&["nagios"], 0, &["HA2BGP OK - 1 of 1 announced | announced=1;;;0;1 down=0;0;0;0;1"])?;

    // An address that is no service: a socket is there, and the filter does not match it.
    let other = service::listen(&pair.us, &format!("[{VIP6}]:9090"))?;
    at(&["why", VIP6], 0, &["(not-discovered)", "do not match: tcp", ":9090", "sport = :8080"])?;
    drop(other);
    at(
        &["why", "100.64.0.11"],
        0,
        &["(not-discovered)", "nearest: 100.64.0.10/32 (web, announced)"],
    )?;
    at(&["why", "192.0.2.1"], 0, &["(outside-networks)", "100.64.0.0/24"])?;
    at(&["why", "224.0.0.1"], 0, &["(never-announced)", "multicast"])?;

    // Operators.
    let args = ["maintenance", "web", "--for", "1h", "--reason", "new kernel"];
    at(&args, 0, &["maintenance of service web", "new kernel"])?;
    pair.wait_route(false)?;
    at(&["status"], 1, &["maintenance by", "new kernel", "1 maintenance"])?;
    at(&["why", VIP], 0, &["(maintenance)", "otherwise it would be announced"])?;
    at(&["nagios"], 1, &["WARNING", "1 override (maintenance of service web"])?;
    let text = at(&["overrides", "--json"], 0, &["\"id\":"])?;
    let id = text.split("\"id\":").nth(1).unwrap_or_default();
    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
    // One that is not there does not keep the other.
    let both = ["lift", "4000000000", &id];
    at(&both, 1, &["there is no override 4000000000", "taken back: override 1"])?;
    pair.wait_route(true)?;
    at(&["lift", &id], 1, &["there is no override"])?;
    at(&["overrides"], 0, &["there are none"])?;
    at(&["force", "down", VIP], 0, &["force-down of 100.64.0.10/32", "no reason given"])?;
    pair.wait_route(false)?;
    at(&["force", "up", "--all", "--for", "1s"], 0, &["force-up of all"])?;
    at(&["status", "--json"], 1, &["\"reason\":\"force-down\"", "\"version\""])?;
    at(&["reset-damping", "--all"], 0, &["forgotten"])?;

    // Routes by the API: what BIRD's kernel has acknowledged is gone again.
    drop(listener);
    let stopped = at(&["peers", "--json"], 0, &["\"state\":\"Established\""])?;
    assert!(stopped.contains("\"remote_as\":\"65001\""), "{stopped}");
    pair.ha2bgp.signal(Signal::TERM)?;
    pair.ha2bgp.wait(SOON)?;
    for args in [&["status"][..], &["why", VIP], &["peers"], &["overrides"], &["lift", "1"]] {
        at(args, 3, &["is ha2bgp running"])?;
    }
    at(&["nagios"], 2, &["HA2BGP CRITICAL - "])?;
    at(&["nagios", "--nonsense"], 3, &["--nonsense"])?;
    Ok(())
}

/// A peer that is not there is told of everywhere.
#[test]
fn a_peer_that_is_down_is_seen() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need());
    let dir = readme::workdir()?;
    let socket: PathBuf = dir.path().join("ha2bgp.sock");
    let mut pair = Pair::established(plan(&socket))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.router.kill()?;
    let at = |args: &[&str], code, texts: &[&str]| until(&socket, args, code, texts);
    at(&["peers"], 1, &["10.9.1.2 (router one): there is no session"])?;
    at(&["status"], 0, &["1 of 1 announced", "0 of 1 peer up", "0/1", "problem: peer 10.9.1.2"])?;
    at(&["why", VIP], 0, &["10.9.1.2 (router one): not-told"])?;
    at(&["nagios"], 2, &["CRITICAL", "peer 10.9.1.2"])?;
    drop(listener);
    Ok(())
}
