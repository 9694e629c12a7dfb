//! `type = "grpc"`.

use ha2bgp_core::check::Outcome;
use ha2bgp_proto::grpc_health::MAX_SERVICE;
use hyper::http::uri::Authority;

use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::tls::{self, TLS};
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::grpc::GrpcProbe;

/// The health service of gRPC says that a service is serving.
pub(super) const KIND: Kind = Kind {
    name: "grpc",
    about: "The health service of gRPC (grpc.health.v1) says that a service is serving.",
    keys: &[
        key("port", keys::Kind::Number, "", "The port, 1 to 65535; it must be given"),
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
        key(
            "grpc-service",
            keys::Kind::Text,
            "",
            "The service that is asked about, as the server knows it; without it: the server as a \
             whole",
        ),
        key(
            "authority",
            keys::Kind::Text,
            "",
            "As whom the server is asked (`:authority`), and the name for TLS: `name` or \
             `name:port`. Without it: address and port",
        ),
        key(
            "on-unknown-service",
            keys::Kind::Text,
            "fail",
            "What it means that the server does not know the service, or not how it is: `fail`, \
             `warn`, `unknown` or `pass`",
        ),
        key("tls", keys::Kind::Bool, "false", "TLS is spoken"),
    ],
    groups: &[TLS, COUNTING, TIMING, POWERS, SOURCE],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let port = fields.required("port", "50051", common::port);
    let address = fields.get("address", common::ip);
    let service = fields.get("grpc-service", service);
    let authority = fields.get("authority", authority);
    let unknown = fields.get("on-unknown-service", outcome);
    let tls = if fields.on("tls") {
        Some(tls::client(fields, b"h2")?)
    } else {
        tls::unused(fields, "there is no TLS: add tls = true, or leave it out");
        None
    };
    let per_vip = address.is_none();
    let service = service.unwrap_or_default();
    let probe = GrpcProbe { address, port: port?, authority, service, unknown: unknown?, tls };
    Some(Read::polled(Polled::Grpc(Box::new(probe)), per_vip))
}

fn service(text: &str) -> Result<String, String> {
    match text.len() {
        0..=MAX_SERVICE => Ok(text.to_owned()),
        length => Err(format!("it has {length} octets and may have {MAX_SERVICE}: write less")),
    }
}

fn authority(text: &str) -> Result<Authority, String> {
    let authority = Authority::try_from(text).ok();
    let good = authority.filter(|authority| !text.contains('@') && !authority.host().is_empty());
    good.ok_or_else(|| {
        format!("\"{text}\" is no name of a server: write for example api.example:443")
    })
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let found = Outcome::ALL.into_iter().find(|outcome| outcome.name() == text);
    found.ok_or_else(|| {
        format!("\"{text}\" is no result: write \"fail\", \"warn\", \"unknown\" or \"pass\"")
    })
}
