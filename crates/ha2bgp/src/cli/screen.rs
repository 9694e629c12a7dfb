//! What people look at: how wide it may be, in which colours, and what may be in it.
//!
//! Everything that commands show of the daemon's answers goes through here. What comes from outside
//! is shown through [`clean`]: a terminal obeys nothing of it.

#[cfg(test)]
mod golden;
mod table;
mod times;

use std::io::{self, IsTerminal as _};

use clap::{Arg, ArgAction, ArgMatches};
use rustix::termios::tcgetwinsize;

#[cfg(test)]
pub(super) use self::golden::{assert_screen, assert_screens};
pub(super) use self::table::{Cell, Column, Table};
pub(super) use self::times::{brief, clock, time};

/// As it should be.
pub(super) const GOOD: &str = "32";
/// Not as it should be.
pub(super) const BAD: &str = "31";
/// Somebody should look at it.
pub(super) const WARNING: &str = "33";
/// Of less weight.
pub(super) const QUIET: &str = "2";
/// Of more weight.
pub(super) const STRONG: &str = "1";
/// As the rest.
pub(super) const PLAIN: &str = "";

/// How a screen looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Screen {
    /// Lines are cut to so many columns; `None`: whatever is in them is for other programs too.
    pub(super) width: Option<usize>,
    /// Colours by meaning.
    pub(super) color: bool,
}

/// The argument of every command that shows colours.
pub(super) fn no_color_arg() -> Arg {
    let help = "No colours; NO_COLOR in the environment does the same";
    Arg::new("no-color").long("no-color").action(ArgAction::SetTrue).help(help)
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

    /// The same for a command that takes [`no_color_arg`].
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let screen = Self::of_stdout();
        Self { color: screen.color && !matches.get_flag("no-color"), ..screen }
    }

    /// A line that fits. What does not is cut, with a sign that it is.
    pub(super) fn fit(self, line: &str) -> String {
        self.width.map_or_else(|| line.to_owned(), |width| cut(line, width))
    }

    /// A text in a colour (of ECMA-48: `31` is red).
    pub(super) fn paint(self, color: &str, text: &str) -> String {
        if self.color && !color.is_empty() {
            format!("\x1b[{color}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A text as one or more lines that fit, broken between words; all but the first are indented by
    /// so many columns. Words that are longer than a line stay whole.
    pub(super) fn wrap(self, text: &str, indent: usize) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut column = 0;
        let mut words = text.split(' ').peekable();
        while let Some(word) = words.next() {
            // A number and its unit stay together.
            let unit = words.next_if(|next| is_unit(next));
            let length = width_of(word) + unit.map_or(0, |unit| 1 + width_of(unit));
            if column > indent && column + 1 + length > width {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            if let Some(unit) = unit {
                out.push(' ');
                out.push_str(unit);
            }
            column += length;
        }
        out
    }
}

/// Whether a word is the unit of the number before it.
fn is_unit(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';', ':', ')']);
    matches!(word, "ms" | "s" | "m" | "h" | "d")
}

/// How many columns a text takes: colours take none.
fn width_of(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let plain = parts.next().map_or(0, |first| first.chars().count());
    let rest = |part: &str| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count());
    plain + parts.map(rest).sum::<usize>()
}

/// A text of at most so many columns, with a sign where something is cut away.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut fits: String = text.chars().take(width.saturating_sub(1)).collect();
    fits.truncate(fits.trim_end().len());
    fits.push('…');
    fits
}

/// A text without control characters, which a terminal would obey, and without those that change the
/// direction of a line or cannot be seen.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
        if c.is_control() || hidden { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// One thing or several: `1 service`, `2 services`.
pub(super) fn count(number: usize, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {one}{s}")
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
        assert_eq!(screen.fit("twenty-two characters!"), "twenty-two characte…");
        assert_eq!(screen.fit("ends at a blank 18 xyz"), "ends at a blank 18…");
        assert_eq!(screen.paint("31", "x"), "x");
        assert_eq!(Screen { color: true, ..screen }.paint("31", "x"), "\x1b[31mx\x1b[0m");
        let text = "one two three four five a-word-of-more-than-20 six";
        let lines = "one two three four\n  five\n  a-word-of-more-than-20\n  six";
        assert_eq!(screen.wrap(text, 2), lines);
        assert_eq!(Screen { width: None, ..screen }.wrap(text, 2), text);
        assert_eq!(
            screen.wrap("it takes as long as 60.0 s; or 3 m", 2),
            "it takes as long as\n  60.0 s; or 3 m"
        );
        let colored = text.replace("one", "\x1b[31mone\x1b[0m");
        assert_eq!(screen.wrap(&colored, 2), lines.replace("one", "\x1b[31mone\x1b[0m"));
    }

    #[test]
    fn a_terminal_obeys_nothing_from_outside() {
        assert_eq!(clean("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(clean("\u{9b}31m \u{202e}evil \u{feff}"), "\\u{9b}31m \\u{202e}evil \\u{feff}");
        assert_eq!(clean("Größe 5 ✓"), "Größe 5 ✓");
    }
}
