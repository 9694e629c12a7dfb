use super::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read as _, Write as _};

/// How long a connection that is expected may take.
const PATIENCE: i64 = 20_000;
/// How long a connection that must not come about is watched: the SYN is sent again meanwhile.
const WATCH: i64 = 1_300;

/// Waits for one descriptor, in milliseconds.
fn ready(fd: &impl AsFd, flags: PollFlags, milliseconds: i64) -> bool {
    let timeout =
        Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
    poll(&mut [PollFd::new(fd, flags)], Some(&timeout)).unwrap() > 0
}

fn key(text: &str) -> Option<Key> {
    Some(Key::new(text.as_bytes()).unwrap())
}

/// Two addresses of this host for a test, one a family.
fn addresses(last: u8) -> [(SocketAddr, SocketAddr); 2] {
    [
        (([127, 9, last, 1], 0).into(), ([127, 9, last, 2], 0).into()),
        ("[::1]:0".parse().unwrap(), "[::1]:0".parse().unwrap()),
    ]
}

fn server(at: SocketAddr, peer: SocketAddr, options: &Options) -> (TcpListener, SocketAddr) {
    let listener = listen(at, options).unwrap();
    set_key(&listener, peer.ip(), options.key.as_ref()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Starts to connect.
fn client(from: SocketAddr, to: SocketAddr, options: &Options) -> TcpStream {
    let options = Options { local: Some(from), ..options.clone() };
    let stream = open(to, &options).unwrap();
    // In progress, or done: a later poll tells.
    let _ = SockRef::from(&stream).connect(&to.into());
    stream
}

fn connects(stream: &TcpStream, milliseconds: i64) -> bool {
    ready(stream, PollFlags::OUT, milliseconds) && stream.take_error().unwrap().is_none()
}

fn pair(from: SocketAddr, at: SocketAddr, options: &Options) -> (TcpStream, TcpStream) {
    let (listener, address) = server(at, from, options);
    let ours = client(from, address, options);
    assert!(ready(&listener, PollFlags::IN, PATIENCE), "{options:?}");
    let (theirs, _) = listener.accept().unwrap();
    theirs.set_nonblocking(true).unwrap();
    assert!(connects(&ours, PATIENCE), "{options:?}");
    (ours, theirs)
}

/// What is written at one end comes out at the other.
fn passes(mut from: &TcpStream, mut to: &TcpStream, milliseconds: i64) -> bool {
    from.write_all(b"route").unwrap();
    let mut buffer = [0; 64];
    ready(&to, PollFlags::IN, milliseconds) && to.read(&mut buffer).unwrap() > 0
}

#[test]
fn options_arrive_on_the_socket() {
    for (local, peer) in addresses(1) {
        let options = Options {
            local: Some(local),
            device: Some("lo".to_owned()),
            key: key("secret"),
            hops: Hops::Security(1),
            user_timeout: Some(Duration::from_secs(9)),
        };
        let stream = open(peer, &options).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap() && socket.reuse_address().unwrap());
        assert!(socket.nonblocking().unwrap());
        assert_eq!(socket.device().unwrap().as_deref(), Some(b"lo".as_slice()));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(9)));
        let (ttl, class) = match peer {
            SocketAddr::V4(_) => (socket.ttl_v4().unwrap(), socket.tos_v4().unwrap()),
            SocketAddr::V6(_) => (socket.unicast_hops_v6().unwrap(), socket.tclass_v6().unwrap()),
        };
        assert_eq!((ttl, class), (255, 0xc0));
    }
}

#[test]
fn errors_name_what_was_tried() {
    let absent = Options { local: Some("192.0.2.77:0".parse().unwrap()), ..Options::default() };
    let error = open("192.0.2.1:179".parse().unwrap(), &absent).unwrap_err().to_string();
    assert!(error.starts_with("cannot bind a TCP socket to 192.0.2.77:0: "), "{error}");
    let device = Options { device: Some("nosuch0".to_owned()), ..Options::default() };
    let error = open("192.0.2.1:179".parse().unwrap(), &device).unwrap_err().to_string();
    assert!(error.starts_with("cannot bind a TCP socket to the interface nosuch0: "), "{error}");
}

