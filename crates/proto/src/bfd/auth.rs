//! Authentication of packets (RFC 5880 section 6.7).
//!
//! Two places are read by their meaning and not by their letters: the sequence number of a packet
//! counts only once its digest is right (section 6.7.3 notes it before; then anybody could shut
//! the session up with one forged packet), and it is noted for every packet that was accepted.

use alloc::vec::Vec;
use core::fmt;

use md5::{Digest, Md5};
use sha1::Sha1;
use thiserror::Error;

use super::discard::Discard;
use super::packet::{AUTH_MAX, HEADER};

/// How packets are authenticated, with the numbers of RFC 5880 section 4.1.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AuthKind {
    /// 1: the password, readable by everybody on the path.
    SimplePassword,
    /// 2: MD5; a packet can be replayed until the next change.
    KeyedMd5,
    /// 3: MD5; no packet can be replayed.
    MeticulousKeyedMd5,
    /// 4: SHA1; a packet can be replayed until the next change.
    KeyedSha1,
    /// 5: SHA1; no packet can be replayed.
    MeticulousKeyedSha1,
}

/// The digest of a kind.
#[derive(Clone, Copy)]
enum Hash {
    Md5,
    Sha1,
}

impl Hash {
    const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
        }
    }

    /// The digest of all pieces, in the first [`Hash::len`] octets.
    fn digest(self, pieces: [&[u8]; 3]) -> [u8; DIGEST_MAX] {
        let mut out = [0; DIGEST_MAX];
        let mut put = |digest: &[u8]| {
            for (place, byte) in out.iter_mut().zip(digest) {
                *place = *byte;
            }
        };
        match self {
            Self::Md5 => put(&chained::<Md5>(pieces)),
            Self::Sha1 => put(&chained::<Sha1>(pieces)),
        }
        out
    }
}

fn chained<D: Digest>(pieces: [&[u8]; 3]) -> md5::digest::Output<D> {
    let mut digest = D::new();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

const DIGEST_MAX: usize = 20;
/// Type, length, key ID, reserved, sequence number: what stands before a digest.
const DIGEST_AT: usize = 8;

impl AuthKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::SimplePassword,
        Self::KeyedMd5,
        Self::MeticulousKeyedMd5,
        Self::KeyedSha1,
        Self::MeticulousKeyedSha1,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::SimplePassword => 1,
            Self::KeyedMd5 => 2,
            Self::MeticulousKeyedMd5 => 3,
            Self::KeyedSha1 => 4,
            Self::MeticulousKeyedSha1 => 5,
        }
    }

    /// The name in configurations.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SimplePassword => "simple",
            Self::KeyedMd5 => "keyed-md5",
            Self::MeticulousKeyedMd5 => "meticulous-keyed-md5",
            Self::KeyedSha1 => "keyed-sha1",
            Self::MeticulousKeyedSha1 => "meticulous-keyed-sha1",
        }
    }

    /// Octets that a secret may have at most; at least one.
    pub const fn secret_max(self) -> usize {
        match self.hash() {
            None => 16,
            Some(hash) => hash.len(),
        }
    }

    const fn hash(self) -> Option<Hash> {
        match self {
            Self::SimplePassword => None,
            Self::KeyedMd5 | Self::MeticulousKeyedMd5 => Some(Hash::Md5),
            Self::KeyedSha1 | Self::MeticulousKeyedSha1 => Some(Hash::Sha1),
        }
    }

    const fn is_meticulous(self) -> bool {
        matches!(self, Self::MeticulousKeyedMd5 | Self::MeticulousKeyedSha1)
    }
}

impl fmt::Display for AuthKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A key with its number. Its secret is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Key {
    /// The key ID, the same on both sides.
    pub id: u8,
    /// The password or the key: 1 to [`AuthKind::secret_max`] octets.
    pub secret: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The authentication of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Auth {
    kind: AuthKind,
    key: Key,
    others: Vec<Key>,
}

/// Why keys make no authentication.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AuthError {
    /// A secret does not fit.
    #[error(
        "the secret of BFD key {id} is {length} octets long: for {kind} it must be 1 to {}; \
         shorten it, here and at the peer",
        kind.secret_max()
    )]
    Secret {
        /// The key's number.
        id: u8,
        /// Octets that it has.
        length: usize,
        /// How it would be used.
        kind: AuthKind,
    },
    /// Two keys have one number.
    #[error("two BFD keys have the number {id}: each needs its own")]
    Twice {
        /// That number.
        id: u8,
    },
}

impl Auth {
    /// Packets are sent with `key`, and accepted with it or with any of `others`: so keys are changed
    /// without losing a session.
    pub fn new(kind: AuthKind, key: Key, others: Vec<Key>) -> Result<Self, AuthError> {
        let mut ids = [false; 256];
        for Key { id, secret } in core::iter::once(&key).chain(&others) {
            if secret.is_empty() || secret.len() > kind.secret_max() {
                return Err(AuthError::Secret { id: *id, length: secret.len(), kind });
            }
            if let Some(seen) = ids.get_mut(usize::from(*id))
                && core::mem::replace(seen, true)
            {
                return Err(AuthError::Twice { id: *id });
            }
        }
        Ok(Self { kind, key, others })
    }

