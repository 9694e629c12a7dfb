//! What must hold for any bytes of a peer: the bodies of the fuzz targets in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls these.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::community::Community;
use super::wire::{
    self, Asn, Capability, Context, Disposition, Families, Framer, HEADER, Kind, Notification,
    Open, Refresh,
};

mod session;

pub use session::fuzz_session;

/// Any bytes as a stream: the messages in it do not depend on where it is cut.
#[doc(hidden)]
pub fn fuzz_framing(input: &[u8]) {
    let Some((&first, stream)) = input.split_first() else { return };
    let read = |chunk: usize| {
        let mut framer = Framer::default();
        if first & 1 != 0 {
            framer.allow_extended();
        }
        let mut found: Vec<(Kind, Vec<u8>)> = Vec::new();
        for mut piece in stream.chunks(chunk) {
            loop {
                match framer.next(&mut piece) {
                    Ok(Some((kind, message))) => found.push((kind, message.to_vec())),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        (found, None)
    };
    let whole = read(stream.len().max(1));
    assert_eq!(whole, read(usize::from(first >> 1) + 1), "it depends on the cuts");
    let (found, error) = whole;
    for (_, message) in &found {
        assert_eq!(wire::length_at(message, 0).map(|it| it.0), Some(message.len()));
    }
    if let Some(error) = error {
        assert!(error.code == 1 && (1..=3).contains(&error.subcode), "{error}");
    }
}

/// Any bytes as the body of an OPEN: what was understood is written so that it reads the same.
#[doc(hidden)]
pub fn fuzz_open(input: &[u8]) {
    let Ok((open, parameters)) = Open::decode(input) else { return };
    for capability in &open.capabilities {
        if let Capability::Fqdn { host, domain } = capability {
            assert!(!(host.clone() + domain).chars().any(char::is_control), "{host:?} {domain:?}");
        }
    }
    if let Err(error) = parameters {
        assert!(error.code == 2 && matches!(error.subcode, 0 | 4), "{error}");
        return;
    }
    let mut out = Vec::new();
    open.encode(&mut out);
    let again = Open::decode(out.get(HEADER..).unwrap_or(&[]));
    let Ok((again, Ok(()))) = again else { panic!("{open:?} is written as {again:?}") };
    let same = |open: &Open| (open.my_as, open.hold_time, open.id, open.asn());
    assert_eq!(same(&again), same(&open));
    // Names are made fit to be shown, and long ones are cut; too many capabilities do not fit.
    let names = open.capabilities.iter().any(|it| matches!(it, Capability::Fqdn { .. }));
    assert!(names || input.len() > 3000 || again == open, "{open:?} is written as {again:?}");
}

/// Any bytes as the body of an UPDATE, by any agreement.
#[doc(hidden)]
pub fn fuzz_update(input: &[u8]) {
    let Some((&flags, body)) = input.split_first() else { return };
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let some = |v4, v6| Families { ipv4: flag(v4), ipv6: flag(v6) };
    let context = Context {
        local_as: Asn(65000),
        internal: flag(0),
        four_octet_as: flag(1),
        families: some(2, 3),
        extended_next_hop: flag(4),
        add_path: some(5, 6),
    };
    let (mut announced, mut withdrawn) = (0, 0);
    let result = wire::inspect_update(body, &context, &mut |heard| {
        let family = wire::Family::of(heard.prefix);
        assert!(context.families.contains(family), "{family} was not agreed on");
        assert!(context.add_path.contains(family) || heard.path_id == 0);
        *(if heard.path.is_some() { &mut announced } else { &mut withdrawn }) += 1;
    });
    match result {
        Err(error) => {
            assert_eq!(error.code, 3, "{error}");
            assert!(error.data.len() <= body.len(), "it tells more than it was told");
        }
        Ok(received) => {
            assert_eq!((received.announced, received.withdrawn), (announced, withdrawn));
            let malformed = received.malformed.map(|(disposition, _)| disposition);
            assert!(malformed != Some(Disposition::TreatAsWithdraw) || announced == 0);
            assert!(received.end_of_rib.is_none() || announced + withdrawn == 0);
        }
    }
}

/// Any bytes as the body of a NOTIFICATION: it is fit to be shown, and kept as it was.
#[doc(hidden)]
pub fn fuzz_notification(input: &[u8]) {
    let notification = Notification::decode(input);
    let shown = notification.to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert!(shown.len() < 350, "{} octets to show", shown.len());
    let mut out = Vec::new();
    notification.encode(&mut out);
    assert!(out.len() <= wire::MAX_MESSAGE);
    if (2..3000).contains(&input.len()) {
        assert_eq!(out.get(HEADER..), Some(input));
    }
}

/// Any bytes as the body of a ROUTE-REFRESH.
#[doc(hidden)]
pub fn fuzz_refresh(input: &[u8]) {
    let mut message = Vec::from([0xff; HEADER]);
    message.extend_from_slice(input);
    for enhanced in [false, true] {
        match wire::decode_refresh(&message, enhanced) {
            Ok(Some((family, refresh))) => {
                assert!(enhanced || refresh == Refresh::Request);
                let mut out = Vec::new();
                wire::encode_refresh(&mut out, family, refresh);
                let body = out.get(HEADER..).unwrap_or(&[]);
                assert!(input.starts_with(body), "{input:?} is written as {body:?}");
            }
            Ok(None) => {}
            // RFC 7313 section 5: the whole message is the data.
            Err(error) => assert_eq!(error, Notification::with_data(7, 1, &message)),
        }
    }
}

/// Any text as a community.
#[doc(hidden)]
pub fn fuzz_community(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    match text.parse::<Community>() {
        Ok(community) => assert_eq!(text.parse(), Ok(community)),
        Err(error) => assert!(error.to_string().contains(text), "{error}"),
    }
}
