//! What must hold whatever ExaBGP says: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use super::session::WINDOW;
use super::{MAX_WRITE, Options, Session};

/// Any bytes as answers, cut at their first byte: what is in flight stays bounded, writes stay
/// small, and a pipe that always takes leaves nothing unwritten that may be written.
#[doc(hidden)]
pub fn fuzz_answers(input: &[u8]) {
    let Some((cut, answers)) = input.split_first() else { return };
    let mut session = Session::new(Options { group_from: Some(4), ..Options::default() });
    let mut now = Instant::START;
    let mut routes = RouteSet::new();
    for (round, chunk) in answers.chunks(usize::from(*cut).max(1)).enumerate().take(512) {
        let last = u8::try_from(round % 8).unwrap_or(0);
        let prefix = Prefix::host(IpAddr::V4(Ipv4Addr::new(100, 64, 0, last)));
        if round % 3 == 2 {
            routes.remove(prefix);
        } else {
            let (last_choice, draining) = (round % 5 == 4, round % 10 == 9);
            routes.insert(prefix, Route { next_hop: NextHop::SelfAddress, last_choice, draining });
        }
        session.set_routes(&routes, now);
        session.handle_bytes(chunk, now);
        now = now + Duration::from_millis(700);
        session.handle_timeout(now);
        for _ in 0..64 {
            let Some(length) = session.poll_write(now).map(<[u8]>::len) else { break };
            assert!(length <= MAX_WRITE, "a write of {length} bytes");
            session.written(length, now);
        }
        while session.poll_event().is_some() {}
        assert!(session.snapshot().in_flight <= WINDOW, "too many commands in flight");
    }
}
