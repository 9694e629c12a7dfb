//! The mirror against dumps and exact queries that the test makes up.

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::Route;

use super::*;

/// A host of the test's making: its sockets, and what a dump leaves out.
#[derive(Default)]
struct Host {
    sockets: Vec<(SocketId, Endpoint)>,
    mirror: Mirror,
    /// What the doorbell told of.
    stopped: BTreeSet<SocketId>,
    queries: usize,
}

fn endpoint(address: &str, port: u16) -> Endpoint {
    let address = match address {
        "*" => ListenAddress::AnyDual,
        address => ListenAddress::new(address.parse().unwrap(), true),
    };
    Endpoint { address, protocol: Protocol::Tcp, port, interface: None }
}

fn id(cookie: u64) -> SocketId {
    SocketId { protocol: Protocol::Tcp, cookie }
}

impl Host {
    fn listen(&mut self, cookie: u64, address: &str, port: u16) {
        self.sockets.push((id(cookie), endpoint(address, port)));
    }

    fn stop(&mut self, cookie: u64) {
        self.sockets.retain(|(other, _)| *other != id(cookie));
    }

    /// Reconciles with a dump that leaves some sockets out; returns what changed, in short.
    fn dump_without(&mut self, left_out: &[u64]) -> Vec<String> {
        let mut dumped = self.sockets.clone();
        dumped.retain(|(id, _)| !left_out.contains(&id.cookie));
        let mut changes = Vec::new();
        let sockets = &self.sockets;
        let queries = &mut self.queries;
        let mut find = |_: SocketId, asked: Endpoint| {
            *queries += 1;
            Ok(sockets.iter().find(|(_, own)| *own == asked).map(|(id, _)| id.cookie))
        };
        self.mirror.reconcile(&mut dumped, &self.stopped, &mut find, &mut changes).unwrap();
        changes
            .iter()
            .map(|change| match change {
                Observation::ListenerOpened(listener) => {
                    format!("+{} {}:{}", listener.id.cookie, listener.address, listener.port)
                }
                Observation::ListenerClosed(id) => format!("-{}", id.cookie),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn dump(&mut self) -> Vec<String> {
        self.dump_without(&[])
    }

    fn announce(&mut self, prefixes: &[&str]) {
        let route = Route::new(NextHop::SelfAddress);
        let set = prefixes.iter().map(|prefix| (prefix.parse::<Prefix>().unwrap(), route));
        self.mirror.announce(&set.collect());
    }

    /// One round of the polling.
    fn polled(&mut self) -> Vec<String> {
        let count = self.mirror.polled_len();
        let mut round: Vec<_> =
            (0..count).filter_map(|_| self.mirror.next_polled()).map(|e| e.to_string()).collect();
        round.sort();
        round.dedup();
        assert_eq!(round.len(), count, "a round asks for each endpoint once");
        round
    }
}

#[test]
fn listeners_open_and_close() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "*", 443);
    assert_eq!(host.dump(), ["+1 192.0.2.1:80", "+2 *:443"]);
    assert_eq!(host.dump(), [""; 0]);
    host.stop(1);
    host.listen(3, "192.0.2.1", 80);
    // The new one first: somebody listened all the time.
    assert_eq!(host.dump(), ["+3 192.0.2.1:80", "-1"]);
    assert_eq!(host.dump(), [""; 0]);
    host.sockets.clear();
    assert_eq!(host.dump(), ["-2", "-3"]);
    assert_eq!(host.dump(), [""; 0]);
}

#[test]
fn a_socket_that_listens_elsewhere_closes_first() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.dump();
    host.stop(1);
    host.listen(1, "192.0.2.1", 81);
    assert_eq!(host.dump(), ["-1", "+1 192.0.2.1:81"]);
    assert!(!host.mirror.listens(endpoint("192.0.2.1", 80)));
}

#[test]
fn a_dump_that_leaves_a_living_socket_out_closes_nothing() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.2", 80);
    host.dump();
    for _ in 0..20 {
        assert_eq!(host.dump_without(&[2]), [""; 0]);
        assert_eq!(host.dump(), [""; 0]);
    }
    assert_eq!(host.queries, 20, "one to confirm each");
}

#[test]
fn a_socket_that_does_not_match_any_more_closes() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.dump();
    for _ in 0..MAX_MISSED {
        assert_eq!(host.dump_without(&[1]), [""; 0]);
    }
    assert_eq!(host.dump_without(&[1]), ["-1"]);
    assert_eq!(host.dump(), ["+1 192.0.2.1:80"], "it matches again");
}

#[test]
fn a_closed_member_of_a_group_closes_although_another_answers() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.1", 80);
    host.dump();
    host.stop(2);
    assert_eq!(host.dump(), ["-2"]);
    assert!(host.mirror.listens(endpoint("192.0.2.1", 80)));
    assert!(host.mirror.is_member(endpoint("192.0.2.1", 80), 1));
    assert!(!host.mirror.is_member(endpoint("192.0.2.1", 80), 2));
}

#[test]
fn a_doorbell_between_dumps_is_not_forgotten() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.2", 80);
    host.dump();
    // The same dump again, although the mirror was told that a socket is gone: it is not.
    let mut changes = Vec::new();
    host.mirror.close(id(2), &mut changes);
    assert_eq!(changes, [Observation::ListenerClosed(id(2))]);
    assert_eq!(host.dump(), ["+2 192.0.2.2:80"]);
    host.mirror.close(id(7), &mut changes);
    assert_eq!(changes.len(), 1, "an unknown socket is none of ours");
}

