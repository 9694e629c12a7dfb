//! Answers: a part of the routes of all peers, in the order of the peers.

use super::peer::Running;
use crate::announce::questions::{Ask, Page, Place};

/// The next `limit` routes that are asked for.
pub(super) fn page(peers: &[Running], ask: &Ask, limit: usize) -> Page {
    let mut page = Page::default();
    let mut after = ask.after;
    // Where to go on when there is another peer.
    let mut last = None;
    for peer in peers.iter().filter(|peer| ask.peer.is_none_or(|it| it == peer.address())) {
        let address = Some(peer.address());
        let mut from = match after {
            Some(place) if place.peer != address => continue,
            place => place.map(|place| place.prefix),
        };
        after = None;
        if page.routes.len() >= limit {
            page.next = last;
            return page;
        }
        if let Some(prefix) = ask.prefix {
            // With a place it is that of this very route.
            if from.is_none() {
                page.routes.push(peer.route(prefix));
                last = Some(Place { peer: address, prefix });
            }
            continue;
        }
        loop {
            let left = limit.saturating_sub(page.routes.len());
            if left == 0 {
                page.next = last;
                return page;
            }
            let (routes, more) = peer.routes(from, left);
            from = more.or(routes.last().map(|route| route.prefix)).or(from);
            last = from.map(|prefix| Place { peer: address, prefix }).or(last);
            page.routes.extend(routes);
            if more.is_none() {
                break;
            }
        }
    }
    page
}
