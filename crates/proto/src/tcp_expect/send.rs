//! What is sent, with placeholders.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::{ExpectError, SendText};
use crate::template::{FillError, Template, TemplateError, Values};

/// What placeholders stand for while a text is read: both families, for their addresses begin
/// unlike each other.
const SAMPLES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A text to send with the placeholders of [`Template`] and the escapes of [`SendText`]. What is
/// filled in is sent as it is: a backslash in it begins no escape. A brace is written twice.
/// It may hold a password, so [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct SendTemplate {
    template: Template,
}

impl fmt::Debug for SendTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendTemplate({} octets)", self.template.as_str().len())
    }
}

/// Why a text cannot be sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendTemplateError {
    /// Braces that stand for nothing.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A placeholder without a value; only when it is filled.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// Not a text to send.
    #[error(transparent)]
    Text(#[from] ExpectError),
}

impl FromStr for SendTemplate {
    type Err = SendTemplateError;

    fn from_str(text: &str) -> Result<Self, SendTemplateError> {
        if text.is_empty() {
            return Err(ExpectError::Empty.into());
        }
        let template = Self { template: text.parse()? };
        for vip in SAMPLES {
            template.fill(&Values { vip: Some(vip), port: Some(80), service: "service" })?;
        }
        Ok(template)
    }
}

impl SendTemplate {
    /// The octets to send.
    ///
    /// # Errors
    ///
    /// A placeholder without a value, or a name that makes the text longer than
    /// [`MAX_SEND`](super::MAX_SEND).
    pub fn fill(&self, values: &Values<'_>) -> Result<SendText, SendTemplateError> {
        Ok(self.template.fill_with(values, |value| value.replace('\\', "\\\\"))?.parse()?)
    }

    /// The placeholders in it.
    pub const fn template(&self) -> &Template {
        &self.template
    }
}

/// As written in the configuration.
impl fmt::Display for SendTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.template.fmt(f)
    }
}
