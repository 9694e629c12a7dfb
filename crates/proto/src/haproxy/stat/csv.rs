//! The header, and one line cut into the fields we want.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::super::scan::Finder;
use super::{COLUMNS_MAX, StatError, excerpt};

/// A column we read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Column {
    Pxname,
    Svname,
    Scur,
    Slim,
    Status,
    Weight,
    Act,
    Bck,
    Type,
    CheckStatus,
    LastChk,
    Addr,
    Mode,
    Uweight,
}

impl Column {
    pub(super) const COUNT: usize = 14;

    const ALL: [Self; Self::COUNT] = [
        Self::Pxname,
        Self::Svname,
        Self::Scur,
        Self::Slim,
        Self::Status,
        Self::Weight,
        Self::Act,
        Self::Bck,
        Self::Type,
        Self::CheckStatus,
        Self::LastChk,
        Self::Addr,
        Self::Mode,
        Self::Uweight,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Pxname => "pxname",
            Self::Svname => "svname",
            Self::Scur => "scur",
            Self::Slim => "slim",
            Self::Status => "status",
            Self::Weight => "weight",
            Self::Act => "act",
            Self::Bck => "bck",
            Self::Type => "type",
            Self::CheckStatus => "check_status",
            Self::LastChk => "last_chk",
            Self::Addr => "addr",
            Self::Mode => "mode",
            Self::Uweight => "uweight",
        }
    }

    const fn is_required(self) -> bool {
        matches!(self, Self::Pxname | Self::Svname | Self::Status | Self::Type)
    }

    /// Its place among the wanted ones; the order of declaration.
    const fn index(self) -> usize {
        self as usize
    }
}

/// The wanted columns in the order in which they stand.
#[derive(Debug)]
pub(super) struct Columns {
    /// How many fields to pass over first, then which column follows.
    steps: Vec<(usize, Column)>,
}

impl Columns {
    /// Reads the header line: `# pxname,svname,…`. A name that comes twice counts where it is
    /// first.
    pub(super) fn parse(line: &[u8]) -> Result<Self, StatError> {
        let Some(names) = line.strip_prefix(b"#") else {
            return Err(StatError::NoHeader { line: excerpt(line) });
        };
        let mut steps: Vec<(usize, Column)> = Vec::new();
        let mut gap = 0;
        for (place, name) in names.split(|octet| *octet == b',').enumerate() {
            if place >= COLUMNS_MAX {
                return Err(StatError::TooMuch { max: COLUMNS_MAX, unit: "columns" });
            }
            let name = name.trim_ascii();
            let known = Column::ALL.iter().find(|it| it.name().as_bytes() == name);
            match known {
                Some(column) if !steps.iter().any(|(_, it)| it == column) => {
                    steps.push((gap, *column));
                    gap = 0;
                }
                _ => gap += 1,
            }
        }
        let missing = Column::ALL
            .iter()
            .find(|it| it.is_required() && !steps.iter().any(|(_, column)| column == *it));
        match missing {
            Some(column) => Err(StatError::NoColumn { name: column.name() }),
            None => Ok(Self { steps }),
        }
    }
}

/// Where the wanted fields of one line are; made once, used for every line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    found: [Range<usize>; Column::COUNT],
    /// The line without its quotes, when it had some.
    plain: Vec<u8>,
    quoted: bool,
}

impl Fields {
    /// Cuts a line, which has quotes or has none. What it does not have stays empty.
    pub(super) fn split(&mut self, line: &[u8], quoted: bool, columns: &Columns) {
        self.found.fill(0..0);
        self.quoted = quoted;
        if self.quoted {
            self.split_quoted(line, columns);
            return;
        }
        let mut commas = Finder::new(line, b',');
        let mut start = 0;
        for (gap, column) in &columns.steps {
            if *gap > 0 {
                let Some(comma) = commas.pass(*gap) else { return };
                start = comma + 1;
            }
            let comma = commas.pass(1);
            if let Some(found) = self.found.get_mut(column.index()) {
                *found = start..comma.unwrap_or(line.len());
            }
            let Some(comma) = comma else { return };
            start = comma + 1;
        }
    }

    /// The same with quotes: octets go to `plain` as they are meant. A quote inside of a field
    /// that did not start with one stands for itself, which no RFC forbids and some programs do.
    fn split_quoted(&mut self, line: &[u8], columns: &Columns) {
        self.plain.clear();
        let mut rest = line.iter().copied().peekable();
        let mut steps = columns.steps.iter();
        let mut step = steps.next();
        let mut gap = 0;
        loop {
            let start = self.plain.len();
            let mut inside = rest.next_if_eq(&b'"').is_some();
            let mut more = false;
            while let Some(octet) = rest.next() {
                match octet {
                    b'"' if inside && rest.next_if_eq(&b'"').is_none() => inside = false,
                    b',' if !inside => {
                        more = true;
                        break;
                    }
                    _ => self.plain.push(octet),
                }
            }
            let Some((wanted, column)) = step else { return };
            if gap == *wanted {
                if let Some(found) = self.found.get_mut(column.index()) {
                    *found = start..self.plain.len();
                }
                step = steps.next();
                gap = 0;
            } else {
                gap += 1;
            }
            if !more {
                return;
            }
        }
    }

    /// The octets of a column, of the line that was cut last.
    pub(super) fn get<'a>(&'a self, line: &'a [u8], column: Column) -> &'a [u8] {
        let text = if self.quoted { &self.plain } else { line };
        let range = self.found.get(column.index()).cloned().unwrap_or_default();
        text.get(range).unwrap_or_default()
    }

    /// The text of a column; what is not UTF-8 is replaced.
    pub(super) fn text<'a>(&'a self, line: &'a [u8], column: Column) -> Cow<'a, str> {
        String::from_utf8_lossy(self.get(line, column))
    }

    /// The number in a column; none when it is empty or no number that fits.
    pub(super) fn number(&self, line: &[u8], column: Column) -> Option<u32> {
        number(self.get(line, column))
    }
}

/// A plain decimal number.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |sum, octet| {
        let digit = octet.is_ascii_digit().then(|| u32::from(*octet - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
