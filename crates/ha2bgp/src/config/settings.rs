//! The validated settings of the daemon, and how they are read from text.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::config::{EngineConfig, ServiceConfig};
use ha2bgp_core::damping::{DampingConfig, DampingError};
use ha2bgp_core::fact::Protocol;
use ha2bgp_core::glob::Glob;
use ha2bgp_core::net::{Networks, NextHop, Prefix, never_announced};
use ha2bgp_proto::exabgp::{ApiVersion, Drain, LastChoice};

use super::bfd::{self, BfdSettings};
use super::check::haproxy;
use super::control::{self, ControlSettings};
use super::duration;
use super::error::{self, ConfigError};
use super::guard;
use super::in_force::InForce;
use super::log::LogSettings;
use super::origin::{Origin, Written};
use super::peer;
use super::raw::{Raw, Values};
use super::reader::{Host, Reader, go_bool};
use super::service;
use super::size;
use super::speaker::{self, SpeakerSettings};
use super::status;
use super::{history, log};
use crate::history::HistorySettings;
use crate::observe::check::haproxy::HaproxyProbe;
use crate::observe::check::{CheckSpecs, Limits};
use crate::record::RecordSettings;
use crate::status::StatusSettings;

/// Where the routes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// Commands on stdout, answers on stdin.
    Exabgp,
    /// The same lines on stdout, for the eyes of people; no answers.
    Test,
    /// BGP itself, straight to routers.
    Speaker,
}

/// Everything the daemon needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the engine is told.
    pub engine: EngineConfig,
    /// What makes the probes of its checks.
    pub checks: CheckSpecs,
    /// No network was given: only 127.0.0.0/8.
    pub test_mode: bool,
    /// The listen filter as it was written.
    pub listen_filter: Written,
    /// The protocols whose sockets are looked at.
    pub protocols: Vec<Protocol>,
    /// A doorbell in the kernel may be hung up.
    pub doorbell: bool,
    /// Where the routes go.
    pub backend: Backend,
    /// Which grammar ExaBGP understands.
    pub exabgp_api: ApiVersion,
    /// From how many waiting routes on several go on one line; `None`: never.
    pub exabgp_group: Option<usize>,
    /// What ExaBGP is told of routes that are the last choice.
    pub exabgp_last_choice: LastChoice,
    /// How ExaBGP is told of routes that an operator drains.
    pub exabgp_drain: Drain,
    /// How long routers get to move the traffic of a drain, before connections are counted.
    pub drain_settle: Duration,
    /// How often announcements are repeated; zero means never.
    pub reassert: Duration,
    /// Whom the speaker speaks to; with [`Backend::Speaker`] only.
    pub speaker: Option<SpeakerSettings>,
    /// The BFD sessions of peers and checks.
    pub bfd: BfdSettings,
    /// Where the state is kept for the process that comes after this one.
    pub state_file: StateFile,
    /// Which files show the status.
    pub status: StatusSettings,
    /// Where what happened is kept.
    pub history: HistorySettings,
    /// Where the overrides of operators are kept.
    pub overrides_file: StateFile,
    /// The flight recorder; `None`: nothing is recorded.
    pub record: Option<RecordSettings>,
    /// The socket of the control interface; `None`: there is none.
    pub control: Option<ControlSettings>,
    /// How the log looks.
    pub log: LogSettings,
    /// The configuration files, as they were given, where they are watched and read again when they
    /// have changed; else none.
    pub watched_files: Vec<String>,
    /// All of it as it was written, for people.
    pub in_force: Arc<InForce>,
}

/// Where the state is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum StateFile {
    /// Where the system has a place for it; nowhere when it has none.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// In this file.
    Path(String),
}

