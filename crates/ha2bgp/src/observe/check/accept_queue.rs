//! `type = "accept-queue"`: connections that wait to be accepted, without any probe.
//!
//! No event exists for it: the kernel's table of listeners is read at intervals. All checks share
//! one [`Sampler`], and checks with the same interval wake at the same moments: one dump of each
//! family serves them all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_core::fact::Protocol;
use ha2bgp_core::time;
use ha2bgp_proto::accept_queue::{Monitor, Rules, Sample};
use ha2bgp_proto::family::Family;
use ha2bgp_proto::inet_diag::{DiagSocket, DumpRequest};
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::diag::Diag;
use tokio::time::Instant;

use super::Reporter;
use super::Target;

/// The most listeners of one family that are read.
const LISTENERS_MAX: usize = 131_072;
/// How often a text with other numbers, but the same verdict, is told.
const RETELL: Duration = Duration::from_secs(1);

/// Which queues, and what is wrong with one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueProbe {
    /// The ports, 1 to 65535; empty: all.
    pub ports: Vec<u16>,
    /// What makes which verdict.
    pub rules: Rules,
}

/// All listeners of one family at one moment.
#[derive(Debug, Default)]
struct Table {
    /// By the address that they listen on.
    own: BTreeMap<IpAddr, Vec<Sample>>,
    /// Those that listen on any address, and whether IPv4 reaches them.
    any: Vec<(Sample, bool)>,
}

/// A table and its moment; the text of what went wrong when there is none.
type Taken = (Instant, Result<Rc<Table>, Rc<str>>);

/// Reads the tables of listeners, for all checks.
#[derive(Debug)]
pub struct Sampler {
    began: Instant,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    diag: Option<Diag>,
    /// IPv4, IPv6.
    taken: [Option<Taken>; 2],
}

impl Default for Sampler {
    fn default() -> Self {
        Self { began: Instant::now(), state: RefCell::default() }
    }
}

impl Sampler {
    /// The next moment at which all checks with this interval sample.
    fn next(&self, interval: Duration, now: Instant) -> Instant {
        let step = interval.as_nanos().max(1);
        let steps = (now - self.began).as_nanos() / step + 1;
        let due = u64::try_from(steps.saturating_mul(step)).unwrap_or(u64::MAX);
        self.began + Duration::from_nanos(due)
    }

    /// The sockets that listen on a VIP, from tables that are no older than `fresh`.
    fn sample(&self, vip: IpAddr, ports: &[u16], fresh: Duration) -> Result<Vec<Sample>, Rc<str>> {
        let mut state = self.state.borrow_mut();
        // Sockets of IPv6 may serve IPv4 too, never the other way round.
        let families: &[Family] = if vip.is_ipv4() { &Family::ALL } else { &[Family::V6] };
        let mut samples = Vec::new();
        for family in families {
            let table = state.table(*family, fresh)?;
            let own = table.own.get(&vip).into_iter().flatten();
            let any = table.any.iter().filter(|(_, v4)| *v4 || vip.is_ipv6());
            // Those on any address are told with the VIP: that is where the queue is felt.
            let any = any.map(|(sample, _)| Sample {
                address: SocketAddr::new(vip, sample.address.port()),
                ..*sample
            });
            let wanted =
                |sample: &Sample| ports.is_empty() || ports.contains(&sample.address.port());
            samples.extend(own.copied().chain(any).filter(wanted));
        }
        Ok(samples)
    }
}

impl State {
    fn table(&mut self, family: Family, fresh: Duration) -> Result<Rc<Table>, Rc<str>> {
        let now = Instant::now();
        let place = usize::from(family == Family::V6);
        let known = self.taken.get(place).and_then(Option::as_ref);
        if let Some((_, table)) = known.filter(|(at, _)| now - *at < fresh) {
            return table.clone();
        }
        let table = self.dump(family).map(Rc::new).map_err(|error| {
            // A new socket may do better.
            self.diag = None;
            Rc::from(format!("the queues cannot be read: {error}"))
        });
        if let Some(taken) = self.taken.get_mut(place) {
            *taken = Some((now, table.clone()));
        }
        table
    }

    fn dump(&mut self, family: Family) -> Result<Table, NetlinkError> {
        let diag = match &mut self.diag {
            Some(diag) => diag,
            none => none.insert(Diag::open()?),
        };
        let request = DumpRequest { family, protocol: Protocol::Tcp, bytecode: &[], memory: true };
        let mut table = Table::default();
        let mut count = 0;
        diag.dump(&request, &mut |socket| {
            count += 1;
            if count > LISTENERS_MAX {
                return Err(NetlinkError::TooMany { limit: LISTENERS_MAX });
            }
            table.add(socket);
            Ok(())
        })?;
        Ok(table)
    }
}

impl Table {
    fn add(&mut self, socket: &DiagSocket) {
        let address = socket.src.to_canonical();
        let sample = Sample {
            cookie: socket.cookie,
            address: SocketAddr::new(address, socket.sport),
            inode: socket.inode,
            queue: socket.rqueue,
            backlog: socket.wqueue,
            drops: socket.drops,
        };
        if address.is_unspecified() {
            let v4 = socket.family == Family::V4 || socket.v6only == Some(false);
            self.any.push((sample, v4));
        } else {
            self.own.entry(address).or_default().push(sample);
        }
    }
}

/// Watches the queues of a VIP until nobody wants to know any more.
pub(super) async fn watch(
    probe: QueueProbe,
    interval: Duration,
    at: Target,
    reporter: Reporter,
    sampler: Rc<Sampler>,
) {
    let Some(vip) = at.vip.map(|vip| vip.to_canonical()) else {
        let text = "there is no address whose queues could be read";
        reporter.report(ProbeResult::new(Outcome::Unknown, text)).await;
        return;
    };
    let mut monitor = Monitor::new(probe.rules, interval);
    let mut told: Option<(ProbeResult, Instant)> = None;
    loop {
        let result = match sampler.sample(vip, &probe.ports, interval / 2) {
            Ok(samples) => {
                let now = Instant::now();
                let micros = u64::try_from((now - sampler.began).as_micros()).unwrap_or(u64::MAX);
                monitor.observe(&samples, time::Instant::from_micros(micros))
            }
            Err(why) => {
                monitor.forget();
                ProbeResult::new(Outcome::Unknown, &why)
            }
        };
        let now = Instant::now();
        let news = told.as_ref().is_none_or(|(before, at)| {
            before.outcome != result.outcome || (*before != result && now - *at >= RETELL)
        });
        if news {
            if !reporter.report(result.clone()).await {
                return;
            }
            told = Some((result, now));
        }
        tokio::time::sleep_until(sampler.next(interval, Instant::now())).await;
    }
}
