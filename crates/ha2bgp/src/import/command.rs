//! Commands of other programs as commands of ours.
//!
//! They take 0 as good and everything else as bad; for us 1 is a warning, which counts as good, and
//! 3 tells nothing. So a shell runs them and makes 2 of whatever is not 0; then `fall` counts them all.

use ha2bgp_proto::template::MAX_TEMPLATE;

/// The most words of a command of ours.
const WORDS_MAX: usize = 256;
/// What a shell reads as more than one plain command, or may.
const SPECIAL: [char; 12] = [';', '&', '|', '<', '>', '(', ')', '#', '\n', '!', '\\', '`'];
/// Words that a shell obeys by itself, so that it may not come to what stands behind them.
const OWN: [&str; 18] = [
    ".", "break", "builtin", "command", "continue", "eval", "exec", "exit", "export", "if",
    "readonly", "return", "set", "shift", "source", "trap", "unset", "while",
];

/// A command that a shell read.
pub(super) fn of_shell(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the command is empty: write one".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    let first = text.split_whitespace().next().unwrap_or_default();
    let simple = first.chars().all(plain) && !OWN.contains(&first) && !text.contains(SPECIAL);
    if !simple {
        // A shell of its own, as it had there: `exit` ends that one alone, and `set -e` works in it.
        return of_words(&["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]);
    }
    finish(vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("{text} || exit 2")])
}

/// A command that was run as it is, word by word.
pub(super) fn of_words(words: &[String]) -> Result<Vec<String>, String> {
    if words.first().is_none_or(String::is_empty) {
        return Err("the command is empty: write one".to_owned());
    }
    let head = ["/bin/sh", "-c", "\"$@\" || exit 2", "sh"].map(str::to_owned);
    finish(head.into_iter().chain(words.iter().cloned()).collect())
}

fn finish(words: Vec<String>) -> Result<Vec<String>, String> {
    // Braces are of placeholders here.
    let words: Vec<String> =
        words.into_iter().map(|word| word.replace('{', "{{").replace('}', "}}")).collect();
    if words.len() > WORDS_MAX {
        return Err(format!("the command has more than {WORDS_MAX} words: put it into a script"));
    }
    if words.iter().any(|word| word.len() > MAX_TEMPLATE) {
        return Err(format!(
            "a word of the command has more than {MAX_TEMPLATE} octets: put it into a script"
        ));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exit code of a command that was made here.
    fn code(words: &[String]) -> Option<i32> {
        let words: Vec<String> =
            words.iter().map(|word| word.replace("{{", "{").replace("}}", "}")).collect();
        let status = std::process::Command::new(&words[0]).args(&words[1..]).status();
        status.unwrap().code()
    }

    #[test]
    fn whatever_is_not_0_becomes_2() {
        for (text, want) in [
            ("true", 0),
            ("false", 2),
            ("exit 0", 0),
            ("exit 1", 2),
            ("exit 3 # why", 2),
            ("exec false", 2),
            ("command exit 1", 2),
            ("A=1 exit 1", 2),
            ("set -e; false; true", 2),
            ("true; false", 2),
            ("false || true", 0),
            ("test -e / && echo {a,b} | grep -q a", 0),
            ("test -e '/no such' || { exit 7; }", 2),
            ("if true; then exit 1; fi", 2),
            ("! true", 2),
            ("kill -9 $(exec sh -c 'echo $PPID')", 2),
            ("/no/such/program 2>/dev/null", 2),
            ("'true'", 0),
            ("\"$(echo false)\"", 2),
        ] {
            assert_eq!(code(&of_shell(text).unwrap()), Some(want), "{text}");
        }
        for (words, want) in [
            (&["true"][..], 0),
            (&["false"], 2),
            (&["sh", "-c", "exit $1", "x", "1"], 2),
            (&["test", "a b {c} $HOME *", "=", "a b {c} $HOME *"], 0),
            (&["test", "", "=", ""], 0),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(code(&of_words(&words).unwrap()), Some(want), "{words:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(of_shell(&"x".repeat(MAX_TEMPLATE)).is_err());
        assert!(of_words(&vec!["x".to_owned(); WORDS_MAX]).is_err());
        assert!(of_words(&[]).is_err() && of_shell(" \n").is_err());
    }
}
