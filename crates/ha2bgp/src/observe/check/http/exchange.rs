//! One connection that speaks HTTP/1.1: a request goes out, an answer comes in, within limits.
//!
//! hyper splits a connection in two: who asks, and who moves octets. Both are polled by the probe
//! that waits, the mover first; a kept connection is moved by nobody until the next probe.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::check::ProbeResult;
use ha2bgp_proto::http::Scheme;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::Phase;
use super::super::tls::{Expiry, Stream};
use super::{HttpProbe, Way, text};

/// The longest head of an answer, in octets.
pub(super) const HEAD_MAX: usize = 32 * 1024;
/// The most fields in it.
pub(super) const FIELDS_MAX: usize = 100;

/// A connection with TLS is not kept for longer: only a new one shows whether the server's certificate
/// is still good.
pub(super) const TLS_AGE: Duration = Duration::from_secs(600);

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// As much of the body as is read.
    pub(super) body: Vec<u8>,
    /// There was more.
    pub(super) truncated: bool,
    /// The server's certificate ends soon.
    pub(super) expiry: Option<Expiry>,
}

/// No answer.
#[derive(Debug)]
pub(super) struct Failed {
    /// Nothing of an answer had come yet.
    pub(super) before_answer: bool,
    pub(super) result: ProbeResult,
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Once>,
    mover: Mover,
    target: SocketAddr,
    scheme: Scheme,
    host: String,
    expiry: Option<Expiry>,
    opened: Instant,
    /// Its place among those that are kept, once it is one of them.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// The half that moves octets, until it is over, and why it was.
#[derive(Debug)]
struct Mover {
    connection: Option<http1::Connection<TokioIo<Stream>, Once>>,
    broken: Option<hyper::Error>,
}

impl Mover {
    /// Moves what can be moved. What goes wrong is mostly told to those who wait for an answer.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(end) = Pin::new(connection).poll(cx)
        {
            self.connection = None;
            self.broken = end.err();
        }
    }
}

impl Connection {
    /// Makes a stream ready for requests.
    pub(super) async fn open(
        stream: Stream,
        way: &Way,
        expiry: Option<Expiry>,
    ) -> Result<Self, ProbeResult> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_MAX).max_headers(FIELDS_MAX);
        let made = builder.handshake(TokioIo::new(stream)).await;
        let (sender, mover) = made.map_err(|error| text::failure("opening HTTP", &error))?;
        let (target, scheme, host) = (way.target, way.url.scheme, way.url.host.clone());
        Ok(Self {
            sender,
            mover: Mover { connection: Some(mover), broken: None },
            target,
            scheme,
            host,
            expiry,
            opened: Instant::now(),
            place: None,
        })
    }

    /// Whether it leads where this one would, and shows the certificate that a new one would.
    pub(super) fn fits(&self, way: &Way) -> bool {
        let same = match self.scheme {
            Scheme::Http => true,
            Scheme::Https => self.host == way.url.host && self.opened.elapsed() < TLS_AGE,
        };
        same && (self.target, self.scheme) == (way.target, way.url.scheme)
    }

    /// Looks at a connection that was kept: whether the server has closed it meanwhile.
    pub(super) async fn still_works(&mut self) -> bool {
        let ready = poll_fn(|cx| {
            self.mover.poll(cx);
            if self.mover.connection.is_none() {
                return Poll::Ready(false);
            }
            // One that is not ready at once has something left of the last answer.
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        });
        ready.await
    }

    /// Whether it can be kept after this answer.
    pub(super) fn is_reusable(&self, answer: &Answer) -> bool {
        !answer.truncated && self.mover.connection.is_some() && !self.sender.is_closed()
    }

    /// Asks, and reads the answer.
    pub(super) async fn exchange(
        &mut self,
        probe: &HttpProbe,
        way: &Way,
        phase: &Phase,
    ) -> Result<Answer, Failed> {
        let body = if way.method == probe.method { probe.body.0.clone() } else { Bytes::new() };
        let mut request = Request::new(Once(Some(body).filter(|body| !body.is_empty())));
        request.method_mut().clone_from(&way.method);
        request.uri_mut().clone_from(&way.uri);
        request.headers_mut().clone_from(&way.headers);
        phase.begin("waiting for the answer");
        let head = self.head(request).await.map_err(|error| {
            // One that was not sent any more does not say why.
            let why = self.mover.broken.as_ref().filter(|_| error.is_canceled());
            let why = why.unwrap_or(&error);
            Failed {
                before_answer: !why.is_parse(),
                result: text::failure("waiting for the answer", why),
            }
        })?;
        let (head, incoming) = head.into_parts();
        phase.begin("reading the body");
        let (body, truncated) = self.body(incoming, probe.max_body).await?;
        let (status, headers) = (head.status, head.headers);
        Ok(Answer { status, headers, body, truncated, expiry: self.expiry })
    }

    async fn head(&mut self, request: Request<Once>) -> hyper::Result<Response<Incoming>> {
        let mut answer = pin!(self.sender.send_request(request));
        let mover = &mut self.mover;
        poll_fn(|cx| {
            mover.poll(cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Reads so much of the body; whether there was more.
    async fn body(
        &mut self,
        mut incoming: Incoming,
        max: usize,
    ) -> Result<(Vec<u8>, bool), Failed> {
        let mut body = Vec::new();
        while body.len() < max && !incoming.is_end_stream() {
            let mover = &mut self.mover;
            let frame = poll_fn(|cx| {
                mover.poll(cx);
                Pin::new(&mut incoming).poll_frame(cx)
            });
            let data = match frame.await {
                None => break,
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    let result = text::body_failure(body.len(), &error);
                    return Err(Failed { before_answer: false, result });
                }
            };
            let left = max - body.len();
            body.extend_from_slice(data.get(..left).unwrap_or(&data));
            if data.len() > left {
                return Ok((body, true));
            }
        }
        Ok((body, !incoming.is_end_stream()))
    }
}

/// A body that is there at once, or none.
#[derive(Debug)]
pub(super) struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|octets| Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.0.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
