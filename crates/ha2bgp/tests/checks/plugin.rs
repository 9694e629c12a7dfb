//! `type = "plugin"`: scripts of every manner, and nothing of them is left.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ha2bgp_core::check::{MetricUnit, Outcome};
use tempfile::TempDir;

use crate::stand::{SOON, Stand};

/// Scripts that anybody may run: as root, plugins are nobody.
struct Scripts(TempDir);

impl Scripts {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that may be executed. It is written by another process: a descriptor of ours that is
    /// open for writing, copied by a fork of another test, would make the start fail (ETXTBSY).
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let (source, path) = (self.path(&format!("{name}.source")), self.path(name));
        std::fs::write(&source, text).unwrap();
        let mut install = std::process::Command::new("install");
        assert!(install.args(["-m", "755"]).arg(&source).arg(&path).status().unwrap().success());
        path
    }

    /// Starts a shell script with these arguments as a check.
    fn start(&self, script: &str, arguments: &str, more: &str) -> Stand {
        let path = self.script("check", &format!("#!/bin/sh\n{script}\n"));
        Stand::start(&section(&path, arguments, more))
    }
}

fn section(path: &Path, arguments: &str, more: &str) -> String {
    let path = path.display();
    format!(
        "[service.checks.it]\ntype = \"plugin\"\ncommand = [\"{path}\"{arguments}]\n\
         interval = \"30ms\"\n{more}\n"
    )
}

/// Waits until a file is there and has something in it.
async fn content(path: &Path) -> String {
    let wait = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap()
}

/// Waits until there is no such process, or only what is left of it for its parent.
async fn gone(pid: &str) {
    let wait = async {
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().unwrap_or_default();
            if state.is_empty() || state.starts_with(['Z', 'X']) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "process {pid} is left");
}

#[tokio::test]
async fn exit_codes_and_what_is_said() {
    let scripts = Scripts::new();
    for (code, outcome) in
        [(0, Outcome::Pass), (1, Outcome::Warn), (2, Outcome::Fail), (3, Outcome::Unknown)]
    {
        let mut stand = scripts.start(&format!("echo 'it is {code}'; exit {code}"), "", "");
        let result = stand.next().await;
        assert_eq!((result.outcome, &*result.detail), (outcome, &*format!("it is {code}")));
        assert_eq!(result.more, None);
        stand.end().await;
    }
    let says = "echo 'OK - so so | time=20ms;;;0'; echo more; echo noise >&2";
    let mut stand = scripts.start(says, "", "");
    let result = stand.finds(Outcome::Pass, "OK - so so").await;
    let more = result.more.unwrap();
    assert_eq!(&*more.long, "more");
    let metric = &more.metrics[0];
    assert_eq!(
        (&*metric.label, &*metric.value, metric.unit),
        ("time", "0.02", MetricUnit::Seconds)
    );
    stand.end().await;
    for (script, words) in [
        ("kill -9 $$", "ended by signal 9 (SIGKILL): (no output)"),
        ("exit 77", "exit code 77, plugins may use 0 to 3"),
        ("no-such-command", "exit code 127: a command was not found"),
        ("echo; echo oops >&2; exit 3", "oops"),
        ("printf 'a \\200\\377'; exit 3", "a \u{fffd}\u{fffd}"),
    ] {
        let mut stand = scripts.start(script, "", "");
        stand.finds(Outcome::Unknown, words).await;
        stand.end().await;
    }
}

#[tokio::test]
async fn placeholders_and_what_a_plugin_is_given() {
    let scripts = Scripts::new();
    let arguments = ", \"{vip}:{port}\", \"{service}\", \"$HOME *\", \"{{x}}\", \"\"";
    let script = "printf '[%s]' \"$@\"; echo; exit 0";
    let mut stand = scripts.start(script, arguments, "port = 8080");
    stand.finds(Outcome::Pass, "[127.0.0.1:8080][web][$HOME *][{x}][]").await;
    stand.end().await;

    let script = "echo $(env | sort | grep -v '^_=\\|^SHLVL\\|^PWD') $(pwd) $(ulimit -Sn) \
                  $(cat <&0 | wc -c) $(cd /proc/$$/fd; echo *)";
    let more = "environment = [\"B=c d\", \"LANG=C\"]\ndirectory = \"/usr\"\nlimit-files = 99";
    let path = scripts.script("check", &format!("#!/bin/sh\n{script}\n"));
    let mut stand = Stand::idle(crate::stand::checks(&section(&path, "", more)));
    stand.want(&[]);
    // One run for all, because {vip} is nowhere. 10 is the script, 3 the directory itself.
    let result = stand.next_of(None).await;
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(&*result.detail, format!("B=c d LANG=C {path} /usr 99 0 0 1 10 2 3"));
    stand.end().await;
}

