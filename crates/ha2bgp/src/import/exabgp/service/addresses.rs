//! Which addresses a healthcheck announces, and what it does with them.

use std::net::IpAddr;

use ha2bgp_core::glob::Glob;
use ha2bgp_core::net::Prefix;

use super::super::super::model::{COUNT_MAX, Fate, Said};
use super::super::super::value::{hosts, prefix, vip};
use super::super::super::{Errors, Host, named, render};
use super::super::say;
use super::{Given, Id, Options};
use crate::config::origin::Place;

const NETWORK: &str = "routes are host routes here, /32 and /128: --deaggregate-networks would make \
                       them; or announce the network at the router";

/// What was found.
pub(super) struct Addresses {
    pub(super) vips: Vec<(IpAddr, Place)>,
    /// The address is checked: on these interfaces, or on any.
    pub(super) devices: Option<Vec<String>>,
    /// They are those of the loopback interface, as they are now.
    from_host: bool,
}

/// Reads `--ip` and what belongs to it; of each address it is said what became of it.
pub(super) fn read(
    options: &Options,
    place: &Place,
    host: &Host<'_>,
    said: &mut Vec<Said>,
    errors: &mut Errors,
) -> Addresses {
    let from_host = !options.has(Id::Ip);
    let mut found = Addresses { vips: Vec::new(), devices: None, from_host };
    let apart = options.has(Id::Deaggregate);
    for given in options.all(Id::Ip) {
        let at = named(&given.value_place, given.opt.long);
        let Some(prefix) = errors.keep(&at, prefix(&given.value)) else { continue };
        found.add(prefix, apart, &at, said, errors);
    }
    if from_host {
        for prefix in on_loopback(options, place, host, errors) {
            found.add(prefix, apart, &named(place, "(no --ip)"), said, errors);
        }
    }
    let mut devices = Vec::new();
    for given in options.all(Id::IpIfname) {
        let at = named(&given.value_place, given.opt.long);
        devices.extend(errors.keep(&at, interface(&given.value)));
    }
    devices.sort_unstable();
    devices.dedup();
    if options.has(Id::NoIpSetup) {
        return found;
    }
    // It adds what is missing; those without an interface of their own to lo.
    if !devices.is_empty() && options.all(Id::IpIfname).count() < found.vips.len() {
        devices.push("lo".to_owned());
        devices.sort_unstable();
        devices.dedup();
    }
    let device = devices.first().map_or("lo", String::as_str);
    let fate = match found.vips.first() {
        Some((vip, _)) if !from_host => Fate::Lost(format!(
            "ha2bgp adds no addresses, and the rule wants them: let the network configuration add \
             them, such as `ip address add {}{} dev {device}`",
            Prefix::host(*vip),
            if found.vips.len() > 1 { " …" } else { "" }
        )),
        _ => Fate::Taken("address in the rule".to_owned()),
    };
    say(said, place, "(no --no-ip-setup)", fate);
    found.devices = Some(devices);
    found
}

impl Addresses {
    fn add(
        &mut self,
        prefix: Prefix,
        apart: bool,
        at: &Place,
        said: &mut Vec<Said>,
        errors: &mut Errors,
    ) {
        let all = match prefix.is_host() {
            true => vec![prefix.address()],
            false if apart => {
                let left = COUNT_MAX.saturating_sub(self.vips.len());
                let Some(all) = hosts(prefix, left) else {
                    let error = format!("{prefix} makes more than {COUNT_MAX} routes: name fewer");
                    return errors.add(at, error);
                };
                all
            }
            false => {
                let fate = Fate::Lost(format!("{prefix}: {NETWORK}"));
                return say(said, at, &at.key, fate);
            }
        };
        for address in all {
            let Some(vip) = errors.keep(at, vip(address)) else { return };
            if self.vips.iter().any(|(known, _)| *known == vip) {
                let fate = Fate::NotNeeded(format!("{vip} is given twice"));
                say(said, at, &at.key, fate);
                continue;
            }
            if self.vips.len() == COUNT_MAX {
                return errors.add(at, format!("more than {COUNT_MAX} addresses: name fewer"));
            }
            say(said, at, &at.key, render::vip_fate(vip));
            self.vips.push((vip, at.clone()));
        }
    }

    /// What became of an option; nothing where it was told address by address.
    pub(super) fn fate(&self, given: &Given, options: &Options) -> Option<Fate> {
        Some(match given.opt.name {
            Id::Ip => return None,
            Id::NoIpSetup => Fate::Taken("a rule without address".to_owned()),
            Id::DynamicIpSetup => Fate::Lost(
                "addresses stay where they are; where the route is withdrawn nobody sends there"
                    .to_owned(),
            ),
            Id::IpIfname if options.has(Id::NoIpSetup) => {
                Fate::NotNeeded("no addresses are added".to_owned())
            }
            Id::IpIfname => Fate::Taken("devices of the check address".to_owned()),
            Id::Deaggregate => Fate::Taken("one address for each in the networks".to_owned()),
            Id::LabelExactMatch if !options.has(Id::Label) => {
                Fate::NotNeeded("there is no --label".to_owned())
            }
            _ if self.from_host => {
                Fate::Taken("vips: the addresses of lo with that label, as they are now".to_owned())
            }
            _ => Fate::NotNeeded("it marks the addresses that healthcheck adds".to_owned()),
        })
    }
}

/// What it takes without `--ip`: what is on the loopback interface.
fn on_loopback(
    options: &Options,
    place: &Place,
    host: &Host<'_>,
    errors: &mut Errors,
) -> Vec<Prefix> {
    let known = match (host.loopback)() {
        Ok(known) => known,
        Err(error) => {
            errors.add(place, format!("without --ip it takes the addresses of lo: {error}"));
            return Vec::new();
        }
    };
    let label = options.one(Id::Label).map(|given| given.value.as_str());
    let exact = options.has(Id::LabelExactMatch);
    let fits = |own: Option<&str>| match (label, own.and_then(|own| own.strip_prefix("lo:"))) {
        (None | Some(""), _) => true,
        (Some(_), None) => false,
        (Some(label), Some(own)) => own == label || (!exact && own.starts_with(label)),
    };
    let fitting = known.iter().filter(|one| !one.prefix.address().is_loopback());
    let fitting = fitting.filter(|one| fits(one.label.as_deref()));
    let found: Vec<Prefix> = fitting.map(|one| one.prefix).collect();
    if found.is_empty() {
        let which = match label {
            Some(label) => format!(" with a label that begins with lo:{label}"),
            None => String::new(),
        };
        errors.add(
            place,
            format!(
                "without --ip it takes the addresses of lo{which}, and this host has none: run the \
                 import where they are, or add --ip for each"
            ),
        );
    }
    found
}

/// The interface of `IP%INTERFACE`.
fn interface(text: &str) -> Result<String, String> {
    let wrong = || format!("\"{text}\" is no IP%INTERFACE: write for example 192.0.2.1%eth0");
    let (ip, device) = text.split_once('%').ok_or_else(wrong)?;
    prefix(ip)?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let fits = !device.is_empty() && device.len() <= 15 && device.chars().all(good);
    if !fits || device.parse::<Glob>().is_err() {
        return Err(wrong());
    }
    Ok(device.to_owned())
}
