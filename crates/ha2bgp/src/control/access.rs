//! What is allowed to whom. The unix socket lets in whom its mode lets in, to read; to write, the
//! kernel's word on who that is decides. Over TCP a token decides, and without tokens nobody writes.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST};

use super::api::{Code, Refusal};
use super::caller::{Caller, Source};
use super::route::Access;
use super::tokens::{Tokens, bearer};
use crate::config::control::ControlSettings;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// A user of this host, with all its groups.
    User(u32, Vec<u32>),
    /// A host.
    Host(IpAddr),
}

impl Who {
    /// Whom its limits count for. Of IPv6 a host has 64 bits of addresses at least (RFC 4291 section
    /// 2.5.4).
    pub(super) fn source(&self) -> Source {
        match self {
            Self::User(uid, _) => Source::User(*uid),
            Self::Host(address) => Source::Host(match address.to_canonical() {
                IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
                address => address,
            }),
        }
    }
}

/// What counts now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rights {
    /// Users who may write, and the group whose members may.
    writers: Vec<u32>,
    group: u32,
    own: u32,
    tokens: Option<Tokens>,
    /// All addresses that are listened on are ones of the loopback.
    only_loopback: bool,
}

impl Rights {
    pub(super) fn new(settings: Option<&ControlSettings>) -> Self {
        let unix = settings.and_then(|settings| settings.unix.as_ref());
        let http = settings.and_then(|settings| settings.http.as_ref());
        Self {
            writers: unix.map(|unix| unix.writers.clone()).unwrap_or_default(),
            group: unix
                .and_then(|unix| unix.group)
                .unwrap_or_else(|| rustix::process::getegid().as_raw()),
            own: rustix::process::geteuid().as_raw(),
            tokens: http.and_then(|http| http.tokens.clone()),
            only_loopback: http.is_none_or(|http| {
                http.addresses.iter().all(|it| it.ip().to_canonical().is_loopback())
            }),
        }
    }

    /// The same with these tokens.
    pub(super) fn set_tokens(&mut self, tokens: Option<Tokens>) {
        self.tokens = tokens;
    }

    /// True when whoever came over TCP before may have lost a right.
    pub(super) fn differ_over_tcp(&self, other: &Self) -> bool {
        (&self.tokens, self.only_loopback) != (&other.tokens, other.only_loopback)
    }

    /// Says who asks, if that is known.
    ///
    /// # Errors
    /// When a token is needed, and there is none, or nobody's.
    pub(super) fn identify(&self, who: &Who, headers: &HeaderMap) -> Result<Caller, Refusal> {
        match who {
            Who::User(uid, groups) => {
                let writes = *uid == 0
                    || *uid == self.own
                    || self.writers.contains(uid)
                    || groups.contains(&self.group);
                let access = if writes { Access::Write } else { Access::Read };
                Ok(Caller { author: format!("uid {uid}"), uid: Some(*uid), access })
            }
            Who::Host(address) => self.over_tcp(*address, headers),
        }
    }

    fn over_tcp(&self, address: IpAddr, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let Some(tokens) = &self.tokens else {
            if self.only_loopback && !is_local_name(headers) {
                let text = "the host of a request without tokens is an address or localhost, so \
                            that no page of the web gets at it through a browser: use one of these";
                return Err(Refusal::new(Code::Forbidden, text));
            }
            let author = format!("{address}");
            return Ok(Caller { author, uid: None, access: Access::Read });
        };
        // More than one would be a matter of opinion.
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().filter(|_| values.next().is_none());
        let found = value.and_then(|value| tokens.find(bearer(value.as_bytes())?));
        match found {
            Some(token) => {
                let author = format!("token {}", token.name);
                Ok(Caller { author, uid: None, access: token.access })
            }
            None => {
                let text = match value {
                    None => {
                        "a token is needed: send Authorization: Bearer SECRET, with a secret of \
                             [control] tokens-file"
                    }
                    Some(_) => {
                        "that is no token of [control] tokens-file: send Authorization: \
                                Bearer SECRET; after a change of the file reload ha2bgp"
                    }
                };
                Err(Refusal::new(Code::Unauthorized, text))
            }
        }
    }

