//! Settings as they were written, each with where it was written: flags over environment over
//! defaults. This is the one place that knows the precedence.

use clap::ArgMatches;

use crate::cli::flags::{FLAGS, Flag, Kind};

/// Where a value was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// On the command line: `--network`.
    Flag(&'static str),
    /// In the environment: `HA2BGP_NETWORK_FILTER`.
    Variable(&'static str),
    /// Nowhere: the default of this flag.
    Default(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::Default(name) => write!(f, "--{name} (default)"),
        }
    }
}

/// A value as text, and where it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Where.
    pub origin: Origin,
    /// What.
    pub text: String,
}

/// All settings as they were written.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    values: Vec<(&'static str, Vec<Written>)>,
}

impl Raw {
    /// Collects the settings: a flag replaces its variable, a variable replaces the default.
    ///
    /// An empty variable counts as not set, as an empty `Environment=` line would mean it.
    pub fn collect(flags: &ArgMatches, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let values = FLAGS.iter().map(|flag| (flag.long, Self::of(flag, flags, variable)));
        Self { values: values.collect() }
    }

    fn of(
        flag: &Flag,
        flags: &ArgMatches,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Written> {
        let given = flags.get_many::<String>(flag.long).into_iter().flatten();
        let mut written: Vec<Written> = given
            .flat_map(|text| parts(flag.kind, text))
            .map(|text| Written { origin: Origin::Flag(flag.long), text })
            .collect();
        if written.is_empty()
            && let Some(name) = flag.env
            && let Some(text) = variable(name).filter(|text| !text.trim().is_empty())
        {
            written = parts(flag.kind, &text)
                .into_iter()
                .map(|text| Written { origin: Origin::Variable(name), text })
                .collect();
        }
        if written.is_empty() && !flag.default.is_empty() {
            let text = flag.default.to_owned();
            written.push(Written { origin: Origin::Default(flag.long), text });
        }
        written
    }

    /// Every value of a repeatable setting.
    pub fn all(&self, name: &str) -> &[Written] {
        let found = self.values.iter().find(|(long, _)| *long == name);
        debug_assert!(found.is_some(), "no flag is called {name}");
        found.map_or(&[], |(_, values)| values)
    }

    /// The value of a setting that has one: the last one given wins, as in Go.
    pub fn one(&self, name: &str) -> Option<&Written> {
        self.all(name).last()
    }
}

fn parts(kind: Kind, text: &str) -> Vec<String> {
    match kind {
        Kind::List => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Kind::Value | Kind::Repeated | Kind::Switch => vec![text.to_owned()],
    }
}
