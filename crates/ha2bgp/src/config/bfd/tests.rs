use ha2bgp_sys::bfd::TTL;

use super::super::settings::tests::read_with;
use super::*;
use crate::config::settings::Settings;

const US: &str = "router-id = \"10.1.1.1\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\n";
/// A peer of another AS, in three lines; what follows begins at line 8.
const PEER: &str = "[[peer]]\naddress = \"10.0.0.1\"\nremote-as = 65001\n";
/// A service with a check, in five lines: `check` follows.
const SERVICE: &str = "[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\nrule = \"up\"\n\
                       [service.checks.up]\ntype = \"bfd\"\n";

fn read(text: &str) -> Result<Settings, String> {
    let files = [
        ("a.toml", text),
        ("bfd.key", "secret\n"),
        ("long.key", "a secret that is longer\n"),
        ("two.key", "one\ntwo\n"),
    ];
    read_with(&["--config", "a.toml"], &[], &files)
}

fn sessions(rest: &str) -> Vec<SessionConfig> {
    read(&format!("{US}{rest}")).unwrap().bfd.sessions
}

#[test]
fn a_peer_has_a_session_where_it_says_so() {
    assert_eq!(sessions(PEER), []);
    assert_eq!(sessions(&format!("{PEER}bfd = false\n")), []);
    let found = sessions(&format!("{PEER}bfd = true\n"));
    let [usual] = &*found else { panic!("{found:?}") };
    assert_eq!(usual.target, Target::neighbor("10.0.0.1".parse().unwrap()));
    assert_eq!((usual.minimum_ttl, usual.timers.multiplier.get()), (TTL, 3));
    let text = "local-address = \"10.0.0.9\"\nbind-device = \"eth0\"\n\
                bfd = { tx = \"100ms\", rx = \"50ms\", multiplier = 5, strict = true }\n";
    let settings = read(&format!("{US}{PEER}{text}")).unwrap();
    let peer = &settings.speaker.unwrap().peers[0];
    assert!(peer.bfd.as_ref().unwrap().strict);
    let [session] = &*settings.bfd.sessions else { panic!() };
    assert_eq!(session.target.to_string(), "10.0.0.1 from 10.0.0.9 through eth0");
    let timers = session.timers;
    assert_eq!(timers.desired_min_tx.as_micros(), 100_000);
    assert_eq!((timers.required_min_rx.as_micros(), timers.multiplier.get()), (50_000, 5));
    assert!(settings.bfd.real_time);
    assert!(!read(&format!("{US}{PEER}[bfd]\nrealtime = false\n")).unwrap().bfd.real_time);
}

#[test]
fn hops_are_those_of_the_peer() {
    for (keys, multihop, ttl) in [
        ("multihop = 3\nbfd = true", true, 0),
        ("ttl-security = 2\nbfd = { min-ttl = 254 }", true, 254),
        ("ttl-security = true\nbfd = true", false, TTL),
        ("multihop = 3\nbfd = { multihop = false }", false, TTL),
        ("bfd = { multihop = true }", true, 0),
    ] {
        let found = sessions(&format!("{PEER}{keys}\n"));
        let found: Vec<_> = found.iter().map(|it| (it.target.multihop, it.minimum_ttl)).collect();
        assert_eq!(found, [(multihop, ttl)], "{keys}");
    }
}

#[test]
fn a_check_shares_the_session_of_a_peer() {
    let check = format!("{SERVICE}address = \"10.0.0.1\"\n");
    assert_eq!(sessions(&format!("{PEER}{check}")).len(), 1);
    let text = format!("{PEER}local-address = \"10.0.0.9\"\nbfd = {{ tx = \"100ms\" }}\n{check}");
    let found = sessions(&text);
    let [one] = &*found else { panic!("{found:?}") };
    assert_eq!(one.timers.desired_min_tx.as_micros(), 100_000);
    assert_eq!(one.target.to_string(), "10.0.0.1 from 10.0.0.9");
    // Without the speaker, too.
    let alone = read(&format!("networks = [\"100.64.0.0/24\"]\n{check}")).unwrap();
    assert_eq!(alone.bfd.sessions.len(), 1);
}

