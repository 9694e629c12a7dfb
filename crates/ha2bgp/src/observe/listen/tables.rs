//! The kernel's tables of sockets, by sock_diag, or as text in /proc where netlink is forbidden.

use std::io;

use ha2bgp_core::fact::{Protocol, SocketId};
use ha2bgp_proto::family::Family;
use ha2bgp_proto::inet_diag::DumpRequest;
use ha2bgp_proto::proc_net::ProcError;
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::diag::Diag;
use thiserror::Error;

use super::mirror::Endpoint;
use super::text::Text;
use super::{ListenConfig, MAX_LISTENERS};

/// How often a dump is begun again because the tables changed under it.
const DUMP_ATTEMPTS: u32 = 4;

/// Why the tables could not be read.
#[derive(Debug, Error)]
pub(super) enum LookError {
    /// By sock_diag.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// By /proc.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which table.
        path: String,
        /// The errno.
        source: io::Error,
    },
    /// The text is none.
    #[error("{path}: {source}")]
    Text {
        /// Which table.
        path: String,
        /// What is wrong with it.
        source: ProcError,
    },
    /// The filter asks for what the text does not tell.
    #[error("the listen filter asks for {what}, which /proc does not tell")]
    Filter {
        /// What.
        what: &'static str,
    },
}

/// The tables.
#[derive(Debug)]
pub(super) enum Tables {
    Netlink(Diag),
    /// And why not by netlink.
    Text(Text, String),
}

