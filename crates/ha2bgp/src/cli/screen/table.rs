//! Tables: columns as wide as what is in them, and where that is too wide for the screen, those that
//! may be cut are.

use super::{Screen, cut};

/// Between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Column {
    /// What stands above it.
    head: &'static str,
    /// Numbers stand at the right.
    right: bool,
    /// It may be cut down to so many characters.
    least: Option<usize>,
}

impl Column {
    /// A column that is never cut.
    pub(in super::super) const fn whole(head: &'static str) -> Self {
        Self { head, right: false, least: None }
    }

    /// One of numbers.
    pub(in super::super) const fn number(head: &'static str) -> Self {
        Self { head, right: true, least: None }
    }

    /// One that may be cut down to so many characters.
    pub(in super::super) const fn flexible(head: &'static str, least: usize) -> Self {
        Self { head, right: false, least: Some(least) }
    }
}

/// What stands in a column.
#[derive(Clone, Debug)]
pub(in super::super) struct Cell {
    text: String,
    color: &'static str,
}

impl Cell {
    /// A text in a colour; what is from outside must be clean already.
    pub(in super::super) fn new(color: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), color }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(in super::super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(in super::super) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(in super::super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// The table as lines, the heads first.
    pub(in super::super) fn show(&self, screen: Screen) -> String {
        let widths = self.widths(screen.width);
        let heads: Vec<Cell> =
            self.columns.iter().map(|it| Cell::new(super::STRONG, it.head)).collect();
        let mut text = self.line(&heads, &widths, screen);
        for row in &self.rows {
            text.push('\n');
            text.push_str(&self.line(row, &widths, screen));
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize], screen: Screen) -> String {
        let mut text = String::new();
        // Blanks come before the next text only: a line never ends with them.
        let mut blanks = 0;
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let shown = cut(&cell.text, *width);
            let room = width.saturating_sub(shown.chars().count());
            let before = if column.right { room } else { 0 };
            if !shown.is_empty() {
                text.extend(std::iter::repeat_n(' ', blanks + before));
                text.push_str(&screen.paint(cell.color, &shown));
                blanks = 0;
            } else {
                blanks += before;
            }
            blanks += room - before + GAP;
        }
        text
    }

    /// How wide each column is.
    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|it| it.head.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let Some(most) = width else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        // The widest one that may be cut gives first.
        while over > 0 {
            let flexible = widths.iter_mut().zip(&self.columns);
            let flexible = flexible.filter(|(width, it)| it.least.is_some_and(|it| **width > it));
            let Some((widest, _)) = flexible.max_by_key(|(width, _)| **width) else { break };
            *widest -= 1;
            over -= 1;
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::{BAD, PLAIN};

    fn table() -> Table {
        let columns =
            [Column::flexible("NAME", 4), Column::number("N"), Column::flexible("WHY", 5)];
        let mut table = Table::new(&columns);
        for (name, number, why) in
            [("a", "1", "all is well"), ("a-longer-name", "100", ""), ("bé", "", "a longer why")]
        {
            table.row(vec![Cell::new(PLAIN, name), Cell::new(BAD, number), Cell::new(PLAIN, why)]);
        }
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_or_as_there_is_room() {
        let plain = |width| table().show(Screen { width, color: false });
        let wide = "\
NAME             N  WHY
a                1  all is well
a-longer-name  100
bé                  a longer why";
        assert_eq!(plain(None), wide);
        assert_eq!(plain(Some(33)), wide);
        let narrow = "\
NAME        N  WHY
a           1  all is…
a-longe…  100
bé             a longe…";
        assert_eq!(plain(Some(23)), narrow);
        assert!(plain(Some(5)).contains("\na-l…  100\n"), "{}", plain(Some(5)));
    }

    #[test]
    fn colours_take_no_room() {
        let colored = table().show(Screen { width: None, color: true });
        assert!(colored.contains("a                \x1b[31m1\x1b[0m  all is well"), "{colored}");
    }
}
