//! Who answers for the engine task, to which nothing happens here. Orders are refused.

use std::sync::Arc;

use ha2bgp::config::settings::Backend;
use ha2bgp::control::metrics::measures::Measures;
use ha2bgp::control::questions::Question;
use ha2bgp::control::scene::{Around, Checks, Known, Scene, Services, Whole};
use ha2bgp_core::engine::Engine;
use ha2bgp_core::fact::Source;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::Scope;
use ha2bgp_core::time::Instant;
use tokio::sync::mpsc;

fn scene() -> Scene {
    Scene {
        now: Instant::START,
        wall: "2026-11-26T12:00:00Z".parse().unwrap(),
        backend: Backend::Test,
        announcer: None,
        bfd: ha2bgp::bfd::states::States::default(),
        routers: Vec::new(),
        overrides: Vec::new(),
    }
}

/// Answers until nobody asks any more.
pub(crate) fn answer(engine: &Engine, mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.blocking_recv() {
        let now = Instant::START;
        match question {
            Question::Why(vip, answer) => {
                let explanation = engine.explain(Prefix::host(vip), now);
                let around = Around {
                    near: engine.near(vip, 3),
                    networks: engine.config().networks.iter().collect(),
                    ..Around::default()
                };
                drop(answer.send(Box::new(Known { scene: scene(), explanation, around })));
            }
            Question::Services(select, answer) => {
                let mut all = |_, _: &str, _| true;
                let page = engine.page(select.after, select.limit, &mut all, now);
                let unknown = select.scopes.iter().find_map(|scope| match scope {
                    Scope::Service(name) if **name != *"web" => Some((name.to_string(), None)),
                    _ => None,
                });
                drop(answer.send(Services { scene: scene(), page, unknown }));
            }
            Question::Whole(answer) => drop(answer.send(Box::new(Whole {
                scene: scene(),
                survey: engine.survey(),
                sights: Source::ALL.map(|source| (source, engine.sight(source))).into(),
                guard: None,
                complete: engine.has_first_verdicts(),
                draining: None,
                notice: "nothing".to_owned(),
                trial: None,
                log: None,
            }))),
            Question::Checks(after, most, answer) => {
                let (checks, more) = engine.probed_checks(after, most);
                drop(answer.send(Checks { scene: scene(), checks, more }));
            }
            Question::Config(answer) => drop(answer.send(Arc::default())),
            Question::Measures(answer) => {
                drop(answer.send(Box::new(Measures::new(now, engine.explain_guard(now)))));
            }
            Question::Page(after, most, answer) => {
                drop(answer.send(engine.page(after, most, &mut |_, _, _| true, now)));
            }
            Question::Order(order) => drop(order),
        }
    }
}
