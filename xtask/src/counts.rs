//! The sum over every `test result:` line that the test runner printed.

use std::fmt;

/// What the test runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Adds a line of the test runner's output, if it is a summary.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        if words.windows(2).any(|pair| matches!(pair, [n, "filtered"] if *n != "0")) {
            // A test that ran itself again elsewhere: its parent is counted.
            return;
        }
        for pair in words.windows(2) {
            let [number, label] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match label.trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Counts tests that passed only because they skipped themselves.
    pub(crate) fn move_to_skipped(&mut self, tests: u64) {
        let moved = tests.min(self.passed);
        self.passed -= moved;
        self.skipped += moved;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_summaries_and_nothing_else() {
        let mut counts = Counts::default();
        counts.add_line("running 3 tests");
        counts.add_line("test 1 passed ... ok");
        counts.add_line(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.00s",
        );
        counts
            .add_line("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out");
        counts.add_line("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured;");
        assert_eq!(counts, Counts { passed: 4, failed: 2, skipped: 1 });
        counts.move_to_skipped(3);
        assert_eq!(counts.to_string(), "1 passed, 2 failed, 4 skipped");
    }
}
