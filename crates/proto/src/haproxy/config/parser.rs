//! Lines into sections into a [`Config`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::condition::{Blocks, Directive};
use super::environment::Environment;
use super::words::words;
use super::{
    BINDS_MAX, Config, Context, File, Frontend, NOTES_MAX, Note, PROXIES_MAX, TEXT_MAX, bind,
};

/// Keywords that start a section, in HAProxy 2.2 to 3.x (`cfg_register_section` in its sources).
const SKIPPED: &[&str] = &[
    "acme",
    "cache",
    "crt-store",
    "fcgi-app",
    "healthcheck",
    "http-errors",
    "log-forward",
    "log-profile",
    "mailers",
    "namespace_list",
    "peers",
    "program",
    "resolvers",
    "ring",
    "snmp",
    "traces",
    "userlist",
];

/// What `defaults` hands on.
#[derive(Clone, Debug, Default)]
struct Defaults {
    mode: Option<String>,
    default_backend: Option<String>,
    disabled: bool,
}

/// The section at hand.
#[derive(Debug)]
enum Section {
    /// Before the first one of a file.
    Outside,
    Global,
    Defaults {
        name: String,
        values: Defaults,
    },
    /// `frontend` and `listen`.
    Frontend {
        frontend: Frontend,
        seen: BTreeSet<String>,
    },
    /// `backend`, and those we do not read.
    Skipped,
}

pub(super) fn parse(files: &[File<'_>], context: &Context<'_>) -> Config {
    let mut parser = Parser {
        config: Config::default(),
        environment: Environment::new(context.variable),
        version: context.version,
        section: Section::Outside,
        defaults: Defaults::default(),
        named: BTreeMap::new(),
        binds: 0,
    };
    let mut left = TEXT_MAX;
    for file in files {
        parser.environment.file = file.name.into();
        parser.environment.line = 0;
        match left.checked_sub(file.text.len()) {
            Some(rest) => left = rest,
            None => {
                parser
                    .note(format!("not read: all files together have more than {TEXT_MAX} octets"));
                continue;
            }
        }
        parser.file(file.text);
    }
    parser.config
}

struct Parser<'a> {
    config: Config,
    environment: Environment<'a>,
    version: Option<&'a str>,
    section: Section,
    /// What the last `defaults` section said.
    defaults: Defaults,
    named: BTreeMap<String, Defaults>,
    binds: usize,
}

