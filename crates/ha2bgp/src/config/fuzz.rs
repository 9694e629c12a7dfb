//! What must hold for any file: the body of the fuzz target `config_file`.
//!
//! It lives here, and not in the target, so that `cargo test` can replay the corpus without a
//! fuzzer. A broken rule panics; nothing else calls it.

use std::io;

use super::origin::Origin;
use super::raw::{Given, Raw};
use super::reader::Host;
use super::settings::Settings;

/// What the file may not show: the key that it may name.
const KEY: &str = "q7-hidden-q7";

/// Any octets: settings, or complaints that each have a place inside the file and a text.
#[doc(hidden)]
pub fn fuzz_file(input: &[u8]) {
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| false,
        read_file: &|path| match path {
            "a.toml" => Ok(input.to_vec()),
            "key" => Ok(KEY.as_bytes().to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        is_executable: &|path| Ok(path.len() % 2 == 0),
        ..Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    match Settings::read(&raw, &host) {
        Ok(settings) => {
            let speaker = settings.speaker.iter();
            for peer in speaker.flat_map(|speaker| &speaker.peers) {
                assert_eq!(peer.config.validate(), []);
            }
            assert!(!format!("{settings:?}").contains(KEY), "a key is shown");
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(!error.message.is_empty());
                assert!(!error.to_string().contains(KEY), "a key is shown");
                if let Origin::File(place) = &error.origin {
                    let text = &place.source.text;
                    assert!(place.span.start <= text.len() && place.span.end <= text.len());
                    assert!(text.is_char_boundary(place.span.start));
                }
            }
        }
    }
}
