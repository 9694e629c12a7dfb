use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn facts(content: &[u8], age: Duration) -> Option<FileFacts<'_>> {
    let size = u64::try_from(content.len()).unwrap();
    Some(FileFacts { size, age, content, truncated: false })
}

fn judge(rule: &FileRule, facts: Option<FileFacts<'_>>) -> String {
    let result = rule.judge(facts);
    format!("{} {}", result.outcome, result.detail)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn maintenance_files() {
    let rule = FileRule::Absent;
    assert_eq!(judge(&rule, None), "pass the file is not there");
    assert_eq!(judge(&rule, facts(b"", SECOND)), "fail the file is there, expected none");
    assert_eq!(
        judge(&rule, facts(b" upgrade, bob\nmore", SECOND)),
        "fail the file is there, expected none; it says \"upgrade, bob\""
    );
    assert!(!rule.needs_content());
}

#[test]
fn heartbeat_files() {
    let rule = FileRule::Exists(FileLimits {
        contains: "ready".parse().ok(),
        max_age: Some(Duration::from_secs(60)),
        min_size: Some(3),
    });
    assert!(rule.needs_content());
    assert_eq!(rule.max_age(), Some(Duration::from_secs(60)));
    assert_eq!(judge(&rule, None), "fail the file is not there, expected one");
    assert_eq!(judge(&rule, facts(b"ready", 60 * SECOND)), "pass the file is there, 5 octets");
    assert_eq!(
        judge(&rule, facts(b"re", SECOND)),
        "fail the file has 2 octets, expected at least 3"
    );
    let old = Duration::from_millis(61_250);
    assert_eq!(
        judge(&rule, facts(b"ready", old)),
        "fail the file was written 61s ago, expected at most 60s"
    );
    let just = Duration::from_millis(60_250);
    assert!(judge(&rule, facts(b"ready", just)).contains("60.25s ago"));
    assert_eq!(
        judge(&rule, facts(b"not yet\n", SECOND)),
        "fail the file does not contain \"ready\"; it begins \"not yet\\n\""
    );
    let cut = facts(b"abc", SECOND).map(|facts| FileFacts { truncated: true, ..facts });
    assert!(judge(&rule, cut).contains("in its first 3 octets"));
    let any = FileRule::Exists(FileLimits::default());
    assert_eq!(judge(&any, facts(b"", 9000 * SECOND)), "pass the file is there, 0 octets");
    let empty = FileLimits { contains: "/x/".parse().ok(), ..FileLimits::default() };
    assert_eq!(
        judge(&FileRule::Exists(empty), facts(b"", SECOND)),
        "fail the file does not match /x/; it is empty"
    );
}

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_file_rule(&octets);
    }

    #[test]
    fn nearly_right_input(pattern in "[ab]{1,2}|/[ab.]{1,3}/", numbers: u8, content in "[ab]{0,12}") {
        let mut input = format!("{pattern}\n").into_bytes();
        input.push(numbers);
        input.extend_from_slice(content.as_bytes());
        fuzz_file_rule(&input);
    }
}
