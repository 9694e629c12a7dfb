//! Service names: `/etc/services` as glibc reads it.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use ha2bgp_core::fact::Protocol;

/// The service names of a host, from the text of its `/etc/services`.
///
/// Names are case-sensitive; the first line that has a name, as its own or as an alias, wins
/// (`getservbyname(3)` with `services: files` in nsswitch.conf).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Services {
    tcp: BTreeMap<String, u16>,
    udp: BTreeMap<String, u16>,
}

impl Services {
    /// A table without names: filters can use port numbers only.
    pub const fn empty() -> Self {
        Self { tcp: BTreeMap::new(), udp: BTreeMap::new() }
    }

    /// Reads lines of the form `name port/protocol alias... # comment`.
    ///
    /// Lines of another form, and protocols other than tcp and udp, are skipped, as glibc does.
    pub fn parse(text: &str) -> Self {
        let mut services = Self::empty();
        for line in text.lines() {
            services.add_line(line);
        }
        services
    }

    /// The port of a name or alias.
    pub fn port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        match protocol {
            Protocol::Tcp => self.tcp.get(name).copied(),
            Protocol::Udp => self.udp.get(name).copied(),
        }
    }

    fn add_line(&mut self, line: &str) -> Option<()> {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let port = port.parse().ok()?;
        let table = match protocol {
            "tcp" => &mut self.tcp,
            "udp" => &mut self.udp,
            _ => return None,
        };
        for name in core::iter::once(name).chain(words) {
            table.entry(name.to_string()).or_insert(port);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_found() {
        let services = Services::parse(
            "# comment\n\
             ssh\t22/tcp\t\t# no udp\n\
             http 80/tcp www www-http\n\
             http 8080/tcp late\n\
             domain 53/tcp\n domain 53/udp\n\
             syslog 514/udp\nshell 514/tcp cmd syslog\n\
             broken\nbad x/tcp\nbig 70000/tcp\nodd 7/sctp\n",
        );
        for (name, tcp, udp) in [
            ("ssh", Some(22), None),
            ("http", Some(80), None),
            ("www-http", Some(80), None),
            ("late", Some(8080), None),
            ("domain", Some(53), Some(53)),
            ("syslog", Some(514), Some(514)),
            ("HTTP", None, None),
            ("broken", None, None),
            ("bad", None, None),
            ("big", None, None),
            ("odd", None, None),
            ("no", None, None),
        ] {
            assert_eq!(services.port(name, Protocol::Tcp), tcp, "{name}");
            assert_eq!(services.port(name, Protocol::Udp), udp, "{name}");
        }
    }
}
