//! The control packet as bytes (RFC 5880 section 4), and the checks that need no session.

use core::fmt;
use core::num::{NonZeroU8, NonZeroU32};

use super::discard::Discard;

/// Octets of the mandatory section.
pub(super) const HEADER: usize = 24;
/// Octets of the longest authentication section, that of SHA1.
pub(super) const AUTH_MAX: usize = 28;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// The state of a session (RFC 5880 section 4.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Held down by an operator or a program: says nothing about the path.
    AdminDown,
    /// The path does not work, or nothing was heard yet.
    Down,
    /// The peer is heard, and does not know it yet.
    Init,
    /// Both sides hear each other.
    Up,
}

impl State {
    /// All of them, as they are numbered.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    /// A stable name for metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AdminDown => "admin-down",
            Self::Down => "down",
            Self::Init => "init",
            Self::Up => "up",
        }
    }

    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session's state changed last (RFC 5880 section 4.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Diagnostic {
    /// 0.
    #[default]
    None,
    /// 1: nothing was heard for the detection time.
    DetectionTimeExpired,
    /// 2.
    EchoFailed,
    /// 3: the other side said that the session is down.
    NeighborDown,
    /// 4.
    ForwardingPlaneReset,
    /// 5: something outside of BFD says that the path is down.
    PathDown,
    /// 6.
    ConcatenatedPathDown,
    /// 7: an operator or a program wanted it.
    AdministrativelyDown,
    /// 8.
    ReverseConcatenatedPathDown,
    /// 9 to 31: not assigned by RFC 5880.
    Reserved(u8),
}

impl Diagnostic {
    /// From the lowest five bits.
    pub const fn from_number(number: u8) -> Self {
        match number & 31 {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            other => Self::Reserved(other),
        }
    }

    /// The number on the wire, 0 to 31.
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Reserved(number) => number & 31,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no diagnostic",
            Self::DetectionTimeExpired => "control detection time expired",
            Self::EchoFailed => "echo function failed",
            Self::NeighborDown => "neighbor signaled session down",
            Self::ForwardingPlaneReset => "forwarding plane reset",
            Self::PathDown => "path down",
            Self::ConcatenatedPathDown => "concatenated path down",
            Self::AdministrativelyDown => "administratively down",
            Self::ReverseConcatenatedPathDown => "reverse concatenated path down",
            Self::Reserved(number) => return write!(f, "diagnostic {number}"),
        })
    }
}

/// The mandatory section. Intervals are microseconds, as on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Why the sender's state changed last.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// The sender wants an answer with the final bit.
    pub poll: bool,
    /// This answers a poll.
    pub is_final: bool,
    /// The sender's BFD survives its control plane.
    pub control_plane_independent: bool,
    /// An authentication section follows.
    pub authenticated: bool,
    /// The sender is in demand mode: it asks us to be silent.
    pub demand: bool,
    /// So many packets of the sender must be missing in a row.
    pub multiplier: NonZeroU8,
    /// The sender's discriminator.
    pub my_discriminator: NonZeroU32,
    /// Ours, if the sender knows it.
    pub your_discriminator: Option<NonZeroU32>,
    /// The sender would like to send this often; 0 is reserved.
    pub desired_min_tx: u32,
    /// The sender wants packets no more often than this; 0: none at all.
    pub required_min_rx: u32,
    /// The same for echo packets; 0: the sender returns none.
    pub required_min_echo_rx: u32,
}

