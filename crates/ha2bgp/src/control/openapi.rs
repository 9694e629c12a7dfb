//! The OpenAPI document (version 3.1), made from the table of endpoints and the types of the wire.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::api::{Code, ErrorBody};
use super::query::{Param, Takes};
use super::route::{Access, ENDPOINTS, Endpoint, Gives};

/// Where types stand.
const TYPES: &str = "/components/schemas";
/// Reasons for which every request may be refused.
const ALWAYS: &[Code] =
    &[Code::BadValue, Code::Unauthorized, Code::Forbidden, Code::TooMany, Code::Busy];
/// Reasons for which every request with a body may be refused.
const WITH_BODY: &[Code] = &[Code::BadBody, Code::TooSlow, Code::TooLarge];
/// What the HTTP library says, without a body, when it has read no request: a head that it cannot
/// read, one that took too long, one that is too long.
const BARE: &[(u16, &str)] =
    &[(414, "The path is too long; without a body"), (431, "The head is too long; without a body")];

/// The document, made once.
pub fn text() -> Vec<u8> {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = serde_json::to_vec_pretty(&document()).unwrap_or_default();
        text.push(b'\n');
        text
    })
    .clone()
}

/// The document.
fn document() -> Value {
    let settings = |settings: SchemaSettings| {
        settings.with(|settings| {
            settings.definitions_path = TYPES.into();
            settings.meta_schema = None;
        })
    };
    let draft = SchemaSettings::draft2020_12;
    let mut taken = settings(draft().for_deserialize()).into_generator();
    let mut given = settings(draft().for_serialize()).into_generator();
    let refused = given.subschema_for::<ErrorBody<'_>>();
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_lowercase()] = operation(endpoint, &mut taken, &mut given);
    }
    let mut schemas = taken.take_definitions(true);
    schemas.append(&mut given.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ha2bgp",
            "version": "1",
            "description": "The control interface of ha2bgp, over its unix socket and its ports. \
                            docs/control.md is the guide.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses(&refused.to_value()),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret of [control] tokens-file. The unix socket needs none.",
                },
            },
        },
    })
}

fn operation(
    endpoint: &Endpoint,
    taken: &mut SchemaGenerator,
    given: &mut SchemaGenerator,
) -> Value {
    let names =
        endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| {
        let schema = match name {
            "address" => json!({
                "type": "string",
                "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }],
            }),
            "id" => json!({ "type": "integer", "minimum": 0 }),
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let parameters: Vec<Value> = in_path.chain(endpoint.query.iter().map(parameter)).collect();
    let content = match endpoint.gives {
        Gives::Json(shape) => json!({ "application/json": { "schema": shape(given) } }),
        Gives::Text(kind) => json!({ kind: { "schema": { "type": "string" } } }),
        Gives::Events(shape) => json!({
            "text/event-stream": { "schema": { "type": "string" }, "x-event-data": shape(given) },
        }),
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "Done", "content": content }));
    let body = endpoint.body.map(|shape| {
        json!({ "required": !endpoint.may_be_empty, "content": { "application/json": { "schema": shape(taken) } } })
    });
    // A body that nobody wants is read all the same.
    let codes = ALWAYS.iter().chain(endpoint.codes).chain(WITH_BODY);
    for status in codes.map(|code| code.status()).collect::<BTreeSet<u16>>() {
        let place = format!("#/components/responses/Refused{status}");
        responses.insert(status.to_string(), json!({ "$ref": place }));
    }
    for (status, _) in BARE {
        let place = format!("#/components/responses/Bare{status}");
        responses.insert(status.to_string(), json!({ "$ref": place }));
    }
    let mut operation = json!({
        "operationId": id(endpoint),
        "summary": endpoint.about,
        "responses": responses,
        "x-access": match endpoint.access {
            Access::Read => "read",
            Access::Write => "write",
        },
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// A name that no other has: `getChecksServiceCheck`.
fn id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/v1");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(endpoint.method.to_lowercase(), |id, word| {
        let (first, rest) = word.split_at(1);
        id + &first.to_uppercase() + rest
    })
}

fn parameter(param: &Param) -> Value {
    let schema = match param.takes {
        Takes::Text => json!({ "type": "string", "minLength": 1, "maxLength": 1024 }),
        Takes::OneOf(words) => json!({ "type": "string", "enum": words }),
        Takes::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Takes::Duration => json!({ "type": "string", "pattern": "^([0-9]+(us|ms|s|m|h|d))+$" }),
        Takes::Switch => json!({ "type": "boolean" }),
    };
    json!({ "name": param.name, "in": "query", "description": param.about, "schema": schema })
}

/// What every refusal looks like, by its status.
fn responses(refused: &Value) -> Value {
    let mut all = Map::new();
    for status in Code::ALL.map(Code::status) {
        let codes = Code::ALL.into_iter().filter(|code| code.status() == status);
        let codes: Vec<&str> = codes.map(Code::name).collect();
        let content = json!({ "application/json": { "schema": refused } });
        let description = format!("Refused: {}", codes.join(", "));
        let response = json!({ "description": description, "content": content });
        all.insert(format!("Refused{status}"), response);
    }
    for (status, description) in BARE {
        all.insert(format!("Bare{status}"), json!({ "description": description }));
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_fresh() {
        let text = String::from_utf8(text()).unwrap();
        crate::cli::flags::assert_fresh("docs/openapi.json", &text);
    }

    /// Nothing that is pointed at is missing, and no two operations have one name.
    #[test]
    fn the_document_is_whole() {
        let document = document();
        let text = document.to_string();
        let mut pointed = 0;
        for part in text.split("\"$ref\":\"").skip(1) {
            let place = part.split('"').next().unwrap();
            let place = place.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{place}");
            pointed += 1;
        }
        assert!(pointed > 20);
        let ids: BTreeSet<String> = ENDPOINTS.iter().map(id).collect();
        assert_eq!(ids.len(), ENDPOINTS.len());
        assert!(ids.contains("getChecksServiceCheck"), "{ids:?}");
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            // Two types of one name get a number.
            assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}: name it otherwise");
        }
    }
}
