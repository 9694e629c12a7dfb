//! What cannot be meant: exit code 2, nothing announced, and a message that names the flag, the
//! value, the rule and the fix.

use crate::stage::{SOON, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::exabgp::{Config, ExaBgp, Version};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, program, readme, require, service, wait};
use rustix::process::{Pid, Signal, test_kill_process};
use std::time::Duration;

/// Arguments, and what the message must contain.
const CASES: [(&[&str], &[&str]); 13] = [
    (&["--no-such-flag"], &["--no-such-flag", "--help"]),
    (&["--netwrok", "100.64.0.0/24"], &["--netwrok", "--network"]),
    (&["-n", "nonsense"], &["--network", "nonsense", "for example 192.0.2.0/24"]),
    (&["-n", "100.64.0.0/33"], &["--network", "100.64.0.0/33", "32"]),
    (&["-n", "100.64.0.1/24"], &["--network", "100.64.0.1/24", "100.64.0.0/24"]),
    (&["-n", "100.64.0.0/24", "-n", "100.64.0.0/24"], &["--network", "100.64.0.0/24", "twice"]),
    (&["-n", "0.0.0.0/0"], &["--network", "0.0.0.0/0", "--allow-any-network"]),
    (&["-n", "::/0"], &["--network", "::/0", "--allow-any-network"]),
    (&["-n", "169.254.0.0/16"], &["--network", "169.254.0.0/16", "link-local"]),
    (&["-l", "sport = = :80"], &["--listen-filter", "\"=\"", "for example sport = :80"]),
    (&["-l", "dst www.example.org"], &["--listen-filter", "www.example.org"]),
    (&["--device", "nosuch0"], &["--device", "nosuch0"]),
    (&["--up-delay", "soon"], &["--up-delay", "soon", "such as 3s"]),
];

fn exits_with_2(cases: &[(&[&str], &[&str])]) -> Result<()> {
    let host = host("bad-input")?;
    // Something that would be announced, were the input good.
    let listener = service::listen(&host, "100.64.0.10:80")?;
    let dir = readme::workdir()?;
    let mut wrong = Vec::new();
    for (args, needles) in cases {
        let mut child = host.start("bad", &mut program::command(args), dir.path())?;
        let status = child.wait(SOON)?;
        let (out, err) = (child.stdout(), child.stderr());
        if status.code() != Some(2) {
            wrong.push(format!("{args:?}: {status}, not 2\n{err}"));
        }
        if !out.is_empty() {
            wrong.push(format!("{args:?}: printed to the route channel: {out}"));
        }
        for needle in needles.iter().filter(|needle| !err.contains(**needle)) {
            wrong.push(format!("{args:?}: the message does not name {needle:?}:\n{err}"));
        }
    }
    drop(listener);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn exits_with_2_and_says_why() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    exits_with_2(&CASES)
}

/// In Go's style a misspelt flag is one flag too, not a cluster of short ones: here it must not
/// be read as `-n etwrok`.
#[test]
fn a_misspelt_go_style_flag() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    exits_with_2(&[
        (&["-netwrok", "100.64.0.0/24"], &["netwrok"]),
        (&["-debugg"], &["debugg"]),
        (&["-nosuch=1"], &["nosuch"]),
    ])
}

/// The speaker's flags: everything that is wrong is said at once.
#[test]
fn the_speaker_s_flags() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let speaker = ["--bgp-backend", "speaker", "--local-as", "65000", "--router-id", "10.1.1.1"];
    let with = |more: &[&'static str]| [&speaker[..], more].concat();
    exits_with_2(&[
        (&with(&[]), &["--peer: ", "--peer-as: "]),
        (&with(&["--peer", "192.0.2.1", "--peer-as", "0"]), &["--peer-as: ", "reserved"]),
        (&with(&["--peer", "100.64.0.10", "--peer-as", "1"]), &["an address of this host"]),
        (
            &with(&[
                "--peer",
                "::1",
                "--peer-as",
                "1",
                "--password-file",
                "/none",
                "--hold-time=1s",
            ]),
            &["--password-file: ", "/none", "--hold-time: "],
        ),
        (
            &with(&["--peer", "::1", "--peer-as", "1", "--ttl-security", "--multihop", "2"]),
            &["--multihop: ", "ttl-security"],
        ),
        (
            &with(&["--peer", "192.0.2.1", "--peer-as", "1", "--nexthop", "192.0.2.1"]),
            &["--nexthop: ", "is the peer itself"],
        ),
        (&["--peer", "192.0.2.1"], &["--peer: ", "--bgp-backend speaker"]),
    ])
}

