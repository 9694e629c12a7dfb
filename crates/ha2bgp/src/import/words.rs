//! Lines of words with quotes, as shells have them (Python's `shlex`), each word with its place.

use std::ops::Range;

/// A word, and the octets it was made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unclosed {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// Splits one command line; line ends are spaces, and nothing is a comment.
pub(super) fn split(text: &str) -> Result<Vec<Word>, Unclosed> {
    Ok(read(text, false)?.into_iter().flatten().collect())
}

/// Splits a file of command lines: one a line, `\` at the end of a line goes on, `#` begins a comment.
pub(super) fn lines(text: &str) -> Result<Vec<Vec<Word>>, Unclosed> {
    read(text, true)
}

fn read(text: &str, by_line: bool) -> Result<Vec<Vec<Word>>, Unclosed> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut word: Option<Word> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = at + c.len_utf8();
        let begins = word.is_none();
        let mut push = |c: Option<char>, end: usize| {
            let word = word.get_or_insert_with(|| Word { text: String::new(), span: at..end });
            word.text.extend(c);
            word.span.end = end;
        };
        match c {
            '\\' => match characters.next() {
                None => return Err(Unclosed { at, what: "\\ escapes nothing here" }),
                Some((_, '\n')) if by_line => {}
                Some((escaped, c)) => push(Some(c), escaped + c.len_utf8()),
            },
            '\'' | '"' => {
                push(None, next);
                loop {
                    let Some((inner, it)) = characters.next() else {
                        let what = "this quote is never closed";
                        return Err(Unclosed { at, what });
                    };
                    let end = inner + it.len_utf8();
                    let escapes = c == '"' && it == '\\';
                    match characters.peek() {
                        Some(&(escaped, special @ ('"' | '\\'))) if escapes => {
                            characters.next();
                            push(Some(special), escaped + 1);
                        }
                        _ if it == c => {
                            push(None, end);
                            break;
                        }
                        _ => push(Some(it), end),
                    }
                }
            }
            '\n' if by_line => {
                line.extend(word.take());
                lines.extend((!line.is_empty()).then(|| std::mem::take(&mut line)));
            }
            '#' if by_line && begins => {
                while characters.peek().is_some_and(|(_, c)| *c != '\n') {
                    characters.next();
                }
            }
            c if c.is_whitespace() => line.extend(word.take()),
            c => push(Some(c), next),
        }
    }
    line.extend(word);
    lines.extend((!line.is_empty()).then_some(line));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_split_as_shells_do() {
        assert_eq!(texts("a  b\tc\nd"), ["a", "b", "c", "d"]);
        assert_eq!(texts(r#"a"b c"d 'e "f"' "" \ g"#), ["ab cd", "e \"f\"", "", " g"]);
        assert_eq!(texts(r#""a\"b\\c\d" 'x\y'"#), ["a\"b\\c\\d", "x\\y"]);
        assert_eq!(texts("# no comment"), ["#", "no", "comment"]);
        let quote = "this quote is never closed";
        assert_eq!(split("a 'b"), Err(Unclosed { at: 2, what: quote }));
        assert_eq!(split("a\\").map_err(|error| error.at), Err(1));
    }

    #[test]
    fn words_have_places() {
        let text = "é 'a b' c\\d";
        let found: Vec<&str> = split(text).unwrap().iter().map(|w| &text[w.span.clone()]).collect();
        assert_eq!(found, ["é", "'a b'", "c\\d"]);
    }

    #[test]
    fn files_have_lines() {
        let text = "# a\n--ip 1 \\\n  --x 'a\nb' # more\n\n b#c\n";
        let found: Vec<Vec<String>> = lines(text)
            .unwrap()
            .into_iter()
            .map(|line| line.into_iter().map(|word| word.text).collect())
            .collect();
        assert_eq!(found, [vec!["--ip", "1", "--x", "a\nb"], vec!["b#c"]]);
    }
}
