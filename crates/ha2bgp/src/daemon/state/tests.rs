use super::*;
use proptest::prelude::*;

const TIMES: Times = Times { hold: Duration::from_secs(9), restart: Duration::from_secs(20) };

fn place(boot: &str) -> Place {
    Place { boot: boot.to_owned(), namespace: 4_026_531_840 }
}

fn routes(prefixes: &str) -> RouteSet {
    let words = prefixes.split_whitespace();
    words.map(|text| (text.parse().unwrap(), Route::new(NextHop::SelfAddress))).collect()
}

fn state(boot: &str, written: u64, prefixes: &str) -> State {
    let written = Duration::from_secs(written);
    State { place: place(boot), written, routes: routes(prefixes) }
}

/// Up for an hour unless said otherwise; 192.0.2.x and 2001:db8::x are VIPs, of which `local` are
/// still here.
fn begun(state: Option<State>, now: u64, local: &str) -> (bool, bool, bool, u64) {
    let is_local = |ip: IpAddr| local.split(' ').any(|text| text == ip.to_string());
    let now = Duration::from_secs(now);
    let Beginning { restarting, preserved, memory, .. } =
        begin(state.as_ref(), &place("now"), now, TIMES, &is_local);
    (restarting, preserved.ipv4, preserved.ipv6, memory.as_secs())
}

/// Every row: what was left, uptime, addresses that are here; R, F of IPv4, F of IPv6, memory.
#[test]
fn the_bits_follow_from_boot_age_and_addresses() {
    let here = "192.0.2.1 2001:db8::1";
    let both = "192.0.2.1/32 2001:db8::1/128";
    let rows = [
        ("nothing, long after the boot", None, 3600, here, (false, true, true, 0)),
        ("nothing, just after the boot", None, 25, here, (false, false, false, 0)),
        ("nothing, as old as routes can be", None, 29, here, (false, false, false, 0)),
        ("nothing, older than that", None, 30, here, (false, true, true, 0)),
        ("a crash", Some(state("now", 3595, both)), 3600, here, (true, true, true, 15)),
        ("a crash after the boot", Some(state("now", 20, both)), 25, here, (true, true, true, 15)),
        ("a crash long ago", Some(state("now", 100, both)), 3600, here, (false, true, true, 0)),
        ("just too old", Some(state("now", 3580, both)), 3600, here, (false, true, true, 0)),
        ("a reboot", Some(state("before", 20, both)), 25, here, (false, false, false, 0)),
        ("a reboot long ago", Some(state("before", 20, both)), 3600, here, (false, true, true, 0)),
        ("from the future", Some(state("now", 30, both)), 25, here, (false, false, false, 0)),
        (
            "addresses of one family are gone",
            Some(state("now", 3595, both)),
            3600,
            "2001:db8::1",
            (true, false, true, 15),
        ),
        ("all are gone", Some(state("now", 3595, both)), 3600, "", (true, false, false, 15)),
        (
            "one of two is here",
            Some(state("now", 20, "192.0.2.2/32 192.0.2.1/32")),
            25,
            here,
            (true, true, false, 15),
        ),
        ("it announced nothing", Some(state("now", 20, "")), 25, here, (true, false, false, 15)),
    ];
    for (name, state, now, local, want) in rows {
        assert_eq!(begun(state, now, local), want, "{name}");
    }
}

#[test]
fn another_namespace_is_another_place() {
    let mut other = state("now", 3595, "192.0.2.1/32");
    other.place.namespace += 1;
    let begun = begin(Some(&other), &place("now"), Duration::from_secs(3600), TIMES, &|_| true);
    assert!(!begun.restarting && begun.before.is_empty());
}

#[test]
fn without_a_hold_time_routers_never_forget() {
    let times = Times { hold: Duration::ZERO, ..TIMES };
    let begun = begin(None, &place("now"), Duration::from_secs(100_000), times, &|_| true);
    assert_eq!(begun.preserved, Families::NONE);
}

#[test]
fn a_state_is_read_back() {
    let mut state = state("0b1c", 77, "192.0.2.1/32 192.0.2.2/32 2001:db8::1/128");
    let next_hop = NextHop::Address("192.0.2.254".parse().unwrap());
    state.routes.insert("192.0.2.3/32".parse().unwrap(), Route::new(next_hop));
    // Whether a route was the last choice is not kept.
    let mut announced = state.routes.clone();
    announced.insert(
        "192.0.2.3/32".parse().unwrap(),
        Route { last_choice: true, ..Route::new(next_hop) },
    );
    let (text, at) = State::text(&state.place, state.written, &announced);
    assert!(text.contains("\n192.0.2.3/32 192.0.2.254\n"), "any version reads it:\n{text}");
    assert_eq!(State::parse(&text), Ok(state.clone()));
    // The time is written over in place.
    let later = Duration::from_millis(123_456_789_012);
    let at = usize::try_from(at).unwrap();
    let mut bytes = text.into_bytes();
    bytes[at..at + 20].copy_from_slice(digits(later).as_bytes());
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(State::parse(&text), Ok(State { written: later, ..state }));
}

#[test]
fn what_is_cut_off_or_damaged_is_no_state() {
    let state = state("0b1c", 77, "192.0.2.1/32 2001:db8::1/128");
    let (text, _) = State::text(&state.place, state.written, &state.routes);
    for end in 0..text.len() - 1 {
        assert!(State::parse(&text[..end]).is_err(), "{end}");
    }
    for (from, to, line) in [
        ("state 1", "state 2", 1),
        ("boot", "shoe", 2),
        ("namespace 4", "namespace x", 3),
        (" ms", " s", 4),
        ("192.0.2.1/32", "192.0.2.1/33", 5),
        ("2001:db8::1/128 self", "192.0.2.1/32 self", 6),
        ("self\nend", "elsewhere\nend", 6),
        ("end 2", "end 3", 7),
    ] {
        let error = State::parse(&text.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.line, line, "{from}: {error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_state_or_an_error(text in "(?s).{0,200}") {
        let _ = State::parse(&text);
    }
}