#[test]
fn a_bad_environment_is_named_too() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("bad-env")?;
    let dir = readme::workdir()?;
    let mut command = program::command(&[]);
    command.env("HA2BGP_NETWORK_FILTER", "100.64.0.0/24,nonsense");
    let mut child = host.start("bad", &mut command, dir.path())?;
    let status = child.wait(SOON)?;
    assert_eq!(status.code(), Some(2), "{}", child.tail());
    assert!(child.stderr().contains("HA2BGP_NETWORK_FILTER"), "{}", child.tail());
    assert!(child.stderr().contains("nonsense"), "{}", child.tail());
    assert_eq!(child.stdout(), "");
    Ok(())
}

#[test]
fn version_and_help_are_no_errors() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("help")?;
    let dir = readme::workdir()?;
    for (arg, needle) in [("--version", "ha2bgp"), ("--help", "--network"), ("-help", "--network")]
    {
        let mut child = host.start("help", &mut program::command(&[arg]), dir.path())?;
        let status = child.wait(SOON)?;
        assert_eq!(status.code(), Some(0), "{arg}: {}", child.tail());
        let text = format!("{}{}", child.stdout(), child.stderr());
        assert!(text.contains(needle), "{arg}: {text}");
    }
    Ok(())
}

/// ExaBGP gives up on a helper that dies too often: with bad input ha2bgp stays, and says so.
fn stays_under_exabgp(version: Version) -> Result<()> {
    let host = host("bad-helper")?;
    let dir = readme::workdir()?;
    let program = readme::program_for_all(dir.path())?;
    let run = format!("{} -network nonsense", program.display());
    let config = Config { run: &run, neighbor: "127.0.1.1", local: "127.0.1.2" };
    let listener = service::listen(&host, "100.64.0.10:80")?;
    let mut exabgp = ExaBgp::start(&host, version, dir.path(), &config, "root")?;
    let helper = exabgp.helper(SOON)?;
    wait::until(SOON, "it says what is wrong", || {
        let log = exabgp.log();
        if log.contains("nonsense") { Ok(()) } else { Err(log) }
    })?;
    let exabgp_pid = exabgp.child().pid();
    wait::holds(Duration::from_secs(3), "the same helper runs", || {
        match procfs::children(exabgp_pid) {
            children if children.contains(&helper) => Ok(()),
            children => Err(format!("children now {children:?}\n{}", exabgp.log())),
        }
    })?;
    assert!(!exabgp.log().contains("route added"), "{}", exabgp.log());
    // It ends when it is told to.
    let pid = i32::try_from(helper).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| LabError::Missing("a pid".to_owned()))?;
    exabgp.child().kill()?;
    wait::until_true(SOON, "the helper ends with ExaBGP", || {
        // An orphan that has ended may stay a zombie until init reaps it.
        test_kill_process(pid).is_err() || procfs::memory(helper, "VmRSS").is_none()
    })?;
    drop(listener);
    Ok(())
}

#[test]
fn stays_under_exabgp_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::ExaBgp(Version::Debian));
    stays_under_exabgp(Version::Debian)
}

#[test]
fn stays_under_exabgp_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::ExaBgp(Version::V5_0_15));
    stays_under_exabgp(Version::V5_0_15)
}

/// Run by hand with input from a terminal or from nowhere, there is no ExaBGP to wait for.
#[test]
fn by_hand_it_ends_on_a_signal() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("by-hand")?;
    let dir = readme::workdir()?;
    let mut child: Child =
        host.start("by-hand", &mut program::command(&["--up-delay", "0s"]), dir.path())?;
    let listener = service::listen(&host, "127.0.0.1:80")?;
    wait::until(SOON, "it announces", || {
        let out = child.stdout();
        if out == "announce route 127.0.0.1 next-hop self\n" { Ok(()) } else { Err(child.tail()) }
    })?;
    child.signal(Signal::INT)?;
    let status = child.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", child.tail());
    assert!(child.stdout().ends_with("withdraw route 127.0.0.1 next-hop self\n"));
    drop(listener);
    Ok(())
}
