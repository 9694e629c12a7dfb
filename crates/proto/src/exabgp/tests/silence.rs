//! No answers, late answers, lost answers.

use super::*;

#[test]
fn without_answers_the_pipe_alone_sets_the_pace() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.session.set_routes(&many(200), lab.now);
    assert_eq!(lab.flush().len(), WINDOW);
    assert_eq!(lab.pass(Duration::from_millis(1999)), []);
    // The rest is free to go.
    assert_eq!(lab.pass(Duration::from_millis(1)).len(), 200 - WINDOW);
    assert_eq!(lab.take_events(), [Event::AcksAbsent]);
    assert!(lab.session.is_settled());
    // No waiting for answers per prefix either.
    lab.session.set_routes(&many(100), lab.now);
    assert_eq!(lab.flush().len(), 100);

    // Late ones: the first 300 belong to what was written meanwhile.
    lab.say("done\n");
    assert_eq!(lab.take_events(), [Event::AcksPresent]);
    lab.say(&"done\n".repeat(298));
    assert_eq!(lab.want(&["192.0.2.1"]).len(), WINDOW);
    lab.say("error\n");
    assert_eq!(lab.take_events(), []);
    lab.say("error\n");
    assert_eq!(lab.take_events().len(), 1);
    assert_eq!(lab.session.snapshot().unexpected, 0);
}

#[test]
fn version_3_and_plain_output_never_wait() {
    for options in [
        Options { version: ApiVersion::V3, ..Options::default() },
        Options { answers: false, ..Options::default() },
    ] {
        let mut lab = Lab::new(options);
        lab.session.set_routes(&many(1000), lab.now);
        assert_eq!(lab.flush().len(), 1000);
        assert!(lab.session.is_settled());
        assert_eq!(lab.take_events(), []);
    }
}

/// ExaBGP says so and then waits for its helpers: whoever waits for answers holds it up.
#[test]
fn a_stopping_exabgp_is_not_waited_for() {
    for said in ["shutdown 12 1\n", "{ \"answer\": \"shutdown\", \"message\": \"exbgp exited\" }\n"]
    {
        let mut lab = answering(300);
        lab.session.set_routes(&RouteSet::new(), lab.now);
        lab.flush();
        assert!(!lab.session.is_settled());
        lab.say(said);
        assert!(lab.session.is_peer_stopping() && lab.session.is_settled());
        assert_eq!(lab.take_events(), [Event::PeerStops]);
        // All that was announced is withdrawn, and nothing is said twice.
        let announced = lab.lines.iter().filter(|line| line.starts_with("announce")).count();
        let withdrawn = lab.lines.iter().filter(|line| line.starts_with("withdraw")).count();
        assert_eq!(announced, withdrawn);
        lab.say(said);
        assert_eq!(lab.take_events(), []);
        assert_eq!(lab.session.poll_timeout().filter(|at| *at < Instant::from_secs(100)), None);
    }
}

/// Brings a lab to the point where answers are known to come, with `waiting` commands in flight.
fn answering(waiting: u32) -> Lab {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1"]);
    lab.say("done\n");
    lab.session.set_routes(&many(waiting), lab.now);
    lab.flush();
    lab
}

#[test]
fn a_busy_exabgp_is_waited_for() {
    let mut lab = answering(9);
    let probe = "withdraw route 192.0.2.1 next-hop self";
    assert_eq!(lab.pass(Duration::from_secs(59)), [(10_000, probe.to_string())]);
    assert_eq!(lab.take_events(), [Event::Stalled { in_flight: 10 }]);
    assert!(lab.session.snapshot().stalled);
    // Changes go on, up to the window.
    lab.session.set_routes(&many(500), lab.now);
    assert_eq!(lab.flush().len(), WINDOW - 11);
    lab.say("done\n");
    let after = Duration::from_secs(59);
    assert_eq!(lab.take_events(), [Event::Resumed { after }]);
    for _ in 0..600 {
        lab.say("done\n");
    }
    assert_eq!(lab.take_events(), []);
    let snapshot = lab.session.snapshot();
    assert_eq!((snapshot.acknowledged, snapshot.in_flight), (500, 0));
    assert_eq!(lab.session.poll_timeout().map(|at| at >= Instant::from_secs(300)), Some(true));
}

#[test]
fn a_lost_answer_is_noticed_and_made_good() {
    let mut lab = answering(9);
    // Ten commands wait; one answer is lost.
    lab.say(&"done\n".repeat(9));
    assert_eq!(lab.pass(Duration::from_secs(10)).len(), 1);
    assert_eq!(lab.take_events(), [Event::Stalled { in_flight: 1 }]);
    // The answer to the probe, taken for the answer to what waits.
    lab.say("done\n");
    assert_eq!(lab.take_events().len(), 1);
    let again = lab.pass(Duration::from_secs(10));
    assert_eq!(again.len(), 1);
    assert_eq!(lab.take_events(), [Event::Resynchronised { prefixes: 1 }]);
    lab.say("done\n");
    assert!(lab.session.is_settled());
}

#[test]
fn answers_that_end_for_ever_are_given_up() {
    let mut lab = answering(9);
    lab.pass(Duration::from_secs(69));
    assert_eq!(lab.take_events(), [Event::Stalled { in_flight: 10 }]);
    let again = lab.pass(SEC);
    assert_eq!(again.len(), 10);
    assert_eq!(lab.take_events(), [Event::AcksAbsent]);
    assert!(lab.session.is_settled());
}

#[test]
fn a_blocked_pipe_is_no_reason_to_give_up() {
    let mut lab = answering(9);
    lab.pass(Duration::from_secs(20));
    lab.session.blocked();
    assert_eq!(lab.pass(Duration::from_secs(3600)), []);
    assert_eq!(lab.take_events(), [Event::Stalled { in_flight: 10 }]);
    // Writable again: the minute starts now.
    lab.session.poll_write(lab.now);
    lab.pass(Duration::from_secs(59));
    assert_eq!(lab.take_events(), []);
    lab.pass(SEC);
    assert_eq!(lab.take_events(), [Event::AcksAbsent]);
}

#[test]
fn answers_to_nothing_are_counted() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.say("done\nerror\nneighbor 127.0.0.1 up\n");
    let snapshot = lab.session.snapshot();
    assert_eq!((snapshot.unexpected, snapshot.ignored_lines), (2, 1));
    assert_eq!(lab.want(&["192.0.2.1"]).len(), 1);
    lab.say("done\n");
    assert_eq!(lab.session.snapshot().acknowledged, 1);
}

#[test]
fn a_slow_start_in_the_wrong_grammar_is_made_good() {
    let mut lab = Lab::version(ApiVersion::Auto);
    lab.want(&["192.0.2.1", "192.0.2.2"]);
    lab.pass(3 * SEC);
    lab.want(&["192.0.2.1"]);
    assert_eq!(lab.take_events(), [Event::AcksAbsent]);
    assert_eq!(lab.say("error\nerror\n"), Vec::<String>::new());
    assert_eq!(
        lab.say("error\n"),
        [
            "peer * withdraw route 192.0.2.2 next-hop self",
            "peer * announce route 192.0.2.1 next-hop self",
        ]
    );
    lab.say("done\ndone\n");
    assert!(lab.session.is_settled());
}
