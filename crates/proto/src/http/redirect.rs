//! Where a redirection leads (RFC 9110 section 10.2.2, RFC 3986 section 5.2).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use crate::quote::quote;
use crate::template::Values;

use super::{Url, UrlError, UrlTemplate};

/// Why a redirection cannot be followed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("redirected to {location}, which cannot be followed: {problem}")]
pub struct RedirectError {
    /// The value of the field, in quotation marks, at most 80 octets of it.
    pub location: String,
    /// What is wrong with it.
    pub problem: RedirectProblem,
}

/// What is wrong with a `Location`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedirectProblem {
    /// Octets beyond ASCII, which a URL cannot hold, or braces.
    #[error("a URL holds only ASCII, and no braces")]
    Character,
    /// `ftp:`, `mailto:` and others.
    #[error("its scheme is neither http nor https")]
    Scheme,
    /// Not a URL that we could have been given.
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl Url {
    /// The URL that `location`, the value of the field `Location` in the answer to this one,
    /// stands for. Segments `.` and `..` are left for the server to resolve.
    ///
    /// # Errors
    ///
    /// When it is no URL with `http` or `https`.
    pub fn follow(&self, location: &[u8]) -> Result<Self, RedirectError> {
        let location = location.trim_ascii();
        self.resolve(location)
            .map_err(|problem| RedirectError { location: quote(location, 80), problem })
    }

    fn resolve(&self, location: &[u8]) -> Result<Self, RedirectProblem> {
        let text = core::str::from_utf8(location).ok().filter(|text| text.is_ascii());
        // Braces would be placeholders to those who read URLs here.
        let text = text.filter(|text| !text.contains(['{', '}']));
        let text = text.ok_or(RedirectProblem::Character)?;
        // A fragment is for those who show the answer.
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, authority) = (self.scheme.name(), &self.authority);
        let first = text.split(['/', '?']).next().unwrap_or_default();
        let whole: Cow<'_, str> = if text.contains("://") && first.ends_with(':') {
            Cow::Borrowed(text)
        } else if first.contains(':') {
            return Err(RedirectProblem::Scheme);
        } else if let Some(rest) = text.strip_prefix("//") {
            Cow::Owned(format!("{scheme}://{rest}"))
        } else {
            let path = self.target.split('?').next().unwrap_or_default();
            let directory = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            let target = match text.chars().next() {
                None => self.target.clone(),
                Some('/') => String::from(text),
                Some('?') => format!("{path}{text}"),
                Some(_) => format!("{directory}{text}"),
            };
            Cow::Owned(format!("{scheme}://{authority}{target}"))
        };
        let template: UrlTemplate = whole.parse().map_err(|error| match error {
            UrlError::Scheme { .. } => RedirectProblem::Scheme,
            other => RedirectProblem::Url(other),
        })?;
        // There are no placeholders, so that none lacks a value.
        let values = Values { vip: None, port: None, service: "" };
        template.fill(&values).map_err(|_| RedirectProblem::Character)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        let values = Values { vip: None, port: None, service: "" };
        text.parse::<UrlTemplate>().unwrap().fill(&values).unwrap()
    }

    #[test]
    fn locations_are_resolved() {
        let from = url("http://web.example:8080/a/b?c=d");
        for (location, want) in [
            ("https://other.example/x", "https://other.example/x"),
            ("http://192.0.2.1", "http://192.0.2.1/"),
            ("//other.example", "http://other.example/"),
            ("/x?y", "http://web.example:8080/x?y"),
            ("x", "http://web.example:8080/a/x"),
            ("?q", "http://web.example:8080/a/b?q"),
            ("", "http://web.example:8080/a/b?c=d"),
            (" /x#top ", "http://web.example:8080/x"),
            ("/x?to=http://other/", "http://web.example:8080/x?to=http://other/"),
        ] {
            let found = from.follow(location.as_bytes()).map(|url| url.to_string());
            assert_eq!(found.as_deref(), Ok(want), "{location}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_told() {
        let from = url("http://web.example/");
        let error = |location: &[u8]| from.follow(location).unwrap_err().to_string();
        assert_eq!(
            error(b"ftp://web.example/"),
            "redirected to \"ftp://web.example/\", which cannot be followed: its scheme is neither \
             http nor https"
        );
        assert!(error(b"mailto:root@web.example").contains("scheme"));
        assert!(error(b"/{vip}").contains("ASCII"));
        assert!(error(b"/\xff").contains("ASCII"));
        assert!(error(b"http://[::1/").contains("not a host"));
        assert!(error(b"/a b").contains("%20"));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_followed_is_a_url(location: Vec<u8>, text in "[ -~]{0,20}") {
            let from = url("http://web.example/a?b");
            for location in [location.as_slice(), text.as_bytes()] {
                if let Ok(to) = from.follow(location) {
                    prop_assert_eq!(url(&to.to_string()), to);
                }
            }
        }
    }
}
