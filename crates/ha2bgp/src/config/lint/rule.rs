//! Of rules: whether a service is up without its address.

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::CheckKind;
use ha2bgp_core::rule::Rule;

use super::view::View;
use super::{Lint, Warning};

pub(super) const NO_ADDRESS: Lint = Lint {
    code: "no-address",
    about: "a rule that can pass while the VIP is on no interface",
    reason: "a service on `0.0.0.0` goes on listening when the address is gone, and traffic for it is lost",
};
pub(super) const NONLOCAL_BIND: Lint = Lint {
    code: "nonlocal-bind",
    about: "such a rule where `ip_nonlocal_bind` is 1",
    reason: "programs then listen on addresses that the host does not have, and the VIP is announced from \
             every host that runs them",
};

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    let foreign = |family: &str| {
        view.host.sysctl(&format!("net/{family}/ip_nonlocal_bind")).is_some_and(|value| value != 0)
    };
    let (v4, v6) = (foreign("ipv4"), foreign("ipv6"));
    for service in view.services() {
        let rule = &service.config.rule;
        let Some(at) = service.section.section.values.one("rule") else { continue };
        if needs_address(view, rule) {
            continue;
        }
        let vips = service.config.vips.iter().map(|vip| vip.is_ipv4());
        let families = vips.chain(service.config.networks.iter().map(|network| network.is_ipv4()));
        let sysctl = families.filter_map(|ipv4| match ipv4 {
            true => v4.then_some("net.ipv4.ip_nonlocal_bind"),
            false => v6.then_some("net.ipv6.ip_nonlocal_bind"),
        });
        let fix = "add address to the rule: all(address, …)";
        let warning = match sysctl.min() {
            Some(sysctl) => Warning::new(
                &NONLOCAL_BIND,
                at,
                format_args!(
                    "it can pass without the check \"address\", and {sysctl} = 1 lets programs listen on \
                     addresses that this host does not have: {fix}"
                ),
            ),
            None => Warning::new(
                &NO_ADDRESS,
                at,
                format_args!(
                    "it can pass without the check \"address\", so its VIPs are announced also when this \
                     host does not have them: {fix}"
                ),
            ),
        };
        warnings.push(warning);
    }
}

/// True when the rule cannot pass while the address is missing.
pub(super) fn needs_address(view: &View<'_>, rule: &Rule<CheckIndex>) -> bool {
    can(view, rule, true) != Some(true)
}

/// Whether some results of all other checks make the rule pass, or fail, while the address is missing;
/// nothing when only checks without power are in it.
fn can(view: &View<'_>, rule: &Rule<CheckIndex>, pass: bool) -> Option<bool> {
    let each = |rules: &[Rule<CheckIndex>], all: bool| {
        let found: Vec<bool> = rules.iter().filter_map(|rule| can(view, rule, pass)).collect();
        let one = found.iter().any(|can| *can);
        (!found.is_empty()).then(|| if all { found.iter().all(|can| *can) } else { one })
    };
    match rule {
        Rule::Check(index) => {
            let check = view.check(*index)?;
            let is_address = matches!(check.kind, CheckKind::Address { .. });
            (!check.shadow).then_some(!is_address || !pass)
        }
        Rule::All(rules) => each(rules, pass),
        Rule::Any(rules) => each(rules, !pass),
        Rule::AtLeast { needed, of } => {
            let mut weight = 0_u32;
            let mut known = false;
            for (each, rule) in of {
                // What cannot fail passes.
                let passes = can(view, rule, pass).map(|can| can == pass);
                known |= passes.is_some();
                weight = weight.saturating_add(if passes == Some(true) { *each } else { 0 });
            }
            known.then_some((weight >= *needed) == pass)
        }
        Rule::Not(rule) => can(view, rule, !pass),
    }
}
