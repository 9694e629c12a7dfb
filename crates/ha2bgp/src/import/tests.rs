//! Files as people have them: what they become, golden, and that our own reader takes it; and what is
//! said of files that are not good.

use proptest::prelude::*;

use super::fuzz::read_back;
use super::*;
use crate::cli::flags::assert_fresh;

/// A text with places.
pub(super) fn text(text: &str) -> Text {
    Text { source: Arc::new(Source::new(1, "a.conf", text, None)) }
}

/// Imports files on a host that has two addresses on its loopback interface.
fn imported(program: Program, files: &[(&str, &str)]) -> Result<Imported, String> {
    let one = |prefix: &str, label: Option<&str>| Loopback {
        prefix: prefix.parse().unwrap(),
        label: label.map(str::to_owned),
    };
    let host = Host {
        read_file: &|path| match path {
            "web.conf" => Ok(b"rise = 2\nfall = 4\n".to_vec()),
            "bad.conf" => Ok(b"rise = two\nfal = 4\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        loopback: &|| {
            Ok(vec![
                one("127.0.0.1/32", Some("lo")),
                one("192.0.2.40/32", Some("lo:web1")),
                one("192.0.2.41/32", Some("lo:web2")),
                one("192.0.2.42/32", Some("lo:mail")),
                one("2001:db8::40/128", None),
            ])
        },
    };
    let file = |(name, text): &(&str, &str)| File {
        name: (*name).to_owned(),
        octets: text.as_bytes().to_vec(),
    };
    let files: Vec<File> = files.iter().map(file).collect();
    import(program, &files, &host)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Lines that begin with # and no space are keys: with them it is a good file, too.
fn uncommented(toml: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    toml.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn golden(program: Program, name: &str, files: &[(&str, &str)]) {
    let imported = imported(program, files).unwrap();
    assert_eq!(imported.toml.lines().count(), imported.toml.matches('\n').count());
    let read = read_back(&imported.toml);
    assert!(read.is_ok(), "{}\n{}", read.unwrap_err(), imported.toml);
    let document = crate::config::file::Document::parse(1, "a.toml", &uncommented(&imported.toml));
    let errors: Vec<String> = document.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, Vec::<String>::new());
    // What is said of checks of ours is true of checks of ours.
    for line in imported.toml.lines() {
        if let Some(instead) = line.strip_prefix("# Without a program it may be: ") {
            let text = format!(
                "networks = [\"192.0.2.1/32\"]\n[[service]]\nname = \"a\"\nvips = [\"192.0.2.1\"]\n\
                 rule = \"all(b)\"\nchecks.b = {{ {instead} }}\n"
            );
            let read = read_back(&text);
            assert!(read.is_ok(), "{}\n{text}", read.unwrap_err());
        }
    }
    let path = |ending: &str| format!("crates/ha2bgp/src/import/fixtures/{name}.{ending}");
    assert_fresh(&path("toml"), &imported.toml);
    assert_fresh(&path("report.txt"), &imported.report);
}

#[test]
fn exabgp_conf() {
    let text = include_str!("fixtures/exabgp.conf");
    let files = [("exabgp.conf", text)];
    golden(Program::Exabgp, "exabgp", &files);
    // Without ExaBGP: its neighbors are peers, and routes have their attributes.
    let toml = uncommented(&imported(Program::Exabgp, &files).unwrap().toml);
    let settings = read_back(&toml);
    assert!(settings.is_ok(), "{}\n{toml}", settings.unwrap_err());
    let settings = settings.unwrap();
    assert!(
        settings.contains("backend: Speaker") && settings.contains("2001:db8::1"),
        "{settings}"
    );
    assert!(!toml.contains("not copied"), "secrets stay where they are");
}

#[test]
fn exabgp_healthcheck_files() {
    let files = [
        ("web.conf", include_str!("fixtures/healthcheck.conf")),
        ("commands.txt", include_str!("fixtures/commands.txt")),
    ];
    golden(Program::Exabgp, "healthcheck", &files);
}

#[test]
fn anycast_healthchecker() {
    let files = [
        ("anycast-healthchecker.conf", include_str!("fixtures/anycast.conf")),
        ("services.conf", include_str!("fixtures/anycast-services.conf")),
    ];
    golden(Program::Anycast, "anycast", &files);
}

#[test]
fn birdwatcher() {
    let text = include_str!("fixtures/birdwatcher.conf");
    golden(Program::Birdwatcher, "birdwatcher", &[("birdwatcher.conf", text)]);
}

/// Of every option of healthcheck something is said.
#[test]
fn every_option_has_a_fate() {
    let mut left: Vec<&str> = exabgp::long_options().collect();
    let mut lines = String::new();
    for option in left.clone() {
        let value = match option {
            "--ip" | "--config" => continue,
            "--ip-ifname" => "192.0.2.9%lo",
            "--next-hop" | "--neighbor" => "192.0.2.8",
            "--disable" => "/run/off",
            "--user" | "--group" => "nagios",
            "--silent"
            | "--no-syslog"
            | "--no-ack"
            | "--sudo"
            | "--debug"
            | "--no-ip-setup"
            | "--dynamic-ip-setup"
            | "--label-exact-match"
            | "--deaggregate-networks"
            | "--withdraw-on-down"
            | "--debounce" => "",
            _ => "7",
        };
        lines.push_str(&format!("{option} {value} "));
    }
    let line = format!("exabgp healthcheck {lines} --config web.conf --ip 192.0.2.9");
    let imported = imported(Program::Exabgp, &[("a.txt", &line)]).unwrap();
    left.retain(|option| !imported.report.contains(&format!(": {option}: ")));
    assert!(left.is_empty(), "{left:?}\n{}", imported.report);
}

/// What the command line says counts over the file that it names, and both over the defaults.
#[test]
fn a_command_line_counts_over_its_file() {
    let line =
        "exabgp healthcheck --config web.conf --fall 9 --ip 192.0.2.9 --cmd true -N 192.0.2.1";
    let imported = imported(Program::Exabgp, &[("a.txt", line)]).unwrap();
    for want in ["rise = 2\n", "fall = 9\n", "interval = \"5s\"\n", "next-hop = \"192.0.2.1\"\n"] {
        assert!(imported.toml.contains(want), "{want}\n{}", imported.toml);
    }
    let again = "web.conf:2:1: --fall: not needed: it is given again, and the last one counts";
    assert!(imported.report.contains(again), "{}", imported.report);
}

/// Without `--ip` it takes what is on the loopback interface, by its label.
#[test]
fn addresses_come_from_the_loopback_interface() {
    for (label, vips) in [
        ("", "\"192.0.2.40\", \"192.0.2.41\", \"192.0.2.42\", \"2001:db8::40\""),
        ("--label web", "\"192.0.2.40\", \"192.0.2.41\""),
        ("--label web1 --label-exact-match", "\"192.0.2.40\""),
    ] {
        let line = format!("exabgp healthcheck --cmd true {label}");
        let imported = imported(Program::Exabgp, &[("a.txt", &line)]).unwrap();
        assert!(imported.toml.contains(&format!("vips = [{vips}]")), "{label}\n{}", imported.toml);
    }
}

/// Two services that differ in what all share: the second one is told.
#[test]
fn what_all_services_share_is_of_the_first() {
    let lines = "exabgp healthcheck --ip 192.0.2.1 --down-metric 500 --next-hop 192.0.2.7\n\
                 exabgp healthcheck --ip 192.0.2.2 --down-metric 600 --next-hop 192.0.2.8\n";
    let imported = imported(Program::Exabgp, &[("a.txt", lines)]).unwrap();
    for want in [
        "a.txt:2:35: --down-metric: HAS NO COUNTERPART: all services share med of \
         [defaults.route.last-choice], and another one has 500",
        "a.txt:2:53: --next-hop: HAS NO COUNTERPART: all services share next-hop of \
         [defaults.route], and another one has \"192.0.2.7\"",
    ] {
        assert!(imported.report.contains(want), "{}", imported.report);
    }
}

/// As `configparser` has it: lines that go on, comments between them, `[DEFAULT]` in parts, names of
/// options in any case, later files over earlier ones.
#[test]
fn ini_files_are_read_as_python_does() {
    let first = "[DEFAULT]\nPath = /opt\n[a]\nip_prefix = 192.0.2.1\n\
                 check_cmd = %(path)s/check\n# between\n  'one word'\n\n\ttwo\n\
                 check_disabled: off\n[DEFAULT]\ncheck_rise=5\n";
    let second = "[a]\nCHECK_FAIL = 7\nip_prefix = 192.0.2.2\n";
    let files = [("a.conf", first), ("b.conf", second)];
    let imported = imported(Program::Anycast, &files).unwrap();
    for want in [
        "\"sh\", \"/opt/check\", \"one word\", \"two\"]\n",
        "rise = 5\n",
        "fall = 7\n",
        "vips = [\"192.0.2.2\"]\n",
        "a.conf:4:1: ip_prefix: not needed: it is given again at b.conf:3:1",
        "a.conf:2:1: path: taken as what %(path)s stands for in other values",
    ] {
        assert!(imported.toml.contains(want), "{want}\n{}", imported.toml);
    }
}

/// Everything that is wrong, with its place and what to do.
#[test]
fn complaints() {
    let cases: &[(Program, &str)] = &[
        (Program::Exabgp, ""),
        (Program::Exabgp, "--ip 192.0.2.1 --intervall 5"),
        (Program::Exabgp, "--ip 192.0.2.1/24 --rise x --fall 5000 --interval -1 --timeout 1.5"),
        (Program::Exabgp, "--ip 192.0.2.1 --next-hop 127.0.0.1 --neighbor x --up-metric -5"),
        (Program::Exabgp, "--ip 224.0.0.1 --cmd ''"),
        (Program::Exabgp, "--ip 10.0.0.0/8 --deaggregate-networks"),
        (Program::Exabgp, "--label none --cmd true"),
        (Program::Exabgp, "--config missing.conf --ip 192.0.2.1"),
        (Program::Exabgp, "--config bad.conf --ip 192.0.2.1"),
        (Program::Exabgp, "--ip 192.0.2.1 --cmd 'open"),
        (Program::Exabgp, "exabgp healthcheck --ip 192.0.2.1\nexabgp healthcheck --ip 192.0.2.1\n"),
        (Program::Exabgp, "name web\n"),
        (Program::Exabgp, "nmae = web\nip = 192.0.2.1\ndebug = 1\n"),
        (Program::Exabgp, "process a {\n  run /bin/true;\n}\n"),
        (Program::Exabgp, "process a {\n  run exabgp healthcheck --ip 192.0.2.1 --cmd \"x;\n}\n"),
        (Program::Exabgp, "process a { run exabgp healthcheck --ip 192.0.2.1 --ip-ifname x; }\n"),
        (Program::Anycast, ""),
        (Program::Anycast, "check_cmd = x\n[a]\nnonsense\n"),
        (Program::Anycast, "[daemon]\nbird_confs = x\n"),
        (Program::Anycast, "[a]\ncheck_cmd = x\n"),
        (Program::Anycast, "[a]\nip_prefix = 192.0.2.1/32\ncheck_comand = x\n"),
        (Program::Anycast, "[a]\nip_prefix = 192.0.2.1/33\ncheck_cmd = 'x\ncheck_fail = many\n"),
        (
            Program::Anycast,
            "[a]\nip_prefix = 192.0.2.1\ncheck_cmd = x %d %(y)s\ncheck_disabled = maybe\n",
        ),
        (Program::Anycast, "[a]\nip_prefix = %(ip_prefix)s\ncheck_cmd = x\non_disabled = go\n"),
        (Program::Anycast, "[a]\nip_prefix = 192.0.2.1\ncheck_cmd = x\nCheck_Cmd = y\n[a]\n"),
        (Program::Anycast, "[a]\nip_prefix = 192.0.2.1/32\n  goes on\ncheck_cmd = x\n"),
        (Program::Birdwatcher, ""),
        (Program::Birdwatcher, "path = /metrics\n"),
        (Program::Birdwatcher, "[services.a]\ncomand = \"x\"\nprefixes = [\"192.0.2.1\"]\n"),
        (
            Program::Birdwatcher,
            "[services.a]\ncommand = 5\ntimeout = 10\ninterval = \"1\"\nprefixes = \"192.0.2.1/32\"\n",
        ),
        (Program::Birdwatcher, "[services.a]\ncommand = \"\"\ntimeout = \"10\"\nprefixes = [5]\n"),
        (Program::Birdwatcher, "services = 5\nprometheus = { enabled = 1, prt = 5 }\nipv4.x = 1\n"),
    ];
    let mut page = String::from("# What is said of files that are not good.\n");
    for (program, text) in cases {
        let said = imported(*program, &[("a.conf", text)]).map(|imported| imported.toml);
        let error = said.expect_err(text);
        page.push_str(&format!("\n## {}\n", program.name()));
        page.extend(text.lines().map(|line| format!("    {line}\n")));
        page.push_str(&format!("\n{error}\n"));
    }
    let page: Vec<&str> = page.lines().map(str::trim_end).collect();
    assert_fresh("crates/ha2bgp/src/import/fixtures/complaints.md", &(page.join("\n") + "\n"));
}

#[test]
fn octets_that_are_no_text() {
    let host =
        Host { read_file: &|_| Err(io::ErrorKind::NotFound.into()), loopback: &|| Ok(vec![]) };
    for (octets, want) in [
        (b"# caf\xe9\n".to_vec(), "a: is not UTF-8 text from octet 5 on: mend it there"),
        (b"a\0".to_vec(), "a:1:2: there is a NUL character here: remove it"),
        (vec![b'\n'; LENGTH_MAX + 1], "a: is longer than 1 MiB: is it a configuration file?"),
    ] {
        for program in Program::ALL {
            let file = File { name: "a".to_owned(), octets: octets.clone() };
            let errors = import(program, &[file], &host).unwrap_err();
            assert!(errors[0].to_string().starts_with(want), "{}", errors[0]);
            assert_eq!(errors.len(), 1, "{errors:?}");
        }
    }
}

/// Words that mean something to one of the programs, in any order, alone or behind a good beginning:
/// whatever is taken is read by our own reader, and whatever is not has a place.
fn soup(good: &'static str, words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let any = "\\PC{0,4}".prop_map(|text| text);
    let known = proptest::sample::select(words).prop_map(str::to_owned);
    let word = prop_oneof![20 => known, 1 => any];
    let begin = prop_oneof![4 => Just(good), 1 => Just("")];
    let words = proptest::collection::vec(word, 0..12);
    (begin, words).prop_map(|(begin, words)| format!("{begin}{}", words.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_of_exabgp(text in soup("exabgp healthcheck --ip 192.0.2.9 ", &[
        "--ip ", "--cmd ", "--config other", "192.0.2.1", "192.0.2.0/30", "2001:db8::1/128", "\n", "\n",
        " ", " ", "=", "'", "\"", "\\", "{", "}", ";", "process x {", "neighbor ::1 {", "local-as 1;", "hold-time 9;", "run exabgp healthcheck ", "-c",
        "--label web", "--deaggregate-networks ", "--withdraw-on-down ", "--disable ", "/run/{x}", "%d/x",
        "--user a ", "--group b ", "--community ", "65000:1", "--interval ", "0.5", "0", "--timeout ",
        "name = ", "ip = 192.0.2.3", "command = a {b} | c", "--no-ip-setup ", "--ip-ifname 192.0.2.1%lo ",
        "--next-hop 192.0.2.8 ", "--disabled-community ", "--down-metric ", "7", "--debounce ",
    ])) {
        fuzz_exabgp(text.as_bytes());
    }

    #[test]
    fn any_words_of_anycast(text in soup("[s]\ncheck_disabled = no\ncheck_cmd = x\nip_prefix = 192.0.2.9/32\n", &[
        "[a]\n", "[b c]\n", "[DEFAULT]\n", "[daemon]\n", "\n", "\n", "\n ", "=", ":", "%", "%(x)s", "x = ",
        "check_cmd = ", "/bin/true {a} 'b c' ", "ip_prefix = ", "192.0.2.1/32\n", "2001:db8::1\n",
        "check_interval = 1.5\n", "check_fail = 3\n", "interface = eth[\n", "check_disabled = no\n",
        "on_disabled = advertise\n", "splay_startup = ", "5\n", "#", ";", "ip_check_disabled = yes\n",
    ])) {
        fuzz_anycast(text.as_bytes());
    }

    #[test]
    fn any_words_of_birdwatcher(text in soup("[services.s]\ncommand = 'x'\nprefixes = ['192.0.2.9/32']\n", &[
        "[services.a]\n", "[services.\"b c\"]\n", "\n", "\n", "command = \"", "/bin/x  {y} 'z'\"\n",
        "prefixes = [\"192.0.2.1/32\"]\n", "prefixes = [\"192.0.2.0/24\", \"2001:db8::1/128\"]\n",
        "timeout = \"1.5s\"\n", "interval = 3\n", "rise = 2\n", "fail = -1\n", "functionname = 'f'\n",
        "[prometheus]\n", "enabled = true\n", "\"", "\\u0007",
    ])) {
        fuzz_birdwatcher(text.as_bytes());
    }
}
