//! `type = "haproxy"`: what HAProxy itself says of frontends and backends.
//!
//! `hub` keeps one connection to each stats socket and looks once an interval; every check of that
//! socket judges the same picture ([`ha2bgp_proto::haproxy::judge`]). `mapping` tells which frontends
//! serve a VIP, from HAProxy's own listener rows and configuration files.
//!
//! During a reload proxies, sockets and processes come and go: what may be a reload keeps the last
//! status for a grace time. HAProxy that has ended is a fail at once, and so is whatever HAProxy itself
//! calls down.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::haproxy::judge::{Backends, Judgement, Requirement, judge};
use tokio::sync::watch;
use tokio::time::Instant;

use self::hub::{Look, Picture};
use self::mapping::Mapping;
use super::Reporter;
use super::Target;

pub mod hub;
mod mapping;
mod process;

/// Where a stats socket is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Socket {
    /// A unix socket, of a process or of the master.
    Unix(PathBuf),
    /// A TCP socket (`stats socket ipv4@127.0.0.1:9999`).
    Tcp(SocketAddr),
}

/// What is looked at: checks with the same one share a connection.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Source {
    /// Where.
    pub socket: Socket,
    /// Configuration files and directories; empty: those of HAProxy's command line.
    pub config: Vec<PathBuf>,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What a check needs of HAProxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HaproxyProbe {
    /// What is looked at.
    pub source: Source,
    /// What is needed. Without frontends: those that serve the VIP; without backends: those that
    /// the frontends use.
    pub requirement: Requirement,
    /// Only frontends at this port.
    pub port: Option<u16>,
    /// For so long the last status counts when HAProxy may be reloading.
    pub reload_grace: Duration,
    /// Nobody asked for it by name: a VIP without a known frontend, and a socket where no HAProxy has
    /// ever answered, pass.
    pub implicit: bool,
}

/// What one look says.
enum Said {
    Is(ProbeResult),
    /// It may be a reload; afterwards it comes to this.
    Away(Outcome, String),
}

