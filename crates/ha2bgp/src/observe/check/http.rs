//! `type = "http"`: a request is answered as expected.
//!
//! The connection goes to the VIP, whatever host the URL names: that host is what the service is
//! asked for (`Host`, SNI). What makes an answer good is judged by `ha2bgp_proto::http`; this
//! module gets the answer, within limits. `exchange` speaks HTTP/1.1 with hyper; `text` says
//! what went wrong.
//!
//! It starts no task: the connection moves on while its probe waits for the answer, so that a probe
//! whose time is over leaves nothing behind.

mod exchange;
#[cfg(test)]
mod tests;
mod text;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::http::{Expectation, Scheme, Url, UrlTemplate};
use ha2bgp_proto::proxy_protocol::{self, Version};
use ha2bgp_proto::template::Values;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Method, StatusCode, Uri};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::exchange::{Answer, Connection};
use super::net::{self, SourceOptions};
use super::times::Times;
use super::tls::{self, Stream};
use super::{Phase, Target};

/// More redirections are never followed.
pub const REDIRECTS_MAX: u8 = 5;
/// More work than this ([`Expectation::work`]) is done on a thread of its own. The nastiest expression
/// takes 40 ms for it, and other probes wait so long; ordinary ones take less than 0.1 ms.
const LIGHT: usize = 8 * 1024;
/// What the name of this program is to servers.
const AGENT: &str = concat!("ha2bgp/", env!("CARGO_PKG_VERSION"));

/// What an HTTP probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpProbe {
    /// What is asked for.
    pub url: UrlTemplate,
    /// What `{service}` stands for; empty where the URL does not use it.
    pub service: String,
    /// Where to, instead of the VIP or the address in the URL.
    pub address: Option<IpAddr>,
    /// The port to connect to, instead of the one in the URL, and what `{port}` stands for.
    pub port: Option<u16>,
    /// GET, HEAD or POST.
    pub method: Method,
    /// More fields of the request. Their values are marked as sensitive: none is ever shown.
    pub headers: HeaderMap,
    /// The body of a POST.
    pub body: Body,
    /// What the answer must be.
    pub expectation: Arc<Expectation>,
    /// How much of the body is read, in octets; 0 reads none.
    pub max_body: usize,
    /// The connection is kept for the next probe. Only with methods that may be repeated.
    pub keep_alive: bool,
    /// How many redirections are followed, 0 to [`REDIRECTS_MAX`]; 0 takes one as the answer.
    pub redirects: u8,
    /// The header that comes before all else.
    pub proxy: Option<Version>,
    /// How `https` is spoken; there is one wherever it may be needed.
    pub tls: Option<tls::Client>,
}

/// The body of a request. It may hold secrets, so it is not shown.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Body(pub Bytes);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} octets)", self.0.len())
    }
}

/// What one probe leaves for the next one of the same check and VIP.
#[derive(Debug)]
pub struct Kept {
    way: Option<Rc<Way>>,
    connection: Option<Connection>,
    /// How many connections may be kept, by all checks.
    places: Arc<Semaphore>,
    /// An answer that is still being looked at.
    judging: Option<JoinHandle<ProbeResult>>,
}

impl Kept {
    /// Nothing yet. A connection is kept while there is a place for it.
    pub const fn new(places: Arc<Semaphore>) -> Self {
        Self { way: None, connection: None, places, judging: None }
    }

    /// Keeps it, where there is a place.
    fn keep(&mut self, mut connection: Connection) {
        if connection.place.is_none() {
            connection.place = Arc::clone(&self.places).try_acquire_owned().ok();
        }
        self.connection = Some(connection).filter(|connection| connection.place.is_some());
    }
}

