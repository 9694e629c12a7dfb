//! What the states of a systemd unit mean (org.freedesktop.systemd1(5), systemd(1)).

use ha2bgp_core::check::{Outcome, ProbeResult};

/// The properties that count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct UnitState {
    /// `LoadState`: `loaded`, `not-found`, `masked`, …
    pub(super) load: String,
    /// `ActiveState`: `active`, `failed`, …
    pub(super) active: String,
    /// `SubState`: `running`, `auto-restart`, …
    pub(super) sub: String,
}

impl UnitState {
    /// Whether systemd has such a unit.
    pub(super) fn is_known(&self) -> bool {
        self.load != "not-found" || self.active == "active"
    }

    /// The verdict.
    ///
    /// * What `systemctl is-active` calls active passes: `active`, and while it works on,
    ///   `reloading` and `refreshing`.
    /// * `activating` is not ready yet, or has crashed and waits to be started again
    ///   (`auto-restart`): it fails, as `deactivating`, `inactive` and `failed` do.
    /// * A unit that does not exist is most often misspelt; nothing is withdrawn for that. One that
    ///   was `known` before is gone: a transient unit that ended, a package that was removed.
    pub(super) fn judge(&self, unit: &str, known: bool) -> ProbeResult {
        let Self { load, active, sub } = self;
        let outcome = match active.as_str() {
            "active" | "reloading" | "refreshing" => Outcome::Pass,
            _ if load == "not-found" && !known => {
                let text = format!("systemd knows no unit {unit}: is the name right?");
                return ProbeResult::new(Outcome::Unknown, &text);
            }
            "inactive" | "failed" | "activating" | "deactivating" | "maintenance" => Outcome::Fail,
            // Of a newer systemd.
            _ => Outcome::Unknown,
        };
        let load = if load == "loaded" { String::new() } else { format!(", {load}") };
        ProbeResult::new(outcome, &format!("{unit} is {active} ({sub}{load})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        let judge = |load: &str, active: &str, sub: &str| {
            let state =
                UnitState { load: load.to_owned(), active: active.to_owned(), sub: sub.to_owned() };
            assert_eq!(state.judge("a.service", state.is_known()), state.judge("a.service", false));
            let result = state.judge("a.service", false);
            format!("{} {}", result.outcome, result.detail)
        };
        assert_eq!(judge("loaded", "active", "running"), "pass a.service is active (running)");
        assert_eq!(judge("loaded", "reloading", "reload"), "pass a.service is reloading (reload)");
        assert_eq!(
            judge("loaded", "activating", "auto-restart"),
            "fail a.service is activating (auto-restart)"
        );
        assert_eq!(judge("loaded", "failed", "failed"), "fail a.service is failed (failed)");
        assert_eq!(
            judge("masked", "inactive", "dead"),
            "fail a.service is inactive (dead, masked)"
        );
        assert_eq!(
            judge("not-found", "inactive", "dead"),
            "unknown systemd knows no unit a.service: is the name right?"
        );
        // Its file was removed while it runs.
        assert_eq!(
            judge("not-found", "active", "running"),
            "pass a.service is active (running, not-found)"
        );
        // It was there, and is no more.
        let gone = UnitState {
            load: "not-found".to_owned(),
            active: "inactive".to_owned(),
            sub: "dead".to_owned(),
        };
        let result = gone.judge("a.service", true);
        assert_eq!(result.outcome, Outcome::Fail);
        assert_eq!(&*result.detail, "a.service is inactive (dead, not-found)");
        assert_eq!(judge("loaded", "dreaming", "deep"), "unknown a.service is dreaming (deep)");
    }
}
