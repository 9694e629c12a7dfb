//! What numbers of a bench are, and how people read them.

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A time; a sample is nanoseconds.
    Time,
    /// Memory; a sample is octets.
    Memory,
    /// Processor time in a time; a sample is millionths of one core.
    Core,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Time, Self::Memory, Self::Core];

    /// As in the file of results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Core => "core",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == text)
    }

    /// What one is.
    pub(super) const fn base(self) -> &'static str {
        match self {
            Self::Time => "nanoseconds",
            Self::Memory => "octets",
            Self::Core => "millionths_of_a_core",
        }
    }

    /// A value with three digits, or four.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self {
            Self::Time => {
                scaled(value, &[(1, "ns"), (1000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")])
            }
            Self::Memory => {
                scaled(value, &[(1, "B"), (1024, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB")])
            }
            // A millionth is a ten-thousandth of a percent.
            Self::Core => format!("{} %", thousandths(value, 10_000)),
        }
    }
}

/// In the largest unit that leaves something before the point.
fn scaled(value: u64, units: &[(u64, &str)]) -> String {
    let fits = units.iter().rev().find(|(size, _)| value >= *size);
    let (size, name) = fits.or(units.first()).copied().unwrap_or((1, ""));
    if size == 1 || value / size >= 1000 {
        return format!("{} {name}", value / size);
    }
    format!("{} {name}", digits(value, size))
}

/// Three digits of a quotient, or all that stand before the point.
pub(super) fn digits(value: u64, by: u64) -> String {
    match value / by {
        0..=9 => hundredths(value, by),
        10..=99 => decimals(value, by, 1),
        _ => decimals(value, by, 0),
    }
}

/// A quotient with two digits behind the point.
fn hundredths(value: u64, by: u64) -> String {
    decimals(value, by, 2)
}

fn thousandths(value: u64, by: u64) -> String {
    decimals(value, by, 3)
}

fn decimals(value: u64, by: u64, count: u32) -> String {
    let scale = 10_u128.pow(count);
    let (value, by) = (u128::from(value), u128::from(by.max(1)));
    let scaled = (value * scale + by / 2) / by;
    if count == 0 {
        return scaled.to_string();
    }
    let width = usize::try_from(count).unwrap_or_default();
    format!("{}.{:0width$}", scaled / scale, scaled % scale)
}
