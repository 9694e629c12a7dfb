//! What checks of this host come to, and every complaint with its place.

use ha2bgp_proto::accept_queue::Trouble;
use ha2bgp_proto::maintenance::FileRule;

use crate::config::settings::Settings;
use crate::config::settings::tests::read_with;
use crate::observe::check::process::ProcessProbe;
use crate::observe::check::{ProbeSpec, Watched};

/// A service, in four lines, and its check.
fn read(checks: &str) -> Result<Settings, String> {
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\n[[service]]\nname = \"web\"\nvips = \
         [\"100.64.0.10\"]\n{checks}\n"
    );
    read_with(&["--config", "a.toml"], &[], &[("a.toml", &text)])
}

fn only(checks: &str) -> ProbeSpec {
    let mut specs = read(checks).unwrap().checks.specs;
    assert_eq!(specs.len(), 1);
    specs.remove(&0).unwrap().probe
}

#[test]
fn accept_queues() {
    let queue = |keys: &str| match only(&format!("[service.checks.accept-queue]\n{keys}")) {
        ProbeSpec::Watched(Watched::AcceptQueue(queue)) => queue,
        other => panic!("{other:?}"),
    };
    let plain = queue("");
    assert!(plain.ports.is_empty() && plain.rules.fail.is_empty());
    assert_eq!(plain.rules.warn, ["full for 2s".parse().unwrap()]);
    let more = queue("ports = [80, 443]\nfail-when = [\"stuck for 3s\", \"full for 9s\"]");
    assert_eq!(more.ports, [80, 443]);
    assert_eq!(more.rules.fail[0].trouble, Trouble::Stuck);
    assert_eq!(more.rules.warn, plain.rules.warn);
    assert!(queue("warn-when = \"never\"").rules.warn.is_empty());
}

#[test]
fn files() {
    let file = |keys: &str| match only(&format!("[service.checks.file]\n{keys}")) {
        ProbeSpec::Watched(Watched::File(file)) => file,
        other => panic!("{other:?}"),
    };
    let absent = file("path = \"/run/off-{service}\"\nexists = false");
    assert_eq!(absent.rule, FileRule::Absent);
    assert_eq!(absent.path.service.as_deref(), Some("web"));
    let beat = file("path = \"/run/beat\"\nmax-age = \"9s\"\nmin-size = 1\ncontains = \"/ok/\"");
    assert_eq!(beat.path.service, None, "checks of several services are the same one");
    let FileRule::Exists(limits) = &beat.rule else { panic!("{beat:?}") };
    assert_eq!((limits.max_age.unwrap().as_secs(), limits.min_size), (9, Some(1)));
    assert!(limits.contains.is_some());
}

#[test]
fn processes() {
    let process = |keys: &str| match only(&format!("[service.checks.process]\n{keys}")) {
        ProbeSpec::Watched(Watched::Process(process)) => process,
        other => panic!("{other:?}"),
    };
    match process("pidfile = \"/run/x.pid\"\nname = \"x\"") {
        ProcessProbe::Pidfile { path, name } => {
            assert_eq!((path.template.as_str(), name.as_deref()), ("/run/x.pid", Some("x")));
        }
        #[cfg(feature = "systemd")]
        ProcessProbe::Unit { .. } => panic!("no pid file"),
    }
    #[cfg(feature = "systemd")]
    assert!(matches!(
        process("unit = \"{service}@{vip}.service\""),
        ProcessProbe::Unit { bus: None, .. }
    ));
}

#[test]
fn complaints() {
    for (kind, keys, place, words) in [
        ("accept-queue", "fail-when = \"ful for 2s\"", "6:13", "did you mean full?"),
        ("accept-queue", "fail-when = [\"full for 2s\", \"full\"]", "6:29", "WHAT for TIME"),
        ("accept-queue", "warn-when = \"full for 2d\"", "6:13", "no time"),
        ("accept-queue", "ports = [0]", "6:10", "is not a port"),
        ("accept-queue", "rise = 2", "6:1", "there is no such key"),
        ("accept-queue", "interval = \"1ms\"", "6:12", "too often"),
        ("file", "", "5:17", "path is missing"),
        ("file", "path = \"/run/{port}\"", "6:8", "{port} has no value here"),
        ("file", "path = \"/run/{ip}\"", "6:8", "did you mean {vip}?"),
        (
            "file",
            "path = \"/x\"\nexists = false\nmax-age = \"9s\"",
            "8:11",
            "leave one of them out",
        ),
        ("file", "path = \"/x\"\ncontains = \"/(/\"", "7:12", "not a regular expression"),
        ("file", "path = \"/x\"\nmin-size = -1", "7:12", "number of octets"),
        ("process", "", "5:17", "needs pidfile or unit"),
        ("process", "pidfile = \"/x\"\nunit = \"a.service\"", "7:8", "leave one out"),
        ("process", "pidfile = \"/x\"\nname = \"\"", "7:8", "no name of a process"),
        ("process", "pidfile = \"/x\"\nbus = \"unix:path=/y\"", "7:7", "is for unit"),
        #[cfg(feature = "systemd")]
        ("process", "unit = \"nginx\"", "6:8", "for example nginx.service"),
        #[cfg(feature = "systemd")]
        ("process", "unit = \"a.service\"\nbus = \"tcp:host=x\"", "7:7", "no address of a bus"),
        #[cfg(not(feature = "systemd"))]
        ("process", "unit = \"a.service\"", "6:8", "built without"),
    ] {
        let error = read(&format!("[service.checks.{kind}]\n{keys}")).unwrap_err();
        let place = format!("a.toml:{place}: ");
        let said = |line: &str| line.starts_with(&place) && line.contains(words);
        assert!(error.lines().any(said), "{keys}\n{error}");
    }
}
