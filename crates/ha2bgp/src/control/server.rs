//! Connections and their limits: how many, how long, how much, how often.
//!
//! A connection that has no request in work gives way to a newer one where all places of its user,
//! or all places, are taken: idle, slow and hostile clients keep nobody out. No user has all places.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api::{Code, Refusal};
use super::metrics::{self, Metrics};
use super::orders::{self, Author};
use super::push::Pushes;
use super::questions::Questions;
use super::rate::Rate;
use super::route::{self, Call};
use super::socket::Bound;
use super::why;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// And of one user.
pub const USER_MAX: usize = 32;
/// So many more may be about to end, since a newer one took their place.
const LEAVING_MAX: usize = 16;
/// The longest head of a request, in octets; hyper takes no less.
pub const HEAD_MAX: usize = 8 * 1024;
/// The most header fields.
pub const FIELDS_MAX: usize = 64;
/// The longest body, in octets.
pub const BODY_MAX: usize = 16 * 1024;
/// The longest one with configuration files, in octets.
pub const FILES_MAX: usize = 4 * 1024 * 1024;
/// How long a head may take, with the wait for it.
pub const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a body may take.
pub const BODY_TIME: Duration = Duration::from_secs(5);
/// How long a connection lives at most.
pub const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// How long what is begun may take after that.
const GRACE: Duration = Duration::from_secs(5);
/// Requests a second over one connection, and at once after a rest.
pub const CONNECTION_RATE: (u32, u32) = (100, 200);
/// The same over all of them.
pub const RATE: (u32, u32) = (1000, 2000);
/// The pause after the kernel gave no connection: no descriptor is free, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What requests are answered from.
#[derive(Debug)]
pub struct Api {
    /// The checks that are pushed.
    pub pushes: Pushes,
    /// The way to the engine.
    pub engine: Questions,
    /// What is known of services and checks.
    pub metrics: Metrics,
}

/// What all connections share.
struct Shared {
    api: Api,
    rate: RefCell<Rate>,
}

/// One connection, as all others see it.
struct Place {
    uid: u32,
    /// A request is in work.
    busy: Rc<Cell<bool>>,
    /// Ends it.
    leave: Rc<Notify>,
}

/// The connections, the oldest one first.
#[derive(Default)]
struct Places {
    taken: BTreeMap<u64, Place>,
    count: u64,
}

impl Places {
    /// Takes a place, from an idle connection where there is none free.
    fn enter(&mut self, uid: u32) -> Option<(u64, Rc<Cell<bool>>, Rc<Notify>)> {
        let own = self.taken.values().filter(|place| place.uid == uid).count();
        if own >= USER_MAX {
            self.make_room(|place| place.uid == uid)?;
        } else if self.taken.len() >= CONNECTIONS_MAX {
            self.make_room(|_| true)?;
        }
        self.count += 1;
        let (busy, leave) = (Rc::default(), Rc::default());
        let place = Place { uid, busy: Rc::clone(&busy), leave: Rc::clone(&leave) };
        self.taken.insert(self.count, place);
        Some((self.count, busy, leave))
    }

    /// Ends the oldest idle connection of these.
    fn make_room(&mut self, of: impl Fn(&Place) -> bool) -> Option<()> {
        let idle = |(_, place): &(&u64, &Place)| of(place) && !place.busy.get();
        let oldest = self.taken.iter().find(idle).map(|(number, _)| *number)?;
        self.taken.remove(&oldest)?.leave.notify_one();
        Some(())
    }
}

/// Serves until `stopped` is dropped. Runs in a `LocalSet`.
pub async fn run(bound: Bound, api: Api, mut stopped: oneshot::Receiver<()>) {
    let listener = match bound.listener().and_then(UnixListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the control socket cannot be served");
            return;
        }
    };
    let rate = RefCell::new(Rate::new(RATE.0, RATE.1, Instant::now()));
    let shared = Rc::new(Shared { api, rate });
    let places: Rc<RefCell<Places>> = Rc::default();
    let mut connections = JoinSet::new();
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX + LEAVING_MAX => {
                accepted
            }
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%error, "the control socket gets no connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        refused = false;
        // A client that is gone already has no name; it costs a place all the same.
        let uid = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
        let Some((number, busy, leave)) = places.borrow_mut().enter(uid) else {
            turn_away(&stream);
            continue;
        };
        let (shared, places) = (Rc::clone(&shared), Rc::clone(&places));
        connections.spawn_local(async move {
            serve(stream, shared, uid, busy, leave).await;
            places.borrow_mut().taken.remove(&number);
        });
    }
    connections.shutdown().await;
}