/// Judges every look until nobody listens any more.
pub(super) async fn watch(
    probe: HaproxyProbe,
    at: Target,
    reporter: Reporter,
    mut looks: watch::Receiver<Look>,
) {
    let mut checker = Checker { probe, at, names: None, last: None, away: None, seen: false };
    loop {
        let look = looks.borrow_and_update().clone();
        let now = Instant::now();
        if let Some(result) = checker.result(&look, now)
            && !reporter.report_change(result).await
        {
            return;
        }
        let grace_over = async {
            match checker.away {
                Some(since) if since + checker.probe.reload_grace > now => {
                    tokio::time::sleep_until(since + checker.probe.reload_grace).await;
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = looks.changed() => if changed.is_err() { return },
            () = grace_over => {}
        }
    }
}

/// The memory of one check.
struct Checker {
    probe: HaproxyProbe,
    at: Target,
    /// What is needed by name, and the mapping that says so.
    names: Option<(Rc<Mapping>, Names)>,
    /// The last clear result.
    last: Option<ProbeResult>,
    /// Since when HAProxy may be reloading.
    away: Option<Instant>,
    /// HAProxy has answered.
    seen: bool,
}

/// What is needed by name.
#[derive(Clone)]
struct Names {
    requirement: Requirement,
    /// A frontend chooses backends at run time.
    dynamic: bool,
    /// Every name is of our configuration, none of HAProxy's.
    all_given: bool,
}

impl Checker {
    /// What to report; nothing before the first look.
    fn result(&mut self, look: &Look, now: Instant) -> Option<ProbeResult> {
        let said = match look {
            Look::Nothing => return None,
            Look::Picture(picture) => {
                self.seen = true;
                self.judge(picture)
            }
            Look::Ended(_) | Look::Away(..) | Look::Unclear(_)
                if self.probe.implicit && !self.is_concerned() =>
            {
                let text = "HAProxy has not answered yet: nothing is asked of it";
                Said::Is(ProbeResult::new(Outcome::Pass, text))
            }
            Look::Ended(text) => Said::Is(ProbeResult::new(Outcome::Fail, text)),
            Look::Away(outcome, text) => Said::Away(*outcome, text.to_string()),
            // What cannot be read says nothing of the service.
            Look::Unclear(text) => {
                self.away = None;
                return Some(ProbeResult::new(Outcome::Unknown, text));
            }
        };
        Some(match said {
            Said::Is(result) => {
                self.away = None;
                self.last = Some(result.clone());
                result
            }
            Said::Away(outcome, text) => {
                let since = *self.away.get_or_insert(now);
                match &self.last {
                    _ if now - since >= self.probe.reload_grace => {
                        let result = ProbeResult::new(outcome, &text);
                        self.last = Some(result.clone());
                        result
                    }
                    Some(last) => last.clone(),
                    None => ProbeResult::new(Outcome::Unknown, &text),
                }
            }
        })
    }

    /// True when HAProxy has ever served this VIP.
    fn is_concerned(&self) -> bool {
        self.seen
            && self.names.as_ref().is_none_or(|(_, names)| !names.requirement.frontends.is_empty())
    }

    fn judge(&mut self, picture: &Picture) -> Said {
        let known = self.names.as_ref().is_some_and(|(of, _)| Rc::ptr_eq(of, &picture.mapping));
        if !known {
            let names = names(&self.probe, self.at.vip, picture);
            self.names = Some((Rc::clone(&picture.mapping), names));
        }
        let Some((_, names)) = &self.names else {
            return Said::Away(Outcome::Unknown, "HAProxy is being looked at".to_owned());
        };
        if names.requirement.frontends.is_empty() && self.probe.requirement.frontends.is_empty() {
            return self.without_frontend(picture.mapping.edited);
        }
        match judge(&picture.info, &picture.table, &names.requirement) {
            Judgement::Result(result) if names.dynamic && result.outcome.is_good() => {
                let note = "; backends that are chosen at run time are not looked at";
                Said::Is(ProbeResult::new(result.outcome, &format!("{}{note}", result.detail)))
            }
            Judgement::Result(result) => Said::Is(result),
            Judgement::Missing { what } if picture.mapping.edited && !names.all_given => {
                Said::Away(Outcome::Unknown, format!("{what}; {EDITED}"))
            }
            Judgement::Missing { what } => Said::Away(Outcome::Fail, what.to_string()),
            Judgement::Stopping { pid } => {
                let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                let text = format!("HAProxy{pid} is stopping, and no other one answers");
                Said::Away(Outcome::Fail, text)
            }
        }
    }

    fn without_frontend(&self, edited: bool) -> Said {
        if self.probe.implicit {
            let text = "no frontend of HAProxy is known for this VIP: nothing is asked of it";
            return Said::Is(ProbeResult::new(Outcome::Pass, text));
        }
        let text = match self.at.vip {
            Some(vip) => format!(
                "no frontend of HAProxy is known to serve {vip}: add `option socket-stats`, name its \
                 configuration files, or the frontend"
            ),
            None => "there is no frontend to look at".to_owned(),
        };
        if edited {
            return Said::Away(Outcome::Unknown, format!("{text}; {EDITED}"));
        }
        Said::Away(Outcome::Fail, text)
    }
}

/// What its files say may be of a process that is still to come.
const EDITED: &str = "its configuration was changed after it started: reload it";

/// Which frontends and backends a check is about.
fn names(probe: &HaproxyProbe, vip: Option<IpAddr>, picture: &Picture) -> Names {
    let mut requirement = probe.requirement.clone();
    let mapping = &picture.mapping;
    if requirement.frontends.is_empty()
        && let Some(vip) = vip
    {
        requirement.frontends = mapping.frontends_of(vip, probe.port, &picture.table);
    }
    let mut dynamic = false;
    let mut all_given = !probe.requirement.frontends.is_empty();
    if matches!(&requirement.backends, Backends::OfFrontend(names) if names.is_empty()) {
        let mut backends: Vec<String> = Vec::new();
        for frontend in &requirement.frontends {
            let (of, by_name) = mapping.backends_of(frontend, &picture.table);
            dynamic |= by_name;
            backends
                .extend(of.into_iter().filter(|name| !backends.contains(name)).collect::<Vec<_>>());
        }
        all_given &= backends.is_empty();
        requirement.backends = Backends::OfFrontend(backends);
    }
    Names { requirement, dynamic, all_given }
}