impl Settings {
    /// Reads all settings.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the flags, then of the files.
    pub fn read(raw: &Raw, host: &Host<'_>) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader { errors: raw.errors.clone() };
        let values = &raw.values;
        let allow_any = reader.switch(values, "allow-any-network");
        let networks = networks(&mut reader, values, allow_any);
        let test_mode = values.all("network").is_empty();
        let devices = globs(&mut reader, values, "device");
        for (at, device) in &devices {
            if device.is_exact() && !(host.device_exists)(device.as_str()) {
                reader.errors.push(ConfigError::new(
                    at,
                    format_args!(
                        "\"{device}\" is not an interface of this host: `ip -br link` lists them; \
                         for one that comes later write a glob such as {device}*"
                    ),
                ));
            }
        }
        let labels = globs(&mut reader, values, "device-label");
        let doorbell = reader.one(values, "doorbell", doorbell).unwrap_or(true);
        let mut protocols = Vec::new();
        for at in values.all("protocol") {
            if let Some(protocol) = reader.keep(at, protocol(&at.text))
                && !protocols.contains(&protocol)
            {
                protocols.push(protocol);
            }
        }
        let networks = Networks::new(networks);
        let defaults = ServiceConfig {
            up_delay: reader.one(values, "up-delay", duration::parse).unwrap_or_default(),
            down_delay: reader.one(values, "down-delay", duration::parse).unwrap_or_default(),
            damping: damping_of_flags(&mut reader, values),
            warn_depreferences: reader
                .one(values, "defaults.on-warn", service::on_warn)
                .unwrap_or_default(),
            on_failure: reader
                .one(values, "defaults.on-failure", service::on_failure)
                .unwrap_or_default(),
            ..ServiceConfig::default()
        };
        let mut defaults = defaults;
        let mut services = service::read(&mut reader, raw, host, &networks, &defaults);
        services.add_haproxy(haproxy(&mut reader, values), &mut defaults);
        let mut checks = services.specs;
        checks.limits = limits(&mut reader, values);
        let mut engine = EngineConfig {
            networks,
            next_hop: NextHop::SelfAddress,
            defaults,
            services: services.services,
            checks: services.checks,
            devices: devices.into_iter().map(|(_, glob)| glob).collect(),
            labels: labels.into_iter().map(|(_, glob)| glob).collect(),
            require_all_ports: reader.switch(values, "require-all-ports"),
            guard: guard::read(&mut reader, raw),
            ..EngineConfig::default()
        };
        let backend = backend_of(&mut reader, raw);
        let exabgp_api = reader.one(values, "exabgp-api", str::parse::<ApiVersion>);
        let exabgp_group = reader.one(values, "exabgp-group", group).flatten();
        let reassert = reader.one(values, "reassert", duration::parse);
        let next_hops = next_hops(&mut reader, values);
        let mut exabgp_last_choice = LastChoice::default();
        let speaker = if backend == Some(Backend::Speaker) {
            let common = speaker::Common { networks: &engine.networks, next_hops, allow_any };
            speaker::read(&mut reader, raw, host, &common)
        } else {
            if raw.is_whole() {
                speaker::refuse(&mut reader, raw);
            }
            exabgp_last_choice = peer::last_choice_of_exabgp(&mut reader, values);
            engine.next_hop = the_next_hop(&mut reader, values, &next_hops);
            None
        };
        let bfd = bfd::read(&mut reader, raw, speaker.as_ref(), &checks);
        let exabgp_drain = reader.one(values, "exabgp.drain", peer::drain_of_exabgp);
        let exabgp_drain = exabgp_drain.unwrap_or_default();
        let drain_settle = reader.one(values, "drain-settle", drain_settle);
        let drain_settle = drain_settle.unwrap_or(DRAIN_SETTLE);
        let overrides_file = reader.one(values, "overrides-file", state_file);
        let overrides_file = match (overrides_file.unwrap_or_default(), backend) {
            (StateFile::Auto, Some(Backend::Test)) => StateFile::Off,
            (place, _) => place,
        };
        let state_file = reader.one(values, "state-file", state_file).map(|place| match place {
            // What is only printed is no state, and must not be taken for that of another process.
            StateFile::Auto if backend == Some(Backend::Test) => StateFile::Off,
            place => place,
        });
        let state_file = state_file.unwrap_or_default();
        let record = record(&mut reader, values);
        let control = control::read(&mut reader, raw, host);
        let watch = reader.switch(values, "watch-config");
        let files = values.all("config").iter().filter(|_| watch);
        let watched_files = files.map(|at| at.text.clone()).collect();
        let history = history::read(&mut reader, values, backend);
        let status = status::read(&mut reader, raw);
        for name in ["debug", "no-color"] {
            reader.switch(values, name);
        }
        reader.one(values, "log-format", log::format);
        match (values.one("listen-filter"), backend, exabgp_api, reassert) {
            (Some(filter), Some(backend), Some(exabgp_api), Some(reassert))
                if reader.errors.is_empty() =>
            {
                let listen_filter = filter.clone();
                Ok(Self {
                    engine,
                    checks,
                    test_mode,
                    listen_filter,
                    protocols,
                    doorbell,
                    backend,
                    exabgp_api,
                    exabgp_group,
                    exabgp_last_choice,
                    exabgp_drain,
                    drain_settle,
                    reassert,
                    speaker,
                    bfd,
                    state_file,
                    history,
                    status,
                    overrides_file,
                    record,
                    control,
                    log: LogSettings::read(raw),
                    watched_files,
                    in_force: Arc::new(InForce::of(raw)),
                })
            }
            _ => {
                let guessed = reader.errors.split_off(raw.errors.len()).into_iter();
                reader.errors.extend(guessed.filter(|error| error.origin.is_sure()));
                Err(error::in_order(reader.errors))
            }
        }
    }
}

