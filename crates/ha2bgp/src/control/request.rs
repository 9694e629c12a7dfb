//! One request: found in the table, judged, answered.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::Who;
use super::answer::{self, Answer, Content};
use super::api::{Code, Refusal};
use super::caller::Caller;
use super::calls::{self, Asked};
use super::connection::CONNECTION_RATE;
use super::events::{Ending, EventStream};
use super::places::{Place, Places, STREAMS_MAX, Streams, Work};
use super::query::Query;
use super::rate::Rate;
use super::route::{self, Access, BODY_MAX, Found, Missed};
use super::server::Shared;

/// How long a body may take.
pub const BODY_TIME: Duration = Duration::from_secs(5);
/// Requests a second over all connections of one way in, and at once after a rest.
pub const RATE: (u32, u32) = (1000, 2000);
/// The same for handshakes of TLS; connections beyond that are closed.
pub const HANDSHAKE_RATE: (u32, u32) = (100, 200);

/// One way in: what its connections share, so that no other way in has less.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) places: RefCell<Places>,
    /// Handshakes of TLS: each costs this thread a signature, before anybody has shown a token.
    pub(super) handshakes: RefCell<Rate>,
    streams: Rc<Streams>,
    rate: RefCell<Rate>,
}

impl Way {
    pub(super) fn new() -> Self {
        let rate = |(rate, burst)| RefCell::new(Rate::new(rate, burst, Instant::now()));
        Self {
            places: RefCell::default(),
            handshakes: rate(HANDSHAKE_RATE),
            streams: Rc::default(),
            rate: rate(RATE),
        }
    }
}

/// What a request comes with.
pub(super) struct Context<'a> {
    pub(super) shared: &'a Shared,
    pub(super) way: &'a Way,
    pub(super) place: &'a Place,
    pub(super) who: &'a Who,
    /// Says when streams shall end.
    pub(super) ending: &'a watch::Receiver<()>,
}

impl Context<'_> {
    /// Answers one request.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        in_rate: bool,
    ) -> Response<Content> {
        if !in_rate || !self.way.rate.borrow_mut().take(Instant::now()) {
            let text = format!(
                "too many requests: {} a second over one connection, and {} over all, are the limit",
                CONNECTION_RATE.0, RATE.0
            );
            return answer::refuse(&Refusal::new(Code::TooMany, text), &[]);
        }
        let (parts, body) = request.into_parts();
        let identified = self.shared.rights.borrow().identify(self.who, &parts.headers);
        let caller = match identified {
            Ok(caller) => caller,
            Err(refusal) => {
                if let Who::Host(address) = self.who {
                    self.shared.failures.tell(*address, refusal.code.name()).await;
                }
                return answer::refuse(&refusal, &[]);
            }
        };
        let found = match route::find(parts.method.as_str(), parts.uri.path()) {
            Ok(found) => found,
            Err(Missed::Options(methods)) => return answer::options(&methods),
            Err(Missed::Refused(refusal, methods)) => return answer::refuse(&refusal, &methods),
        };
        let answered = self.answer_found(&found, caller, &parts, body).await;
        answered.unwrap_or_else(|refusal| answer::refuse(&refusal, &[]))
    }

    async fn answer_found(
        &self,
        found: &Found,
        caller: Caller,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Response<Content>, Refusal> {
        let endpoint = found.endpoint;
        if caller.access < endpoint.access {
            return Err(self.shared.rights.borrow().read_only(&caller));
        }
        let query = Query::read(endpoint.query, parts.uri.query())?;
        let longest = match caller.access {
            Access::Read => BODY_MAX,
            Access::Write => endpoint.body_max,
        };
        let body = read(body, longest).await?;
        let caller = match endpoint.access {
            Access::Read => caller,
            Access::Write => caller.named(),
        };
        let asked = Asked {
            names: &found.names,
            query: &query,
            body: &body,
            caller: &caller,
            last_event: parts.headers.get("last-event-id").and_then(|id| id.to_str().ok()),
        };
        self.place.work.set(Work::Busy);
        let answered = calls::answer(&self.shared.api, endpoint.call, asked).await;
        self.place.work.set(Work::Idle);
        self.respond(answered?)
    }

    fn respond(&self, answered: Answer) -> Result<Response<Content>, Refusal> {
        Ok(match answered {
            Answer::Json(json) => answer::json(json),
            Answer::Text(kind, text) => answer::whole(hyper::StatusCode::OK, kind, text),
            Answer::Events(source) => {
                let place = Streams::enter(&self.way.streams, self.place).ok_or_else(|| {
                    let text = format!(
                        "too many streams of events: {STREAMS_MAX} are the limit, half of them \
                         for one client: end one"
                    );
                    Refusal::new(Code::Busy, text)
                })?;
                let ending = Ending::new(self.ending.clone());
                answer::stream(EventStream::new(source, ending, place))
            }
        })
    }
}

/// Reads a body, if it is short and comes soon.
async fn read(body: Incoming, longest: usize) -> Result<Bytes, Refusal> {
    let collect = Limited::new(body, longest).collect();
    match tokio::time::timeout(BODY_TIME, collect).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let text = format!("the body is longer than {longest} octets: send less");
            Err(Refusal::new(Code::TooLarge, text))
        }
        Ok(Err(error)) => {
            Err(Refusal::new(Code::BadBody, format!("the body cannot be read: {error}")))
        }
        Err(_) => {
            let text = format!("the body did not come within {} s", BODY_TIME.as_secs());
            Err(Refusal::new(Code::TooSlow, text))
        }
    }
}
