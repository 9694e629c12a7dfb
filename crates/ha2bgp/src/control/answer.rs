//! Answers: what an endpoint gives back, and how it goes over the wire.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::api::{self, Code, Refusal};
use super::events::{EventStream, Source};

/// What an endpoint gives back.
#[derive(Debug)]
pub enum Answer {
    /// One value of JSON.
    Json(Vec<u8>),
    /// A text of that type.
    Text(&'static str, Vec<u8>),
    /// Events, for as long as there are any and the client wants them. The connection may stay for
    /// longer than others, and is counted.
    Events(Source),
}

impl Answer {
    /// A value as JSON.
    pub fn json(value: &impl Serialize) -> Self {
        Self::Json(api::json(value))
    }
}

/// A body, as hyper asks for its parts.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it, until it was taken.
    Whole(Bytes),
    /// Events as they come.
    Events(Box<EventStream>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Events(stream) => std::task::ready!(stream.poll_next(context)),
        };
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                u64::try_from(bytes.len()).map_or_else(|_| SizeHint::new(), SizeHint::with_exact)
            }
            Self::Events(_) => SizeHint::new(),
        }
    }
}

/// An answer that is whole.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Content> {
    respond(status, kind, Content::Whole(Bytes::from(body)))
}

/// An answer with JSON.
pub(super) fn json(body: Vec<u8>) -> Response<Content> {
    whole(StatusCode::OK, "application/json", body)
}

/// An answer that goes on. Its connection is for nothing else.
pub(super) fn stream(stream: EventStream) -> Response<Content> {
    let content = Content::Events(Box::new(stream));
    let mut response = respond(StatusCode::OK, "text/event-stream", content);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer to OPTIONS.
pub(super) fn options(methods: &[&str]) -> Response<Content> {
    let mut response = whole(StatusCode::NO_CONTENT, "application/json", Vec::new());
    response.headers_mut().remove(CONTENT_TYPE);
    allow(&mut response, methods);
    response
}

/// An answer that is no success; with the methods that there are, where that is what is wrong.
pub(super) fn refuse(refusal: &Refusal, methods: &[&str]) -> Response<Content> {
    let status = StatusCode::from_u16(refusal.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = whole(status, "application/json", refusal.body());
    let headers = response.headers_mut();
    match refusal.code {
        Code::TooMany | Code::Busy => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What is left of the body is not read.
        Code::TooLarge | Code::TooSlow => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Code::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ha2bgp\""));
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    allow(&mut response, methods);
    response
}

fn allow(response: &mut Response<Content>, methods: &[&str]) {
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", "))
        && !methods.is_empty()
    {
        response.headers_mut().insert(ALLOW, methods);
    }
}

fn respond(status: StatusCode, kind: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