    /// How packets are authenticated.
    pub const fn kind(&self) -> AuthKind {
        self.kind
    }

    fn key(&self, id: u8) -> Option<&Key> {
        core::iter::once(&self.key).chain(&self.others).find(|key| key.id == id)
    }

    /// Octets of the section that is sent.
    pub(super) fn section_len(&self) -> u8 {
        let digest = self.kind.hash().map_or(3 + self.key.secret.len(), |it| DIGEST_AT + it.len());
        u8::try_from(digest).unwrap_or(u8::MAX)
    }

    /// The section that goes behind `header`.
    pub(super) fn section(&self, header: &[u8; HEADER], sequence: u32) -> Section {
        let mut section = Section::default();
        let length = self.section_len();
        let Some(hash) = self.kind.hash() else {
            section.push(&[self.kind.number(), length, self.key.id]);
            section.push(&self.key.secret);
            return section;
        };
        section.push(&[self.kind.number(), length, self.key.id, 0]);
        section.push(&sequence.to_be_bytes());
        let key = padded(&self.key.secret);
        let digest = hash.digest([header, section.as_bytes(), head(&key, hash.len())]);
        section.push(head(&digest, hash.len()));
        section
    }
}

/// A secret as it stands in the place of the digest.
fn padded(secret: &[u8]) -> [u8; DIGEST_MAX] {
    let mut key = [0; DIGEST_MAX];
    for (place, byte) in key.iter_mut().zip(secret) {
        *place = *byte;
    }
    key
}

fn head(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// An authentication section as octets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Section {
    bytes: [u8; AUTH_MAX],
    length: usize,
}

impl Section {
    fn push(&mut self, more: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(more) {
            *place = *byte;
            self.length += 1;
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        head(&self.bytes, self.length)
    }
}

/// The sequence numbers of a session: bfd.XmitAuthSeq, bfd.RcvAuthSeq, bfd.AuthSeqKnown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    transmit: u32,
    received: Option<u32>,
    /// The last header, without the bits for poll and final.
    last: Option<[u8; HEADER]>,
}

impl Sequence {
    /// `first` is random.
    pub(super) const fn new(first: u32) -> Self {
        Self { transmit: first, received: None, last: None }
    }

    /// The section for a packet that goes out now. Meticulous: each packet has a number of its
    /// own; else a packet that says something new has one.
    pub(super) fn sign(&mut self, auth: &Auth, header: &[u8; HEADER]) -> Section {
        let mut content = *header;
        content[1] &= !0x30;
        let differs = self.last.replace(content).is_some_and(|last| last != content);
        if auth.kind.is_meticulous() || differs {
            self.transmit = self.transmit.wrapping_add(1);
        }
        auth.section(header, self.transmit)
    }

    /// Checks a packet's section. `multiplier` is the packet's own.
    pub(super) fn verify(
        &mut self,
        auth: &Auth,
        datagram: &[u8],
        section: &[u8],
        multiplier: u8,
    ) -> Result<(), Discard> {
        let &[kind, length, id, ..] = section else { return Err(Discard::AuthType) };
        if kind != auth.kind.number() {
            return Err(Discard::AuthType);
        }
        let key = auth.key(id).ok_or(Discard::AuthKey)?;
        let (section, rest) =
            section.split_at_checked(usize::from(length)).ok_or(Discard::AuthType)?;
        let Some(hash) = auth.kind.hash() else {
            let password = section.get(3..).ok_or(Discard::AuthType)?;
            return match password.len() == key.secret.len() {
                true if is_same(password, &key.secret) => Ok(()),
                true => Err(Discard::AuthDigest),
                false => Err(Discard::AuthType),
            };
        };
        let (&[_, _, _, _, s0, s1, s2, s3], found) =
            section.split_first_chunk::<DIGEST_AT>().ok_or(Discard::AuthType)?;
        if found.len() != hash.len() {
            return Err(Discard::AuthType);
        }
        let sequence = u32::from_be_bytes([s0, s1, s2, s3]);
        if let Some(last) = self.received {
            let least = u32::from(auth.kind.is_meticulous());
            let window = least..=3 * u32::from(multiplier);
            if !window.contains(&sequence.wrapping_sub(last)) {
                return Err(Discard::AuthSequence);
            }
        }
        let key = padded(&key.secret);
        let signed = head(datagram, HEADER + DIGEST_AT);
        // "The entire BFD Control packet": all that its length says, even behind the section.
        let digest = hash.digest([signed, head(&key, hash.len()), rest]);
        if !is_same(found, head(&digest, hash.len())) {
            return Err(Discard::AuthDigest);
        }
        self.received = Some(sequence);
        Ok(())
    }

    /// The peer may have restarted: its next number is taken as it comes.
    pub(super) const fn forget(&mut self) {
        self.received = None;
    }
}

/// Compares in a time that does not tell where the difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
