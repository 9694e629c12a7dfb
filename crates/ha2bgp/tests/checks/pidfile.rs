//! `type = "process"` with a pid file.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use ha2bgp_core::check::Outcome;

use crate::stand::Stand;

/// A process that only waits, ended with this.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn write(&self, path: &Path) {
        // As programs do it: whole, by rename.
        let new = path.with_extension("new");
        fs::write(&new, format!("{}\n", self.0.id())).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn told(path: &Path, more: &str) -> Stand {
    Stand::start(&format!(
        "[service.checks.p]\ntype = \"process\"\npidfile = \"{}\"\ninterval = \"1h\"\n{more}\n",
        path.display()
    ))
}

#[tokio::test]
async fn a_process_that_ends_and_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run/x.pid");
    let mut stand = told(&path, "name = \"sleep\"");
    stand.finds(Outcome::Fail, "there is no pid file").await;
    fs::create_dir(dir.path().join("run")).unwrap();
    for _ in 0..3 {
        let mut process = Sleeper::start();
        process.write(&path);
        let pid = process.0.id();
        stand.finds(Outcome::Pass, &format!("process {pid} (sleep) runs")).await;
        process.kill();
        stand.finds(Outcome::Fail, &format!("process {pid} ")).await;
    }
    // The new one writes its number while the old one still runs, which then ends.
    let mut old = Sleeper::start();
    old.write(&path);
    stand.finds(Outcome::Pass, &format!("process {} ", old.0.id())).await;
    let new = Sleeper::start();
    new.write(&path);
    stand.finds(Outcome::Pass, &format!("process {} ", new.0.id())).await;
    old.kill();
    fs::remove_file(&path).unwrap();
    stand.finds(Outcome::Fail, "there is no pid file").await;
    stand.end().await;
}

/// Half-written files say nothing, and end nothing.
#[tokio::test]
async fn a_file_without_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pid");
    fs::write(&path, "").unwrap();
    let mut stand = told(&path, "");
    stand.finds(Outcome::Unknown, "holds no number: it is empty").await;
    fs::write(&path, vec![0xff; 10 << 20]).unwrap();
    stand.finds(Outcome::Unknown, "it begins").await;
    let mut process = Sleeper::start();
    process.write(&path);
    let pid = process.0.id();
    stand.finds(Outcome::Pass, &format!("process {pid} runs")).await;
    fs::write(&path, "").unwrap();
    stand.finds(Outcome::Pass, "runs, but the pid file holds no number").await;
    process.kill();
    stand.finds(Outcome::Fail, &format!("process {pid} has ended, and the pid file")).await;
    stand.end().await;
}

/// Another process has the number by now.
#[tokio::test]
async fn a_stale_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pid");
    let process = Sleeper::start();
    process.write(&path);
    let mut stand = told(&path, "name = \"nginx\"");
    let pid = process.0.id();
    stand.finds(Outcome::Fail, &format!("stale: process {pid} is \"sleep\", not \"nginx\"")).await;
    stand.end().await;
    let mut stand = told(&path, "name = \"/usr/bin/sleep\"");
    stand.finds(Outcome::Pass, "(sleep) runs").await;
    stand.end().await;
}
