//! ExaBGP's configuration: its processes, and a little of its neighbors; the rest stays with ExaBGP.

use std::ops::Range;

use super::super::model::{Fate, Import, Said};
use super::super::words::Word;
use super::super::{Errors, Text};
use super::neighbors::Neighbor;
use super::{Argument, Process, add, is_healthcheck, say};

/// Sections in sections: so deep at most.
const DEPTH_MAX: usize = 16;

/// What a statement ends with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Semicolon,
    Open,
    Close,
}

/// A section that is open.
struct Open {
    /// Its name, if it is a process.
    process: Option<String>,
    /// What was said in it of a neighbor, or of those in a group.
    neighbor: Neighbor,
    head: Option<Word>,
}

/// Finds the processes that run healthcheck, and neighbors.
pub(super) fn read(
    text: &Text,
    processes: &mut Vec<Process>,
    import: &mut Import,
    errors: &mut Errors,
) {
    let mut open: Vec<Open> = Vec::new();
    let mut statement: Vec<Word> = Vec::new();
    let mut others = false;
    for token in tokens(text, errors) {
        let end = match token {
            Token::Word(word) => {
                statement.push(word);
                continue;
            }
            Token::End(end) => end,
        };
        let words = std::mem::take(&mut statement);
        let first = words.first().map_or("", |word| word.text.as_str());
        match end {
            End::Open => {
                let name = words.get(1).map(|word| word.text.clone());
                let process = name.filter(|_| first == "process");
                others |= process.is_none() && first != "neighbor" && open.is_empty();
                let neighbor = Neighbor::open(&words, open.last().map(|around| &around.neighbor));
                open.push(Open { process, neighbor, head: words.first().cloned() });
                if open.len() > DEPTH_MAX {
                    let place = text.place(words.last().map_or(0..0, |word| word.span.clone()));
                    return errors.add(&place, "sections are open too deep: close some by }");
                }
            }
            End::Close => {
                if let Some(Open { neighbor, head: Some(head), .. }) = open.pop() {
                    neighbor.close(text, &head, import);
                }
            }
            End::Semicolon => {
                let Some(inside) = open.last_mut() else { continue };
                match (&inside.process, first) {
                    (Some(name), "run") => {
                        run(text, name, &words, processes, &mut import.said, errors);
                    }
                    _ => inside.neighbor.statement(&words),
                }
            }
        }
    }
    if others {
        let why = "all else stays in ExaBGP's configuration";
        say(&mut import.said, &text.whole(), "", Fate::NotNeeded(why.to_owned()));
    }
}

/// The `run` line of a process.
fn run(
    text: &Text,
    name: &str,
    words: &[Word],
    processes: &mut Vec<Process>,
    said: &mut Vec<Said>,
    errors: &mut Errors,
) {
    let place = text.place(words.first().map_or(0..0, |word| word.span.clone()));
    let Some(begin) = words.iter().position(|word| is_healthcheck(&word.text)) else {
        let why = format!("process {name} is no healthcheck: it stays in ExaBGP's configuration");
        return say(said, &place, "run", Fate::NotNeeded(why));
    };
    for word in words.iter().take(begin).filter(|word| word.text.contains('=')) {
        let fix =
            "commands have no other environment than environment = [\"NAME=value\"] of a check";
        // The value may be a secret.
        let variable = word.text.split('=').next().unwrap_or_default();
        say(said, &text.place(word.span.clone()), variable, Fate::Lost(fix.to_owned()));
    }
    let argument =
        |word: &Word| Argument { text: word.text.clone(), place: text.place(word.span.clone()) };
    let arguments = words.iter().skip(begin + 1).map(argument).collect();
    add(processes, Process { name: name.to_owned(), place, arguments }, errors);
}

enum Token {
    Word(Word),
    End(End),
}

/// Words, and what ends statements. Quotes of either kind may hold the other.
fn tokens(text: &Text, errors: &mut Errors) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut characters = text.text().char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let span = at..at + c.len_utf8();
        let mut push = |c: Option<char>, span: Range<usize>| {
            let word = word.get_or_insert_with(|| Word { text: String::new(), span: span.clone() });
            word.text.extend(c);
            word.span.end = span.end;
        };
        match (c, quote) {
            ('\\', _) => match characters.next() {
                Some((_, '\n')) | None => {}
                Some((next, c)) => {
                    let c = match c {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        c => c,
                    };
                    push(Some(c), at..next + c.len_utf8());
                }
            },
            (c, Some((open, _))) if c == open => {
                push(None, span);
                quote = None;
                tokens.extend(word.take().map(Token::Word));
            }
            (c, Some(_)) => push(Some(c), span),
            ('"' | '\'', None) => {
                push(None, span);
                quote = Some((c, at));
            }
            ('#', None) => {
                tokens.extend(word.take().map(Token::Word));
                while characters.peek().is_some_and(|(_, c)| *c != '\n') {
                    characters.next();
                }
            }
            (';' | '{' | '}' | ',' | '[' | ']', None) => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(match c {
                    ';' => Token::End(End::Semicolon),
                    '{' => Token::End(End::Open),
                    '}' => Token::End(End::Close),
                    _ => Token::Word(Word { text: c.to_string(), span }),
                });
            }
            (c, None) if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            (c, None) => push(Some(c), span),
        }
    }
    if let Some((_, at)) = quote {
        errors.add(&text.place(at..at + 1), "this quote is never closed");
    }
    tokens.extend(word.map(Token::Word));
    tokens
}
