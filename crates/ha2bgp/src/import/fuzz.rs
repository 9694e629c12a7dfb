//! What must hold for any file of any program: the bodies of the fuzz targets `import_…`.
//!
//! They live here, and not in the targets, so that `cargo test` can replay the corpora without a
//! fuzzer. A broken rule panics; nothing else calls them.

use std::io;

use super::{File, Host, Loopback, Program, import};
use crate::config::origin::Origin;
use crate::config::raw::{Given, Raw};
use crate::config::reader;
use crate::config::settings::Settings;

/// Any octets as files of `exabgp healthcheck`.
#[doc(hidden)]
pub fn fuzz_exabgp(input: &[u8]) {
    fuzz(Program::Exabgp, input);
}

/// Any octets as a file of anycast-healthchecker.
#[doc(hidden)]
pub fn fuzz_anycast(input: &[u8]) {
    fuzz(Program::Anycast, input);
}

/// Any octets as a file of birdwatcher.
#[doc(hidden)]
pub fn fuzz_birdwatcher(input: &[u8]) {
    fuzz(Program::Birdwatcher, input);
}

/// Complaints have places; and what comes out is read by our own reader without one.
fn fuzz(program: Program, input: &[u8]) {
    let host = Host {
        read_file: &|path| match path {
            "other" => Ok(b"rise = 2\nip = 192.0.2.9\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        loopback: &|| {
            let prefix = "192.0.2.77/32".parse().map_err(|_| String::new())?;
            Ok(vec![Loopback { prefix, label: Some("lo:web".to_owned()) }])
        },
    };
    let file = File { name: "input".to_owned(), octets: input.to_vec() };
    match import(program, &[file], &host) {
        Ok(imported) => {
            let read = read_back(&imported.toml);
            assert!(read.is_ok(), "{}\n{}", read.unwrap_or_default(), imported.toml);
            let lines = imported.report.lines().all(|line| !line.contains(char::is_control));
            assert!(lines && !imported.report.is_empty());
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(!error.message.is_empty() && !error.to_string().is_empty());
                let Origin::File(place) = &error.origin else { continue };
                let text = &place.source.text;
                assert!(place.span.start <= text.len() && place.span.end <= text.len());
                assert!(text.is_char_boundary(place.span.start));
            }
        }
    }
}

/// What our own reader says, on a host that has every program and every account.
pub(super) fn read_back(toml: &str) -> Result<String, String> {
    let accounts = |toml: &str, key: &str| -> Vec<u8> {
        let values = toml.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        let names = values.filter_map(|value| value.strip_suffix('"'));
        let line = |name: &str| match key {
            "user" => format!("{name}:x:1000:1000::/:/bin/sh\n"),
            _ => format!("{name}:x:1000:\n"),
        };
        names.map(line).collect::<String>().into_bytes()
    };
    let host = reader::Host {
        device_exists: &|_| true,
        is_own_address: &|_| false,
        read_file: &|path| match path {
            "a.toml" => Ok(toml.as_bytes().to_vec()),
            "/etc/passwd" => Ok(accounts(toml, "user")),
            "/etc/group" => Ok(accounts(toml, "group")),
            path if path.ends_with(".key") => Ok(b"key".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        is_executable: &|_| Ok(true),
        ..reader::Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    match Settings::read(&raw, &host) {
        Ok(settings) => Ok(format!("{settings:?}")),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