#[test]
fn an_unchanged_dump_asks_nothing() {
    let mut host = Host::default();
    for cookie in 1..=1000 {
        host.listen(cookie, "192.0.2.1", u16::try_from(cookie).unwrap());
    }
    assert_eq!(host.dump().len(), 1000);
    assert_eq!(host.dump(), [""; 0]);
    host.sockets.reverse();
    assert_eq!(host.dump(), [""; 0], "the order means nothing");
    assert_eq!(host.queries, 0);
}

#[test]
fn sockets_behind_announced_routes_are_polled() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.1", 80);
    host.listen(3, "192.0.2.1", 443);
    host.listen(4, "192.0.2.2", 80);
    host.listen(5, "0.0.0.0", 53);
    host.listen(6, "::", 53);
    host.listen(7, "*", 22);
    host.dump();
    assert_eq!(host.polled(), [""; 0], "nothing is announced");

    host.announce(&["192.0.2.1/32"]);
    let v4 = ["tcp *:22", "tcp 0.0.0.0:53", "tcp 192.0.2.1:443", "tcp 192.0.2.1:80"];
    assert_eq!(host.polled(), v4);
    // A member of the group goes; another stays.
    host.stop(1);
    host.dump();
    assert_eq!(host.polled(), v4);
    host.stop(2);
    host.dump();
    assert_eq!(host.polled(), ["tcp *:22", "tcp 0.0.0.0:53", "tcp 192.0.2.1:443"]);

    host.announce(&["2001:db8::1/128"]);
    assert_eq!(host.polled(), ["tcp *:22", "tcp [::]:53"]);
    host.announce(&[]);
    assert_eq!(host.polled(), [""; 0]);

    // Announced before it listens.
    host.announce(&["192.0.2.9/32"]);
    host.listen(8, "192.0.2.9", 80);
    host.dump();
    assert_eq!(host.polled(), ["tcp *:22", "tcp 0.0.0.0:53", "tcp 192.0.2.9:80"]);
}

#[test]
fn an_endpoint_that_queries_do_not_find_is_left_out_until_it_changes() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.dump();
    host.announce(&["192.0.2.1/32"]);
    host.mirror.do_not_poll(endpoint("192.0.2.1", 80));
    assert_eq!(host.polled(), [""; 0]);
    host.announce(&["192.0.2.1/32", "192.0.2.2/32"]);
    assert_eq!(host.polled(), [""; 0]);
    host.listen(2, "192.0.2.1", 80);
    host.dump();
    assert_eq!(host.polled(), ["tcp 192.0.2.1:80"]);
}

#[test]
fn a_query_that_fails_leaves_the_rest_for_the_next_dump() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.2", 80);
    host.dump();
    host.stop(1);
    host.listen(3, "192.0.2.3", 80);
    let mut changes = Vec::new();
    let mut dumped = host.sockets.clone();
    let mut find = |_: SocketId, _: Endpoint| Err(ha2bgp_sys::NetlinkError::Interrupted.into());
    assert!(host.mirror.reconcile(&mut dumped, &BTreeSet::new(), &mut find, &mut changes).is_err());
    assert_eq!(changes.len(), 1, "the new one is true all the same");
    assert_eq!(host.dump(), ["-1"]);
}

#[test]
fn queries_ask_for_the_wildcard_itself() {
    let asked = |text: &str| endpoint(text, 80).query().address.to_string();
    assert_eq!(asked("*"), "::");
    assert_eq!(asked("::"), "::");
    assert_eq!(asked("0.0.0.0"), "0.0.0.0");
    assert_eq!(asked("192.0.2.1"), "192.0.2.1");
    assert_eq!(asked("::ffff:192.0.2.1"), "192.0.2.1");
}

#[test]
fn what_a_ring_is_about_is_found_by_its_place() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.1", 443);
    host.listen(3, "192.0.2.2", 80);
    host.listen(4, "::", 80);
    host.listen(7, "*", 80);
    host.listen(5, "0.0.0.0", 8080);
    host.listen(6, "192.0.2.1", 443);
    host.dump();
    let at = |address: &str, port| -> Vec<String> {
        let found = host.mirror.at(address.parse().unwrap(), port);
        found.map(|endpoint| endpoint.to_string()).collect()
    };
    assert_eq!(at("192.0.2.1", 80), ["tcp 192.0.2.1:80"]);
    assert_eq!(at("192.0.2.1", 443), ["tcp 192.0.2.1:443"; 2]);
    assert_eq!(at("192.0.2.1", 8443), [""; 0]);
    assert_eq!(at("192.0.2.3", 80), [""; 0]);
    // The port was given back: any of this address.
    assert_eq!(at("192.0.2.1", 0).len(), 3);
    assert_eq!(at("::", 80), ["tcp *:80", "tcp [::]:80"]);
    assert_eq!(at("0.0.0.0", 80), [""; 0]);
    assert_eq!(at("0.0.0.0", 8080), ["tcp 0.0.0.0:8080"]);
    let only = |address: &str, port| host.mirror.only_member(endpoint(address, port));
    assert_eq!(only("192.0.2.1", 80), Some(id(1)));
    assert_eq!(only("192.0.2.1", 443), None, "there are two");
    assert_eq!(only("192.0.2.9", 80), None);
}

/// The ring of a socket and a dump without it are enough; a ring alone is not.
#[test]
fn what_has_rung_is_not_asked_for() {
    let mut host = Host::default();
    host.listen(1, "192.0.2.1", 80);
    host.listen(2, "192.0.2.1", 80);
    host.dump_without(&[]);
    host.stopped.insert(id(1));
    assert_eq!(host.dump_without(&[]), [] as [&str; 0], "it listens again");
    host.stop(1);
    assert_eq!(host.dump_without(&[2]), ["-1"], "the other one is asked for");
    assert_eq!(host.queries, 1);
}
