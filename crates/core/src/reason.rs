//! Why a prefix is, or is not, announced: one closed list with stable codes.

use core::fmt;

/// A reason. Its [`code`](Self::code) is the same in logs, metrics, JSON, `why` and the docs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// All checks pass and have passed for the up delay.
    Healthy,
    /// Not every observer has delivered its first complete picture.
    Starting,
    /// All checks pass, but not yet for the up delay.
    UpDelay,
    /// A check fails, but not yet for the down delay: still announced.
    DownDelay,
    /// No matching socket listens on the address.
    NoListener,
    /// With `--require-all-ports`: a port that was listened on before is not any more.
    PortMissing,
    /// The address is on no interface.
    AddressMissing,
    /// The address exists, but only on interfaces or with labels that the configuration excludes.
    AddressExcluded,
    /// Duplicate address detection is not through yet.
    AddressTentative,
    /// Duplicate address detection found the address on another host.
    AddressDuplicate,
    /// The interface of the address is down or has no carrier.
    LinkDown,
    /// A configured check fails.
    CheckFailed,
    /// A configured check warns: the service counts as working.
    CheckWarns,
    /// A configured check cannot tell: the last state is held.
    CheckUnknown,
    /// A configured check has no verdict yet.
    CheckPending,
    /// Held down because it changed too often.
    Damping,
    /// An observer has not been able to see for too long: the last state is held (fail static).
    SourceUnknown,
    /// An operator drains it: announced as the last choice.
    Draining,
    /// An operator has drained it: withdrawn.
    Drained,
    /// An operator works on it: withdrawn.
    Maintenance,
    /// An operator wants it announced, whatever the checks say.
    ForceUp,
    /// An operator wants it withdrawn, whatever the checks say.
    ForceDown,
    /// A check fails, and the service is announced as the last choice then (`on-failure`).
    Depreferenced,
    /// A check fails, and the service stays announced (`on-failure`).
    Absorbed,
    /// A check fails, but the guard has let enough withdrawals through: announced as the last choice.
    Guard,
    /// ha2bgp is stopping.
    Shutdown,
    /// The address is in none of the allowed networks.
    OutsideNetworks,
    /// Such an address is never announced: unspecified, multicast, link-local, reserved.
    NeverAnnounced,
    /// No matching socket has ever listened on the address.
    NotDiscovered,
}

impl Reason {
    /// All reasons, for documentation and for tests of completeness.
    pub const ALL: [Self; 29] = [
        Self::Healthy,
        Self::Starting,
        Self::UpDelay,
        Self::DownDelay,
        Self::NoListener,
        Self::PortMissing,
        Self::AddressMissing,
        Self::AddressExcluded,
        Self::AddressTentative,
        Self::AddressDuplicate,
        Self::LinkDown,
        Self::CheckFailed,
        Self::CheckWarns,
        Self::CheckUnknown,
        Self::CheckPending,
        Self::Damping,
        Self::SourceUnknown,
        Self::Draining,
        Self::Drained,
        Self::Maintenance,
        Self::ForceUp,
        Self::ForceDown,
        Self::Depreferenced,
        Self::Absorbed,
        Self::Guard,
        Self::Shutdown,
        Self::OutsideNetworks,
        Self::NeverAnnounced,
        Self::NotDiscovered,
    ];

    /// The stable code, kebab-case.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Starting => "starting",
            Self::UpDelay => "up-delay",
            Self::DownDelay => "down-delay",
            Self::NoListener => "no-listener",
            Self::PortMissing => "port-missing",
            Self::AddressMissing => "address-missing",
            Self::AddressExcluded => "address-excluded",
            Self::AddressTentative => "address-tentative",
            Self::AddressDuplicate => "address-duplicate",
            Self::LinkDown => "link-down",
            Self::CheckFailed => "check-failed",
            Self::CheckWarns => "check-warns",
            Self::CheckUnknown => "check-unknown",
            Self::CheckPending => "check-pending",
            Self::Damping => "damping",
            Self::SourceUnknown => "source-unknown",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Maintenance => "maintenance",
            Self::ForceUp => "force-up",
            Self::ForceDown => "force-down",
            Self::Depreferenced => "depreferenced",
            Self::Absorbed => "absorbed",
            Self::Guard => "guard",
            Self::Shutdown => "shutdown",
            Self::OutsideNetworks => "outside-networks",
            Self::NeverAnnounced => "never-announced",
            Self::NotDiscovered => "not-discovered",
        }
    }

    /// One sentence for a person.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Healthy => "all checks pass",
            Self::Starting => "the first look at this host is not complete yet",
            Self::UpDelay => "all checks pass, waiting for the up delay",
            Self::DownDelay => "a check fails, still announced until the down delay is over",
            Self::NoListener => "no matching socket listens on the address",
            Self::PortMissing => "a port that was listened on before is missing",
            Self::AddressMissing => "the address is on no interface",
            Self::AddressExcluded => {
                "the address is only where --device or --device-label excludes it"
            }
            Self::AddressTentative => "duplicate address detection still runs",
            Self::AddressDuplicate => {
                "duplicate address detection found the address on another host"
            }
            Self::LinkDown => "the interface of the address is down",
            Self::CheckFailed => "a check fails",
            Self::CheckWarns => "a check warns, which counts as working",
            Self::CheckUnknown => "a check cannot tell: the last state is held",
            Self::CheckPending => "a check has not been made often enough yet",
            Self::Damping => "held because it changed too often (flap damping)",
            Self::SourceUnknown => "an observer cannot see: the last state is held",
            Self::Draining => "an operator drains it: announced as the last choice",
            Self::Drained => "an operator has drained it",
            Self::Maintenance => "an operator works on it (maintenance)",
            Self::ForceUp => "an operator wants it announced, whatever the checks say",
            Self::ForceDown => "an operator wants it withdrawn, whatever the checks say",
            Self::Depreferenced => "a check fails: announced as the last choice",
            Self::Absorbed => "a check fails, which withdraws nothing here: it stays announced",
            Self::Guard => {
                "a check fails, but too many were withdrawn of late (guard): announced as the last \
                 choice"
            }
            Self::Shutdown => "ha2bgp is stopping",
            Self::OutsideNetworks => "the address is in none of the allowed networks",
            Self::NeverAnnounced => "such an address is never announced",
            Self::NotDiscovered => "no matching socket has listened on the address",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{code}");
        }
    }
}
