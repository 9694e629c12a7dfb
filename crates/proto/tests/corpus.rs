//! Replays what the fuzzers keep, so that a plain `cargo test` meets every case ever found.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::path::Path;

use ha2bgp_proto::{
    accept_queue, bfd, bgp, dns, exabgp, filter, grpc_health, haproxy, http, icmp, inet_diag,
    maintenance, nagios, proxy_protocol, tcp_expect, template, x509,
};

fn replay(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", directory.display());
    for file in files {
        run(&fs::read(file).unwrap());
    }
}

#[test]
fn filter_parse() {
    replay("filter_parse", filter::fuzz_parse);
}

#[test]
fn filter_bytecode() {
    replay("filter_bytecode", filter::fuzz_bytecode);
}

#[test]
fn exabgp_answers() {
    replay("exabgp_answers", exabgp::fuzz_answers);
}

#[test]
fn netlink_datagram() {
    replay("netlink_datagram", inet_diag::fuzz_datagram);
}

#[test]
fn bfd_packet() {
    replay("bfd_packet", bfd::fuzz_packet);
}

#[test]
fn bfd_session() {
    replay("bfd_session", bfd::fuzz_session);
}

#[test]
fn bgp_community() {
    replay("bgp_community", bgp::fuzz_community);
}

#[test]
fn bgp_framing() {
    replay("bgp_framing", bgp::fuzz_framing);
}

#[test]
fn bgp_notification() {
    replay("bgp_notification", bgp::fuzz_notification);
}

#[test]
fn bgp_open() {
    replay("bgp_open", bgp::fuzz_open);
}

#[test]
fn bgp_refresh() {
    replay("bgp_refresh", bgp::fuzz_refresh);
}

#[test]
fn bgp_session() {
    replay("bgp_session", bgp::fuzz_session);
}

#[test]
fn bgp_update() {
    replay("bgp_update", bgp::fuzz_update);
}

#[test]
fn template() {
    replay("template", template::fuzz_template);
}

#[test]
fn plugin_output() {
    replay("plugin_output", nagios::fuzz_plugin_output);
}

#[test]
fn http_expectation() {
    replay("http_expectation", http::fuzz_http_expectation);
}

#[test]
fn proxy_header() {
    replay("proxy_header", proxy_protocol::fuzz_proxy_header);
}

#[test]
fn icmp_reply() {
    replay("icmp_reply", icmp::fuzz_icmp_reply);
}

#[test]
fn file_rule() {
    replay("file_rule", maintenance::fuzz_file_rule);
}

#[test]
fn tcp_expect() {
    replay("tcp_expect", tcp_expect::fuzz_tcp_expect);
}

#[test]
fn dns_answer() {
    replay("dns_answer", dns::fuzz_dns_answer);
}

#[test]
fn haproxy_config() {
    replay("haproxy_config", haproxy::fuzz_config);
}

#[test]
fn haproxy_csv() {
    replay("haproxy_csv", haproxy::fuzz_csv);
}

#[test]
fn haproxy_session() {
    replay("haproxy_session", haproxy::fuzz_session);
}

#[test]
fn certificate_end() {
    replay("certificate_end", x509::fuzz_certificate_end);
}

#[test]
fn grpc_health() {
    replay("grpc_health", grpc_health::fuzz_grpc_health);
}

#[test]
fn accept_queue() {
    replay("accept_queue", accept_queue::fuzz_accept_queue);
}
