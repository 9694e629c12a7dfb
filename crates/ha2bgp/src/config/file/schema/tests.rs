//! The schema against the reader: every example of the documents is good for both, and what the
//! schema refuses is refused by the reader too.

use std::path::{Path, PathBuf};

use ha2bgp_proto::pattern::Pattern;
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::super::Document;
use super::page;
use crate::cli::flags::assert_fresh;

#[test]
fn the_schema_is_fresh() {
    assert_fresh("docs/ha2bgp.schema.json", &page());
}

/// The part of JSON Schema that ours uses; anything else is a panic, or nothing would be tested.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let inner = |schema: &Value, value: &Value| accepts(root, schema, value);
    let all = schema.as_object().unwrap();
    all.iter().all(|(word, rule)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" | "default" | "then" | "else" => true,
        "$ref" => {
            let path = rule.as_str().unwrap().trim_start_matches('#');
            inner(root.pointer(path).unwrap(), value)
        }
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("type {other}"),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| {
            let pattern: Pattern = format!("/{}/", rule.as_str().unwrap()).parse().unwrap();
            pattern.is_in(text.as_bytes())
        }),
        "maxLength" => {
            value.as_str().is_none_or(|text| text.len() as u64 <= rule.as_u64().unwrap())
        }
        "anyOf" => rule.as_array().unwrap().iter().any(|rule| inner(rule, value)),
        "allOf" => rule.as_array().unwrap().iter().all(|rule| inner(rule, value)),
        "if" => {
            let branch = if inner(rule, value) { "then" } else { "else" };
            schema.get(branch).is_none_or(|rule| inner(rule, value))
        }
        "items" => value.as_array().is_none_or(|list| list.iter().all(|item| inner(rule, item))),
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|object| {
            let rules = rule.as_object().unwrap();
            object.iter().all(|(name, item)| rules.get(name).is_none_or(|rule| inner(rule, item)))
        }),
        "propertyNames" => value.as_object().is_none_or(|object| {
            object.keys().all(|name| inner(rule, &Value::String(name.clone())))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = schema.get("properties").and_then(Value::as_object);
            let known = |name: &str| known.is_some_and(|known| known.contains_key(name));
            let mut more = object.iter().filter(|(name, _)| !known(name));
            more.all(|(_, item)| rule.as_bool().unwrap_or_else(|| inner(rule, item)))
        }),
        other => panic!("the test does not know {other}"),
    })
}

/// TOML as JSON.
fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).unwrap().into()
        }
        DeValue::Float(number) => number.as_str().into(),
        DeValue::Boolean(on) => (*on).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(list) => list.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(table) => json_of_table(table),
    }
}

fn json_of_table(table: &DeTable<'_>) -> Value {
    let entries = table.iter();
    let object: Map<String, Value> =
        entries.map(|(key, value)| (key.get_ref().to_string(), json_of(value.get_ref()))).collect();
    Value::Object(object)
}

fn good(text: &str) -> bool {
    let schema: Value = serde_json::from_str(&page()).unwrap();
    let table = DeTable::parse(text).unwrap();
    accepts(&schema, &schema, &json_of_table(table.get_ref()))
}

/// All Markdown below a directory.
fn pages(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_example_of_the_documents_is_good() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut count = 0;
    for path in pages(&docs) {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            assert!(good(block), "{}\n{block}", path.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} examples");
}

/// The example, with every # taken away.
#[test]
fn the_example_is_good() {
    let text = super::super::example::uncommented();
    assert!(text.lines().count() > 100 && good(&text));
}

#[test]
fn what_it_refuses_the_reader_refuses_too() {
    for (text, is_good) in [
        ("networks = \"192.0.2.0/24\"", true),
        ("networks = 5", false),
        ("netwroks = []", false),
        ("[defaults]\ndamping = false", true),
        ("[defaults]\ndamping = \"off\"", true),
        ("[defaults]\ndamping = { reuse = 5 }", true),
        ("[defaults]\ndamping = { reuse = \"5\" }", false),
        ("[defaults]\ndamping = { resue = 5 }", false),
        ("[defaults]\nup-delay = 3.5", false),
        ("[exabgp]\ngroup = \"off\"", true),
        ("[exabgp]\ngroup = false", true),
        ("peer = { address = \"192.0.2.1\" }", false),
        ("peer = [{ address = \"192.0.2.1\", ttl-security = 3 }]", true),
        ("peer = [{ address = \"192.0.2.1\", ttl-security = \"3\" }]", false),
        ("checks.http = { url = \"http://{vip}/\" }", true),
        ("checks.page = { url = \"http://{vip}/\" }", false),
        ("checks.page = { type = \"http\", url = \"http://{vip}/\" }", true),
        ("checks.tcp = { type = \"http\", url = \"http://{vip}/\" }", true),
        ("checks.tcp = { type = \"http\", command = \"x\" }", false),
        ("checks.http = { url = \"http://{vip}/\", port = { } }", false),
        ("checks.page = { type = \"htpt\" }", false),
        ("checks.\"a b\" = { type = \"listen\" }", false),
        ("service = [{ name = \"web\", checks.listen.ports = 80 }]", true),
        ("service = [{ name = \"web\", checks.listen.ports = [80, \"x\"] }]", false),
        ("guard = 1", false),
    ] {
        let by_reader = Document::parse(1, "a.toml", text).errors.is_empty();
        assert_eq!((good(text), by_reader), (is_good, is_good), "{text}");
    }
    assert_eq!(json!(1), json_of_table(DeTable::parse("a = 1").unwrap().get_ref())["a"]);
}
