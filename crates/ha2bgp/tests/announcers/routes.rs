//! Every announcer says what it has sent, and when.

use ha2bgp::announce::questions::{Ask, Place};
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::told::Moment;

use crate::bench::{ALL, Bench, Kind, desire, in_time, set};

/// Where somebody answers, it is waited for until everything is acknowledged.
async fn settled(bench: &Bench, kind: Kind) {
    let answers = kind != Kind::Plain;
    in_time(async {
        loop {
            let routes = bench.routes(100).await;
            if routes.iter().all(|it| it.is_sent && (it.acknowledged.is_some() || !answers)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_is_told_page_by_page() {
    for kind in ALL {
        let last = |last_choice| Route { last_choice, ..Route::new(NextHop::SelfAddress) };
        let mut routes: RouteSet = set(0..40);
        let odd = Prefix::host(std::net::IpAddr::from([10, 0, 0, 7]));
        routes.insert(odd, last(true));
        let mut bench = Bench::start(kind, &routes);
        bench.reaches(&routes).await;
        settled(&bench, kind).await;
        let mut wanted = Vec::new();
        routes.for_each(&mut |prefix, _| wanted.push(prefix));
        for limit in [0, 1, 7, 40, 1000] {
            let found = bench.routes(limit).await;
            let prefixes: Vec<Prefix> = found.iter().map(|it| it.prefix).collect();
            assert_eq!(prefixes, wanted, "{kind:?}, {limit} at once");
            for it in found {
                assert!(it.is_sent && it.why_not.is_none(), "{kind:?}: {it:?}");
                let shown = it.sent.clone().unwrap();
                assert_eq!(it.intended, it.sent, "{kind:?}");
                assert_eq!(shown.last_choice, it.prefix == odd, "{kind:?}");
                assert_eq!(shown.med, shown.last_choice.then_some(u32::MAX), "{kind:?}");
                assert!(matches!(it.sent_at, Some(Moment::At(_))), "{kind:?}: {it:?}");
                let acknowledged = matches!(it.acknowledged, Some(Moment::At(_)));
                assert_eq!(acknowledged, kind != Kind::Plain, "{kind:?}: {it:?}");
                assert_eq!(it.peer.is_some(), kind == Kind::Speaker);
            }
        }
        // One that is withdrawn is told of when it is asked for, with its time.
        let fewer = set(1..40);
        bench.desired.send_replace(desire(fewer.clone()));
        bench.reaches(&fewer).await;
        assert_eq!(bench.routes(100).await.len(), 39, "{kind:?}");
        for prefix in [wanted[0], Prefix::host(std::net::IpAddr::from([10, 9, 9, 9]))] {
            let ask = Ask { prefix: Some(prefix), limit: 9, ..Ask::default() };
            let page = bench.questions.routes(ask.clone()).await.unwrap();
            let [route] = page.routes.as_slice() else { panic!("{page:?}") };
            assert_eq!((route.prefix, route.is_sent, page.next), (prefix, false, None), "{kind:?}");
            assert_eq!(route.sent_at.is_some(), prefix == wanted[0], "{kind:?}");
            // And after it there is nothing.
            let after = Some(Place { peer: route.peer, prefix });
            let page = bench.questions.routes(Ask { after, ..ask }).await.unwrap();
            assert_eq!(page.routes, []);
        }
        bench.end().await;
    }
}
