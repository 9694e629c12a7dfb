//! What must hold whatever a ping socket receives: the body of a fuzz target in `fuzz/`, replayed
//! by `cargo test`. A broken rule panics; nothing else calls this.

use super::{Echo, Family, MESSAGE, Received};

/// Any message: it is the reply only if it has the type, the sequence and the token.
#[doc(hidden)]
pub fn fuzz_icmp_reply(input: &[u8]) {
    for family in [Family::V4, Family::V6] {
        let echo = Echo { family, sequence: 0x0102, token: *b"0123456789abcdef" };
        let reply = echo.receive(input) == Received::Reply;
        let wanted = input.len() == MESSAGE
            && input.starts_with(&[family.reply(), 0])
            && input.ends_with(b"\x01\x020123456789abcdef");
        assert_eq!(reply, wanted, "only the reply is the reply");
    }
}
