//! The keys of TLS, for every kind that has it. Files are read here, once.

use std::time::Duration;

use super::super::duration;
use super::super::file::keys::{Key, Kind, key};
use super::fields::Fields;
use crate::observe::check::tls::{Client, Options, OptionsError, PEM_MAX, Pem};

/// The longest that a certificate may have left and still be worth a warning, in days.
const DAYS_MAX: u64 = 36_500;

/// How TLS is spoken.
pub(in crate::config) const TLS: &[Key] = &[
    key(
        "tls-name",
        Kind::Text,
        "",
        "The name or address that the server's certificate must be for, and the name that the \
         server is told (SNI). Without it: the host that is asked for",
    ),
    key(
        "tls-ca",
        Kind::Path,
        "",
        "A file with the certificates of authorities that count, in PEM. Without it: those of the \
         system, as they are when ha2bgp starts",
    ),
    key(
        "tls-certificate",
        Kind::Path,
        "",
        "A file with our certificate for servers that ask for one, in PEM, ours first",
    ),
    key("tls-key", Kind::Path, "", "The file with its private key, in PEM, without a password"),
    key(
        "tls-verify",
        Kind::Bool,
        "true",
        "`false`: any certificate will do, and nothing is said about it",
    ),
    key(
        "tls-expiry-warn",
        Kind::Duration,
        "14d",
        "A certificate of the server that ends sooner is a warning, at most 36500d; `0s` for none. \
         One that has ended is a failure",
    ),
];

/// The client for a kind that speaks `protocol` (ALPN; empty for none). Nothing when something is
/// wrong, which was told.
pub(super) fn client(fields: &mut Fields<'_>, protocol: &'static [u8]) -> Option<Client> {
    let unverified = !fields.on("tls-verify");
    let certificate = pem(fields, "tls-certificate");
    let key = pem(fields, "tls-key");
    let (has_certificate, has_key) =
        (fields.is_given("tls-certificate"), fields.is_given("tls-key"));
    if has_certificate != has_key {
        let (given, missing) = match has_certificate {
            true => ("tls-certificate", "tls-key"),
            false => ("tls-key", "tls-certificate"),
        };
        fields.fail(given, format_args!("is of no use without {missing}: write that too"));
        return None;
    }
    if unverified && fields.is_given("tls-ca") {
        fields.fail("tls-ca", "no authority counts with tls-verify = false: leave one of them out");
        return None;
    }
    let ca = pem(fields, "tls-ca");
    let unread = |given: bool, read: &Option<Pem>| given && read.is_none();
    if unread(has_certificate, &certificate)
        || unread(has_key, &key)
        || unread(fields.is_given("tls-ca"), &ca)
    {
        return None;
    }
    let name = fields.get("tls-name", |text| Ok::<_, String>(text.to_owned()));
    let expiry_warn = fields.get("tls-expiry-warn", days)?;
    let identity = certificate.zip(key);
    match Client::new(Options { name, ca, identity, unverified, expiry_warn, protocol }) {
        Ok(client) => Some(client),
        Err(error) => {
            let at = match &error {
                OptionsError::Name(_) => "tls-name",
                OptionsError::Ca { .. } | OptionsError::NoRoots(_) => "tls-ca",
                OptionsError::Certificate { .. } => "tls-certificate",
                OptionsError::Key { .. } => "tls-key",
            };
            fields.fail(at, error);
            None
        }
    }
}

/// Tells of keys that are given where there is no TLS, and why there is none.
pub(super) fn unused(fields: &mut Fields<'_>, why: &str) {
    for key in TLS {
        // What is so anyway does no harm.
        let given = fields.section.values.one(key.path);
        if given.is_some_and(|given| given.text != key.default) {
            fields.fail(key.path, format_args!("is for TLS, and {why}"));
        }
    }
}

/// Reads a file.
fn pem(fields: &mut Fields<'_>, name: &str) -> Option<Pem> {
    let host = fields.host;
    fields.get(name, |path| {
        let unreadable =
            |error| format!("\"{path}\" cannot be read: {error}: write the path of a file in PEM");
        let contents = (host.read_file)(&host.locate(path)?).map_err(unreadable)?;
        if contents.len() > PEM_MAX {
            return Err(format!("\"{path}\" is longer than 4 MiB: is it a file in PEM?"));
        }
        Ok(Pem { path: path.to_owned(), contents: contents.into() })
    })
}

/// Certificates last longer than anything else that has a duration here.
fn days(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d').map(str::parse) {
        Some(Ok(days @ 0..=DAYS_MAX)) => Ok(Duration::from_secs(days * 86_400)),
        Some(Ok(_)) => Err(format!("\"{text}\" is too long: at most {DAYS_MAX}d")),
        Some(Err(_)) | None => duration::parse(text).map_err(|error| error.to_string()),
    }
}
