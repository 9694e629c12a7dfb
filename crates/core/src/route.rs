//! Routes and the desired set of them.
//!
//! [`RouteSet`] is a persistent map: a clone costs one reference count, a change copies one path,
//! and two sets that came from one another are compared in time proportional to what differs.
//! That is what lets the engine hand out the *whole* desired set after every event, with one
//! route or with a hundred thousand.

use alloc::sync::Arc;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{NextHop, Prefix};

/// What is announced for a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Where the traffic shall go.
    pub next_hop: NextHop,
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
    v4: Option<Arc<Node>>,
    v6: Option<Arc<Node>>,
    len: usize,
}

/// A node of a path-compressed binary trie. A node without a route has two children.
#[derive(Clone)]
struct Node {
    key: Key,
    route: Option<Route>,
    children: [Option<Arc<Self>>; 2],
}

/// An address prefix as left-aligned bits.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Key {
    bits: u128,
    len: u8,
}

impl Key {
    fn new(prefix: Prefix) -> Self {
        let bits = match prefix.address() {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        Self { bits, len: prefix.len() }
    }

    fn prefix(self, ipv4: bool) -> Option<Prefix> {
        let address = if ipv4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.bits >> 96).ok()?))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits))
        };
        Prefix::truncating(address, self.len)
    }

    /// The bit behind the first `at` bits, as an index of children.
    fn bit(self, at: u8) -> usize {
        usize::from(self.bits << at & (1 << 127) != 0)
    }

    fn common(self, other: Self) -> Self {
        let differ = (self.bits ^ other.bits).leading_zeros();
        let len = u8::try_from(differ).unwrap_or(128).min(self.len).min(other.len);
        let mask = if len == 0 { 0 } else { u128::MAX << (128 - len) };
        Self { bits: self.bits & mask, len }
    }
}

impl RouteSet {
    /// The set without routes.
    pub const fn new() -> Self {
        Self { v4: None, v6: None, len: 0 }
    }

    /// The number of routes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is announced.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The route of exactly this prefix.
    pub fn get(&self, prefix: Prefix) -> Option<&Route> {
        let key = Key::new(prefix);
        let mut node = self.root(prefix.is_ipv4()).as_deref()?;
        loop {
            if node.key.common(key) != node.key {
                return None;
            }
            if node.key.len == key.len {
                return node.route.as_ref();
            }
            node = node.children[key.bit(node.key.len)].as_deref()?;
        }
    }

    /// Sets the route of a prefix; returns the one it replaces.
    pub fn insert(&mut self, prefix: Prefix, route: Route) -> Option<Route> {
        let old = Node::insert(self.root_mut(prefix.is_ipv4()), Key::new(prefix), route);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes the route of a prefix out; returns it.
    pub fn remove(&mut self, prefix: Prefix) -> Option<Route> {
        // Look first: a miss must not copy a path that is shared.
        self.get(prefix)?;
        let old = Node::remove(self.root_mut(prefix.is_ipv4()), Key::new(prefix));
        self.len -= usize::from(old.is_some());
        old
    }

    /// Calls `visit` for each route: IPv4 first, by address, shorter prefixes first.
    pub fn for_each(&self, visit: &mut dyn FnMut(Prefix, &Route)) {
        Node::walk(self.v4.as_deref(), true, visit);
        Node::walk(self.v6.as_deref(), false, visit);
    }

    /// Calls `visit` for each difference from this set to the `newer` one.
    pub fn diff<'a>(&'a self, newer: &'a Self, visit: &mut dyn FnMut(RouteChange<'a>)) {
        Node::diff(self.v4.as_ref(), newer.v4.as_ref(), true, visit);
        Node::diff(self.v6.as_ref(), newer.v6.as_ref(), false, visit);
    }

    fn root(&self, ipv4: bool) -> &Option<Arc<Node>> {
        if ipv4 { &self.v4 } else { &self.v6 }
    }

    fn root_mut(&mut self, ipv4: bool) -> &mut Option<Arc<Node>> {
        if ipv4 { &mut self.v4 } else { &mut self.v6 }
    }
}

