//! Routes and the desired set of them.
//!
//! [`RouteSet`] is a persistent map: a clone costs two reference counts, a change copies one path,
//! and two sets that came from one another are compared in time proportional to what differs.
//! That is what lets the engine hand out the *whole* desired set after every event, with one
//! route or with a hundred thousand, and each BGP session remember what its peer was told at no
//! cost of its own.

use core::fmt;
use core::ops::ControlFlow;

use crate::net::{NextHop, Prefix};

mod tree;

use tree::Tree;

/// What is announced for a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Where the traffic shall go.
    pub next_hop: NextHop,
    /// Announced as the last choice: somebody else shall get the traffic where there is one.
    pub last_choice: bool,
    /// An operator wants the traffic gone from here: the last choice in a way of its own, where a
    /// peer has one. Such a route is the last choice too.
    pub draining: bool,
}

impl Route {
    /// A route like any other.
    pub const fn new(next_hop: NextHop) -> Self {
        Self { next_hop, last_choice: false, draining: false }
    }
}

/// One difference between two sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouteChange<'a> {
    /// The prefix whose route differs.
    pub prefix: Prefix,
    /// The route in the older set.
    pub before: Option<&'a Route>,
    /// The route in the newer set.
    pub after: Option<&'a Route>,
}

/// The whole set of routes that should be announced.
#[derive(Clone, Default)]
pub struct RouteSet {
    v4: Tree,
    v6: Tree,
}

impl RouteSet {
    /// The set without routes.
    pub const fn new() -> Self {
        Self { v4: Tree::Empty, v6: Tree::Empty }
    }

    /// The number of routes.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// True when nothing is announced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The routes of one address family.
    #[must_use]
    pub fn family(&self, ipv4: bool) -> Self {
        if ipv4 {
            Self { v4: self.v4.clone(), v6: Tree::Empty }
        } else {
            Self { v4: Tree::Empty, v6: self.v6.clone() }
        }
    }

    /// The route of exactly this prefix.
    pub fn get(&self, prefix: Prefix) -> Option<&Route> {
        let tree = if prefix.is_ipv4() { &self.v4 } else { &self.v6 };
        tree.get(prefix)
    }

    /// Sets the route of a prefix; returns the one it replaces.
    pub fn insert(&mut self, prefix: Prefix, route: Route) -> Option<Route> {
        self.tree_mut(prefix).insert(prefix, route)
    }

    /// Takes the route of a prefix out; returns it.
    pub fn remove(&mut self, prefix: Prefix) -> Option<Route> {
        // Look first: a miss must not copy a path that is shared.
        self.get(prefix)?;
        self.tree_mut(prefix).remove(prefix)
    }

    /// Calls `visit` for each route: IPv4 first, by address, shorter prefixes first. That is the
    /// order of [`Prefix`].
    pub fn for_each(&self, visit: &mut dyn FnMut(Prefix, &Route)) {
        let _ = Self::new().diff_after(self, None, &mut |change| {
            if let Some(route) = change.after {
                visit(change.prefix, route);
            }
            ControlFlow::Continue(())
        });
    }

    /// Calls `visit` for each difference from this set to the `newer` one, in the order of
    /// [`RouteSet::for_each`].
    pub fn diff<'a>(&'a self, newer: &'a Self, visit: &mut dyn FnMut(RouteChange<'a>)) {
        let _ = self.diff_after(newer, None, &mut |change| {
            visit(change);
            ControlFlow::Continue(())
        });
    }

    /// The same for prefixes behind `after`, until `visit` breaks. Going on from there costs as
    /// much as one [`RouteSet::get`].
    pub fn diff_after<'a>(
        &'a self,
        newer: &'a Self,
        after: Option<Prefix>,
        visit: &mut dyn FnMut(RouteChange<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        tree::diff(self.v4.view(), newer.v4.view(), after, visit)?;
        tree::diff(self.v6.view(), newer.v6.view(), after, visit)
    }

    /// This set, with the answer of `choose` for each difference to the `newer` one. It shares
    /// with both whatever it can, and takes as long as [`RouteSet::diff`].
    #[must_use]
    pub fn patched(
        &self,
        newer: &Self,
        choose: &mut dyn FnMut(RouteChange<'_>) -> Option<Route>,
    ) -> Self {
        Self {
            v4: tree::patched(self.v4.view(), newer.v4.view(), choose),
            v6: tree::patched(self.v6.view(), newer.v6.view(), choose),
        }
    }

    fn tree_mut(&mut self, prefix: Prefix) -> &mut Tree {
        if prefix.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }
}

impl PartialEq for RouteSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.diff_after(other, None, &mut |_| ControlFlow::Break(())).is_continue()
    }
}

impl Eq for RouteSet {}

impl FromIterator<(Prefix, Route)> for RouteSet {
    fn from_iter<I: IntoIterator<Item = (Prefix, Route)>>(routes: I) -> Self {
        let mut set = Self::new();
        for (prefix, route) in routes {
            set.insert(prefix, route);
        }
        set
    }
}

impl fmt::Debug for RouteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.for_each(&mut |prefix, route| {
            let note = match route {
                Route { draining: true, .. } => " as the last choice, draining",
                Route { last_choice: true, .. } => " as the last choice",
                _ => "",
            };
            map.entry(&format_args!("{prefix}"), &format_args!("{}{note}", route.next_hop));
        });
        map.finish()
    }
}

#[cfg(test)]
mod tests;
