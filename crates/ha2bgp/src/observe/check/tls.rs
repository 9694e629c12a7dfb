//! TLS of probes: what is asked of a server's certificate, what we show of ourselves, and what
//! errors mean. For every kind that has TLS.
//!
//! A [`Client`] is made once, when the configuration is read. Sessions are never resumed: a resumed
//! session shows no certificate, and a probe shall see what a new client sees.

mod stream;
mod verify;
mod words;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::stream::Stream;
pub use self::words::words;
use super::net;

/// The longest PEM file, in octets.
pub const PEM_MAX: usize = 4 * 1024 * 1024;

/// A file in PEM that was read. Its contents may be secret, so they are not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Pem {
    /// Where it was.
    pub path: String,
    /// What it held.
    pub contents: Arc<[u8]>,
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({}, {} octets)", self.path, self.contents.len())
    }
}

/// What is asked of servers, and what they are shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// The name or address that the certificate must be for; `None`: of the host that is asked.
    pub name: Option<String>,
    /// Authorities that count; `None`: those of the system.
    pub ca: Option<Pem>,
    /// Our certificate, with what leads to its authority, and its key.
    pub identity: Option<(Pem, Pem)>,
    /// Any certificate will do, and nothing is said about it.
    pub unverified: bool,
    /// A certificate that ends sooner makes a pass a warning; zero: none does.
    pub expiry_warn: Duration,
    /// The protocol to agree on (ALPN, RFC 7301); empty: none is named.
    pub protocol: &'static [u8],
}

/// Options made ready for connections. Two are equal when their options are.
#[derive(Clone)]
pub struct Client {
    options: Options,
    name: Option<ServerName<'static>>,
    config: Arc<ClientConfig>,
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// Why options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The name is neither a DNS name nor an address.
    #[error("\"{0}\" is neither a name nor an address: write for example web.example")]
    Name(String),
    /// The file of authorities.
    #[error("{}: {problem}: write a file of certificates in PEM", .pem.path)]
    Ca {
        /// The file.
        pem: Pem,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no authorities.
    #[error(
        "this system has no certificates of authorities ({0}): install the package \
         ca-certificates, or write tls-ca"
    )]
    NoRoots(String),
    /// The file of our certificate.
    #[error("{}: {problem}: write a file with a certificate in PEM, ours first", .pem.path)]
    Certificate {
        /// The file.
        pem: Pem,
        /// What is wrong with it.
        problem: String,
    },
    /// The file of our key.
    #[error("{}: {problem}: write a file with the private key in PEM, without a password", .pem.path)]
    Key {
        /// The file.
        pem: Pem,
        /// What is wrong with it.
        problem: String,
    },
}

/// A certificate that ends soon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// How long it is still valid, in seconds; below zero it has ended.
    pub left: i64,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours) = (self.left.div_euclid(86_400), self.left.rem_euclid(86_400) / 3600);
        match days {
            ..0 => f.write_str("the certificate has ended"),
            0 => write!(f, "the certificate ends in {hours} h"),
            1.. => write!(f, "the certificate ends in {days} d"),
        }
    }
}

impl Expiry {
    /// The same result, with a warning where it was a pass.
    pub fn warn(&self, result: &ProbeResult) -> ProbeResult {
        match result.outcome {
            Outcome::Pass => ProbeResult::new(Outcome::Warn, &format!("{self}; {}", result.detail)),
            Outcome::Warn | Outcome::Fail | Outcome::Unknown => result.clone(),
        }
    }
}

