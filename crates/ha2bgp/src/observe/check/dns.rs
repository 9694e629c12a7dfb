//! `type = "dns"`: a name server answers a question as it should, over UDP, TCP or both.
//!
//! What is asked and how answers are judged is in [`ha2bgp_proto::dns`]; here are sockets, times
//! and identifiers. Over UDP each probe has a random port and a random identifier, and what is not
//! its answer is ignored. Over TCP the connection is the probe's own: anything else fails.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::dns::{
    Class, DnsExpectation, DnsName, Query, RecordType, Reply, Transport, Unframed, frame, unframe,
};
use ha2bgp_proto::template::{Template, Values};
use socket2::Protocol;

use super::datagram::{self, Datagram};
use super::net::{self, SourceOptions};
use super::{Phase, Target, random, stream};

/// A server that sends more messages than this which are no answers has failed.
const IGNORED_MAX: usize = 1000;

/// What a DNS probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsProbe {
    /// Where to; `None`: the VIP.
    pub address: Option<IpAddr>,
    /// The port, 1 to 65535.
    pub port: u16,
    /// What is asked about.
    pub name: Name,
    /// Which records are asked for.
    pub record_type: RecordType,
    /// Of which class.
    pub class: Class,
    /// Whether recursion is asked for.
    pub recursion: bool,
    /// The largest datagram that EDNS allows, in octets; `None`: no EDNS.
    pub edns: Option<u16>,
    /// How.
    pub protocol: Ways,
    /// How often the question is sent over UDP at most, 1 to 10.
    pub attempts: u8,
    /// What the answer must be.
    pub expectation: DnsExpectation,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ways {
    /// Over UDP; an answer that is cut short fails.
    Udp,
    /// Over TCP.
    Tcp,
    /// Over UDP, and over TCP when the answer is cut short.
    Both,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    /// Always the same.
    Fixed(DnsName),
    /// With the VIP in it.
    PerVip {
        /// The text.
        template: Template,
        /// What `{service}` stands for.
        service: String,
    },
}

impl Name {
    fn fill(&self, vip: Option<IpAddr>, port: u16) -> Result<DnsName, String> {
        match self {
            Self::Fixed(name) => Ok(name.clone()),
            Self::PerVip { template, service } => {
                let values = Values { vip, port: Some(port), service };
                let text = template.fill(&values).map_err(|error| error.to_string())?;
                text.parse().map_err(|error| format!("{error}"))
            }
        }
    }
}

/// One question to one server.
struct Asking<'a> {
    probe: &'a DnsProbe,
    source: &'a SourceOptions,
    target: SocketAddr,
    query: Query,
    phase: &'a Phase,
}

impl DnsProbe {
    /// Makes one probe.
    pub async fn run(
        &self,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
        timeout: Duration,
    ) -> ProbeResult {
        let unknown = |text: &str| ProbeResult::new(Outcome::Unknown, text);
        let Some(address) = self.address.or(at.vip) else {
            return unknown("there is no address to ask");
        };
        let name = match self.name.fill(at.vip, self.port) {
            Ok(name) => name,
            Err(error) => return unknown(&error),
        };
        let query = Query {
            name,
            record_type: self.record_type,
            class: self.class,
            recursion: self.recursion,
            edns: self.edns,
        };
        let target = SocketAddr::new(address, self.port);
        let asking = Asking { probe: self, source, target, query, phase };
        if self.protocol != Ways::Tcp {
            match asking.over_udp(timeout).await {
                Ok(Some(result)) => return result,
                Ok(None) => {}
                Err(error) => return net::failure(&format!("asking {target} over udp"), &error),
            }
            if self.protocol == Ways::Udp {
                return ProbeResult::new(
                    Outcome::Fail,
                    "the answer is cut short (flag TC), and the check may not ask over tcp",
                );
            }
        }
        match asking.over_tcp().await {
            Ok(result) => result,
            Err(error) => net::failure(&format!("asking {target} over tcp"), &error),
        }
    }
}

impl Asking<'_> {
    /// The verdict; none when the answer is cut short.
    async fn over_udp(&self, timeout: Duration) -> io::Result<Option<ProbeResult>> {
        let socket = datagram::open(self.target, Protocol::UDP)?;
        let socket = Datagram::connect(socket, self.source, self.target)?;
        let id = u16::from_ne_bytes(random()?);
        let message = self.query.message(id);
        let attempts = self.probe.attempts.max(1);
        let mut turns = tokio::time::interval(timeout / u32::from(attempts));
        let (mut sent, mut ignored) = (0, 0);
        self.phase.begin("waiting for the answer over udp");
        loop {
            let reply = tokio::select! {
                biased;
                reply = socket.receive(|message| self.judge(id, Transport::Udp, message)) => reply?,
                _turn = turns.tick(), if sent < attempts => {
                    sent += 1;
                    socket.send(&message).await?;
                    continue;
                }
            };
            match reply {
                Reply::Judged(result) => return Ok(Some(result)),
                Reply::Truncated => return Ok(None),
                Reply::NotOurs(why) => {
                    ignored += 1;
                    if ignored > IGNORED_MAX {
                        let text = format!(
                            "{} sends {IGNORED_MAX} messages that are no answers, the last: {why}",
                            self.target
                        );
                        return Ok(Some(ProbeResult::new(Outcome::Fail, &text)));
                    }
                    let last = || format!("{ignored} messages were no answers, the last: {why}");
                    self.phase.note(last);
                }
            }
        }
    }

    async fn over_tcp(&self) -> io::Result<ProbeResult> {
        let fail = |text: &str| Ok(ProbeResult::new(Outcome::Fail, text));
        self.phase.begin("connecting over tcp");
        let mut stream = self.source.connect(self.target).await?;
        let id = u16::from_ne_bytes(random()?);
        // A query is never too long for a frame.
        let message = frame(&self.query.message(id)).unwrap_or_default();
        self.phase.begin("sending over tcp");
        stream::write(&mut stream, &message).await?;
        self.phase.begin("waiting for the answer over tcp");
        let mut received = Vec::new();
        loop {
            let read = stream::read(&mut stream, |piece| received.extend_from_slice(piece)).await?;
            let count = received.len();
            if read.is_none() {
                return fail(&format!("closed after {count} octets of the answer over tcp"));
            }
            match unframe(&received) {
                // A message ends after 65 537 octets, whoever sends more.
                Unframed::More(more) => {
                    self.phase.note(|| format!("{count} octets came, {more} are missing"));
                }
                Unframed::Message { message, .. } => {
                    return match self.judge(id, Transport::Tcp, message) {
                        Reply::Judged(result) => Ok(result),
                        // Never over TCP: the judge has said so already.
                        Reply::Truncated => fail("the answer is cut short (flag TC)"),
                        Reply::NotOurs(why) => fail(&format!("no answer came over tcp: {why}")),
                    };
                }
            }
        }
    }

    fn judge(&self, id: u16, transport: Transport, message: &[u8]) -> Reply {
        self.probe.expectation.judge(&self.query, id, transport, message)
    }
}
