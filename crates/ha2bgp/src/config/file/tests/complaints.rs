//! Every complaint: place, value, rule, fix.

use super::*;

/// The complaints without their snippets.
fn told(result: Result<Settings, String>) -> Vec<String> {
    let text = result.unwrap_err();
    text.lines().filter(|line| line.starts_with("a.toml")).map(str::to_owned).collect()
}

#[test]
fn in_a_peer() {
    let mut wrong = Vec::new();
    // The section begins in line 5, the key stands in line 8.
    for (keys, want) in [
        ("med = \"5\"", "8:7: peer.med: this is a string: write a whole number"),
        ("med = -1", "8:7: peer.med: \"-1\" is not a whole number from 0 to 4294967295"),
        ("hold-time = \"2s\"", "8:13: peer.hold-time: \"2s\" cannot be a hold time: write whole"),
        ("hold-time = 9", "8:13: peer.hold-time: \"9\" has no unit: write 9s for seconds"),
        (
            "keepalive-time = \"9s\"",
            "8:18: peer.keepalive-time: keepalive time 9s does not fit hold time 9s",
        ),
        ("connect-retry = \"0s\"", "8:17: peer.connect-retry: connect-retry: first pause 0s"),
        ("send-hold-time = \"0s\"", "8:18: peer.send-hold-time: \"0s\" is no time at all"),
        ("local-pref = 5", "8:14: peer.local-pref: local-pref 5 cannot be sent to 10.0.0.1"),
        ("prepend = 17", "8:11: peer.prepend: prepend 17 is too much: 16 is the most that helps"),
        ("prepend = 256", "8:11: peer.prepend: \"256\" cannot be prepended: write a number"),
        ("strict-role = true", "8:15: peer.strict-role: strict role without a role"),
        ("role = \"boss\"", "8:8: peer.role: \"boss\" is not a role: write \"provider\""),
        ("mode = \"wait\"", "8:8: peer.mode: \"wait\" does not say who connects"),
        ("mode = \"both\"", "8:8: peer.mode: \"both\" lets the peer connect, and there is nowhere"),
        ("port = 0", "8:8: peer.port: \"0\" is not a port: write a whole number from 1 to 65535"),
        ("bind-device = \"a/b\"", "8:15: peer.bind-device: \"a/b\" cannot be an interface"),
        ("password-file = \"no.key\"", "8:17: peer.password-file: \"no.key\" cannot be read"),
        (
            "password-file = \"long.key\"",
            "8:17: peer.password-file: \"long.key\": the key has 81 bytes, the kernel takes at most",
        ),
        ("password-file = \"empty.key\"", "8:17: peer.password-file: \"empty.key\": the key is"),
        ("ttl-security = 255", "8:16: peer.ttl-security: \"255\" is neither on nor off: write"),
        ("ttl-security = true\nmultihop = 2", "9:12: peer.multihop: ttl-security is for neighbors"),
        ("multihop = true", "8:12: peer.multihop: this is a boolean: write a whole number or"),
        ("local-address = \"10.0.0.1\"", "8:17: peer.local-address: peer address 10.0.0.1 is also"),
        (
            "local-address = \"::1\"",
            "8:17: peer.local-address: local address ::1 and peer 10.0.0.1",
        ),
        (
            "networks = [\"10.0.0.0/8\"]",
            "8:13: peer.networks: \"10.0.0.0/8\" is in none of the networks at the top",
        ),
        (
            "networks = [\"100.64.0.0/25\", \"100.64.0.0/25\"]",
            "8:30: peer.networks: \"100.64.0.0/25\" is given twice: leave one out",
        ),
        ("families = []", "8:12: peer.families: the list is empty: leave the key out"),
        ("families = [\"ip\"]", "8:13: peer.families: \"ip\" is not a family: write \"ipv4\""),
        (
            "families = [\"ipv4\", \"ipv6\"]",
            "8:21: peer.families: IPv6 routes over the IPv4 session with 10.0.0.1 need an explicit",
        ),
        (
            "link-local-next-hop = \"single\"",
            "8:23: peer.link-local-next-hop: 10.0.0.1 is not link-local, and its next hops are",
        ),
        (
            "link-local-next-hop = \"both\"",
            "8:23: peer.link-local-next-hop: \"both\" is not a spelling of link-local next hops",
        ),
        ("next-hop = \"here\"", "8:12: peer.next-hop: \"here\" is not a next hop: write \"self\""),
        (
            "next-hop = \"2001:db8::1\"",
            "8:12: peer.next-hop: \"2001:db8::1\" is of the wrong family: this peer gets no IPv6",
        ),
        (
            "next-hop = [\"192.0.2.1\", \"192.0.2.2\"]",
            "8:26: peer.next-hop: \"192.0.2.2\" is the second one of its family: leave one out",
        ),
        ("next-hop = \"10.0.0.1\"", "8:12: peer.next-hop: next hop 10.0.0.1 is the peer itself"),
        ("next-hop = \"127.0.0.1\"", "8:12: peer.next-hop: next hop 127.0.0.1 cannot be reached"),
        (
            "communities = [\"1:2:3\"]",
            "8:16: peer.communities: \"1:2:3\" is not of this kind: write it under large-comm",
        ),
        (
            "last-choice = { communities = [\"1:2:3\"] }",
            "8:32: peer.last-choice.communities: \"1:2:3\" is not of this kind: write one such as",
        ),
        (
            "last-choice = { local-pref = 1 }",
            "8:30: peer.last-choice.local-pref: last-choice.local-pref 1 cannot be sent to 10.0.0.1",
        ),
        (
            "med = 2\nlast-choice = { med = 1 }",
            "9:23: peer.last-choice.med: last-choice.med 1 makes a route that is the last choice",
        ),
        (
            "last-choice = { prepend = 17 }",
            "8:27: peer.last-choice.prepend: last-choice.prepend 17 is too much: 16 is the most",
        ),
        (
            "last-choice = { med = \"worst\" }",
            "8:23: peer.last-choice.med: \"worst\" is not a whole number from 0 to 4294967295: write",
        ),
        (
            "drain = \"gshuts\"",
            "8:9: peer.drain: \"gshuts\" is no way to drain: did you mean \"gshut\"? There are",
        ),
        ("communities = [\"x\"]", "8:16: peer.communities: \"x\" is not a community: write"),
        ("max-prefixes = 0", "8:16: peer.max-prefixes: max-prefixes 0 would end every session"),
        (
            "graceful-restart = { restart-time = \"2h\" }",
            "8:37: peer.graceful-restart.restart-time: restart time 7200s is not possible",
        ),
        ("bfd = { tx = \"5ms\" }", "8:14: peer.bfd.tx: \"5ms\" cannot be an interval"),
        ("as-path = [65009]", "8:1: peer.as-path: a path begins with our AS, and nothing but"),
        (
            "holdtime = \"9s\"",
            "8:1: peer.holdtime: there is no such key in [[peer]]: did you mean hold-time?",
        ),
        (
            "router-id = \"1.1.1.1\"",
            "8:1: peer.router-id: there is no such key in [[peer]]: it belongs to the top",
        ),
        (
            "up-delay = \"1s\"",
            "8:1: peer.up-delay: there is no such key in [[peer]]: it belongs into [defaults]",
        ),
        ("capabilities = true", "8:1: peer.capabilities: is a section: write [peer.capabilities]"),
        (
            "[peer.capabilities]\nfqdn = 1",
            "9:8: peer.capabilities.fqdn: this is an integer: write true",
        ),
        (
            "address = \"10.0.0.2\"",
            "8:1: this is not TOML: it is given twice, first in line 6: leave one out",
        ),
    ] {
        let errors = told(peer(keys));
        let want = format!("a.toml:{want}");
        if errors.len() != 1 || !errors[0].starts_with(&want) {
            wrong.push(format!("{keys}\n{want}\n{errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn in_our_own_as() {
    for (keys, want) in [
        ("role = \"peer\"", "8:8: peer.role: a role makes no sense with 10.0.0.1 in our own AS"),
        ("prepend = 1", "8:11: peer.prepend: prepend 1 makes 10.0.0.1 in our own AS drop"),
    ] {
        let text = format!("{US}{PEER}{keys}\n").replace("65001", "65000");
        let errors = told(read(&text));
        assert!(errors.len() == 1 && errors[0].contains(want), "{keys}: {errors:#?}");
    }
}

#[test]
fn outside_of_peers() {
    let is_peer = |text: &str| format!("{US}{text}\n");
    for (text, want) in [
        ("networks = []".to_owned(), "1:12: networks: the list is empty: leave the key out"),
        ("networks = 5".to_owned(), "1:12: networks: this is an integer: write a list of texts"),
        (
            "networks = [\"::/0\"]".to_owned(),
            "1:13: networks: \"::/0\" allows every address: name the networks of your service \
             addresses, or add allow-any-network = true if you mean it",
        ),
        (is_peer("[peer]"), "5:2: peer: is a list of sections: write [[peer]] with two"),
        ("[[guard]]\n".to_owned(), "1:3: guard: is a section: write [guard], and its keys below"),
        (
            "[control]\nhttp = \"[::]:1\"".to_owned(),
            "2:8: control.http: \"[::]:1\" is beyond the loopback",
        ),
        (
            "[control]\nmode = \"0660\"".to_owned(),
            "2:8: control.mode: is of the control socket: add",
        ),
        ("defaults = 1".to_owned(), "1:1: defaults: is a section: write [defaults], and its keys"),
        ("backend = \"speakr\"".to_owned(), "1:11: backend: \"speakr\" is not a backend: write"),
        (
            "local-as = 1".to_owned(),
            "1:12: local-as: is of the built-in speaker, and no [[peer]] says whom it speaks to: add",
        ),
        (
            format!("backend = \"exabgp\"\n{PEER}"),
            "2:1: peer: is of the built-in speaker: add backend = \"speaker\", or leave it out",
        ),
        (
            "[defaults]\nroute = { med = 1 }".to_owned(),
            "2:17: defaults.route.med: is of the built-in speaker, and no [[peer]] says",
        ),
        (
            "[defaults]\nroute = { last-choice = { prepend = 1 } }".to_owned(),
            "2:37: defaults.route.last-choice.prepend: is of the built-in speaker, and no [[peer]]",
        ),
        (
            "[defaults.route.last-choice]\ncommunities = [\"1:1\", \"1:2\", \"1:3\", \"1:4\", \
             \"1:5\", \"1:6\", \"1:7\", \"1:8\", \"1:9\"]"
                .to_owned(),
            "2:72: defaults.route.last-choice.communities: \"1:9\" is one too many: ExaBGP is told 8",
        ),
        (
            "[defaults]\nroute = { next-hop = [\"192.0.2.1\", \"2001:db8::1\"] }".to_owned(),
            "2:36: defaults.route.next-hop: is one too many: ExaBGP is told one next hop",
        ),
        (
            "[defaults.damping]\nreuse = 9000".to_owned(),
            "2:9: defaults.damping.reuse: reuse 9000 must be above 0 and below suppress 5000",
        ),
        (is_peer("backend = \"speaker\""), ": peer.address: the speaker needs it: write for"),
        (
            is_peer("[[peer]]\naddress = \"192.0.2.9\"\nremote-as = 1"),
            "6:11: peer.address: \"192.0.2.9\" is an address of this host: name the router's; for a \
             router on this very host add local-address with another address of it",
        ),
        (
            is_peer("[[peer]]\naddress = \"10.0.0.1\""),
            "5:1: peer: remote-as is missing: write for example remote-as = 64512",
        ),
        (
            is_peer("[[peer]]\naddress = \"10.0.0.1\"\nremote-as = 0"),
            "7:13: peer.remote-as: \"0\" is reserved and nobody's AS: write your own",
        ),
        (
            format!("{US}{PEER}{PEER}"),
            "9:11: peer.address: \"10.0.0.1\" is given twice, first in line 6: leave one out",
        ),
        (
            format!("local-as = 1\n{PEER}"),
            ": router-id: the speaker needs it: write for example router-id = \"10.1.1.1\"",
        ),
    ] {
        let errors = told(read(&text));
        let want = match want.strip_prefix(':') {
            Some(_) => format!("a.toml{want}"),
            None => format!("a.toml:{want}"),
        };
        assert!(errors.len() == 1 && errors[0].starts_with(&want), "{text}\n{want}\n{errors:#?}");
    }
}

#[test]
fn all_at_once_in_the_order_of_the_file() {
    let text = "router-id = 5\nnetwork = []\n[defaults]\nup-delay = 1\n[[peer]]\nmed = true\n";
    let errors = told(read(text));
    let places: Vec<&str> = errors.iter().filter_map(|error| error.split(": ").nth(1)).collect();
    assert_eq!(
        places,
        ["local-as", "router-id", "network", "defaults.up-delay", "peer", "peer", "peer.med"],
        "{errors:#?}"
    );
}

#[test]
fn a_hundred_are_enough() {
    let peers = "[[peer]]\naddress = \"x\"\nmed = true\n".repeat(1000);
    let errors = told(read(&format!("{US}{peers}")));
    assert_eq!(errors.len(), 101);
    assert!(errors[100].ends_with("more mistakes: mend those above first"), "{}", errors[100]);
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    assert_eq!(read(&format!("\u{feff}{US}{PEER}")).map(drop), Ok(()));
}

#[test]
fn the_line_is_shown_with_carets() {
    let error = peer("hold-time = \"2s\" # ä").unwrap_err();
    let (_, snippet) = error.split_once('\n').unwrap();
    assert_eq!(snippet, "  |\n8 | hold-time = \"2s\" # ä\n  |             ^^^^");
    let error = peer("description = \"ä\tb\" # \u{1b}[31m").unwrap_err();
    assert!(!error.contains('\u{1b}') && !error.contains('\t'), "{error:?}");
}

#[test]
fn secrets_are_never_shown() {
    for keys in [
        "password = \"hunter2\"",
        "password = hunter2",
        "tcp = { md5 = \"hunter2\" }",
        "secret-key = \"hunter2\"\nport = 0",
    ] {
        let error = peer(keys).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    // The contents of a key file neither.
    assert!(!peer("password-file = \"long.key\"").unwrap_err().contains("xxx"));
}

#[test]
fn behind_what_is_not_toml_nothing_is_guessed() {
    let text = "local-as = 0\nrouter-id =\nbackend = \"speaker\"\n[[peer]]\naddress = 5\n";
    let errors = told(read(text));
    let starts: Vec<&str> = errors.iter().filter_map(|error| error.get(..11)).collect();
    assert_eq!(starts, ["a.toml:1:12", "a.toml:2:12"], "{errors:#?}");
    // An array that is never closed: one complaint a line.
    let errors = told(read("networks = [\"100.64.0.0/24\"\n[[peer]\naddress = \"x\"\n"));
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors.iter().all(|error| error.contains("this is not TOML")), "{errors:#?}");
}

#[test]
fn files_that_cannot_be_read() {
    for (file, want) in [
        ("none.toml", "--config: \"none.toml\" cannot be read: "),
        (
            "latin1.toml",
            "--config: \"latin1.toml\" is not UTF-8 text from line 1, column 6 on: save",
        ),
        ("huge.toml", "--config: \"huge.toml\" is longer than 1 MiB"),
    ] {
        let error = read_with(&["--config", file], &[], &[]).unwrap_err();
        assert!(error.starts_with(want) && !error.contains('\n'), "{error}");
    }
}
