//! Running an observer, and what it has reported so far.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ha2bgp::observe::{Seen, address, listen};
use ha2bgp_core::fact::{AddressId, Listener, LocalAddress, Observation, Protocol, SocketId};
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Longer than anything takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);
/// An interval that no test lives to see the end of.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// A running observer and the facts it has reported.
pub(crate) struct Watcher {
    rx: mpsc::Receiver<Seen>,
    task: JoinHandle<()>,
    announced: watch::Sender<RouteSet>,
    pub(crate) looks: listen::Looks,
    pub(crate) listeners: BTreeMap<SocketId, Listener>,
    pub(crate) addresses: BTreeMap<AddressId, LocalAddress>,
    pub(crate) failures: Vec<String>,
    pub(crate) completions: usize,
}

impl Watcher {
    /// Starts a listen observer and waits until it has reported all there is.
    pub(crate) async fn listen(config: listen::ListenConfig) -> Self {
        let mut watcher = Self::listen_unchecked(config);
        watcher.until("the listen observer to complete", |w| w.completions == 1).await;
        watcher
    }

    /// Starts a listen observer.
    pub(crate) fn listen_unchecked(config: listen::ListenConfig) -> Self {
        let announced = watch::Sender::default();
        let (tx, rx) = mpsc::channel(64);
        let looks = listen::Looks::default();
        let task = tokio::spawn(listen::run(
            watch::channel(config).1,
            announced.subscribe(),
            tx,
            watch::Sender::default(),
            looks.clone(),
        ));
        let mut watcher = Self::new(rx, task, announced);
        watcher.looks = looks;
        watcher
    }

    /// Starts an address observer and waits until it has reported all there is.
    pub(crate) async fn address(config: address::AddressConfig) -> Self {
        let (tx, rx) = mpsc::channel(64);
        let task = tokio::spawn(address::run(config, tx));
        let mut watcher = Self::new(rx, task, watch::Sender::default());
        watcher.until("the address observer to complete", |w| w.completions == 1).await;
        watcher
    }

    fn new(
        rx: mpsc::Receiver<Seen>,
        task: JoinHandle<()>,
        announced: watch::Sender<RouteSet>,
    ) -> Self {
        let (looks, listeners, addresses, failures) = Default::default();
        Self { rx, task, announced, looks, listeners, addresses, failures, completions: 0 }
    }

    /// Says that host routes to `addresses` are announced.
    pub(crate) fn announce(&self, addresses: &[IpAddr]) {
        let route = Route::new(NextHop::SelfAddress);
        let routes = addresses.iter().map(|address| (Prefix::host(*address), route));
        self.announced.send_replace(routes.collect());
    }

    /// Takes observations in until `done`; fails the test at the deadline.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !done(self) {
            match tokio::time::timeout_at(deadline, self.rx.recv()).await {
                Ok(Some(seen)) => self.take(seen.what),
                Ok(None) => panic!("the observer ended while waiting for {what}"),
                Err(_) => panic!("no end of waiting for {what}: {:?}", self.failures),
            }
        }
    }

    /// Waits until the socket is reported as open.
    pub(crate) async fn opened(&mut self, id: SocketId) -> Listener {
        self.until("a listener to open", |w| w.listeners.contains_key(&id)).await;
        self.listeners[&id]
    }

    /// Waits until the socket is not reported as open any more.
    pub(crate) async fn closed(&mut self, id: SocketId) {
        self.until("a listener to close", |w| !w.listeners.contains_key(&id)).await;
    }

    /// Waits until the address is reported like this.
    pub(crate) async fn has(&mut self, what: &str, test: impl Fn(&LocalAddress) -> bool) {
        self.until(what, |w| w.addresses.values().any(&test)).await;
    }

    /// Takes in what is reported in the next 100 ms.
    pub(crate) async fn settle(&mut self) {
        let end = tokio::time::Instant::now() + Duration::from_millis(100);
        while let Ok(Some(seen)) = tokio::time::timeout_at(end, self.rx.recv()).await {
            self.take(seen.what);
        }
    }

    fn take(&mut self, observation: Observation) {
        match observation {
            Observation::ListenerOpened(listener) => {
                let before = self.listeners.insert(listener.id, listener);
                assert_eq!(before, None, "{listener} was open already");
            }
            Observation::ListenerClosed(id) => {
                assert!(self.listeners.remove(&id).is_some(), "{id:?} was not open");
            }
            Observation::AddressChanged(address) => {
                let before = self.addresses.insert(address.id, address.clone());
                assert_ne!(before, Some(address), "nothing changed");
            }
            Observation::AddressRemoved(id) => {
                assert!(self.addresses.remove(&id).is_some(), "{id:?} was not there");
            }
            Observation::Probed { check, .. } => panic!("{check:?} is nothing that they look at"),
            Observation::Complete(_) => self.completions += 1,
            Observation::Failed { error, .. } => self.failures.push(error.to_string()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the listeners every few milliseconds, whatever that costs.
pub(crate) fn brisk() -> listen::ListenConfig {
    let reconcile_interval = Duration::from_millis(5);
    listen::ListenConfig { reconcile_interval, doorbell: false, ..Default::default() }
}

/// Never reads all listeners after the first time, unless events say so.
pub(crate) fn without_reading() -> listen::ListenConfig {
    listen::ListenConfig { reconcile_interval: NEVER, doorbell: false, ..Default::default() }
}

/// Looks when the doorbell rings, and never else; nothing where this host permits no doorbell.
pub(crate) fn ringing() -> Option<listen::ListenConfig> {
    let hung = ha2bgp_sys::doorbell::Doorbell::hang();
    hung.is_ok().then(|| listen::ListenConfig {
        destroy_events: false,
        reconcile_interval: NEVER,
        calm_reconcile_interval: NEVER,
        poll_interval: NEVER,
        ..Default::default()
    })
}

/// A loopback address that no other test uses.
pub(crate) fn own_address() -> IpAddr {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let number = (std::process::id() << 8) + count;
    // 127.64.0.0/10
    let bits = 0x7f40_0000 | (number & 0x003f_ffff);
    Ipv4Addr::from_bits(bits).into()
}

/// A TCP socket that listens on `address`, at a port of the kernel's choice when `port` is 0.
pub(crate) fn tcp(address: &str, port: u16, prepare: impl FnOnce(&Socket)) -> Socket {
    let address = SocketAddr::new(address.parse().unwrap(), port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    prepare(&socket);
    socket.bind(&address.into()).unwrap();
    socket.listen(16).unwrap();
    socket
}

/// A UDP socket bound to `address`.
pub(crate) fn udp(address: &str) -> Socket {
    let address = SocketAddr::new(address.parse().unwrap(), 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// The name of a TCP socket in observations.
pub(crate) fn id(socket: &Socket) -> SocketId {
    SocketId { protocol: Protocol::Tcp, cookie: socket.cookie().unwrap() }
}

/// The name of a UDP socket in observations.
pub(crate) fn udp_id(socket: &Socket) -> SocketId {
    SocketId { protocol: Protocol::Udp, cookie: socket.cookie().unwrap() }
}

/// The port that a socket is bound to.
pub(crate) fn port(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_socket().unwrap().port()
}
