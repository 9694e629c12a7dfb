//! `type = "tcp"`: a connection can be opened, and the other side answers as it should.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::proxy_protocol::{self, Connection, Version};
use ha2bgp_proto::tcp_expect::{End, Expect, ExpectRule, Feed, SendTemplate, SendText};
use ha2bgp_proto::template::Values;
use tokio::io::{AsyncRead, AsyncWrite};

use super::net::{self, SourceOptions};
use super::{Phase, Target, stream, tls};

/// What a TCP probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpProbe {
    /// Where to; `None`: the VIP.
    pub address: Option<IpAddr>,
    /// The port, 1 to 65535.
    pub port: u16,
    /// The header of the PROXY protocol that is sent before everything else.
    pub proxy_protocol: Option<Version>,
    /// What TLS is agreed on with then; `None`: none is spoken.
    pub tls: Option<tls::Client>,
    /// What is sent then.
    pub send: Option<Send>,
    /// What must come back; `None`: nothing is read.
    pub expect: Option<ExpectRule>,
    /// How much of the answer is looked at, in octets.
    pub max_answer: usize,
}

/// What is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Send {
    /// Always the same.
    Fixed(SendText),
    /// With the VIP in it.
    PerVip {
        /// The text.
        template: SendTemplate,
        /// What `{service}` stands for.
        service: String,
    },
}

impl TcpProbe {
    /// Makes one probe. The connection is reset at its end, whatever the state of the talk.
    pub async fn run(&self, source: &SourceOptions, at: Target, phase: &Phase) -> ProbeResult {
        self.probe(source, at, phase).await.unwrap_or_else(|result| result)
    }

    async fn probe(
        &self,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
    ) -> Result<ProbeResult, ProbeResult> {
        let Some(address) = self.address.or(at.vip) else {
            return Err(ProbeResult::new(Outcome::Unknown, "there is no address to connect to"));
        };
        let target = SocketAddr::new(address, self.port);
        let failed = |what| move |error| failed(what, target, &error);
        phase.begin("connecting");
        let mut stream = source.connect(target).await.map_err(failed("connecting to"))?;
        if let Some(version) = self.proxy_protocol {
            let source = stream.local_addr().map_err(failed("connecting to"))?;
            let connection = Connection::Proxied { source, destination: target };
            let header = proxy_protocol::header(version, connection);
            phase.begin("sending");
            stream::write(&mut stream, &header).await.map_err(failed("sending to"))?;
        }
        let Some(client) = &self.tls else {
            return self.converse(&mut stream, at, target, phase).await;
        };
        phase.begin("agreeing on TLS");
        let (mut stream, expiry) = client.handshake(stream, &address.to_string()).await?;
        let result = self.converse(&mut stream, at, target, phase).await?;
        Ok(expiry.map_or_else(|| result.clone(), |expiry| expiry.warn(&result)))
    }

    /// What is said on a connection that is there, on a plain one or in TLS.
    async fn converse(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        at: Target,
        target: SocketAddr,
        phase: &Phase,
    ) -> Result<ProbeResult, ProbeResult> {
        let failed = |what| move |error| failed(what, target, &error);
        if let Some(send) = &self.send {
            let filled;
            let octets = match send {
                Send::Fixed(text) => text.octets(),
                Send::PerVip { template, service } => {
                    let values = Values { vip: at.vip, port: Some(self.port), service };
                    filled = template.fill(&values).map_err(|error| {
                        ProbeResult::new(Outcome::Unknown, &format!("nothing to send: {error}"))
                    })?;
                    filled.octets()
                }
            };
            phase.begin("sending");
            stream::write(stream, octets).await.map_err(failed("sending to"))?;
        }
        let Some(rule) = &self.expect else {
            let sent = if self.send.is_some() { "sent to" } else { "connected to" };
            return Ok(ProbeResult::new(Outcome::Pass, &format!("{sent} {target}")));
        };
        phase.begin("waiting for the answer");
        let mut expect = Expect::new(rule, self.max_answer);
        loop {
            let read = stream::read(stream, |piece| expect.feed(piece)).await;
            let read = match read {
                // TLS that is closed without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                other => other,
            };
            let end = match read.map_err(failed("waiting for the answer of"))? {
                Some(Feed::More) => {
                    phase.note(|| expect.judge(End::TimedOut).detail.to_string());
                    continue;
                }
                Some(Feed::Matched | Feed::Cannot) => End::Full,
                None => End::Closed,
            };
            return Ok(expect.judge(end));
        }
    }
}

/// What an error on the connection says.
fn failed(what: &str, target: SocketAddr, error: &io::Error) -> ProbeResult {
    match tls::words(error) {
        Some(words) => ProbeResult::new(Outcome::Fail, &words),
        None => net::failure(&format!("{what} {target}"), error),
    }
}
