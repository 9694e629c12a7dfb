//! What must hold for any bytes of a peer: the bodies of the fuzz targets in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls these.

use super::packet::{Packet, State, peek};

mod session;

pub use session::fuzz_session;

/// Any bytes as a datagram: what was understood is written so that it reads the same.
#[doc(hidden)]
pub fn fuzz_packet(input: &[u8]) {
    let Ok((packet, section)) = Packet::decode(input) else {
        assert!(peek(input).is_err());
        return;
    };
    let looked = peek(input);
    assert_eq!(looked.map(|it| it.my_discriminator), Ok(packet.my_discriminator));
    let knows_us = packet.your_discriminator.is_some();
    assert!(knows_us || matches!(packet.state, State::AdminDown | State::Down));
    assert!(!packet.authenticated || section.len() >= 2);
    let bytes = packet.encode(u8::try_from(section.len()).unwrap_or(0));
    assert_eq!(input.get(..bytes.len()), Some(&bytes[..]), "{packet:?}");
}
