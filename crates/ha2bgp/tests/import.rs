//! `ha2bgp import` and `ha2bgp config` as they are started by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program with this input.
fn ha2bgp(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha2bgp"));
    command.env_clear().args(args).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

const SERVICE: &str = "check_cmd = /bin/true\ncheck_disabled = false\n";

/// What comes out is good for `check-config` on this host.
#[test]
fn a_file_and_a_directory_become_one_good_file() {
    let dir = tempfile::tempdir().unwrap();
    let main =
        write(dir.path(), "main.conf", "[DEFAULT]\ncheck_interval = 3\n[daemon]\nipv4 = true\n");
    let services = dir.path().join("services.d");
    fs::create_dir(&services).unwrap();
    write(&services, "b.conf", &format!("[b]\n{SERVICE}ip_prefix = 192.0.2.2/32\n"));
    write(&services, "a.conf", &format!("[a]\n{SERVICE}ip_prefix = 192.0.2.1/32\n"));
    write(&services, "c.conf.old", "[c]\nnonsense\n");
    let services = services.display().to_string();
    let output = ha2bgp(&["import", "anycast-healthchecker", &main, &services], "");
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(err(&output).contains("a.conf:4:1: ip_prefix: taken as vips"), "{}", err(&output));
    let toml = out(&output);
    assert!(toml.find("name = \"a\"").unwrap() < toml.find("name = \"b\"").unwrap(), "{toml}");
    let toml = write(dir.path(), "ha2bgp.toml", &toml);
    let checked = ha2bgp(&["check-config", &toml], "");
    assert_eq!(code(&checked), 0, "{}", err(&checked));
    assert!(out(&checked).contains("192.0.2.1/32, 192.0.2.2/32"), "{}", out(&checked));
}

#[test]
fn standard_input_and_what_has_no_counterpart() {
    let text = format!("[daemon]\nlog_file = /var/log/x\n[a]\n{SERVICE}ip_prefix = 192.0.2.1\n");
    let output = ha2bgp(&["import", "anycast-healthchecker", "-"], &text);
    assert_eq!(code(&output), 1);
    let said = "standard input:2:1: log_file: HAS NO COUNTERPART: ";
    assert!(err(&output).contains(said), "{}", err(&output));
    assert!(out(&output).contains("vips = [\"192.0.2.1\"]"));
}

#[test]
fn bad_files_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bad = write(dir.path(), "bad.conf", "[services.a]\ncomand = 'x'\n");
    let missing = dir.path().join("missing").display().to_string();
    let empty = dir.path().display().to_string();
    fs::remove_file(dir.path().join("missing")).unwrap_err();
    for (path, want) in [
        (
            bad.as_str(),
            "bad.conf:2:1: services.a.comand: there is no such key: did you mean command?",
        ),
        (missing.as_str(), "missing\" cannot be read: No such file or directory"),
        ("/dev/null", "there is no service in it"),
    ] {
        let output = ha2bgp(&["import", "birdwatcher", path], "");
        assert_eq!(code(&output), 2);
        assert!(output.stdout.is_empty(), "{}", out(&output));
        let error = err(&output);
        assert!(error.starts_with("ha2bgp: error: ") && error.contains(want), "{error}");
    }
    fs::remove_file(&bad).unwrap();
    let output = ha2bgp(&["import", "birdwatcher", &empty], "");
    assert!(err(&output).contains("there is no *.conf in"), "{}", err(&output));
    assert_eq!(code(&ha2bgp(&["import", "keepalived", "-"], "")), 2);
}

/// What the program prints is what stands in the documents; unit tests keep those fresh.
#[test]
fn config_prints_what_is_in_the_documents() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (args, file) in [
        (&["config", "example"][..], "ha2bgp.example.toml"),
        (&["config", "schema"], "ha2bgp.schema.json"),
        (&["config", "reference"], "configuration.md"),
        (&["config", "reference", "flags"], "reference/flags.md"),
        (&["config", "reference", "reasons"], "reference/reasons.md"),
    ] {
        let output = ha2bgp(args, "");
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert_eq!(out(&output), fs::read_to_string(docs.join(file)).unwrap(), "{file}");
    }
    assert_eq!(code(&ha2bgp(&["config"], "")), 2);
}
