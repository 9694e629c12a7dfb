//! BFD as it is written: what peers and checks want of sessions, and the sessions that come of it.

use std::num::NonZeroU8;
use std::time::Duration;

use ha2bgp_proto::bfd::{Auth, AuthKind, Interval, Key};
use ha2bgp_proto::bgp::PeerAddress;

use super::check::Kind;
use super::duration;
use super::error::ConfigError;
use super::origin::Written;
use super::raw::{Raw, Values};
use super::reader::{Host, Reader, go_bool};
use super::speaker::SpeakerSettings;
use crate::bfd::SESSIONS_MAX;
use crate::bfd::target::{self, Clash, SessionConfig, Target, Wish};
use crate::observe::check::{CheckSpecs, ProbeSpec, Watched};

/// Below it, an ordinary scheduler and ordinary network cards make false alarms.
pub const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Beyond it, BGP's own hold time is faster.
pub const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// Everything about BFD that is not of one user.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BfdSettings {
    /// All sessions that somebody wants.
    pub sessions: Vec<SessionConfig>,
    /// Its thread asks for real-time priority.
    pub real_time: bool,
}

/// Reads the rest, once peers and checks are read, and finds out which sessions there are.
pub(super) fn read(
    reader: &mut Reader,
    raw: &Raw,
    speaker: Option<&SpeakerSettings>,
    checks: &CheckSpecs,
) -> BfdSettings {
    let real_time = reader.one(&raw.values, "bfd.realtime", go_bool).unwrap_or(true);
    let (sessions, clashes) = sessions(speaker, checks);
    let mut told = Vec::new();
    for Clash { target, key } in clashes {
        let Some(at) = users(raw, &target).filter_map(|user| user.one(key)).next_back() else {
            continue;
        };
        if !told.contains(&(target.clone(), key)) {
            let error = format!(
                "\"{}\" is not what another one wants of the session with {target}, and there is \
                 one session: write the same {key}, or leave it out here",
                at.text
            );
            reader.errors.push(ConfigError::new(at, error));
            told.push((target, key));
        }
    }
    if sessions.len() > SESSIONS_MAX {
        let last = sessions.last().and_then(|it| users(raw, &it.target).next_back());
        let at = last.and_then(|user| user.at());
        if let Some(at) = at {
            let error = format!(
                "there are {} BFD sessions, and {SESSIONS_MAX} is the most: take some out",
                sessions.len()
            );
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    BfdSettings { sessions, real_time }
}

/// The sessions of these peers and checks, and what they contradict each other in.
pub fn sessions(
    speaker: Option<&SpeakerSettings>,
    checks: &CheckSpecs,
) -> (Vec<SessionConfig>, Vec<Clash>) {
    let peers = speaker.iter().flat_map(|speaker| &speaker.peers);
    let peers = peers.filter_map(|peer| peer.bfd.as_ref()).map(|bfd| &bfd.wish);
    let probes = checks.specs.values().filter_map(|spec| match &spec.probe {
        ProbeSpec::Watched(Watched::Bfd(probe)) => Some(&probe.wish),
        ProbeSpec::Watched(_) | ProbeSpec::Polled(_) => None,
    });
    target::sessions(peers.chain(probes))
}

/// Who wants a session, as it is written.
enum User<'a> {
    Peer(&'a Values),
    Check(&'a Values),
}

impl<'a> User<'a> {
    fn one(&self, key: &str) -> Option<&'a Written> {
        match self {
            Self::Peer(values) => values.one(&format!("bfd.{key}")),
            Self::Check(values) => values.one(key),
        }
    }

    fn at(&self) -> Option<&'a Written> {
        let (Self::Peer(values) | Self::Check(values)) = self;
        values.one("address")
    }
}

/// Who wants a session with this peer, in the order of the text.
fn users<'a>(raw: &'a Raw, target: &Target) -> impl DoubleEndedIterator<Item = User<'a>> {
    let of_services = raw.services.iter().flat_map(|service| &service.checks);
    let checks = raw.checks.iter().chain(of_services);
    let checks = checks.filter(|check| check.kind.name == Kind::BFD);
    let checks = checks.map(|check| User::Check(&check.values));
    let peers = raw.peers.iter().map(|peer| User::Peer(&peer.values));
    let peer = target.peer;
    let all = peers.chain(checks);
    let meant = all.filter(move |user| user.at().is_some_and(|at| at.text.parse() == Ok(peer)));
    let mut meant: Vec<User<'a>> = meant.collect();
    meant.sort_by_key(|user| user.at().map(|at| at.origin.position()));
    meant.into_iter()
}

