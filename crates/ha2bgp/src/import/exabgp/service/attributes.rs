//! What a healthcheck says with its routes. ExaBGP is told no attributes by ha2bgp but those of the
//! last choice; the built-in speaker is.

use std::net::IpAddr;

use ha2bgp_core::net::never_announced;
use ha2bgp_proto::bgp::Community;
use ha2bgp_proto::exabgp::LastChoice;

use super::super::super::model::{Common, Fate, Said};
use super::super::super::value::{list, quoted};
use super::super::super::{Errors, named};
use super::super::say;
use super::addresses::Addresses;
use super::{Given, Id, Options, shared};
use crate::config::origin::Place;

/// Without `--up-metric` and `--down-metric`.
const UP_METRIC: u32 = 100;
const DOWN_METRIC: u32 = 1000;

const MED: &str = "defaults.route.last-choice.med";
const LOCAL_PREF: &str = "defaults.route.last-choice.local-pref";
const COMMUNITIES: &str = "defaults.route.last-choice.communities";

/// What was read.
pub(super) struct Attributes {
    place: Place,
    withdraws: bool,
    up_metric: Option<u32>,
    down_metric: u32,
    disabled_metric: Option<u32>,
    local_preference: Option<u32>,
    disabled: Option<Vec<String>>,
    next_hop: Option<IpAddr>,
    several: bool,
    /// Keys of the last choice that another service has set otherwise.
    conflicts: Vec<(&'static str, Fate)>,
}

impl Attributes {
    pub(super) fn read(
        options: &Options,
        place: &Place,
        addresses: &Addresses,
        errors: &mut Errors,
    ) -> Self {
        let mut metric = |name| options.get(name, errors, number);
        let up_metric = metric(Id::UpMetric);
        let down_metric = metric(Id::DownMetric).unwrap_or(DOWN_METRIC);
        let disabled_metric = metric(Id::DisabledMetric);
        metric(Id::PathIdentifier);
        // Less than nothing is none.
        let preference = options.get(Id::LocalPreference, errors, |text| {
            let negative = super::super::super::value::integer(text)? < 0;
            if negative { Ok(None) } else { number(text).map(Some) }
        });
        for name in [Id::Increase, Id::StartIp] {
            options.get(name, errors, super::super::super::value::integer);
        }
        let next_hop = options.get(Id::NextHop, errors, next_hop);
        for given in options.all(Id::Neighbor) {
            let at = named(&given.value_place, given.opt.long);
            errors.keep(&at, address(&given.value));
        }
        let disabled = options.one(Id::DisabledCommunity);
        Self {
            place: place.clone(),
            withdraws: options.has(Id::WithdrawOnDown),
            up_metric,
            down_metric,
            disabled_metric,
            local_preference: preference.flatten(),
            disabled: disabled.and_then(|given| communities(&given.value, is_standard)),
            next_hop,
            several: addresses.vips.len() > 1,
            conflicts: Vec::new(),
        }
    }

    /// What it does although no option says so.
    pub(super) fn tell_defaults(&mut self, common: &mut Common, said: &mut Vec<Said>) {
        if self.up_metric.is_none() {
            let fate = not_told(common, "defaults.route.med", UP_METRIC.to_string());
            say(said, &self.place, "(no --up-metric)", fate);
        }
        if self.withdraws {
            return;
        }
        let most = LastChoice::COMMUNITIES_MAX;
        let with = self.disabled.iter().flatten().take(most).map(String::as_str);
        let keys = [
            (MED, self.down_metric.to_string()),
            // Without one it is 100 (RFC 4271 leaves it to the router; all of them do that).
            (LOCAL_PREF, self.local_preference.unwrap_or(100).to_string()),
            (COMMUNITIES, list(with)),
        ];
        for (key, value) in keys {
            let fate = shared(common, key, value);
            if matches!(fate, Fate::Lost(_)) {
                self.conflicts.push((key, fate));
            }
        }
        let text = "on-failure = \"depreference\": what fails stays announced, as the last choice; with \
                    --withdraw-on-down it would be withdrawn";
        say(said, &self.place, "(no --withdraw-on-down)", Fate::Taken(text.to_owned()));
        for (_, fate) in &self.conflicts {
            say(said, &self.place, "(no --withdraw-on-down)", fate.clone());
        }
    }

