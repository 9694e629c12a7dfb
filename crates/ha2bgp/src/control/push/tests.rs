use super::*;
use crate::observe::check::net::SourceOptions;
use crate::observe::check::{CheckSpec, ProbeSpec, Timing, Watched};

fn spec(per_vip: bool) -> PushSpec {
    PushSpec {
        name: PushName { service: Some("web".into()), check: "deploy".into() },
        ttl: Duration::from_secs(60),
        on_expiry: Outcome::Unknown,
        per_vip,
    }
}

fn caller() -> Caller {
    Caller { author: "ann".to_owned(), uid: Some(7), access: Access::Write }
}

fn with(checks: Vec<PushSpec>, hub: mpsc::Sender<Request>) -> Pushes {
    let check = |spec| CheckSpec {
        timing: Timing::NONE,
        source: SourceOptions::default(),
        probe: ProbeSpec::Watched(Watched::Push(spec)),
    };
    let specs = checks.into_iter().map(check).enumerate().collect();
    let (_, specs) = watch::channel(Arc::new(CheckSpecs { specs, ..CheckSpecs::default() }));
    Pushes { specs, hub }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn taken(body: &str, per_vip: bool) -> Result<Push, Refusal> {
    parse(body.as_bytes()).and_then(|asked| accept(&spec(per_vip), asked, &caller()))
}

#[test]
fn a_push_says_what_it_says() {
    let push = taken(r#"{"outcome":"pass"}"#, false).unwrap();
    assert_eq!(
        (push.result, push.ttl),
        (ProbeResult::new(Outcome::Pass, "pushed"), spec(false).ttl)
    );
    assert_eq!((push.vip, push.by), (None, By { author: "ann".into(), uid: Some(7) }));
    let body = r#" {"vip":"::ffff:192.0.2.1","ttl":"1m","detail":"a\nb","outcome":"warn"} "#;
    let push = taken(body, true).unwrap();
    assert_eq!(push.result, ProbeResult::new(Outcome::Warn, "a b"));
    assert_eq!((push.ttl, push.vip), (Duration::from_secs(60), "192.0.2.1".parse().ok()));
    let push = taken(r#"{"outcome":"fail","ttl":null,"vip":null,"detail":null}"#, false).unwrap();
    assert_eq!(push.result.outcome, Outcome::Fail);
}

#[test]
fn a_refusal_is_short_whatever_was_sent() {
    let name = "outcom".repeat(1000);
    for body in [
        format!(r#"{{"{name}":"pass"}}"#),
        format!(r#"{{"outcome":"{name}"}}"#),
        format!(r#"{{"outcome":["{name}"]}}"#),
        format!(r#"{{"outcome":"pass","ttl":"{name}"}}"#),
        format!(r#"{{"outcome":"pass","vip":"{name}"}}"#),
    ] {
        let refusal = taken(&body, true).unwrap_err();
        assert!(refusal.body().len() < 1000, "{refusal:?}");
        assert!(refusal.message.contains("outcomoutcom") || refusal.field.is_some(), "{refusal:?}");
    }
}

#[test]
fn refusals_name_field_value_rule_and_fix() {
    for (body, per_vip, field, words) in [
        ("", false, None, "the body is no push: EOF"),
        ("nonsense", false, None, "the body is no push"),
        ("[]", false, None, "the body is no push"),
        ("\"pass\"", false, None, "the body is no push"),
        (r#"{"outcome":"pass"} x"#, false, None, "trailing characters"),
        (r#"{"outcome":"pass","outcome":"fail"}"#, false, None, "duplicate field `outcome`"),
        (r#"{"outcom":"pass"}"#, false, None, "unknown field `outcom`, expected one of `outcome`"),
        (r#"{"outcome":"pass","ttl":1e999}"#, false, None, "number out of range"),
        ("{}", false, Some("outcome"), "outcome is missing: send"),
        (r#"{"outcome":"PASS"}"#, false, Some("outcome"), "\"PASS\" is no outcome"),
        (r#"{"outcome":true}"#, false, Some("outcome"), "outcome is true or false: send a text"),
        (r#"{"outcome":["pass"]}"#, false, Some("outcome"), "outcome is a list"),
        (r#"{"outcome":{"a":1}}"#, false, Some("outcome"), "outcome is an object"),
        (r#"{"outcome":"pass","detail":5}"#, false, Some("detail"), "detail is a number"),
        (r#"{"outcome":"pass","ttl":30}"#, false, Some("ttl"), "send a text, such as \"30s\""),
        (r#"{"outcome":"pass","ttl":"30"}"#, false, Some("ttl"), "write 30s for seconds"),
        (r#"{"outcome":"pass","ttl":"-1s"}"#, false, Some("ttl"), "is not a duration"),
        (r#"{"outcome":"pass","ttl":"61s"}"#, false, Some("ttl"), "from 100ms to 1m"),
        (r#"{"outcome":"pass","ttl":"0s"}"#, false, Some("ttl"), "from 100ms to 1m"),
        (r#"{"outcome":"pass","ttl":"99999999999999999999d"}"#, false, Some("ttl"), "too long"),
        (r#"{"outcome":"pass","vip":"web"}"#, true, Some("vip"), "not an IP address"),
        (r#"{"outcome":"pass","vip":"192.0.2.1/32"}"#, true, Some("vip"), "without a length"),
        (r#"{"outcome":"pass","vip":"192.0.2.1"}"#, false, Some("vip"), "one result for all VIPs"),
        (r#"{"outcome":"pass"}"#, true, Some("vip"), "vip is missing"),
    ] {
        let refusal = taken(body, per_vip).unwrap_err();
        assert_eq!(refusal.field.as_deref(), field, "{body}: {refusal:?}");
        assert!(refusal.message.contains(words), "{body}: {refusal:?}");
    }
    let deep = "[".repeat(10_000);
    assert_eq!(taken(&format!("{{\"ttl\":{deep}"), false).unwrap_err().code, Code::BadBody);
    let latin1 = b"{\"outcome\":\"p\xe9\"}";
    assert_eq!(parse(latin1).unwrap_err().code, Code::BadBody);
    let long = format!("{{\"outcome\":\"{}\"}}", "é".repeat(5000));
    assert!(taken(&long, false).unwrap_err().message.len() < 400);
}

#[test]
fn names_that_are_not_there() {
    let shared = PushSpec { name: PushName { service: None, check: "up".into() }, ..spec(false) };
    let (hub, _requests) = mpsc::channel(1);
    let pushes = with(vec![spec(false), shared], hub.clone());
    let error = |names: &[&str]| pushes.find(&owned(names)).unwrap_err().message;
    assert!(
        pushes.find(&owned(&["web", "deploy"])).is_ok() && pushes.find(&owned(&["up"])).is_ok()
    );
    assert!(error(&["web", "deplo"]).ends_with("did you mean web/deploy?"));
    assert!(error(&["web", "up"]).ends_with("up is one of all services: use up"));
    assert!(error(&["something-else"]).ends_with("there are web/deploy, up"));
    let none = with(Vec::new(), hub);
    assert!(none.find(&owned(&["x"])).unwrap_err().message.ends_with("no check of type \"push\""));
}

/// Nobody answers: the request ends all the same.
#[tokio::test(start_paused = true)]
async fn a_hub_that_does_not_answer() {
    let (hub, requests) = mpsc::channel(1);
    let pushes = with(vec![spec(false)], hub);
    let names = owned(&["web", "deploy"]);
    for _ in 0..2 {
        let refusal = pushes.push(&names, br#"{"outcome":"pass"}"#, &caller()).await;
        assert_eq!(refusal.unwrap_err().code, Code::Busy);
    }
    drop(requests);
    assert_eq!(pushes.show(&[]).await.unwrap_err().code, Code::Busy);
}

proptest::proptest! {
    #[test]
    fn any_octets_are_judged(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        fuzz_push_body(&body);
    }

    #[test]
    fn any_values_are_judged(
        outcome in "(pass|warn|fail|unknown|\\PC{0,9})",
        detail in "\\PC{0,300}",
        ttl in "[0-9]{0,22}(us|ms|s|m|h|d|)",
        vip in "[0-9a-f.:]{0,40}",
    ) {
        let body = serde_json::json!({"outcome": outcome, "detail": detail, "ttl": ttl, "vip": vip});
        fuzz_push_body(body.to_string().as_bytes());
    }
}
