//! The lab's plugins do what they say, and none is left behind.

use ha2bgp_lab::plugins::{Plugins, Script, real};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child, readme, require};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// Exit code (none after a signal) and output.
fn output(command: &mut Command) -> Result<(Option<i32>, Vec<u8>)> {
    let output = command.output().map_err(LabError::io(child::line(command)))?;
    Ok((output.status.code(), output.stdout))
}

#[test]
fn scripts_print_and_end_as_they_should() -> Result<()> {
    let dir = readme::workdir()?;
    let plugins = Plugins::new(dir.path(), "plugins")?;
    let ask =
        |name: &str, script: &Script| output(&mut Command::new(plugins.script(name, script)?));
    let text = |name: &str, script: &Script| -> Result<String> {
        let (code, text) = ask(name, script)?;
        assert_eq!(code, Some(0), "{name}");
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let says = Script::Says("WARNING - so so | load=3;2;4".to_owned(), 1);
    assert_eq!(ask("says", &says)?, (Some(1), b"WARNING - so so | load=3;2;4\n".to_vec()));
    for (words, code) in [("OK - 1", 0), ("CRITICAL - 2\nmore", 2)] {
        plugins.set_state(words, code)?;
        let (is, text) = ask("state", &Script::State)?;
        assert_eq!((is, text), (Some(i32::from(code)), format!("{words}\n").into_bytes()));
    }
    assert_eq!(ask("long", &Script::LongLine)?.1.len(), (10 << 20) + 1);
    let (_, bad) = ask("utf8", &Script::InvalidUtf8)?;
    assert!(bad.contains(&0xff) && String::from_utf8(bad).is_err());
    assert_eq!(ask("silent", &Script::Silent)?, (Some(0), Vec::new()));
    assert_eq!(ask("signal", &Script::DiesBySignal)?.0, None);
    assert!(ask("nothing", &Script::NoProgram).is_err());
    assert!(text("status", &Script::Status)?.contains("NoNewPrivs:"));
    assert!(text("limits", &Script::Limits)?.contains("Max open files"));
    assert!(text("descriptors", &Script::Descriptors)?.contains("0 /dev/null"));

    let environment = plugins.script("environment", &Script::Environment)?;
    let (_, seen) = output(Command::new(environment).env_clear().env("ONE", "1"))?;
    assert_eq!(seen, b"ONE=1\n");
    let arguments = plugins.script("arguments", &Script::Arguments)?;
    let (_, seen) = output(Command::new(arguments).args(["a b", "", "$HOME"]))?;
    assert_eq!(seen, b"[a b]\n[]\n[$HOME]\n");
    Ok(())
}

#[test]
fn scripts_stay_until_they_are_killed() -> Result<()> {
    let dir = readme::workdir()?;
    let plugins = Plugins::new(dir.path(), "plugins")?;
    for (name, script, processes, left) in [
        ("slow", Script::Slow(60), 1, 0),
        ("ignores", Script::IgnoresTerm, 2, 0),
        ("closes", Script::ClosesOutput, 1, 0),
        ("endless", Script::Endless, 1, 0),
        ("errors", Script::EndlessError, 1, 0),
        ("child", Script::LeavesChild, 1, 0),
        ("session", Script::LeavesSession, 1, 1),
    ] {
        let before = plugins.started();
        let mut command = Command::new(plugins.script(name, &script)?);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LabError::io(name))?;
        ha2bgp_lab::wait::until_true(LIMIT, &format!("{name} is there"), || {
            plugins.started() >= before + processes
        })?;
        if script == Script::Endless {
            let mut some = vec![0; 1 << 20];
            let pipe = child.stdout.as_mut().map(|pipe| pipe.read_exact(&mut some));
            pipe.transpose().map_err(LabError::io("read"))?;
        }
        let group = Pid::from_child(&child);
        // Those that ignore it are still there after it; whether others are is a race.
        let _gone = kill_process_group(group, Signal::TERM);
        if script == Script::IgnoresTerm {
            assert_eq!(plugins.running().len(), 2);
        }
        let _gone = kill_process_group(group, Signal::KILL);
        child.wait().map_err(LabError::io("wait"))?;
        ha2bgp_lab::wait::until_true(LIMIT, &format!("{name}: {left} left"), || {
            plugins.running().len() == left
        })?;
    }
    let pid = plugins.running().first().copied().unwrap_or_default();
    drop(plugins);
    ha2bgp_lab::wait::until_true(LIMIT, "the last one is gone", || {
        ha2bgp_lab::procfs::command_line(pid).is_empty()
    })
}

#[test]
fn a_real_plugin_runs() -> Result<()> {
    require!(Need::File("/usr/lib/nagios/plugins/check_dummy"));
    for code in 0..=3 {
        let mut command = Command::new(real("check_dummy"));
        let (is, text) = output(command.args([&code.to_string(), "text"]))?;
        assert!(is == Some(code) && text.ends_with(b": text\n"), "{is:?} {text:?}");
    }
    Ok(())
}
