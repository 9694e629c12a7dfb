//! Another configuration for a session that is there.

use ha2bgp_core::time::Instant;

use super::{Session, Which, negotiate};
use crate::bgp::config::{PeerConfig, Policy};
use crate::bgp::event::DownCause;
use crate::bgp::export::Export;
use crate::bgp::fsm::{Event, State, TimerKind};
use crate::bgp::io::{Parting, StopReason};
use crate::bgp::wire::{Cease, Families, Notification};

impl Session {
    /// Changes what is announced and how, without a new session: draining, for instance. What
    /// goes out otherwise is sent again, and nothing else.
    pub fn set_policy(&mut self, policy: Policy, _now: Instant) {
        if self.config.policy.networks != policy.networks {
            self.announcers.forget_outside(&policy);
        }
        self.config.policy = policy;
        if let Some(agreed) = self.negotiated() {
            let export = Export::new(&self.config, agreed);
            self.rib.set_export(export);
            self.report_problems();
        }
    }

    /// Takes of a configuration what needs no new session: the policy, the spelling of next hops,
    /// the limit of prefixes, who connects, pauses and timers of our own. The rest stays as it was.
    ///
    /// A limit that is new counts in full from the next session on: nothing was remembered before.
    pub fn set_live(&mut self, config: &PeerConfig, now: Instant) {
        let ours = &mut self.config;
        ours.mode = config.mode;
        ours.keepalive = config.keepalive;
        ours.connect_retry = config.connect_retry;
        ours.idle_hold = config.idle_hold;
        ours.stable_after = config.stable_after;
        ours.send_hold = config.send_hold;
        ours.max_prefixes = config.max_prefixes;
        ours.link_local = config.link_local;
        let settings = self.settings();
        for slot in self.slots.iter_mut().flatten() {
            slot.fsm.set_settings(settings);
            let Some(agreed) = slot.link.as_mut().and_then(|link| link.negotiated.as_mut()) else {
                continue;
            };
            agreed.keepalive = negotiate::keepalive(&self.config, agreed.hold_time);
            slot.fsm.agree(agreed.hold_time, agreed.keepalive);
        }
        self.set_policy(config.policy.clone(), now);
        match config.max_prefixes {
            None => self.prefixes.clear(),
            Some(max) if self.prefixes.len() > max as usize => {
                let cease = Notification::cease(Cease::MaxPrefixes, "");
                self.feed(Which::First, Event::AutomaticStop(cease), now);
            }
            Some(_) => {}
        }
        let Some(slot) = self.slot(Which::First) else { return };
        let waits = slot.fsm.state() == State::Active && slot.next_attempt().is_none();
        if waits && !settings.passive {
            // It waited for the peer alone.
            self.feed(Which::First, Event::Timer(TimerKind::ConnectRetry), now);
        }
    }

    /// Ends the session and takes another configuration for the next one: nothing is tried before
    /// [`super::Input::Start`]. A peer that helps with graceful restart (RFC 4724) keeps our routes
    /// meanwhile: nothing is said to it then, where a NOTIFICATION would end that.
    pub fn reconfigure(&mut self, config: PeerConfig, now: Instant) -> Parting {
        let parting = self.parting();
        let event = match parting {
            Parting::Told => Event::Stop(Notification::cease(StopReason::ConfigChange.cease(), "")),
            Parting::Silent => Event::Vanish(DownCause::Reconfigured),
        };
        self.stop(&event, now);
        self.config = config;
        // It is the configuration that is new, not the process, and the routes lead where they led.
        self.recovered = true;
        if let Some(restart) = &mut self.config.graceful_restart {
            restart.forwarding_preserved = Families::BOTH;
        }
        self.refused = negotiate::Refused::default();
        let settings = self.settings();
        for slot in self.slots.iter_mut().flatten() {
            slot.fsm.set_settings(settings);
        }
        parting
    }

    /// How a session ends that begins again. Whose capability is there helps, with all families:
    /// those that it lists are what it keeps when it restarts itself (RFC 4724 section 3).
    fn parting(&self) -> Parting {
        let theirs = self.negotiated().and_then(|it| it.peer_graceful_restart);
        match (theirs, self.config.graceful_restart) {
            // With RFC 8538 the peer keeps them over a plain Cease as well.
            (Some(theirs), Some(ours)) if !(theirs.notification && ours.notification) => {
                Parting::Silent
            }
            _ => Parting::Told,
        }
    }
}