impl Packet {
    /// Reads a datagram by the rules of RFC 5880 section 6.8.6, in their order, as far as they
    /// need no session. The second value is what follows the mandatory section, within the
    /// packet's own length: the authentication section, if the packet has one.
    pub fn decode(datagram: &[u8]) -> Result<(Self, &[u8]), Discard> {
        let (&[first, flags, multiplier, length, ref rest @ ..], _) =
            datagram.split_first_chunk::<HEADER>().ok_or_else(|| short(datagram))?;
        let field = |at: usize| {
            let bytes = rest.get(at..).and_then(<[u8]>::first_chunk::<4>);
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        check_version(first)?;
        let authenticated = flags & AUTHENTICATED != 0;
        let length = usize::from(length);
        if length < HEADER + if authenticated { 2 } else { 0 } {
            return Err(Discard::Length);
        }
        let section = datagram.get(HEADER..length).ok_or(Discard::Truncated)?;
        let multiplier = NonZeroU8::new(multiplier).ok_or(Discard::Multiplier)?;
        if flags & MULTIPOINT != 0 {
            return Err(Discard::Multipoint);
        }
        let my_discriminator = NonZeroU32::new(field(0)).ok_or(Discard::MyDiscriminator)?;
        let packet = Self {
            diagnostic: Diagnostic::from_number(first),
            state: State::from_bits(flags >> 6),
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            authenticated,
            demand: flags & DEMAND != 0,
            multiplier,
            my_discriminator,
            your_discriminator: NonZeroU32::new(field(4)),
            desired_min_tx: field(8),
            required_min_rx: field(12),
            required_min_echo_rx: field(16),
        };
        let knows_us = packet.your_discriminator.is_some();
        if !knows_us && matches!(packet.state, State::Init | State::Up) {
            return Err(Discard::YourDiscriminator);
        }
        Ok((packet, section))
    }

    /// Writes the mandatory section. `section` is how many octets of authentication follow.
    pub(super) fn encode(&self, section: u8) -> [u8; HEADER] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | bit(self.poll, POLL)
            | bit(self.is_final, FINAL)
            | bit(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | bit(self.authenticated, AUTHENTICATED)
            | bit(self.demand, DEMAND);
        let mut bytes = [0; HEADER];
        let your = self.your_discriminator.map_or(0, NonZeroU32::get);
        let fields = [
            u32::from_be_bytes([
                1 << 5 | self.diagnostic.number(),
                flags,
                self.multiplier.get(),
                24_u8.saturating_add(section),
            ]),
            self.my_discriminator.get(),
            your,
            self.desired_min_tx,
            self.required_min_rx,
            self.required_min_echo_rx,
        ];
        for (place, field) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *place = field.to_be_bytes();
        }
        bytes
    }
}

const fn check_version(first: u8) -> Result<(), Discard> {
    if first >> 5 == 1 { Ok(()) } else { Err(Discard::Version) }
}

/// What is wrong with a datagram that cannot hold a mandatory section: the first check that fails.
fn short(datagram: &[u8]) -> Discard {
    let Some(&first) = datagram.first() else { return Discard::Short };
    let Err(version) = check_version(first) else {
        return match datagram.get(3) {
            Some(&length) if usize::from(length) < HEADER => Discard::Length,
            Some(_) => Discard::Truncated,
            None => Discard::Short,
        };
    };
    version
}

/// What finds the session of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peek {
    /// If there is one, it alone names the session, whatever the addresses (RFC 5880 section
    /// 6.3): no session of ours has it, [`Discard::UnknownSession`]. If there is none: the session
    /// with these addresses and this interface (RFC 5881 section 3; RFC 5883 section 4).
    pub your_discriminator: Option<NonZeroU32>,
    /// The sender's discriminator.
    pub my_discriminator: NonZeroU32,
    /// The sender's state.
    pub state: State,
}

/// Looks at a datagram as far as that needs no session.
pub fn peek(datagram: &[u8]) -> Result<Peek, Discard> {
    let (packet, _) = Packet::decode(datagram)?;
    Ok(Peek {
        your_discriminator: packet.your_discriminator,
        my_discriminator: packet.my_discriminator,
        state: packet.state,
    })
}

/// A packet to be sent: a UDP payload of 24 to 52 octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram {
    bytes: [u8; HEADER + AUTH_MAX],
    length: u8,
}

impl Datagram {
    /// `bytes` beyond the longest packet are cut off: nobody makes such.
    pub(super) fn new(header: &[u8; HEADER], section: &[u8]) -> Self {
        let mut bytes = [0; HEADER + AUTH_MAX];
        let mut length = 0;
        for (place, byte) in bytes.iter_mut().zip(header.iter().chain(section)) {
            *place = *byte;
            length += 1;
        }
        Self { bytes, length }
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for Datagram {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
