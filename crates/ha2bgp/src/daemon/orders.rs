//! Carries orders out: overrides, reloads, plans.

use ha2bgp_core::engine::Input;
use ha2bgp_core::overrides::{OVERRIDES_MAX, OverrideId, Scope};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::drain::Over;
use super::engine_task::EngineTask;
use super::ledger::Entry;
use super::plan;
use super::reload::{Load, Purpose, Trial};
use crate::config::settings::Settings;
use crate::control::api::{Code, Refusal};
use crate::control::orders::{
    Answer, Author, Confirmed, Lifted, NewOverride, Order, OverrideShown, Planned, Reload,
};
use crate::events::{Draft, Kind, Level};
use crate::near::nearest;
use crate::observe::listen::ListenConfig;

/// Says it, if anybody still wants to know.
fn tell<T>(answer: oneshot::Sender<T>, what: T) {
    let _ = answer.send(what);
}

impl EngineTask {
    /// Carries an order out.
    pub(super) fn order(&mut self, order: Order) {
        // Whoever asked was told that nobody answers: doing it now would surprise.
        if order.is_given_up() {
            return;
        }
        match order {
            Order::Override(new, answer) => self.say(&new, answer),
            Order::Lift(id, lifted, answer) => self.lift(id, &lifted, answer),
            Order::Overrides(answer) => {
                tell(answer, self.overrides_shown(Timestamp::now()));
            }
            Order::ShowOverride(id, answer) => {
                let (now, saved) = (Timestamp::now(), self.keeper.keeps());
                let found = self.ledger.find(id).map(|entry| {
                    let vips = self.vips_of(&entry.scope());
                    OverrideShown { vips, ..self.show(entry.shown(now, saved)) }
                });
                tell(answer, found.ok_or_else(|| no_such_override(id)));
            }
            Order::Reload(reload, answer) => self.reload(reload, Some(answer)),
            Order::Confirm(author, answer) => self.confirm(&author, answer),
            Order::Restart(author, answer) => {
                tracing::info!(author = %author.0, "a restart was asked for");
                self.restart = true;
                tell(answer, ());
            }
            Order::Plan(files, answer) => {
                let files = (!files.is_empty()).then_some(files);
                let refused = self.configuration.load(Purpose::Plan(answer), files);
                if let Some(Purpose::Plan(answer)) = refused {
                    tell(answer, Err(busy()));
                }
            }
            Order::LogLevel(change, answer) => self.log_level(change, answer),
            Order::ResetDamping(scope, author, answer) => {
                let text = "what flap damping has counted is forgotten";
                self.tell(Draft::new(Kind::Released, Level::Info, text).author(&author.0));
                self.handle_all([Input::ResetDamping(scope)]);
                tell(answer, ());
            }
        }
    }

    /// What operators say.
    pub(super) fn overrides_shown(&self, now: Timestamp) -> Vec<OverrideShown> {
        let saved = self.keeper.keeps();
        self.ledger.entries().iter().map(|it| self.show(it.shown(now, saved))).collect()
    }

    fn tell(&self, draft: Draft) {
        self.ends.teller.tell(draft);
    }

    /// Says no, and tells it.
    fn refuse(&mut self, answer: Option<Answer<Planned>>, refusal: Refusal) {
        self.meter.reload(false);
        let text = format!("not reloaded: {}", refusal.message);
        self.tell(Draft::new(Kind::ReloadRefused, Level::Error, text));
        refuse_quietly(answer, refusal);
    }

    fn say(&mut self, new: &NewOverride, answer: Answer<OverrideShown>) {
        if let Err(refusal) = self.means_something(&new.scope) {
            return tell(answer, Err(refusal));
        }
        let Some(entry) = self.ledger.add(new, Timestamp::now()) else {
            let text = format!("there are {OVERRIDES_MAX} overrides already: take some back");
            return tell(answer, Err(Refusal::new(Code::Busy, text)));
        };
        self.tell(entry.draft(Kind::OverrideSet, "an operator says", entry.author()));
        self.overrides_changed(entry, answer);
    }

    /// What operators say, in the log.
    pub(super) fn dump_overrides(&self) {
        let (now, saved) = (Timestamp::now(), self.keeper.keeps());
        for entry in self.ledger.entries() {
            let shown = self.show(entry.shown(now, saved));
            let mut more = String::new();
            if let Some(until) = &shown.until {
                more.push_str(&format!(", until {until}"));
            }
            if let Some(phase) = shown.phase.filter(|phase| *phase != shown.kind) {
                more.push_str(&format!(", {phase}"));
            }
            if let Some(connections) = shown.connections {
                more.push_str(&format!(", {connections} connections"));
            }
            if !saved {
                more.push_str(", not on disk: lost at a restart");
            }
            tracing::info!("status: override {}, {}{more}", shown.id, entry.words());
        }
    }

