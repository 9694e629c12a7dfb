//! What must hold for any file: the body of the fuzz target `config_file`.
//!
//! It lives here, and not in the target, so that `cargo test` can replay the corpus without a
//! fuzzer. A broken rule panics; nothing else calls it.

use std::io;

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::filter::{Context, Filter, Names, Services};

use super::host::OwnAddress;
use super::lint;
use super::origin::Origin;
use super::raw::{Given, Raw};
use super::reader::Host;
use super::settings::Settings;

/// What the file may not show: the key that it may name.
const KEY: &str = "q7-hidden-q7";

/// Any octets: settings and warnings, or complaints, that each have a place
/// inside the file and a text.
#[doc(hidden)]
pub fn fuzz_file(input: &[u8]) {
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| false,
        read_file: &|path| match path {
            "a.toml" => Ok(input.to_vec()),
            "key" => Ok(KEY.as_bytes().to_vec()),
            path if path.starts_with("/proc/sys/net/") => Ok(b"1\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        is_executable: &|path| Ok(path.len() % 2 == 0),
        addresses: &addresses,
        file_mode: &|_| Ok(0o644),
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
            let services = Services::parse("");
            let context =
                Context { services: &services, protocols: &settings.protocols, names: &NoNames };
            if let Ok(filter) = Filter::parse(&settings.listen_filter.text, &context) {
                for warning in lint::check(&raw, &settings, &filter, &host) {
                    assert!(!warning.to_string().contains(KEY), "a key is shown");
                    in_file(&warning.origin);
                }
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(!error.message.is_empty());
                assert!(!error.to_string().contains(KEY), "a key is shown");
                in_file(&error.origin);
            }
        }
    }
}

/// A place is one.
fn in_file(origin: &Origin) {
    if let Origin::File(place) = origin {
        let text = &place.source.text;
        assert!(place.span.start <= text.len() && place.span.end <= text.len());
        assert!(text.is_char_boundary(place.span.start));
    }
}

/// A host with a loopback and a link, and whose files everybody may read.
fn addresses() -> Option<Vec<OwnAddress>> {
    let own = [("100.64.0.10", 32, "lo"), ("192.0.2.10", 24, "eth0"), ("2001:db8::10", 64, "eth0")];
    let own = own.into_iter().filter_map(|(ip, length, device)| {
        let ip = ip.parse().ok()?;
        Some(OwnAddress {
            ip,
            subnet: Prefix::truncating(ip, length)?,
            device: device.into(),
            label: device.into(),
            loopback: device == "lo",
            up: true,
        })
    });
    Some(own.collect())
}

/// Names that only a host knows.
struct NoNames;

impl Names for NoNames {
    fn device(&self, _: &str) -> Option<u32> {
        None
    }

    fn cgroup(&self, path: &str) -> Result<u64, String> {
        Err(format!("{path} is not there"))
    }
}
