use crate::observe::check::{Polled, ProbeSpec};
use ha2bgp_core::config::CheckKind;

use super::*;
use crate::config::settings::Settings;
use crate::config::settings::tests::read_with;

/// A check of one of two services, as it is written.
fn read(check: &str) -> Result<Settings, String> {
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\n[checks.x]\ntype = \"plugin\"\n{check}\n[[service]]\nname = \
         \"a\"\nvips = [\"100.64.0.1\"]\nrule = \"x\"\n[[service]]\nname = \"b\"\nvips = \
         [\"100.64.0.2\"]\nrule = \"x\"\n"
    );
    read_with(&["--config", "a.toml"], &[], &[("a.toml", text.as_str())])
}

#[test]
fn what_keys_come_to() {
    let settings = read(
        "command = [\"check_tcp\", \"-H\", \"{vip}\", \"-p\", \"{port}\"]\nport = 25\nuser = \"nagios\"\n\
         environment = [\"SECRET=q7\"]\nlimit-cpu = \"3s\"",
    )
    .unwrap();
    let specs = &settings.checks.specs;
    assert_eq!(specs.len(), 1, "both services have the same probe");
    let ProbeSpec::Polled(Polled::Plugin(probe)) = &specs[&0].probe else { panic!("{specs:?}") };
    assert_eq!(probe.program, "/usr/lib/nagios/plugins/check_tcp");
    assert_eq!((probe.port, probe.arguments.len()), (Some(25), 4));
    assert_eq!(probe.identity.as_ref().unwrap().groups, [110, 115]);
    assert_eq!((probe.max_output, probe.directory.as_str()), (65_536, "/"));
    assert_eq!(probe.limits, Limits { cpu: Some(3), ..Limits::default() });
    assert_eq!(specs[&0].timing.interval, Duration::from_secs(10));
    assert_eq!(specs[&0].timing.timeout, Duration::from_secs(10));
    assert!(!format!("{settings:?}").contains("SECRET"));
    let per_vip = |check: &ha2bgp_core::config::CheckConfig| {
        matches!(check.kind, CheckKind::Probe { per_vip: true, .. })
    };
    assert!(settings.engine.checks.values().any(per_vip));
    let named = read("command = [\"/opt/check\", \"{service}\"]").unwrap();
    assert_eq!(named.checks.specs.len(), 2, "each has its own name in it");
    assert!(!named.engine.checks.values().any(per_vip));
}

