//! The thread's work: takes connections and serves them, until it shall end.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::api::{Code, Refusal};
use super::caller::{Caller, Source};
use super::calls::Api;
use super::connection;
use super::places::CONNECTIONS_MAX;
use super::request::{Context, Way};
use super::route::Access;
use super::socket::Bound;

/// So many more may be about to end, since a newer one took their place.
const LEAVING_MAX: usize = 16;
/// How long connections may take to end with the server.
const END_TIME: Duration = Duration::from_millis(600);
/// The pause after the kernel gave no connection: no descriptor is free, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopped` is dropped. Runs in a `LocalSet`.
pub async fn run(bound: Bound, api: Api, mut stopped: oneshot::Receiver<()>) {
    let listener = match bound.listener().and_then(UnixListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the control socket cannot be served");
            return;
        }
    };
    let (api, way) = (Rc::new(api), Rc::new(Way::new()));
    let (goes_on, ending) = watch::channel(());
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
        let Some(place) = way.places.borrow_mut().enter(Source::User(uid)) else {
            turn_away(&stream);
            continue;
        };
        let (api, way, ending) = (Rc::clone(&api), Rc::clone(&way), ending.clone());
        connections.spawn_local(async move {
            let author = format!("uid {uid}");
            let caller = Caller { author, uid: Some(uid), access: Access::Write };
            let context = Context { api: &api, way: &way, place: &place, ending: &ending };
            connection::serve(stream, &place, ending.clone(), |request, in_rate| {
                context.answer(&caller, request, in_rate)
            })
            .await;
            way.places.borrow_mut().leave(&place);
        });
    }
    drop(listener);
    drop(goes_on);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_TIME, all).await;
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
