//! TLS of the API over TCP: our side of it, made once when the configuration is read.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::observe::check::tls::{OptionsError, Pem, chain, secret};

/// Our certificate and key, ready for use.
#[derive(Clone)]
pub struct Tls {
    certificate: Pem,
    key: Pem,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?}, {:?})", self.certificate, self.key)
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        (&self.certificate, &self.key) == (&other.certificate, &other.key)
    }
}

impl Eq for Tls {}

impl Tls {
    /// Makes them ready.
    ///
    /// # Errors
    /// Names the file that is wrong.
    pub fn new(certificate: Pem, key: Pem) -> Result<Self, OptionsError> {
        let wrong = |problem: String| OptionsError::Key { pem: key.clone(), problem };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            // The provider has suites for both versions, so that this cannot fail.
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_no_client_auth();
        let (chain, secret) = (chain(&certificate)?, secret(&key)?);
        let mut config = builder.with_single_cert(chain, secret).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                wrong(format!("it is not the key of {}", certificate.path))
            }
            other => wrong(format!("it cannot be used ({other})")),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { certificate, key, config: Arc::new(config) })
    }

    /// For a handshake.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}
