use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::check::Outcome::{self, Fail, Pass, Unknown, Warn};

fn judge(text: &str, known: &[(&str, Option<Outcome>)]) -> Option<(Outcome, String)> {
    let rule = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let known: BTreeMap<&str, Option<Outcome>> = known.iter().copied().collect();
    rule.judge(&mut |name| known[name.text.as_str()])
        .map(|(outcome, name)| (outcome, name.text.clone()))
}

#[test]
fn outcomes_propagate_as_documented() {
    let cases: &[(&str, [Outcome; 3], Outcome, &str)] = &[
        ("all(a, b, c)", [Pass, Pass, Pass], Pass, "a"),
        ("all(a, b, c)", [Pass, Warn, Pass], Warn, "b"),
        ("all(a, b, c)", [Warn, Unknown, Pass], Unknown, "b"),
        ("all(a, b, c)", [Unknown, Warn, Fail], Fail, "c"),
        ("any(a, b, c)", [Fail, Warn, Pass], Pass, "c"),
        ("any(a, b, c)", [Fail, Warn, Unknown], Warn, "b"),
        ("any(a, b, c)", [Fail, Fail, Unknown], Unknown, "c"),
        ("any(a, b, c)", [Fail, Fail, Fail], Fail, "a"),
        ("at-least(2, a, b, c)", [Pass, Fail, Pass], Pass, "a"),
        ("at-least(2, a, b, c)", [Pass, Fail, Warn], Warn, "c"),
        ("at-least(2, a, b, c)", [Pass, Fail, Unknown], Unknown, "c"),
        ("at-least(2, a, b, c)", [Pass, Fail, Fail], Fail, "b"),
        ("at-least(3, a*2, b, c)", [Pass, Fail, Pass], Pass, "a"),
        ("at-least(3, a*2, b, c)", [Fail, Pass, Pass], Fail, "a"),
        ("not(a)", [Pass, Pass, Pass], Fail, "a"),
        ("not(a)", [Warn, Pass, Pass], Fail, "a"),
        ("not(a)", [Fail, Pass, Pass], Pass, "a"),
        ("not(a)", [Unknown, Pass, Pass], Unknown, "a"),
        ("all(a, any(b, c))", [Pass, Fail, Warn], Warn, "c"),
        (" all ( a ,\n any( b,not(c) ) ) ", [Pass, Fail, Fail], Pass, "a"),
        ("a", [Warn, Pass, Pass], Warn, "a"),
    ];
    for (text, [a, b, c], outcome, decider) in cases {
        let known = [("a", Some(*a)), ("b", Some(*b)), ("c", Some(*c))];
        assert_eq!(
            judge(text, &known),
            Some((*outcome, (*decider).to_string())),
            "{text} {a} {b} {c}"
        );
    }
}

#[test]
fn checks_without_power_are_left_out() {
    let known = [("a", Some(Pass)), ("s", None), ("f", Some(Fail))];
    assert_eq!(judge("all(s, a)", &known), Some((Pass, "a".into())));
    assert_eq!(judge("all(a, any(s))", &known), Some((Pass, "a".into())));
    assert_eq!(judge("all(a, not(s))", &known), Some((Pass, "a".into())));
    assert_eq!(judge("at-least(2, a, s)", &known), Some((Fail, "a".into())));
    assert_eq!(judge("all(s)", &known), None);
}

#[test]
fn errors_point_at_the_word() {
    for (text, at, word) in [
        ("", 0..0, "the end of the rule"),
        ("all()", 3..5, "nothing"),
        ("all(a, b", 8..8, "the end of the rule"),
        ("all(a b)", 6..7, "\"b\""),
        ("a, b", 1..2, "all(…)"),
        ("all", 0..3, "parentheses"),
        ("most(a, b)", 0..4, "no function"),
        ("at-least(a, b)", 9..10, "whole number"),
        ("at-least(0, b)", 9..10, "whole number"),
        ("at-least(3, a, b)", 0..17, "weighs 2"),
        ("at-least(1, a*x)", 14..15, "weight"),
        ("at-least(1)", 0..11, "weighs 0"),
        ("all(a*2, b)", 5..6, "at-least"),
        ("not(a, b)", 5..6, "one rule"),
        ("all(a) b", 7..8, "commas"),
        ("all(a & b)", 6..7, "\"&\""),
        ("all(ä)", 4..6, "\"ä\""),
        ("all(3)", 4..5, "number"),
        ("all(a))", 6..7, "too much"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.span, at, "{text}: {error}");
        assert!(error.message.contains(word), "{text}: {error}");
    }
    let deep = "not(".repeat(20) + "a" + &")".repeat(20);
    assert!(parse(&deep).unwrap_err().message.contains("16 deep"));
    let wide = alloc::format!("all({})", ["a"; 257].join(","));
    assert!(parse(&wide).unwrap_err().message.contains("256 checks"));
    assert!(parse(&" ".repeat(9000)).unwrap_err().message.contains("8192"));
}

fn any_rule() -> impl Strategy<Value = String> {
    "[a-f]".prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|rules| alloc::format!("all({})", rules.join(", "))),
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|rules| alloc::format!("any({})", rules.join(","))),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|rules| alloc::format!("at-least(2, {})", rules.join("*1, "))),
            inner.prop_map(|rule| alloc::format!("not( {rule} )")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_rule_or_an_error_in_the_text(text in "[a-c0-9(),* ä]{0,40}|\\PC{0,40}") {
        match parse(&text) {
            Ok(rule) => rule.for_each(&mut |name| {
                assert_eq!(text.get(name.span.clone()), Some(name.text.as_str()));
            }),
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error.span);
            }
        }
    }

    /// More that works never makes a rule without `not` worse.
    #[test]
    fn good_news_is_good(text in any_rule().prop_filter("monotone", |text| !text.contains("not")),
                         bits in proptest::collection::vec(0_usize..4, 6), better in 0_usize..6) {
        let worst_first = [Fail, Unknown, Warn, Pass];
        let rank = |outcome| worst_first.iter().position(|known| *known == outcome);
        let rule = parse(&text).unwrap();
        let look = |values: &[usize], name: &Name| {
            let at = usize::from(name.text.as_bytes()[0] - b'a');
            Some(worst_first[values[at]])
        };
        let before = rule.judge(&mut |name| look(&bits, name)).unwrap().0;
        let mut raised: Vec<usize> = bits.clone();
        raised[better] = 3;
        let after = rule.judge(&mut |name| look(&raised, name)).unwrap().0;
        prop_assert!(rank(after) >= rank(before), "{text} {before} {after}");
    }

    /// With nothing unknown the verdict is known, and the decider is a check of the rule.
    #[test]
    fn knowledge_stays_knowledge(text in any_rule(), bits in proptest::collection::vec(0_usize..3, 6)) {
        let outcomes = [Fail, Warn, Pass];
        let rule = parse(&text).unwrap();
        let (outcome, decider) = rule
            .judge(&mut |name| Some(outcomes[bits[usize::from(name.text.as_bytes()[0] - b'a')]]))
            .unwrap();
        prop_assert_ne!(outcome, Unknown);
        let mut found = false;
        rule.for_each(&mut |name| found |= name.span == decider.span);
        prop_assert!(found);
    }
}
