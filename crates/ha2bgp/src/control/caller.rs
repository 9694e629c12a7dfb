//! Who asks: what a record of a change names, and what limits are counted for.

use std::net::IpAddr;

use super::route::Access;

/// Who asks, and what is allowed to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// For records: the name of a user, `uid 1000` where it has none, or `token NAME`.
    pub author: String,
    /// The user, as the kernel tells it; `None` over TCP.
    pub uid: Option<u32>,
    /// The most that is allowed.
    pub access: Access,
}

/// Whom a connection counts for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// A user of this host.
    User(u32),
    /// A host.
    Host(IpAddr),
}

/// Where users have their names (passwd(5)).
const USERS: &str = "/etc/passwd";

impl Caller {
    /// The same with the name of the user, where it has one: it is only looked up for records.
    #[must_use]
    pub fn named(mut self) -> Self {
        if let Some(uid) = self.uid
            && let Ok(users) = std::fs::read(USERS)
            && let Some(name) = name_of(&String::from_utf8_lossy(&users), uid)
        {
            self.author = name;
        }
        self
    }
}

/// The name of a user: `name:password:number:…`. One that is none for people is left out.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })?;
    let fits = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic());
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        let users =
            "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:\nann2:x:1000:\n\u{7}:x:7:\n:x:8:\n";
        for (uid, want) in [(0, Some("root")), (1000, Some("ann")), (1, None), (7, None), (8, None)]
        {
            assert_eq!(name_of(users, uid).as_deref(), want);
        }
        let root = Caller { author: "uid 0".to_owned(), uid: Some(0), access: Access::Write };
        assert_eq!(root.named().author, "root");
        let token = Caller { author: "token x".to_owned(), uid: None, access: Access::Write };
        assert_eq!(token.clone().named(), token);
    }
}
