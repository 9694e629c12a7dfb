//! The files with the status while the program runs, on disks that are full, and through its pipe.

use crate::stage::{SOON, Stage, VIP, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child, readme, require, service, wait};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A file system of 64 KiB, away when it is dropped.
struct Tiny {
    path: PathBuf,
}

impl Tiny {
    fn mount(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).map_err(LabError::io(path.display().to_string()))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path);
        child::run(&mut mount)?;
        Ok(Self { path })
    }

    /// Leaves no room.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("filler");
        // It ends where the disk does.
        let _full = fs::write(&path, vec![0; 128 * 1024]);
        path
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Nothing more can be done about what cannot be unmounted.
        let _outcome = child::run(Command::new("umount").arg("--lazy").arg(&self.path));
    }
}

/// The program with its files in a directory.
struct Files {
    dir: TempDir,
    config: String,
}

impl Files {
    fn new(at: &Path, dir: TempDir) -> Result<Self> {
        let config = dir.path().join("ha2bgp.toml");
        let at = at.display();
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\nhistory-file = \"{at}/history\"\n\
             defaults = {{ up-delay = \"0s\", down-delay = \"0s\", damping = false }}\n\
             discover = {{ listen-filter = \"sport = :8080\" }}\n\
             [control]\nstatus-file = \"{at}/status\"\nstatus-pipe = \"{at}/pipe\"\n\
             node-exporter-file = \"{at}/x.prom\"\n",
        );
        fs::write(&config, text).map_err(LabError::io("write the configuration"))?;
        Ok(Self { config: config.display().to_string(), dir })
    }

    fn start(&self, hint: &str) -> Result<Stage> {
        let env = [("HA2BGP_HISTORY_FILE", "")];
        Stage::with_args(host(hint)?, &["run", "--config", &self.config], &env, Answer::Done)
    }
}

fn holds(path: &Path, words: &str) -> Result<()> {
    wait::until(SOON, &format!("{} says {words}", path.display()), || {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(words) { Ok(()) } else { Err(text) }
    })
}

fn logs(stage: &mut Stage, words: &str, times: usize) -> Result<()> {
    wait::until(SOON, &format!("the log says {words}"), || {
        let log = stage.fake.child().stderr();
        if log.matches(words).count() == times { Ok(()) } else { Err(log) }
    })
}

#[test]
fn a_full_disk_costs_one_warning_and_is_used_again() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("mount"));
    let dir = readme::workdir()?;
    let tiny = Tiny::mount(dir.path().join("tiny"))?;
    let files = Files::new(&tiny.path, dir)?;
    let mut stage = files.start("full")?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    holds(&tiny.path.join("status"), &format!("{VIP}/32     announced"))?;
    let filler = tiny.fill();
    drop(listener);
    stage.fake.wait(VIP, false, SOON)?;
    logs(&mut stage, "the status file cannot be written", 1)?;
    // The last page of the history has room for a few lines more.
    let mut listener = None;
    wait::until(SOON, "the history meets the full disk", || {
        listener = match listener.take() {
            Some(_) => None,
            None => service::listen(&stage.host, "100.64.0.10:8080").ok(),
        };
        let log = stage.fake.child().stderr();
        if log.contains("the history cannot be written") { Ok(()) } else { Err(log) }
    })?;
    drop(listener);
    stage.fake.wait(VIP, false, SOON)?;
    let text = fs::read_to_string(tiny.path.join("status")).unwrap_or_default();
    assert!(text.contains("# end"), "half a file: {text}");
    fs::remove_file(filler).map_err(LabError::io("remove the filler"))?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    holds(&tiny.path.join("status"), &format!("{VIP}/32     announced"))?;
    logs(&mut stage, "the status file is written again", 1)?;
    logs(&mut stage, "the history is written again", 1)?;
    logs(&mut stage, "cannot be written", 2)?;
    drop(listener);
    Ok(())
}

/// As an operator reads it: `cat`, again and again, also one that is stopped in the middle.
#[test]
fn the_pipe_gives_each_reader_a_whole_status() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let dir = readme::workdir()?;
    let at = dir.path().to_owned();
    let files = Files::new(&at, dir)?;
    let mut stage = files.start("pipe")?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    let pipe = at.join("pipe");
    wait::until_true(SOON, "the pipe is there", || pipe.exists())?;
    let cat = |name: &str| Child::start(name, Command::new("cat").arg(&pipe), files.dir.path());
    let stopped = stopped_reader(&pipe)?;
    for count in 0..10 {
        let mut reader = cat(&format!("cat{count}"))?;
        assert!(reader.wait(SOON)?.success());
        let text = reader.stdout();
        assert!(text.contains(&format!("{VIP}/32     announced")), "{text}");
        assert_eq!(text.matches("# end").count(), 1, "{text}");
    }
    drop(stopped);
    holds(&at.join("x.prom"), "# TYPE ha2bgp_service_announced gauge")?;
    stage.fake.child().signal(Signal::TERM)?;
    assert_eq!(stage.fake.wait_exit(SOON)?.code(), Some(0), "{}", stage.fake.child().tail());
    holds(&at.join("status"), "it has ended")?;
    assert!(!pipe.exists() && !at.join("x.prom").exists());
    drop(listener);
    Ok(())
}

/// Opens the pipe and never reads; others open another one then.
fn stopped_reader(pipe: &Path) -> Result<fs::File> {
    let reader = fs::File::open(pipe).map_err(LabError::io("open the pipe"))?;
    let number = |known: std::io::Result<fs::Metadata>| known.map(|it| it.ino()).ok();
    let own = number(reader.metadata());
    wait::until_true(SOON, "it has a pipe of its own", || number(fs::metadata(pipe)) != own)?;
    Ok(reader)
}
