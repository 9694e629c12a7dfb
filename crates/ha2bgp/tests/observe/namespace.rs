//! Network namespaces of a test's own, without privilege where user namespaces are allowed.
//!
//! The test runs its own program again, in new namespaces, for just the one test. They vanish
//! with that process, however it ends.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};

const MARK: &str = "HA2BGP_TEST_OWN_NETWORK";

/// Runs `body` in a network namespace where only loopback exists and is up; `test` is the full
/// name of the calling test. Without namespaces it says so, and the test counts as passed.
pub(crate) fn in_own_network(test: &str, body: impl Future<Output = ()>) {
    if std::env::var_os(MARK).is_some() {
        ip("link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(body);
        return;
    }
    let namespaces: &[&str] = &["--user", "--map-root-user", "--net"];
    if let Some(missing) = missing(namespaces) {
        println!("skipped {test}: {missing}");
        return;
    }
    let status = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its own network: {status}");
}

/// What the host lacks, if anything.
fn missing(namespaces: &[&str]) -> Option<String> {
    let tried = Command::new("unshare").args(namespaces).args(["ip", "link"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("cannot run unshare: {error}")),
    }
}

/// Runs `ip` with these arguments.
pub(crate) fn ip(arguments: &str) {
    run("ip", arguments);
}

/// Runs a program that must succeed.
pub(crate) fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {stderr}");
}

/// Another network namespace, for as long as this lives.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    /// Makes the namespace.
    pub(crate) fn new() -> Self {
        // It answers once it is in its namespace, and then waits for the end of its input.
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufReader::new(stdout).read_line(&mut line).unwrap();
        Self(child)
    }

    /// The process that is in the namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Runs a command inside.
    pub(crate) fn run(&self, command: &str) {
        run("nsenter", &format!("--target {} --net {command}", self.pid()));
    }

    /// Starts a connection attempt from inside, and leaves it alone.
    pub(crate) fn connect(&self, address: &str, port: u16) -> Child {
        let pid = self.pid().to_string();
        Command::new("nsenter")
            .args(["--target", &pid, "--net", "bash", "-c"])
            .arg(format!("exec 3<>/dev/tcp/{address}/{port}"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
