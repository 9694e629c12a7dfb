//! What happened, as it is told by the running program: over its restart nothing is missed or told
//! twice, and the same is in the stream, in the history and in the log.

use crate::stage::{SOON, Stage, VIP, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child, program, readme, require, service, wait};
use rustix::process::Signal;
use std::path::Path;
use tempfile::TempDir;

/// A configuration with a socket and a history.
struct Files {
    dir: TempDir,
    config: String,
    socket: String,
}

impl Files {
    fn new(more: &str) -> Result<Self> {
        let dir = readme::workdir()?;
        let at = |name: &str| dir.path().join(name).display().to_string();
        let (config, socket) = (at("ha2bgp.toml"), at("ha2bgp.sock"));
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\nhistory-file = \"{}\"\n\
             defaults = {{ up-delay = \"0s\", down-delay = \"0s\", damping = false }}\n\
             discover = {{ listen-filter = \"sport = :8080\" }}\n{more}\n\
             [control]\nunix = \"{socket}\"\n",
            at("history.jsonl"),
        );
        std::fs::write(&config, text).map_err(LabError::io("write the configuration"))?;
        Ok(Self { dir, config, socket })
    }

    fn start(&self, host: Netns) -> Result<Stage> {
        // The variable would win over the file.
        let env = [("HA2BGP_HISTORY_FILE", "")];
        let stage = Stage::with_args(host, &["run", "--config", &self.config], &env, Answer::Done)?;
        let what = "the control socket is there";
        wait::until_true(SOON, what, || self.history().is_ok())?;
        Ok(stage)
    }

    fn history(&self) -> Result<Vec<String>> {
        let args = ["history", "--json", "--limit", "1000", "--socket", &self.socket];
        Ok(ids(&child::run(&mut program::command(&args))?))
    }

    /// Watches from the start of the program on.
    fn watch(&self, dir: &Path) -> Result<Child> {
        let history = self.history()?;
        let first = history.first().map(String::as_str).unwrap_or_default();
        let args = ["watch", "--json", "--after", first, "--socket", &self.socket];
        Child::start("watch", &mut program::command(&args), dir)
    }
}

/// What each line is about: its id, or that it is none.
fn ids(lines: &str) -> Vec<String> {
    let id = |line: &str| {
        let rest = line.strip_prefix("{\"id\":\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    lines.lines().map(|line| id(line).unwrap_or_else(|| line.to_owned())).collect()
}

#[test]
fn events_are_resumed_over_a_restart_without_a_gap() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("")?;
    let mut stage = files.start(host("happened")?)?;
    let watch = files.watch(files.dir.path())?;
    let mut listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    wait::until_true(SOON, "the watch has begun", || watch.stdout().contains("route-announced"))?;
    for signal in [Signal::USR2, Signal::TERM, Signal::USR2] {
        // What happens right before the end and right behind the start is not missed either.
        drop(listener);
        stage.fake.child().signal(signal)?;
        let status = stage.fake.wait_exit(SOON)?;
        assert_eq!(status.code(), Some(0), "{}", stage.fake.child().tail());
        let host = stage.host;
        listener = service::listen(&host, "100.64.0.10:8080")?;
        stage = files.start(host)?;
        stage.settles_on(&[VIP])?;
    }
    let mut seen = Vec::new();
    wait::until(SOON, "the watch has everything", || {
        seen = ids(&watch.stdout());
        let history = files.history().map_err(|error| error.to_string())?;
        let from = history.iter().position(|id| seen.first() == Some(id)).unwrap_or(history.len());
        if history.get(from..) == Some(&seen[..]) && !seen.is_empty() {
            Ok(())
        } else {
            Err(format!("{}\n{history:?}", watch.tail()))
        }
    })?;
    let text = watch.stdout();
    assert!(!text.contains("\"gap\""), "{text}");
    assert_eq!(text.matches("\"kind\":\"started\"").count(), 3, "{text}");
    assert_eq!(text.matches("\"kind\":\"stopped\"").count(), 3, "{text}");
    drop(listener);
    Ok(())
}

/// What an operator says of the log outlives a restart, and a crash, and is seen by everybody.
#[test]
fn the_log_level_outlives_a_restart() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let kept = readme::workdir()?;
    let overrides = kept.path().join("overrides.json");
    let files = Files::new(&format!("overrides-file = \"{}\"", overrides.display()))?;
    let start = |host| {
        // The variable would win over the file.
        let env = [("HA2BGP_HISTORY_FILE", ""), ("HA2BGP_OVERRIDES_FILE", "")];
        let stage =
            Stage::with_args(host, &["run", "--config", &files.config], &env, Answer::Done)?;
        wait::until_true(SOON, "the control socket is there", || files.history().is_ok())?;
        Ok::<_, LabError>(stage)
    };
    let run = |args: &[&str]| -> Result<String> {
        let args = [args, &["--socket", &files.socket]].concat();
        child::run(&mut program::command(&args))
    };
    let mut stage = start(host("level")?)?;
    let said = run(&["log-level", "debug", "--for", "1h", "--reason", "ticket 42"])?;
    assert!(said.starts_with("debug, for ") && !said.contains("not on disk"), "{said}");
    for end in [Signal::USR2, Signal::KILL] {
        stage.fake.child().signal(end)?;
        stage.fake.wait_exit(SOON)?;
        stage = start(stage.host)?;
        let said = run(&["log-level"])?;
        assert!(said.starts_with("debug, for "), "{said}");
        let status = run(&["status"]).unwrap_or_else(|error| error.to_string());
        assert!(
            status.contains("the log has debug instead of info, for ")
                && status.contains("ticket 42"),
            "{status}"
        );
        wait::until_true(SOON, "the log says so", || {
            stage.fake.child().stderr().contains("the log has still debug")
        })?;
    }
    // Once it is as configured there is nothing to remember.
    assert_eq!(run(&["log-level", "info"])?.trim(), "info, as configured");
    stage.fake.child().kill()?;
    let _stage = start(stage.host)?;
    assert_eq!(run(&["log-level"])?.trim(), "info, as configured");
    Ok(())
}

/// After a crash the history goes on; readers are told that something may be missing.
#[test]
fn a_crash_is_a_gap() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("")?;
    let mut stage = files.start(host("crash")?)?;
    let watch = files.watch(files.dir.path())?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    wait::until_true(SOON, "the watch has begun", || watch.stdout().contains("route-announced"))?;
    stage.fake.child().kill()?;
    let host = stage.host;
    let _stage = files.start(host)?;
    wait::until(SOON, "the watch goes on", || {
        let text = watch.stdout();
        let after = text.split_once("\"kind\":\"gap\"").map(|(_, after)| after);
        match after {
            Some(after) if after.contains("\"kind\":\"started\"") => Ok(()),
            _ => Err(text),
        }
    })?;
    drop(listener);
    Ok(())
}

#[test]
fn the_log_is_json_on_request() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("log = { format = \"json\" }")?;
    let mut stage = files.start(host("json")?)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    wait::until(SOON, "the log tells it", || {
        let log = stage.fake.child().stderr();
        let line = log.lines().find(|line| line.contains("\"kind\":\"route-announced\""));
        line.map(|_| ()).ok_or(log.clone())
    })?;
    for line in stage.fake.child().stderr().lines() {
        assert!(
            line.starts_with('{') && line.ends_with('}') && line.contains("\"at\":\""),
            "{line}"
        );
    }
    drop(listener);
    Ok(())
}
