//! What is known of BFD sessions, as their users read it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bfd::{Cause, Discard, State, Status};

use super::target::Target;

/// All sessions, at one moment. A clone is a reference count.
#[derive(Clone, Debug, Default)]
pub struct States {
    sessions: Arc<BTreeMap<Target, SessionState>>,
    /// What comes to our ports, and is of no session.
    pub strangers: u64,
}

/// One session.
#[derive(Clone, Debug)]
pub struct SessionState {
    /// What the protocol knows.
    pub status: Status,
    /// When it began: since then it is tried to bring it up.
    pub begun: Instant,
    /// Our address, as far as it is known.
    pub local: Option<IpAddr>,
    /// When it last changed between Up and something else, and why.
    pub changed: Option<(Instant, Cause)>,
    /// Why packets cannot be sent or received.
    pub trouble: Option<Arc<str>>,
    /// That is because there is no way to the peer; else it says nothing of the way.
    pub no_way: bool,
    /// Packets that were dropped because they came from too far away.
    pub too_far: u64,
}

impl SessionState {
    /// Both sides hear each other.
    pub fn is_up(&self) -> bool {
        self.status.state == State::Up
    }

    /// It was up, and the path or the peer has failed. What somebody wanted is no failure (RFC 5882
    /// section 3.2).
    pub fn has_failed(&self) -> bool {
        !self.is_up() && self.changed.is_some_and(|(_, cause)| cause.is_failure())
    }

    /// Packets that were discarded for this reason.
    pub fn discarded_for(&self, reason: Discard) -> u64 {
        let here = if reason == Discard::HopLimit { self.too_far } else { 0 };
        self.status.counters.discarded(reason).saturating_add(here)
    }

    /// Packets that were discarded.
    pub fn discarded(&self) -> u64 {
        self.status.counters.discarded_total().saturating_add(self.too_far)
    }

    /// The peer holds its end down on purpose.
    pub fn is_held_down(&self) -> bool {
        let remote = self.status.remote.as_ref();
        !self.is_up()
            && (remote.is_some_and(|remote| remote.state == State::AdminDown)
                || matches!(self.changed, Some((_, Cause::NeighborAdminDown(_)))))
    }
}

impl States {
    /// These.
    pub fn new(sessions: BTreeMap<Target, SessionState>, strangers: u64) -> Self {
        Self { sessions: Arc::new(sessions), strangers }
    }

    /// The session that is meant.
    pub fn find(&self, target: &Target) -> Option<&SessionState> {
        let exact = self.sessions.get(target);
        exact.or_else(|| self.iter().find(|(it, _)| target.means(it)).map(|(_, state)| state))
    }

    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &SessionState)> {
        self.sessions.iter()
    }
}

/// Why a session went down, for people.
pub fn why(cause: Cause) -> String {
    match cause {
        Cause::DetectionTimeExpired => "nothing was heard for the detection time".to_owned(),
        Cause::NeighborDown(diagnostic) => format!("the peer says that it is down: {diagnostic}"),
        Cause::NeighborAdminDown(_) => {
            "the peer holds the session down on purpose (AdminDown)".to_owned()
        }
        Cause::AdminDown(_) => "this program holds it down".to_owned(),
        Cause::Handshake | Cause::AdminUp => "it begins".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::num::{NonZeroU8, NonZeroU32};
    use std::time::Duration;

    use ha2bgp_proto::bfd::{Diagnostic, Interval, Options, Session, Timers};

    use super::*;

    /// One end of a session: 300 ms, three times.
    pub(crate) fn end(discriminator: u32) -> Session {
        let interval = Interval::from_millis(300).unwrap();
        let (desired_min_tx, required_min_rx) = (interval, interval);
        let multiplier = NonZeroU8::new(3).unwrap();
        let timers = Timers { desired_min_tx, required_min_rx, multiplier };
        let local_discriminator = NonZeroU32::new(discriminator).unwrap();
        let options = Options { local_discriminator, timers, auth: None, seed: 1 };
        Session::new(options, Instant::START)
    }

    /// Lets both ends say what they have to say at that moment.
    pub(crate) fn speak(a: &mut Session, b: &mut Session, now: Instant) {
        for _ in 0..8 {
            for _ in 0..2 {
                while let Some(packet) = a.poll_transmit(now) {
                    let _ = b.handle(packet.as_bytes(), now);
                }
                while let Some(packet) = b.poll_transmit(now) {
                    let _ = a.handle(packet.as_bytes(), now);
                }
            }
        }
    }

    /// What is known of one end; nobody has looked at its events.
    pub(crate) fn of(session: &Session) -> SessionState {
        SessionState {
            status: session.status(),
            begun: Instant::START,
            local: None,
            changed: None,
            trouble: None,
            no_way: false,
            too_far: 0,
        }
    }

    /// A session that is up.
    pub(crate) fn up() -> SessionState {
        let (mut a, mut b) = (end(1), end(2));
        speak(&mut a, &mut b, Instant::START);
        of(&a)
    }

    #[test]
    fn only_the_session_that_is_meant_is_found() {
        let near = Target::neighbor("192.0.2.1".parse().unwrap());
        let from = Target { local: Some([192, 0, 2, 9].into()), ..near.clone() };
        let states = States::new([(from.clone(), up())].into(), 0);
        assert!(states.find(&from).is_some_and(SessionState::is_up));
        assert!(states.find(&near).is_some(), "whatever its own end is");
        let other = Target { local: Some([192, 0, 2, 8].into()), ..near.clone() };
        let far = Target { multihop: true, ..near };
        for target in [other, far] {
            assert!(states.find(&target).is_none(), "{target}");
        }
    }

    #[test]
    fn what_is_done_on_purpose_is_no_failure() {
        let at = Instant::START;
        let (mut a, mut b) = (end(1), end(2));
        speak(&mut a, &mut b, at);
        a.admin_down(Diagnostic::AdministrativelyDown, at);
        speak(&mut a, &mut b, at);
        let cause = Cause::NeighborAdminDown(Diagnostic::AdministrativelyDown);
        let held = SessionState { changed: Some((at, cause)), ..of(&b) };
        assert!(held.is_held_down() && !held.has_failed(), "{held:?}");
        // It is silent now, as after a restart: still no failure.
        b.handle_timeout(at + Duration::from_secs(60));
        let silent = SessionState { changed: held.changed, ..of(&b) };
        assert!(silent.is_held_down() && !silent.has_failed(), "{silent:?}");
        let failed = SessionState { changed: Some((at, Cause::DetectionTimeExpired)), ..of(&b) };
        assert!(failed.has_failed() && !failed.is_held_down(), "{failed:?}");
        assert_eq!(why(Cause::DetectionTimeExpired), "nothing was heard for the detection time");
    }
}
