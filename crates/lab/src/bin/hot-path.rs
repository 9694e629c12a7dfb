//! The hot path, for callgrind: `cargo xtask counts` counts the instructions of each `counted_…` function
//! here, and compares them with `crates/lab/counts.txt`.
//!
//! Everything is the same in every run: no clock, no file, no randomness, no hash that is seeded. What
//! prepares a group stands outside of its function. A new group is a function here, called from `main`.

use ha2bgp_core::fact::Protocol;
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;
use ha2bgp_lab::chain::Chain;
use ha2bgp_lab::source;
use ha2bgp_proto::exabgp::{ApiVersion, Options, Session};
use ha2bgp_proto::filter::{Bytecode, Context, Filter, NoNames, Services, Socket};
use ha2bgp_proto::haproxy::stat;
use ha2bgp_proto::inet_diag::{DiagSocket, SOCK_DIAG_BY_FAMILY};
use ha2bgp_proto::netlink::{Body, Messages};
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Services beside the one that comes and goes.
const VIPS: u32 = 1000;
/// How often each group runs.
const RUNS: u32 = 50;
const FILTER: &str =
    "( sport = :80 or sport = :443 ) and ( src 100.64.0.0/10 or src 2001:db8::/32 )";
const STAT: &str = include_str!("../../../proto/src/haproxy/testdata/stat-2.6.csv");

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ha2bgp_lab::skip::say(&format!("hot-path: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut chain = Chain::new(VIPS)?;
    for run in 0..RUNS {
        let index = chain.any(run);
        counted_engine_closed(&mut chain, index);
        counted_update_withdraw(&mut chain);
        counted_engine_opened(&mut chain, index);
        counted_update_announce(&mut chain);
    }

    let all = source::hosts(VIPS);
    let mut less = all.clone();
    less.remove(Prefix::host(source::host(VIPS / 2)));
    let mut set = all.clone();
    let options = Options { version: ApiVersion::V4, answers: false, ..Options::default() };
    let mut pipe = Session::new(options);
    exabgp(&mut pipe, &all);
    for _ in 0..RUNS {
        counted_route_set_difference(&all, &less);
        counted_route_set_change(&mut set);
        counted_exabgp_lines(&mut pipe, &less);
        counted_exabgp_lines(&mut pipe, &all);
    }

    let services = Services::parse("http 80/tcp www");
    let context = Context { services: &services, protocols: &[Protocol::Tcp], names: &NoNames };
    let filter = Filter::parse(FILTER, &context)?;
    let bytecode = Bytecode::audit(filter.bytecode())?;
    let sockets: Vec<Socket> =
        (0..RUNS).map(|index| Socket::listening(source::host(index), 443)).collect();
    let dump = dump(RUNS);
    for _ in 0..RUNS {
        counted_filter_compile(&context)?;
        counted_filter_bytecode(bytecode, &sockets);
        counted_filter_expression(&filter, &sockets);
        if counted_inet_diag(&dump) != sockets.len() {
            return Err("the dump is not read".into());
        }
        counted_haproxy_stat()?;
    }
    Ok(())
}

#[inline(never)]
fn counted_engine_closed(chain: &mut Chain, index: u32) {
    chain.close(index);
}

#[inline(never)]
fn counted_engine_opened(chain: &mut Chain, index: u32) {
    chain.open(index);
}

#[inline(never)]
fn counted_update_withdraw(chain: &mut Chain) {
    // Functions that do the same would be made one.
    black_box(chain.tell() + 1);
}

#[inline(never)]
fn counted_update_announce(chain: &mut Chain) {
    black_box(chain.tell());
}

#[inline(never)]
fn counted_route_set_difference(one: &RouteSet, other: &RouteSet) {
    one.diff(other, &mut |change| {
        black_box(change);
    });
}

/// One route out and in, while a clone shares all of the set.
#[inline(never)]
fn counted_route_set_change(set: &mut RouteSet) {
    let prefix = Prefix::host(source::host(VIPS / 3));
    let before = set.clone();
    set.remove(prefix);
    let between = set.clone();
    set.insert(prefix, Route::new(NextHop::SelfAddress));
    black_box((before, between));
}

#[inline(never)]
fn counted_exabgp_lines(session: &mut Session, routes: &RouteSet) {
    exabgp(session, routes);
}

fn exabgp(session: &mut Session, routes: &RouteSet) {
    let now = Instant::from_secs(1);
    session.set_routes(routes, now);
    while let Some(bytes) = session.poll_write(now) {
        let count = black_box(bytes).len();
        session.written(count, now);
    }
    while session.poll_event().is_some() {}
}

#[inline(never)]
fn counted_filter_compile(context: &Context<'_>) -> Outcome<()> {
    black_box(Filter::parse(black_box(FILTER), context)?);
    Ok(())
}

#[inline(never)]
fn counted_filter_bytecode(bytecode: Bytecode<'_>, sockets: &[Socket]) {
    for socket in sockets {
        black_box(bytecode.accepts(socket));
    }
}

#[inline(never)]
fn counted_filter_expression(filter: &Filter, sockets: &[Socket]) {
    for socket in sockets {
        black_box(filter.matches(socket));
    }
}

/// How many sockets are read.
#[inline(never)]
fn counted_inet_diag(dump: &[u8]) -> usize {
    let mut read = 0;
    for message in Messages::new(dump).flatten() {
        if let Body::Data { payload, .. } = message.body
            && let Ok(socket) = DiagSocket::parse(payload)
        {
            black_box(socket);
            read += 1;
        }
    }
    read
}

#[inline(never)]
fn counted_haproxy_stat() -> Outcome<()> {
    black_box(stat::parse(black_box(STAT.as_bytes()))?);
    Ok(())
}

/// What the kernel answers where so many sockets listen: netlink(7), and `struct inet_diag_msg`.
fn dump(sockets: u32) -> Vec<u8> {
    let mut all = Vec::new();
    for index in 0..sockets {
        let mut message = [0_u8; 16 + 72];
        let length = u32::try_from(message.len()).unwrap_or_default();
        message[..4].copy_from_slice(&length.to_ne_bytes());
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        // AF_INET, TCP_LISTEN, port 443, an address of 10.128.0.0, a cookie.
        message[16..18].copy_from_slice(&[2, 10]);
        message[20..22].copy_from_slice(&443_u16.to_be_bytes());
        message[24..28].copy_from_slice(&(0x0a80_0000 + index).to_be_bytes());
        message[60..64].copy_from_slice(&(index + 1).to_ne_bytes());
        all.extend_from_slice(&message);
    }
    all
}
