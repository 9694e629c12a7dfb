//! What it costs to read a large `show stat`: as many columns as HAProxy 2.6 has, 10 000 rows.
#![expect(missing_docs, reason = "made by a macro")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ha2bgp_proto::haproxy::info;
use ha2bgp_proto::haproxy::judge::{Backends, Requirement, judge};
use ha2bgp_proto::haproxy::session::Session;
use ha2bgp_proto::haproxy::stat::{self, StatReader};

const REAL: &str = include_str!("../src/haproxy/testdata/stat-2.6.csv");
const INFO: &str = include_str!("../src/haproxy/testdata/info-2.6.txt");

/// Backends of 98 servers each with their own frontend, made of real lines.
fn answer(rows: usize) -> String {
    let mut lines = REAL.lines();
    let header = lines.next().unwrap();
    let line = |start: &str| REAL.lines().find(|it| it.starts_with(start)).unwrap();
    let (frontend, backend) = (line("web,FRONTEND,"), line("web,BACKEND,"));
    let (up, down) = (line("web,web2,"), line("web,web4,"));
    let rest = |line: &'static str, skip: usize| line.splitn(skip + 1, ',').nth(skip).unwrap();
    let mut text = String::from(header);
    for row in 0..rows {
        let (proxy, place) = (row / 100, row % 100);
        let (name, line) = match place {
            0 => ("FRONTEND".to_owned(), frontend),
            99 => ("BACKEND".to_owned(), backend),
            place => (format!("server{place}"), if place % 10 == 1 { down } else { up }),
        };
        write!(text, "\nservice{proxy},{name},{}", rest(line, 2)).unwrap();
    }
    text.push('\n');
    text
}

fn measure(c: &mut Criterion) {
    let text = answer(10_000);
    assert_eq!(stat::parse(text.as_bytes()).unwrap().rows(), 10_000);
    let mut group = c.benchmark_group("haproxy_stat");
    group.throughput(Throughput::Bytes(u64::try_from(text.len()).unwrap()));
    group.bench_function("parse 10000 rows", |b| {
        b.iter(|| stat::parse(black_box(text.as_bytes())).unwrap());
    });
    group.bench_function("parse 10000 rows in pieces of 16 KiB", |b| {
        b.iter(|| {
            let mut reader = StatReader::default();
            text.as_bytes().chunks(16 * 1024).for_each(|piece| reader.feed(piece).unwrap());
            reader.finish().unwrap()
        });
    });
    let info_answer = format!("{INFO}\n> ");
    let stat_answer = format!("{text}\n> ");
    group.bench_function("a poll with 10000 rows in pieces of 16 KiB", |b| {
        b.iter(|| {
            let mut session = Session::new();
            session.start_poll();
            session.handle_bytes(b"\n> ");
            session.handle_bytes(info_answer.as_bytes());
            stat_answer.as_bytes().chunks(16 * 1024).for_each(|it| session.handle_bytes(it));
            session.poll_event().unwrap()
        });
    });
    let quoted = text.replace("Connection refused", "\"Connection, refused\"");
    group.bench_function("parse 10000 rows, a tenth quoted", |b| {
        b.iter(|| stat::parse(black_box(quoted.as_bytes())).unwrap());
    });
    group.finish();
    let (info, table) =
        (info::parse(INFO.as_bytes()).unwrap(), stat::parse(text.as_bytes()).unwrap());
    let names = |it: &str| vec![it.to_owned()];
    let requirement =
        Requirement::new(names("service50"), Backends::OfFrontend(names("service50")));
    c.bench_function("haproxy_judge/one backend of 98 in 10000", |b| {
        b.iter(|| judge(&info, &table, black_box(&requirement)));
    });
}

criterion_group!(benches, measure);
criterion_main!(benches);
