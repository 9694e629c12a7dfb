//! The configuration in force, as it goes over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/config`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ConfigShown {
    /// Every value, defaults too; values that may be secrets are hidden.
    pub values: Vec<ConfigValue>,
    /// The files as TOML, one behind the other, without lines that may hold secrets; what flags and
    /// variables say stands in comments before.
    pub toml: String,
}

/// One value.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ConfigValue {
    /// The whole key: `defaults.up-delay`, `service.web.vips`, `peer.10.0.0.1.remote-as`.
    pub key: String,
    /// What it is: several of a list.
    pub values: Vec<String>,
    /// Where it was written: `FILE:LINE`, a flag, a variable, or `default`.
    pub from: String,
}