/// How long routers get, unless somebody says otherwise.
pub const DRAIN_SETTLE: Duration = Duration::from_secs(2);

fn drain_settle(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if time > Duration::from_secs(3600) {
        return Err(format!("\"{text}\" is longer than 1h: routers move traffic in seconds"));
    }
    Ok(time)
}

/// The allow-list. Without any: test mode.
fn networks(reader: &mut Reader, values: &Values, allow_any: bool) -> Vec<Prefix> {
    match values.all("network") {
        [] => "127.0.0.0/8".parse::<Prefix>().into_iter().collect(),
        given => {
            let networks = allow_list(reader, given, allow_any).into_iter();
            networks.map(|(_, network)| network).collect()
        }
    }
}

/// Reads networks; each once, and none that is too wide.
pub(super) fn allow_list<'a>(
    reader: &mut Reader,
    given: &'a [Written],
    allow_any: bool,
) -> Vec<(&'a Written, Prefix)> {
    let mut networks: Vec<(&Written, Prefix)> = Vec::new();
    let mut known = BTreeSet::new();
    for at in given {
        let Some(network) = reader.keep(at, at.text.parse::<Prefix>()) else { continue };
        let objection = if known.contains(&network) {
            Some(format!("\"{network}\" is given twice: leave one out"))
        } else if network.len() == 0 && !allow_any {
            Some(format!(
                "\"{network}\" allows every address: name the networks of your service addresses, \
                 or add {} if you mean it",
                at.origin.spell("allow-any-network", "true")
            ))
        } else if never(network) {
            Some(format!(
                "\"{network}\" can never be announced: unspecified, multicast, link-local and \
                 reserved addresses are not routable; name the networks of your service addresses"
            ))
        } else {
            None
        };
        match objection {
            Some(text) => reader.errors.push(ConfigError::new(at, text)),
            None => {
                known.insert(network);
                networks.push((at, network));
            }
        }
    }
    networks
}

/// True when no address inside could ever be a VIP, judged by both its ends.
fn never(network: Prefix) -> bool {
    [network.address(), network.last_address()].iter().all(|end| never_announced(*end).is_some())
        && network.len() > 0
}

fn globs<'a>(reader: &mut Reader, values: &'a Values, name: &str) -> Vec<(&'a Written, Glob)> {
    let mut globs = Vec::new();
    for at in values.all(name) {
        if let Some(glob) = reader.keep(at, at.text.parse::<Glob>()) {
            globs.push((at, glob));
        }
    }
    globs
}

