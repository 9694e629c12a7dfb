//! Every endpoint against the OpenAPI document that the interface itself hands out: good answers,
//! and refusals.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::schema;
use crate::stage::{Stage, json, request, status};

/// Requests that are done, by the names of operations: path and body.
const DONE: &[(&str, &str, &str)] = &[
    ("getMetrics", "/metrics", ""),
    ("getOpenapiJson", "/v1/openapi.json", ""),
    ("getControl", "/v1/control", ""),
    ("getWhyAddress", "/v1/why/127.0.0.1", ""),
    ("getWhyAddress", "/v1/why/2001:db8::1", ""),
    ("getStatus", "/v1/status", ""),
    ("getServices", "/v1/services", ""),
    ("getServices", "/v1/services?limit=1&after=10.0.0.1&of=web,127.0.0.0/8&state=withdrawn", ""),
    ("getServicesService", "/v1/services/web?limit=1000", ""),
    ("getServicesService", "/v1/services/127.0.0.0%2f8", ""),
    ("getPeers", "/v1/peers", ""),
    ("getConfig", "/v1/config", ""),
    ("getProbes", "/v1/probes?limit=1", ""),
    ("getProbes", "/v1/probes?after=2@127.0.0.1", ""),
    ("postChecksCheck", "/v1/checks/up", r#"{"outcome":"pass"}"#),
    ("postChecksServiceCheck", "/v1/checks/web/x", r#"{"outcome":"fail","ttl":"1s","detail":"é"}"#),
    ("postChecksServiceCheck", "/v1/checks/web/each", r#"{"outcome":"warn","vip":"127.0.0.1"}"#),
    ("getChecks", "/v1/checks", ""),
    ("getChecksCheck", "/v1/checks/up", ""),
    ("getChecksServiceCheck", "/v1/checks/web/each", ""),
];
/// Requests that are refused, whatever the operation; the names in its path are these.
const NAMES: [&str; 4] = ["nothing", "%C3%A9", "%ff", "18446744073709551615"];
/// What is sent then.
const BODIES: [&str; 9] = [
    "",
    "{}",
    "[]",
    "nonsense",
    r#"{"unknown":1}"#,
    r#"{"outcome":"up"}"#,
    r#"{"kind":"drain"}"#,
    r#"{"level":"loud"}"#,
    r#"{"all":"yes"}"#,
];

/// One operation of the document.
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    responses: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| Operation {
            id: operation["operationId"].as_str().unwrap(),
            method: method.to_uppercase(),
            path,
            responses: &operation["responses"],
        })
    });
    all.collect()
}

/// Asks, and holds the answer against the document. Streams never end: they are not asked for.
fn conforms(stage: &Stage, document: &Value, of: &Operation<'_>, path: &str, body: &str) -> u16 {
    let answer = stage.raw(request(&of.method, path, body, "close").as_bytes());
    let what = format!("{} {path} {body}\n{answer}", of.method);
    let got = status(&answer);
    let mut response = &of.responses[got.to_string()];
    if let Some(place) = response["$ref"].as_str() {
        response = document.pointer(place.strip_prefix('#').unwrap()).unwrap();
    }
    assert!(response.is_object(), "no such answer: {what}");
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let kind = head.split("\r\ncontent-type: ").nth(1).unwrap_or_default();
    let kind = kind.split("\r\n").next().unwrap_or_default();
    let content = &response["content"][kind];
    assert!(content.is_object(), "no such type: {what}");
    if kind == "application/json" {
        let checked = schema::check(document, &content["schema"], &json(&answer));
        assert_eq!(checked, Ok(()), "{what}");
    }
    got
}

fn streams(of: &Operation<'_>) -> bool {
    of.responses["200"]["content"]["text/event-stream"].is_object()
}

#[test]
fn answers_are_what_the_document_says() {
    let stage = Stage::new();
    let (_, document) = stage.ask("GET", "/v1/openapi.json", "");
    let operations = operations(&document);
    for (id, path, body) in DONE {
        let of = operations.iter().find(|of| of.id == *id).unwrap();
        assert_eq!(conforms(&stage, &document, of, path, body), 200, "{id}");
    }
    let mut seen = BTreeSet::from([200]);
    let each = operations.iter().find(|of| of.id == "postChecksServiceCheck").unwrap();
    let elsewhere = r#"{"outcome":"pass","vip":"192.0.2.1"}"#;
    seen.insert(conforms(&stage, &document, each, "/v1/checks/web/each", elsewhere));
    for of in operations.iter().filter(|of| !streams(of)) {
        for name in NAMES {
            let path: Vec<&str> = of
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { name } else { part })
                .collect();
            let path = path.join("/");
            for body in BODIES {
                seen.insert(conforms(&stage, &document, of, &path, body));
            }
            seen.insert(conforms(&stage, &document, of, &format!("{path}?unknown=1"), ""));
        }
        seen.insert(conforms(&stage, &document, of, of.path, &"x".repeat(5 * 1024 * 1024)));
    }
    for status in [200, 400, 404, 409, 413, 503] {
        assert!(seen.contains(&status), "{status} was never seen: {seen:?}");
    }
    stage.end();
}
