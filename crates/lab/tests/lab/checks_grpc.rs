//! `type = "grpc"` in the running program, against gRPC's own implementation.

use crate::checks_http::{Checked, address, service};
use crate::stage::{VIP, host};
use ha2bgp_lab::certs::Certs;
use ha2bgp_lab::grpc_server::GrpcServer;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, readme, require};

#[test]
fn a_service_decides() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Grpc);
    let (host, dir) = (host("grpc")?, readme::workdir()?);
    let at = address(&format!("{VIP}:8080"))?;
    let up = Some("web SERVING\n");
    let mut server = GrpcServer::start(&host, "server", dir.path(), at, up, None)?;
    let mut checked = Checked::start(
        &host,
        dir.path(),
        &format!(
            "[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\n[service.checks.grpc]\nport = 8080\n\
             grpc-service = \"web\"\ninterval = \"50ms\"\nrise = 2\nfall = 2\n"
        ),
    )?;
    checked.announced(true)?;
    checked.says("check grpc: pass: web is SERVING in ")?;
    server.set("web NOT_SERVING\n")?;
    checked.announced(false)?;
    checked.says("check grpc: fail: web is NOT_SERVING")?;
    server.set("web SERVING\n")?;
    checked.announced(true)?;
    server.daemon().freeze(true)?;
    checked.announced(false)?;
    server.daemon().freeze(false)?;
    checked.announced(true)?;
    Ok(())
}

#[test]
fn what_grpc_says() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Grpc, Need::Tool("openssl"));
    let (host, dir) = (host("grpcsays")?, readme::workdir()?);
    let certs = Certs::new(dir.path(), "ours")?;
    let pair = certs.server("good", &["api.example"])?;
    let statuses = Some("- SERVING\nunsure UNKNOWN\nlost SERVICE_UNKNOWN\n");
    let plain = address("127.0.0.1:50051")?;
    let _plain = GrpcServer::start(&host, "plain", dir.path(), plain, statuses, None)?;
    let tls = address("127.0.0.1:50052")?;
    let _tls = GrpcServer::start(&host, "tls", dir.path(), tls, statuses, Some(&pair))?;
    let none = address("127.0.0.1:50053")?;
    let _none = GrpcServer::start(&host, "none", dir.path(), none, None, None)?;
    let ca = format!("tls = true\ntls-ca = \"{}\"\n", certs.ca().display());
    let cases: [(&str, u16, String, &str); 9] = [
        ("whole", 50051, String::new(), "pass: SERVING in "),
        ("unsure", 50051, "grpc-service = \"unsure\"".to_owned(), "fail: unsure is UNKNOWN"),
        ("lost", 50051, "grpc-service = \"lost\"".to_owned(), "fail: lost is SERVICE_UNKNOWN"),
        ("unknown", 50051, "grpc-service = \"x\"".to_owned(), "fail: grpc-status NOT_FOUND (5)"),
        (
            "tolerated",
            50051,
            "grpc-service = \"x\"\non-unknown-service = \"warn\"".to_owned(),
            "warn: grpc-status NOT_FOUND (5)",
        ),
        ("none", 50053, String::new(), "fail: grpc-status UNIMPLEMENTED (12)"),
        ("tls", 50052, format!("{ca}authority = \"api.example\""), "pass: SERVING in "),
        ("misnamed", 50052, ca, "fail: the certificate is for api.example, not for 127.0.0.1"),
        ("notls", 50052, String::new(), "fail: "),
    ];
    let text: String = (0..)
        .zip(&cases)
        .map(|(n, (name, port, keys, _))| {
            let keys = format!("type = \"grpc\"\naddress = \"127.0.0.1\"\nport = {port}\n{keys}");
            service(n, name, &keys)
        })
        .collect();
    let mut checked = Checked::start(&host, dir.path(), &text)?;
    for (name, _, _, words) in &cases {
        checked.says(&format!("check {name}: {words}"))?;
    }
    Ok(())
}
