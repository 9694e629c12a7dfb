//! The program as it is started by hand and by scripts: strange bytes, outputs that take nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};

fn ha2bgp(args: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha2bgp"));
    command.env_clear().stdin(Stdio::null()).args(args);
    // No test leaves anything in the places of this system.
    command.env("HA2BGP_STATE_FILE", "off");
    command
}

fn refused(output: &Output, names: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.starts_with("ha2bgp: error: ") && errors.contains(names), "{errors}");
    assert!(output.stdout.is_empty());
}

/// Bytes that are not UTF-8.
fn bytes() -> &'static OsStr {
    OsStr::from_bytes(b"\xff\xfe")
}

#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    refused(&ha2bgp(&[bytes()]).output().unwrap(), "\u{fffd}");
    refused(&ha2bgp(&["--network".as_ref(), bytes()]).output().unwrap(), "--network");
}

/// It must not count as not set: without the network it stands for, other addresses are allowed.
#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    let output = ha2bgp(&[]).env("HA2BGP_NETWORK_FILTER", bytes()).output().unwrap();
    refused(&output, "HA2BGP_NETWORK_FILTER");
}

#[test]
fn the_filter_is_reported_together_with_the_rest() {
    let args = ["-network", "bad", "-l", "sport = = :80"].map(OsStr::new);
    let output = ha2bgp(&args).output().unwrap();
    refused(&output, "--network: \"bad\"");
    refused(&output, "--listen-filter: ");
    // A name that only one protocol has is no error of its own.
    let args = ["-network", "bad", "-l", "sport = :tftp", "--protocol", "udp"].map(OsStr::new);
    let output = ha2bgp(&args).output().unwrap();
    refused(&output, "--network: \"bad\"");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("--listen-filter"));
}

