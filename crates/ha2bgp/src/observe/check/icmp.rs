//! `type = "icmp"`: a host answers to echo requests, through the kernel's ping sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::family::Family;
use ha2bgp_proto::icmp::{Echo, Received};
use rustix::io::Errno;
use socket2::Protocol;
use tokio::time::Instant;

use super::datagram::{self, Datagram};
use super::net::{self, SourceOptions};
use super::{Phase, Target, random};

/// A host that sends more messages than this which are no answers has failed.
const IGNORED_MAX: usize = 1000;

/// What an ICMP probe does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IcmpProbe {
    /// Where to; `None`: the VIP.
    pub address: Option<IpAddr>,
    /// How many requests are sent at most, 1 to 100.
    pub count: u16,
    /// How many of them must be answered, 1 to `count`.
    pub least: u16,
    /// The data of a request, in octets, 16 to 65507.
    pub size: u16,
    /// The mean time to an answer that is still good.
    pub max_rtt_warn: Option<Duration>,
}

/// One request.
#[derive(Debug)]
struct Sent {
    echo: Echo,
    at: Instant,
    answered: bool,
}

/// What has become of the requests of one probe.
#[derive(Debug, Default)]
struct Tally {
    sent: Vec<Sent>,
    answered: u16,
    lost: u16,
    ignored: usize,
    /// What ICMP, or the kernel, has said last.
    error: Option<io::Error>,
    /// The sum of the times to the answers.
    time: Duration,
}

impl IcmpProbe {
    /// Makes one probe: it ends as soon as there are answers enough, or cannot be any more.
    pub async fn run(
        &self,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
        timeout: Duration,
    ) -> ProbeResult {
        let Some(address) = self.address.or(at.vip) else {
            return ProbeResult::new(Outcome::Unknown, "there is no address to ping");
        };
        let failed = |error: &io::Error| net::failure(&format!("pinging {address}"), error);
        let target = SocketAddr::new(address, 0);
        let protocol = if address.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
        let socket = match datagram::open(target, protocol) {
            Ok(socket) => socket,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::ACCESS) => {
                return ProbeResult::new(Outcome::Unknown, NOT_ALLOWED);
            }
            Err(error) => return failed(&error),
        };
        let socket = match Datagram::connect(socket, source, target) {
            Ok(socket) => socket,
            Err(error) => return failed(&error),
        };
        phase.begin("waiting for the answer");
        let mut tally = Tally::default();
        let mut turns = tokio::time::interval(timeout / (u32::from(self.count) + 1));
        loop {
            let more = tally.sent.len() < usize::from(self.count);
            let done = tokio::select! {
                biased;
                received = socket.receive(|message| tally.take(message)) => received,
                _turn = turns.tick(), if more => self.send(&socket, address, &mut tally).await,
            };
            if let Err(error) = done {
                // One request, whichever it was, is not answered.
                tally.lost += 1;
                if self.count.saturating_sub(tally.lost) < self.least {
                    return failed(&error);
                }
                tally.error = Some(error);
            }
            if tally.answered >= self.least {
                return self.answered(&tally);
            }
            if tally.ignored > IGNORED_MAX {
                let text = format!("{address} sends {IGNORED_MAX} messages that are no answers");
                return ProbeResult::new(Outcome::Fail, &text);
            }
            phase.note(|| self.missing(&tally));
        }
    }

    /// Sends the next request.
    async fn send(&self, socket: &Datagram, address: IpAddr, tally: &mut Tally) -> io::Result<()> {
        let sequence = u16::try_from(tally.sent.len()).unwrap_or(u16::MAX);
        let (family, token, size) = (Family::of(address), random()?, self.size);
        let echo = Echo { family, sequence, token, size };
        let request = echo.request();
        tally.sent.push(Sent { echo, at: Instant::now(), answered: false });
        socket.send(&request).await
    }

    fn answered(&self, tally: &Tally) -> ProbeResult {
        let mean = tally.time / u32::from(tally.answered.max(1));
        let (answered, sent) = (tally.answered, tally.sent.len());
        let text = format!("{answered} of {sent} answered, rtt {}", milliseconds(mean));
        match self.max_rtt_warn.filter(|limit| mean > *limit) {
            Some(limit) => {
                let limit = milliseconds(limit);
                ProbeResult::new(Outcome::Warn, &format!("{text}, more than {limit}"))
            }
            None => ProbeResult::new(Outcome::Pass, &text),
        }
    }

    fn missing(&self, tally: &Tally) -> String {
        let (answered, sent, least) = (tally.answered, tally.sent.len(), self.least);
        let mut text = format!("{answered} of {sent} answered, {least} needed");
        if let Some(error) = &tally.error {
            text.push_str(&format!(", the last error: {}", net::reason(error)));
        }
        if tally.ignored > 0 {
            text.push_str(&format!(", {} messages were no answers", tally.ignored));
        }
        text
    }
}

/// Why there is no ping socket.
const NOT_ALLOWED: &str = "no ping socket for this group, on this host: the sysctl \
    net.ipv4.ping_group_range must contain a group of ha2bgp, for both families, \
    for example \"0 2147483647\"";

impl Tally {
    /// Takes a message: each request is answered once.
    fn take(&mut self, message: &[u8]) {
        let mut open = self.sent.iter_mut().filter(|sent| !sent.answered);
        match open.find(|sent| sent.echo.receive(message) == Received::Reply) {
            Some(sent) => {
                sent.answered = true;
                self.answered += 1;
                self.time += sent.at.elapsed();
            }
            None => self.ignored += 1,
        }
    }
}

/// `0.21 ms`.
fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
