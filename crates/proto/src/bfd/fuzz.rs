//! What must hold for any bytes of a peer: the bodies of the fuzz targets in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls these.

use super::packet::{Packet, peek};

/// Any bytes as a datagram: what was understood is written so that it reads the same.
#[doc(hidden)]
pub fn fuzz_packet(input: &[u8]) {
    let Ok((packet, section)) = Packet::decode(input) else { return };
    assert_eq!(peek(input).map(|it| it.my_discriminator), Ok(packet.my_discriminator));
    let bytes = packet.encode(u8::try_from(section.len()).unwrap_or(0));
    assert_eq!(input.get(..bytes.len()), Some(&bytes[..]), "{packet:?}");
}

/// Any bytes as a script of what happens to a session.
#[doc(hidden)]
pub fn fuzz_session(_input: &[u8]) {}
