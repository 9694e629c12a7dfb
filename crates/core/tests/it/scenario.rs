//! Runs the scenario files: lines of inputs, each followed by what the engine did.
//!
//! ```text
//! config networks=100.64.0.0/24 up-delay=6s
//! 0s listen 1 tcp 100.64.0.10:80        an input at a moment
//!   @0s discovered 100.64.0.10 …        what it did (written by UPDATE_EXPECT=1)
//! 10s -                                 no input: let timers fire until then
//! 10s why 100.64.0.10/32                asks for the explanation
//! ```
//! Timers fire at their own moments in between. `UPDATE_EXPECT=1` rewrites the files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use crate::notation;

struct Run {
    engine: Engine,
    announced: RouteSet,
    transcript: String,
}

impl Run {
    fn handle(&mut self, input: Input, now: Instant) {
        self.engine.handle(input, now);
        let at = notation::moment(now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::SetRoutes(routes) => {
                    let transcript = &mut self.transcript;
                    self.announced.diff(&routes, &mut |change| {
                        let verb = if change.after.is_some() { "announce" } else { "withdraw" };
                        writeln!(transcript, "  @{at} {verb} {}", change.prefix).unwrap();
                    });
                    self.announced = routes;
                }
                Output::SetChecks => {
                    let checks = self.engine.checks().map(|key| match key.vip {
                        Some(vip) => format!("{}@{vip}", key.check.0 - 1),
                        None => (key.check.0 - 1).to_string(),
                    });
                    let checks: Vec<String> = checks.collect();
                    let checks =
                        if checks.is_empty() { "nothing".to_owned() } else { checks.join(" ") };
                    writeln!(self.transcript, "  @{at} probe {checks}").unwrap();
                }
                Output::Event(event) => {
                    writeln!(self.transcript, "  @{at} {}", notation::event(&event)).unwrap();
                }
            }
        }
    }

    fn timers_until(&mut self, end: Instant, including: bool) {
        for _ in 0..10_000 {
            match self.engine.poll_timeout() {
                Some(at) if at < end || (including && at == end) => self.handle(Input::Timeout, at),
                _ => return,
            }
        }
        panic!("the engine's timers never rest");
    }

    /// What the configuration would change, asked before it does.
    fn plan(&mut self, config: &EngineConfig, now: Instant) {
        for change in self.engine.plan(config.clone(), now) {
            let show = |route: Option<Route>| match route {
                None => "nothing",
                Some(route) if route.last_choice => "last choice",
                Some(_) => "announced",
            };
            let (before, after) = (show(change.before), show(change.after));
            let at = change.at.map(|at| format!(" at {}", notation::moment(at)));
            let (prefix, reason, at) = (change.prefix, change.reason, at.unwrap_or_default());
            writeln!(self.transcript, "    plan {prefix}: {before} -> {after}{at}, {reason}")
                .unwrap();
        }
    }

    fn explain(&mut self, prefix: Prefix, now: Instant) {
        let why = self.engine.explain(prefix, now);
        let verb = if why.announced { "announced" } else { "not announced" };
        let at = notation::moment(now);
        writeln!(self.transcript, "  @{at} {prefix} is {verb}: {}", why.reason).unwrap();
        let Some(service) = why.service else { return };
        let since = notation::moment(service.since);
        write!(self.transcript, "    since {since}").unwrap();
        for check in &service.checks {
            let (name, outcome, reason) = (&check.name, check.outcome, check.reason);
            write!(self.transcript, ", {name} {outcome} {reason}").unwrap();
            if let Some((state, _)) = &check.probe {
                let (count, [pass, warn, fail, unknown]) = (state.streak.length(), state.counts);
                write!(self.transcript, " {count} in a row of {pass}/{warn}/{fail}/{unknown}")
                    .unwrap();
            }
        }
        for (name, until) in
            [("delay", service.delay_until), ("suppressed", service.suppressed_until)]
        {
            if let Some(until) = until {
                write!(self.transcript, ", {name} until {}", notation::moment(until)).unwrap();
            }
        }
        writeln!(self.transcript, ", penalty {}", service.penalty).unwrap();
        if service.checks.len() > 2 {
            let tree = notation::rule_tree(&service.rule, &service.checks);
            let decider = service.decider.map_or("nothing", |at| &service.checks[at].name);
            writeln!(self.transcript, "    because of {decider}: {tree}").unwrap();
        }
        for over in &service.overrides {
            writeln!(self.transcript, "    override {} {}", over.id.0, over.kind.name()).unwrap();
        }
        if let Some((since, until)) = service.held {
            let (since, until) = (notation::moment(since), notation::moment(until));
            writeln!(self.transcript, "    held since {since}, room at {until}").unwrap();
        }
        if service.shadow != (false, 0) {
            writeln!(self.transcript, "    shadow {:?}", service.shadow).unwrap();
        }
    }
}

fn replay(scenario: &str) -> String {
    let mut config = EngineConfig::default();
    let mut run: Option<Run> = None;
    let mut head = String::new();
    for line in scenario.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] | ["#", ..] => {
                let text = run.as_mut().map_or(&mut head, |run| &mut run.transcript);
                writeln!(text, "{line}").unwrap();
            }
            ["config", settings @ ..] => {
                assert!(run.is_none(), "config comes first");
                settings.iter().for_each(|setting| notation::configure(&mut config, setting));
                writeln!(head, "{line}").unwrap();
            }
            [first, ..] if first.starts_with('@') => {}
            ["since" | "because" | "shadow" | "plan" | "held" | "override", ..] => {}
            [at, words @ ..] => {
                let now = Instant::START + notation::duration(at);
                let run = run.get_or_insert_with(|| Run {
                    engine: Engine::new(config.clone(), Instant::START),
                    announced: RouteSet::new(),
                    transcript: head.clone(),
                });
                match words {
                    ["-"] => {
                        writeln!(run.transcript, "{line}").unwrap();
                        run.timers_until(now, true);
                    }
                    ["why", prefix] => {
                        run.timers_until(now, true);
                        writeln!(run.transcript, "{line}").unwrap();
                        run.explain(prefix.parse().unwrap(), now);
                    }
                    // The settings that change; the others stay.
                    ["reconfigure", settings @ ..] => {
                        run.timers_until(now, true);
                        settings.iter().for_each(|it| notation::configure(&mut config, it));
                        writeln!(run.transcript, "{line}").unwrap();
                        run.plan(&config, now);
                        run.handle(Input::Reconfigure(Box::new(config.clone())), now);
                    }
                    words => {
                        run.timers_until(now, false);
                        writeln!(run.transcript, "{line}").unwrap();
                        run.handle(notation::input(words), now);
                    }
                }
            }
        }
    }
    run.map_or(head, |run| run.transcript)
}

#[test]
fn scenarios_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let want = fs::read_to_string(&path).unwrap();
        let got = replay(&want);
        count += 1;
        if update {
            fs::write(&path, got).unwrap();
        } else {
            assert!(
                got == want,
                "{} goes otherwise (UPDATE_EXPECT=1 rewrites it):\n{got}",
                path.display()
            );
        }
    }
    assert!(count >= 15, "scenario files are missing: found {count}");
}
