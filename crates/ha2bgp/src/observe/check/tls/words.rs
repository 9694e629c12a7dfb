//! What an error of TLS says, in words of ours.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// More names of a certificate are not shown.
const NAMES_MAX: usize = 3;

/// What an error says, where it is one of TLS and not of the connection below.
pub fn words(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::PeerSentOversizedRecord => "the server does not speak TLS here".to_owned(),
        Error::AlertReceived(alert) => format!("the server refused: {}", alert_words(*alert)),
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        Error::NoApplicationProtocol => {
            "the server does not speak the protocol that is needed (ALPN)".to_owned()
        }
        Error::PeerIncompatible(what) => {
            format!("no version or cipher of TLS in common with the server ({what:?})")
        }
        other => format!("TLS: {other}"),
    })
}

fn certificate(wrong: &CertificateError) -> String {
    match wrong {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            let since = time.as_secs().saturating_sub(not_after.as_secs());
            match since / 86_400 {
                0 => format!("the certificate has expired, {} h ago", since / 3600),
                days => format!("the certificate has expired, {days} d ago"),
            }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet; is the clock of this host right?".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the certificate is not signed by an authority that counts here".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let more = if presented.len() > NAMES_MAX { " and others" } else { "" };
            let names: Vec<&str> =
                presented.iter().take(NAMES_MAX).map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("the certificate is for {names}{more}, not for {}", expected.to_str())
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not one of a server".to_owned()
        }
        other => format!("the certificate is no good: {other}"),
    }
}

/// A name out of `DnsName("web.example")` or `IpAddress(192.0.2.1)`, as the library shows the names
/// in a certificate.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn alert_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "it wants a certificate of ours (tls-certificate)".to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked => {
            format!("it does not take our certificate ({alert:?})")
        }
        AlertDescription::UnrecognisedName => {
            "it has no certificate for this name (UnrecognisedName)".to_owned()
        }
        other => format!("{other:?}"),
    }
}
