//! What an HTTP check asks for and what it expects: URLs with placeholders, and rules over status,
//! headers and body.
//!
//! Requests, connections and the size and syntax of a response's head belong to the HTTP client;
//! this module sees a response that was read already, and says pass or fail with the reason.
//!
//! * [`UrlTemplate`]: `http://{vip}:{port}/healthz` to [`Url`].
//!   [`Url::follow`] is where a redirection leads.
//! * [`Expectation`]: [`StatusSet`], [`HeaderRule`]s and body [`Pattern`]s, and the judgement.
//!
//! [`Pattern`]: crate::pattern::Pattern

mod expectation;
mod fuzz;
mod header;
mod redirect;
mod status;
#[cfg(test)]
mod tests;
mod url;

pub use expectation::{BodyRule, Expectation};
pub use fuzz::fuzz_http_expectation;
pub use header::{HeaderRule, HeaderRuleError};
pub use redirect::{RedirectError, RedirectProblem};
pub use status::{StatusError, StatusSet};
pub use url::{MAX_URL, Scheme, Url, UrlError, UrlTemplate};