#[test]
fn keys_are_read_and_never_shown() {
    let text = format!(
        "{PEER}bfd = {{ auth-type = \"keyed-sha1\", auth-key-id = 7, auth-file = \"bfd.key\" }}"
    );
    let settings = read(&format!("{US}{text}\n")).unwrap();
    let auth = settings.bfd.sessions[0].auth.as_ref().unwrap();
    assert_eq!(auth.kind(), AuthKind::KeyedSha1);
    assert!(!format!("{settings:?}").contains("115, 101, 99"), "the octets of the secret");
    let speaker = settings.speaker.unwrap();
    let file = &speaker.peers[0].bfd.as_ref().unwrap().key_file;
    assert_eq!(file.as_deref(), Some("bfd.key"), "to be watched");
}

#[test]
fn what_is_wrong_is_told() {
    let peer = |keys: &str| format!("{US}{PEER}{keys}\n");
    let check = |keys: &str| format!("{US}{SERVICE}{keys}\n");
    let clash = format!(
        "{}{SERVICE}address = \"10.0.0.1\"\ntx = \"200ms\"\n",
        peer("bfd = { tx = \"100ms\" }")
    );
    for (text, wants) in [
        (peer("bfd = 3"), "8:7: peer.bfd: this is an integer"),
        (peer("bfd = { rx = \"61s\" }"), "8:14: peer.bfd.rx: \"61s\" cannot be an interval"),
        (peer("bfd = { multiplier = 0 }"), "is not a number of packets from 1 to 255"),
        (peer("bfd = { min-ttl = 254 }"), "8:19: peer.bfd.min-ttl: is for sessions over several"),
        (
            peer("bfd = { auth-type = \"md5\" }"),
            "is no type of authentication: write one of \"simp",
        ),
        (peer("bfd = { auth-type = \"simple\" }"), "8:21: peer.bfd.auth-type: needs a key: write"),
        (peer("bfd = { auth-file = \"bfd.key\" }"), "says nothing without auth-type"),
        (peer("bfd = { auth-key-id = 3 }"), "is the number of a key, and there is none"),
        (
            peer("bfd = { auth-type = \"keyed-md5\", auth-file = \"long.key\" }"),
            "the secret of BFD key 1 is 23 octets long",
        ),
        (peer("bfd = { auth-file = \"two.key\" }"), "does not hold one line"),
        (peer("bfd = { auth-file = \"no.key\" }"), "cannot be read"),
        (peer("bfd = { strct = true }"), "did you mean strict?"),
        (check(""), "address is missing, which a check of type \"bfd\" needs"),
        (check("address = \"fe80::1\""), "is link-local and names no interface"),
        (check("address = \"fe80::1%eth0\"\ninterface = \"eth0\""), "stands in the address"),
        (check("address = \"10.0.0.1\"\nlocal-address = \"::1\""), "are of two families"),
        (
            clash,
            "16:6: service.checks.up.tx: \"200ms\" is not what another one wants of the session",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(wants), "{text}\n{error}");
    }
}

#[test]
fn there_is_a_limit() {
    let many = |count: usize| {
        let checks = (0..count).map(|n| {
            let (high, low) = (n / 256, n % 256);
            format!("[checks.c{n}]\ntype = \"bfd\"\naddress = \"10.9.{high}.{low}\"\n")
        });
        let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
        let service = format!(
            "[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\nrule = \"any({})\"\n",
            names.join(", ")
        );
        format!("{US}{PEER}bfd = true\n{service}{}", checks.collect::<String>())
    };
    assert_eq!(read(&many(SESSIONS_MAX - 1)).unwrap().bfd.sessions.len(), SESSIONS_MAX);
    let error = read(&many(SESSIONS_MAX)).unwrap_err();
    assert!(error.contains("there are 257 BFD sessions, and 256 is the most"), "{error}");
}

/// The examples of the guides work as they are.
#[test]
fn the_examples_are_good() {
    let guides = [
        include_str!("../../../../../docs/bfd.md"),
        include_str!("../../../../../docs/checks/bfd.md"),
    ];
    for guide in guides {
        let blocks = guide.split("```toml\n").skip(1);
        assert!(blocks.clone().count() > 0);
        for block in blocks {
            let text = block.split("```").next().unwrap();
            let files = [("a.toml", text), ("leaf1.bfd-key", "secret\n")];
            assert_eq!(read_with(&["--config", "a.toml"], &[], &files).map(drop), Ok(()), "{text}");
        }
    }
}
