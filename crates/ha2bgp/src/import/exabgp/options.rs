//! The options of healthcheck, as one table.

/// An option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name {
    AsPath,
    Command,
    Community,
    Config,
    Deaggregate,
    Debounce,
    Debug,
    Disable,
    DisabledAsPath,
    DisabledCommunity,
    DisabledExecute,
    DisabledMetric,
    DownAsPath,
    DownExecute,
    DownMetric,
    DynamicIpSetup,
    Execute,
    ExtendedCommunity,
    Fall,
    FastInterval,
    Group,
    Increase,
    Interval,
    Ip,
    IpIfname,
    Label,
    LabelExactMatch,
    LargeCommunity,
    LocalPreference,
    Name,
    Neighbor,
    NextHop,
    NoAck,
    NoIpSetup,
    NoSyslog,
    PathId,
    Pid,
    Rise,
    Silent,
    StartIp,
    Sudo,
    SyslogFacility,
    Timeout,
    UpAsPath,
    UpExecute,
    UpMetric,
    User,
    WithdrawOnDown,
}

/// What it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    /// It is on when it is there.
    Nothing,
    /// A value; of several the last one counts.
    One,
    /// A value; all of them count.
    Each,
    /// A value, or none.
    Maybe,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt {
    pub(super) name: Name,
    /// The long name.
    pub(super) long: &'static str,
    /// Other names, with their dashes.
    pub(super) others: &'static [&'static str],
    pub(super) takes: Takes,
}

const fn opt(name: Name, long: &'static str, others: &'static [&'static str], takes: Takes) -> Opt {
    Opt { name, long, others, takes }
}

/// All options.
pub(super) const OPTIONS: &[Opt] = &[
    opt(Name::Silent, "--silent", &["-s"], Takes::Nothing),
    opt(Name::SyslogFacility, "--syslog-facility", &["-sF"], Takes::Maybe),
    opt(Name::NoSyslog, "--no-syslog", &[], Takes::Nothing),
    opt(Name::NoAck, "--no-ack", &["-a"], Takes::Nothing),
    opt(Name::Sudo, "--sudo", &[], Takes::Nothing),
    opt(Name::Debug, "--debug", &["-d"], Takes::Nothing),
    opt(Name::Name, "--name", &["-n"], Takes::One),
    opt(Name::Config, "--config", &["-F"], Takes::One),
    opt(Name::Pid, "--pid", &["-p"], Takes::One),
    opt(Name::User, "--user", &[], Takes::One),
    opt(Name::Group, "--group", &[], Takes::One),
    opt(Name::Interval, "--interval", &["-i"], Takes::One),
    opt(Name::FastInterval, "--fast-interval", &["-f"], Takes::One),
    opt(Name::Timeout, "--timeout", &["-t"], Takes::One),
    opt(Name::Rise, "--rise", &[], Takes::One),
    opt(Name::Fall, "--fall", &[], Takes::One),
    opt(Name::Disable, "--disable", &[], Takes::One),
    opt(Name::Command, "--command", &["--cmd", "-c"], Takes::One),
    opt(Name::NextHop, "--next-hop", &["-N"], Takes::One),
    opt(Name::Ip, "--ip", &[], Takes::Each),
    opt(Name::IpIfname, "--ip-ifname", &[], Takes::Each),
    opt(Name::LocalPreference, "--local-preference", &[], Takes::One),
    opt(Name::Deaggregate, "--deaggregate-networks", &[], Takes::Nothing),
    opt(Name::NoIpSetup, "--no-ip-setup", &[], Takes::Nothing),
    opt(Name::DynamicIpSetup, "--dynamic-ip-setup", &[], Takes::Nothing),
    opt(Name::Label, "--label", &[], Takes::One),
    opt(Name::LabelExactMatch, "--label-exact-match", &[], Takes::Nothing),
    opt(Name::StartIp, "--start-ip", &[], Takes::One),
    opt(Name::UpMetric, "--up-metric", &[], Takes::One),
    opt(Name::DownMetric, "--down-metric", &[], Takes::One),
    opt(Name::DisabledMetric, "--disabled-metric", &[], Takes::One),
    opt(Name::Increase, "--increase", &[], Takes::One),
    opt(Name::Community, "--community", &[], Takes::One),
    opt(Name::ExtendedCommunity, "--extended-community", &[], Takes::One),
    opt(Name::LargeCommunity, "--large-community", &[], Takes::One),
    opt(Name::DisabledCommunity, "--disabled-community", &[], Takes::One),
    opt(Name::AsPath, "--as-path", &[], Takes::One),
    opt(Name::UpAsPath, "--up-as-path", &[], Takes::One),
    opt(Name::DownAsPath, "--down-as-path", &[], Takes::One),
    opt(Name::DisabledAsPath, "--disabled-as-path", &[], Takes::One),
    opt(Name::WithdrawOnDown, "--withdraw-on-down", &[], Takes::Nothing),
    opt(Name::PathId, "--path-id", &[], Takes::One),
    opt(Name::Neighbor, "--neighbor", &[], Takes::Each),
    opt(Name::Debounce, "--debounce", &[], Takes::Nothing),
    opt(Name::Execute, "--execute", &[], Takes::Each),
    opt(Name::UpExecute, "--up-execute", &[], Takes::Each),
    opt(Name::DownExecute, "--down-execute", &[], Takes::Each),
    opt(Name::DisabledExecute, "--disabled-execute", &[], Takes::Each),
];

impl Opt {
    /// All its names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.long).chain(self.others.iter().copied())
    }
}
