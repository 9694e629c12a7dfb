//! `type = "file"`: files that come, go, change and are not what they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use ha2bgp_core::check::Outcome;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::stand::Stand;

/// A check whose slow look comes too late for any test: what is found, inotify told.
fn told(path: &str, more: &str) -> Stand {
    Stand::start(&format!(
        "[service.checks.f]\ntype = \"file\"\npath = \"{path}\"\ninterval = \"1h\"\n{more}\n"
    ))
}

#[tokio::test]
async fn a_maintenance_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("off");
    let mut stand = told(path.to_str().unwrap(), "exists = false");
    stand.finds(Outcome::Pass, "the file is not there").await;
    fs::write(&path, "upgrade, bob\n").unwrap();
    stand.finds(Outcome::Fail, "it says \"upgrade, bob\"").await;
    fs::remove_file(&path).unwrap();
    stand.finds(Outcome::Pass, "not there").await;
    // Moved in and out, as an editor or a deployment does it.
    let other = dir.path().join("other");
    fs::write(&other, "").unwrap();
    fs::rename(&other, &path).unwrap();
    stand.finds(Outcome::Fail, "expected none").await;
    fs::rename(&path, &other).unwrap();
    stand.finds(Outcome::Pass, "not there").await;
    // Anything of that name counts.
    fs::create_dir(&path).unwrap();
    stand.finds(Outcome::Fail, "expected none").await;
    stand.end().await;
}

/// Its directory comes later, goes, and comes again.
#[tokio::test]
async fn a_directory_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let path = deep.join("ready");
    let mut stand = told(path.to_str().unwrap(), "");
    stand.finds(Outcome::Fail, "expected one").await;
    for _ in 0..3 {
        fs::create_dir_all(&deep).unwrap();
        fs::write(&path, "yes").unwrap();
        stand.finds(Outcome::Pass, "3 octets").await;
        fs::remove_dir_all(dir.path().join("a")).unwrap();
        stand.finds(Outcome::Fail, "expected one").await;
    }
    // The directory is replaced by another one.
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(dir.path().join("new")).unwrap();
    fs::write(dir.path().join("new/ready"), "new").unwrap();
    fs::rename(&deep, dir.path().join("a/old")).unwrap();
    fs::rename(dir.path().join("new"), &deep).unwrap();
    stand.finds(Outcome::Pass, "3 octets").await;
    stand.end().await;
}

#[tokio::test]
async fn content_and_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    fs::write(&path, "starting\n").unwrap();
    let mut stand = told(path.to_str().unwrap(), "contains = \"/^ready/\"\nmin-size = 6");
    stand.finds(Outcome::Fail, "does not match /^ready/; it begins \"starting").await;
    fs::write(&path, "ready\n").unwrap();
    stand.finds(Outcome::Pass, "6 octets").await;
    fs::write(&path, "ready").unwrap();
    stand.finds(Outcome::Fail, "has 5 octets, expected at least 6").await;
    // Octets that are no text, and many of them on one line.
    fs::write(&path, vec![0xff; 10 << 20]).unwrap();
    stand.finds(Outcome::Fail, "in its first 65536 octets").await;
    fs::remove_file(&path).unwrap();
    stand.finds(Outcome::Fail, "not there").await;
    stand.end().await;
}

/// A file gets too old at its moment, without a look at an interval.
#[tokio::test]
async fn a_heartbeat() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("beat");
    fs::write(&path, "").unwrap();
    let began = Instant::now();
    let mut stand = told(path.to_str().unwrap(), "max-age = \"500ms\"");
    stand.finds(Outcome::Pass, "is there").await;
    stand.finds(Outcome::Fail, "expected at most 500ms").await;
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    fs::write(&path, "").unwrap();
    stand.finds(Outcome::Pass, "is there").await;
    stand.end().await;
}

/// A pipe without a writer, and a directory: nothing waits, nothing is read.
#[tokio::test]
async fn what_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let mut stand = told(path.to_str().unwrap(), "contains = \"x\"");
    stand.finds(Outcome::Unknown, "not a regular file").await;
    fs::remove_file(&path).unwrap();
    stand.finds(Outcome::Fail, "not there").await;
    fs::create_dir(&path).unwrap();
    stand.finds(Outcome::Unknown, "not a regular file").await;
    stand.end().await;
}

/// A symbolic link: what it leads to changes under another name of the same directory.
#[tokio::test]
async fn a_link_that_leads_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("one"), "one").unwrap();
    std::os::unix::fs::symlink("one", at("link")).unwrap();
    let mut stand = told(at("link").to_str().unwrap(), "contains = \"two\"");
    stand.finds(Outcome::Fail, "begins \"one\"").await;
    fs::write(at("one"), "two").unwrap();
    stand.finds(Outcome::Pass, "3 octets").await;
    fs::remove_file(at("one")).unwrap();
    stand.finds(Outcome::Fail, "not there").await;
    stand.end().await;
}

/// No permission is neither "there" nor "not there". Of no use to root, who may read all.
#[tokio::test]
async fn what_may_not_be_seen_is_unknown() {
    if rustix::process::geteuid().is_root() {
        let mut stand = told("/proc/self/mem/x", "exists = false");
        stand.finds(Outcome::Pass, "not there").await;
        let mut endless = String::from("/proc/self/root");
        endless.push_str(&"/proc/self/root".repeat(60));
        let mut stand2 = told(&endless, "exists = false");
        stand2.finds(Outcome::Unknown, "looking at the file").await;
        stand.end().await;
        stand2.end().await;
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("closed/file");
    fs::create_dir(dir.path().join("closed")).unwrap();
    fs::write(&path, "").unwrap();
    fs::set_permissions(dir.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut stand = told(path.to_str().unwrap(), "exists = false");
    stand.finds(Outcome::Unknown, "permission denied").await;
    fs::set_permissions(dir.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    stand.end().await;
}

/// The slow look alone finds what nothing tells of: here, a link to another directory.
#[tokio::test]
async fn what_nobody_tells_is_found_at_intervals() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let target = other.path().join("file");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut stand = Stand::start(&format!(
        "[service.checks.f]\ntype = \"file\"\npath = \"{}\"\ninterval = \"50ms\"\n",
        link.display()
    ));
    stand.finds(Outcome::Fail, "not there").await;
    fs::write(&target, "").unwrap();
    stand.finds(Outcome::Pass, "is there").await;
    stand.end().await;
}

/// Each VIP and each service its own file.
#[tokio::test]
async fn placeholders() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("web-127.0.0.1"), "").unwrap();
    let mut stand = told(&format!("{}/{{service}}-{{vip}}", dir.path().display()), "");
    stand.finds(Outcome::Pass, "is there").await;
    stand.want(&["127.0.0.2"]);
    assert_eq!(stand.next_of(Some("127.0.0.2")).await.outcome, Outcome::Fail);
    stand.end().await;
}
