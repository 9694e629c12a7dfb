//! Each class of malformed message and its answer.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

/// Reads a whole stream of bytes in pieces of `chunk`.
fn frame(bytes: &[u8], chunk: usize) -> Result<Vec<(Kind, usize)>, Notification> {
    let mut framer = Framer::default();
    let mut found = Vec::new();
    for mut piece in bytes.chunks(chunk) {
        while let Some((kind, message)) = framer.next(&mut piece)? {
            found.push((kind, message.len()));
        }
    }
    Ok(found)
}

#[test]
fn headers() {
    let marker = "ffffffffffffffffffffffffffffffff";
    for (rest, want) in [
        ("0013 04", Ok(())),
        ("0012 04", Err("1/2 0012")),
        ("0000 04", Err("1/2 0000")),
        ("1001 02", Err("1/2 1001")),
        ("ffff 02", Err("1/2 ffff")),
        ("0014 04", Err("1/2 0014")),
        ("001c 01", Err("1/2 001c")),
        ("0016 02", Err("1/2 0016")),
        ("0014 03", Err("1/2 0014")),
        ("0016 05", Err("1/2 0016")),
        ("0013 00", Err("1/3 00")),
        ("0013 06", Err("1/3 06")),
        ("0013 ff", Err("1/3 ff")),
    ] {
        let bytes = hex(&(marker.to_string() + rest));
        for chunk in [1, 7, 19, 64] {
            let got = frame(&bytes, chunk);
            match want {
                Ok(()) => assert_eq!(got, Ok([(Kind::Keepalive, 19)].to_vec())),
                Err(want) => {
                    let error = got.unwrap_err();
                    let shown =
                        alloc::format!("{}/{} {}", error.code, error.subcode, show(&error.data));
                    assert_eq!(shown, want, "{rest}");
                }
            }
        }
    }
    let mut bad = hex(&(marker.to_string() + "0013 04"));
    bad[15] = 0;
    assert_eq!(frame(&bad, 3), Err(Notification::new(1, 1)));
}

#[test]
fn opens() {
    let fixed = "04 fde9 00b4 0a63000b";
    for (body, want) in [
        ("04 fde9 00b4 0a63000b 00", "ok"),
        ("04 fde9 00b4 0a63000b 04 02020200", "ok"),
        ("03 fde9 00b4 0a63000b 00", "2/1 0004"),
        // Lengths that lie.
        ("04 fde9 00b4 0a63000b 05 02020200", "2/0 "),
        ("04 fde9 00b4 0a63000b 03 02020200", "2/0 "),
        ("04 fde9 00b4 0a63000b ff 02020200", "2/0 "),
        ("04 fde9 00b4 0a63000b 04 02040200", "2/0 "),
        ("04 fde9 00b4 0a63000b 04 02020205", "2/0 "),
        ("04 fde9 00b4 0a63000b 01 02", "2/0 "),
        ("04 fde9 00b4 0a63000b 00 02020200", "2/0 "),
        // CVE-2022-40302: extended lengths that over-read.
        ("04 fde9 00b4 0a63000b ff ff", "2/0 "),
        ("04 fde9 00b4 0a63000b ff ff00", "2/0 "),
        ("04 fde9 00b4 0a63000b ff ff0005 0200020200", "ok"),
        ("04 fde9 00b4 0a63000b 01 ff0005 0200020200", "ok"),
        ("04 fde9 00b4 0a63000b ff ffffff 0200020200", "2/0 "),
        ("04 fde9 00b4 0a63000b ff ff0004 0200020200", "2/0 "),
        // Authentication information, and one that nobody knows.
        ("04 fde9 00b4 0a63000b 03 010100", "2/4 "),
        ("04 fde9 00b4 0a63000b 02 6300", "2/4 "),
        // Known capabilities of the wrong length are ignored.
        ("04 fde9 00b4 0a63000b 05 0203 410100", "ok"),
        ("04 fde9 00b4 0a63000b 06 0204 4902ff61", "ok"),
    ] {
        assert!(body.starts_with("03") || body.starts_with(fixed));
        let result = Open::decode(&hex(body)).and_then(|(_, parameters)| parameters);
        let shown = match result {
            Ok(()) => "ok".to_string(),
            Err(it) => alloc::format!("{}/{} {}", it.code, it.subcode, show(&it.data)),
        };
        assert_eq!(shown, want, "{body}");
    }
}