    /// What became of an option.
    pub(super) fn fate(&self, given: &Given, options: &Options, common: &mut Common) -> Fate {
        let withdrawn = || Fate::NotNeeded("the route is withdrawn then".to_owned());
        let of_speaker = |key: &str| {
            Fate::Lost(format!(
                "ExaBGP is told no such attribute; the built-in speaker is, for each peer: {key}"
            ))
        };
        let alone = || Fate::NotNeeded("there is one address only".to_owned());
        match given.opt.name {
            Id::NextHop => match self.next_hop {
                Some(hop) => {
                    shared(common, "defaults.route.next-hop", quoted(&hop.to_string()))
                }
                None => Fate::Lost("it is no next hop".to_owned()),
            },
            Id::UpMetric => {
                let value = self.up_metric.unwrap_or(UP_METRIC).to_string();
                not_told(common, "defaults.route.med", value)
            }
            Id::DownMetric if self.withdraws => withdrawn(),
            Id::DownMetric => self.of_last_choice(MED, "med"),
            Id::DisabledMetric if self.withdraws => withdrawn(),
            Id::DisabledMetric if !options.has(Id::Disable) => {
                Fate::NotNeeded("there is no --disable".to_owned())
            }
            Id::DisabledMetric if self.disabled_metric == Some(self.down_metric) => {
                self.of_last_choice(MED, "med")
            }
            Id::DisabledMetric => Fate::Lost(format!(
                "there is one last choice: while disabled, routes have the metric of a failure, {}",
                self.down_metric
            )),
            Id::LocalPreference => match self.local_preference {
                Some(value) => not_told(common, "defaults.route.local-pref", value.to_string()),
                None => Fate::NotNeeded("less than 0 is none".to_owned()),
            },
            Id::Community => {
                self.list(common, given, "defaults.route.communities", is_standard)
            }
            Id::ExtendedCommunity => {
                self.list(common, given, "defaults.route.extended-communities", is_extended)
            }
            Id::LargeCommunity => {
                self.list(common, given, "defaults.route.large-communities", is_large)
            }
            Id::DisabledCommunity if self.withdraws => withdrawn(),
            Id::DisabledCommunity => match &self.disabled {
                Some(list) if list.len() <= LastChoice::COMMUNITIES_MAX => {
                    self.of_last_choice(COMMUNITIES, "communities")
                }
                Some(_) => Fate::Lost(format!(
                    "ExaBGP is told {} communities at most: the others are left out",
                    LastChoice::COMMUNITIES_MAX
                )),
                None => Fate::Lost("they are not all communities of RFC 1997: write those".to_owned()),
            },
            Id::DownAsPath | Id::DisabledAsPath if self.withdraws => withdrawn(),
            Id::DownAsPath | Id::DisabledAsPath => of_speaker("prepend of its last-choice"),
            Id::AsPath | Id::UpAsPath => of_speaker("prepend = N, for N times our own AS"),
            Id::PathIdentifier => {
                let value = given.value.trim().to_owned();
                not_told(common, "peer.add-path", value)
            }
            Id::Neighbor => Fate::Lost(
                "ExaBGP tells routes to all its neighbors; the built-in speaker has networks for \
                 each peer"
                    .to_owned(),
            ),
            Id::StartIp | Id::Increase if !self.several => alone(),
            _ => Fate::Lost(
                "all routes of a peer have one MED: an order of hosts by address needs a policy at \
                 the router"
                    .to_owned(),
            ),
        }
    }

    fn of_last_choice(&self, key: &str, name: &str) -> Fate {
        match self.conflicts.iter().find(|(known, _)| *known == key) {
            Some((_, fate)) => fate.clone(),
            None => Fate::Taken(format!("{name} in [defaults.route.last-choice]")),
        }
    }

    fn list(
        &self,
        common: &mut Common,
        given: &Given,
        key: &'static str,
        kind: fn(&Community) -> bool,
    ) -> Fate {
        match communities(&given.value, kind) {
            Some(values) => not_told(common, key, list(values.iter().map(String::as_str))),
            None => Fate::Lost(
                "ExaBGP is told no such attribute; the built-in speaker is, but writes them otherwise"
                    .to_owned(),
            ),
        }
    }
}

/// An attribute of all routes, which only the speaker says.
fn not_told(common: &mut Common, key: &'static str, value: String) -> Fate {
    let text = match key {
        "defaults.route.med" => {
            "routes have no MED, which routers take for 0: a host that is still on healthcheck loses \
             against this one"
        }
        _ => "ExaBGP is not told it",
    };
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let section = if section == "peer" { "[[peer]]".to_owned() } else { format!("[{section}]") };
    match Common::set(&mut common.speaker, key, value.clone()) {
        Ok(()) => {
            Fate::Lost(format!("{text}; the built-in speaker is: {name} = {value} in {section}"))
        }
        Err(other) => Fate::Lost(format!(
            "{text}; the built-in speaker is, but {name} of {section} is {other} for another service"
        )),
    }
}

/// The words of a list, if all of them are communities of that kind.
fn communities(text: &str, kind: fn(&Community) -> bool) -> Option<Vec<String>> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ','));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let good = |word: &&str| word.parse::<Community>().is_ok_and(|read| kind(&read));
    let all = !words.is_empty() && words.iter().all(good);
    all.then(|| words.into_iter().map(str::to_owned).collect())
}

const fn is_standard(community: &Community) -> bool {
    matches!(community, Community::Standard(_))
}

const fn is_extended(community: &Community) -> bool {
    matches!(community, Community::Extended(_))
}

const fn is_large(community: &Community) -> bool {
    matches!(community, Community::Large(_))
}

fn number(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("\"{text}\" is no whole number from 0 to {}: write one", u32::MAX))
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.trim().parse().map_err(|_| format!("\"{text}\" is no IP address: write one"))
}

fn next_hop(text: &str) -> Result<IpAddr, String> {
    let address = address(text)?;
    if never_announced(address).is_some() || address.is_loopback() {
        return Err(format!("{address} is a next hop that routers refuse: write another one"));
    }
    Ok(address)
}
