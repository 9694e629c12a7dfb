//! The configuration file as a JSON Schema (2020-12), made from the table of keys: editors complete
//! keys and mark mistakes with it.
//!
//! It knows what the table knows: names, shapes, help. What values mean, and which of them go
//! together, only `ha2bgp check-config` knows.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Kind};
use crate::config::check::{self, KINDS};

/// What durations look like; see `config/duration.rs`.
const DURATION: &str = "^([0-9]+(us|ms|s|m|h|d))+$";

/// The schema: `ha2bgp config schema`, docs/ha2bgp.schema.json.
pub fn page() -> String {
    let mut root = section("");
    if let Value::Object(root) = &mut root {
        root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        root.insert("title".into(), "ha2bgp".into());
        root.insert("description".into(), "The configuration file of ha2bgp".into());
        root.insert("$defs".into(), Value::Object(definitions()));
    }
    format!("{root:#}\n")
}

/// What may stand in a section.
fn section(path: &str) -> Value {
    let mut properties = Map::new();
    for name in keys::within(path) {
        let whole = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let value = match (keys::is_section(&whole), keys::find(&whole)) {
            (true, _) if matches!(whole.as_str(), "peer" | "service") => {
                json!({ "type": "array", "items": section(&whole) })
            }
            // On, off, or how.
            (true, Some(key)) => {
                let mut value = described(&key, json!({}));
                value["anyOf"] = json!([shape(key.kind), section(&whole)]);
                value
            }
            (true, None) => section(&whole),
            (false, Some(key)) => described(&key, shape(key.kind)),
            (false, None) => continue,
        };
        properties.insert(name.to_owned(), value);
    }
    if matches!(path, "" | "service") {
        properties.insert("checks".into(), json!({ "$ref": "#/$defs/checks" }));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// With what it means, and its default.
fn described(key: &Key, mut shape: Value) -> Value {
    shape["description"] = format!("{}.", key.help).into();
    if !key.default.is_empty() {
        shape["default"] = default(key.kind, key.default);
    }
    shape
}

fn default(kind: Kind, text: &str) -> Value {
    let number = text.parse::<u64>();
    match (kind, text) {
        (Kind::Switch, "on") => true.into(),
        (Kind::Switch, "off") => false.into(),
        (Kind::Bool | Kind::NumberOrBool | Kind::Switch, _) if text.parse::<bool>().is_ok() => {
            (text == "true").into()
        }
        (Kind::Texts, _) => json!([text]),
        (Kind::Text | Kind::Duration | Kind::Path, _) => text.into(),
        _ => number.map_or_else(|_| text.into(), Value::from),
    }
}

/// What a key of this kind takes.
fn shape(kind: Kind) -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    let text = json!({ "type": "string" });
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Switch => json!({ "enum": [true, false, "on", "off"] }),
        Kind::Number => number,
        Kind::NumberOrOff => json!({ "anyOf": [number, { "enum": [false, "off"] }] }),
        Kind::NumberOrText | Kind::As => json!({ "anyOf": [number, text] }),
        Kind::NumberOrBool => json!({ "anyOf": [number, { "type": "boolean" }] }),
        Kind::Text | Kind::Path => text,
        Kind::Duration => json!({ "type": "string", "pattern": DURATION }),
        Kind::Texts => json!({ "anyOf": [text, { "type": "array", "items": text }] }),
        Kind::Numbers => json!({ "anyOf": [number, { "type": "array", "items": number }] }),
    }
}

/// The checks: which keys there are depends on the type, and the type may follow from the name.
fn definitions() -> Map<String, Value> {
    let mut definitions = Map::new();
    let mut named = Map::new();
    let mut typed = Vec::new();
    for kind in KINDS {
        let own = format!("check-{}", kind.name);
        let own_ref = json!({ "$ref": format!("#/$defs/{own}") });
        let mut properties: Map<String, Value> =
            kind.all().map(|key| (key.path.to_owned(), described(&key, shape(key.kind)))).collect();
        properties.insert("type".into(), json!({ "const": kind.name }));
        let section = json!({
            "type": "object",
            "description": kind.about,
            "properties": properties,
            "additionalProperties": false,
        });
        definitions.insert(own, section);
        let is_it =
            json!({ "properties": { "type": { "const": kind.name } }, "required": ["type"] });
        typed.push(json!({ "if": is_it, "then": own_ref }));
        let with_type = json!({ "$ref": "#/$defs/check" });
        let given = json!({ "required": ["type"] });
        named.insert(kind.name.into(), json!({ "if": given, "then": with_type, "else": own_ref }));
    }
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    definitions.insert(
        "check".into(),
        json!({
            "type": "object",
            "properties": { "type": { "enum": names } },
            "required": ["type"],
            "allOf": typed,
        }),
    );
    definitions.insert(
        "checks".into(),
        json!({
            "type": "object",
            "properties": named,
            "propertyNames": { "pattern": check::NAME_PATTERN, "maxLength": check::NAME_MAX },
            "additionalProperties": { "$ref": "#/$defs/check" },
        }),
    );
    definitions
}

#[cfg(test)]
mod tests;