    /// Why somebody who may read may not write.
    pub(super) fn read_only(&self, caller: &Caller) -> Refusal {
        let Caller { author, uid, .. } = caller;
        let text = match (uid, &self.tokens) {
            (Some(_), _) => format!(
                "{author} may read only: root, the user that ha2bgp runs as, members of group {} \
                 and users in [control] write-users may write",
                self.group
            ),
            (None, Some(_)) => {
                format!("{author} may read only: use one that has the word write in tokens-file")
            }
            (None, None) => "without tokens nobody writes over TCP: use the unix socket, or add \
                             [control] tokens-file"
                .to_owned(),
        };
        Refusal::new(Code::Forbidden, text)
    }
}

/// True when a request names its host by an address, by `localhost`, or not at all: what a browser
/// sends for a page of the web names that page's own host, wherever its address was made to point.
fn is_local_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "0123456789abcdef";
    const WRITE: &str = "fedcba9876543210";

    fn rights(tokens: bool) -> Rights {
        let file = format!("mon read {READ}\nops write {WRITE}\n");
        let tokens = tokens.then(|| Tokens::read(file.as_bytes()).unwrap());
        Rights { writers: vec![1001], group: 50, own: 990, tokens, only_loopback: true }
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn users_by_what_the_kernel_says() {
        let access = |uid, groups: &[u32]| {
            let caller = rights(true).identify(&Who::User(uid, groups.to_vec()), &headers(&[]));
            let caller = caller.unwrap();
            assert_eq!((caller.uid, caller.author), (Some(uid), format!("uid {uid}")));
            caller.access
        };
        for (uid, groups, want) in [
            (0, &[][..], Access::Write),
            (990, &[], Access::Write),
            (1001, &[7], Access::Write),
            (1002, &[7, 50], Access::Write),
            (1002, &[7, 0], Access::Read),
            (u32::MAX, &[], Access::Read),
        ] {
            assert_eq!(access(uid, groups), want, "{uid} {groups:?}");
        }
    }

    #[test]
    fn hosts_by_their_token() {
        let host = Who::Host("192.0.2.1".parse().unwrap());
        let ask = |fields: &[_]| {
            let caller = rights(true).identify(&host, &headers(fields));
            caller.map(|caller| (caller.author, caller.access)).map_err(|refusal| refusal.code)
        };
        let bearer = |secret| format!("Bearer {secret}");
        let (read, write) = (bearer(READ), bearer(WRITE));
        assert_eq!(ask(&[("authorization", &read)]), Ok(("token mon".to_owned(), Access::Read)));
        assert_eq!(ask(&[("authorization", &write)]), Ok(("token ops".to_owned(), Access::Write)));
        for fields in [
            &[][..],
            &[("authorization", "Bearer x")],
            &[("authorization", READ)],
            &[("authorization", "Basic b3BzOm9wcw==")],
            &[("authorization", "Bearer x"), ("authorization", write.as_str())],
        ] {
            assert_eq!(ask(fields), Err(Code::Unauthorized), "{fields:?}");
        }
    }

    #[test]
    fn without_tokens_hosts_read_and_pages_of_the_web_do_not() {
        let host = Who::Host("127.0.0.1".parse().unwrap());
        for (name, allowed) in [
            ("127.0.0.1:9179", true),
            ("[::1]:9179", true),
            ("localhost:9179", true),
            ("LOCALHOST", true),
            ("", true),
            ("evil.example:9179", false),
            ("127.0.0.1.evil.example", false),
            ("[evil.example]", false),
        ] {
            let caller = rights(false).identify(&host, &headers(&[("host", name)]));
            assert_eq!(caller.is_ok(), allowed, "{name}");
            assert!(caller.is_ok_and(|it| it.access == Access::Read) || !allowed);
        }
        let far = Rights { only_loopback: false, ..rights(false) };
        assert!(far.identify(&host, &headers(&[("host", "ha2bgp.example")])).is_ok());
    }

    #[test]
    fn limits_count_for_hosts() {
        let source = |text: &str| Who::Host(text.parse().unwrap()).source();
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
