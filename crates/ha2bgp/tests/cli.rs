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
    let (_folder, path) = file(ROUTER);
    let output = ha2bgp(&["check-config".as_ref(), path.as_os_str()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "good: announces addresses in 100.64.0.0/24 to 192.0.2.1\n");
    assert!(output.stderr.is_empty());
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
    refused(&output, ":2:17: discover.listen-filter: ");
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
