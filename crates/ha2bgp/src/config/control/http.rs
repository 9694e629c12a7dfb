//! The ports of the control interface: where, with which tokens, with TLS or without.

use std::net::SocketAddr;

use super::super::error::ConfigError;
use super::super::origin::Written;
use super::super::raw::{Raw, Values};
use super::super::reader::{Host, Reader};
use super::of_nothing;
use crate::control::tls::Tls;
use crate::control::tokens::Tokens;
use crate::observe::check::tls::{OptionsError, PEM_MAX, Pem};

/// The most addresses.
const ADDRESSES_MAX: usize = 8;

/// The ports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpSettings {
    /// Where to listen, one at least.
    pub addresses: Vec<SocketAddr>,
    /// Who may do what; `None`: everybody reads.
    pub tokens: Option<Tokens>,
    /// With TLS.
    pub tls: Option<Tls>,
}

/// Reads the keys. Nothing when there is no port, or something is wrong, which was told.
pub(super) fn read(reader: &mut Reader, raw: &Raw, host: &Host<'_>) -> Option<HttpSettings> {
    let values = &raw.values;
    let before = reader.errors.len();
    let insecure = reader.switch(values, "control.insecure");
    let tokens = reader.one(values, "control.tokens-file", |path| tokens(path, host));
    let tls = tls(reader, values, host);
    let addresses = addresses(reader, values);
    for (at, address) in &addresses {
        let far = !address.ip().to_canonical().is_loopback();
        if far && !insecure && raw.is_whole() {
            beyond(reader, values, at);
        }
    }
    let names =
        ["control.tokens-file", "control.tls-certificate", "control.tls-key", "control.insecure"];
    let of = "of the port of the control interface: add http = \"127.0.0.1:9179\"";
    of_nothing(reader, raw, "control.http", &names, of);
    let good = reader.errors.len() == before && !addresses.is_empty();
    let addresses = addresses.into_iter().map(|(_, address)| address).collect();
    good.then_some(HttpSettings { addresses, tokens, tls })
}

/// Tells what an address that others reach lacks.
fn beyond(reader: &mut Reader, values: &Values, at: &Written) {
    let tokens = values.is_missing("control.tokens-file").then_some("tokens-file");
    let tls = values.is_missing("control.tls-certificate").then_some("tls-certificate and tls-key");
    let missing: Vec<&str> = tokens.into_iter().chain(tls).collect();
    if missing.is_empty() {
        return;
    }
    let danger = match tokens {
        Some(_) => "whoever reaches it reads everything",
        None => "whoever sees the traffic has the tokens",
    };
    let error = format!(
        "\"{}\" is beyond the loopback, and there is no {}: {danger}: add {}, listen on 127.0.0.1, \
         or write insecure = true",
        at.text,
        missing.join(" and no "),
        if missing.len() == 1 { "that" } else { "them" }
    );
    reader.errors.push(ConfigError::new(at, error));
}

fn addresses<'a>(reader: &mut Reader, values: &'a Values) -> Vec<(&'a Written, SocketAddr)> {
    let mut found: Vec<(&Written, SocketAddr)> = Vec::new();
    for at in values.all("control.http") {
        let Some(address) = reader.keep(at, address(&at.text)) else { continue };
        if found.iter().any(|(_, known)| *known == address) {
            let error = format!("\"{}\" is there twice: leave one out", at.text);
            reader.errors.push(ConfigError::new(at, error));
        } else if found.len() == ADDRESSES_MAX {
            let error = format!("there are more than {ADDRESSES_MAX} addresses: leave some out");
            reader.errors.push(ConfigError::new(at, error));
            break;
        } else {
            found.push((at, address));
        }
    }
    found
}

fn address(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => Err(format!(
            "\"{text}\" is no address with a port from 1 to 65535: write for example \
             \"127.0.0.1:9179\" or \"[::1]:9179\""
        )),
    }
}

fn tokens(path: &str, host: &Host<'_>) -> Result<Tokens, String> {
    let found = host.locate(path)?;
    let contents = (host.read_file)(&found)
        .map_err(|error| format!("\"{path}\" cannot be read: {error}: let ha2bgp read it"))?;
    Tokens::read(&contents).map_err(|error| format!("\"{path}\": {error}"))
}

fn tls(reader: &mut Reader, values: &Values, host: &Host<'_>) -> Option<Tls> {
    let (certificate, key) = ("control.tls-certificate", "control.tls-key");
    for (given, missing, name) in
        [(certificate, key, "tls-key"), (key, certificate, "tls-certificate")]
    {
        if let (Some(at), true) = (values.one(given), values.is_missing(missing)) {
            let error = format!("is of no use without {name}: write that too");
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    let read = |path: &str| pem(path, host);
    let (chain, secret) = (reader.one(values, certificate, read), reader.one(values, key, read));
    match Tls::new(chain?, secret?) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let at = match &error {
                OptionsError::Key { .. } => key,
                _ => certificate,
            };
            let at = values.one(at)?;
            reader.keep::<Tls, _>(at, Err(error))
        }
    }
}

/// Reads a file.
fn pem(path: &str, host: &Host<'_>) -> Result<Pem, String> {
    let found = host.locate(path)?;
    let contents = (host.read_file)(&found)
        .map_err(|error| format!("\"{path}\" cannot be read: {error}: let ha2bgp read it"))?;
    if contents.len() > PEM_MAX {
        return Err(format!("\"{path}\" is longer than 4 MiB: is it a file in PEM?"));
    }
    Ok(Pem { path: path.to_owned(), contents: contents.into() })
}

#[cfg(test)]
mod tests;