pub(super) fn context(internal: bool) -> Context {
    Context {
        local_as: Asn(65000),
        internal,
        four_octet_as: true,
        families: Families::BOTH,
        extended_next_hop: false,
        add_path: Families::NONE,
    }
}

fn inspect(body: &str, internal: bool) -> String {
    let mut seen = Vec::new();
    let result = inspect_update(&hex(body), &context(internal), &mut |heard| {
        let (prefix, announced) = (heard.prefix, heard.path.is_some());
        seen.push((if announced { "+" } else { "-" }).to_string() + &prefix.to_string());
    });
    match result {
        Err(error) => alloc::format!("{}/{}", error.code, error.subcode),
        Ok(received) => {
            let what = match (received.malformed, received.end_of_rib) {
                (Some((disposition, _)), _) => disposition.to_string(),
                (None, Some(family)) => alloc::format!("eor {family}"),
                (None, None) if received.as_loop => "loop".to_string(),
                (None, None) if received.ignored_family => "ignored".to_string(),
                (None, None) => "ok".to_string(),
            };
            (what + " " + &seen.join(" ")).trim().to_string()
        }
    }
}

/// An UPDATE with these attributes and 192.0.2.0/24.
fn with(attributes: &str) -> String {
    let length = hex(attributes).len();
    alloc::format!("0000 {length:04x} {attributes} 18c00002")
}

const ORIGIN: &str = "40010100";
const PATH: &str = "400206 0201 0000fde9";
const NEXT_HOP: &str = "400304 0a63000b";

#[test]
fn fields_and_nlri() {
    let good = alloc::format!("{ORIGIN}{PATH}{NEXT_HOP}");
    for (body, want) in [
        (with(&good), "ok +192.0.2.0/24"),
        ("00000000".to_string(), "eor ipv4-unicast"),
        ("0000 0006 800f03 0002 01".to_string(), "eor ipv6-unicast"),
        ("0004 18c00002 0000".to_string(), "ok -192.0.2.0/24"),
        // Lengths that lie (RFC 7606 section 3(b)).
        ("0001 0000".to_string(), "3/1"),
        ("ffff 0000".to_string(), "3/1"),
        ("0000 0001".to_string(), "3/1"),
        ("0000 ffff 40".to_string(), "3/1"),
        // Prefixes that cannot be (section 5.3).
        ("0004 21c00002 0000".to_string(), "3/10"),
        ("0003 18c000 0000".to_string(), "3/10"),
        (with(&good).replace("18c00002", "21c0000200"), "3/10"),
        (with(&good).replace("18c00002", "ffc00002"), "3/10"),
        // Host bits are no error.
        (with(&good).replace("18c00002", "17c00003"), "ok +192.0.2.0/23"),
        // Our AS in the path.
        (with(&good.replace("fde9", "fde8")), "loop +192.0.2.0/24"),
    ] {
        assert_eq!(inspect(&body, false), want, "{body}");
    }
}

