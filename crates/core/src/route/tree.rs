//! The tree behind a route set: forks on single bits, with sorted buckets as leaves.
//!
//! A bucket keeps a hundred thousand routes near the size of a plain array, which a node for each
//! route would not. The code works on [`View`]s, so that a bucket can stand for the forks it
//! would be if it were larger; shapes need not agree.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::ControlFlow;

use super::{Route, RouteChange};
use crate::net::Prefix;

/// Most routes of a bucket.
const BUCKET: usize = 16;

type Entry = (Prefix, Route);

/// The routes of one address family below some prefix.
#[derive(Clone, Default)]
pub(super) enum Tree {
    #[default]
    Empty,
    /// At most [`BUCKET`] routes, sorted.
    Bucket(Arc<[Entry]>),
    Fork(Arc<Fork>),
}

/// Two trees: the next bit behind `key` says which.
#[derive(Clone)]
pub(super) struct Fork {
    key: Prefix,
    /// The route of `key` itself.
    route: Option<Route>,
    children: [Tree; 2],
    len: usize,
}

/// A part of a tree.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    /// Sorted routes, and the bucket that they are all of.
    Slice(&'a [Entry], Option<&'a Arc<[Entry]>>),
    Fork(&'a Arc<Fork>),
}

/// The bits of the address, left-aligned.
fn bits(prefix: Prefix) -> u128 {
    match prefix.address() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The bit behind the first `at` bits.
#[inline]
fn bit(prefix: Prefix, at: u8) -> bool {
    bits(prefix).checked_shl(u32::from(at)).unwrap_or(0) & (1 << 127) != 0
}

/// The longest prefix of both, which are of one family.
fn common(one: Prefix, other: Prefix) -> Prefix {
    let differ = (bits(one) ^ bits(other)).leading_zeros();
    let len = u8::try_from(differ).unwrap_or(u8::MAX).min(one.len()).min(other.len());
    Prefix::truncating(one.address(), len).unwrap_or(one)
}

/// [`Prefix::covers`] for prefixes of one family, in a few instructions: asked at each fork of a path.
#[inline]
fn covers(key: Prefix, prefix: Prefix) -> bool {
    key.len() <= prefix.len() && (bits(key) ^ bits(prefix)).leading_zeros() >= u32::from(key.len())
}

/// True when every prefix inside `key` comes before `after`.
fn is_passed(key: Prefix, after: Option<Prefix>) -> bool {
    after.is_some_and(|after| key.last_address() < after.address())
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Bucket(bucket) => bucket.len(),
            Self::Fork(fork) => fork.len,
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        match self {
            Self::Empty => View::Slice(&[], None),
            Self::Bucket(bucket) => View::Slice(bucket, Some(bucket)),
            Self::Fork(fork) => View::Fork(fork),
        }
    }

    pub(super) fn get(&self, prefix: Prefix) -> Option<&Route> {
        let mut tree = self;
        loop {
            match tree {
                Self::Empty => return None,
                Self::Bucket(bucket) => {
                    let at = bucket.binary_search_by_key(&prefix, |entry| entry.0).ok()?;
                    return bucket.get(at).map(|entry| &entry.1);
                }
                Self::Fork(fork) if fork.key == prefix => return fork.route.as_ref(),
                Self::Fork(fork) if !covers(fork.key, prefix) => return None,
                Self::Fork(fork) => tree = fork.child(prefix),
            }
        }
    }

    pub(super) fn insert(&mut self, prefix: Prefix, route: Route) -> Option<Route> {
        let fork = match self {
            Self::Fork(fork) => fork,
            leaf => {
                let mut entries = leaf.entries().to_vec();
                let old = match entries.binary_search_by_key(&prefix, |entry| entry.0) {
                    Ok(at) => {
                        entries.get_mut(at).map(|entry| core::mem::replace(&mut entry.1, route))
                    }
                    Err(at) => {
                        entries.insert(at, (prefix, route));
                        None
                    }
                };
                *leaf = Self::of(&entries);
                return old;
            }
        };
        if !covers(fork.key, prefix) {
            let shared = common(fork.key, prefix);
            // The prefix leaves the path inside this fork's bits: a fork above it.
            let below = Self::Fork(Arc::clone(fork));
            let (own, beside) = if shared == prefix {
                (Some(route), Self::Empty)
            } else {
                (None, Self::of(&[(prefix, route)]))
            };
            let right = bit(fork.key, shared.len());
            let children = if right { [beside, below] } else { [below, beside] };
            *self = Self::join(shared, own, children);
            return None;
        }
        let fork = Arc::make_mut(fork);
        let old = if fork.key == prefix {
            fork.route.replace(route)
        } else {
            fork.child_mut(prefix).insert(prefix, route)
        };
        fork.len += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, prefix: Prefix) -> Option<Route> {
        let fork = match self {
            Self::Fork(fork) => Arc::make_mut(fork),
            leaf => {
                let mut entries = leaf.entries().to_vec();
                let at = entries.binary_search_by_key(&prefix, |entry| entry.0).ok()?;
                let (_, old) = entries.remove(at);
                *leaf = Self::of(&entries);
                return Some(old);
            }
        };
        let old = if fork.key == prefix {
            fork.route.take()
        } else {
            fork.child_mut(prefix).remove(prefix)
        };
        fork.len -= usize::from(old.is_some());
        let lonely = fork.route.is_none() && fork.children.iter().any(|it| it.len() == 0);
        if fork.len <= BUCKET || lonely {
            *self = Self::join(fork.key, fork.route, core::mem::take(&mut fork.children));
        }
        old
    }

    /// The routes of a leaf.
    fn entries(&self) -> &[Entry] {
        match self {
            Self::Bucket(bucket) => bucket,
            Self::Empty | Self::Fork(_) => &[],
        }
    }

    /// The tree of these sorted routes.
    fn of(entries: &[Entry]) -> Self {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Self::Empty;
        };
        if entries.len() <= BUCKET {
            return Self::Bucket(Arc::from(entries));
        }
        let key = common(first.0, last.0);
        let (route, left, right) = View::Slice(entries, None).split(key);
        let of = |view| match view {
            View::Slice(entries, _) => Self::of(entries),
            View::Fork(fork) => Self::Fork(Arc::clone(fork)),
        };
        Self::join(key, route.copied(), [of(left), of(right)])
    }

    /// A fork, or what is simpler.
    fn join(key: Prefix, route: Option<Route>, children: [Self; 2]) -> Self {
        let len = usize::from(route.is_some()) + children.iter().map(Self::len).sum::<usize>();
        if len > BUCKET {
            return match (route, children) {
                (None, [only, Self::Empty] | [Self::Empty, only]) => only,
                (route, children) => Self::Fork(Arc::new(Fork { key, route, children, len })),
            };
        }
        let mut entries = Vec::with_capacity(len);
        entries.extend(route.map(|route| (key, route)));
        for child in &children {
            child.collect(&mut entries);
        }
        if entries.is_empty() { Self::Empty } else { Self::Bucket(Arc::from(entries)) }
    }

    fn collect(&self, entries: &mut Vec<Entry>) {
        match self {
            Self::Fork(fork) => {
                entries.extend(fork.route.map(|route| (fork.key, route)));
                fork.children.iter().for_each(|child| child.collect(entries));
            }
            leaf => entries.extend_from_slice(leaf.entries()),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::Bucket(one), Self::Bucket(other)) => Arc::ptr_eq(one, other),
            (Self::Fork(one), Self::Fork(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Fork {
    fn child(&self, prefix: Prefix) -> &Tree {
        let [left, right] = &self.children;
        if bit(prefix, self.key.len()) { right } else { left }
    }

    fn child_mut(&mut self, prefix: Prefix) -> &mut Tree {
        let [left, right] = &mut self.children;
        if bit(prefix, self.key.len()) { right } else { left }
    }
}

impl<'a> View<'a> {
    /// The longest prefix of all routes in it.
    fn key(self) -> Option<Prefix> {
        match self {
            Self::Slice(entries, _) => Some(common(entries.first()?.0, entries.last()?.0)),
            Self::Fork(fork) => Some(fork.key),
        }
    }

    /// The route of `key`, which covers all that is in here, and what is on both sides below it.
    fn split(self, key: Prefix) -> (Option<&'a Route>, Self, Self) {
        let none = Self::Slice(&[], None);
        let aside = |prefix, rest| {
            if bit(prefix, key.len()) { (None, none, rest) } else { (None, rest, none) }
        };
        match self {
            Self::Slice([], _) => (None, none, none),
            Self::Slice(entries, bucket) => {
                let own = entries.first().filter(|entry| entry.0 == key).map(|entry| &entry.1);
                let rest = entries.get(usize::from(own.is_some())..).unwrap_or(&[]);
                let at = rest.partition_point(|entry| !bit(entry.0, key.len()));
                let (left, right) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                // A side that has all of a bucket may still be taken over whole.
                let whole = |side: &[Entry]| bucket.filter(|_| side.len() == entries.len());
                (own, Self::Slice(left, whole(left)), Self::Slice(right, whole(right)))
            }
            Self::Fork(fork) if fork.key == key => {
                let [left, right] = &fork.children;
                (fork.route.as_ref(), left.view(), right.view())
            }
            Self::Fork(fork) => aside(fork.key, self),
        }
    }

    fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Slice(one, _), Self::Slice(other, _)) => core::ptr::eq(one, other),
            (Self::Fork(one), Self::Fork(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The tree itself, if this view is the whole of one and it has these parts.
    fn reuse(self, key: Prefix, route: Option<Route>, children: &[Tree; 2]) -> Option<Tree> {
        let Self::Fork(fork) = self else { return None };
        let same = fork.key == key
            && fork.route == route
            && fork.children.iter().zip(children).all(|(one, other)| one.is_same(other));
        same.then(|| Tree::Fork(Arc::clone(fork)))
    }
}

/// The key of both together.
fn union(old: View<'_>, new: View<'_>) -> Option<Prefix> {
    match (old.key(), new.key()) {
        (Some(old), Some(new)) => Some(common(old, new)),
        (key, None) | (None, key) => key,
    }
}

/// Visits the differences behind `after`, in order.
pub(super) fn diff<'a>(
    old: View<'a>,
    new: View<'a>,
    after: Option<Prefix>,
    visit: &mut dyn FnMut(RouteChange<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if old.is_same(new) {
        return ControlFlow::Continue(());
    }
    if let (View::Slice(old, _), View::Slice(new, _)) = (old, new) {
        return merge(old, new, &mut |change| {
            let differs = change.before != change.after;
            if differs && after.is_none_or(|after| change.prefix > after) {
                visit(change)
            } else {
                ControlFlow::Continue(())
            }
        });
    }
    // What came from one another mostly has the same forks.
    if let (View::Fork(old), View::Fork(new)) = (old, new)
        && (old.key, old.route) == (new.key, new.route)
    {
        if is_passed(old.key, after) {
            return ControlFlow::Continue(());
        }
        for (old, new) in old.children.iter().zip(&new.children) {
            if !old.is_same(new) {
                diff(old.view(), new.view(), after, visit)?;
            }
        }
        return ControlFlow::Continue(());
    }
    let Some(key) = union(old, new).filter(|key| !is_passed(*key, after)) else {
        return ControlFlow::Continue(());
    };
    let (before, old_left, old_right) = old.split(key);
    let (now, new_left, new_right) = new.split(key);
    if before != now && after.is_none_or(|after| key > after) {
        visit(RouteChange { prefix: key, before, after: now })?;
    }
    diff(old_left, new_left, after, visit)?;
    diff(old_right, new_right, after, visit)
}

/// The older tree with what is chosen for each difference.
pub(super) fn patched(
    old: View<'_>,
    new: View<'_>,
    choose: &mut dyn FnMut(RouteChange<'_>) -> Option<Route>,
) -> Tree {
    match (old, new) {
        (View::Fork(fork), _) if old.is_same(new) => return Tree::Fork(Arc::clone(fork)),
        (View::Slice(older, mine), View::Slice(newer, theirs)) => {
            let mut entries = Vec::with_capacity(older.len().max(newer.len()));
            let _ = merge(older, newer, &mut |change| {
                let route = if change.before == change.after {
                    change.before.copied()
                } else {
                    choose(change)
                };
                entries.extend(route.map(|route| (change.prefix, route)));
                ControlFlow::Continue(())
            });
            for (slice, bucket) in [(newer, theirs), (older, mine)] {
                if let Some(bucket) = bucket.filter(|_| slice == entries) {
                    return Tree::Bucket(Arc::clone(bucket));
                }
            }
            return Tree::of(&entries);
        }
        _ => {}
    }
    let Some(key) = union(old, new) else { return Tree::Empty };
    let (before, old_left, old_right) = old.split(key);
    let (now, new_left, new_right) = new.split(key);
    let route = if before == now {
        before.copied()
    } else {
        choose(RouteChange { prefix: key, before, after: now })
    };
    let left = patched(old_left, new_left, choose);
    let children = [left, patched(old_right, new_right, choose)];
    new.reuse(key, route, &children)
        .or_else(|| old.reuse(key, route, &children))
        .unwrap_or_else(|| Tree::join(key, route, children))
}

/// Visits each prefix of two sorted slices.
fn merge<'a>(
    mut old: &'a [Entry],
    mut new: &'a [Entry],
    visit: &mut dyn FnMut(RouteChange<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    loop {
        let (before, after) = (old.first(), new.first());
        let Some(prefix) = before.into_iter().chain(after).map(|entry| entry.0).min() else {
            return ControlFlow::Continue(());
        };
        let here = |entry: Option<&'a Entry>| {
            entry.filter(|entry| entry.0 == prefix).map(|entry| &entry.1)
        };
        let change = RouteChange { prefix, before: here(before), after: here(after) };
        old = old.get(usize::from(change.before.is_some())..).unwrap_or(&[]);
        new = new.get(usize::from(change.after.is_some())..).unwrap_or(&[]);
        visit(change)?;
    }
}
