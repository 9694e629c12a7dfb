use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ha2bgp_core::check::Outcome;
use proptest::prelude::*;

use super::range::Bounds;
use super::*;

fn parse(code: i32, text: &str) -> PluginOutput {
    PluginOutput::parse(ExitStatus::Code(code), text.as_bytes())
}

/// The items of a line that has no bad ones.
fn perf(text: &str) -> Vec<Perf> {
    let output = parse(0, &format!("x|{text}"));
    assert_eq!(output.skipped, 0, "{output:?}");
    output.perfdata
}

fn base(text: &str) -> (f64, BaseUnit) {
    perf(text)[0].base().unwrap()
}

#[test]
fn the_exit_code_decides() {
    for (code, outcome) in
        [(0, Outcome::Pass), (1, Outcome::Warn), (2, Outcome::Fail), (3, Outcome::Unknown)]
    {
        let output = parse(code, "CRITICAL - all is lost\n");
        assert_eq!(output.result, ProbeResult::new(outcome, "CRITICAL - all is lost"));
    }
    let detail = |status| String::from(&*PluginOutput::parse(status, b"").result.detail);
    assert_eq!(detail(ExitStatus::Code(0)), "(no output)");
    assert_eq!(detail(ExitStatus::Code(4)), "exit code 4, plugins may use 0 to 3: (no output)");
    assert_eq!(
        detail(ExitStatus::Code(127)),
        "exit code 127: a command was not found, check its path: (no output)"
    );
    assert_eq!(detail(ExitStatus::Signal(9)), "ended by signal 9 (SIGKILL): (no output)");
    assert_eq!(parse(-1, "").result.outcome, Outcome::Unknown);
}

#[test]
fn text_and_numbers_are_told_apart() {
    let output = parse(
        1,
        "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\r\n\
         / 15272 MB (77%);\n\n/boot 68 MB (69%); | /boot=68MB;88;93;0;98\n\
         /home=69357MB;253404;253409;0;253414 \n",
    );
    assert_eq!(&*output.result.detail, "DISK OK - free space: / 3326 MB (56%);");
    assert_eq!(output.long, ["/ 15272 MB (77%);", "/boot 68 MB (69%);"]);
    let labels: Vec<_> = output.perfdata.iter().map(|perf| perf.label.as_str()).collect();
    assert_eq!(labels, ["/", "/boot", "/home"]);
    assert_eq!(output.skipped, 0);
}

#[test]
fn real_plugins() {
    let http = perf("time=0.012345s;1.000000;2.000000;0.000000;10.000000 size=612B;;;0");
    assert_eq!(http[0].unit, Unit::Seconds);
    assert_eq!(http[0].warn.as_ref().unwrap().alerts(1.5), Some(true));
    assert_eq!(http[0].max.as_ref().unwrap().text, "10.000000");
    assert_eq!(http[1].base(), Some((612.0, BaseUnit::Bytes)));
    assert_eq!(http[1].max, None);
    let ping = perf("rta=0.055000ms;100.000000;500.000000;0.000000 pl=0%;20;60;0");
    assert_eq!(ping[0].base(), Some((0.055 / 1e3, BaseUnit::Seconds)));
    assert_eq!(ping[1].base(), Some((0.0, BaseUnit::Ratio)));
    let ntp = perf("offset=-0.000012s;60.000000;120.000000;");
    assert_eq!(ntp[0].value.as_ref().unwrap().text, "-0.000012");
}

#[test]
fn labels_may_be_quoted() {
    let items = perf("'a b'=1 'it''s'=2;;;; 'C:\\ %'=3% plain'=4 '='=5");
    let labels: Vec<_> = items.iter().map(|perf| perf.label.as_str()).collect();
    assert_eq!(labels, ["a b", "it's", "C:\\ %", "plain'", "="]);
}

#[test]
fn units_become_base_units() {
    assert_eq!(base("a=250us"), (0.000_25, BaseUnit::Seconds));
    assert_eq!(base("a=1500ms"), (1.5, BaseUnit::Seconds));
    assert_eq!(base("a=3KB"), (3072.0, BaseUnit::Bytes));
    assert_eq!(base("a=1TiB"), (1_099_511_627_776.0, BaseUnit::Bytes));
    assert_eq!(base("a=50%"), (0.5, BaseUnit::Ratio));
    assert_eq!(base("a=7c"), (7.0, BaseUnit::Counter));
    assert_eq!(base("a=7"), (7.0, BaseUnit::Number));
    assert_eq!(base("a=-1.5e3W"), (-1500.0, BaseUnit::Number));
    assert_eq!(perf("a=21°C")[0].unit, Unit::Other("°C".into()));
    assert_eq!(perf("a=U")[0].base(), None);
    assert_eq!(perf("a=1e308TB")[0].base(), None);
}

