//! The state of the whole program, and what is not as it should be.

use std::collections::BTreeMap;

use ha2bgp_core::fact::Source;
use ha2bgp_core::reason::Reason;
use ha2bgp_core::survey::{Sight, Survey};
use ha2bgp_core::time::Instant;

use super::peers::{backend, peers};
use crate::control::WayIn;
use crate::control::api::peer::PeersShown;
use crate::control::api::status::{
    Counts, GuardShown, ObserverShown, ProblemShown, StatusShown, TrialShown,
};
use crate::control::scene::{Scene, Whole};

/// All of it.
pub(super) fn shown(whole: &Whole, ways: &[WayIn]) -> StatusShown {
    let scene = &whole.scene;
    let peers = peers(scene);
    StatusShown {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: scene.moment(scene.now),
        started: scene.moment(Instant::START),
        uptime_seconds: scene.ago(Instant::START),
        backend: backend(scene.backend).to_owned(),
        notice: whole.notice.clone(),
        first_verdicts: whole.complete,
        stopping_seconds: whole.draining.map(|at| scene.left(at)),
        services: counts(&whole.survey),
        announced_by: by_code(&whole.survey.announced),
        withdrawn_by: by_code(&whole.survey.withdrawn),
        observers: whole.sights.iter().map(|sight| observer(scene, *sight)).collect(),
        guard: whole.guard.map(|(config, state)| GuardShown {
            count: config.count,
            per_seconds: config.per.as_secs_f64(),
            room: state.room.unwrap_or_default(),
            held: state.held,
            vetoes: state.vetoes,
        }),
        trial: whole.trial.as_ref().map(|(left, author)| TrialShown {
            left_seconds: left.as_secs_f64(),
            author: author.clone(),
        }),
        log: whole.log.clone(),
        problems: problems(whole, &peers, ways),
        overrides: scene.overrides.clone(),
        peers,
    }
}

fn counts(survey: &Survey) -> Counts {
    let announced = survey.announced.values().sum();
    let withdrawn = survey.withdrawn.values().sum();
    let said = [Reason::Drained, Reason::Maintenance, Reason::ForceDown];
    let overridden = said.iter().filter_map(|reason| survey.withdrawn.get(reason)).sum();
    let last_choice = survey.last_choice;
    Counts { all: announced + withdrawn, announced, last_choice, withdrawn, overridden }
}

fn by_code(counts: &BTreeMap<Reason, usize>) -> BTreeMap<String, usize> {
    counts.iter().map(|(reason, count)| (reason.code().to_owned(), *count)).collect()
}

fn observer(scene: &Scene, (source, sight): (Source, Sight)) -> ObserverShown {
    let (state, since) = match sight {
        Sight::Starting => ("starting", None),
        Sight::Good => ("good", None),
        Sight::Failing(since) => ("failing", Some(since)),
        Sight::Unknown(since) => ("unknown", Some(since)),
    };
    let since = since.map(|since| scene.moment(since));
    ObserverShown { name: source.name().to_owned(), state: state.to_owned(), since }
}

fn problems(whole: &Whole, peers: &PeersShown, ways: &[WayIn]) -> Vec<ProblemShown> {
    let mut problems = Vec::new();
    let mut say = |code: &str, text: String| {
        problems.push(ProblemShown { code: code.to_owned(), text });
    };
    for (source, sight) in &whole.sights {
        let what = match source {
            Source::Listen => "listening sockets",
            Source::Address => "addresses of this host",
        };
        match sight {
            Sight::Good | Sight::Starting => {}
            Sight::Failing(_) => {
                say("observer", format!("{what} cannot be seen: what was last seen counts"));
            }
            Sight::Unknown(_) => {
                say("observer", format!("{what} cannot be seen for too long: what was stays"));
            }
        }
    }
    if !whole.complete {
        say("first-verdicts", "not every service has its first verdict yet".to_owned());
    }
    for peer in peers.peers.iter().filter(|peer| !peer.is_up()) {
        let state = peer.state.as_deref().unwrap_or("not known yet");
        let mut text = format!("peer {}: the session is {state}", peer.peer);
        if let Some(error) = &peer.error {
            text.push_str(&format!(": {}", error.text));
        }
        say("peer", text);
    }
    if let Some(pipe) = &peers.pipe {
        if pipe.stalled {
            say("announcer-stalled", "ExaBGP takes nothing from the pipe".to_owned());
        }
        if pipe.rejected > 0 {
            say("announcer", format!("ExaBGP has refused {} routes", pipe.rejected));
        }
    }
    for way in ways {
        if let Some(error) = &way.error {
            say("control", format!("{} is not open: {error}", way.name));
        }
    }
    for over in whole.scene.overrides.iter().filter(|over| !over.saved) {
        let text = format!("override {} is not on disk: it is gone after a restart", over.id);
        say("override-unsaved", text);
    }
    problems
}
