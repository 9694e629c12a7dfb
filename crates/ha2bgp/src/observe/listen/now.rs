//! The listeners of this moment, for commands that look once.

use ha2bgp_core::fact::{Listener, Protocol};
use ha2bgp_proto::filter::Filter;
use ha2bgp_proto::inet_diag::DumpRequest;
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::diag::Diag;

use super::ListenConfig;
use super::mirror::Endpoint;

/// The sockets that a filter matches now, ordered by protocol, address and port.
///
/// # Errors
/// When the kernel refuses the question, for example a mark condition without CAP_NET_ADMIN.
pub fn listeners_now(
    filter: &Filter,
    protocols: &[Protocol],
) -> Result<Vec<Listener>, NetlinkError> {
    listeners_of(&ListenConfig::new(protocols, filter))
}

/// The sockets that are looked at with these settings.
///
/// # Errors
/// As [`listeners_now`].
pub fn listeners_of(config: &ListenConfig) -> Result<Vec<Listener>, NetlinkError> {
    let mut diag = Diag::open()?;
    let mut listeners = Vec::new();
    for &protocol in &config.protocols {
        for &family in &config.families {
            let request =
                DumpRequest { family, protocol, bytecode: &config.bytecode, memory: false };
            diag.dump(&request, &mut |socket| {
                let found = Endpoint::of(protocol, socket).map(|(id, endpoint)| Listener {
                    id,
                    address: endpoint.address,
                    port: endpoint.port,
                });
                listeners.extend(found);
                Ok(())
            })?;
        }
    }
    listeners.sort_by_key(|listener| {
        (listener.id.protocol, listener.address, listener.port, listener.id.cookie)
    });
    Ok(listeners)
}
