//! `type = "tcp"`.

use ha2bgp_proto::proxy_protocol::Version;
use ha2bgp_proto::tcp_expect::{ExpectRule, MAX_WINDOW, SendTemplate};
use ha2bgp_proto::template::Values;

use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::tls::{self, TLS};
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::tcp::{Send, TcpProbe};

/// A connection can be opened, and the other side answers.
pub(super) const KIND: Kind = Kind {
    name: "tcp",
    about: "A TCP connection to the VIP can be opened, and what comes back is what is expected.",
    keys: &[
        key("port", keys::Kind::Number, "", "The port, 1 to 65535; it must be given"),
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
        key(
            "send",
            keys::Kind::Text,
            "",
            "What is sent, at most 4096 octets. `{vip}`, `{port}` and `{service}` are filled in; \
             `\\r`, `\\n`, `\\t`, `\\0`, `\\xHH` and `\\\\` are octets",
        ),
        key(
            "expect",
            keys::Kind::Text,
            "",
            "What the answer must contain: a text with the same escapes, or `/regex/`. Without it \
             nothing is read",
        ),
        key(
            "max-answer",
            keys::Kind::Number,
            "4096",
            "How many octets of the answer are looked at, 1 to 65536; with `/regex/` 4096 at most",
        ),
        key(
            "proxy-protocol",
            keys::Kind::Text,
            "",
            "Sends a header of the PROXY protocol first: `v1` or `v2`",
        ),
        key(
            "tls",
            keys::Kind::Bool,
            "false",
            "Speaks TLS; the certificate must be for the address, or for `tls-name`",
        ),
    ],
    groups: &[COUNTING, TIMING, POWERS, SOURCE, TLS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let port = fields.required("port", "443", common::port);
    let address = fields.get("address", common::ip);
    let template = fields.get("send", str::parse::<SendTemplate>);
    let expect = fields.get("expect", str::parse::<ExpectRule>);
    let max_answer = fields.get("max-answer", window);
    let proxy_protocol = fields.get("proxy-protocol", str::parse::<Version>);
    let tls = if fields.on("tls") {
        Some(tls::client(fields, b"")?)
    } else {
        tls::unused(fields, "this check speaks none: add tls = true, or leave it out");
        None
    };
    if let (Some(rule), Some(most)) = (&expect, max_answer)
        && most > rule.max_window()
    {
        let limit = rule.max_window();
        fields.fail(
            "max-answer",
            format_args!("an expression looks at {limit} octets at most: write {limit} or less"),
        );
    }
    let port = port?;
    let send = match template {
        Some(template) => Some(send(fields, template, port)?),
        None => None,
    };
    let per_vip = address.is_none() || matches!(send, Some(Send::PerVip { .. }));
    let max_answer = max_answer?;
    let probe = TcpProbe { address, port, proxy_protocol, tls, send, expect, max_answer };
    Some(Read::polled(Polled::Tcp(Box::new(probe)), per_vip))
}

/// Fills in all that is known already, so that identical probes are made once.
fn send(fields: &mut Fields<'_>, template: SendTemplate, port: u16) -> Option<Send> {
    let service = fields.service.unwrap_or("service").to_owned();
    if template.template().uses_vip() {
        return Some(Send::PerVip { template, service });
    }
    match template.fill(&Values { vip: None, port: Some(port), service: &service }) {
        Ok(text) => Some(Send::Fixed(text)),
        Err(error) => {
            fields.fail("send", error);
            None
        }
    }
}

fn window(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(window @ 1..=MAX_WINDOW) => Ok(window),
        _ => {
            Err(format!("\"{text}\" is not a size from 1 to {MAX_WINDOW}: write for example 4096"))
        }
    }
}
