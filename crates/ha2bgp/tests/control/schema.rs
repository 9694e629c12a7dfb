//! JSON Schema 2020-12, as far as the OpenAPI document uses it. A word that is not known here is an
//! error: what nobody looks at proves nothing.

use serde_json::{Map, Value};

/// What is wrong with a value, if anything is.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let words = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(words) => words,
        other => return Err(format!("no schema: {other}")),
    };
    for (word, rule) in words {
        obeys(document, words, word, rule, value)
            .map_err(|error| format!("{error}\n in {value}"))?;
    }
    Ok(())
}

fn obeys(
    document: &Value,
    words: &Map<String, Value>,
    word: &str,
    rule: &Value,
    value: &Value,
) -> Result<(), String> {
    let wrong = || Err(format!("{value} is not {word} {rule}"));
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let ok = match word {
        "description" | "title" | "format" | "default" => true,
        "$ref" => {
            let place = rule.as_str().and_then(|place| place.strip_prefix('#')).unwrap_or("?");
            let schema = document.pointer(place).ok_or(format!("there is no {rule}"))?;
            return check(document, schema, value);
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|it| is_of(it, value)),
            one => is_of(one, value),
        },
        "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
        "const" => rule == value,
        "minimum" => !value.is_number() || number(value) >= number(rule),
        "maximum" => !value.is_number() || number(value) <= number(rule),
        "minItems" => value.as_array().is_none_or(|it| it.len() as f64 >= number(rule)),
        "maxItems" => value.as_array().is_none_or(|it| it.len() as f64 <= number(rule)),
        "required" => {
            let has = |name: &Value| value.get(name.as_str().unwrap_or("?")).is_some();
            !value.is_object() || rule.as_array().is_some_and(|names| names.iter().all(has))
        }
        "properties" => {
            for (name, schema) in rule.as_object().into_iter().flatten() {
                if let Some(value) = value.get(name) {
                    check(document, schema, value).map_err(|error| format!("{name}: {error}"))?;
                }
            }
            true
        }
        "additionalProperties" => {
            let known = words.get("properties").and_then(Value::as_object);
            let mut others = value.as_object().into_iter().flatten();
            let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
            match rule {
                Value::Bool(allowed) => *allowed || others.all(|(name, _)| is_known(name)),
                schema => {
                    for (name, value) in others.filter(|(name, _)| !is_known(name)) {
                        check(document, schema, value).map_err(|it| format!("{name}: {it}"))?;
                    }
                    true
                }
            }
        }
        "items" => {
            for (value, at) in value.as_array().into_iter().flatten().zip(0..) {
                check(document, rule, value).map_err(|error| format!("[{at}]: {error}"))?;
            }
            true
        }
        "prefixItems" => {
            let rules = rule.as_array().into_iter().flatten();
            for (rule, value) in rules.zip(value.as_array().into_iter().flatten()) {
                check(document, rule, value)?;
            }
            true
        }
        "anyOf" | "oneOf" => {
            let fits = |schema: &&Value| check(document, schema, value).is_ok();
            let count = rule.as_array().into_iter().flatten().filter(fits).count();
            if word == "anyOf" { count > 0 } else { count == 1 }
        }
        other => return Err(format!("this test does not know the word {other}: {rule}")),
    };
    if ok { Ok(()) } else { wrong() }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap_or("?") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_is_wrong_is_found() {
    let document = serde_json::json!({"a": {"type": ["integer", "null"], "minimum": 3}});
    let schema = serde_json::json!({
        "type": "object",
        "required": ["x"],
        "additionalProperties": false,
        "properties": {
            "x": {"$ref": "#/a"},
            "y": {"type": "array", "items": {"anyOf": [{"enum": ["k"]}, {"type": "boolean"}]}},
        },
    });
    for (value, good) in [
        (r#"{"x": 3}"#, true),
        (r#"{"x": null, "y": ["k", true]}"#, true),
        (r#"{"x": 2}"#, false),
        (r#"{"x": 3.5}"#, false),
        (r#"{"y": []}"#, false),
        (r#"{"x": 3, "z": 1}"#, false),
        (r#"{"x": 3, "y": ["l"]}"#, false),
        (r#"{"x": 3, "y": {}}"#, false),
        ("[]", false),
    ] {
        let value = serde_json::from_str(value).unwrap();
        assert_eq!(check(&document, &schema, &value).is_ok(), good, "{value}");
    }
    assert!(check(&document, &serde_json::json!({"pattern": "x"}), &Value::Null).is_err());
}
