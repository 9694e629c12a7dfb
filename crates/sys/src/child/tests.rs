//! Real processes; none of these tests needs root.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

fn plan(script: &str) -> Plan {
    Plan {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        directory: "/".into(),
        identity: None,
        limits: Limits::default(),
    }
}

/// Everything until the end of the pipe.
async fn all(pipe: &pipe::Receiver) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        pipe.readable().await.unwrap();
        match pipe.try_read(&mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&text).into_owned(),
            Ok(length) => text.extend_from_slice(&buffer[..length]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

/// What comes first.
async fn some(pipe: &pipe::Receiver) -> String {
    let mut buffer = [0; 4096];
    pipe.readable().await.unwrap();
    let length = pipe.try_read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// The end of a script and its output.
async fn run(plan: &Plan) -> (Exit, String) {
    let (mut child, pipes) = spawn(plan).unwrap();
    let text = all(&pipes.stdout).await;
    child.ended().await;
    (child.reap().unwrap(), text)
}

fn is_there(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// Waits until it is. Its pipes are closed a moment before.
async fn gone(pid: &str) {
    let wait = async {
        while is_there(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
}

#[tokio::test]
async fn a_child_has_only_what_it_is_given() {
    let script = "echo $(env | sort | grep -v '^_=\\|^SHLVL\\|^PWD'); pwd; ulimit -Sn; ulimit -c; \
                  grep 'Sig\\(Blk\\|Ign\\)' /proc/self/status | grep -v 0000000[018]0000000$; \
                  grep NoNewPrivs /proc/self/status; \
                  cd /proc/$$/fd; echo *; cut -d' ' -f5,6 /proc/$$/stat; echo $$";
    // 32 and 33 are those of libc itself, which leaves them as they are. 3 is the open directory.
    let (exit, text) = run(&plan(script)).await;
    let mut lines: Vec<&str> = text.lines().collect();
    let pid = lines.pop().unwrap();
    assert_eq!(exit, Exit::Code(0));
    let session = format!("{pid} {pid}");
    let expected = ["PATH=/usr/bin:/bin", "/", "1024", "0", "NoNewPrivs:\t1", "0 1 2 3", &session];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn limits_and_ends() {
    let mut limited = plan("ulimit -v; ulimit -n; ulimit -t; exit 7");
    limited.limits =
        Limits { memory: Some(256 << 20), files: Some(20), cpu: Some(5), processes: None };
    assert_eq!(run(&limited).await, (Exit::Code(7), "262144\n20\n5\n".to_owned()));
    assert_eq!(run(&plan("kill -9 $$")).await.0, Exit::Signal(9));
    let mut elsewhere = plan("pwd");
    elsewhere.directory = "/usr".into();
    assert_eq!(run(&elsewhere).await.1, "/usr\n");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let fails = |plan: &Plan| {
        let error = spawn(plan).unwrap_err();
        (error.step, error.source.kind())
    };
    let mut none = plan("");
    none.program = "/nonexistent".into();
    assert_eq!(fails(&none), (Step::Execute, io::ErrorKind::NotFound));
    none.program = "/etc/passwd".into();
    assert_eq!(fails(&none), (Step::Execute, io::ErrorKind::PermissionDenied));
    let mut nowhere = plan("");
    nowhere.directory = "/nonexistent".into();
    assert_eq!(fails(&nowhere), (Step::Directory, io::ErrorKind::NotFound));
    if !rustix::process::geteuid().is_root() {
        let mut other = plan("");
        other.identity = Some(Identity { uid: 0, gid: 0, groups: Vec::new() });
        assert_eq!(fails(&other), (Step::Identity, io::ErrorKind::PermissionDenied));
    }
}

#[tokio::test]
async fn the_group_goes_with_its_leader() {
    // The child keeps the pipe open: what is there can be read all the same.
    let (mut child, pipes) = spawn(&plan("sleep 100 & echo $!")).unwrap();
    child.ended().await;
    assert_eq!(child.reap(), Some(Exit::Code(0)));
    let left = all(&pipes.stdout).await;
    gone(left.trim()).await;
}

#[tokio::test]
async fn a_child_that_is_dropped_is_killed() {
    let (child, pipes) = spawn(&plan("trap '' TERM; sleep 100 & echo $!; wait")).unwrap();
    pipes.stdout.readable().await.unwrap();
    drop(child);
    // The end of the pipe: nobody has it any more.
    let left = all(&pipes.stdout).await;
    gone(left.trim()).await;
}

/// What makes this test do its work instead of starting it in a process of its own.
const ADOPTS: &str = "HA2BGP_TEST_ADOPTS";

/// This program, to run nothing but the test of orphans, behind `before`.
fn adopting(before: &[&str]) -> std::process::Output {
    let own = std::env::current_exe().unwrap();
    let mut words = before.iter().map(std::ffi::OsStr::new).chain([own.as_os_str()]);
    std::process::Command::new(words.next().unwrap())
        .args(words)
        .args(["--exact", "child::tests::orphans_are_ended_where_they_are_adopted", "--nocapture"])
        .env(ADOPTS, "1")
        .output()
        .unwrap()
}

/// The leader of our session is outside of our namespace then: its number is 0.
#[test]
fn orphans_are_ended_in_a_container() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let output = adopting(&["unshare", "--pid", "--fork", "--mount-proc"]);
    let text = String::from_utf8_lossy(&output.stdout);
    // A host may forbid namespaces; then the test did not begin.
    assert!(output.status.success() || !text.contains("running 1 test"), "{text}");
}

/// In a process of its own: subreapers are whole processes.
#[test]
fn orphans_are_ended_where_they_are_adopted() {
    if std::env::var_os(ADOPTS).is_none() {
        let output = adopting(&[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        adopt().unwrap();
        let (running, keeps) = spawn(&plan("sleep 100 & echo $!; wait")).unwrap();
        keeps.stdout.readable().await.unwrap();
        let leaves = plan("setsid sh -c 'echo $$; sleep 100; :' & read -r x </dev/null; exit 0");
        let (mut child, pipes) = spawn(&leaves).unwrap();
        let leaver = some(&pipes.stdout).await;
        child.ended().await;
        child.reap().unwrap();
        let known = BTreeSet::from([running.pid()]);
        let wait = async {
            // The shell, and the sleep that it may have left then.
            while is_there(leaver.trim()) || !kill_orphans(&known).is_empty() {
                for orphan in kill_orphans(&known) {
                    orphan.reap().await;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
        assert_eq!(all(&pipes.stdout).await, "");
        assert!(kill_orphans(&known).is_empty());
        assert!(is_there(&running.pid().to_string()), "what runs is left alone");
        drop(running);
        gone(all(&keeps.stdout).await.trim()).await;
    });
}
