//! How it ends, and what it tells while it runs.

use crate::stage::{SOON, Stage, VIP};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, service, wait};
use rustix::process::Signal;

/// SIGTERM and SIGINT withdraw everything, flush, and end with 0.
fn withdraws_all(signal: Signal) -> Result<()> {
    let mut stage = Stage::new("signal", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    stage.fake.child().signal(signal)?;
    let status = stage.fake.wait_exit(SOON)?;
    assert_eq!(status.code(), Some(0), "{signal:?}: {status}\n{}", stage.fake.child().tail());
    assert!(stage.fake.table().announced().is_empty(), "{}", stage.fake.text());
    assert_eq!(stage.fake.table().withdrawals(), 1);
    drop(listener);
    Ok(())
}

#[test]
fn sigterm() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    withdraws_all(Signal::TERM)
}

#[test]
fn sigint() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    withdraws_all(Signal::INT)
}

/// ExaBGP is gone: nobody is left to withdraw from.
#[test]
fn end_of_standard_input() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("eof", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    stage.fake.close_stdin();
    let status = stage.fake.wait_exit(SOON)?;
    assert_eq!(status.code(), Some(0), "{status}\n{}", stage.fake.child().tail());
    drop(listener);
    Ok(())
}

#[test]
fn broken_standard_output() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("epipe", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    // The fake drops both of its pipe ends; the next line meets a broken pipe.
    stage.fake.close_stdout();
    drop(listener);
    let status = stage.fake.wait_exit(SOON)?;
    assert_eq!(status.code(), Some(0), "{status}\n{}", stage.fake.child().tail());
    let log = stage.fake.child().stderr();
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}

/// SIGHUP and SIGUSR1 print the status to standard error, and nothing to standard output.
#[test]
fn status_dumps() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("dump", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    for signal in [Signal::HUP, Signal::USR1] {
        let before = stage.fake.child().stderr().len();
        stage.fake.child().signal(signal)?;
        wait::until(SOON, &format!("{signal:?} dumps the status"), || {
            let log = stage.fake.child().stderr();
            let new = log.get(before..).unwrap_or_default();
            if new.contains(VIP) { Ok(()) } else { Err(log) }
        })?;
    }
    assert_eq!(stage.fake.lines().len(), 1, "{}", stage.fake.text());
    assert!(stage.fake.child().exit_status()?.is_none());
    drop(listener);
    stage.fake.wait(VIP, false, SOON)
}
