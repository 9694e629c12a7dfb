//! The `ss` filter language: lexer, parser, bytecode, evaluator.
//!
//! A listen filter selects the sockets that count, in the language of `ss(8)`: the expression
//! `sport = :80 or sport = :443` means here what it means there, to the byte that goes to the
//! kernel. This module owns the language. It must not look anything up: service names, interfaces
//! and cgroups come in through [`Context`].
//!
//! The reference is iproute2 6.1 (misc/ssfilter.y, misc/ss.c, lib/utils.c) on Linux
//! (net/ipv4/inet_diag.c). As in the original ha2bgp, the text is read as if it were one argument
//! of `ss` with parentheses around: `sport = :80 ) or ( sport = :443` is legal.
//!
//! What differs from `ss`, and why:
//!
//! * Host names are refused. An answer may come late, change, or be an error tomorrow.
//! * `unix:`, `link:`, `netlink:`, `vsock:` are refused: they select tables without listeners of
//!   TCP or UDP. `ss -t` accepts them and shows nothing.
//! * `dev` compiles to the kernel's `DEV_COND`. `ss` sends no bytecode with a filter that has it,
//!   and its own rules differ from the kernel's; here the kernel's hold always.
//! * `ss` also checks in userspace what the kernel answers. So ports outside 0 to 65535 with `>=`
//!   and `<=`, which the kernel cuts to 16 bits, match more here than `ss` shows; there is a
//!   warning. `autobound` is the kernel's word alone; `ss` also wants the port to be in
//!   `net.ipv4.ip_local_port_range`.
//! * A blank filter matches all, and so is not put into parentheses.
//! * A filter that ends in a backslash is always refused, and there are the limits [`MAX_TEXT`]
//!   and [`MAX_BYTECODE`]; `ss` would send bytecode that is broken.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ha2bgp_core::fact::Protocol;

use crate::family::Family;

mod bytecode;
mod error;
mod evaluate;
mod expression;
mod fuzz;
mod interpret;
mod lexer;
mod named;
mod number;
mod operand;
mod parser;
mod services;
#[cfg(test)]
mod tests;
mod warning;

pub use error::{FilterError, Hint, Problem};
pub use evaluate::{Addresses, Socket};
pub use expression::{Address, Condition, Expression, Ordering, Port, Side, Step};
#[doc(hidden)]
pub use fuzz::{fuzz_bytecode, fuzz_parse};
pub use interpret::{Bytecode, BytecodeError};
pub use lexer::Span;
pub use services::Services;
pub use warning::{Surprise, Warning};

/// Longest filter text in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// Longest bytecode in bytes; about 800 ports. Offsets inside bytecode have 16 bits.
pub const MAX_BYTECODE: usize = 16 * 1024;

/// What a filter refers to and the language itself does not know.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Service names.
    pub services: &'a Services,
    /// The protocols that are observed: a name must be the same port in all that know it.
    pub protocols: &'a [Protocol],
    /// Interfaces and cgroups.
    pub names: &'a dyn Names,
}

/// Looks up what only the host knows, once, while a filter is read.
pub trait Names {
    /// Index of a network interface by name or alternative name.
    fn device(&self, name: &str) -> Option<u32>;

    /// Id of a cgroup (v2) by the path of its directory; otherwise the reason, for people.
    fn cgroup(&self, path: &str) -> Result<u64, String>;
}

/// Knows no interface and no cgroup: for reading a filter away from its host.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn device(&self, _: &str) -> Option<u32> {
        None
    }

    fn cgroup(&self, _: &str) -> Result<u64, String> {
        Err("cgroups cannot be looked up here".into())
    }
}

/// A filter that was read and compiled.
///
/// ```
/// use ha2bgp_core::fact::Protocol;
/// use ha2bgp_proto::filter::{Context, Filter, NoNames, Services, Socket};
///
/// let services = Services::parse("http 80/tcp www");
/// let context = Context { services: &services, protocols: &[Protocol::Tcp], names: &NoNames };
///
/// let filter = Filter::parse("sport = :www or sport = :443", &context)?;
/// assert_eq!(filter.to_string(), "sport = :80 or sport = :443");
/// assert!(filter.matches(&Socket::listening("192.0.2.1".parse().unwrap(), 80)));
/// assert_eq!(filter.bytecode().len(), 36);
///
/// let text = "sport = :80 or :443";
/// let error = Filter::parse(text, &context).unwrap_err();
/// assert_eq!(error.render(text), "sport = :80 or :443\n               ^^^^");
/// # Ok::<(), ha2bgp_proto::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    expression: Option<Expression>,
    family: Option<Family>,
    bytecode: Vec<u8>,
    warnings: Vec<Warning>,
}

impl Filter {
    /// Reads a filter. A blank text matches every socket.
    pub fn parse(text: &str, context: &Context<'_>) -> Result<Self, FilterError> {
        if text.trim_matches([' ', '\t']).is_empty() {
            return Ok(Self::default());
        }
        let parsed = parser::parse(text, context)?;
        Ok(Self {
            bytecode: bytecode::compile(&parsed.expression),
            expression: Some(parsed.expression),
            family: parsed.family,
            warnings: parsed.warnings,
        })
    }

    /// What to send as `INET_DIAG_REQ_BYTECODE`; empty when there is nothing to send.
    ///
    /// It does not say the [`family`](Self::family): ask only that family's table.
    pub fn bytecode(&self) -> &[u8] {
        &self.bytecode
    }

    /// The only family whose sockets are asked for; `None` for both.
    ///
    /// `inet:` or `inet6:` anywhere in a filter limits all of it: `ss` then leaves the other
    /// table out, and where there are several prefixes, the last one counts.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// The meaning; `None` for a blank filter.
    pub fn expression(&self) -> Option<&Expression> {
        self.expression.as_ref()
    }

    /// What may surprise, in the order of the text.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// True when the kernel takes the bytecode only from a program with CAP_NET_ADMIN.
    pub fn needs_net_admin(&self) -> bool {
        self.expression
            .iter()
            .flat_map(Expression::conditions)
            .any(|condition| matches!(condition, Condition::Mark { .. }))
    }

    /// True when the kernel, asked with this filter, would show the socket.
    pub fn matches(&self, socket: &Socket) -> bool {
        let family = match socket.addresses {
            Addresses::V4 { .. } => Family::V4,
            Addresses::V6 { .. } => Family::V6,
        };
        self.family.is_none_or(|only| only == family)
            && self.expression.as_ref().is_none_or(|expression| expression.matches(socket))
    }
}

impl fmt::Display for Filter {
    /// The one reading of the filter, every mix of and/or in parentheses. It is a filter itself,
    /// with the same bytecode; the blank filter is shown as nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression {
            Some(expression) => f.write_str(&expression.reading(self.family.map(Family::prefix))),
            None => Ok(()),
        }
    }
}
