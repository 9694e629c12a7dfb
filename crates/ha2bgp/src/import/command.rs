//! Commands of other programs as commands of ours.
//!
//! They take 0 as good and everything else as bad; for us 1 is a warning, which counts as good, and
//! 3 tells nothing. So a shell runs them and makes 2 of whatever is not 0; then `fall` counts them all.

use ha2bgp_proto::template::MAX_TEMPLATE;

/// The most words of a command of ours.
const WORDS_MAX: usize = 256;
/// What a shell reads as more than one plain command, or may.
const SPECIAL: [char; 11] = [';', '&', '|', '<', '>', '(', ')', '#', '\n', '!', '\\'];

/// A command that a shell read.
pub(super) fn of_shell(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the command is empty: write one".to_owned());
    }
    // The line end ends a comment, too.
    let script = match text.contains(SPECIAL) {
        true => format!("(\n{text}\n) || exit 2"),
        false => format!("{text} || exit 2"),
    };
    finish(vec!["/bin/sh".to_owned(), "-c".to_owned(), script])
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
