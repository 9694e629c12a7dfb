//! What a listen filter costs: to read and compile it once, and to ask it of each socket; and what the
//! sockets themselves cost to read from the kernel's answer.
#![expect(missing_docs, reason = "made by a macro")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::filter::{Bytecode, Context, Filter, NoNames, Services, Socket};
use ha2bgp_proto::inet_diag::{DiagSocket, SOCK_DIAG_BY_FAMILY};
use ha2bgp_proto::netlink::{Body, Messages};

const SOCKETS: u32 = 1000;
const DEFAULT: &str = "sport = :80 or sport = :443";
const NETWORKS: &str =
    "( sport = :80 or sport = :443 ) and ( src 100.64.0.0/10 or src 2001:db8::/32 )";

/// A filter of a host with very many ports.
fn ports(count: u16) -> String {
    let ports: Vec<String> = (0..count).map(|port| format!("sport = :{}", 10_000 + port)).collect();
    ports.join(" or ")
}

/// What the kernel answers where so many sockets listen.
fn dump() -> Vec<u8> {
    let mut all = Vec::new();
    for index in 0..SOCKETS {
        let mut message = [0_u8; 88];
        message[..4].copy_from_slice(&88_u32.to_ne_bytes());
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        // AF_INET, TCP_LISTEN, a port, an address, a cookie.
        message[16..18].copy_from_slice(&[2, 10]);
        message[20..22].copy_from_slice(&443_u16.to_be_bytes());
        message[24..28].copy_from_slice(&(0x6440_0000 + index).to_be_bytes());
        message[60..64].copy_from_slice(&(index + 1).to_ne_bytes());
        all.extend_from_slice(&message);
    }
    all
}

fn measure(c: &mut Criterion) {
    let services = Services::parse("http 80/tcp www\nhttps 443/tcp");
    let context = Context { services: &services, protocols: &[Protocol::Tcp], names: &NoNames };
    let many = ports(400);
    let filters = [("two ports", DEFAULT), ("ports and networks", NETWORKS), ("400 ports", &many)];
    let mut group = c.benchmark_group("filter");
    for (name, text) in filters {
        group.bench_function(format!("read and compile {name}"), |b| {
            b.iter(|| Filter::parse(black_box(text), &context).unwrap());
        });
    }
    let sockets: Vec<Socket> = (0..SOCKETS)
        .map(|index| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + index));
            Socket::listening(address, if index % 2 == 0 { 443 } else { 8080 })
        })
        .collect();
    group.throughput(Throughput::Elements(u64::from(SOCKETS)));
    for (name, text) in filters {
        let filter = Filter::parse(text, &context).unwrap();
        let bytecode = Bytecode::audit(filter.bytecode()).unwrap();
        group.bench_function(format!("1000 sockets, {name}, bytecode"), |b| {
            b.iter(|| sockets.iter().filter(|socket| bytecode.accepts(socket)).count());
        });
        group.bench_function(format!("1000 sockets, {name}, expression"), |b| {
            b.iter(|| sockets.iter().filter(|socket| filter.matches(socket)).count());
        });
    }
    group.finish();

    let dump = dump();
    let mut group = c.benchmark_group("inet_diag");
    group.throughput(Throughput::Elements(u64::from(SOCKETS)));
    group.bench_function("read a dump of 1000 sockets", |b| {
        b.iter(|| {
            let messages = Messages::new(black_box(&dump)).map(Result::unwrap);
            let sockets = messages.filter_map(|message| match message.body {
                Body::Data { payload, .. } => Some(DiagSocket::parse(payload).unwrap()),
                _ => None,
            });
            assert_eq!(sockets.map(black_box).count(), 1000);
        });
    });
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
