//! Arguments as Python's `argparse` reads them: long options and their unique beginnings, with `=` or
//! the next word as their value; short ones, alone or together.

use super::super::Errors;
use super::super::model::{Fate, Said};
use super::options::{Id, OPTIONS, Opt, Takes};
use super::{Argument, say};
use crate::config::origin::Place;
use crate::near::nearest;

/// So many options of one healthcheck at most.
const COUNT_MAX: usize = 16_384;

/// An option as it was given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) opt: &'static Opt,
    /// Where the option stands.
    pub(super) place: Place,
    /// Empty without one.
    pub(super) value: String,
    /// Where the value stands.
    pub(super) value_place: Place,
}

/// All options as they were given; what is no option is an error.
pub(super) fn read(arguments: &[Argument], errors: &mut Errors) -> Vec<Given> {
    let mut given = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        if given.len() == COUNT_MAX {
            errors.add(&argument.place, format!("more than {COUNT_MAX} options: write fewer"));
            return given;
        }
        let mut text = argument.text.clone();
        // Short options without a value may stand together.
        loop {
            let (opt, value, more) = match find(&text) {
                Ok(found) => found,
                Err(error) => {
                    errors.add(&argument.place, error);
                    // Most likely its value.
                    if argument.text.starts_with('-') {
                        rest.next_if(|next| is_value(&next.text));
                    }
                    break;
                }
            };
            let place = argument.place.clone();
            let push = |value: Option<&Argument>, text: String| {
                let value_place = value.map_or(&argument.place, |value| &value.place).clone();
                given.push(Given { opt, place, value: text, value_place });
            };
            match (opt.takes, value) {
                (Takes::Nothing, Some(_)) => {
                    errors
                        .add(&argument.place, format!("{} takes no value: leave it out", opt.long));
                }
                (Takes::Nothing, None) => push(None, String::new()),
                (_, Some(value)) => push(None, value),
                (takes, None) => match rest.next_if(|next| is_value(&next.text)) {
                    Some(next) => push(Some(next), next.text.clone()),
                    None if takes == Takes::Maybe => push(None, String::new()),
                    None => errors.add(&argument.place, format!("{} needs a value", opt.long)),
                },
            }
            match more {
                Some(more) => text = more,
                None => break,
            }
        }
    }
    given
}

/// The option, its value if that stands in the same word, and further short options there.
type Found = (&'static Opt, Option<String>, Option<String>);

fn find(text: &str) -> Result<Found, String> {
    let exact = |name: &str| OPTIONS.iter().find(|opt| opt.names().any(|own| own == name));
    if let Some(opt) = exact(text) {
        return Ok((opt, None, None));
    }
    if !text.starts_with('-') || text == "-" || text == "--" {
        return Err(format!(
            "\"{text}\" is neither an option nor the value of one: is a quote missing?"
        ));
    }
    if !text.starts_with("--") {
        let mut letters = text.chars().skip(1);
        let short: String = ['-'].into_iter().chain(letters.next()).collect();
        let rest: String = letters.collect();
        if let Some(opt) = exact(&short) {
            let value = rest.strip_prefix('=').unwrap_or(&rest).to_owned();
            return Ok(match opt.takes {
                Takes::Nothing => (opt, None, Some(format!("-{rest}"))),
                Takes::One | Takes::Each | Takes::Maybe => (opt, Some(value), None),
            });
        }
    }
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let mut like: Vec<&'static Opt> = OPTIONS
        .iter()
        .filter(|opt| opt.names().any(|own| own.starts_with("--") && own.starts_with(name)))
        .collect();
    if let Some(opt) = exact(name) {
        like = vec![opt];
    }
    let names = || OPTIONS.iter().flat_map(Opt::names).filter(|name| name.starts_with("--"));
    match like.as_slice() {
        [opt] if name.len() > 2 => Ok((opt, value, None)),
        [_, _, ..] if name.len() > 2 => {
            let like: Vec<&str> = like.iter().map(|opt| opt.long).collect();
            Err(format!("\"{name}\" is the beginning of {}: write one of them", like.join(", ")))
        }
        _ => Err(match nearest(names(), name) {
            Some(nearest) => format!("there is no option {name}: did you mean {nearest}?"),
            None => format!("healthcheck has no option {name}: leave it out"),
        }),
    }
}

/// Whether a word can be the value of an option: not if it looks like one.
fn is_value(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return true };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let number = match rest.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !part.is_empty(),
        None => digits(rest),
    };
    number || (text.contains(' ') && find(text).is_err())
}

/// Of options that count once the last one is kept; the others are told.
pub(super) fn settle(given: Vec<Given>, said: &mut Vec<Said>) -> Vec<Given> {
    let mut later: Vec<Id> = Vec::new();
    let mut keeps: Vec<bool> = Vec::new();
    for it in given.iter().rev() {
        let keep = it.opt.takes == Takes::Each || !later.contains(&it.opt.name);
        if keep && it.opt.takes != Takes::Each {
            later.push(it.opt.name);
        }
        keeps.push(keep);
    }
    let mut kept = Vec::new();
    for (it, keep) in given.into_iter().zip(keeps.into_iter().rev()) {
        if keep {
            kept.push(it);
        } else {
            let why = "it is given again, and the last one counts".to_owned();
            say(said, &it.place, it.opt.long, Fate::NotNeeded(why));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::text;
    use super::*;

    fn parse(line: &str) -> String {
        let text = text(line);
        let arguments: Vec<Argument> = super::super::words::split(line)
            .unwrap()
            .into_iter()
            .map(|word| Argument { place: text.place(word.span), text: word.text })
            .collect();
        let mut errors = Errors::default();
        let given = read(&arguments, &mut errors);
        let mut shown: Vec<String> =
            given.iter().map(|it| format!("{}={}", it.opt.long, it.value)).collect();
        shown.extend(errors.0.iter().map(|error| error.message.clone()));
        shown.join(" ")
    }

    #[test]
    fn arguments_are_read_as_argparse_does() {
        for (line, want) in [
            ("--ip 192.0.2.1 --ip=192.0.2.2", "--ip=192.0.2.1 --ip=192.0.2.2"),
            ("-c 'a -b' --cmd x", "--command=a -b --command=x"),
            (
                "-n '-d x' -n '-z x'",
                "--debug= --name=-z x --name needs a value healthcheck has no option - x: leave it out",
            ),
            ("-cls -i5 -i=6", "--command=ls --interval=5 --interval=6"),
            ("-dsn web", "--debug= --silent= --name=web"),
            ("-sF local0 -s", "--syslog-facility=local0 --silent="),
            ("--syslog-facility --rise 2", "--syslog-facility= --rise=2"),
            ("--local-pref 5 --withdraw", "--local-preference=5 --withdraw-on-down="),
            ("--increase -1", "--increase=-1"),
            ("--ip-i a%b", "--ip-ifname=a%b"),
            ("--rise --fall 2", "--fall=2 --rise needs a value"),
            (
                "--dis x",
                "\"--dis\" is the beginning of --disable, --disabled-metric, \
              --disabled-community, --disabled-as-path, --disabled-execute: write one of them",
            ),
            ("--intervall 5", "there is no option --intervall: did you mean --interval?"),
            ("--debug=1", "--debug takes no value: leave it out"),
            ("-z", "healthcheck has no option -z: leave it out"),
        ] {
            assert_eq!(parse(line), want, "{line}");
        }
    }
}