impl Parser<'_> {
    fn note(&mut self, text: String) {
        if self.config.notes.len() < NOTES_MAX {
            let (file, line) = (self.environment.file.clone(), self.environment.line);
            self.config.notes.push(Note { file, line, text });
        }
    }

    /// A file ends the section before it and its own.
    fn file(&mut self, text: &str) {
        let mut blocks = Blocks::default();
        self.environment.section = String::new();
        for (number, line) in text.lines().enumerate() {
            self.environment.line = number + 1;
            let words = match words(line, &self.environment) {
                Ok(words) => words,
                Err(error) => {
                    if blocks.is_active() {
                        self.note(format!("line is left out: {error}"));
                    }
                    continue;
                }
            };
            match blocks.directive(&words, &self.environment, self.version) {
                Directive::Done => {}
                Directive::Unknown => self.note(format!(
                    "cannot tell whether {:?} holds here: this and the other branches are taken",
                    words.join(" ")
                )),
                Directive::Misplaced => {
                    self.note(format!("{:?} is out of place", words.join(" ")));
                }
                Directive::None if blocks.is_active() => self.line(&words),
                Directive::None => {}
            }
        }
        if blocks.is_open() {
            self.note("an .if is not closed by .endif".to_string());
        }
        self.end_section();
    }

    fn line(&mut self, words: &[String]) {
        let Some(keyword) = words.first() else { return };
        let name = words.get(1).cloned().unwrap_or_default();
        match keyword.as_str() {
            "global" => self.start(Section::Global, keyword),
            "defaults" => {
                self.end_section();
                // `defaults from OTHER` has no name.
                let name = if name == "from" { String::new() } else { name };
                let values = self.inherited(words).unwrap_or_default();
                self.start(Section::Defaults { name: name.clone(), values }, &name);
            }
            "frontend" | "listen" => self.start_frontend(&name, words),
            "backend" => {
                self.start(Section::Skipped, &name);
                self.backend(&name);
            }
            other if SKIPPED.contains(&other) => self.start(Section::Skipped, &name),
            _ => self.statement(words),
        }
    }

    fn start(&mut self, section: Section, name: &str) {
        self.end_section();
        self.section = section;
        self.environment.section = name.into();
    }

    fn backend(&mut self, name: &str) {
        if name.is_empty() {
            self.note("a backend without a name".to_string());
        } else if self.config.backends.len() < PROXIES_MAX {
            self.config.backends.push(name.into());
        }
    }

    fn start_frontend(&mut self, name: &str, words: &[String]) {
        let keyword = words.first().cloned().unwrap_or_default();
        // The section at hand may be the defaults that are meant.
        self.end_section();
        let values = self.inherited(words).unwrap_or_else(|| self.defaults.clone());
        let listen = keyword == "listen";
        if name.is_empty() || self.config.frontends.len() >= PROXIES_MAX {
            self.start(Section::Skipped, name);
            self.note(format!(
                "this {keyword} is left out: it has no name, or there are more than {PROXIES_MAX}"
            ));
            return;
        }
        let frontend = Frontend {
            name: name.into(),
            binds: Vec::new(),
            mode: values.mode,
            default_backend: values.default_backend,
            static_backends: Vec::new(),
            dynamic: false,
            listen,
            disabled: values.disabled,
        };
        self.start(Section::Frontend { frontend, seen: BTreeSet::new() }, name);
        if words.get(2).is_some_and(|it| it != "from") {
            self.note(format!("an address in the {keyword} line is not read: use bind"));
        }
        if listen {
            self.backend(name);
        }
    }

    /// What `from NAME` in a section line hands on.
    fn inherited(&mut self, words: &[String]) -> Option<Defaults> {
        let at = words.iter().position(|it| it == "from").filter(|at| *at > 0)?;
        let name = words.get(at + 1).cloned().unwrap_or_default();
        let values = self.named.get(&name).cloned();
        if values.is_none() {
            self.note(format!("there is no \"defaults {name}\" before this line"));
        }
        values
    }

    fn end_section(&mut self) {
        match core::mem::replace(&mut self.section, Section::Outside) {
            Section::Outside | Section::Global | Section::Skipped => {}
            Section::Defaults { name, values } => {
                if !name.is_empty() && self.named.len() < PROXIES_MAX {
                    self.named.insert(name, values.clone());
                }
                self.defaults = values;
            }
            Section::Frontend { frontend, .. } => self.config.frontends.push(frontend),
        }
    }

    fn statement(&mut self, words: &[String]) {
        match &self.section {
            Section::Outside => {
                let keyword = words.first().cloned().unwrap_or_default();
                self.note(format!("{keyword:?} is in no section, or in one that is not known"));
            }
            Section::Skipped => {}
            Section::Global => self.global(words),
            Section::Defaults { .. } => self.defaults_statement(words),
            Section::Frontend { .. } => self.frontend_statement(words),
        }
    }

    fn global(&mut self, words: &[String]) {
        if self.environment.statement(words) {
            return;
        }
        if let [first, second, list, options @ ..] = words
            && first == "stats"
            && second == "socket"
        {
            let binds = self.binds(list, options);
            self.config.stats_sockets.extend(binds);
        }
    }

    fn defaults_statement(&mut self, words: &[String]) {
        let Section::Defaults { values, .. } = &mut self.section else { return };
        let argument = words.get(1).filter(|it| !it.is_empty()).cloned();
        match words.first().map(String::as_str) {
            Some("mode") => values.mode = argument,
            Some("default_backend") => values.default_backend = argument,
            Some("disabled") => values.disabled = true,
            Some("enabled") => values.disabled = false,
            _ => {}
        }
    }

    fn frontend_statement(&mut self, words: &[String]) {
        let argument = words.get(1).filter(|it| !it.is_empty()).cloned();
        let binds = match words {
            [keyword, list, options @ ..] if keyword == "bind" => self.binds(list, options),
            _ => Vec::new(),
        };
        let Section::Frontend { frontend, seen } = &mut self.section else { return };
        match (words.first().map(String::as_str), argument) {
            (Some("bind"), _) => frontend.binds.extend(binds),
            (Some("mode"), Some(mode)) => frontend.mode = Some(mode),
            (Some("default_backend"), Some(name)) => frontend.default_backend = Some(name),
            (Some("use_backend"), Some(name)) => {
                if name.contains('%') {
                    frontend.dynamic = true;
                } else if seen.insert(name.clone()) {
                    frontend.static_backends.push(name);
                }
            }
            (Some("disabled"), _) => frontend.disabled = true,
            (Some("enabled"), _) => frontend.disabled = false,
            (Some("default_backend" | "use_backend"), None) => {
                self.note("a backend without a name".to_string());
            }
            _ => {}
        }
    }

    fn binds(&mut self, list: &str, options: &[String]) -> Vec<super::Bind> {
        let mut notes = Vec::new();
        let mut binds = bind::parse(list, options, &mut notes);
        for text in notes {
            self.note(text);
        }
        let room = BINDS_MAX.saturating_sub(self.binds);
        if binds.len() > room {
            binds.truncate(room);
            self.note(format!("more than {BINDS_MAX} addresses: the rest is left out"));
        }
        self.binds += binds.len();
        binds
    }
}