/// What the keys of one user come to, whoever it is.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) tx: Option<Interval>,
    pub(super) rx: Option<Interval>,
    pub(super) multiplier: Option<NonZeroU8>,
    pub(super) minimum_ttl: Option<NonZeroU8>,
    pub(super) auth_type: Option<AuthKind>,
    pub(super) auth_key_id: Option<u8>,
    /// What stands in the file.
    pub(super) secret: Option<Vec<u8>>,
}

impl Parts {
    /// All of it together; what contradicts itself, and at which key.
    pub(super) fn wish(self, target: Target) -> Result<Wish, (&'static str, String)> {
        let Self { tx, rx, multiplier, minimum_ttl, auth_type, auth_key_id, secret } = self;
        if minimum_ttl.is_some() && !target.multihop {
            let error = "is for sessions over several hops, and a neighbor's packets have 255: leave \
                         it out, or write multihop = true";
            return Err(("min-ttl", error.to_owned()));
        }
        let auth = match (auth_type, secret) {
            (Some(kind), Some(secret)) => {
                let key = Key { id: auth_key_id.unwrap_or(1), secret };
                let auth = Auth::new(kind, key, Vec::new());
                Some(auth.map_err(|error| ("auth-file", error.to_string()))?)
            }
            (Some(_), None) => {
                let error = "needs a key: write auth-file = \"PATH\" of a file with the key in it";
                return Err(("auth-type", error.to_owned()));
            }
            (None, Some(_)) => {
                let error = format!("says nothing without auth-type: write one of {}", kinds());
                return Err(("auth-file", error));
            }
            (None, None) if auth_key_id.is_some() => {
                let error = "is the number of a key, and there is none: write auth-type and \
                             auth-file, or leave it out";
                return Err(("auth-key-id", error.to_owned()));
            }
            (None, None) => None,
        };
        Ok(Wish { target, tx, rx, multiplier, minimum_ttl, auth })
    }
}

pub(super) fn interval(text: &str) -> Result<Interval, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    let fits = (INTERVAL_MIN..=INTERVAL_MAX).contains(&time);
    let interval = Interval::try_from(time).ok().filter(|_| fits);
    interval.ok_or_else(|| {
        format!(
            "\"{text}\" cannot be an interval between packets: write {} to {}, for example 300ms",
            duration::show(INTERVAL_MIN),
            duration::show(INTERVAL_MAX)
        )
    })
}

pub(super) fn multiplier(text: &str) -> Result<NonZeroU8, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not a number of packets from 1 to 255: write for example 3")
    })
}

pub(super) fn minimum_ttl(text: &str) -> Result<NonZeroU8, String> {
    text.parse().map_err(|_| {
        format!(
            "\"{text}\" is not a TTL from 1 to 255: write 255 less the routers on the way, for \
             example 254 for one"
        )
    })
}

pub(super) fn auth_type(text: &str) -> Result<AuthKind, String> {
    let kind = AuthKind::ALL.into_iter().find(|kind| kind.code() == text);
    kind.ok_or_else(|| format!("\"{text}\" is no type of authentication: write one of {}", kinds()))
}

fn kinds() -> String {
    let kinds: Vec<String> =
        AuthKind::ALL.iter().map(|kind| format!("\"{}\"", kind.code())).collect();
    kinds.join(", ")
}

pub(super) fn key_id(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not the number of a key from 0 to 255: write that of the peer")
    })
}

/// Where the file is, and the key in it: one line.
pub(super) fn secret(path: &str, host: &Host<'_>) -> Result<(String, Vec<u8>), String> {
    let found = host.locate(path)?;
    let bytes = (host.read_file)(&found).map_err(|error| {
        format!("\"{path}\" cannot be read: {error}: write the path of a file with the key in it")
    })?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() || line.contains(&b'\n') {
        return Err(format!("\"{path}\" does not hold one line: write the key, and nothing else"));
    }
    Ok((found, line.to_vec()))
}

/// The other end of a session.
pub(super) fn address(text: &str) -> Result<PeerAddress, String> {
    super::speaker::peer_address(text)
}

#[cfg(test)]
mod tests;
