//! All rows, by proxy.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Kind, Row, RowError};

/// What `show stat` says of one name. A frontend and a backend may share it, a `listen` is both.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxy {
    /// The frontend's row.
    pub frontend: Option<Row>,
    /// The listening sockets of the frontend; only with `option socket-stats`.
    pub listeners: Vec<Row>,
    /// The backend's row.
    pub backend: Option<Row>,
    /// The servers of the backend, in the order of the configuration.
    pub servers: Vec<Row>,
}

/// One answer to `show stat`, by the name of the proxy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    proxies: BTreeMap<Box<str>, Proxy>,
    rows: usize,
}

impl Table {
    /// All proxies by name.
    pub fn proxies(&self) -> impl Iterator<Item = (&str, &Proxy)> {
        self.proxies.iter().map(|(name, proxy)| (&**name, proxy))
    }

    /// The proxy of that name, be it frontend, backend or both.
    pub fn proxy(&self, name: &str) -> Option<&Proxy> {
        self.proxies.get(name)
    }

    /// The row of a frontend.
    pub fn frontend(&self, name: &str) -> Option<&Row> {
        self.proxy(name)?.frontend.as_ref()
    }

    /// The row of a backend and those of its servers.
    pub fn backend(&self, name: &str) -> Option<(&Row, &[Row])> {
        let proxy = self.proxy(name)?;
        Some((proxy.backend.as_ref()?, &proxy.servers))
    }

    /// How many rows were read.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Names of the frontends whose listening sockets may take connections to `vip`, at `port` if
    /// given; see [`Row::serves`]. Exact addresses have no precedence over wildcards: a firewall
    /// or another port may send either. Empty without `option socket-stats`.
    pub fn frontends_of(&self, vip: IpAddr, port: Option<u16>) -> Vec<&str> {
        let serves = |proxy: &Proxy| proxy.listeners.iter().any(|row| row.serves(vip, port));
        self.proxies().filter(|(_, proxy)| serves(proxy)).map(|(name, _)| name).collect()
    }
}

/// A table under construction. Rows of one proxy mostly stand together, so the last one is kept
/// at hand.
#[derive(Debug, Default)]
pub(super) struct Builder {
    table: Table,
    last: Option<(Box<str>, Proxy)>,
}

impl Builder {
    pub(super) fn add(&mut self, name: &str, row: Row) -> Result<(), RowError> {
        if name.is_empty() {
            return Err(RowError::NoName);
        }
        if self.last.as_ref().is_none_or(|(last, _)| **last != *name) {
            self.put_away();
            let name: Box<str> = name.into();
            let proxy = self.table.proxies.remove(&name).unwrap_or_default();
            self.last = Some((name, proxy));
        }
        let Some((_, proxy)) = &mut self.last else { return Ok(()) };
        match row.kind {
            Kind::Frontend => once(&mut proxy.frontend, row)?,
            Kind::Backend => once(&mut proxy.backend, row)?,
            Kind::Server => proxy.servers.push(row),
            Kind::Listener => proxy.listeners.push(row),
        }
        self.table.rows += 1;
        Ok(())
    }

    fn put_away(&mut self) {
        if let Some((name, proxy)) = self.last.take() {
            self.table.proxies.insert(name, proxy);
        }
    }

    pub(super) fn finish(mut self) -> Table {
        self.put_away();
        self.table
    }
}

fn once(place: &mut Option<Row>, row: Row) -> Result<(), RowError> {
    if place.is_some() {
        return Err(RowError::Twice);
    }
    *place = Some(row);
    Ok(())
}
