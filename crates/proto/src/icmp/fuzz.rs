//! What must hold whatever a ping socket receives: the body of a fuzz target in `fuzz/`, replayed
//! by `cargo test`. A broken rule panics; nothing else calls this.

use super::{Echo, Received, reply_type};
use crate::family::Family;

/// Any message: it is the reply only if it has the type, the sequence and the token.
#[doc(hidden)]
pub fn fuzz_icmp_reply(input: &[u8]) {
    let token = b"0123456789abcdef";
    let sizes: [(u16, &[u8]); 2] = [(16, b""), (20, b"\0\x01\x02\x03")];
    for (family, (size, more)) in
        [Family::V4, Family::V6].into_iter().flat_map(|family| sizes.map(|size| (family, size)))
    {
        let echo = Echo { family, sequence: 0x0102, token: *token, size };
        let reply = echo.receive(input) == Received::Reply;
        let wanted = input.len() == 8 + usize::from(size)
            && input.starts_with(&[reply_type(family), 0])
            && input.ends_with(&[b"\x01\x02", &token[..], more].concat());
        assert_eq!(reply, wanted, "only the reply is the reply");
    }
}