/// The damping of all services: flags have their defaults.
fn damping_of_flags(reader: &mut Reader, values: &Values) -> Option<DampingConfig> {
    let before = DampingConfig {
        penalty: 1,
        suppress: 2,
        reuse: 1,
        half_life: duration::MAX,
        max_suppress: duration::MAX,
    };
    let names = [
        "damping",
        "damping-penalty",
        "damping-suppress",
        "damping-reuse",
        "damping-half-life",
        "damping-max-suppress",
    ];
    read_damping(reader, values, names, Some(before))
}

/// The damping of one service: what it does not say is as `before`.
pub(super) fn damping(
    reader: &mut Reader,
    values: &Values,
    before: Option<DampingConfig>,
) -> Option<DampingConfig> {
    let names = [
        "damping",
        "damping.penalty",
        "damping.suppress",
        "damping.reuse",
        "damping.half-life",
        "damping.max-suppress",
    ];
    read_damping(reader, values, names, before)
}

fn read_damping(
    reader: &mut Reader,
    values: &Values,
    [on, penalty, suppress, reuse, half_life, max_suppress]: [&str; 6],
    before: Option<DampingConfig>,
) -> Option<DampingConfig> {
    let errors = reader.errors.len();
    let on = reader.one(values, on, on_off).unwrap_or(before.is_some());
    let before = before.unwrap_or_default();
    let config = DampingConfig {
        penalty: reader.one(values, penalty, number).unwrap_or(before.penalty),
        suppress: reader.one(values, suppress, number).unwrap_or(before.suppress),
        reuse: reader.one(values, reuse, number).unwrap_or(before.reuse),
        half_life: reader.one(values, half_life, duration::parse).unwrap_or(before.half_life),
        max_suppress: reader
            .one(values, max_suppress, duration::parse)
            .unwrap_or(before.max_suppress),
    };
    if !on {
        return None;
    }
    // Values that contradict each other are told at the one that is easiest to change, or at
    // another one that was given.
    if reader.errors.len() == errors
        && let Err(error) = config.validate()
    {
        let easiest = match error {
            DampingError::ReuseNotBelowSuppress { .. } => reuse,
            DampingError::NoPenalty => penalty,
            DampingError::NoHalfLife => half_life,
            DampingError::MaxSuppressTooShort { .. } => max_suppress,
        };
        let others = [easiest, suppress, half_life, reuse, penalty, max_suppress];
        if let Some(at) = others.iter().find_map(|name| values.one(name)) {
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    Some(config)
}

/// What `--socket` asks.
fn haproxy(reader: &mut Reader, values: &Values) -> Option<HaproxyProbe> {
    let config = values.all("haproxy-config").iter();
    let config: Vec<_> =
        config.filter_map(|at| reader.keep(at, haproxy::config_path(&at.text))).collect();
    let socket = reader.one(values, "socket", haproxy::socket);
    if let (Some(at), true) = (values.one("haproxy-config"), values.is_missing("socket")) {
        let fix = at.origin.spell("socket", "\"/run/haproxy/admin.sock\"");
        let error = format!("is for HAProxy's stats socket, which is not given: add {fix}");
        reader.errors.push(ConfigError::new(at, error));
    }
    Some(haproxy::implicit(socket?, config))
}

/// The flight recorder.
fn record(reader: &mut Reader, values: &Values) -> Option<RecordSettings> {
    let size = reader.one(values, "record-size", record_size).unwrap_or(64 << 20);
    let path = values.one("record").map(|at| at.text.clone());
    if let (Some(at), None) = (values.one("record-size"), &path) {
        let error = "is for the flight recorder: add record = \"/var/lib/ha2bgp/record\"";
        reader.errors.push(ConfigError::new(at, error));
    }
    Some(RecordSettings { path: path?, size })
}

/// What the files of the recorder may have.
fn record_size(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        octets if (1 << 16..=1 << 40).contains(&octets) => Ok(octets),
        _ => Err(format!("\"{text}\" is not from 64KiB to 1024GiB: write for example 64MiB")),
    }
}

/// How many probes may be made at once.
fn limits(reader: &mut Reader, values: &Values) -> Limits {
    let default = Limits::default();
    let mut one = |name| {
        let limit = reader.one(values, name, |text| match number(text) {
            Ok(0) => Err("\"0\" would make no probe at all: write 1 or more".to_owned()),
            other => other,
        });
        limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
    };
    Limits {
        probes: one("limits.probes").unwrap_or(default.probes),
        plugins: one("limits.plugins").unwrap_or(default.plugins),
    }
}

pub(super) fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => go_bool(other)
            .map_err(|_| format!("\"{other}\" is neither on nor off: write on or off")),
    }
}

