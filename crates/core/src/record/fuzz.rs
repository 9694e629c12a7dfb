//! What must hold for any record: the body of the fuzz target `record`, replayed by `cargo test`.

use alloc::string::String;

use super::{Reader, write};

/// Any text as the lines of a record: what is read is written as it was, or in one way that is read
/// as the same.
#[doc(hidden)]
pub fn fuzz_record(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    let mut reader = Reader::default();
    for line in text.lines() {
        match reader.line(line) {
            Ok(None) => {}
            Ok(Some((at, entry))) => {
                let mut again = Reader::default();
                assert_eq!(again.line(super::HEAD), Ok(None));
                let written: String = write(at, &entry);
                let mut read = None;
                for line in written.lines() {
                    read = again.line(line).unwrap_or_else(|error| panic!("{error} in {line}"));
                }
                assert_eq!(read, Some((at, entry)), "{written}");
            }
            Err(error) => assert!(line.get(error.span.clone()).is_some(), "{:?}", error.span),
        }
    }
}
