use super::*;
use crate::cli::flags;
use crate::config::raw::Given;

pub(in crate::config) fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Settings, String> {
    read_with(args, env, &[])
}

/// On a host that has one interface, one address, two files with keys, and these files.
pub(in crate::config) fn read_with(
    args: &[&str],
    env: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Settings, String> {
    let args = flags::from_go_style(args.iter().map(|arg| (*arg).to_owned()));
    let command = flags::add_to(clap::Command::new("ha2bgp").no_binary_name(true));
    let matches = command.try_get_matches_from(args).map_err(|error| error.to_string())?;
    let flag = |name| {
        let values = matches.get_many::<String>(name).into_iter().flatten();
        values.cloned().collect::<Vec<_>>()
    };
    let variable = |name: &str| {
        env.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
    };
    let read_file = |path: &str| match (files.iter().find(|(name, _)| *name == path), path) {
        (Some((_, text)), _) => Ok(text.as_bytes().to_vec()),
        (_, "/etc/passwd") => Ok(b"root:x:0:0::/root:/bin/sh\nnagios:x:107:110::/:\n".to_vec()),
        (_, "/etc/group") => Ok(b"nagios:x:110:\nssl-cert:x:115:web,nagios\n".to_vec()),
        (_, "good.key" | "etc/good.key") => Ok(b"secret\n".to_vec()),
        (_, "long.key") => Ok(vec![b'x'; 81]),
        (_, "empty.key") => Ok(b"\n".to_vec()),
        (_, "latin1.toml") => Ok(b"# caf\xe9\n".to_vec()),
        (_, "huge.toml") => Ok(vec![b'\n'; 1024 * 1024 + 1]),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let host = Host {
        device_exists: &|device| device == "lo",
        is_own_address: &|address| address.to_string() == "192.0.2.9",
        read_file: &read_file,
        is_executable: &|path| match path {
            "/usr/lib/nagios/plugins/check_tcp" | "/opt/check" => Ok(true),
            "/etc/passwd" => Ok(false),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        },
        credentials: Some("etc"),
        name: "web1.example.net",
        ..Host::BARE
    };
    let raw = Raw::collect(&Given { flag: &flag, variable: &variable }, &host);
    Settings::read(&raw, &host)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn nothing_given_is_the_original_s_test_mode() {
    let settings = read(&[], &[]).unwrap();
    assert!(settings.test_mode);
    let networks: Vec<String> =
        settings.engine.networks.iter().map(|net| net.to_string()).collect();
    assert_eq!(networks, ["127.0.0.0/8"]);
    assert_eq!(settings.listen_filter.text, "sport = :80 or sport = :443");
    assert_eq!(
        settings.engine,
        EngineConfig { networks: settings.engine.networks.clone(), ..EngineConfig::default() }
    );
    assert_eq!(settings.protocols, [Protocol::Tcp]);
    assert_eq!(settings.backend, Backend::Exabgp);
    assert_eq!(settings.reassert, Duration::from_secs(300));
}

#[test]
fn the_state_has_a_place_or_none() {
    let place = |text: &str| read(&["--state-file", text], &[]).map(|settings| settings.state_file);
    assert_eq!(read(&[], &[]).unwrap().state_file, StateFile::Auto);
    assert_eq!(read(&["--bgp-backend", "test"], &[]).unwrap().state_file, StateFile::Off);
    assert_eq!(place("off"), Ok(StateFile::Off));
    assert_eq!(place("/run/x"), Ok(StateFile::Path("/run/x".to_owned())));
    let error = place("x").unwrap_err();
    assert!(error.starts_with("--state-file: \"x\" is neither auto nor off"), "{error}");
}

#[test]
fn draining_is_the_speaker_s() {
    let error = read(&["--drain-time", "30s"], &[]).unwrap_err();
    assert!(error.starts_with("--drain-time: is of the built-in speaker"), "{error}");
}

#[test]
fn flag_over_environment_over_default() {
    let env = [
        ("HA2BGP_NETWORK_FILTER", "192.0.2.0/24, 2001:db8::/32"),
        ("HA2BGP_NEXTHOP", "192.0.2.254"),
        ("HA2BGP_DEVICE", ""),
        ("HA2BGP_DEVICE_LABEL", "lo:web"),
    ];
    let from_env = read(&[], &env).unwrap();
    assert!(!from_env.test_mode);
    assert_eq!(from_env.engine.networks.iter().count(), 2);
    assert_eq!(from_env.engine.next_hop.to_string(), "192.0.2.254");
    assert!(from_env.engine.devices.is_empty());
    assert_eq!(from_env.engine.labels[0].as_str(), "lo:web");
    let flags = ["-network", "100.64.0.0/24", "-n", "100.64.1.0/24", "--nexthop", "self"];
    let from_flags = read(&flags, &env).unwrap();
    let networks: Vec<String> =
        from_flags.engine.networks.iter().map(|net| net.to_string()).collect();
    assert_eq!(networks, ["100.64.0.0/24", "100.64.1.0/24"]);
    assert_eq!(from_flags.engine.next_hop, NextHop::SelfAddress);
}

#[test]
fn bad_values_name_place_value_rule_and_fix() {
    for (args, want) in [
        (
            "--network 10.0.0.1/24",
            "--network: \"10.0.0.1/24\" has host bits set: the network is 10.0.0.0/24",
        ),
        ("-n 10.0.0.0/24,10.0.0.0/24", "--network: \"10.0.0.0/24\" is given twice: leave one out"),
        (
            "-network 0.0.0.0/0",
            "--network: \"0.0.0.0/0\" allows every address: name the networks of your service addresses, or add --allow-any-network if you mean it",
        ),
        (
            "-n ::/0",
            "--network: \"::/0\" allows every address: name the networks of your service addresses, or add --allow-any-network if you mean it",
        ),
        (
            "-n 224.0.0.0/4",
            "--network: \"224.0.0.0/4\" can never be announced: unspecified, multicast, link-local and reserved addresses are not routable; name the networks of your service addresses",
        ),
        (
            "--device nosuch0",
            "--device: \"nosuch0\" is not an interface of this host: `ip -br link` lists them; for one that comes later write a glob such as nosuch0*",
        ),
        (
            "--device-label=",
            "--device-label: an empty name matches nothing: write a name such as lo, or a pattern such as eth*",
        ),
        (
            "--up-delay 6",
            "--up-delay: \"6\" has no unit: write 6s for seconds or 6ms for milliseconds",
        ),
        ("--protocol sctp", "--protocol: \"sctp\" is not a protocol: write tcp or udp"),
        (
            "--bgp-backend gobgp",
            "--bgp-backend: \"gobgp\" is not a backend: write exabgp, speaker, test or exabgptest",
        ),
        (
            "--nexthop 127.0.0.1",
            "--nexthop: \"127.0.0.1\" cannot be a next hop: routers refuse unspecified, loopback, multicast, link-local and reserved addresses; write self or an address of this host",
        ),
        (
            "--exabgp-group 1",
            "--exabgp-group: \"1\" is neither off nor a whole number from 2 on: write for example 64",
        ),
        (
            "--exabgp-api 7",
            "--exabgp-api: \"7\" is not a version of the ExaBGP API: write auto, 3, 4, 5 or 6",
        ),
        ("--nexthop web", "--nexthop: \"web\" is not a next hop: write self or an IP address"),
        ("--damping maybe", "--damping: \"maybe\" is neither on nor off: write on or off"),
        (
            "--damping-reuse 9000",
            "--damping-reuse: reuse 9000 must be above 0 and below suppress 5000: for example 1000 and 5000",
        ),
        (
            "--damping-max-suppress 30s",
            "--damping-max-suppress: max-suppress is too short: the penalty is kept so low that it never goes above suppress 5000, and nothing is ever held; with this half-life make it at least 35s",
        ),
        (
            "--damping-penalty 1.5",
            "--damping-penalty: \"1.5\" is not a whole number from 0 to 4294967295: write for example 1000",
        ),
        ("-debug=maybe", "--debug: \"maybe\" is neither on nor off: write true or false"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        assert_eq!(read(&args, &[]).unwrap_err(), want, "{args:?}");
    }
}

#[test]
fn all_errors_come_at_once_each_with_its_own_place() {
    let errors =
        read(&["-n", "bad", "--up-delay", "1", "--nexthop", "x"], &[("HA2BGP_DEVICE", "nosuch0")]);
    let text = errors.unwrap_err();
    let places: Vec<&str> = text.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["--network", "HA2BGP_DEVICE", "--up-delay", "--nexthop"]);
}

#[test]
fn any_network_must_be_asked_for() {
    assert!(read(&["-n", "0.0.0.0/0", "--allow-any-network"], &[]).is_ok());
    assert!(read(&["-n", "0.0.0.0/0", "--allow-any-network=false"], &[]).is_err());
}
