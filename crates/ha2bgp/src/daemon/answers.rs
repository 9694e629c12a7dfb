//! Answers what the control interface asks: looks at what is, changes nothing.

use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::fact::Source;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::Scope;
use jiff::Timestamp;

use super::engine_task::EngineTask;
use crate::control::questions::Question;
use crate::control::scene::{Around, Checks, Known, Router, Scene, Select, Services, Whole};
use crate::near::nearest;

/// So many services near an address are told.
const NEAR_MAX: usize = 3;

impl EngineTask {
    /// Answers. Whoever has gone meanwhile needs no answer.
    pub(super) fn answer(&mut self, question: Question) {
        let (now, began) = (self.clock.now(), tokio::time::Instant::now());
        match question {
            Question::Why(vip, answer) => drop(answer.send(Box::new(self.known(vip)))),
            Question::Services(select, answer) => drop(answer.send(self.services(&select))),
            Question::Whole(answer) => drop(answer.send(Box::new(self.whole()))),
            Question::Checks(after, most, answer) => {
                let (checks, more) = self.engine.probed_checks(after, most);
                drop(answer.send(Checks { scene: self.scene(), checks, more }));
            }
            Question::Config(answer) => {
                drop(answer.send(Arc::clone(&self.configuration.settings.in_force)));
            }
            Question::Measures(answer) => drop(answer.send(Box::new(self.measures()))),
            Question::Page(after, most, answer) => {
                drop(answer.send(self.engine.page(after, most, &mut |_, _, _| true, now)));
            }
            Question::Order(order) => self.order(order),
        }
        self.readers.answered(began, tokio::time::Instant::now());
    }

    fn scene(&self) -> Scene {
        let wall = Timestamp::now();
        let settings = &self.configuration.settings;
        let peers = settings.speaker.iter().flat_map(|speaker| &speaker.peers);
        let routers = peers.map(|peer| Router {
            peer: peer.config.peer,
            asn: peer.config.peer_as.to_string(),
            description: peer.description.clone(),
            networks: peer.config.policy.networks.clone(),
            bfd: peer.bfd.as_ref().map(|bfd| bfd.wish.target.clone()),
        });
        Scene {
            now: self.clock.now(),
            wall,
            backend: settings.backend,
            announcer: self.ends.announcer.borrow().clone(),
            routers: routers.collect(),
            bfd: self.ends.bfd.borrow().clone(),
            overrides: self.overrides_shown(wall),
        }
    }

    fn known(&self, vip: IpAddr) -> Known {
        let scene = self.scene();
        let explanation = self.engine.explain(Prefix::host(vip), scene.now);
        let around = match explanation.service {
            Some(_) => Around::default(),
            None => Around {
                near: self.engine.near(vip, NEAR_MAX),
                networks: self.engine.config().networks.iter().collect(),
                filter: self.configuration.settings.listen_filter.text.clone(),
                listen: self.configuration.listen(),
            },
        };
        Known { scene, explanation, around }
    }

    fn services(&self, select: &Select) -> Services {
        let scene = self.scene();
        let Select { scopes, announced, after, limit } = select;
        let mut wanted = |vip: IpAddr, name: &str, is: bool| {
            announced.is_none_or(|wanted| wanted == is)
                && (scopes.is_empty() || scopes.iter().any(|scope| scope.means(vip, name)))
        };
        let page = self.engine.page(*after, *limit, &mut wanted, scene.now);
        let services = &self.engine.config().services;
        let names = || services.iter().map(|service| &*service.name);
        let unknown = scopes.iter().find_map(|scope| match scope {
            Scope::Service(name) if !names().any(|known| *known == **name) => {
                Some((name.to_string(), nearest(names(), name).map(str::to_owned)))
            }
            _ => None,
        });
        Services { scene, page, unknown }
    }

    fn whole(&self) -> Whole {
        let scene = self.scene();
        let guard = self.engine.config().guard;
        let trial = self.configuration.trial_left(scene.now);
        let trial = trial.zip(self.configuration.trial.as_ref());
        Whole {
            survey: self.engine.survey(),
            sights: Source::ALL.map(|source| (source, self.engine.sight(source))).into(),
            guard: guard.map(|guard| (guard, self.engine.explain_guard(scene.now))),
            complete: self.engine.has_first_verdicts(),
            draining: self.draining,
            notice: self.ends.notice.borrow().clone(),
            trial: trial.map(|(left, trial)| (left, trial.author.0.clone())),
            log: self.level_now(),
            scene,
        }
    }
}
