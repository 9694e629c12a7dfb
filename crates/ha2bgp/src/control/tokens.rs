//! Tokens: who may use the API over TCP. Secrets are kept as hashes only.
//!
//! One a line: `NAME read|write SECRET`. Empty lines, and those that begin with `#`, say nothing.

use std::fmt;

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

use super::route::Access;

/// The longest file, in octets.
pub const FILE_MAX: usize = 64 * 1024;
/// The most tokens.
pub const TOKENS_MAX: usize = 256;
/// The longest name.
const NAME_MAX: usize = 64;
/// The shortest secret: 16 characters of base64 are 96 bits.
pub const SECRET_MIN: usize = 16;
/// The longest one.
const SECRET_MAX: usize = 512;

/// SHA-256 of a secret.
type Hash = [u8; 32];

/// One token.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// Whose it is.
    pub name: String,
    /// What is allowed with it.
    pub access: Access,
    hash: Hash,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {:?})", self.name, self.access)
    }
}

/// All tokens that count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// Says the line, the rule and the fix, and nothing of any secret.
    pub fn read(contents: &[u8]) -> Result<Self, String> {
        if contents.len() > FILE_MAX {
            return Err(format!(
                "it is longer than {} KiB: is it a file of tokens?",
                FILE_MAX / 1024
            ));
        }
        let text = std::str::from_utf8(contents).map_err(|_| "it is no UTF-8 text".to_owned())?;
        let mut tokens: Vec<Token> = Vec::new();
        for (line, number) in text.lines().zip(1_usize..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = token(line).map_err(|error| format!("line {number}: {error}"))?;
            if tokens.iter().any(|known| known.name == token.name) {
                let name = token.name;
                return Err(format!("line {number}: {name} is there twice: give it another name"));
            }
            if let Some(known) = tokens.iter().find(|known| known.hash == token.hash) {
                let (one, other) = (&known.name, token.name);
                return Err(format!(
                    "line {number}: {other} has the secret of {one}: make one of its own with \
                     openssl rand -base64 24"
                ));
            }
            tokens.push(token);
        }
        if tokens.is_empty() {
            return Err(
                "it holds no token: write lines such as `prometheus read SECRET`".to_owned()
            );
        }
        if tokens.len() > TOKENS_MAX {
            return Err(format!("it holds more than {TOKENS_MAX} tokens: leave some out"));
        }
        Ok(Self(tokens))
    }

    /// The token with that secret. It takes the same time for every secret of the same length.
    pub fn find(&self, secret: &[u8]) -> Option<&Token> {
        if secret.len() > SECRET_MAX {
            return None;
        }
        let wanted = sha_256(secret);
        let mut found = None;
        for token in &self.0 {
            let differs = token.hash.iter().zip(wanted).fold(0, |all, (a, b)| all | (a ^ b));
            if std::hint::black_box(differs) == 0 {
                found = Some(token);
            }
        }
        found
    }
}

/// The secret in the value of a field `Authorization` (RFC 6750 section 2.1).
pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked("bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let secret = rest.trim_ascii();
    (!secret.is_empty()).then_some(secret)
}

fn token(line: &str) -> Result<Token, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(access), Some(secret), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("it is no token: write NAME read|write SECRET".to_owned());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.len() > NAME_MAX || !name.chars().all(fits) {
        return Err(format!(
            "a name has at most {NAME_MAX} letters, digits and `._-`: write for example prometheus"
        ));
    }
    let access = match access {
        "read" => Access::Read,
        "write" => Access::Write,
        _ => return Err(format!("{name} may neither read nor write: write one of the two words")),
    };
    // What RFC 6750 section 2.1 lets into the field.
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if !(SECRET_MIN..=SECRET_MAX).contains(&secret.len()) || !secret.chars().all(fits) {
        return Err(format!(
            "the secret of {name} has not {SECRET_MIN} to {SECRET_MAX} letters, digits and \
             `-._~+/=`: make one with openssl rand -base64 24"
        ));
    }
    Ok(Token { name: name.to_owned(), access, hash: sha_256(secret.as_bytes()) })
}

/// SHA-256, as rustls has it for its first suite.
pub(super) fn sha_256(octets: &[u8]) -> Hash {
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    let hashed = suite.map(|suite| suite.common.hash_provider.hash(octets));
    hashed.and_then(|hash| hash.as_ref().try_into().ok()).unwrap_or([0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "0123456789abcdef";
    const WRITE: &str = "fedcba9876543210+/=";

    #[test]
    fn hashes_are_those_of_fips_180() {
        let hex: String = sha_256(b"abc").iter().map(|octet| format!("{octet:02x}")).collect();
        // FIPS 180-2, appendix B.1.
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn secrets_are_found_and_never_shown() {
        let file = format!("# who\n\n prometheus read {READ}\r\nops\twrite  {WRITE}");
        let tokens = Tokens::read(file.as_bytes()).unwrap();
        let find = |secret: &str| {
            tokens.find(secret.as_bytes()).map(|token| (token.name.as_str(), token.access))
        };
        assert_eq!(find(READ), Some(("prometheus", Access::Read)));
        assert_eq!(find(WRITE), Some(("ops", Access::Write)));
        for other in ["", "0123456789abcdeg", "0123456789abcdef0", &"x".repeat(100_000)] {
            assert_eq!(find(other), None);
        }
        let shown = format!("{tokens:?}");
        assert!(shown.contains("prometheus") && !shown.contains(READ), "{shown}");
    }

    #[test]
    fn files_that_are_no_good() {
        let long = "x".repeat(65);
        let many: String = (0..300).map(|n| format!("t{n} read {READ}{n}\n")).collect();
        for (file, words) in [
            (String::new(), "holds no token"),
            ("# nothing\n".to_owned(), "holds no token"),
            (format!("\nops {READ}"), "line 2: it is no token: write NAME read|write SECRET"),
            (format!("ops write {READ} x"), "line 1: it is no token"),
            (format!("ops admin {READ}"), "line 1: ops may neither read nor write"),
            (format!("a:b read {READ}"), "line 1: a name has at most"),
            (format!("{long} read {READ}"), "line 1: a name has at most"),
            ("ops read short".to_owned(), "the secret of ops has not 16 to 512"),
            (format!("ops read {READ}é"), "the secret of ops has not"),
            (format!("a read {READ}\na read {WRITE}"), "line 2: a is there twice"),
            (format!("a read {READ}\nb read {READ}"), "line 2: b has the secret of a"),
            (many, "more than 256"),
            ("x".repeat(FILE_MAX + 1), "longer than 64 KiB"),
        ] {
            let error = Tokens::read(file.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains(READ) && !error.contains("short"), "{error}");
        }
        assert!(Tokens::read(b"ops read \xff").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn the_field() {
        for (value, want) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), want.map(str::as_bytes), "{value}");
        }
    }
}
