//! Names of files and units with placeholders, filled when their check starts.

use std::sync::Arc;

use ha2bgp_proto::template::{FillError, Template, Values};

use super::Target;

/// A text with `{vip}` and `{service}` in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// As written.
    pub template: Template,
    /// The name of the service, only where `{service}` is in the text: identical checks of several
    /// services are made once.
    pub service: Option<Arc<str>>,
}

impl Place {
    /// The text for one VIP.
    ///
    /// # Errors
    /// `{vip}` where the check is for no VIP.
    pub fn fill(&self, at: Target) -> Result<String, FillError> {
        let service = self.service.as_deref().unwrap_or_default();
        self.template.fill(&Values { vip: at.vip, port: None, service })
    }
}
