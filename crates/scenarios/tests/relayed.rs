//! Sessions through a TURN server.

use std::time::Duration;

use pinhole_ice::{CandidateKind, Cause, Event, GatheringError, Reason};
use pinhole_scenarios::oracle::Path;
use pinhole_scenarios::{
    Disturbance, Fault, HomeNat, Place, Plan, Relaying, Session, SessionConfig, Side, Verdict,
};

const LIMIT: Duration = Duration::from_secs(30);
const SYMMETRIC: Place = Place::Home(HomeNat::Symmetric);
const PORT_RESTRICTED: Place = Place::Home(HomeNat::PortRestricted);

fn start(places: [Place; 2], relaying: Relaying) -> Session {
    let config = SessionConfig { relaying, ..SessionConfig::quiet(places) };
    let mut session = Session::new(&config, 1);
    session.exchange_credentials();
    session
}

fn connect(places: [Place; 2], relaying: Relaying) -> Session {
    let mut session = start(places, relaying);
    assert_eq!(session.run_until(LIMIT, Session::is_selected), Ok(true), "{places:?} {relaying:?}");
    session
}

fn run(session: &mut Session, duration: Duration) {
    session.run_until(duration, |_| false).expect("no machine breaks the contract");
    assert_eq!(session.violations(), Vec::<String>::new());
}

#[test]
fn data_flows_both_ways_for_longer_than_a_channel_lives() {
    for places in [[SYMMETRIC; 2], [SYMMETRIC, Place::UdpBlocked], [Place::Ipv6Only, SYMMETRIC]] {
        let mut session = connect(places, Relaying::Available);
        assert_eq!(session.path(), Path::Relayed);
        for round in 1..=800 {
            assert!(session.send(Side::A) && session.send(Side::B), "{places:?} round {round}");
            run(&mut session, Duration::from_secs(1));
            for side in [Side::A, Side::B] {
                assert_eq!(session.node(side).received, round, "{places:?} {side:?}");
            }
        }
    }
}

#[test]
fn data_goes_through_the_relay_while_better_pairs_are_still_tried() {
    let mut session = start([SYMMETRIC, PORT_RESTRICTED], Relaying::Available);
    let is_writable = |session: &Session| {
        [Side::A, Side::B].iter().all(|side| session.node(*side).writable.is_some())
    };
    assert_eq!(session.run_until(LIMIT, is_writable), Ok(true));
    assert!(!session.is_selected());
    assert!(session.send(Side::A) && session.send(Side::B));
    run(&mut session, Duration::from_millis(300));
    assert!(!session.is_selected());
    assert_eq!([Side::A, Side::B].map(|side| session.node(side).received), [1, 1]);
}

#[test]
fn what_is_not_used_is_given_back_and_at_the_end_everything_is() {
    let mut session = connect([PORT_RESTRICTED; 2], Relaying::Available);
    assert_eq!(session.path(), Path::Direct);
    run(&mut session, Duration::from_secs(5));
    assert_eq!(session.allocations(), 0, "nobody relays");

    let mut session = connect([SYMMETRIC; 2], Relaying::Available);
    run(&mut session, Duration::from_secs(5));
    assert!(session.allocations() > 0);
    session.close();
    run(&mut session, Duration::from_secs(1));
    assert_eq!(session.allocations(), 0);
}

#[test]
fn with_relays_only_nothing_else_is_told_or_sent() {
    // CHECKLIST 46, I15: the monitor looks at every datagram.
    let mut session = connect([Place::Public, Place::DualStack], Relaying::Only);
    run(&mut session, Duration::from_secs(40));
    for side in [Side::A, Side::B] {
        let candidates = &session.node(side).gathered;
        assert!(!candidates.is_empty());
        for candidate in candidates {
            assert_eq!(candidate.kind, CandidateKind::Relayed);
            let related = candidate.related.expect("it is always told");
            assert!(related.ip().is_unspecified() && related.port() == 9, "{candidate}");
        }
    }
}

#[test]
fn a_wrong_password_is_told_and_holds_nothing_up() {
    let config = SessionConfig {
        relaying: Relaying::Available,
        password: "not the password",
        ..SessionConfig::quiet([PORT_RESTRICTED; 2])
    };
    let mut session = Session::new(&config, 1);
    session.exchange_credentials();
    assert_eq!(session.run_until(LIMIT, Session::is_selected), Ok(true));
    assert_eq!(session.path(), Path::Direct);
    let refused = session.node(Side::A).events.iter().any(|event| {
        let Event::GatheringFailed { error, .. } = event else { return false };
        matches!(error, GatheringError::NoAllocation(Reason::Credentials(_)))
    });
    assert!(refused, "{:?}", session.node(Side::A).events);
    assert_eq!(session.allocations(), 0);
}

#[test]
fn a_failure_names_the_password_first_and_silence_last() {
    let config = SessionConfig {
        relaying: Relaying::Available,
        password: "not the password",
        ..SessionConfig::quiet([SYMMETRIC; 2])
    };
    let mut session = Session::new(&config, 1);
    session.exchange_credentials();
    assert_eq!(session.run_until(Duration::from_secs(100), Session::has_failed), Ok(true));
    let explanation = session.node(Side::A).agent.explain();
    assert!(matches!(explanation.causes[0], Cause::Unauthorized { .. }), "{explanation}");
    assert_eq!(explanation.causes.last(), Some(&Cause::SilenceWithoutRelay), "{explanation}");
}

#[test]
fn a_relay_that_is_gone_is_told() {
    let mut session = connect([SYMMETRIC; 2], Relaying::Available);
    session.restart_relay();
    let failed = session.run_until(Duration::from_secs(700), Session::has_failed);
    assert_eq!(failed, Ok(true));
}

#[test]
fn a_stream_that_stalls_for_a_while_brings_about_the_path_yet() {
    // Eight seconds are more than a server is given for an allocation, and less than for a permission.
    for after in (300..1_200).step_by(50).map(Duration::from_millis) {
        let places = [Place::UdpBlocked, SYMMETRIC];
        let disturbance = Disturbance {
            fault: Fault::Partition,
            side: Side::A,
            after,
            lasts: Duration::from_secs(8),
        };
        let plan = Plan {
            seed: 1,
            config: SessionConfig { relaying: Relaying::Available, ..SessionConfig::quiet(places) },
            stagger_ms: 0,
            disturbance: Some(disturbance),
        };
        let (verdict, session) = plan.run_traced();
        assert!(matches!(verdict, Verdict::Recovered { .. }), "{plan}: {verdict:?}");
        let events = &session.node(Side::A).events;
        let is_given_up = |event: &Event| {
            matches!(event, Event::PeerRefused { reason: Reason::Transaction(_), .. })
        };
        assert!(!events.iter().any(is_given_up), "{plan}: {events:?}");
    }
}
