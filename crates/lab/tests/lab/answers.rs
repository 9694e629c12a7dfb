//! What ExaBGP answers, or does not: the latest state always gets through.

use crate::stage::{SOON, Stage, VIP, VIP2, WHILE, host};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, link, procfs, require, service, wait};
use std::collections::BTreeSet;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

fn comes_and_goes_with(answer: Answer) -> Result<Stage> {
    let host = host("answers")?;
    link::add_address(&host, "100.64.0.11/32", "lo")?;
    let mut stage = Stage::on(host, &[], answer)?;
    for _ in 0..3 {
        let first = service::listen(&stage.host, "100.64.0.10:8080")?;
        stage.fake.wait(VIP, true, SOON)?;
        let second = service::listen(&stage.host, "100.64.0.11:8080")?;
        stage.fake.wait(VIP2, true, SOON)?;
        drop(first);
        stage.fake.wait(VIP, false, SOON)?;
        drop(second);
        stage.fake.wait(VIP2, false, SOON)?;
    }
    Ok(stage)
}

#[test]
fn json_answers() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    comes_and_goes_with(Answer::Json).map(drop)
}

/// As with `exabgp.api.ack` off, or where 4.2.x loses a command.
#[test]
fn no_answers_at_all() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    comes_and_goes_with(Answer::Nothing).map(drop)
}

/// An `error` is reported with the command that it belongs to.
#[test]
fn errors_name_their_command() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = comes_and_goes_with(Answer::Error)?;
    wait::until(SOON, "the error is on stderr", || {
        let log = stage.fake.child().stderr();
        let named = log
            .lines()
            .any(|line| line.contains("[E]") && line.contains("announce route 100.64.0.1"));
        if named { Ok(()) } else { Err(log) }
    })
}

#[test]
fn a_refused_command_is_tried_again() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::on(host("retry")?, &[], Answer::ErrorOnce)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.fake.wait(VIP, true, SOON)?;
    wait::until(Duration::from_secs(60), "a second announce", || {
        let announces =
            stage.fake.lines().iter().filter(|(_, line)| line.contains("announce")).count();
        if announces >= 2 { Ok(()) } else { Err(stage.fake.text()) }
    })?;
    drop(listener);
    stage.fake.wait(VIP, false, SOON)
}

/// A pipe that nobody reads fills; the engine goes on, memory stays bounded, and when it is read
/// again the latest state arrives.
#[test]
fn a_full_pipe_keeps_the_latest_state() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = Netns::new("full-pipe")?;
    let vips: Vec<String> = (1..=200).map(|last| format!("100.64.0.{last}")).collect();
    for vip in &vips {
        link::add_address(&host, &format!("{vip}/32"), "lo")?;
    }
    let mut stage = Stage::on(host, &[], Answer::Nothing)?;
    let first = service::listen(&stage.host, "100.64.0.1:8080")?;
    stage.fake.wait("100.64.0.1", true, SOON)?;
    drop(first);
    stage.fake.wait("100.64.0.1", false, SOON)?;

    let pid = stage.fake.child().pid();
    let before = procfs::memory(pid, "VmHWM").unwrap_or(0);
    stage.fake.stop_reading();
    let mut left = Vec::new();
    // 200 × 10 × 2 changes of about 45 bytes are well over the 64 KiB of a pipe.
    for round in 0..10 {
        left.clear();
        for (index, vip) in vips.iter().enumerate() {
            let listener = service::listen(&stage.host, &format!("{vip}:8080"))?;
            if round < 9 || index % 2 == 0 {
                left.push((vip, listener));
            }
        }
        wait::pause(Duration::from_millis(200));
    }
    let grown = procfs::memory(pid, "VmHWM").unwrap_or(0).saturating_sub(before);
    assert!(grown < 16 * MIB, "{} KiB more than before", grown / 1024);
    stage.fake.read_again();
    let expected: BTreeSet<String> = left.iter().map(|(vip, _)| (*vip).clone()).collect();
    let settled = "the state after the last change";
    stage.fake.wait_for(settled, Duration::from_secs(30), |t| *t.announced() == expected)?;
    stage.fake.holds(settled, WHILE, |table| *table.announced() == expected)
}

/// What is announced is said again, and what was withdrawn a third as often.
#[test]
fn routes_are_reasserted() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::on(host("reassert")?, &["--reassert", "1s"], Answer::Done)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    wait::until(Duration::from_secs(20), "three announcements", || {
        said(&mut stage, "announce", 3)
    })?;
    assert_eq!(stage.fake.table().withdrawals(), 0, "{}", stage.fake.text());
    drop(listener);
    wait::until(Duration::from_secs(30), "two withdrawals", || said(&mut stage, "withdraw", 2))?;
    stage.settles_on(&[])
}

fn said(stage: &mut Stage, verb: &str, times: usize) -> std::result::Result<(), String> {
    let line = format!("{verb} route {VIP} next-hop self");
    let count = stage.fake.lines().iter().filter(|(_, said)| *said == line).count();
    if count >= times { Ok(()) } else { Err(stage.fake.text()) }
}