/// Says that there is no place. The answer fits into any buffer.
fn turn_away(stream: &UnixStream) {
    let body = Refusal::new(Code::Busy, "too many requests are in work: try again").body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.try_write(&[head.as_bytes(), &body].concat());
}

/// Serves one connection until it ends, its time is over, or another one needs its place.
async fn serve(
    stream: UnixStream,
    shared: Rc<Shared>,
    uid: u32,
    busy: Rc<Cell<bool>>,
    leave: Rc<Notify>,
) {
    let rate = RefCell::new(Rate::new(CONNECTION_RATE.0, CONNECTION_RATE.1, Instant::now()));
    let service = service_fn(|request| {
        let answer = answer(&shared, &rate, &busy, uid, request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .max_headers(FIELDS_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // What a client does wrong is its own affair.
        _ = connection.as_mut() => return,
        () = leave.notified() => return,
        () = tokio::time::sleep(CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = leave.notified() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}

/// Answers one request.
async fn answer(
    shared: &Shared,
    rate: &RefCell<Rate>,
    busy: &Cell<bool>,
    uid: u32,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let now = Instant::now();
    if !rate.borrow_mut().take(now) || !shared.rate.borrow_mut().take(now) {
        let text = format!(
            "too many requests: {} a second over one connection, and {} over all, are the limit",
            CONNECTION_RATE.0, RATE.0
        );
        return refuse(&Refusal::new(Code::TooMany, text), &[]);
    }
    let (parts, body) = request.into_parts();
    let found = match route::find(parts.method.as_str(), parts.uri.path()) {
        Ok(found) => found,
        Err((refusal, methods)) => return refuse(&refusal, &methods),
    };
    let longest = if found.endpoint.call == Call::Plan { FILES_MAX } else { BODY_MAX };
    let body = match read(body, longest).await {
        Ok(body) => body,
        Err(refusal) => return refuse(&refusal, &[]),
    };
    busy.set(true);
    let pushes = &shared.api.pushes;
    let answer = match found.endpoint.call {
        Call::ListChecks | Call::ShowCheck => pushes.show(&found.names).await,
        Call::PushCheck => pushes.push(&found.names, &body, uid).await,
        Call::Metrics => shared.api.metrics.text().await,
        Call::Why => why::answer(&shared.api.engine, &found.names).await,
        Call::ListOverrides
        | Call::Override
        | Call::Lift
        | Call::Plan
        | Call::Reload
        | Call::Confirm
        | Call::Restart
        | Call::ResetDamping => {
            let author = Author(format!("uid {uid}"));
            let (call, engine) = (found.endpoint.call, &shared.api.engine);
            orders::answer(call, engine, &found.names, &body, &author).await
        }
    };
    busy.set(false);
    match answer {
        Ok(text) if found.endpoint.call == Call::Metrics => {
            let mut response = respond(StatusCode::OK, text);
            let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Ok(json) => respond(StatusCode::OK, json),
        Err(refusal) => refuse(&refusal, &[]),
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

fn refuse(refusal: &Refusal, methods: &[&str]) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, refusal.body());
    let headers = response.headers_mut();
    match refusal.code {
        Code::TooMany | Code::Busy => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What is left of the body is not read.
        Code::TooLarge | Code::TooSlow => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", "))
        && !methods.is_empty()
    {
        headers.insert(ALLOW, methods);
    }
    response
}

fn respond(status: StatusCode, json: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(json)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_give_way_and_busy_ones_do_not() {
        let mut places = Places::default();
        let own: Vec<_> = (0..USER_MAX).map(|_| places.enter(1).unwrap()).collect();
        own[0].1.set(true);
        assert!(places.enter(1).is_some());
        assert_eq!(places.taken.len(), USER_MAX);
        let is_there = |places: &Places, at: usize| places.taken.contains_key(&own[at].0);
        assert!(is_there(&places, 0) && !is_there(&places, 1) && is_there(&places, 2));
        // Others have places still; then the oldest idle one of all goes.
        for _ in USER_MAX..CONNECTIONS_MAX {
            assert!(places.enter(2).is_some());
        }
        assert!(is_there(&places, 2));
        assert!(places.enter(3).is_some());
        assert!(!is_there(&places, 2));
        places.taken.values().for_each(|place| place.busy.set(true));
        assert!(places.enter(3).is_none() && places.enter(1).is_none());
        assert_eq!(places.taken.len(), CONNECTIONS_MAX);
    }
}
