//! One healthcheck as a service of ours.

mod addresses;
mod attributes;

use std::time::Duration;

use super::super::model::{Command, Common, Fate, Import, Service};
use super::super::value::{account, count, interval, quoted, seconds, time};
use super::super::{Errors, Host, command, suggest, text_of, words};
use super::arguments::{self, Given};
use super::options::Id;
use super::{Process, keys, say};

/// What it does without `--interval`.
const INTERVAL: Duration = Duration::from_secs(5);
/// Without `--fast-interval`.
const FAST_INTERVAL: Duration = Duration::from_secs(1);
/// Without `--timeout`.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Without `--rise` or `--fall`.
const COUNT: u32 = 3;
const NO_HOOKS: &str = "ha2bgp runs nothing when a state changes: let what reads its log do it";
const STDERR: &str = "the log goes to standard error, where ExaBGP or the service manager takes it";

/// The options of one healthcheck, each once but for those that add up.
struct Options {
    given: Vec<Given>,
}

impl Options {
    fn one(&self, name: Id) -> Option<&Given> {
        self.given.iter().find(|given| given.opt.name == name)
    }

    fn has(&self, name: Id) -> bool {
        self.one(name).is_some()
    }

    fn all(&self, name: Id) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.opt.name == name)
    }

    /// The value of an option; nothing when it was not given, or is wrong, which is told.
    fn get<T>(
        &self,
        name: Id,
        errors: &mut Errors,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.one(name)?;
        errors.keep(&super::super::named(&given.value_place, given.opt.long), read(&given.value))
    }
}

/// Reads one.
pub(super) fn read(process: Process, host: &Host<'_>, import: &mut Import, errors: &mut Errors) {
    let before = errors.0.len();
    let mut said = Vec::new();
    let mut given = arguments::read(&process.arguments, errors);
    let config = given.iter().rfind(|given| given.opt.name == Id::Config).cloned();
    if let Some(config) = config {
        // What the command line says comes after it, and counts.
        let mut all = from_file(&config, host, errors);
        all.append(&mut given);
        given = all;
    }
    let options = Options { given: arguments::settle(given, &mut said) };
    let name = options.one(Id::Name).map_or(process.name.as_str(), |given| &given.value);
    let name = import.name(name);
    let place = process.place.clone();
    let addresses = addresses::read(&options, &place, host, &mut said, errors);
    let withdraws = options.has(Id::WithdrawOnDown);
    // What is not imported shall set nothing for the others.
    let mut aside = Common::default();
    let common = if addresses.vips.is_empty() { &mut aside } else { &mut import.common };
    let timing = Timing::read(&options, errors);
    let mut attributes = attributes::Attributes::read(&options, &place, &addresses, errors);
    attributes.tell_defaults(common, &mut said);
    let accounts = [Id::User, Id::Group].map(|name| options.get(name, errors, account));
    let words = options.get(Id::Command, errors, command::of_shell);
    let off_file = options.one(Id::Disable).map(|given| off_path(&given.value));
    if off_file.as_deref() == Some("") {
        options
            .get(Id::Disable, errors, |_| Err::<(), _>("names no file: write its path".to_owned()));
    }
    for given in &options.given {
        let fate = match given.opt.name {
            Id::Name => Fate::Taken(format!("name = \"{name}\"")),
            Id::Config => Fate::Taken("the options of that file".to_owned()),
            Id::Command => Fate::Taken("command".to_owned()),
            Id::Disable => of_disable(&given.value, withdraws),
            Id::WithdrawOnDown => Fate::Taken("what ha2bgp does anyway".to_owned()),
            Id::User => Fate::Taken("user".to_owned()),
            Id::Group if options.has(Id::User) => Fate::Taken("group".to_owned()),
            Id::Group => Fate::Lost("a check has a group with a user only: add user".to_owned()),
            Id::Debug => shared(common, "log.debug", "true".to_owned()),
            Id::Debounce => shared(common, "exabgp.reassert", quoted("0s")),
            Id::Silent | Id::SyslogFacility | Id::NoSyslog => Fate::NotNeeded(STDERR.to_owned()),
            Id::NoAck => {
                Fate::NotNeeded("it finds out by itself whether ExaBGP answers".to_owned())
            }
            Id::Sudo => Fate::NotNeeded("it adds no addresses".to_owned()),
            Id::Pid => Fate::NotNeeded("ExaBGP, or the service manager, knows it".to_owned()),
            Id::Execute | Id::UpExecute | Id::DownExecute | Id::DisabledExecute => {
                Fate::Lost(NO_HOOKS.to_owned())
            }
            Id::Interval | Id::FastInterval | Id::Timeout | Id::Rise | Id::Fall => {
                timing.fate(given.opt.name)
            }
            Id::Ip
            | Id::IpIfname
            | Id::Deaggregate
            | Id::NoIpSetup
            | Id::DynamicIpSetup
            | Id::Label
            | Id::LabelExactMatch => match addresses.fate(given, &options) {
                Some(fate) => fate,
                // It was told address by address.
                None => continue,
            },
            Id::NextHop
            | Id::LocalPreference
            | Id::StartIp
            | Id::UpMetric
            | Id::DownMetric
            | Id::DisabledMetric
            | Id::Increase
            | Id::Community
            | Id::ExtendedCommunity
            | Id::LargeCommunity
            | Id::DisabledCommunity
            | Id::AsPath
            | Id::UpAsPath
            | Id::DownAsPath
            | Id::DisabledAsPath
            | Id::PathIdentifier
            | Id::Neighbor => attributes.fate(given, &options, common),
        };
        say(&mut said, &given.place, given.opt.long, fate);
    }
    if errors.0.len() > before {
        return;
    }
    let line = options.one(Id::Command).and_then(|given| words::split(&given.value).ok());
    let line: Vec<String> = line.into_iter().flatten().map(|word| word.text).collect();
    let vips: Vec<_> = addresses.vips.iter().map(|(vip, _)| *vip).collect();
    let [user, group] = accounts;
    let command = words.map(|words| Command {
        words,
        instead: suggest::instead(&line, &vips),
        group: group.filter(|_| user.is_some()),
        user,
        interval: timing.interval,
        fast_interval: timing.fast_interval,
        timeout: timing.timeout,
        splay: None,
        rise: timing.rise,
        fall: timing.fall,
    });
    if command.is_none() {
        let fate = Fate::Taken("a rule without a command: nothing was run".to_owned());
        say(&mut said, &place, "(no --command)", fate);
    }
    let none = vips.is_empty().then_some("Not imported: it has no host route.");
    import.services.push(Service {
        name,
        place,
        vips: addresses.vips,
        address: addresses.devices,
        command,
        off_file,
        depreference: !withdraws,
        only_shown: none.map(str::to_owned),
        said,
    });
}