#[test]
fn what_cannot_be_read_is_counted() {
    let output = parse(0, "ok | word a= b=x c=0,5s =1 d=1.2.3 e=1e999 f=1 'open=2 g=3");
    let labels: Vec<_> = output.perfdata.iter().map(|perf| perf.label.as_str()).collect();
    assert_eq!(labels, ["f"]);
    assert_eq!(output.skipped, 8);
    let many: String = (0..100).map(|n| format!(" n{n}={n}")).collect();
    let output = parse(0, &format!("ok|{many}"));
    assert_eq!((output.perfdata.len(), output.skipped), (MAX_PERFDATA, 36));
}

#[test]
fn ranges() {
    let bounds = |text: &str| Range::read(text).unwrap().bounds;
    let is = |start, end, inside| Some(Bounds { start, end, inside });
    assert_eq!(bounds("10"), is(Some(0.0), Some(10.0), false));
    assert_eq!(bounds("10:"), is(Some(10.0), None, false));
    assert_eq!(bounds("~:10"), is(None, Some(10.0), false));
    assert_eq!(bounds("~:"), is(None, None, false));
    assert_eq!(bounds("@10:20"), is(Some(10.0), Some(20.0), true));
    assert_eq!(bounds("-5:-1.5"), is(Some(-5.0), Some(-1.5), false));
    assert_eq!(bounds("10%"), is(Some(0.0), Some(10.0), false));
    assert_eq!(bounds(":"), is(Some(0.0), None, false));
    for bad in ["20:10", "-5", "x", "@", "1:2:3", "~", "1;"] {
        assert_eq!(bounds(bad), None, "{bad}");
    }
    let alerts = |text: &str, value| Range::read(text).unwrap().alerts(value);
    // The table of the guidelines.
    assert_eq!(alerts("10", -1.0), Some(true));
    assert_eq!(alerts("10", 10.0), Some(false));
    assert_eq!(alerts("10:", 9.0), Some(true));
    assert_eq!(alerts("~:10", 11.0), Some(true));
    assert_eq!(alerts("10:20", 15.0), Some(false));
    assert_eq!(alerts("@10:20", 10.0), Some(true));
    assert_eq!(alerts("@10:20", 9.0), Some(false));
    assert_eq!(alerts("x", 9.0), None);
}

#[test]
fn output_is_limited() {
    let huge = "é|=x'\n".repeat(200_000);
    fuzz_plugin_output(huge.as_bytes());
    let long = "line\n".repeat(1000);
    assert_eq!(parse(0, &long).long.len(), MAX_LONG_LINES);
    let wide = format!("a\n{}", "é".repeat(MAX_LONG_LINE));
    assert_eq!(parse(0, &wide).long[0].len(), MAX_LONG_LINE);
}

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_plugin_output(&octets);
    }

    #[test]
    fn nearly_right_lines(text in "[|'=;:@~ \n0-9.eU%a-cB-]{0,80}") {
        fuzz_plugin_output(format!("\0{text}").as_bytes());
    }

    #[test]
    fn what_is_written_is_read(label in "[^\\p{C}]{0,20}x", value: i32, warn: u16, crit: u16) {
        let quoted = label.replace('\'', "''");
        // A bar is the one thing that a label of the first line can hold in no way.
        prop_assume!(!label.contains('|'));
        let items = perf(&format!("'{quoted}'={value}ms;{warn};@~:{crit};0 b=1"));
        prop_assert_eq!(items.len(), 2);
        prop_assert_eq!(&items[0].label, &label);
        prop_assert_eq!(items[0].value.as_ref().unwrap().value, f64::from(value));
        prop_assert_eq!(items[0].crit.as_ref().unwrap().bounds.unwrap().end, Some(f64::from(crit)));
    }
}

#[test]
fn a_result_has_what_is_known_in_base_units() {
    let output = parse(
        1,
        "WARNING - slow | time=250ms;100 'in use'=50% hits=7c size=2KB none=U\nmore\nand more",
    );
    let result = output.into_result();
    assert_eq!((result.outcome, &*result.detail), (Outcome::Warn, "WARNING - slow"));
    let more = result.more.unwrap();
    assert_eq!(&*more.long, "more\nand more");
    let metrics: Vec<String> = more
        .metrics
        .iter()
        .map(|one| format!("{}={} {:?}", one.label, one.value, one.unit))
        .collect();
    assert_eq!(
        metrics,
        ["time=0.25 Seconds", "in use=0.5 Ratio", "hits=7 Counter", "size=2048 Bytes"]
    );
    assert_eq!(parse(0, "OK").into_result(), ProbeResult::new(Outcome::Pass, "OK"));
    let long = "x".repeat(1000) + "\n";
    let result = parse(0, &(String::from("OK\n") + &long.repeat(20))).into_result();
    assert_eq!(result.more.unwrap().long.len(), 4 * 1001 - 1);
}
