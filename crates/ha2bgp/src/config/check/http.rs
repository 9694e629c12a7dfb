//! `type = "http"`.

use std::sync::Arc;

use ha2bgp_proto::http::{BodyRule, Expectation, HeaderRule, Scheme, StatusSet, UrlTemplate};
use ha2bgp_proto::pattern::Pattern;
use ha2bgp_proto::proxy_protocol::Version;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::header::{TRANSFER_ENCODING, UPGRADE};

use super::super::file::keys::{self, key};
use super::super::reader::go_bool;
use super::super::size;
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::tls::{self, TLS};
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::http::{Body, HttpProbe, REDIRECTS_MAX};

/// More fields of a request, or rules over an answer, are refused.
const RULES_MAX: usize = 32;
/// A longer value of a field in a request is refused.
const VALUE_MAX: usize = 4096;
/// A longer body of a request is refused.
const REQUEST_MAX: usize = 64 * 1024;
/// More of a body is never read.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// A request is answered as expected.
pub(super) const KIND: Kind = Kind {
    name: "http",
    about: "A request over HTTP/1.1, with or without TLS, is answered as expected.",
    keys: &[
        key(
            "url",
            keys::Kind::Text,
            "http://{vip}/",
            "What is asked for: `http` or `https`, with `{vip}`, `{port}` and `{service}`. A name as \
             its host is only asked for; the connection goes to the VIP. With `port` and without \
             this: `http://{vip}:{port}/`",
        ),
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
        key(
            "port",
            keys::Kind::Number,
            "",
            "The port to connect to, and what `{port}` stands for. Without it: that of the URL",
        ),
        key("method", keys::Kind::Text, "GET", "`GET`, `HEAD` or `POST`"),
        key("body", keys::Kind::Text, "", "The body of a POST, at most 64 KiB"),
        key(
            "request-headers",
            keys::Kind::Texts,
            "",
            "More headers of the request, each `name: value`, at most 32",
        ),
        key(
            "expect-status",
            keys::Kind::Text,
            "2xx,3xx",
            "Which statuses are good: codes, classes and ranges with commas between them",
        ),
        key(
            "expect-headers",
            keys::Kind::Texts,
            "",
            "What the headers must be, each `name`, `!name`, `name: value` or `name: /regex/`",
        ),
        key(
            "expect-body",
            keys::Kind::Texts,
            "",
            "What the body must contain, each a text or `/regex/`",
        ),
        key("reject-body", keys::Kind::Texts, "", "What the body must not contain"),
        key(
            "max-body",
            keys::Kind::Text,
            "64KiB",
            "How much of the body is read, at most 16MiB; `0` for nothing of it",
        ),
        key(
            "follow-redirects",
            keys::Kind::Number,
            "0",
            "So many redirections are followed, at most 5, all to the same address; with `0` one is \
             an answer like any other",
        ),
        key(
            "keep-alive",
            keys::Kind::Bool,
            "false",
            "One connection is kept from probe to probe. It is quicker, and does not see whether \
             new ones are taken",
        ),
        key(
            "proxy-protocol",
            keys::Kind::Text,
            "",
            "The header of the PROXY protocol is sent first: `v1` or `v2`",
        ),
    ],
    groups: &[TLS, COUNTING, TIMING, POWERS, SOURCE],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let port = fields.get("port", common::port);
    let url = match fields.is_given("port") && !fields.is_given("url") {
        true => "http://{vip}:{port}/".parse::<UrlTemplate>().ok(),
        false => fields.get("url", str::parse::<UrlTemplate>),
    };
    let address = fields.get("address", common::ip);
    let method = fields.get("method", method);
    let body = body(fields, method.as_ref());
    let headers = headers(fields);
    let keep_alive = fields.get("keep-alive", go_bool);
    if keep_alive == Some(true) && method == Some(Method::POST) {
        fields.fail(
            "keep-alive",
            "a POST could arrive twice when a kept connection breaks: leave it out",
        );
    }
    let max_body = fields.get("max-body", size);
    let expectation = expectation(fields, method.as_ref(), max_body);
    let redirects = fields.get("follow-redirects", redirects);
    let proxy = fields.get("proxy-protocol", str::parse::<Version>);
    let (url, redirects) = (url?, redirects?);
    if url.uses_port() && port.is_none() && !fields.is_given("port") {
        fields.fail("url", "has {port}, and there is no port: add port = 80");
        return None;
    }
    let tls = if url.scheme() == Scheme::Https || redirects > 0 {
        Some(tls::client(fields, b"")?)
    } else {
        tls::unused(fields, "the URL is http: write https://, or leave it out");
        None
    };
    // A URL that names an address goes there, and all VIPs have the same result.
    let elsewhere = address.is_some() || (url.host_name().is_none() && !url.is_of_vip());
    let per_vip = !elsewhere || url.uses_vip();
    let service = fields.service.filter(|_| url.uses_service()).unwrap_or_default().to_owned();
    let probe = HttpProbe {
        url,
        service,
        address,
        port,
        method: method?,
        headers: headers?,
        body: body?,
        expectation: Arc::new(expectation?),
        max_body: max_body?,
        keep_alive: keep_alive?,
        redirects,
        proxy,
        tls,
    };
    Some(Read::polled(Polled::Http(Box::new(probe)), per_vip))
}