impl Client {
    /// Makes options ready. It reads the system's authorities once for all, the first time they
    /// are needed.
    ///
    /// # Errors
    /// Names the option that is wrong.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let bad_name = |name: &String| OptionsError::Name(name.clone());
        let name = options.name.as_ref().map(|name| server(name).ok_or_else(|| bad_name(name)));
        let name = name.transpose()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        // The provider has suites for both versions, so that this cannot fail.
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| OptionsError::NoRoots(error.to_string()))?;
        let builder = if options.unverified {
            builder.dangerous().with_custom_certificate_verifier(verify::anything(provider))
        } else {
            let roots = match &options.ca {
                Some(pem) => Arc::new(authorities(pem)?),
                None => system_roots()?,
            };
            builder.with_root_certificates(roots)
        };
        let mut config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = chain(certificate)?;
                let wrong = |problem: String| OptionsError::Key { pem: key.clone(), problem };
                let secret = secret(key)?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        wrong(format!("it is not the key of {}", certificate.path))
                    }
                    other => wrong(format!("it cannot be used ({other})")),
                })?
            }
        };
        config.resumption = Resumption::disabled();
        if !options.protocol.is_empty() {
            config.alpn_protocols = vec![options.protocol.to_vec()];
        }
        Ok(Self { options, name, config: Arc::new(config) })
    }

    /// Agrees on TLS over a connection. `host` is the name or address of the server as it was asked
    /// for, without brackets; `tls-name` counts in its place.
    ///
    /// The second value is there when the server's certificate ends so soon that it is worth a
    /// warning: see [`Expiry::warn`].
    ///
    /// # Errors
    /// The result of the probe: what is wrong with the server, or with the connection.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<(TlsStream<TcpStream>, Option<Expiry>), ProbeResult> {
        let fail = |text: &str| ProbeResult::new(Outcome::Fail, text);
        let name = self.name.clone().or_else(|| server(host));
        let name = name.ok_or_else(|| fail(&format!("{host} is no name for TLS: add tls-name")))?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, stream).await.map_err(|error| {
            match (words(&error), error.kind()) {
                (Some(words), _) => fail(&words),
                (None, io::ErrorKind::UnexpectedEof) => {
                    fail("closed by the server while agreeing on TLS")
                }
                (None, _) => net::failure("agreeing on TLS", &error),
            }
        })?;
        let expiry = self.expiry(&stream);
        Ok((stream, expiry))
    }

    fn expiry(&self, stream: &TlsStream<TcpStream>) -> Option<Expiry> {
        let warn = i64::try_from(self.options.expiry_warn.as_secs()).unwrap_or(i64::MAX);
        if self.options.unverified || warn == 0 {
            return None;
        }
        let certificate = stream.get_ref().1.peer_certificates()?.first()?;
        // One that was verified is whole.
        let end = ha2bgp_proto::x509::not_after(certificate).ok()?;
        let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
        let left = end.saturating_sub(now);
        (left < warn).then_some(Expiry { left })
    }
}

/// A name or an address as TLS has it; a dot at the end is not part of it (RFC 6066 section 3).
fn server(text: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(text.strip_suffix('.').unwrap_or(text).to_owned()).ok()
}

/// What is wrong with a PEM file.
fn pem_problem(error: &rustls::pki_types::pem::Error, what: &str) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => format!("it holds no {what}"),
        other => format!("it is not PEM ({other})"),
    }
}

fn authorities(pem: &Pem) -> Result<RootCertStore, OptionsError> {
    let wrong = |problem: String| OptionsError::Ca { pem: pem.clone(), problem };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem.contents) {
        let certificate = certificate.map_err(|error| wrong(pem_problem(&error, "certificate")))?;
        roots.add(certificate).map_err(|error| wrong(format!("it cannot be used ({error})")))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// The certificates in a file, at least one.
pub(crate) fn chain(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let wrong = |problem: String| OptionsError::Certificate { pem: pem.clone(), problem };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.contents).collect();
    let chain = chain.map_err(|error| wrong(pem_problem(&error, "certificate")))?;
    if chain.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(chain)
}

/// The private key in a file.
pub(crate) fn secret(pem: &Pem) -> Result<PrivateKeyDer<'static>, OptionsError> {
    PrivateKeyDer::from_pem_slice(&pem.contents).map_err(|error| {
        let problem = pem_problem(&error, "private key");
        OptionsError::Key { pem: pem.clone(), problem }
    })
}

/// The authorities of this system, read once: whoever changes them restarts ha2bgp.
fn system_roots() -> Result<Arc<RootCertStore>, OptionsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = found.errors.first().map_or_else(String::new, ToString::to_string);
        let problem = if problem.is_empty() { "none were found".to_owned() } else { problem };
        return Err(OptionsError::NoRoots(problem));
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}