pub(super) fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not a whole number from 0 to {}: write for example 1000", u32::MAX)
    })
}

pub(super) fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        other => Err(format!("\"{other}\" is not a protocol: write tcp or udp")),
    }
}

/// The backend; peers in a file mean the speaker where nothing else is said.
fn backend_of(reader: &mut Reader, raw: &Raw) -> Option<Backend> {
    let at = raw.values.one("bgp-backend")?;
    if raw.peers_in_files && matches!(at.origin, Origin::Default(_)) {
        return Some(Backend::Speaker);
    }
    reader.keep(at, backend(&at.text))
}

fn doorbell(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("\"{other}\" is neither auto nor off: write one of them")),
    }
}

fn backend(text: &str) -> Result<Backend, String> {
    match text {
        "exabgp" => Ok(Backend::Exabgp),
        "test" | "exabgptest" => Ok(Backend::Test),
        "speaker" => Ok(Backend::Speaker),
        other => {
            Err(format!("\"{other}\" is not a backend: write exabgp, speaker, test or exabgptest"))
        }
    }
}

pub(super) fn state_file(text: &str) -> Result<StateFile, String> {
    match text {
        "auto" => Ok(StateFile::Auto),
        "off" => Ok(StateFile::Off),
        path if path.starts_with('/') => Ok(StateFile::Path(path.to_owned())),
        other => Err(format!(
            "\"{other}\" is neither auto nor off nor an absolute path: write for example \
             /run/ha2bgp/state"
        )),
    }
}

fn group(text: &str) -> Result<Option<usize>, String> {
    match text.parse() {
        _ if text == "off" => Ok(None),
        Ok(from) if from >= 2 => Ok(Some(from)),
        _ => Err(format!(
            "\"{text}\" is neither off nor a whole number from 2 on: write for example 64"
        )),
    }
}

/// The next hops of all routes, each with its place.
fn next_hops(reader: &mut Reader, values: &Values) -> Vec<(Written, NextHop)> {
    let mut hops = Vec::new();
    for at in values.all("nexthop") {
        hops.extend(reader.keep(at, next_hop(&at.text)).map(|hop| (at.clone(), hop)));
    }
    hops
}

/// The one that ExaBGP is told.
fn the_next_hop(reader: &mut Reader, values: &Values, next_hops: &[(Written, NextHop)]) -> NextHop {
    if let [_, second, ..] = values.all("nexthop") {
        let error = "is one too many: ExaBGP is told one next hop; leave the others out";
        reader.errors.push(ConfigError::new(second, error));
    }
    next_hops.first().map_or(NextHop::SelfAddress, |(_, hop)| *hop)
}

fn next_hop(text: &str) -> Result<NextHop, String> {
    if text == "self" {
        return Ok(NextHop::SelfAddress);
    }
    let address: std::net::IpAddr = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not a next hop: write self or an IP address"))?;
    // Routers reset the session on martian next hops (RFC 4271 section 6.3), or take the routes as
    // withdrawn (RFC 7606 section 3(e)).
    if never_announced(address).is_some() || address.is_loopback() {
        return Err(format!(
            "\"{text}\" cannot be a next hop: routers refuse unspecified, loopback, multicast, \
             link-local and reserved addresses; write self or an address of this host"
        ));
    }
    Ok(NextHop::Address(address))
}

#[cfg(test)]
pub(super) mod tests;
