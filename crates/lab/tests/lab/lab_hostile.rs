//! The lab's hostile servers are as hostile as they say, and let go.

use ha2bgp_lab::dns_server::{self, Transport};
use ha2bgp_lab::misbehave::udp::{MisbehaveUdp, Mode};
use ha2bgp_lab::misbehave::{Misbehave, Step, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, readme, require, wait};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(150);

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// What a client gets within `time` of silence, at most `most` octets, and how it ended.
fn talk(
    host: &Netns,
    address: SocketAddr,
    time: Duration,
    most: u64,
) -> Result<(Vec<u8>, Option<ErrorKind>)> {
    host.within(|| {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(time))?;
        let _refused = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
        let mut got = Vec::new();
        let ended = stream.take(most).read_to_end(&mut got);
        Ok((got, ended.err().map(|error| error.kind())))
    })?
    .map_err(LabError::io("talk"))
}

#[test]
fn every_script_on_tcp() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("hostile")?;
    let good = steps::http(200, "fine");
    let all = good.len();
    // Script, how long to be patient, the octets that come, how it ends.
    let silent = Some(ErrorKind::WouldBlock);
    let cases: Vec<(&str, Vec<Step>, usize, Option<ErrorKind>)> = vec![
        ("answer", steps::answer(&good), all, None),
        ("answer each", steps::answer_each(&good), all, silent),
        ("garbage", steps::garbage(), 65_536, silent),
        ("close early", steps::close_early(), 0, None),
        ("close after", steps::close_after(&good, 7), 7, None),
        ("stop after", steps::stop_after(&good, 7), 7, silent),
        ("never", steps::never_answer(), 0, silent),
        ("long line", steps::long_line(b"x: ", 10 << 20), (10 << 20) + 4, None),
        ("utf8", steps::invalid_utf8(b"HTTP/1.1 200 "), 29, None),
        ("late", steps::late(&good, Duration::from_secs(60)), 0, silent),
        ("drip", steps::drip(&good, Duration::from_millis(1)), all, silent),
        ("reset", steps::reset(), 0, Some(ErrorKind::ConnectionReset)),
    ];
    for (name, script, octets, end) in cases {
        let server = Misbehave::tcp(&host, any(), vec![script])?;
        let (got, ended) = talk(&host, server.address()?, SHORT, 1 << 30)?;
        if name == "close early" {
            // The request may meet the close, and then there is RST.
            assert!(got.is_empty() && ended != silent, "{name}: {got:?} {ended:?}");
            continue;
        }
        assert_eq!((got.len(), ended), (octets, end), "{name}");
        assert!(server.received().starts_with(b"GET /"), "{name}");
        wait::until_true(LIMIT, "no connection is open", || server.open() == 0)?;
        assert_eq!(server.accepted(), 1);
    }
    let server = Misbehave::tcp(&host, any(), vec![steps::endless(b"head", b"more")])?;
    let (got, _) = talk(&host, server.address()?, SHORT, 50 << 20)?;
    assert_eq!(got.len(), 50 << 20);
    wait::until_true(LIMIT, "no connection is open", || server.open() == 0)
}

#[test]
fn scripts_in_turn_and_a_full_accept_queue() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("hostile2")?;
    let scripts = vec![steps::answer(b"one"), steps::reset(), steps::answer(b"three")];
    let server = Misbehave::tcp(&host, any(), scripts)?;
    for expected in ["one", "", "three", "three"] {
        let (got, _) = talk(&host, server.address()?, SHORT, 100)?;
        assert_eq!(got, expected.as_bytes());
    }
    let full = Misbehave::never_accept_tcp(&host, any())?;
    let address = full.address()?;
    let connected = host.within(|| TcpStream::connect_timeout(&address, SHORT))?;
    assert_eq!(connected.err().map(|error| error.kind()), Some(ErrorKind::TimedOut));
    Ok(())
}

#[test]
fn unix_sockets() -> Result<()> {
    let dir = readme::workdir()?;
    let path = dir.path().join("stats.sock");
    let read = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"show stat\n")?;
        let mut got = Vec::new();
        stream.read_to_end(&mut got).map(|_| got)
    };
    let io = || LabError::io("read");
    let script = steps::answer(b"# pxname,svname,\n");
    let server = Misbehave::unix(&path, vec![script, steps::reset()])?;
    assert_eq!(read().map_err(io())?, b"# pxname,svname,\n");
    assert!(read().is_ok_and(|got| got.is_empty()), "there is no RST on a unix socket");
    assert_eq!(server.received(), b"show stat\nshow stat\n");
    drop(server);
    assert_eq!(read().err().map(|error| error.kind()), Some(ErrorKind::NotFound));

    let _full = Misbehave::never_accept_unix(&path)?;
    let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let client = client.map_err(io())?;
    client.set_nonblocking(true).map_err(io())?;
    let outcome = client.connect(&socket2::SockAddr::unix(&path).map_err(io())?);
    assert_eq!(outcome.err().map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    Ok(())
}

#[test]
fn every_mode_on_udp() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("hostile3")?;
    let query = dns_server::query(0x4c42, "www.example.test", dns_server::A);
    let right = ha2bgp_lab::misbehave::udp::answer(&query);
    let ask = |mode| {
        let server = MisbehaveUdp::start(&host, any(), vec![mode])?;
        let address = server.address();
        let asked = host.within(|| {
            dns_server::ask(address, "www.example.test", dns_server::A, Transport::Udp)
        })?;
        assert_eq!(server.asked(), 1);
        Ok::<_, LabError>(asked.ok())
    };
    for mode in [Mode::Right, Mode::Duplicate, Mode::Late(SHORT)] {
        assert_eq!(ask(mode)?.as_ref(), Some(&right), "{mode:?}");
    }
    assert_eq!(dns_server::answers(&right), Some(1));
    assert_eq!(ask(Mode::Garbage)?.map(|answer| answer.len()), Some(300));
    assert_eq!(ask(Mode::Oversized)?.map(|answer| answer.len()), Some(65_507));
    assert_eq!(ask(Mode::Cut(5))?.map(|answer| answer.len()), Some(5));
    assert_eq!(ask(Mode::Echo)?, Some(query));
    // From another port, a connected socket takes nothing.
    assert_eq!(ask(Mode::WrongSource)?, None);
    let differs = |mode, at: usize| -> Result<()> {
        let answer = ask(mode)?.unwrap_or_default();
        assert_ne!(answer.get(at), right.get(at), "{mode:?}");
        assert_eq!(answer.len(), right.len());
        Ok(())
    };
    differs(Mode::WrongId, 1)?;
    differs(Mode::WrongQuestion, 13)?;
    let truncated = ask(Mode::Truncated)?.unwrap_or_default();
    assert_eq!(dns_server::flags(&truncated), Some((true, true)));
    assert_eq!(dns_server::answers(&truncated), Some(0));
    let refused = ask(Mode::Code(5))?.unwrap_or_default();
    assert_eq!(dns_server::rcode(&refused), Some(5));
    assert_eq!(dns_server::answers(&ask(Mode::Loop)?.unwrap_or_default()), Some(2));
    Ok(())
}
