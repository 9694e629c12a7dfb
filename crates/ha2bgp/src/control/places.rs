//! Places for connections: how many at once, of whom, and who gives way.
//!
//! A connection that has no request in work gives way to a newer one where all places of its
//! source, or all places, are taken: idle, slow and hostile clients keep nobody out. No source has
//! all places. Streams of events are requests in work for as long as they last; they have a smaller
//! number of places among those.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

use super::caller::Source;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// And of one source.
pub const SOURCE_MAX: usize = 32;
/// Streams of events at once.
pub const STREAMS_MAX: usize = 16;
/// And of one source.
pub const SOURCE_STREAMS_MAX: usize = 8;

/// What a connection does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Work {
    /// It waits for a request, or for the rest of one.
    #[default]
    Idle,
    /// A request is in work.
    Busy,
    /// Events are sent, for as long as it likes.
    Streaming,
}

/// One connection, as it knows itself.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Whose it is.
    pub(super) source: Source,
    /// What it does.
    pub(super) work: Rc<Cell<Work>>,
    /// Ends it.
    pub(super) leave: Rc<Notify>,
    number: u64,
}

/// The connections of one way in, the oldest one first.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: BTreeMap<u64, Place>,
    count: u64,
}

impl Places {
    /// Takes a place, from an idle connection where there is none free.
    pub(super) fn enter(&mut self, source: Source) -> Option<Place> {
        let own = self.taken.values().filter(|place| place.source == source).count();
        if own >= SOURCE_MAX {
            self.make_room(|place| place.source == source)?;
        } else if self.taken.len() >= CONNECTIONS_MAX {
            self.make_room(|_| true)?;
        }
        self.count += 1;
        let place = Place { source, work: Rc::default(), leave: Rc::default(), number: self.count };
        self.taken.insert(self.count, place.clone());
        Some(place)
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, place: &Place) {
        self.taken.remove(&place.number);
    }

    /// Ends the oldest idle connection of these.
    fn make_room(&mut self, of: impl Fn(&Place) -> bool) -> Option<()> {
        let idle = |(_, place): &(&u64, &Place)| of(place) && place.work.get() == Work::Idle;
        let oldest = self.taken.iter().find(idle).map(|(number, _)| *number)?;
        self.taken.remove(&oldest)?.leave.notify_one();
        Some(())
    }
}

/// The streams of events of one way in, by their sources.
#[derive(Debug, Default)]
pub(super) struct Streams(RefCell<BTreeMap<Source, usize>>);

impl Streams {
    /// Takes a place for a stream over this connection, if there is one. The connection is at work
    /// until the place is dropped.
    pub(super) fn enter(streams: &Rc<Self>, place: &Place) -> Option<StreamPlace> {
        let mut taken = streams.0.borrow_mut();
        let own = taken.get(&place.source).copied().unwrap_or_default();
        if own >= SOURCE_STREAMS_MAX || taken.values().sum::<usize>() >= STREAMS_MAX {
            return None;
        }
        taken.insert(place.source, own + 1);
        place.work.set(Work::Streaming);
        let (streams, work, source) = (Rc::clone(streams), Rc::clone(&place.work), place.source);
        Some(StreamPlace { streams, work, source })
    }
}

/// A place of a stream; free again when this is dropped.
#[derive(Debug)]
pub(super) struct StreamPlace {
    streams: Rc<Streams>,
    work: Rc<Cell<Work>>,
    source: Source,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut taken = self.streams.0.borrow_mut();
        match taken.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.source)),
        }
        self.work.set(Work::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_give_way_and_busy_ones_do_not() {
        let user = Source::User;
        let mut places = Places::default();
        let own: Vec<_> = (0..SOURCE_MAX).map(|_| places.enter(user(1)).unwrap()).collect();
        own[0].work.set(Work::Busy);
        assert!(places.enter(user(1)).is_some());
        assert_eq!(places.taken.len(), SOURCE_MAX);
        let is_there = |places: &Places, at: usize| places.taken.contains_key(&own[at].number);
        assert!(is_there(&places, 0) && !is_there(&places, 1) && is_there(&places, 2));
        // Others have places still; then the oldest idle one of all goes.
        for _ in SOURCE_MAX..CONNECTIONS_MAX {
            assert!(places.enter(user(2)).is_some());
        }
        assert!(is_there(&places, 2));
        assert!(places.enter(user(3)).is_some());
        assert!(!is_there(&places, 2));
        places.taken.values().for_each(|place| place.work.set(Work::Busy));
        assert!(places.enter(user(3)).is_none() && places.enter(user(1)).is_none());
        assert_eq!(places.taken.len(), CONNECTIONS_MAX);
    }

    #[test]
    fn streams_have_fewer_places_and_give_them_back() {
        let (mut places, streams) = (Places::default(), Rc::<Streams>::default());
        let mut take = |uid| {
            let place = places.enter(Source::User(uid)).unwrap();
            let stream = Streams::enter(&streams, &place);
            assert_eq!(place.work.get() == Work::Streaming, stream.is_some());
            stream.map(|stream| (place, stream))
        };
        let mut first: Vec<_> = (0..SOURCE_STREAMS_MAX).map(|_| take(1).unwrap()).collect();
        assert!(take(1).is_none());
        let second: Vec<_> = (SOURCE_STREAMS_MAX..STREAMS_MAX).map(|_| take(2).unwrap()).collect();
        assert!(take(3).is_none());
        let (place, stream) = first.pop().unwrap();
        drop(stream);
        assert_eq!(place.work.get(), Work::Idle);
        assert!(take(3).is_some());
        drop((first, second));
        assert!(streams.0.borrow().is_empty());
    }
}
