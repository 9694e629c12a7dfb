//! The options of healthcheck, as one table.

/// An option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Id {
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
    PathIdentifier,
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
    pub(super) name: Id,
    /// The long name.
    pub(super) long: &'static str,
    /// Other names, with their dashes.
    pub(super) others: &'static [&'static str],
    pub(super) takes: Takes,
}

const fn opt(name: Id, long: &'static str, others: &'static [&'static str], takes: Takes) -> Opt {
    Opt { name, long, others, takes }
}

/// All options.
pub(super) const OPTIONS: &[Opt] = &[
    opt(Id::Silent, "--silent", &["-s"], Takes::Nothing),
    opt(Id::SyslogFacility, "--syslog-facility", &["-sF"], Takes::Maybe),
    opt(Id::NoSyslog, "--no-syslog", &[], Takes::Nothing),
    opt(Id::NoAck, "--no-ack", &["-a"], Takes::Nothing),
    opt(Id::Sudo, "--sudo", &[], Takes::Nothing),
    opt(Id::Debug, "--debug", &["-d"], Takes::Nothing),
    opt(Id::Name, "--name", &["-n"], Takes::One),
    opt(Id::Config, "--config", &["-F"], Takes::One),
    opt(Id::Pid, "--pid", &["-p"], Takes::One),
    opt(Id::User, "--user", &[], Takes::One),
    opt(Id::Group, "--group", &[], Takes::One),
    opt(Id::Interval, "--interval", &["-i"], Takes::One),
    opt(Id::FastInterval, "--fast-interval", &["-f"], Takes::One),
    opt(Id::Timeout, "--timeout", &["-t"], Takes::One),
    opt(Id::Rise, "--rise", &[], Takes::One),
    opt(Id::Fall, "--fall", &[], Takes::One),
    opt(Id::Disable, "--disable", &[], Takes::One),
    opt(Id::Command, "--command", &["--cmd", "-c"], Takes::One),
    opt(Id::NextHop, "--next-hop", &["-N"], Takes::One),
    opt(Id::Ip, "--ip", &[], Takes::Each),
    opt(Id::IpIfname, "--ip-ifname", &[], Takes::Each),
    opt(Id::LocalPreference, "--local-preference", &[], Takes::One),
    opt(Id::Deaggregate, "--deaggregate-networks", &[], Takes::Nothing),
    opt(Id::NoIpSetup, "--no-ip-setup", &[], Takes::Nothing),
    opt(Id::DynamicIpSetup, "--dynamic-ip-setup", &[], Takes::Nothing),
    opt(Id::Label, "--label", &[], Takes::One),
    opt(Id::LabelExactMatch, "--label-exact-match", &[], Takes::Nothing),
    opt(Id::StartIp, "--start-ip", &[], Takes::One),
    opt(Id::UpMetric, "--up-metric", &[], Takes::One),
    opt(Id::DownMetric, "--down-metric", &[], Takes::One),
    opt(Id::DisabledMetric, "--disabled-metric", &[], Takes::One),
    opt(Id::Increase, "--increase", &[], Takes::One),
    opt(Id::Community, "--community", &[], Takes::One),
    opt(Id::ExtendedCommunity, "--extended-community", &[], Takes::One),
    opt(Id::LargeCommunity, "--large-community", &[], Takes::One),
    opt(Id::DisabledCommunity, "--disabled-community", &[], Takes::One),
    opt(Id::AsPath, "--as-path", &[], Takes::One),
    opt(Id::UpAsPath, "--up-as-path", &[], Takes::One),
    opt(Id::DownAsPath, "--down-as-path", &[], Takes::One),
    opt(Id::DisabledAsPath, "--disabled-as-path", &[], Takes::One),
    opt(Id::WithdrawOnDown, "--withdraw-on-down", &[], Takes::Nothing),
    opt(Id::PathIdentifier, "--path-id", &[], Takes::One),
    opt(Id::Neighbor, "--neighbor", &[], Takes::Each),
    opt(Id::Debounce, "--debounce", &[], Takes::Nothing),
    opt(Id::Execute, "--execute", &[], Takes::Each),
    opt(Id::UpExecute, "--up-execute", &[], Takes::Each),
    opt(Id::DownExecute, "--down-execute", &[], Takes::Each),
    opt(Id::DisabledExecute, "--disabled-execute", &[], Takes::Each),
];

impl Opt {
    /// All its names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.long).chain(self.others.iter().copied())
    }
}