#[test]
fn a_full_disk_is_no_panic() {
    let full = || File::create("/dev/full").unwrap();
    for (args, code) in [
        (&["--network", "bad"][..], 2),
        (&["--help"], 0),
        (&["filter", ""], 1),
        (&["filter", "dst"], 2),
        (&["demo"], 1),
    ] {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        let status = ha2bgp(&args).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

/// `ha2bgp filter … | head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = ha2bgp(&["filter".as_ref(), "".as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("reading:"), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A file with this text in a folder that goes away.
fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ha2bgp.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

const ROUTER: &str = "router-id = \"10.1.1.1\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\
                      peer = [{ address = \"192.0.2.1\", remote-as = 65001 }]\n";

#[test]
fn a_good_file_is_called_good() {
    // Every host reaches it.
    let (_folder, path) = file(&ROUTER.replace("192.0.2.1", "127.0.0.7"));
    let output = ha2bgp(&["check-config".as_ref(), path.as_os_str()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "good: announces addresses in 100.64.0.0/24 to 127.0.0.7\n");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

/// A peer that no host has on its subnet, with the same from flags: what is told does not change the
/// exit code.
#[test]
fn a_good_file_may_have_warnings() {
    let (_folder, path) = file(&ROUTER.replace("192.0.2.1", "203.0.113.9"));
    let output = ha2bgp(&["check-config".as_ref(), path.as_os_str()]).output().unwrap();
    let (said, warned) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{warned}");
    assert_eq!(said, "good, with a warning: announces addresses in 100.64.0.0/24 to 203.0.113.9\n");
    assert!(warned.starts_with("ha2bgp: warning: "), "{warned}");
    assert!(warned.contains(":4:21: peer.address: \"203.0.113.9\" is on no subnet"), "{warned}");
    assert!(warned.ends_with("[far-peer]\n  |\n4 | peer = [{ address = \"203.0.113.9\", remote-as = 65001 }]\n  |                     ^^^^^^^^^^^^^\n"), "{warned}");
}

#[test]
fn what_is_found_is_told_to_programs_too() {
    let read = |text: &str, code| {
        let (_folder, path) = file(text);
        let args =
            ["check-config".as_ref(), "--json".as_ref(), "--config".as_ref(), path.as_os_str()];
        let output = ha2bgp(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(output.stderr.is_empty(), "{}", self::text(&output.stderr));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (found, path.to_str().unwrap().to_owned())
    };
    let (found, path) = read(&ROUTER.replace("192.0.2.1", "203.0.113.9"), 0);
    let list = found.as_array().unwrap();
    assert_eq!(list.len(), 1, "{found}");
    let message = list[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("is on no subnet of this host"), "{message}");
    let want = serde_json::json!([{
        "severity": "warning", "code": "far-peer", "file": path, "line": 4, "column": 21,
        "key": "peer.address", "value": "\"203.0.113.9\"", "message": message,
    }]);
    assert_eq!(found, want);
    let (found, path) = read(
        "local-as = 1\npeer = [{ address = \"::1\", remote-as = 1, password = \"hunter2\" }]\n",
        2,
    );
    let list = found.as_array().unwrap();
    let places: Vec<_> = list.iter().map(|it| (it["key"].as_str().unwrap(), &it["line"])).collect();
    assert_eq!(places, [("router-id", &serde_json::Value::Null), ("peer.password", &2.into())]);
    assert!(list.iter().all(|it| it["severity"] == "error" && it["code"].is_null()), "{found}");
    assert!(list.iter().all(|it| it["file"] == path.as_str()), "{found}");
    assert!(!found.to_string().contains("hunter2"), "{found}");
    let (found, _) = read("networks = [\"127.0.0.0/8\"]\n", 0);
    assert_eq!(found, serde_json::json!([]));
}

/// What the daemon logs when it starts with such a file.
#[test]
fn the_log_has_the_warnings_too() {
    let (_folder, path) =
        file("[log]\nno-color = true\n[discover]\nlisten-filter = \"sport = *:80\"\n");
    let args = ["--config".as_ref(), path.as_os_str(), "--bgp-backend".as_ref(), "test".as_ref()];
    let mut child = ha2bgp(&args).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut warned = Vec::new();
    for line in lines {
        if line.contains("announcing what is up") {
            break;
        }
        warned.extend(line.contains(" [W] ").then_some(line));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("ha2bgp.toml: networks: nothing is allowed"), "{warned:?}");
    assert!(
        warned[1].contains(":4:26: discover.listen-filter: \"*:80\" means any port"),
        "{warned:?}"
    );
}

#[test]
fn a_directory_of_files_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let (top, peer) = ROUTER.split_at(ROUTER.find("peer").unwrap());
    write("10-us.toml", top);
    write("20-peer.toml", peer);
    write("30-old.toml.disabled", "this is no TOML");
    write(".30-hidden.toml", "this is no TOML");
    let args = ["check-config".as_ref(), "--config".as_ref(), folder.path().as_os_str()];
    let output = ha2bgp(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).ends_with(": announces addresses in 100.64.0.0/24 to 192.0.2.1\n")
    );
    // A link that leads to itself is a file that cannot be read, and waits for nothing.
    std::os::unix::fs::symlink("40-loop.toml", folder.path().join("40-loop.toml")).unwrap();
    pipe(&folder.path().join("50-pipe.toml"));
    let output = ha2bgp(&args).output().unwrap();
    refused(&output, "/40-loop.toml\" cannot be read: Too many levels of symbolic links");
}

/// A named pipe that nobody writes to.
fn pipe(path: &std::path::Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_bad_file_is_refused_by_every_way_in() {
    let (_folder, path) = file(&ROUTER.replace("65001", "0").replace("networks", "netwroks"));
    let path = path.as_os_str();
    let mut by_variable = ha2bgp(&[]);
    by_variable.env("HA2BGP_CONFIG", path);
    for mut command in [
        ha2bgp(&["check-config".as_ref(), path]),
        ha2bgp(&["run".as_ref(), "--config".as_ref(), path]),
        ha2bgp(&["--config".as_ref(), path]),
        ha2bgp(&["-config".as_ref(), path]),
        by_variable,
    ] {
        let output = command.output().unwrap();
        refused(
            &output,
            ":3:1: netwroks: there is no such key at the top of the file: did you mean",
        );
        refused(&output, ":4:46: peer.remote-as: \"0\" is reserved");
        refused(&output, "\n3 | netwroks = [\"100.64.0.0/24\"]\n  | ^^^^^^^^\n");
    }
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    refused(&ha2bgp(&["--config", "/none.toml"].map(OsStr::new)).output().unwrap(), "--config: ");
    let output = ha2bgp(&["check-config", "/none.toml"].map(OsStr::new)).output().unwrap();
    refused(&output, "\"/none.toml\" cannot be read: No such file or directory");
    let output = ha2bgp(&["check-config"].map(OsStr::new)).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// The listen filter has errors of its own kind.
#[test]
fn a_bad_filter_in_a_file_is_refused_with_its_place() {
    let (_folder, path) = file("[discover]\nlisten-filter = \"sport = = :80\"\n");
    let output = ha2bgp(&["check-config".as_ref(), path.as_os_str()]).output().unwrap();
    refused(&output, ":2:26: discover.listen-filter: ");
}

/// The first thing that a new user runs; without root, without anything on the host.
#[test]
fn the_demonstration_shows_a_route_coming_and_going() {
    let output = ha2bgp(&["demo".as_ref()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["     + 127.", "     - 127.", "after close()", "median", "received 6/2"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
