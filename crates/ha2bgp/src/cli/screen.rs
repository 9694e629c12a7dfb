//! What people look at: how wide it may be, and in which colours.

use std::io::{self, IsTerminal as _};

use rustix::termios::tcgetwinsize;

/// How a screen looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Screen {
    /// Lines are cut to so many columns; `None`: whatever is in them is for other programs too.
    pub(super) width: Option<usize>,
    /// Colours by meaning.
    pub(super) color: bool,
}

impl Screen {
    /// The one of this process: `COLUMNS`, else the terminal, else without a limit. No colours where
    /// there is no terminal, or `NO_COLOR` is set.
    pub(super) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let asked = || {
            let size = tcgetwinsize(io::stdout()).ok().filter(|_| is_terminal)?;
            Some(usize::from(size.ws_col))
        };
        let width = given.or_else(asked).filter(|width| *width >= 20);
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { width, color: is_terminal && !no_color }
    }

    /// A line that fits. What does not is cut, with a sign that it is.
    pub(super) fn fit(self, line: &str) -> String {
        let Some(width) = self.width else { return line.to_owned() };
        if line.chars().count() <= width {
            return line.to_owned();
        }
        let mut fits: String = line.chars().take(width.saturating_sub(1)).collect();
        fits.push('…');
        fits
    }

    /// A text in a colour (of ECMA-48: `31` is red).
    pub(super) fn paint(self, color: &str, text: &str) -> String {
        if self.color && !color.is_empty() {
            format!("\x1b[{color}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A text without control characters, which a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        let screen = Screen { width: Some(20), color: false };
        assert_eq!(screen.fit("short"), "short");
        assert_eq!(screen.fit(&"é".repeat(20)), "é".repeat(20));
        assert_eq!(screen.fit(&"é".repeat(21)), format!("{}…", "é".repeat(19)));
        assert_eq!(screen.paint("31", "x"), "x");
        assert_eq!(Screen { color: true, ..screen }.paint("31", "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(clean("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
    }
}