fn method(text: &str) -> Result<Method, String> {
    match text {
        "GET" => Ok(Method::GET),
        "HEAD" => Ok(Method::HEAD),
        "POST" => Ok(Method::POST),
        other => Err(format!("\"{other}\" is no method of a check: write GET, HEAD or POST")),
    }
}

fn body(fields: &mut Fields<'_>, method: Option<&Method>) -> Option<Body> {
    if fields.is_given("body") && method.is_some_and(|method| *method != Method::POST) {
        fields.fail("body", "only a POST has a body: add method = \"POST\"");
        return None;
    }
    let read = |text: &str| match text.len() {
        0..=REQUEST_MAX => Ok(Body(Bytes::copy_from_slice(text.as_bytes()))),
        length => Err(format!("it has {length} octets and may have {REQUEST_MAX}: send less")),
    };
    match fields.is_given("body") {
        true => fields.get("body", read),
        false => Some(Body::default()),
    }
}

fn headers(fields: &mut Fields<'_>) -> Option<HeaderMap> {
    let given = fields.all("request-headers", header);
    if given.len() > RULES_MAX {
        too_many(fields, "request-headers", given.len());
        return None;
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        headers.append(name, value);
    }
    Some(headers)
}

/// One field of a request.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    // The value may be a secret: it is not shown.
    let (name, value) =
        text.split_once(':').ok_or("a header has a colon: write \"name: value\"")?;
    let shown: String = name.chars().take(40).collect();
    let name = HeaderName::try_from(name.trim())
        .map_err(|_| format!("\"{shown}\" is not the name of a header: write \"name: value\""))?;
    if name == HOST {
        return Err("the host is that of the URL: write url = \"http://NAME/\"".to_owned());
    }
    if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(&name) {
        return Err(format!(
            "{name} is for the connection, and is not yours to send: leave it out"
        ));
    }
    let value = value.trim();
    let mut value = HeaderValue::from_str(value)
        .ok()
        .filter(|value| value.len() <= VALUE_MAX)
        .ok_or_else(|| {
            format!(
                "the value of {name} cannot be sent: write at most {VALUE_MAX} printable characters"
            )
        })?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn expectation(
    fields: &mut Fields<'_>,
    method: Option<&Method>,
    max_body: Option<usize>,
) -> Option<Expectation> {
    let status = fields.get("expect-status", str::parse::<StatusSet>);
    let headers = fields.all("expect-headers", str::parse::<HeaderRule>);
    let mut body = Vec::new();
    for (name, absent) in [("expect-body", false), ("reject-body", true)] {
        let patterns = fields.all(name, str::parse::<Pattern>);
        if patterns.len() > RULES_MAX {
            too_many(fields, name, patterns.len());
        }
        if fields.is_given(name) && method.is_some_and(|method| *method == Method::HEAD) {
            fields.fail(name, "the answer to HEAD has no body: write method = \"GET\"");
        }
        if fields.is_given(name) && max_body == Some(0) {
            fields.fail(name, "nothing of the body is read with max-body = \"0\": write more");
        }
        body.extend(patterns.into_iter().map(|pattern| BodyRule { pattern, absent }));
    }
    if headers.len() > RULES_MAX {
        too_many(fields, "expect-headers", headers.len());
    }
    Some(Expectation { status: status?, headers, body })
}

fn too_many(fields: &mut Fields<'_>, name: &str, count: usize) {
    fields.fail(name, format_args!("{count} are more than {RULES_MAX}: leave some out"));
}

fn redirects(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(count @ 0..=REDIRECTS_MAX) => Ok(count),
        _ => Err(format!("\"{text}\" is not a count from 0 to {REDIRECTS_MAX}: write less")),
    }
}

/// A size such as `64KiB`.
fn size(text: &str) -> Result<usize, String> {
    match usize::try_from(size::parse(text)?) {
        Ok(size @ 0..=BODY_MAX) => Ok(size),
        _ => Err(format!("\"{text}\" is too much: write at most 16MiB")),
    }
}
