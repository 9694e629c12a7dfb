//! The language as a whole, as tables and as properties.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use ha2bgp_core::fact::Protocol;

use super::*;

mod language;
mod properties;
mod words;

/// A host with two interfaces and one cgroup.
struct Host;

impl Names for Host {
    fn device(&self, name: &str) -> Option<u32> {
        match name {
            "lo" => Some(1),
            "eth0" => Some(2),
            "with blank" => Some(3),
            _ => None,
        }
    }

    fn cgroup(&self, path: &str) -> Result<u64, String> {
        match path {
            "/sys/fs/cgroup/web" => Ok(0x0102_0304_0506_0708),
            _ => Err("No such file or directory".into()),
        }
    }
}

fn services() -> Services {
    Services::parse(
        "ssh 22/tcp\nhttp 80/tcp www\ndomain 53/tcp\ndomain 53/udp\nsyslog 514/udp\nshell 514/tcp\n\
         rpc 1/tcp\nrpc 2/udp\n",
    )
}

fn parse_for(text: &str, protocols: &[Protocol]) -> Result<Filter, FilterError> {
    let services = services();
    Filter::parse(text, &Context { services: &services, protocols, names: &Host })
}

fn parse(text: &str) -> Result<Filter, FilterError> {
    parse_for(text, &[Protocol::Tcp])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn listening(address: &str, port: u16) -> Socket {
    Socket::listening(address.parse().unwrap(), port)
}

/// Both judges of a socket; they must agree.
fn matches(filter: &Filter, socket: &Socket) -> bool {
    let evaluated = filter.expression().is_none_or(|e| e.matches(socket));
    let interpreted =
        filter.bytecode().is_empty() || Bytecode::audit(filter.bytecode()).unwrap().accepts(socket);
    assert_eq!(evaluated, interpreted, "{filter} {socket:?}");
    filter.matches(socket)
}

/// The texts of a filter's warnings.
fn warnings(text: &str) -> Vec<String> {
    use alloc::string::ToString;
    let filter = parse(text).unwrap();
    filter.warnings().iter().map(ToString::to_string).collect()
}