/// What stands in the file that `--config` names.
fn from_file(config: &Given, host: &Host<'_>, errors: &mut Errors) -> Vec<Given> {
    let path = &config.value;
    match (host.read_file)(path) {
        Ok(octets) => {
            let number = config.place.source.number;
            let text = text_of(number, path, octets, errors);
            let arguments = text.map(|text| keys(&text, errors)).unwrap_or_default();
            let given = arguments::read(&arguments, errors);
            given.into_iter().filter(|given| given.opt.name != Id::Config).collect()
        }
        Err(error) => {
            let error =
                format!("\"{path}\" cannot be read: {error}: run the import where the file is");
            errors.add(&config.value_place, error);
            Vec::new()
        }
    }
}

/// A setting that all services share.
fn shared(common: &mut Common, key: &'static str, value: String) -> Fate {
    let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
    let section = key.rsplit_once('.').map_or("", |(section, _)| section);
    match Common::set(&mut common.keys, key, value.clone()) {
        Ok(()) => Fate::Taken(format!("{name} = {value} in [{section}], for all services")),
        Err(other) => Fate::Lost(format!(
            "all services share {name} of [{section}], and another one has {other}"
        )),
    }
}

/// A path as a template has it, with braces that are none.
fn off_path(path: &str) -> String {
    let path = path.replace('{', "{{").replace('}', "}}");
    // Not one of systemd's credentials.
    if path.starts_with("%d/") { format!("./{path}") } else { path }
}

fn of_disable(path: &str, withdraws: bool) -> Fate {
    let what = match withdraws {
        true => "a check \"switch\": while the file is there, the route is withdrawn",
        false => {
            "a check \"switch\": while the file is there, the route is the last choice, with the \
             metric of a failure"
        }
    };
    if path.starts_with('/') {
        return Fate::Taken(what.to_owned());
    }
    Fate::Lost(format!(
        "{what}; but \"{path}\" now begins at the directory of this file: write the whole path"
    ))
}

/// When the command is run, and how results are counted.
struct Timing {
    interval: Duration,
    fast_interval: Option<Duration>,
    timeout: Option<Duration>,
    rise: u32,
    fall: u32,
    /// `--interval 0`.
    once: bool,
}

impl Timing {
    fn read(options: &Options, errors: &mut Errors) -> Self {
        let pause = |text: &str| match seconds(text)? {
            Duration::ZERO => Ok(None),
            time => interval(text, time).map(Some),
        };
        let given = options.get(Id::Interval, errors, pause);
        let interval = given.flatten().unwrap_or(INTERVAL);
        let fast =
            options.get(Id::FastInterval, errors, |text| self::interval(text, seconds(text)?));
        let fast = fast.unwrap_or(FAST_INTERVAL);
        let limit = options.get(Id::Timeout, errors, |text| {
            super::super::value::integer(text)?;
            seconds(text)
        });
        let counted = |name, errors: &mut Errors| options.get(name, errors, count).unwrap_or(COUNT);
        Self {
            interval,
            fast_interval: (fast < interval).then_some(fast),
            timeout: Some(limit.unwrap_or(TIMEOUT)).filter(|limit| !limit.is_zero()),
            rise: counted(Id::Rise, errors),
            fall: counted(Id::Fall, errors),
            once: given == Some(None),
        }
    }

    fn fate(&self, name: Id) -> Fate {
        match (name, self.fast_interval, self.timeout) {
            (Id::Interval, ..) if self.once => Fate::Lost(format!(
                "ha2bgp stays and goes on checking, every {} here: to announce without checking, \
                 leave the check out",
                time(self.interval)
            )),
            (Id::Interval, ..) => Fate::Taken(format!("interval = {}", time(self.interval))),
            (Id::FastInterval, Some(fast), _) => {
                Fate::Taken(format!("fast-interval = {}", time(fast)))
            }
            (Id::FastInterval, None, _) => {
                Fate::NotNeeded("it is no shorter than the interval, which counts".to_owned())
            }
            (Id::Timeout, _, Some(limit)) => Fate::Taken(format!("timeout = {}", time(limit))),
            (Id::Timeout, _, None) => {
                let fix = "a run has a limit here, 10s: write a longer timeout if need be";
                Fate::Lost(fix.to_owned())
            }
            (Id::Rise, ..) => Fate::Taken(format!("rise = {}", self.rise)),
            (..) => Fate::Taken(format!("fall = {}", self.fall)),
        }
    }
}
