//! What must hold whatever a server answers: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`.

use super::{Code, Serving, answer, complaint, request};

/// Any octets as a body, as fields, and as the name of a service.
#[doc(hidden)]
pub fn fuzz_grpc_health(input: &[u8]) {
    if let Ok(serving) = answer(input) {
        let named = !matches!(serving, Serving::Other(0..=3));
        assert!(named, "numbers with a name have it");
    }
    let mut halves = input.splitn(2, |octet| *octet == b'\n');
    let (code, message) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let code = Code::read(code).unwrap_or(Code::OK);
    let text = complaint(code, message);
    assert!(text.len() <= 1024 && !text.contains('\n'), "a short text");
    if let Ok(service) = core::str::from_utf8(input) {
        let body = request(service);
        // A request is framed as an answer is; a name is no number.
        assert_eq!(answer(&body).is_ok(), service.is_empty(), "a question is no answer");
    }
}
