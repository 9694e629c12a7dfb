//! From a request that is allowed to whoever answers it: the one place where endpoints are told
//! apart.

use tokio::sync::watch;

use super::answer::Answer;
use super::api::{self, Refusal};
use super::caller::Caller;
use super::metrics::{self, Metrics};
use super::push::Pushes;
use super::query::Query;
use super::questions::Questions;
use super::route::Call;
use super::{WaysIn, happened, level, openapi, orders, read, why};
use crate::announce;
use crate::events::EventLog;

/// What requests are answered from.
#[derive(Debug)]
pub struct Api {
    /// The checks that are pushed.
    pub pushes: Pushes,
    /// The way to the engine.
    pub engine: Questions,
    /// The way to the announcer.
    pub routes: announce::questions::Questions,
    /// What is known of services and checks.
    pub metrics: Metrics,
    /// What happened, and what happens.
    pub events: EventLog,
    /// Which ways in are open.
    pub ways: watch::Receiver<WaysIn>,
}

/// One request, with everything in it judged that does not depend on what is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The names in the path, in its order.
    pub names: &'a [String],
    /// The parameters.
    pub query: &'a Query,
    /// The body; empty where there is none.
    pub body: &'a [u8],
    /// Who asks; changes are recorded under this name.
    pub caller: &'a Caller,
    /// The newest event that the client has (`Last-Event-ID`).
    pub last_event: Option<&'a str>,
}

/// Answers.
///
/// # Errors
/// Why it is refused.
pub async fn answer(api: &Api, call: Call, asked: Asked<'_>) -> Result<Answer, Refusal> {
    match call {
        Call::ListChecks | Call::ShowCheck => api.pushes.show(asked.names).await,
        Call::PushCheck => api.pushes.push(asked.names, asked.body, asked.caller).await,
        Call::Metrics => {
            let text = api.metrics.text().await?;
            return Ok(Answer::Text(metrics::CONTENT_TYPE, text));
        }
        Call::ListOverrides
        | Call::Override
        | Call::ShowOverride
        | Call::Lift
        | Call::Plan
        | Call::Reload
        | Call::Confirm
        | Call::Restart
        | Call::ResetDamping => {
            orders::answer(call, &api.engine, asked.names, asked.body, asked.caller).await
        }
        Call::LogLevel | Call::ShowLogLevel => {
            level::answer(call, &api.engine, asked.body, asked.caller).await
        }
        Call::Control => Ok(api::json(&api::control(&api.ways.borrow()))),
        Call::History => happened::history(&api.events, asked.query).await,
        Call::Events => return happened::events(&api.events, &asked),
        Call::OpenApi => Ok(openapi::text()),
        Call::Why => why::answer(api, asked.names).await,
        Call::Status
        | Call::Services
        | Call::Service
        | Call::Peers
        | Call::Routes
        | Call::Probes
        | Call::Config => read::answer(api, call, asked).await,
    }
    .map(Answer::Json)
}
