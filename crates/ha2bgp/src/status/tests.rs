//! The files as they are written while an engine answers.

use std::fs;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::text::tests::engine;
use super::*;
use crate::control::metrics::measures::Measures;
use crate::control::questions::Question;
use crate::events::{self, Draft, Kind, Level, Teller};

/// Time enough for anything, on a machine with other work.
const SOON: Duration = Duration::from_secs(30);

pub(super) struct Stage {
    pub(super) source: Source,
    pub(super) teller: Teller,
    _answering: JoinHandle<()>,
}

pub(super) fn stage() -> Stage {
    let clock = Clock::start();
    let (asking, mut questions) = mpsc::channel(4);
    let engine = engine();
    let answering = tokio::spawn(async move {
        while let Some(question) = questions.recv().await {
            let now = clock.now();
            match question {
                Question::Measures(answer) => {
                    drop(answer.send(Box::new(Measures::new(now, engine.explain_guard(now)))));
                }
                Question::Page(after, most, answer) => {
                    drop(answer.send(engine.page(after, most, &mut |_, _, _| true, now)));
                }
                _ => {}
            }
        }
    });
    let (teller, events, keeper) = events::start(None, clock);
    tokio::spawn(keeper.run());
    let announcer = announce::questions::Questions::channel().0;
    let source = Source { engine: Questions(asking), announcer, events, clock };
    Stage { source, teller, _answering: answering }
}

/// Waits until a file is as it should be.
pub(super) async fn reaches(path: &Path, is: impl Fn(&str) -> bool) -> String {
    let begun = std::time::Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is(&text) {
            return text;
        }
        assert!(begun.elapsed() < SOON, "never so: {text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_files_follow_what_happens_and_say_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StatusSettings {
        file: Some(dir.path().join("status")),
        pipe: Some(dir.path().join("pipe")),
        node_exporter: Some(dir.path().join("x.prom")),
    };
    let stage = stage();
    let status = spawn(&settings, &stage.source).unwrap().unwrap();
    let path = settings.file.unwrap();
    let text = reaches(&path, |text| text.ends_with("# end\n")).await;
    assert!(text.contains("2 services, 0 announced"), "{text}");
    let metrics = settings.node_exporter.unwrap();
    let text = reaches(&metrics, |text| text.contains("ha2bgp_service_announced{")).await;
    assert!(!text.contains("# EOF"));
    // It is taken away; what happens brings it back, and not only the time.
    fs::remove_file(&path).unwrap();
    stage.teller.tell(Draft::new(Kind::Released, Level::Debug, "x"));
    reaches(&path, |text| text.ends_with("# end\n")).await;
    let pipe = settings.pipe.unwrap();
    let begun = std::time::Instant::now();
    while !pipe.exists() {
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    status.end().await;
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(": it has ended\n# end\n") && text.lines().count() == 2, "{text}");
    assert!(!metrics.exists() && !pipe.exists());
}

#[tokio::test]
async fn nothing_runs_that_is_not_wanted() {
    let stage = stage();
    assert!(spawn(&StatusSettings::default(), &stage.source).unwrap().is_none());
}