    /// An override that nothing could ever obey is a mistake.
    fn means_something(&self, scope: &Scope) -> Result<(), Refusal> {
        let engine = &self.configuration.settings.engine;
        let wrong = |field: &str, value: &str, message: String| {
            let (field, value) = (Some(field.to_owned()), Some(value.to_owned()));
            Err(Refusal { field, value, ..Refusal::new(Code::BadValue, message) })
        };
        match scope {
            Scope::All => Ok(()),
            Scope::Service(name) => {
                let names = || engine.services.iter().map(|service| &*service.name);
                if names().any(|known| known == &**name) {
                    return Ok(());
                }
                let fix = match nearest(names(), name) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "GET /v1/services lists them".to_owned(),
                };
                wrong("service", name, format!("there is no service \"{name}\": {fix}"))
            }
            Scope::Network(prefix) => {
                let meets =
                    |net: ha2bgp_core::net::Prefix| net.covers(*prefix) || prefix.covers(net);
                if engine.networks.iter().any(meets) {
                    return Ok(());
                }
                let networks: Vec<String> =
                    engine.networks.iter().map(|it| it.to_string()).collect();
                let text = format!(
                    "nothing in {prefix} is ever announced: the networks are {}",
                    networks.join(", ")
                );
                wrong("prefix", &prefix.to_string(), text)
            }
        }
    }

    fn lift(&mut self, id: OverrideId, lifted: &Lifted, answer: Answer<OverrideShown>) {
        let Some(entry) = self.ledger.remove(id) else {
            return tell(answer, Err(no_such_override(id)));
        };
        let draft = entry.draft(Kind::OverrideEnded, "an operator takes back", &lifted.author.0);
        self.tell(draft.more("why", &lifted.reason));
        self.overrides_changed(entry, answer);
    }

    /// A drain withdraws from now on.
    pub(super) fn drained(&mut self, id: OverrideId, connections: Option<u32>, how: Over) {
        let Some(entry) = self.ledger.drained(id, connections) else { return };
        let text = format!("drained, withdrawing, since {}", how.words());
        let draft = entry.draft(Kind::OverrideSet, &text, entry.author());
        let left = connections.map_or_else(|| "unknown".to_owned(), |left| left.to_string());
        self.tell(draft.more("connections", left));
        self.overrides_changed(entry, oneshot::channel().0);
    }

    /// The engine has found that the time of an override is over.
    pub(super) fn override_ended(&mut self, id: OverrideId) {
        if let Some(entry) = self.ledger.remove(id) {
            self.tell(entry.draft(Kind::OverrideEnded, "its time is over", ""));
            self.keeper.keep(&self.ledger, |_| {});
            self.drains.hurry(self.clock.now());
        }
    }

    /// Makes the overrides count, keeps them, and then answers.
    fn overrides_changed(&mut self, entry: Entry, answer: Answer<OverrideShown>) {
        let wall = Timestamp::now();
        // The engine says nothing of those that are over when it hears of them.
        for id in self.ledger.over(wall) {
            self.override_ended(id);
        }
        let list = self.ledger.for_engine(wall, self.clock.now());
        self.handle_all([Input::SetOverrides(list)]);
        self.drains.hurry(self.clock.now());
        let vips = self.vips_of(&entry.scope());
        let shown = OverrideShown { vips, ..self.show(entry.shown(wall, false)) };
        let then = move |saved| tell(answer, Ok(OverrideShown { saved, ..shown }));
        self.keeper.keep(&self.ledger, then);
    }

    /// Reads the configuration again.
    pub(super) fn reload(&mut self, reload: Reload, answer: Option<Answer<Planned>>) {
        if let Some(refusal) = self.on_trial() {
            return self.refuse(answer, refusal);
        }
        if let Some(Purpose::Reload(_, answer)) =
            self.configuration.load(Purpose::Reload(reload, answer), None)
        {
            self.refuse(answer, busy());
        }
    }

    /// The files are read.
    pub(super) fn loaded(&mut self, Load { number, purpose, loaded }: Load) {
        let (settings, filter) = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => {
                let refusal = Refusal::new(Code::BadConfig, problems.join("\n\n"));
                return match purpose {
                    Purpose::Plan(answer) => tell(answer, Err(refusal)),
                    Purpose::Reload(_, answer) => {
                        self.meter.reload(false);
                        for line in problems.iter().flat_map(|problem| problem.lines()) {
                            tracing::error!("{line}");
                        }
                        let text = "bad configuration: everything stays as it is";
                        self.tell(Draft::new(Kind::ReloadRefused, Level::Error, text));
                        refuse_quietly(answer, refusal);
                    }
                };
            }
        };
        let old = &self.configuration.settings;
        let listen = ListenConfig {
            doorbell: old.doorbell,
            ..ListenConfig::new(&settings.protocols, &filter)
        };
        let (then, restart) = plan::effective(old, settings);
        let planned = plan::plan(&self.engine, old, &then, restart, self.clock.now());
        match purpose {
            Purpose::Plan(answer) => tell(answer, Ok(planned)),
            // Another one began to read later and was faster: what counts shall be the newest.
            Purpose::Reload(reload, answer) if !self.configuration.is_newest(number) => {
                self.reload(reload, answer);
            }
            Purpose::Reload(reload, answer) => self.accept(reload, answer, planned, then, listen),
        }
    }

    /// While a configuration is on trial there is no other one.
    fn on_trial(&self) -> Option<Refusal> {
        let left = self.configuration.trial_left(self.clock.now())?;
        let text = format!(
            "a configuration is on trial for {} s more: ha2bgp reload --confirmed keeps it, or wait",
            left.as_secs_f64().ceil()
        );
        Some(Refusal::new(Code::Busy, text))
    }

    /// An override of a service that there is, and would not be any more.
    fn orphaned(&self, then: &Settings) -> Option<&Entry> {
        let has = |settings: &Settings, name: &str| {
            settings.engine.services.iter().any(|service| *service.name == *name)
        };
        let now = &self.configuration.settings;
        self.ledger.entries().iter().find(|entry| match entry.scope() {
            Scope::Service(name) => has(now, &name) && !has(then, &name),
            Scope::All | Scope::Network(_) => false,
        })
    }

    fn accept(
        &mut self,
        reload: Reload,
        answer: Option<Answer<Planned>>,
        mut planned: Planned,
        then: Settings,
        listen: ListenConfig,
    ) {
        // One that began to be read at the same time may be on trial by now.
        if let Some(refusal) = self.on_trial() {
            return self.refuse(answer, refusal);
        }
        if planned.beyond_guard > 0 && !reload.force {
            let text = format!(
                "it would withdraw {} routes more than the guard allows now: look at the plan, then \
                 reload with force",
                planned.beyond_guard
            );
            return self.refuse(answer, Refusal::new(Code::Guarded, text));
        }
        if let Some(entry) = self.orphaned(&then)
            && !reload.force
        {
            let text = format!(
                "it has no such service any more, and this override would end by that: {}: take it \
                 back first, name the service as before, or reload with force",
                entry.words()
            );
            return self.refuse(answer, Refusal::new(Code::Guarded, text));
        }
        let now = self.clock.now();
        if let Some(time) = reload.confirm {
            let before = (self.configuration.settings.clone(), self.configuration.listen());
            let author = reload.author.clone();
            self.configuration.trial = Some(Trial { until: now + time, before, author });
            planned.confirm_seconds = Some(time.as_secs_f64());
        }
        for what in &planned.restart {
            tracing::warn!("{what} counts only after a restart");
        }
        self.meter.reload(true);
        self.put_in_force(Box::new(then), listen);
        let text = "the configuration was read again and counts now";
        let draft = Draft::new(Kind::Reconfigured, Level::Info, text).author(&reload.author.0);
        let draft = draft.more("announce", planned.announce).more("withdraw", planned.withdraw);
        self.tell(draft.more("change", planned.change));
        if let Some(answer) = answer {
            tell(answer, Ok(planned));
        }
    }

    fn put_in_force(&mut self, settings: Box<Settings>, listen: ListenConfig) {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_listen_filter(&settings.listen_filter.text);
        }
        let engine = settings.engine.clone();
        self.meter.put_in_force(&self.configuration.settings.engine, &engine);
        self.configuration.put_in_force(settings, listen);
        self.handle_all([Input::Reconfigure(Box::new(engine))]);
    }

    fn confirm(&mut self, author: &Author, answer: Answer<Confirmed>) {
        let left = self.configuration.trial_left(self.clock.now());
        let Some((left, trial)) = left.zip(self.configuration.trial.take()) else {
            let text = "no configuration is on trial: there is nothing to confirm";
            return tell(answer, Err(Refusal::new(Code::NothingToConfirm, text)));
        };
        let draft = Draft::new(Kind::Reconfigured, Level::Info, "the configuration stays");
        self.tell(draft.author(&author.0).more("loaded_by", &trial.author.0));
        tell(answer, Ok(Confirmed { left_seconds: left.as_secs_f64() }));
    }

    /// Nobody has confirmed in time: what was before counts again.
    pub(super) fn roll_back(&mut self) {
        let Some(Trial { before, author, .. }) = self.configuration.trial.take() else { return };
        let text = "nobody has confirmed the configuration in time: the one before counts again";
        let draft = Draft::new(Kind::Reconfigured, Level::Warn, text);
        self.tell(draft.more("loaded_by", &author.0));
        // What the trial had in common with it has kept its numbers, so all of it fits.
        let (mut settings, listen) = before;
        crate::config::carry::carry_over(&self.configuration.settings, &mut settings);
        self.put_in_force(settings, listen);
    }
}

fn no_such_override(id: OverrideId) -> Refusal {
    let text = format!("there is no override {}: GET /v1/overrides lists them", id.0);
    Refusal::new(Code::NoSuchOverride, text)
}

fn busy() -> Refusal {
    Refusal::new(Code::Busy, "configurations are being read: try again")
}

fn refuse_quietly(answer: Option<Answer<Planned>>, refusal: Refusal) {
    if let Some(answer) = answer {
        tell(answer, Err(refusal));
    }
}

#[cfg(test)]
mod tests;
