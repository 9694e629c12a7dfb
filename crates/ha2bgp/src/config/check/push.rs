//! `type = "push"`.

use std::time::Duration;

use ha2bgp_core::check::Outcome;

use super::super::duration;
use super::super::file::keys::{self, key};
use super::common::{COUNTING, POWERS};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Watched;
use crate::observe::check::push::{PushName, PushSpec, TTL_MIN};

/// Somebody sends results.
pub(super) const KIND: Kind = Kind {
    name: "push",
    about: "Somebody sends results: `ha2bgp push`, or a POST to the control socket.",
    keys: &[
        key(
            "ttl",
            keys::Kind::Duration,
            "60s",
            "How long a push counts that does not say; none counts longer; 100ms at least",
        ),
        key(
            "on-expiry",
            keys::Kind::Text,
            "unknown",
            "What it is when nothing was pushed in time: `unknown` or `fail`",
        ),
        key(
            "per-vip",
            keys::Kind::Bool,
            "false",
            "Each VIP has results of its own, and a push names it; otherwise one result counts for all",
        ),
        key(
            "rise",
            keys::Kind::Number,
            "1",
            "So many good results in a row make it pass, 1 to 1000",
        ),
        key(
            "fall",
            keys::Kind::Number,
            "1",
            "So many bad results in a row make it fail, 1 to 1000",
        ),
    ],
    groups: &[COUNTING, POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let ttl = fields.get("ttl", ttl);
    let on_expiry = fields.get("on-expiry", on_expiry);
    let per_vip = fields.on("per-vip");
    let service = fields.service.filter(|_| fields.section.own).map(Into::into);
    let name = PushName { service, check: fields.section.name.text.as_str().into() };
    let spec = PushSpec { name, ttl: ttl?, on_expiry: on_expiry?, per_vip };
    Some(Read::watched(Watched::Push(spec), per_vip))
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration::parse(text).map_err(|error| error.to_string())?;
    if ttl < TTL_MIN {
        let least = duration::show(TTL_MIN);
        return Err(format!("\"{text}\" is too short for anybody: write {least} or more"));
    }
    Ok(ttl)
}

fn on_expiry(text: &str) -> Result<Outcome, String> {
    match text {
        "unknown" => Ok(Outcome::Unknown),
        "fail" => Ok(Outcome::Fail),
        other => {
            Err(format!("\"{other}\" is not what silence can mean: write \"unknown\" or \"fail\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::tests::read_with;
    use super::*;
    use crate::observe::check::push::pushed;

    const HEAD: &str = "networks = [\"100.64.0.0/24\"]\n[control]\nunix = \"/run/x.sock\"\n";

    fn read(text: &str) -> Result<Vec<PushSpec>, String> {
        let read = read_with(&["--config", "a.toml"], &[], &[("a.toml", text)]);
        read.map(|settings| pushed(&settings.checks.specs))
    }

    #[test]
    fn two_that_look_alike_are_two_and_one_for_all_is_one() {
        let service = |name: &str, vip: u8| {
            format!(
                "[[service]]\nname = \"{name}\"\nvips = [\"100.64.0.{vip}\"]\n\
                 rule = \"all(x, up)\"\n[service.checks.x]\ntype = \"push\"\n"
            )
        };
        let up = "[checks.up]\ntype = \"push\"\nttl = \"2m\"\non-expiry = \"fail\"\n";
        let text = format!("{HEAD}{up}{}{}", service("web", 1), service("dns", 2));
        let specs = read(&text).unwrap();
        let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
        assert_eq!(names, ["web/x", "up", "dns/x"]);
        assert_eq!((specs[0].ttl, specs[0].on_expiry), (Duration::from_secs(60), Outcome::Unknown));
        assert_eq!((specs[1].ttl, specs[1].on_expiry), (Duration::from_secs(120), Outcome::Fail));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let web = "[[service]]\nname = \"web\"\nvips = [\"100.64.0.1\"]\n[service.checks.push]\n";
        assert!(read(&format!("{HEAD}{web}")).is_ok());
        for (text, want) in [
            (
                format!("networks = [\"100.64.0.0/24\"]\n{web}"),
                "5:17: service.checks.push: nobody could push to it without a control socket: add",
            ),
            (format!("{HEAD}{web}ttl = \"99ms\""), "8:7: service.checks.push.ttl: \"99ms\" is too"),
            (format!("{HEAD}{web}ttl = 60"), "has no unit"),
            (format!("{HEAD}{web}on-expiry = \"pass\""), "is not what silence can mean"),
            (format!("{HEAD}{web}interval = \"1s\""), "has it"),
            (format!("{HEAD}{web}per_vip = true"), "did you mean per-vip?"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(want), "{text}\n{error}");
        }
    }

    /// The examples of the guides work as they are.
    #[test]
    fn the_examples_are_good() {
        let guides = [
            include_str!("../../../../../docs/control.md"),
            include_str!("../../../../../docs/checks/push.md"),
        ];
        for guide in guides {
            let blocks = guide.split("```toml\n").skip(1);
            assert!(blocks.clone().count() > 0);
            for block in blocks {
                let text = block.split("```").next().unwrap();
                let files = [("a.toml", text), ("/etc/group", "root:x:0:\n")];
                let read = read_with(&["--config", "a.toml"], &[], &files);
                assert_eq!(read.map(drop), Ok(()), "{text}");
            }
        }
    }
}