#[test]
fn attributes() {
    let other = |it: &str| alloc::format!("{ORIGIN}{PATH}{NEXT_HOP}{it}");
    let withdrawn = "treat-as-withdraw -192.0.2.0/24";
    let discarded = "attribute-discard +192.0.2.0/24";
    let fine = "ok +192.0.2.0/24";
    for (attributes, external, internal) in [
        // Nothing at all, or something missing (CVE-2023-41358).
        (String::new(), withdrawn, withdrawn),
        (alloc::format!("{PATH}{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}{PATH}"), withdrawn, withdrawn),
        // ORIGIN: value, length, flags.
        (alloc::format!("40010103{PATH}{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("4001020000{PATH}{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("00010100{PATH}{NEXT_HOP}"), withdrawn, withdrawn),
        // AS_PATH: segment too long, too short, of type 0, AS 0.
        (alloc::format!("{ORIGIN}400206 0202 0000fde9{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}400207 0201 0000fde9 00{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}400206 0001 0000fde9{NEXT_HOP}"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}400206 0201 00000000{NEXT_HOP}"), withdrawn, withdrawn),
        // NEXT_HOP: length, values.
        (alloc::format!("{ORIGIN}{PATH}400303 0a6300"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}{PATH}400304 00000000"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}{PATH}400304 7f000001"), withdrawn, withdrawn),
        (alloc::format!("{ORIGIN}{PATH}400304 e0000001"), withdrawn, withdrawn),
        // MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR.
        (other("800403 000000"), withdrawn, withdrawn),
        (other("800404 00000001"), fine, fine),
        (other("400503 000000"), discarded, withdrawn),
        (other("400601 00"), discarded, discarded),
        (other("c00705 0000fde900"), discarded, discarded),
        // Communities of all three sizes, ORIGINATOR_ID, CLUSTER_LIST.
        (other("c00803 000000"), withdrawn, withdrawn),
        (other("c01007 00000000000000"), withdrawn, withdrawn),
        (other("c0200b 0000000000000000000000"), withdrawn, withdrawn),
        (other("c02000"), withdrawn, withdrawn),
        (other("800903 000000"), discarded, withdrawn),
        (other("800a03 000000"), discarded, withdrawn),
        // OTC of the wrong length (RFC 9234 section 5).
        (other("c02303 000000"), withdrawn, withdrawn),
        // … and of AS 0 (RFC 7607).
        (other("c02304 00000000"), withdrawn, withdrawn),
        // The Partial bit where it cannot be.
        (other("a00404 00000001"), withdrawn, withdrawn),
        (alloc::format!("60010100{PATH}{NEXT_HOP}"), withdrawn, withdrawn),
        // Flags of attributes that are only ever discarded (RFC 9552, RFC 8669).
        (other("c01d04 00000000"), discarded, discarded),
        (other("802803 000000"), discarded, discarded),
        // Twice: the first one counts (RFC 7606 section 3(g)).
        (other("40010102"), discarded, discarded),
        // Unknown: optional ones pass, well-known ones do not (CVE-2026-41642).
        (other("c0fe02 0102"), fine, fine),
        (other("80fe02 0102"), fine, fine),
        (other("c01c02 0102"), fine, fine),
        (other("40fe02 0102"), withdrawn, withdrawn),
        // A length past the end (section 4).
        (other("c008ff 0001"), withdrawn, withdrawn),
        (other("c0"), withdrawn, withdrawn),
        (other("d0080f"), withdrawn, withdrawn),
    ] {
        assert_eq!(inspect(&with(&attributes), false), external, "eBGP {attributes}");
        assert_eq!(inspect(&with(&attributes), true), internal, "iBGP {attributes}");
    }
}

#[test]
fn attribute_errors_without_routes_end_the_session() {
    // RFC 7606 section 5.2: who knows where the routes are.
    let body = |attributes: &str| alloc::format!("0000 {:04x} {attributes}", hex(attributes).len());
    assert_eq!(inspect(&body(&alloc::format!("{ORIGIN}{PATH}c008ff00")), false), "3/1");
    assert_eq!(inspect(&body("40010103"), false), "3/6");
    // Discards do not count.
    assert_eq!(inspect(&body("400601 00"), false), "attribute-discard");
    assert_eq!(inspect(&body(&alloc::format!("{ORIGIN}{PATH}")), false), "ok");
}

#[test]
fn multiprotocol() {
    let rest = alloc::format!("{ORIGIN}{PATH}");
    let body =
        |mp: &str| alloc::format!("0000 {:04x} {mp}{rest}", hex(mp).len() + hex(&rest).len());
    let global = "20010db8000000000000000000000001";
    let local = "fe800000000000000000000000000001";
    let none = "00000000000000000000000000000000";
    let reach = |next_hop: &str, nlri: &str| {
        let value = alloc::format!("0002 01 {:02x}{next_hop} 00 {nlri}", hex(next_hop).len());
        body(&alloc::format!("800e{:02x}{value}", hex(&value).len()))
    };
    let fine = "ok +2001:db8::/32";
    let net = "20 20010db8";
    for (body, want) in [
        (reach(global, net), fine),
        (reach(&(global.to_string() + local), net), fine),
        // Unnumbered links, all three spellings.
        (reach(local, net), fine),
        (reach(&(none.to_string() + local), net), fine),
        (reach(&(local.to_string() + local), net), fine),
        // Martian next hops (CVE-2026-37458).
        (reach(none, net), "treat-as-withdraw -2001:db8::/32"),
        (reach("00000000000000000000000000000001", net), "treat-as-withdraw -2001:db8::/32"),
        (reach("ff020000000000000000000000000001", net), "treat-as-withdraw -2001:db8::/32"),
        // Next hops of the wrong length (CVE-2018-16230), prefixes that cannot be.
        (reach("0a000001", net), "3/9"),
        (reach("", net), "3/9"),
        (reach(&(global.to_string() + "00"), net), "3/9"),
        (reach(global, "81 20010db8"), "3/9"),
        (reach(global, "20 2001"), "3/9"),
        // Too short, flags, twice, a length past the end.
        (body("800e04 0002 01 00"), "3/9"),
        (body("800f02 0002"), "3/9"),
        (body("800f08 0002 01 81 20010db8"), "3/9"),
        (body("c00f08 0002 01 20 20010db8"), "3/4"),
        (body("400f08 0002 01 20 20010db8"), "3/4"),
        (body("800f03 000201 800f03 000201"), "3/1"),
        (body("800e05 0019 46 00 00 800e05 0019 46 00 00"), "3/1"),
        ("0000 0005 800eff 0002".to_string(), "3/9"),
        // Families that nobody agreed on (flowspec: CVE-2023-38406, EVPN, labels), whatever is in
        // them.
        (body("800e07 0001 85 00 00 ffff"), "ignored"),
        (body("800e07 0019 46 00 00 ffff"), "ignored"),
        (body("800f05 0001 04 ffff"), "ignored"),
    ] {
        assert_eq!(inspect(&body, false), want, "{body}");
    }
}

#[test]
fn refreshes() {
    let message = |body: &str| {
        let mut whole = [0xff; 19].to_vec();
        whole.extend(hex(body));
        whole
    };
    let wrong = |body: &str| Err(Notification::with_data(7, 1, &message(body)));
    for (body, enhanced, want) in [
        ("0001 00 01", false, Ok(Some((Family::Ipv4, Refresh::Request)))),
        ("0002 00 01", true, Ok(Some((Family::Ipv6, Refresh::Request)))),
        // Unknown families and subtypes are ignored (RFC 2918 section 4, RFC 7313 section 5).
        ("0019 00 46", true, Ok(None)),
        ("0001 03 01", true, Ok(None)),
        ("0001 ff 01", true, Ok(None)),
        ("0001 01 01 00", false, Ok(None)),
        ("0001 01 01 00", true, wrong("0001 01 01 00")),
        ("0001 02 01 0000", true, wrong("0001 02 01 0000")),
        // Filters that we never offered (RFC 5291), malformed or not.
        ("0001 00 01 01 80 ffff", true, Ok(Some((Family::Ipv4, Refresh::Request)))),
    ] {
        assert_eq!(decode_refresh(&message(body), enhanced), want, "{body}");
    }
}