#[tokio::test]
async fn root_is_nobody_unless_it_is_told() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scripts = Scripts::new();
    let script = "echo $(id -u) $(id -g) $(id -G) $(grep -c 'CapEff:.0*$' /proc/self/status)";
    for (more, who) in [
        ("", "65534 65534 65534 1"),
        ("user = \"12345\"\ngroup = \"23456\"", "12345 23456 23456 1"),
        ("user = \"root\"", "0 0 0"),
    ] {
        let mut stand = scripts.start(script, "", more);
        stand.finds(Outcome::Pass, who).await;
        stand.end().await;
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_unknown() {
    let scripts = Scripts::new();
    for (text, words) in [
        ("\u{7f}no program", "cannot execute it: exec format error"),
        ("#!/nonexistent/sh\n", "(the file, or what its first line names)"),
    ] {
        let path = scripts.script("check", text);
        let mut stand = Stand::start(&section(&path, "", "user = \"root\""));
        if rustix::process::geteuid().is_root() {
            stand.finds(Outcome::Unknown, words).await;
        } else {
            stand.finds(Outcome::Unknown, "ha2bgp needs CAP_SETUID").await;
        }
        stand.end().await;
    }
    let mut stand = scripts.start("exit 0", "", "directory = \"/nonexistent\"");
    stand.finds(Outcome::Unknown, "cannot enter its directory: no such file").await;
    // It is gone after the start.
    std::fs::remove_file(scripts.path("check")).unwrap();
    stand.end().await;
}

/// Time is over: the plugin, and its child that ignores SIGTERM, are gone.
#[tokio::test]
async fn a_plugin_that_hangs_is_killed_with_its_group() {
    let scripts = Scripts::new();
    let pids = scripts.path("pids");
    let script = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; sleep 100; :' & echo $$ $! >{}; wait; sleep 100",
        pids.display()
    );
    let mut stand = scripts.start(&script, "", "timeout = \"300ms\"");
    stand.finds(Outcome::Fail, "timed out after 300ms while the plugin ran").await;
    for pid in content(&pids).await.split(' ') {
        gone(pid).await;
    }
    stand.end().await;
}

/// A check that is not wanted any more, and the end of the program.
#[tokio::test]
async fn plugins_end_with_their_checks() {
    let scripts = Scripts::new();
    let pids = scripts.path("pids");
    let script = format!("sleep 100 & echo $$ $! >{}; wait", pids.display());
    let stand = scripts.start(&script, ", \"{vip}\"", "timeout = \"50s\"");
    let first = content(&pids).await;
    std::fs::remove_file(&pids).unwrap();
    stand.want(&["127.0.0.9"]);
    for pid in first.split(' ') {
        gone(pid).await;
    }
    let second = content(&pids).await;
    stand.end().await;
    // The leader is reaped, and not only dead, when the end is told.
    let leader = second.split(' ').next().unwrap();
    assert!(!Path::new(&format!("/proc/{leader}")).exists());
    for pid in second.split(' ') {
        gone(pid).await;
    }
}

/// What a plugin leaves behind has the pipes: its own end counts, and what is there is read.
#[tokio::test]
async fn a_child_that_keeps_the_pipes_holds_up_nothing() {
    let scripts = Scripts::new();
    for run in ["", "setsid "] {
        let path = scripts.path("pids");
        let pids = path.display();
        let script = format!(
            "if [ ! -s {pids} ]; then {run}sh -c 'echo $$ >{pids}; sleep 100; :' & fi
            until [ -s {pids} ]; do :; done; echo 'OK - left one'"
        );
        let mut stand = scripts.start(&script, "", "timeout = \"20s\"");
        stand.finds(Outcome::Pass, "OK - left one").await;
        let left = content(&path).await;
        stand.end().await;
        if !run.is_empty() {
            // It has a session of its own, and only the daemon adopts such.
            let kill = std::process::Command::new("kill").args(["-9", &left]).status().unwrap();
            assert!(kill.success());
        }
        gone(&left).await;
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn output_is_bounded_and_never_blocks() {
    let scripts = Scripts::new();
    let long = "head -c 10485760 /dev/zero | tr '\\0' x; exit 2";
    let mut stand = scripts.start(long, "", "max-output = \"1KiB\"");
    let result = stand.finds(Outcome::Fail, "xxxx").await;
    assert!(result.detail.ends_with('…'));
    stand.end().await;
    let errors = "head -c 10485760 /dev/zero | tr '\\0' x >&2; echo 'OK - fine'";
    let mut stand = scripts.start(errors, "", "");
    stand.finds(Outcome::Pass, "OK - fine").await;
    stand.end().await;
    let mut stand = scripts.start("exec yes 'OK - and on'", "", "timeout = \"60s\"");
    stand.finds(Outcome::Unknown, "killed: it printed more than 64 MiB").await;
    stand.end().await;
    let mut stand = scripts.start("exec >&- 2>&-; sleep 100", "", "timeout = \"300ms\"");
    stand.finds(Outcome::Fail, "timed out after 300ms").await;
    stand.end().await;
}

#[tokio::test]
async fn limits_hold() {
    let scripts = Scripts::new();
    let more = "limit-memory = \"64MiB\"\nlimit-cpu = \"7s\"\nlimit-files = 42";
    let mut stand = scripts.start("echo $(ulimit -v) $(ulimit -t) $(ulimit -n)", "", more);
    stand.finds(Outcome::Pass, "65536 7 42").await;
    stand.end().await;
    let busy = "while :; do :; done";
    let mut stand = scripts.start(busy, "", "limit-cpu = \"1s\"\ntimeout = \"60s\"");
    stand.finds(Outcome::Unknown, "ended by signal 24 (SIGXCPU)").await;
    stand.end().await;
}
