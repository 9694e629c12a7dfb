//! `type = "bfd"`: whether a BFD session is up. The session itself is [`crate::bfd`]'s, and may be one that
//! a peer has too.
//!
//! What somebody did on purpose says nothing of the way (RFC 5882 section 3.2), and neither does what
//! keeps this program from speaking: both are `unknown`, which moves nothing.

use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::bfd::State;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Reporter;
use crate::bfd::states::{SessionState, States, why};
use crate::bfd::target::Wish;
use crate::config::duration;

/// A session that is not up sends no more often than this (RFC 5880 section 6.8.3).
const SLOW: Duration = Duration::from_secs(1);

/// What is configured of a check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BfdProbe {
    /// The session.
    pub wish: Wish,
}

/// Reports what becomes of the session until nobody listens any more.
pub(super) async fn watch(
    probe: Box<BfdProbe>,
    reporter: Reporter,
    mut states: watch::Receiver<States>,
) {
    let target = &probe.wish.target;
    // Since when there is a session that was never up.
    let mut begun = None;
    loop {
        let (result, again) = {
            let states = states.borrow_and_update();
            let state = states.find(target);
            let at = *begun.get_or_insert_with(Instant::now);
            if state.is_none() {
                begun = None;
            }
            judge(state, at.elapsed()).map_or((None, None), |(result, left)| {
                (Some(result), left.map(|left| Instant::now() + left))
            })
        };
        if let Some(result) = result
            && !reporter.report_change(result).await
        {
            return;
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() {
                // The program ends.
                return std::future::pending().await;
            },
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
        }
    }
}

/// What a session's state is worth, and after which time it may be worth something else. `age`: how long
/// it is known.
fn judge(state: Option<&SessionState>, age: Duration) -> Option<(ProbeResult, Option<Duration>)> {
    let Some(state) = state else {
        return Some((ProbeResult::new(Outcome::Unknown, "there is no session yet"), None));
    };
    let sure = |outcome, text: &str| Some((ProbeResult::new(outcome, text), None));
    let status = &state.status;
    if state.is_up() {
        let noticed = status.detection_time.map(duration::show).unwrap_or_default();
        return sure(Outcome::Pass, &format!("up, a failure is noticed within {noticed}"));
    }
    if let (true, Some((_, cause))) = (state.has_failed(), state.changed) {
        return sure(Outcome::Fail, &why(cause));
    }
    if let (Some(trouble), false) = (&state.trouble, state.no_way) {
        return sure(Outcome::Unknown, trouble);
    }
    if state.is_held_down() {
        let text = "the peer holds the session down on purpose (AdminDown)";
        return sure(Outcome::Unknown, text);
    }
    if status.state == State::AdminDown {
        return None;
    }
    // It was never up: it gets the time that a session needs that is not up.
    let each = status.timers.required_min_rx.as_duration().max(SLOW);
    let grace = each.saturating_mul(u32::from(status.timers.multiplier.get()));
    match grace.checked_sub(age).filter(|left| !left.is_zero()) {
        Some(left) => Some((ProbeResult::new(Outcome::Unknown, "no answer yet"), Some(left))),
        None if status.remote.is_some() => {
            sure(Outcome::Fail, "the peer is heard, and does not hear us")
        }
        None => match &state.trouble {
            Some(no_way) => sure(Outcome::Fail, no_way),
            None => sure(
                Outcome::Fail,
                &format!("no answer for {}, from the beginning on", duration::show(grace)),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfd::states::tests::{end, of, speak, up};
    use ha2bgp_core::time::Instant as EngineTime;
    use ha2bgp_proto::bfd::{Cause, Diagnostic};

    fn judged(state: &SessionState, age: u64) -> Option<(Outcome, String, Option<Duration>)> {
        let (result, left) = judge(Some(state), Duration::from_secs(age))?;
        Some((result.outcome, result.detail.to_string(), left))
    }

    fn is(state: &SessionState, age: u64, outcome: Outcome, text: &str) {
        let found = judged(state, age).unwrap();
        assert!(found.0 == outcome && found.1.contains(text), "{found:?}");
    }

    #[test]
    fn up_passes_and_a_failure_fails() {
        is(&up(), 0, Outcome::Pass, "within 900ms");
        let down =
            |cause| SessionState { changed: Some((EngineTime::START, cause)), ..of(&end(1)) };
        is(&down(Cause::DetectionTimeExpired), 0, Outcome::Fail, "nothing was heard");
        let told = Cause::NeighborDown(Diagnostic::DetectionTimeExpired);
        is(&down(told), 0, Outcome::Fail, "control detection time expired");
        let held = Cause::NeighborAdminDown(Diagnostic::AdministrativelyDown);
        is(&down(held), 3600, Outcome::Unknown, "on purpose");
    }

    #[test]
    fn one_that_never_was_up_has_its_time() {
        let never = of(&end(1));
        let (outcome, _, left) = judged(&never, 1).unwrap();
        assert_eq!((outcome, left), (Outcome::Unknown, Some(Duration::from_secs(2))));
        is(&never, 3, Outcome::Fail, "no answer for 3s, from the beginning on");
        // It is heard, and does not hear us.
        let (mut us, mut them) = (end(1), end(2));
        let packet = them.poll_transmit(EngineTime::START).unwrap();
        us.handle(packet.as_bytes(), EngineTime::START).unwrap();
        is(&of(&us), 3, Outcome::Fail, "the peer is heard, and does not hear us");
    }

    #[test]
    fn what_keeps_this_program_from_speaking_is_unknown() {
        let trouble = Some("cannot receive on UDP 0.0.0.0:3784".into());
        let shut = SessionState { trouble, ..of(&end(1)) };
        is(&shut, 3600, Outcome::Unknown, "cannot receive");
        // Without a way nobody is reached.
        let trouble = Some("cannot send: Network is unreachable".into());
        let lost = SessionState { trouble, no_way: true, ..of(&end(1)) };
        is(&lost, 1, Outcome::Unknown, "no answer yet");
        is(&lost, 3, Outcome::Fail, "Network is unreachable");
        // What was up and is not is a failure, whatever else is the matter since.
        let changed = Some((EngineTime::START, Cause::DetectionTimeExpired));
        is(&SessionState { changed, ..shut }, 0, Outcome::Fail, "nothing was heard");
        let (result, _) = judge(None, Duration::ZERO).unwrap();
        assert_eq!(result.outcome, Outcome::Unknown);
        // The program ends: that is nobody's verdict.
        let (mut us, mut them) = (end(1), end(2));
        speak(&mut us, &mut them, EngineTime::START);
        us.admin_down(Diagnostic::AdministrativelyDown, EngineTime::START);
        assert_eq!(judged(&of(&us), 3600), None);
    }
}
