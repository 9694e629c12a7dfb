//! `type = "tcp"`: a connection can be opened.

use std::net::SocketAddr;

use ha2bgp_core::check::{Outcome, ProbeResult};

use super::net::{self, SourceOptions};
use super::{Phase, Target};

/// What a TCP probe does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcpProbe {
    /// Where to; `None`: the VIP.
    pub address: Option<std::net::IpAddr>,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl TcpProbe {
    /// Makes one probe.
    pub async fn run(&self, source: &SourceOptions, at: Target, phase: &Phase) -> ProbeResult {
        let Some(address) = self.address.or(at.vip) else {
            return ProbeResult::new(Outcome::Unknown, "there is no address to connect to");
        };
        let target = SocketAddr::new(address, self.port);
        phase.begin("connecting");
        match source.connect(target).await {
            Ok(_) => ProbeResult::new(Outcome::Pass, &format!("connected to {target}")),
            Err(error) => net::failure(&format!("connecting to {target}"), &error),
        }
    }
}
