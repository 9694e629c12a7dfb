//! Single values of a peer.

use std::io;
use std::num::NonZeroU8;
use std::time::Duration;

use ha2bgp_proto::bgp::wire::LinkLocal;
use ha2bgp_proto::bgp::{Mode, Role};
use ha2bgp_sys::tcp::Key;

use super::super::duration;
use super::super::reader::{Host, go_bool};

/// The longest name of an interface (`IFNAMSIZ` less the NUL, netdevice(7)).
const DEVICE_MAX: usize = 15;
/// A longer description would fill the log.
const DESCRIPTION_MAX: usize = 100;

/// The key in a file, and which file that is.
pub(super) fn key(path: &str, host: &Host<'_>) -> Result<(String, Key), String> {
    let found = host.locate(path)?;
    let key = read_key(path, (host.read_file)(&found))?;
    Ok((found, key))
}

/// The key in what was read from a file that is shown as `path`, without the line end.
///
/// # Errors
/// When it could not be read, or holds no key.
pub fn read_key(path: &str, bytes: io::Result<Vec<u8>>) -> Result<Key, String> {
    let bytes = bytes.map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "write the path of a file with the key in it",
            io::ErrorKind::PermissionDenied => "let the user that ha2bgp runs as read it",
            _ => "write the path of a readable file",
        };
        format!("\"{path}\" cannot be read: {error}: {fix}")
    })?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Key::new(line).map_err(|error| format!("\"{path}\": {error}: write one line of 1 to 80 bytes"))
}

pub(super) fn multihop(text: &str) -> Result<Option<NonZeroU8>, String> {
    match text.parse() {
        _ if text == "off" => Ok(None),
        Ok(ttl) => Ok(Some(ttl)),
        Err(_) => Err(format!(
            "\"{text}\" is neither off nor a number of hops from 1 to 255: write for example 2"
        )),
    }
}

/// RFC 4271 section 4.2: zero, or at least three seconds, in 16 bits.
pub(super) fn hold_time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    let seconds = time.as_secs();
    if time.subsec_nanos() != 0 || matches!(seconds, 1 | 2) || seconds > u16::MAX.into() {
        return Err(format!(
            "\"{text}\" cannot be a hold time: write whole seconds from 3s to 65535s, or 0s for \
             none"
        ));
    }
    Ok(time)
}

/// `true` is a neighbor, a number is so many hops at most.
pub(super) fn ttl_security(text: &str) -> Result<Option<NonZeroU8>, String> {
    match (text.parse::<u8>(), go_bool(text)) {
        (Ok(hops), _) if hops < u8::MAX => Ok(NonZeroU8::new(hops)),
        (Err(_), Ok(on)) => Ok(on.then_some(NonZeroU8::MIN)),
        _ => Err(format!(
            "\"{text}\" is neither on nor off: write true for a neighbor, or a number of hops from \
             1 to 254"
        )),
    }
}

/// A time that has to pass.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(time) if time.is_zero() => {
            Err(format!("\"{text}\" is no time at all: write for example 30s"))
        }
        other => other.map_err(|error| error.to_string()),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("\"{text}\" is not a port: write a whole number from 1 to 65535")),
    }
}

pub(super) fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "active" => Ok(Mode::Active),
        "passive" => Ok(Mode::Passive),
        "both" => Ok(Mode::Both),
        other => Err(format!(
            "\"{other}\" does not say who connects: write \"active\", \"passive\" or \"both\""
        )),
    }
}

pub(super) fn link_local(text: &str) -> Result<LinkLocal, String> {
    match text {
        "native" => Ok(LinkLocal::Native),
        "single" => Ok(LinkLocal::Single),
        "double" => Ok(LinkLocal::Double),
        other => Err(format!(
            "\"{other}\" is not a spelling of link-local next hops: write \"native\", \"single\" \
             or \"double\""
        )),
    }
}

/// The names of RFC 9234 section 4.1.
pub(super) fn role(text: &str) -> Result<Role, String> {
    match text {
        "provider" => Ok(Role::Provider),
        "customer" => Ok(Role::Customer),
        "peer" => Ok(Role::Peer),
        "rs" | "route-server" => Ok(Role::RouteServer),
        "rs-client" | "route-server-client" => Ok(Role::RouteServerClient),
        other => Err(format!(
            "\"{other}\" is not a role: write \"provider\", \"customer\", \"peer\", \"rs\" or \
             \"rs-client\", what we are to the peer"
        )),
    }
}

/// It may come later, so it need not be there.
pub(in crate::config) fn device(text: &str) -> Result<String, String> {
    let bad = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if text.is_empty() || text.len() > DEVICE_MAX || text.contains(bad) {
        return Err(format!(
            "\"{text}\" cannot be an interface: write a name of at most {DEVICE_MAX} characters, \
             as `ip -br link` lists them"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn description(text: &str) -> Result<String, String> {
    if text.chars().count() > DESCRIPTION_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "a description is one line of at most {DESCRIPTION_MAX} characters: write less"
        ));
    }
    Ok(text.to_owned())
}

/// The identifier of our paths; any number will do (RFC 7911 section 2).
pub(super) fn path_id(text: &str) -> Result<Option<u32>, String> {
    match text {
        "true" => Ok(Some(1)),
        "false" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            format!(
                "\"{text}\" is not a path identifier: write true, false or a whole number up to {}",
                u32::MAX
            )
        }),
    }
}
