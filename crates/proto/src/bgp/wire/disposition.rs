//! What is done about a bad UPDATE (RFC 7606 section 2), from weak to strong.

use core::fmt;

/// How a malformed UPDATE is handled without ending the session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Disposition {
    /// The bad attribute is ignored.
    AttributeDiscard,
    /// All routes in the message count as withdrawn.
    TreatAsWithdraw,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttributeDiscard => "attribute-discard",
            Self::TreatAsWithdraw => "treat-as-withdraw",
        })
    }
}
