//! `type = "grpc"`: the health service of gRPC says that a service is serving.
//!
//! HTTP/2 is spoken by the crate `h2`, which hyper would use too; here it needs no task of its own.
//! The messages are those of `ha2bgp_proto::grpc_health`. Cleartext begins with HTTP/2 at once
//! (RFC 9113 section 3.3), TLS agrees on `h2` (ALPN).

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;

use h2::client::SendRequest;
use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::grpc_health::{self, Code, Serving};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Method, Request, StatusCode, Uri};

use super::net::{self, SourceOptions};
use super::times::Times;
use super::tls::{self, Stream};
use super::{Phase, Target};

/// The longest head or trailer of an answer, in octets.
const HEAD_MAX: u32 = 16 * 1024;
/// What servers are told that asks.
const AGENT: &str = concat!("ha2bgp/", env!("CARGO_PKG_VERSION"));

/// What a gRPC probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcProbe {
    /// Where to; `None`: the VIP.
    pub address: Option<IpAddr>,
    /// The port, 1 to 65535.
    pub port: u16,
    /// As whom the server is asked; `None`: address and port.
    pub authority: Option<Authority>,
    /// The service that is asked about; empty: the server as a whole.
    pub service: String,
    /// What it means that the server does not know the service, or not how it is.
    pub unknown: Outcome,
    /// How TLS is spoken; `None`: not at all.
    pub tls: Option<tls::Client>,
}

/// All of an answer.
#[derive(Debug)]
struct Answer {
    code: Code,
    message: Vec<u8>,
    body: Vec<u8>,
}

impl GrpcProbe {
    /// Makes one probe.
    pub async fn run(&self, source: &SourceOptions, at: Target, phase: &Phase) -> ProbeResult {
        let mut times = Times::begin();
        match self.probe(source, at, phase, &mut times).await {
            Ok((answer, expiry)) => {
                let result = self.judge(&answer);
                if result.outcome != Outcome::Pass {
                    return result;
                }
                let detail = format!("{}{times}", result.detail);
                let result = ProbeResult::new(Outcome::Pass, &detail);
                expiry.map_or(result.clone(), |expiry| expiry.warn(&result))
            }
            Err(result) => result,
        }
    }

    fn judge(&self, answer: &Answer) -> ProbeResult {
        let about = match self.service.as_str() {
            "" => String::new(),
            service => format!("{service} is "),
        };
        match answer.code {
            Code::OK => match grpc_health::answer(&answer.body) {
                Ok(Serving::Serving) => ProbeResult::new(Outcome::Pass, &format!("{about}SERVING")),
                Ok(bad @ Serving::NotServing) => fail(&format!("{about}{bad}")),
                Ok(other @ (Serving::Unknown | Serving::ServiceUnknown | Serving::Other(_))) => {
                    ProbeResult::new(self.unknown, &format!("{about}{other}"))
                }
                Err(error) => fail(&error.to_string()),
            },
            code => {
                let outcome = if code == Code::NOT_FOUND { self.unknown } else { Outcome::Fail };
                ProbeResult::new(outcome, &grpc_health::complaint(code, &answer.message))
            }
        }
    }

