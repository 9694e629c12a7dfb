//! A hostile DNS server on UDP: right answers, and answers that are wrong in one way each.

use crate::netns::Netns;
use crate::service::{self, Options};
use crate::{LabError, Result, wait};
use socket2::{SockAddr, Type};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Late answers that wait; more are dropped.
const QUEUE: usize = 1024;
/// How soon the thread notices that all is over.
const STEP: Duration = Duration::from_millis(20);

/// What is wrong with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Right,
    /// 300 octets of noise.
    Garbage,
    /// There is none.
    Silence,
    /// Its ID is another one.
    WrongId,
    /// It is to another question.
    WrongQuestion,
    /// It comes from another port.
    WrongSource,
    /// It comes after this time.
    Late(Duration),
    /// It comes twice.
    Duplicate,
    /// It is followed by noise, up to the largest datagram of IPv4 (65 507 octets).
    Oversized,
    /// It says that it is truncated (TC), and has no records.
    Truncated,
    /// It has this response code, and no records.
    Code(u8),
    /// It breaks off after so many octets.
    Cut(usize),
    /// It is the query itself.
    Echo,
    /// Its names point at themselves (RFC 1035 section 4.1.4 has pointers point back).
    Loop,
}

/// A hostile UDP server. It ends on drop.
#[derive(Debug)]
pub struct MisbehaveUdp {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl MisbehaveUdp {
    /// Binds in the namespace of `host`; port 0 takes a free one. The n-th query gets the n-th
    /// mode, all later ones the last.
    pub fn start(host: &Netns, address: SocketAddr, modes: Vec<Mode>) -> Result<Self> {
        let bind = || {
            let socket = service::open(address, Type::DGRAM, Options::default())?;
            let any = SockAddr::from(SocketAddr::new(address.ip(), 0));
            let other =
                service::open(any.as_socket().unwrap_or(address), Type::DGRAM, Options::default())?;
            Ok((UdpSocket::from(socket), UdpSocket::from(other)))
        };
        // As with listeners: a child that another test starts may hold what was closed a moment ago.
        let (socket, other) = wait::until(service::TAKEN, &format!("bind {address}"), || {
            let bound: std::io::Result<_> = host.within(bind).map_err(service::text)?;
            bound.map_err(service::text)
        })?;
        let address = socket.local_addr().map_err(LabError::io("local address"))?;
        socket.set_read_timeout(Some(STEP)).map_err(LabError::io("socket"))?;
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let server = Server {
            socket,
            other,
            modes,
            late: VecDeque::new(),
            stop: Arc::clone(&stop),
            asked: Arc::clone(&asked),
        };
        let thread = std::thread::Builder::new()
            .name("misbehave-udp".to_owned())
            .spawn(move || server.run())
            .map_err(LabError::io("thread"))?;
        Ok(Self { address, stop, asked, thread: Some(thread) })
    }

    /// Where it is, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many queries have come.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for MisbehaveUdp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

struct Server {
    socket: UdpSocket,
    other: UdpSocket,
    modes: Vec<Mode>,
    late: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn run(mut self) {
        let mut query = [0_u8; 65_535];
        while !self.stop.load(Ordering::Relaxed) {
            while self.late.front().is_some_and(|(at, _, _)| *at <= Instant::now()) {
                if let Some((_, to, answer)) = self.late.pop_front() {
                    let _sent = self.socket.send_to(&answer, to);
                }
            }
            if let Ok((size, from)) = self.socket.recv_from(&mut query) {
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                let mode = self.modes.get(number).or(self.modes.last()).copied();
                let query = query.get(..size).unwrap_or_default();
                self.play(mode.unwrap_or(Mode::Silence), query, from);
            }
        }
    }

    fn play(&mut self, mode: Mode, query: &[u8], to: SocketAddr) {
        let mut right = answer(query);
        let send = |octets: &[u8]| drop(self.socket.send_to(octets, to));
        match mode {
            Mode::Right => send(&right),
            Mode::Garbage => send(&super::steps::noise(300)),
            Mode::Silence => {}
            Mode::WrongId => {
                change(&mut right, 1, |octet| octet ^ 0x5a);
                send(&right);
            }
            Mode::WrongQuestion => {
                // The first letter of the name, in the question that answers point at.
                change(&mut right, 13, |octet| if octet == b'z' { b'y' } else { b'z' });
                send(&right);
            }
            Mode::WrongSource => drop(self.other.send_to(&right, to)),
            Mode::Late(after) if self.late.len() < QUEUE => {
                self.late.push_back((Instant::now() + after, to, right));
            }
            Mode::Late(_) => {}
            Mode::Duplicate => {
                send(&right);
                send(&right);
            }
            Mode::Oversized => {
                right.extend(super::steps::noise(65_507_usize.saturating_sub(right.len())));
                send(&right);
            }
            Mode::Truncated => {
                let mut empty = empty(&right);
                change(&mut empty, 2, |octet| octet | 0x02);
                send(&empty);
            }
            Mode::Code(code) => {
                let mut empty = empty(&right);
                change(&mut empty, 3, |octet| octet & 0xf0 | code & 0x0f);
                send(&empty);
            }
            Mode::Cut(octets) => send(right.get(..octets).unwrap_or(&right)),
            Mode::Echo => send(query),
            Mode::Loop => {
                let end = right.len();
                // A second record whose name is a pointer to itself.
                if let Ok(at) = u16::try_from(end) {
                    change(&mut right, 7, |count| count + 1);
                    right.extend((0xc000 | at).to_be_bytes());
                    right.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
                }
                send(&right);
            }
        }
    }
}

fn change(octets: &mut [u8], at: usize, how: impl FnOnce(u8) -> u8) {
    if let Some(octet) = octets.get_mut(at) {
        *octet = how(*octet);
    }
}

/// Where the one question of a query ends.
fn question_end(query: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        match query.get(at)? {
            0 => break,
            length => at += usize::from(*length) + 1,
        }
    }
    query.get(at + 4).map(|_| at + 5)
}

/// The same answer without its records.
fn empty(right: &[u8]) -> Vec<u8> {
    let mut octets =
        right.get(..question_end(right).unwrap_or(right.len())).unwrap_or(right).to_vec();
    change(&mut octets, 7, |_| 0);
    octets
}

/// A right, authoritative answer (RFC 1035 section 4.1) to a query of one question: 192.0.2.1 for
/// A, 2001:db8::1 for AAAA, no record for other types.
#[must_use]
pub fn answer(query: &[u8]) -> Vec<u8> {
    let Some(question) = question_end(query).and_then(|end| query.get(12..end)) else {
        return query.to_vec();
    };
    let kind = question.len().checked_sub(3).and_then(|at| question.get(at)).copied();
    let data: &[u8] = match kind {
        Some(1) => &[192, 0, 2, 1],
        Some(28) => &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        _ => &[],
    };
    let mut answer = query.get(..2).unwrap_or_default().to_vec();
    // QR, AA, and RD as it was asked.
    let recursion = query.get(2).copied().unwrap_or_default() & 1;
    answer.extend([0x84 | recursion, 0, 0, 1, 0, u8::from(!data.is_empty()), 0, 0, 0, 0]);
    answer.extend(question);
    if let (Some(kind), false) = (kind, data.is_empty()) {
        let length = u8::try_from(data.len()).unwrap_or_default();
        answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
        answer.extend(data);
    }
    answer
}