/// A URL made ready to ask for.
#[derive(Debug)]
struct Way {
    url: Url,
    target: SocketAddr,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl HttpProbe {
    /// Makes one probe.
    pub async fn run(
        &self,
        kept: &mut Kept,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
    ) -> ProbeResult {
        let mut times = Times::begin();
        let (result, expiry) = match self.probe(kept, source, at, phase, &mut times).await {
            Ok(judged) => judged,
            Err(result) => return result,
        };
        if result.outcome != Outcome::Pass {
            return result;
        }
        let detail = format!("{}{times}", result.detail);
        let result = ProbeResult::new(Outcome::Pass, &detail);
        expiry.map_or(result.clone(), |expiry| expiry.warn(&result))
    }

    /// Asks, and follows redirections.
    async fn probe(
        &self,
        kept: &mut Kept,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
        times: &mut Times,
    ) -> Result<(ProbeResult, Option<tls::Expiry>), ProbeResult> {
        if kept.judging.as_ref().is_some_and(|judging| !judging.is_finished()) {
            let text = "not made: the last answer is still being looked at, on this host";
            return Err(ProbeResult::new(Outcome::Unknown, text));
        }
        let mut way = match &kept.way {
            Some(way) => Rc::clone(way),
            None => {
                let way = Rc::new(self.first(at)?);
                kept.way = Some(Rc::clone(&way));
                way
            }
        };
        let mut followed = 0;
        loop {
            let answer = self.ask(kept, source, &way, phase, times).await?;
            let location = answer.headers.get(LOCATION);
            match location.filter(|_| self.redirects > 0 && is_redirection(answer.status)) {
                Some(_) if followed == self.redirects => {
                    let text = format!("redirected more than {followed} times");
                    return Err(ProbeResult::new(Outcome::Fail, &text));
                }
                Some(location) => {
                    followed += 1;
                    way = Rc::new(self.next(&way, answer.status, location)?);
                }
                None => {
                    let expiry = answer.expiry;
                    return Ok((self.judge(kept, answer, phase).await, expiry));
                }
            }
        }
    }

    /// Looks at an answer; at one that may take long where it holds up nobody else.
    async fn judge(&self, kept: &mut Kept, answer: Answer, phase: &Phase) -> ProbeResult {
        let headers = answer.headers.values().map(HeaderValue::len).sum();
        if self.expectation.work(headers, answer.body.len()) <= LIGHT {
            return judge(&self.expectation, &answer);
        }
        phase.begin_own("looking at the answer");
        let expectation = Arc::clone(&self.expectation);
        let judging = tokio::task::spawn_blocking(move || judge(&expectation, &answer));
        let result = kept.judging.insert(judging).await;
        kept.judging = None;
        result.unwrap_or_else(|_| ProbeResult::new(Outcome::Unknown, "the answer was not judged"))
    }

    /// What is asked for first.
    fn first(&self, at: Target) -> Result<Way, ProbeResult> {
        let unknown = |text: &str| ProbeResult::new(Outcome::Unknown, text);
        let values = Values { vip: at.vip, port: self.port, service: &self.service };
        let url = self.url.fill(&values).map_err(|error| unknown(&error.to_string()))?;
        let address = self.address.or(url.address).or(at.vip);
        let address = address.ok_or_else(|| unknown("there is no address to connect to"))?;
        let target = SocketAddr::new(address, self.port.unwrap_or(url.port));
        self.way(url, target, self.method.clone())
    }

    /// What is asked for after a redirection: of the same address, whatever host it names.
    fn next(
        &self,
        from: &Way,
        status: StatusCode,
        location: &HeaderValue,
    ) -> Result<Way, ProbeResult> {
        let fail = |text: String| ProbeResult::new(Outcome::Fail, &text);
        let url = from.url.follow(location.as_bytes()).map_err(|error| fail(error.to_string()))?;
        let there = (url.scheme, url.port) == (from.url.scheme, from.url.port);
        if let Some(address) = url.address
            && url.address != from.url.address
            && address != from.target.ip()
        {
            return Err(fail(format!("redirected to another address, {address}")));
        }
        let port = if there { from.target.port() } else { url.port };
        // RFC 9110 sections 15.4.2 to 15.4.9: only 307 and 308 repeat a POST.
        let method = match from.method {
            Method::POST if !matches!(status.as_u16(), 307 | 308) => Method::GET,
            _ => from.method.clone(),
        };
        self.way(url, SocketAddr::new(from.target.ip(), port), method)
    }

    fn way(&self, url: Url, target: SocketAddr, method: Method) -> Result<Way, ProbeResult> {
        let wrong = |_| ProbeResult::new(Outcome::Unknown, "the URL is too long when it is filled");
        let uri = Uri::try_from(url.target.as_str()).map_err(|error| wrong(error.into()))?;
        let host = HeaderValue::from_str(&url.authority);
        let mut headers = HeaderMap::with_capacity(4 + self.headers.len());
        headers.insert(HOST, host.map_err(|error| wrong(hyper::http::Error::from(error)))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if !self.keep_alive {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.0.len()));
        }
        for name in self.headers.keys() {
            headers.remove(name);
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(Way { url, target, method, uri, headers })
    }

    /// Gets one answer, on the kept connection where there is one that still works.
    async fn ask(
        &self,
        kept: &mut Kept,
        source: &SourceOptions,
        way: &Way,
        phase: &Phase,
        times: &mut Times,
    ) -> Result<Answer, ProbeResult> {
        if let Some(mut connection) = kept.connection.take()
            && connection.fits(way)
            && connection.still_works().await
        {
            match connection.exchange(self, way, phase).await {
                Ok(answer) => {
                    if self.keep_alive && connection.is_reusable(&answer) {
                        kept.keep(connection);
                    }
                    return Ok(answer);
                }
                // The server may have closed it just now: nothing is known of the service yet.
                Err(failed) if failed.before_answer => {}
                Err(failed) => return Err(failed.result),
            }
        }
        let mut connection = self.connect(source, way, phase, times).await?;
        match connection.exchange(self, way, phase).await {
            Ok(answer) => {
                if self.keep_alive && connection.is_reusable(&answer) {
                    kept.keep(connection);
                }
                Ok(answer)
            }
            Err(failed) => Err(failed.result),
        }
    }

    /// Opens a connection: TCP, then the PROXY header, then TLS.
    async fn connect(
        &self,
        source: &SourceOptions,
        way: &Way,
        phase: &Phase,
        times: &mut Times,
    ) -> Result<Connection, ProbeResult> {
        let target = way.target;
        phase.begin("connecting");
        let connecting = |error| net::failure(&format!("connecting to {target}"), &error);
        let mut stream = source.connect(target).await.map_err(connecting)?;
        times.part("connect");
        if let Some(version) = self.proxy {
            let ends = stream.local_addr().and_then(|own| Ok((own, stream.peer_addr()?)));
            let (source, destination) = ends.map_err(connecting)?;
            let who = proxy_protocol::Connection::Proxied { source, destination };
            let header = proxy_protocol::header(version, who);
            let sending = |error| net::failure("sending the PROXY header", &error);
            stream.write_all(&header).await.map_err(sending)?;
        }
        let (stream, expiry) = match (way.url.scheme, &self.tls) {
            (Scheme::Http, _) => (Stream::Plain(stream), None),
            (Scheme::Https, Some(tls)) => {
                phase.begin("agreeing on TLS");
                let (stream, expiry) = tls.handshake(stream, &way.url.host).await?;
                times.part("tls");
                (Stream::Tls(Box::new(stream)), expiry)
            }
            (Scheme::Https, None) => {
                let text = "redirected to https, and there are no options for TLS";
                return Err(ProbeResult::new(Outcome::Unknown, text));
            }
        };
        Connection::open(stream, way, expiry).await
    }
}

fn judge(expectation: &Expectation, answer: &Answer) -> ProbeResult {
    let fields: Vec<(&str, &[u8])> = match expectation.headers.is_empty() {
        true => Vec::new(),
        false => {
            let fields = answer.headers.iter();
            fields.map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
        }
    };
    let status = answer.status.as_u16();
    expectation.judge(status, fields.iter().copied(), &answer.body, answer.truncated)
}

/// A status with which `Location` is where to ask instead (RFC 9110 section 15.4).
fn is_redirection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
