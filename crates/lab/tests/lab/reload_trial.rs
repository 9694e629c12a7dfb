//! A configuration on trial, several reloads at once, and a restart from the command line.

use crate::reload_stage::{OTHER, Stage, Text};
use crate::stage::SOON;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, wait};
use rustix::process::Signal;

macro_rules! require_all {
    () => {
        require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"));
        require!(Need::Tool("nginx"), Need::File("/usr/lib/frr/bgpd"));
    };
}

fn with_more() -> Text {
    let mut text = Text::new();
    text.and("extra", OTHER[0], "all(address)", "");
    text
}

/// Nobody confirms: what was before counts again, and nothing else is spoken of.
#[test]
fn a_trial_ends_by_itself_or_is_confirmed() -> Result<()> {
    require_all!();
    let mut stage = Stage::start(&Text::new())?;
    let before = stage.rest()?;
    let more = with_more();
    stage.write(&more)?;
    let said = stage.ends(&["reload", "--confirm", "2s"], 0)?;
    assert!(said.contains("on trial for 2.0 s"), "{said}");
    stage.wait_routes(5)?;
    stage.wait_log("nobody has confirmed the configuration in time")?;
    stage.wait_routes(4)?;
    let after = stage.rest()?;
    assert_eq!(after.routes, (before.routes.0 + 1, before.routes.1 + 1));
    assert_eq!(after.updates.1, before.updates.1);
    let said = stage.ends(&["reload", "--confirmed"], 1)?;
    assert!(said.contains("no configuration is on trial"), "{said}");

    // Once more, with somebody who looks. Meanwhile there is no other one.
    stage.ends(&["reload", "--confirm", "1h"], 0)?;
    stage.wait_routes(5)?;
    let said = stage.ends(&["reload"], 1)?;
    assert!(said.contains("a configuration is on trial for"), "{said}");
    let plan = stage.ends(&["plan"], 0)?;
    assert!(plan.contains("would change nothing"), "{plan}");
    stage.ha2bgp.signal(Signal::HUP)?;
    stage.wait_log("not reloaded: a configuration is on trial for")?;
    let said = stage.ends(&["reload", "--confirmed"], 0)?;
    assert!(said.contains("the configuration stays"), "{said}");
    assert!(stage.ends(&["reload"], 0)?.contains("nothing has changed"));
    Ok(())
}

/// The process that comes after a trial reads the files as they are; the routes stay meanwhile.
#[test]
fn a_restart_in_a_trial_reads_the_files() -> Result<()> {
    require_all!();
    let mut stage = Stage::start(&Text::new())?;
    let more = with_more();
    stage.write(&more)?;
    stage.ends(&["reload", "--confirm", "1h"], 0)?;
    stage.wait_routes(5)?;
    let said = stage.ends(&["reload", "--restart"], 0)?;
    assert!(said.contains("leaves its routes where they are"), "{said}");
    assert_eq!(stage.ha2bgp.wait(SOON)?.code(), Some(0), "{}", stage.ha2bgp.tail());
    stage.ends(&["plan"], 3)?;
    stage.start_again("again")?;
    wait::until(SOON, "it is there again", || match stage.command(&["plan"]) {
        Ok(output) if output.status.code() == Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    for router in [&stage.bird, &stage.frr] {
        router.wait_established(true, crate::speaker_stage::SESSION)?;
    }
    stage.wait_routes(5)?;
    let said = stage.ends(&["reload", "--confirmed"], 1)?;
    assert!(said.contains("no configuration is on trial"), "{said}");
    Ok(())
}

/// Many at once: each is done or told to come again, and what counts in the end is what the files
/// say.
#[test]
fn several_at_once_come_to_the_newest_files() -> Result<()> {
    require_all!();
    let mut stage = Stage::start(&Text::new())?;
    let more = with_more();
    stage.write(&more)?;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| stage.command(&["reload"]))).collect();
        let mut done = 0;
        for one in all {
            let output = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            match output.status.code() {
                Some(0) => done += 1,
                other => {
                    let errors = String::from_utf8_lossy(&output.stderr);
                    assert_eq!(other, Some(1), "{errors}");
                    assert!(errors.contains("try again"), "{errors}");
                }
            }
        }
        assert!(done > 0);
        Ok::<(), ha2bgp_lab::LabError>(())
    })?;
    stage.wait_routes(5)?;
    assert!(stage.ends(&["plan"], 0)?.contains("would change nothing"));
    let log = stage.ha2bgp.stderr();
    assert!(!log.contains("session lost"), "{log}");
    stage.rest()?;
    Ok(())
}
