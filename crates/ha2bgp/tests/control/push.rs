//! Pushing, and what is told to those who do it wrong.

use ha2bgp_core::check::Outcome;
use ha2bgp_core::fact::Observation;
use serde_json::{Value, json};

use crate::stage::Stage;

#[test]
fn a_push_reaches_the_engine_and_is_listed() {
    let mut stage = Stage::new();
    let body = r#"{"outcome":"warn","detail":"disk 91 %","ttl":"30s"}"#;
    let (status, answer) = stage.ask("POST", "/v1/checks/web/x", body);
    let taken = json!({
        "check": "web/x", "outcome": "warn", "detail": "disk 91 %", "ttl_seconds": 30.0
    });
    assert_eq!((status, answer), (200, taken));
    let got = loop {
        let seen = stage.observed.blocking_recv().unwrap();
        let Observation::Probed { check, result } = seen.what else {
            panic!("no result");
        };
        if check.vip.is_none() {
            break result;
        }
    };
    assert_eq!((got.outcome, &*got.detail), (Outcome::Warn, "disk 91 %"));
    let (status, list) = stage.ask("GET", "/v1/checks/web/x", "");
    assert_eq!((status, &list["left_out"]), (200, &json!(0)));
    let entry = list["checks"].as_array().unwrap().iter().find(|it| it["vip"].is_null()).unwrap();
    assert_eq!((&entry["service"], &entry["check"]), (&json!("web"), &json!("x")));
    let last = &entry["last"];
    assert_eq!((&last["outcome"], &last["expired"]), (&json!("warn"), &json!(false)));
    assert!(last["ttl_left_seconds"].as_f64().unwrap() <= 30.0, "{last}");
    assert_eq!(last["uid"], json!(rustix::process::getuid().as_raw()));
    let (_, all) = stage.ask("GET", "/v1/checks", "");
    let names: Vec<&str> =
        all["checks"].as_array().unwrap().iter().filter_map(|it| it["check"].as_str()).collect();
    assert!(["x", "each", "up"].iter().all(|name| names.contains(name)), "{all}");
    let (status, _) = stage.ask("POST", "/v1/checks/up", r#"{"outcome":"fail"}"#);
    assert_eq!(status, 200);
    let each = r#"{"outcome":"pass","vip":"127.0.0.1"}"#;
    let (status, answer) = stage.ask("POST", "/v1/checks/web/each", each);
    assert_eq!((status, &answer["vip"]), (200, &json!("127.0.0.1")));
    stage.end();
}

#[test]
fn mistakes_are_told() {
    let stage = Stage::new();
    let pass = r#"{"outcome":"pass"}"#;
    for (method, path, body, status, code, words) in [
        ("POST", "/v1/checks/web/x", "{", 400, "bad-body", "EOF"),
        ("POST", "/v1/checks/web/x", r#"{"outcome":1}"#, 400, "bad-value", "outcome is a number"),
        ("POST", "/v1/checks/web/x", r#"{"outcome":"pass","tll":"1s"}"#, 400, "bad-body", "`tll`"),
        ("POST", "/v1/checks/web/x", r#"{"outcome":"pass","ttl":"2m"}"#, 400, "bad-value", "1m"),
        ("POST", "/v1/checks/web/each", pass, 400, "bad-value", "vip is missing"),
        (
            "POST",
            "/v1/checks/web/each",
            r#"{"outcome":"pass","vip":"127.0.0.7"}"#,
            409,
            "no-such-vip",
            "127.0.0.1",
        ),
        ("POST", "/v1/checks/web/y", pass, 404, "no-such-check", "did you mean web/x?"),
        ("POST", "/v1/checks/web/up", pass, 404, "no-such-check", "use up"),
        ("POST", "/v1/checks/web/%79", pass, 404, "no-such-check", "did you mean web/x?"),
        ("POST", "/v1/checks/web/%7", pass, 400, "bad-value", "write %25 for the sign itself"),
        ("POST", "/v1/checks/web/x?ttl=1s", pass, 400, "bad-value", "this path takes none"),
        ("GET", "/v1/checks/nothing", "", 404, "no-such-check", "there are"),
        ("GET", "/", "", 404, "no-such-path", "GET /v1/openapi.json"),
        ("GET", "/v1/check", "", 404, "no-such-path", "did you mean /v1/checks?"),
        ("PUT", "/v1/checks/web/x", pass, 405, "wrong-method", "use GET or POST"),
        ("POST", "/v1/checks", pass, 405, "wrong-method", "use GET"),
    ] {
        let (got, answer) = stage.ask(method, path, body);
        let error = &answer["error"];
        assert_eq!((got, error["code"].as_str()), (status, Some(code)), "{path} {body}\n{answer}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{path} {body}\n{answer}");
    }
    let (_, answer) = stage.ask("POST", "/v1/checks/web/x", r#"{"outcome":"up"}"#);
    let error = &answer["error"];
    assert_eq!((&error["field"], &error["value"]), (&json!("outcome"), &json!("up")));
    let head = stage.raw(b"DELETE /v1/checks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(head.to_lowercase().contains("\r\nallow: get, head, options\r\n"), "{head}");
    stage.end();
}

/// One that sends the answers' length with HEAD would leave the client waiting.
#[test]
fn other_methods_end_too() {
    let stage = Stage::new();
    for (method, wanted) in [
        ("HEAD", &[200][..]),
        ("OPTIONS", &[204]),
        ("CONNECT", &[400, 404, 405]),
        ("TRACE", &[405]),
        ("PATCH", &[405]),
        ("FOO", &[405]),
    ] {
        let (status, answer) = stage.ask(method, "/v1/checks", "");
        assert!(wanted.contains(&status), "{method}: {status}");
        assert!(answer == Value::Null || answer["error"]["code"].is_string(), "{answer}");
    }
    stage.works();
    stage.end();
}
