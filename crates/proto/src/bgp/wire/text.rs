//! Texts that came from a peer, made fit to be shown and logged.

use alloc::string::String;

/// Up to `max` bytes of `text`, cut at a character boundary.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// The text in `bytes`: invalid UTF-8, control and formatting characters become `?`, so that
/// nothing in it can move a cursor, end a line or turn the direction of writing.
pub(crate) fn sanitised(bytes: &[u8], max: usize) -> String {
    let mut shown = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        let c = if is_shown(c) { c } else { '?' };
        if shown.len() + c.len_utf8() > max {
            break;
        }
        shown.push(c);
    }
    shown
}

/// False for controls, line and paragraph separators, zero-width and bidirectional formatting,
/// byte order marks, interlinear and tag characters, and what stands for invalid bytes.
fn is_shown(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_fool_a_terminal_is_gone() {
        for (bytes, want) in [
            (&b"going down for maintenance"[..], "going down for maintenance"),
            (b"\x1b[31mred\x07\r\nlog: forged", "?[31mred???log: forged"),
            ("grüße \u{202e}gnp.exe\u{200b}".as_bytes(), "grüße ?gnp.exe?"),
            (b"a\xff\xfeb", "a??b"),
            (b"\xc0\xaf", "??"),
        ] {
            assert_eq!(sanitised(bytes, 255), want);
        }
        assert_eq!(sanitised("ää".as_bytes(), 3), "ä");
        assert_eq!(cut("ää", 3), "ä");
    }
}
