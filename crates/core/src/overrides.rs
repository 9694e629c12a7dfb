//! What an operator says over the heads of the checks: drain, maintenance, force up, force down.
//!
//! The shell hands in the whole list whenever it changes ([`Input::SetOverrides`]); who said it, and
//! why, is the shell's. An override that has an end is over then by itself.
//!
//! Where several are of one VIP, whatever takes more away counts: force down, maintenance, drain,
//! and force up last.
//!
//! [`Input::SetOverrides`]: crate::engine::Input::SetOverrides

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::net::Prefix;
use crate::time::Instant;

/// The most overrides at once; what is beyond is left out.
pub const OVERRIDES_MAX: usize = 256;

/// The number of an override. Whoever makes them gives each its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OverrideId(pub u64);

/// What an override does.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum OverrideKind {
    /// Announced, whatever the checks say.
    ForceUp,
    /// Announced as the last choice, as long as it would be announced: traffic moves away.
    Drain,
    /// Drained: withdrawn.
    Drained,
    /// Withdrawn, as planned.
    Maintenance,
    /// Withdrawn, whatever the checks say.
    ForceDown,
}

impl OverrideKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::ForceUp, Self::Drain, Self::Drained, Self::Maintenance, Self::ForceDown];

    /// Stable name, kebab-case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForceUp => "force-up",
            Self::Drain => "drain",
            Self::Drained => "drained",
            Self::Maintenance => "maintenance",
            Self::ForceDown => "force-down",
        }
    }
}

/// Whom an override is for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Every service.
    All,
    /// The service of that name, with all its VIPs.
    Service(Arc<str>),
    /// Every VIP in there.
    Network(Prefix),
}

impl Scope {
    /// True when a VIP of the service of that name is meant.
    pub fn means(&self, vip: IpAddr, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::Service(name) => **name == *service,
            Self::Network(network) => network.contains(vip),
        }
    }
}

/// One override.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Override {
    /// Its number.
    pub id: OverrideId,
    /// Whom it is for.
    pub scope: Scope,
    /// What it does.
    pub kind: OverrideKind,
    /// When it is over; `None`: until somebody says so.
    pub until: Option<Instant>,
}

/// What the overrides make of one VIP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Said {
    /// The one that takes the most away.
    pub(crate) down: Option<OverrideKind>,
    /// One says that it is up.
    pub(crate) up: bool,
}

/// All overrides that count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    list: Vec<Override>,
}

impl Overrides {
    /// Takes the whole list; those that are over already do not count.
    pub(crate) fn set(&mut self, list: Vec<Override>, now: Instant) {
        self.list = list;
        self.list.retain(|it| it.until.is_none_or(|until| until > now));
        self.list.truncate(OVERRIDES_MAX);
    }

    /// What is said of a VIP.
    pub(crate) fn of(&self, vip: IpAddr, service: &str) -> Said {
        let mut said = Said::default();
        for kind in self.meaning(vip, service).map(|it| it.kind) {
            match kind {
                OverrideKind::ForceUp => said.up = true,
                kind => said.down = said.down.max(Some(kind)),
            }
        }
        said
    }

    /// Those that mean a VIP.
    pub(crate) fn meaning<'a>(
        &'a self,
        vip: IpAddr,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Override> {
        self.list.iter().filter(move |it| it.scope.means(vip, service))
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Override] {
        &self.list
    }

    /// When the next one is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.list.iter().filter_map(|it| it.until).min()
    }

    /// Takes out those that are over.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Override> {
        let is_over = |it: &Override| it.until.is_some_and(|until| until <= now);
        let (over, left) = core::mem::take(&mut self.list).into_iter().partition(is_over);
        self.list = left;
        over
    }
}