#[test]
fn complaints_have_their_place() {
    for (check, at, words) in [
        ("", "2:9: ", "command is missing"),
        ("command = []", "4:11: ", "the list is empty"),
        ("command = [\"check_none\"]", "4:12: ", "there is no plugin \"check_none\""),
        ("command = [\"/opt/check\", \"{vipp}\"]", "4:26: ", "did you mean {vip}?"),
        ("command = [\"/opt/check\", \"{port}\"]", "4:", "{port} has no value"),
        ("command = [\"/opt/check\"]\nport = 25", "5:8: ", "nothing in command uses it"),
        ("command = [\"/opt/check\"]\nuser = \"x\"", "5:8: ", "there is no user \"x\""),
        ("command = [\"/opt/check\"]\ngroup = \"7\"", "5:9: ", "add user"),
        ("command = [\"/opt/check\"]\nenvironment = [\"A\"]", "5:16: ", "there is no ="),
        ("command = [\"/opt/check\"]\nmax-output = \"1MiB\"", "5:14: ", "not a size"),
        ("command = [\"/opt/check\"]\nsource-mark = 1", "5:1: ", "has it"),
    ] {
        let error = read(check).map(drop).unwrap_err();
        assert!(error.contains(at) && error.contains(words), "{check}: {error}");
    }
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    match path {
        "/etc/passwd" => {
            Ok(b"root:x:0:0::/root:/bin/sh\nnagios:x:107:110::/:\nbad:x:y:z\n".to_vec())
        }
        "/etc/group" => Ok(b"nagios:x:110:\nssl-cert:x:115:web,nagios\nnot:a\n".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[test]
fn users_have_their_groups() {
    let user = |text, group| identity::user(text, group, &read_file);
    let identity = |uid, gid, groups: &[u32]| Identity { uid, gid, groups: groups.to_vec() };
    assert_eq!(user("nagios", None), Ok(identity(107, 110, &[110, 115])));
    assert_eq!(user("107", None), Ok(identity(107, 110, &[110, 115])));
    assert_eq!(user("nagios", Some(5)), Ok(identity(107, 5, &[5, 115])));
    assert_eq!(user("4000", Some(5)), Ok(identity(4000, 5, &[5])));
    assert_eq!(user("root", None), Ok(identity(0, 0, &[0])));
    for (text, words) in [
        ("4000", "add group"),
        ("nobdy", "no user \"nobdy\""),
        ("bad", "passwd(5)"),
        ("", "no user"),
    ] {
        let error = user(text, None).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    assert!(user("4294967295", Some(1)).is_err());
    let nothing = |_: &str| Err(io::ErrorKind::NotFound.into());
    assert!(identity::user("nagios", None, &nothing).unwrap_err().contains("write a number"));
    assert_eq!(identity::user("7", Some(8), &nothing), Ok(identity(7, 8, &[8])));
    assert_eq!(identity::group("ssl-cert", &read_file), Ok(115));
    assert_eq!(identity::group("9", &read_file), Ok(9));
    assert!(identity::group("not", &read_file).is_err());
}

#[test]
fn programs_are_looked_up_where_plugins_are() {
    let executable = |path: &str| match path {
        "/usr/lib64/nagios/plugins/check_tcp" | "/opt/my check" => Ok(true),
        "/usr/lib/nagios/plugins/check_tcp" | "/etc/passwd" => Ok(false),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let find = |text| program(text, &executable);
    assert_eq!(find("check_tcp").unwrap(), "/usr/lib64/nagios/plugins/check_tcp");
    assert_eq!(find("/opt/my check").unwrap(), "/opt/my check");
    for (text, words) in [
        ("check_none", "there is no plugin \"check_none\" in /usr/lib/nagios/plugins"),
        ("check_tcp -p 25", "more than one word"),
        ("./check_tcp", "not an absolute path"),
        ("/opt/none", "\"/opt/none\" cannot be run: entity not found"),
        ("/etc/passwd", "chmod +x"),
        ("/opt/{vip}", "placeholders in the words after it"),
        ("", "write its path"),
        ("/a\0b", "write its path"),
    ] {
        let error = find(text).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn sizes_times_and_variables() {
    let bytes = |text| size(text, 256, 65_536);
    assert_eq!(bytes("64KiB"), Ok(65_536));
    assert_eq!(bytes("1 KiB"), Ok(1024));
    assert_eq!(bytes("300"), Ok(300));
    for bad in ["65KiB", "1KB", "-1", "", "KiB", "255", "99999999999999999999", "17179869184GiB"] {
        let error = bytes(bad).unwrap_err();
        assert!(
            error.ends_with("from 256 octets to 64KiB: write for example \"64KiB\""),
            "{error}"
        );
    }
    assert_eq!(size("2GiB", MEMORY_MIN, SIZE_MAX), Ok(2 << 30));
    assert_eq!(seconds("2m"), Ok(120));
    assert!(seconds("1500ms").is_err() && seconds("0s").is_err());
    assert!(count("7", 8).is_err() && count("8", 8).is_ok() && count("x", 1).is_err());
    assert_eq!(variable("A_1=b=c"), Ok(("A_1".to_owned(), "b=c".to_owned())));
    for bad in ["secret", "=secret", "1A=secret", "A B=secret", "A=secret\0"] {
        let error = variable(bad).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
