//! A TLS server on loopback with the certificates of `certs/`.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The path of a file in `certs/`.
pub(crate) fn file(name: &str) -> String {
    format!("{}/tests/checks/certs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a server shows, and asks for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tls {
    /// `server`, or `expired`.
    pub(crate) certificate: &'static str,
    /// Clients need a certificate of the same authority.
    pub(crate) mutual: bool,
    /// What is agreed on beside TLS.
    pub(crate) protocol: &'static [u8],
}

impl Tls {
    /// Of a server whose certificate is in order.
    pub(crate) fn good() -> Self {
        Self { certificate: "server", ..Self::default() }
    }

    pub(crate) fn acceptor(self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if self.mutual {
            let mut roots = rustls::RootCertStore::empty();
            let ca = CertificateDer::from_pem_file(file("ca.pem")).unwrap();
            roots.add(ca).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let certificate = file(&format!("{}.pem", self.certificate));
        let key = file(&format!("{}.key", self.certificate));
        let certificate = CertificateDer::from_pem_file(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        if !self.protocol.is_empty() {
            config.alpn_protocols = vec![self.protocol.to_vec()];
        }
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Agrees on TLS; the name that the client has asked for.
pub(crate) async fn accept(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Option<(TlsStream<TcpStream>, String)> {
    let stream = acceptor.accept(stream).await.ok()?;
    let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
    Some((stream, name))
}
