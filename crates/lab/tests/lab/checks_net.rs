//! `type = "tcp"` with hostile servers; and all kinds of this sort at once for a while: nothing grows.

use crate::probes::{finds, stage, stage_of_one};
use crate::stage::{SOON, VIP, host};
use ha2bgp_core::check::Outcome;
use ha2bgp_lab::misbehave::udp::{MisbehaveUdp, Mode};
use ha2bgp_lab::misbehave::{Misbehave, Step, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, require, wait};
use std::net::SocketAddr;
use std::time::Duration;

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

const PONG: &[u8] = b"+PONG\r\n";
const DRIP: Duration = Duration::from_millis(100);

/// Every script, with what must be found.
fn hostile() -> Vec<(Vec<Step>, Outcome, &'static str)> {
    let waiting = "timed out after 300ms while waiting for the answer";
    vec![
        (steps::answer(PONG), Outcome::Pass, r#"answered "+PONG\r\n""#),
        (steps::answer(b"-ERR\r\n"), Outcome::Fail, "closed after 6 octets, expected"),
        (steps::garbage(), Outcome::Fail, "not in the first 4096 octets, expected"),
        (steps::endless(b"", b"xyz"), Outcome::Fail, r#"it begins "xyzxyz"#),
        (steps::long_line(b"", 10 << 20), Outcome::Fail, "not in the first 4096 octets"),
        (steps::invalid_utf8(b""), Outcome::Fail, r#"it begins "\x80 "#),
        (steps::close_early(), Outcome::Fail, ""),
        (steps::close_after(PONG, 0), Outcome::Fail, "closed without an answer, expected"),
        (steps::close_after(PONG, 3), Outcome::Fail, "closed after 3 octets, expected"),
        (steps::stop_after(PONG, 3), Outcome::Fail, "no more than 3 octets in time"),
        (steps::drip(PONG, DRIP), Outcome::Fail, "octets in time, expected"),
        (steps::late(PONG, Duration::from_secs(5)), Outcome::Fail, waiting),
        (steps::never_answer(), Outcome::Fail, waiting),
        (steps::reset(), Outcome::Fail, "connection reset by peer"),
    ]
}

#[test]
fn hostile_servers() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("tcp-hostile")?;
    let check = |at: SocketAddr, outcome, words: &str| {
        let keys = format!(
            "type = 'tcp'\nport = {}\ntimeout = '300ms'\nsend = 'PING\\r\\n'\nexpect = '+PONG'",
            at.port()
        );
        finds(&host, &at.ip().to_string(), &keys, outcome, words)
    };
    for at in ["127.0.0.1:0", "[::1]:0"] {
        for (script, outcome, words) in hostile() {
            let server = Misbehave::tcp(&host, address(at)?, vec![script])?;
            check(server.address()?, outcome, words)?;
            wait::until_true(SOON, "no connection is open", || server.open() == 0)?;
        }
        let full = Misbehave::never_accept_tcp(&host, address(at)?)?;
        check(full.address()?, Outcome::Fail, "timed out after 300ms while connecting")?;
    }
    Ok(())
}

#[test]
fn announced_while_it_answers() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("tcp-check")?;
    let at = address(&format!("{VIP}:6379"))?;
    let keys =
        "type = 'tcp'\nport = 6379\nsend = 'PING\\r\\n'\nexpect = '+PONG'\ntimeout = '300ms'";
    let mut stage = stage_of_one(host, keys)?;
    for script in [steps::never_answer(), steps::garbage(), steps::reset(), steps::close_early()] {
        let good = Misbehave::tcp(&stage.host, at, vec![steps::answer_each(PONG)])?;
        stage.fake.wait(VIP, true, SOON)?;
        drop(good);
        let _bad = Misbehave::tcp(&stage.host, at, vec![script])?;
        stage.fake.wait(VIP, false, SOON)?;
    }
    let _good = Misbehave::tcp(&stage.host, at, vec![steps::answer_each(PONG)])?;
    stage.fake.wait(VIP, true, SOON)
}

/// How many descriptors a process has.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Every hostile server at once, in one program, whose service stays announced all the while.
#[test]
fn nothing_grows() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("checks-grow")?;
    host.sysctl("net/ipv4/ping_group_range", "0 2147483647")?;
    let (mut rule, mut checks) = ("all(probe".to_owned(), String::new());
    let mut add = |name: &str, keys: &str| {
        if name != "probe" {
            rule.push_str(&format!(", {name}"));
            checks.push('\n');
        }
        let power = if name == "probe" { "" } else { "shadow = true\n" };
        checks.push_str(&format!(
            "[service.checks.{name}]\n{keys}\naddress = '127.0.0.1'\ntimeout = '300ms'\n\
             interval = '20ms'\n{power}"
        ));
    };
    let any = address("127.0.0.1:0")?;
    let good = Misbehave::tcp(&host, any, vec![steps::answer(PONG)])?;
    let port = good.address()?.port();
    add("probe", &format!("type = 'tcp'\nport = {port}\nsend = 'x'\nexpect = '+PONG'"));
    let (mut streams, mut datagrams) = (Vec::new(), Vec::new());
    for (number, (script, _, _)) in hostile().into_iter().enumerate() {
        let server = Misbehave::tcp(&host, any, vec![script])?;
        let port = server.address()?.port();
        let keys = format!("type = 'tcp'\nport = {port}\nsend = 'x'\nexpect = '/[+]PONG/'");
        add(&format!("tcp{number}"), &keys);
        let keys = format!("type = 'dns'\nport = {port}\nname = 'a.test'\nprotocol = 'tcp'");
        add(&format!("stream{number}"), &keys);
        streams.push(server);
    }
    let modes = [
        Mode::Garbage,
        Mode::Silence,
        Mode::WrongId,
        Mode::Duplicate,
        Mode::Oversized,
        Mode::Truncated,
        Mode::Loop,
        Mode::Cut(30),
    ];
    for (number, mode) in modes.into_iter().enumerate() {
        let server = MisbehaveUdp::start(&host, any, vec![mode])?;
        let port = server.address().port();
        add(&format!("udp{number}"), &format!("type = 'dns'\nport = {port}\nname = 'a.test'"));
        datagrams.push(server);
    }
    add("icmp", "type = 'icmp'\ncount = 3\nleast = 3");
    add("nobody", "type = 'dns'\nport = 9\nname = 'a.test'");
    let mut stage = stage(host, &format!("{rule})"), &checks)?;
    stage.fake.wait(VIP, true, SOON)?;
    let pid = stage.fake.child().pid();
    let most = |count: usize| -> Result<(usize, u64)> {
        let (mut descriptors_most, mut memory_most) = (0, 0);
        wait::until_true(SOON * 6, "probes enough", || {
            descriptors_most = descriptors_most.max(descriptors(pid));
            memory_most = memory_most.max(procfs::memory(pid, "VmRSS").unwrap_or(0));
            good.accepted() >= count
        })?;
        Ok((descriptors_most, memory_most))
    };
    most(100)?;
    let (first, _, second) = (most(300)?, most(500)?, most(700)?);
    assert!(second.0 <= first.0 + 10, "descriptors: {first:?}, then {second:?}");
    assert!(second.1 <= first.1 + (2 << 20), "octets of memory: {first:?}, then {second:?}");
    assert_eq!(stage.fake.table().announced().len(), 1, "it stayed so");
    Ok(())
}