#[test]
fn a_key_has_1_to_80_bytes_and_is_never_shown() {
    assert_eq!(Key::new(b""), Err(KeyError::Empty));
    assert_eq!(Key::new(&[b'x'; 81]), Err(KeyError::TooLong { length: 81 }));
    assert_eq!(format!("{:?}", Key::new(&[b'x'; 80]).unwrap()), "Key(80 bytes)");
}

#[test]
fn the_same_key_connects() {
    for (local, peer) in addresses(2) {
        for text in ["k", &"long".repeat(20)] {
            let (ours, theirs) =
                pair(local, peer, &Options { key: key(text), ..Options::default() });
            assert!(passes(&ours, &theirs, PATIENCE) && passes(&theirs, &ours, PATIENCE));
        }
    }
}

#[test]
fn another_key_or_none_gets_no_answer() {
    for (local, peer) in addresses(3) {
        let (listener, address) =
            server(peer, local, &Options { key: key("right"), ..Options::default() });
        for key in [key("wrong"), None] {
            let before = Counters::read().unwrap();
            let stream = client(local, address, &Options { key, ..Options::default() });
            assert!(!ready(&stream, PollFlags::OUT, WATCH));
            assert!(!ready(&listener, PollFlags::IN, 0));
            let dropped = Counters::read().unwrap().since(before);
            assert!(dropped.md5_failure + dropped.md5_not_found > 0, "{dropped}");
        }
    }
}

#[test]
fn a_key_changes_on_a_live_connection() {
    for (local, peer) in addresses(4) {
        let (ours, theirs) = pair(local, peer, &Options { key: key("old"), ..Options::default() });
        // One side first: what it sends is dropped and sent again until the other follows.
        set_key(&ours, theirs.local_addr().unwrap().ip(), key("new").as_ref()).unwrap();
        assert!(!passes(&ours, &theirs, 300));
        set_key(&theirs, ours.local_addr().unwrap().ip(), key("new").as_ref()).unwrap();
        assert!(ready(&theirs, PollFlags::IN, PATIENCE));
        assert!(passes(&theirs, &ours, PATIENCE));
        // Without a key on both sides it goes on unsigned.
        for (socket, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let other = other.local_addr().unwrap().ip();
            set_key(socket, other, None).unwrap();
            set_key(socket, other, None).unwrap();
        }
        assert!(passes(&ours, &theirs, PATIENCE));
    }
}

#[test]
fn a_neighbor_with_ttl_255_passes_and_one_with_less_does_not() {
    for (local, peer) in addresses(5) {
        let secured = Options { hops: Hops::Security(1), ..Options::default() };
        let (ours, theirs) = pair(local, peer, &secured);
        assert!(passes(&ours, &theirs, PATIENCE) && passes(&theirs, &ours, PATIENCE));

        let (listener, address) = server(peer, local, &secured);
        for hops in [Hops::Ttl(254), Hops::Ttl(1), Hops::Any] {
            let stream = client(local, address, &Options { hops, ..Options::default() });
            assert!(!ready(&stream, PollFlags::OUT, WATCH / 3), "{hops:?}");
        }
        assert!(!ready(&listener, PollFlags::IN, 0));

        let two_away = Options { hops: Hops::Security(2), ..Options::default() };
        let (listener, address) = server(peer, local, &two_away);
        let stream =
            client(local, address, &Options { hops: Hops::Ttl(254), ..Options::default() });
        assert!(ready(&listener, PollFlags::IN, PATIENCE));
        drop(stream);
    }
}

#[test]
fn unacknowledged_bytes_are_counted_until_the_peer_has_them() {
    for (local, peer) in addresses(6) {
        let (ours, theirs) = pair(local, peer, &Options::default());
        // Nobody reads: what does not fit into the peer's buffer stays with us.
        let mut written = 0;
        while let Ok(count) = (&ours).write(&[0; 64 * 1024]) {
            written += count;
        }
        let waiting = unacknowledged(&ours).unwrap();
        assert!(waiting > 0 && waiting <= written, "{waiting} of {written}");
        let mut read = 0;
        let mut buffer = vec![0; 1 << 20];
        while read < written {
            assert!(ready(&theirs, PollFlags::IN, PATIENCE));
            read += (&theirs).read(&mut buffer).unwrap();
        }
        assert_eq!(unacknowledged(&ours).unwrap(), 0);
        assert!(unacknowledged(&listen(peer, &Options::default()).unwrap()).is_err());
    }
}
