//! What a ring of the doorbell makes the observer do: the way of a withdrawal.
//!
//! A ring tells that a socket stops to listen, and where, on kernels whose records can be read.
//! Together with an exact query that finds nobody there these are the two testimonies that
//! [`super::mirror`] wants: the socket is reported as closed without a dump. Everything else is
//! left to the dumps: the one that follows a millisecond later always, or one at once where
//! several sockets may have closed.

use std::num::NonZeroU64;
use std::time::Duration;

use ha2bgp_core::fact::{Protocol, SocketId};
use ha2bgp_proto::filter::Bytecode;
use ha2bgp_sys::doorbell::{Change, Chime, Place};
use tokio::time::Instant;

use super::pace::POLL_BATCH;
use super::senses::Rung;
use super::tables::Tables;
use super::{ListenConfig, Observer, Stop, cpu_time};

/// What an exact query by netlink takes of the processor, whatever the number of sockets: here it is
/// not measured, which would take as long.
const QUERY_COST: Duration = Duration::from_micros(2);

/// How much there is to look at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// Nothing of what rang is followed.
    Nothing,
    /// The suspects, and everything a little later.
    Suspects,
    /// Everything that is worth it, now: it is not known what rang.
    Everything,
}

impl Observer {
    /// The doorbell rang: looks at what may have closed, and has everything looked at a little
    /// later.
    pub(super) async fn rung(
        &mut self,
        tables: &mut Tables,
        rung: Rung<'_>,
        next_dump: &mut Instant,
    ) -> Result<(), Stop> {
        let (look, spurious) = self.sort_out(rung);
        self.looks.rang(rung.rang.rings, rung.rang.foreign + spurious);
        let now = Instant::now();
        // What was in vain counts too: where strangers storm, they are heard from time to time only.
        let admitted = self.window.admits(now);
        if look == Look::Nothing {
            return Ok(());
        }
        let few = self.suspects.len() <= POLL_BATCH;
        let paid = if look == Look::Suspects && few { self.asking } else { self.allowance };
        let allowed = paid.from().is_none_or(|from| from <= now);
        if allowed && admitted {
            match look {
                Look::Suspects if few => self.question(tables, rung.ours, next_dump).await?,
                Look::Everything if self.mirror.polled_len() <= POLL_BATCH => {
                    self.poll(tables, next_dump).await?;
                }
                _ => *next_dump = self.dump(tables, true).await?,
            }
        }
        // The doorbell rings while the kernel is still changing its tables.
        *next_dump = (*next_dump).min(self.second_look());
        Ok(())
    }

    /// Puts those endpoints into `suspects` whose sockets may have closed. Says what to look at,
    /// and how many rings are for nobody here.
    fn sort_out(&mut self, rung: Rung<'_>) -> (Look, u64) {
        self.suspects.clear();
        let mut look = if rung.rang.lost { Look::Everything } else { Look::Nothing };
        let mut spurious = 0;
        for chime in rung.chimes {
            let Chime { change: Some(change), place: Some(place), cookie } = *chime else {
                look = Look::Everything;
                continue;
            };
            let own = cookie.filter(|_| rung.ours).map(NonZeroU64::get);
            if let Some(id) = own.map(|cookie| SocketId { protocol: Protocol::Tcp, cookie }) {
                match change {
                    Change::Starts => self.stopped.remove(&id),
                    Change::Stops => self.mirror.has(id) && self.stopped.insert(id),
                };
            }
            let concerned = match change {
                Change::Starts => follows(&self.config, place),
                Change::Stops => {
                    let before = self.suspects.len();
                    // Beyond the limit all of them are looked at together anyway.
                    let room = (POLL_BATCH + 1).saturating_sub(before);
                    self.suspects.extend(self.mirror.at(place.address, place.port).take(room));
                    before != self.suspects.len() || room == 0
                }
            };
            if !concerned {
                spurious += 1;
            } else if look == Look::Nothing {
                look = Look::Suspects;
            }
        }
        (look, spurious)
    }

    /// Asks after the suspects, and reports those that are gone. They are `ours`, or perhaps of
    /// another namespace.
    async fn question(
        &mut self,
        tables: &mut Tables,
        ours: bool,
        next_dump: &mut Instant,
    ) -> Result<(), Stop> {
        if self.suspects.is_empty() {
            return Ok(());
        }
        self.looks.polled();
        tables.look_again();
        let begin = (!tables.answers_at_once()).then(cpu_time);
        let (mut asked, mut undecided) = (0, false);
        for index in 0..self.suspects.len() {
            let Some(endpoint) = self.suspects.get(index).copied() else { break };
            if !self.mirror.listens(endpoint) {
                // It rang twice.
                continue;
            }
            asked += 1;
            let found = tables
                .find(&self.config, None, endpoint)
                .map_err(|error| self.failed("look a listener up", &error))?;
            match self.mirror.only_member(endpoint).filter(|_| ours) {
                Some(id) if found.is_none() => self.mirror.close(id, &mut self.changes),
                // Of several there may be others; and where another socket answers, the service
                // lives: that has time.
                _ => undecided |= found.is_none(),
            }
        }
        let closed = !self.changes.is_empty();
        self.report().await?;
        let cost = begin.map_or(QUERY_COST * asked, |begin| cpu_time().saturating_sub(begin));
        self.asking.spend(cost, closed, Instant::now());
        if undecided {
            *next_dump = self.dump(tables, true).await?;
        }
        Ok(())
    }
}

/// Whether a socket at this place may be one that is looked at.
fn follows(config: &ListenConfig, place: Place) -> bool {
    config.bytecode.is_empty()
        || Bytecode::audit(&config.bytecode)
            .map_or(true, |filter| filter.may_accept(place.address, place.port))
}