impl Node {
    fn leaf(key: Key, route: Route) -> Arc<Self> {
        Arc::new(Self { key, route: Some(route), children: [None, None] })
    }

    fn insert(slot: &mut Option<Arc<Self>>, key: Key, route: Route) -> Option<Route> {
        let Some(node) = slot else {
            *slot = Some(Self::leaf(key, route));
            return None;
        };
        let common = node.key.common(key);
        if common != node.key {
            // The key leaves the path inside this node's bits: split here.
            let mut split = Self { key: common, route: None, children: [None, None] };
            split.children[node.key.bit(common.len)] = Some(Arc::clone(node));
            if common == key {
                split.route = Some(route);
            } else {
                split.children[key.bit(common.len)] = Some(Self::leaf(key, route));
            }
            *slot = Some(Arc::new(split));
            return None;
        }
        let node = Arc::make_mut(node);
        if node.key == key {
            return node.route.replace(route);
        }
        Self::insert(&mut node.children[key.bit(common.len)], key, route)
    }

    fn remove(slot: &mut Option<Arc<Self>>, key: Key) -> Option<Route> {
        let shared = slot.as_mut()?;
        let node = Arc::make_mut(shared);
        let old = if node.key == key {
            node.route.take()
        } else {
            Self::remove(&mut node.children[key.bit(node.key.len)], key)
        };
        // Keep the shape: a node without a route joins two children or goes.
        if node.route.is_none() {
            match &mut node.children {
                [None, None] => *slot = None,
                [Some(only), None] | [None, Some(only)] => *slot = Some(Arc::clone(only)),
                [Some(_), Some(_)] => {}
            }
        }
        old
    }

    fn walk<'a>(node: Option<&'a Self>, ipv4: bool, visit: &mut dyn FnMut(Prefix, &'a Route)) {
        let Some(node) = node else { return };
        if let (Some(route), Some(prefix)) = (&node.route, node.key.prefix(ipv4)) {
            visit(prefix, route);
        }
        for child in &node.children {
            Self::walk(child.as_deref(), ipv4, visit);
        }
    }

    fn diff<'a>(
        old: Option<&'a Arc<Self>>,
        new: Option<&'a Arc<Self>>,
        ipv4: bool,
        visit: &mut dyn FnMut(RouteChange<'a>),
    ) {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (old, new) => {
                Self::walk(old.map(|node| &**node), ipv4, &mut |prefix, route| {
                    visit(RouteChange { prefix, before: Some(route), after: None });
                });
                Self::walk(new.map(|node| &**node), ipv4, &mut |prefix, route| {
                    visit(RouteChange { prefix, before: None, after: Some(route) });
                });
                return;
            }
        };
        if Arc::ptr_eq(old, new) {
            return;
        }
        let common = old.key.common(new.key);
        let old_here = common == old.key;
        let new_here = common == new.key;
        let before = if old_here { old.route.as_ref() } else { None };
        let after = if new_here { new.route.as_ref() } else { None };
        if before != after
            && let Some(prefix) = common.prefix(ipv4)
        {
            visit(RouteChange { prefix, before, after });
        }
        for side in 0..2 {
            // A node that starts deeper than `common` stands whole on one side of it.
            let below = |node: &'a Arc<Self>, here: bool| {
                if here {
                    node.children[side].as_ref()
                } else {
                    (node.key.bit(common.len) == side).then_some(node)
                }
            };
            Self::diff(below(old, old_here), below(new, new_here), ipv4, visit);
        }
    }
}

impl PartialEq for RouteSet {
    fn eq(&self, other: &Self) -> bool {
        let mut equal = self.len == other.len;
        if equal {
            self.diff(other, &mut |_| equal = false);
        }
        equal
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
            map.entry(&format_args!("{prefix}"), &format_args!("{}", route.next_hop));
        });
        map.finish()
    }
}

#[cfg(test)]
mod tests;
