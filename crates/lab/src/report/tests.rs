use super::*;

fn results() -> Results {
    let row = |who, name: &str, samples: &[u64]| Row::new(who, name, samples).unwrap();
    let rows = vec![
        row(Who::Floor, "a prepared write", &[900, 1000, 1100]),
        row(Who::Ours, "ha2bgp", &[2000, 1500, 2500]),
        row(Who::Peer, "somebody", &[3_000_000_000]),
    ];
    let case =
        Case { what: "death → route gone".to_owned(), headline: true, unit: Unit::Time, rows };
    let mut results = Results { machine: "2 × a machine".to_owned(), cases: Vec::new() };
    let detail = Case { what: "a detail".to_owned(), headline: false, ..case.clone() };
    results.put("latency", case);
    results.put("latency", detail);
    results
}

#[test]
fn results_are_read_as_they_are_written() {
    let results = results();
    assert_eq!(Results::parse(&results.text()).unwrap(), results);
    assert!(Results::parse("latency\tdeath\ttime\n").is_err());
}

#[test]
fn a_case_takes_the_place_of_the_same_one() {
    let mut results = results();
    let (_, case) = results.cases[0].clone();
    let newer = Case { rows: case.rows[..1].to_vec(), ..case };
    results.put("latency", newer.clone());
    results.put("other", newer);
    assert_eq!(results.cases.len(), 3);
    assert_eq!(results.cases[0].1.rows.len(), 1);
}

#[test]
fn a_table_has_medians_ranges_and_ratios() {
    let table = results().cases[0].1.table();
    let want = "\
death → route gone
                                  p50        min        p99        max      n  ÷ ours
  a prepared write            1.00 µs     900 ns    1.10 µs    1.10 µs      3  0.50 ×
  ha2bgp                      2.00 µs    1.50 µs    2.50 µs    2.50 µs      3
  somebody                     3.00 s     3.00 s     3.00 s     3.00 s      1  1500000 ×
";
    assert_eq!(table, want);
}

#[test]
fn the_section_stands_between_its_markers() {
    let text = "# A\n<!-- numbers: made by `cargo xtask bench readme` -->\nold\n\
                <!-- numbers: end -->\nrest\n";
    let want = "# A\n<!-- numbers: made by `cargo xtask bench readme` -->\n\
        | median (range) | ha2bgp | others in the same run |\n|---|---|---|\n\
        | death → route gone | 2.00 µs (1.50 µs to 2.50 µs) | \
        floor: a prepared write 1.00 µs (0.50 ×); somebody 3.00 s (1500000 ×) |\n\
        \nOn 2 × a machine; × is how many times ours.\n<!-- numbers: end -->\nrest\n";
    let renewed = readme::renewed(text, &results()).unwrap();
    assert_eq!(renewed, want);
    assert_eq!(readme::renewed(&renewed, &results()).unwrap(), want);
    assert!(readme::renewed("# A\n", &results()).is_err());
    assert!(readme::renewed(text, &Results::default()).is_err());
}

#[test]
fn settings_of_ours_stand_beside_its_number() {
    let mut results = results();
    "ha2bgp, down-delay 0".clone_into(&mut results.cases[0].1.rows[1].name);
    let text = "<!-- numbers: made by `cargo xtask bench readme` -->\n<!-- numbers: end -->\n";
    let renewed = readme::renewed(text, &results).unwrap();
    assert!(renewed.contains("| 2.00 µs (1.50 µs to 2.50 µs): down-delay 0 |"), "{renewed}");
}

#[test]
fn numbers_have_three_digits() {
    for (unit, value, want) in [
        (Unit::Time, 0, "0 ns"),
        (Unit::Time, 999, "999 ns"),
        (Unit::Time, 18_540, "18.5 µs"),
        (Unit::Time, 191_400, "191 µs"),
        (Unit::Memory, 6_815_744, "6.50 MiB"),
        (Unit::Memory, 1023 << 10, "1023 KiB"),
        (Unit::Core, 512, "0.051 %"),
        (Unit::Core, 1_000_000, "100.000 %"),
    ] {
        assert_eq!(unit.show(value), want);
    }
}

#[test]
fn file_names_are_plain() {
    assert_eq!(slug("death → route gone (10 000 VIPs)"), "death-route-gone-10-000-vips");
}