impl Tables {
    /// Opens them in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Self, LookError> {
        match Diag::open() {
            Ok(diag) => Ok(Self::Netlink(diag)),
            Err(error) if error.is_forbidden() => {
                Ok(Self::Text(Text::default(), error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// True when asking after one socket costs next to nothing.
    pub(super) const fn answers_at_once(&self) -> bool {
        matches!(self, Self::Netlink(_))
    }

    /// Lists all listeners into `found`, in the kernel's order.
    pub(super) fn dump(
        &mut self,
        config: &ListenConfig,
        found: &mut Vec<(SocketId, Endpoint)>,
    ) -> Result<(), (Option<Protocol>, LookError)> {
        found.clear();
        if let Self::Text(text, _) = self {
            text.look_again();
        }
        let mut attempts = 0;
        for &protocol in &config.protocols {
            for &family in &config.families {
                let read = match self {
                    Self::Netlink(diag) => {
                        dump(diag, config, (protocol, family), found, &mut attempts)
                    }
                    Self::Text(text, _) => text.read(config, (protocol, family), found),
                };
                read.map_err(|error| (Some(protocol), error))?;
            }
        }
        Ok(())
    }

    /// Before questions that are to be answered by what is true now.
    pub(super) fn look_again(&mut self) {
        if let Self::Text(text, _) = self {
            text.look_again();
        }
    }

    /// The cookie of the socket that answers for an endpoint: `id`'s, where that is one of them and
    /// the tables can tell.
    pub(super) fn find(
        &mut self,
        config: &ListenConfig,
        id: Option<SocketId>,
        endpoint: Endpoint,
    ) -> Result<Option<u64>, LookError> {
        match self {
            Self::Netlink(diag) => Ok(diag.find(&endpoint.query())?.map(|socket| socket.cookie)),
            Self::Text(text, _) => text.find(config, id, endpoint),
        }
    }
}

fn dump(
    diag: &mut Diag,
    config: &ListenConfig,
    (protocol, family): (Protocol, Family),
    found: &mut Vec<(SocketId, Endpoint)>,
    attempts: &mut u32,
) -> Result<(), LookError> {
    let request = DumpRequest { family, protocol, bytecode: &config.bytecode, memory: false };
    let start = found.len();
    loop {
        found.truncate(start);
        let result = diag.dump(&request, &mut |socket| {
            if found.len() >= MAX_LISTENERS {
                return Err(NetlinkError::TooMany { limit: MAX_LISTENERS });
            }
            found.extend(Endpoint::of(protocol, socket));
            Ok(())
        });
        match result {
            Err(NetlinkError::Interrupted) if *attempts < DUMP_ATTEMPTS => *attempts += 1,
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use ha2bgp_core::fact::ListenAddress;
    use ha2bgp_proto::filter::Bytecode;
    use socket2::{Domain, Type};

    use super::*;

    fn endpoints(tables: &mut Tables, config: &ListenConfig) -> Vec<Endpoint> {
        let mut found = Vec::new();
        tables.dump(config, &mut found).unwrap();
        found.into_iter().map(|(_, endpoint)| endpoint).collect()
    }

    fn text() -> Tables {
        Tables::Text(Text::default(), String::new())
    }

    fn at(address: ListenAddress, port: u16) -> Endpoint {
        Endpoint { port, ..Endpoint::first(address) }
    }

    #[test]
    fn the_text_tells_what_netlink_tells() {
        let config = ListenConfig::everything(&[Protocol::Tcp, Protocol::Udp]);
        let v4 = TcpListener::bind("127.83.66.90:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = std::net::UdpSocket::bind("127.83.66.91:0").unwrap();
        let addresses = [v4.local_addr(), v6.local_addr(), udp.local_addr()].map(Result::unwrap);
        for mut tables in [Tables::open().unwrap(), text()] {
            let found = endpoints(&mut tables, &config);
            for (address, protocol) in
                addresses.into_iter().zip([Protocol::Tcp, Protocol::Tcp, Protocol::Udp])
            {
                let place = at(ListenAddress::Address(address.ip()), address.port());
                assert!(found.contains(&Endpoint { protocol, ..place }), "{tables:?} {address}");
            }
        }
    }

    #[test]
    fn a_question_is_answered_by_a_second_look() {
        let config = ListenConfig::everything(&[Protocol::Tcp]);
        let listener = TcpListener::bind("127.83.66.92:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = at(ListenAddress::Address(address.ip()), address.port());
        let mut tables = text();
        let mut found = Vec::new();
        tables.dump(&config, &mut found).unwrap();
        let (id, _) = *found.iter().find(|(_, endpoint)| *endpoint == place).unwrap();
        assert_eq!(tables.find(&config, Some(id), place).unwrap(), Some(id.cookie));
        drop(listener);
        tables.look_again();
        assert_eq!(tables.find(&config, Some(id), place).unwrap(), None);
    }

    /// Of a wildcard the text does not say whether it serves IPv4 too.
    #[test]
    fn two_wildcards_at_one_port_are_one_for_each_family() {
        let v4 = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = v4.local_addr().unwrap().port();
        let v6 = socket2::Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        v6.set_only_v6(true).unwrap();
        v6.bind(&SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port).into()).unwrap();
        v6.listen(1).unwrap();
        let dual = TcpListener::bind("[::]:0").unwrap();
        let config = ListenConfig::everything(&[Protocol::Tcp]);
        let mut tables = text();
        let found = endpoints(&mut tables, &config);
        assert!(found.contains(&at(ListenAddress::AnyV4, port)));
        assert!(found.contains(&at(ListenAddress::AnyV6Only, port)));
        let other = dual.local_addr().unwrap().port();
        assert!(found.contains(&at(ListenAddress::AnyDual, other)));
        drop(v4);
        let found = endpoints(&mut tables, &config);
        assert!(found.contains(&at(ListenAddress::AnyV6Only, port)), "it does not take over IPv4");
    }

    #[test]
    fn a_filter_that_asks_for_more_is_refused() {
        // AUTO: whether the kernel has chosen the port.
        let bytecode = vec![6, 4, 8, 0];
        assert!(Bytecode::audit(&bytecode).unwrap().asks_beyond_addresses().is_some());
        let config = ListenConfig { bytecode, ..ListenConfig::everything(&[Protocol::Tcp]) };
        let (_, error) = text().dump(&config, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, LookError::Filter { .. }), "{error}");
    }
}
