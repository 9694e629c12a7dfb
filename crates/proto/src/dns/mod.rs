//! What a DNS check asks, and what it makes of the answer (RFC 1035, RFC 6891).
//!
//! Queries are written here, for they are one header and one question; messages from the network
//! are read with the crate `domain`, which knows compression. Sockets, time-outs and identifiers
//! are the prober's.
//!
//! * [`Query`]: a question as octets. * [`DnsExpectation`]: the rules, and [`Reply`] their verdict.
//! * [`frame`], [`unframe`]: messages over TCP.

mod answer;
mod expectation;
mod framing;
mod fuzz;
mod names;
mod query;
mod rcode;
#[cfg(test)]
mod tests;

pub use answer::{NotOurs, Reply, Transport};
pub use expectation::{AnswerRule, AnswerRuleError, DnsExpectation};
pub use framing::{Unframed, frame, unframe};
pub use fuzz::fuzz_dns_answer;
pub use names::{Class, ClassError, DnsName, DnsNameError, RecordType, RecordTypeError};
pub use query::Query;
pub use rcode::{RcodeError, RcodeSet};