    async fn probe(
        &self,
        source: &SourceOptions,
        at: Target,
        phase: &Phase,
        times: &mut Times,
    ) -> Result<(Answer, Option<tls::Expiry>), ProbeResult> {
        let address = self.address.or(at.vip);
        let address = address.ok_or_else(|| {
            ProbeResult::new(Outcome::Unknown, "there is no address to connect to")
        })?;
        let target = SocketAddr::new(address, self.port);
        phase.begin("connecting");
        let connecting = |error| net::failure(&format!("connecting to {target}"), &error);
        let stream = source.connect(target).await.map_err(connecting)?;
        times.part("connect");
        let (stream, expiry) = match &self.tls {
            None => (Stream::Plain(stream), None),
            Some(tls) => {
                phase.begin("agreeing on TLS");
                let host = match &self.authority {
                    Some(authority) => authority.host().trim_matches(['[', ']']).to_owned(),
                    None => address.to_string(),
                };
                let (stream, expiry) = tls.handshake(stream, &host).await?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(fail("the server does not agree to HTTP/2 (ALPN h2)"));
                }
                times.part("tls");
                (Stream::Tls(Box::new(stream)), expiry)
            }
        };
        phase.begin("waiting for the answer");
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(HEAD_MAX).max_concurrent_streams(0);
        let made = builder.handshake(stream).await;
        let (sender, connection) = made.map_err(|error| failure(&error))?;
        let request = self.request(target)?;
        let body = Bytes::from(grpc_health::request(&self.service));
        let mut call = pin!(call(sender, request, body, phase));
        let mut connection = pin!(connection);
        let mut over = None;
        // The connection moves on while the call waits, and ends with it.
        let answer = poll_fn(|cx| {
            if over.is_none()
                && let Poll::Ready(end) = connection.as_mut().poll(cx)
            {
                over = Some(end);
            }
            match (call.as_mut().poll(cx), &over) {
                (Poll::Ready(result), _) => Poll::Ready(result),
                (Poll::Pending, None) => Poll::Pending,
                (Poll::Pending, Some(Err(error))) => Poll::Ready(Err(failure(error))),
                (Poll::Pending, Some(Ok(()))) => Poll::Ready(Err(fail(CLOSED))),
            }
        });
        Ok((answer.await?, expiry))
    }

    fn request(&self, target: SocketAddr) -> Result<Request<()>, ProbeResult> {
        let wrong = |_| ProbeResult::new(Outcome::Unknown, "there is no request to send");
        let scheme = if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder().scheme(scheme).path_and_query(grpc_health::PATH);
        let uri = match &self.authority {
            Some(authority) => uri.authority(authority.clone()),
            None => uri.authority(target.to_string()),
        };
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.build().map_err(wrong)?;
        let headers = request.headers_mut();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        Ok(request)
    }
}

/// One call: a message goes out; head, message and trailers come in.
async fn call(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
    phase: &Phase,
) -> Result<Answer, ProbeResult> {
    let wrong = |error: h2::Error| failure(&error);
    let mut sender = sender.ready().await.map_err(wrong)?;
    let (answer, mut stream) = sender.send_request(request, false).map_err(wrong)?;
    stream.send_data(body, true).map_err(wrong)?;
    let (head, mut incoming) = answer.await.map_err(wrong)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(fail(&format!("HTTP status {}, expected 200", head.status.as_u16())));
    }
    let kind = head.headers.get(CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
    if !kind.starts_with(b"application/grpc") {
        let kind = String::from_utf8_lossy(kind.get(..40).unwrap_or(kind)).into_owned();
        return Err(fail(&format!("the answer is of type \"{kind}\", not application/grpc")));
    }
    phase.begin("reading the answer");
    let mut body = Vec::new();
    while let Some(data) = incoming.data().await {
        body.extend_from_slice(&data.map_err(wrong)?);
        // The window is larger, so that none of it needs to be given back.
        if body.len() > grpc_health::MAX_ANSWER {
            let max = grpc_health::MAX_ANSWER;
            return Err(fail(&format!("the answer has more than {max} octets")));
        }
    }
    let trailers = incoming.trailers().await.map_err(wrong)?.unwrap_or_default();
    // An answer without a message has all in its head.
    let field = |name: &str| trailers.get(name).or_else(|| head.headers.get(name));
    let code = field("grpc-status").ok_or_else(|| fail("there is no grpc-status in the answer"))?;
    let code = Code::read(code.as_bytes());
    let code = code.ok_or_else(|| fail("grpc-status in the answer is no number"))?;
    let message = field("grpc-message").map_or(Vec::new(), |value| value.as_bytes().to_vec());
    Ok(Answer { code, message, body })
}

const CLOSED: &str = "closed by the server before there was an answer";

fn fail(text: &str) -> ProbeResult {
    ProbeResult::new(Outcome::Fail, text)
}

/// What an error of HTTP/2 says.
fn failure(error: &h2::Error) -> ProbeResult {
    if let Some(io) = error.get_io() {
        return match tls::words(io) {
            Some(words) => fail(&words),
            None if matches!(
                io.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
            ) =>
            {
                fail(CLOSED)
            }
            None => net::failure("waiting for the answer", io),
        };
    }
    match error.reason() {
        Some(reason) if error.is_remote() => {
            fail(&format!("the server ended the call: {}", reason.description()))
        }
        _ => fail(&format!("the answer is not HTTP/2: {error}")),
    }
}
