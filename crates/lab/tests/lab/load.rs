//! Many listeners, and kernels that lose events: never a wrong final state.

use crate::stage::{Stage, WHILE};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, link, require, service, wait};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use socket2::Socket;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Room for more sockets than the usual 1024.
fn many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(65_536).min(65_536);
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
        .map_err(LabError::errno("raise the limit of open files"))
}

/// The VIPs `100.64.HIGH.LOW`, all on the loopback, added in one go.
fn vips(host: &Netns, dir: &std::path::Path, count: u32) -> Result<Vec<String>> {
    let vips: Vec<String> =
        (0..count).map(|n| format!("100.64.{}.{}", n / 250, n % 250 + 1)).collect();
    let batch: String = vips.iter().map(|vip| format!("addr add {vip}/32 dev lo\n")).collect();
    let file = dir.join("batch");
    std::fs::write(&file, batch).map_err(LabError::io("batch"))?;
    host.ip(&["-batch", &file.display().to_string()])?;
    Ok(vips)
}

fn stage(hint: &str, count: u32) -> Result<(Stage, Vec<String>)> {
    let host = Netns::new(hint)?;
    let dir = ha2bgp_lab::readme::workdir()?;
    let vips = vips(&host, dir.path(), count)?;
    let args = [
        "-n",
        "100.64.0.0/16",
        "-l",
        "sport >= :8080 and sport <= :8083",
        "--up-delay",
        "0s",
        "--down-delay",
        "0s",
        "--damping",
        "off",
    ];
    Ok((Stage::with_args(host, &args, &[], Answer::Done)?, vips))
}

fn settles(stage: &mut Stage, what: &str, expected: &BTreeSet<String>) -> Result<()> {
    let summary = format!("{what}: exactly {} VIPs", expected.len());
    stage.fake.wait_for(&summary, LIMIT, |table| table.announced() == expected)?;
    stage.fake.holds(&summary, WHILE, |table| table.announced() == expected)
}

/// 2 500 VIPs with four ports each.
#[test]
fn ten_thousand_listeners() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    many_files()?;
    let (mut stage, vips) = stage("many", 2_500)?;
    let listen = |vip: &String| -> Result<Vec<Socket>> {
        let ports: std::result::Result<Vec<Socket>, std::io::Error> = stage.host.within(|| {
            let addresses = (8080..8084).map(|port| format!("{vip}:{port}").parse::<SocketAddr>());
            addresses
                .map(|address| {
                    let address = address.map_err(std::io::Error::other)?;
                    service::open(address, socket2::Type::STREAM, service::Options::default())
                })
                .collect()
        })?;
        ports.map_err(LabError::io(format!("listen on {vip}")))
    };
    let mut services: Vec<(String, Vec<Socket>)> = Vec::new();
    for vip in &vips {
        services.push((vip.clone(), listen(vip)?));
    }
    let all: BTreeSet<String> = vips.iter().cloned().collect();
    settles(&mut stage, "all", &all)?;

    // Every third VIP loses all of its ports, every other all but one.
    let mut left = BTreeSet::new();
    for (index, (vip, sockets)) in services.iter_mut().enumerate() {
        sockets.truncate(usize::from(index % 3 != 0));
        if index % 3 != 0 {
            left.insert(vip.clone());
        }
    }
    settles(&mut stage, "two thirds", &left)?;
    services.clear();
    settles(&mut stage, "none", &BTreeSet::new())
}

/// Opens and closes connections as fast as it goes until told to stop, at most for a while.
fn churn(address: SocketAddr, stop: &AtomicBool, count: &AtomicU64) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) && start.elapsed() < LIMIT {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        // A reset leaves no TIME_WAIT behind, and so no limit to the rate.
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        drop(server);
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Listeners change while connections churn on a matching port, and while ha2bgp is stopped, so
/// that its netlink sockets overrun: afterwards it knows what is true.
#[test]
fn netlink_overrun_under_churn() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    many_files()?;
    let (mut stage, vips) = stage("churn", 100)?;
    link::add_address(&stage.host, "192.0.2.1/32", "lo")?;
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let churning: SocketAddr =
        "192.0.2.1:8083".parse().map_err(|_| LabError::Missing("an address".to_owned()))?;
    let host = stage.host.name().to_owned();
    std::thread::scope(|scope| {
        let churner = scope.spawn(|| churn_in(&host, churning, &stop, &count));
        let outcome = changes_while_stopped(&mut stage, &vips, &count);
        stop.store(true, Ordering::Relaxed);
        let churned = churner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.and(churned)
    })
}

fn churn_in(host: &str, address: SocketAddr, stop: &AtomicBool, count: &AtomicU64) -> Result<()> {
    ha2bgp_lab::netns::enter(host)?;
    churn(address, stop, count).map_err(LabError::io("churn"))
}

fn changes_while_stopped(stage: &mut Stage, vips: &[String], count: &AtomicU64) -> Result<()> {
    let listen = |stage: &Stage, vip: &String| {
        service::listen(&stage.host, &format!("{vip}:8080")).map(|socket| (vip.clone(), socket))
    };
    let mut held: Vec<(String, Socket)> = Vec::new();
    for vip in vips.iter().step_by(2) {
        held.push(listen(stage, vip)?);
    }
    let even: BTreeSet<String> = held.iter().map(|(vip, _)| vip.clone()).collect();
    settles(stage, "half, under churn", &even)?;

    for round in 0..3 {
        stage.fake.child().signal(Signal::STOP)?;
        let before = count.load(Ordering::Relaxed);
        held.clear();
        // Thousands of events of listeners that match: far more than a socket's buffer holds.
        for _ in 0..20 {
            for vip in vips {
                drop(listen(stage, vip)?);
            }
        }
        for vip in vips.iter().skip(round).step_by(3) {
            held.push(listen(stage, vip)?);
        }
        wait::until_true(LIMIT, "2 000 connections came and went meanwhile", || {
            count.load(Ordering::Relaxed) >= before + 2_000
        })?;
        stage.fake.child().signal(Signal::CONT)?;
        let expected: BTreeSet<String> = held.iter().map(|(vip, _)| vip.clone()).collect();
        settles(stage, &format!("round {round}"), &expected)?;
    }
    Ok(())
}
