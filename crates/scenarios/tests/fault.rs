//! Every fault, on both sides, at every step of a session.

use std::time::Duration;

use pinhole_ice::{Event, State};
use pinhole_scenarios::{
    Disturbance, Fault, HomeNat, Place, Plan, Relaying, Session, SessionConfig, Side, Verdict,
};

const SYMMETRIC: Place = Place::Home(HomeNat::Symmetric);
const PORT_RESTRICTED: Place = Place::Home(HomeNat::PortRestricted);

/// Direct over one NAT and over two, over IPv6, relayed over UDP and over TCP.
const PLACES: [[Place; 2]; 5] = [
    [Place::Public, PORT_RESTRICTED],
    [PORT_RESTRICTED, Place::Carrier(HomeNat::AddressRestricted)],
    [Place::Ipv6Only, Place::DualStack],
    [SYMMETRIC, SYMMETRIC],
    [Place::UdpBlocked, SYMMETRIC],
];

/// A session on a quiet network, whose applications restart when their path is in doubt.
fn plan(places: [Place; 2]) -> Plan {
    let config = SessionConfig { relaying: Relaying::Available, ..SessionConfig::quiet(places) };
    Plan { seed: 5, config, stagger_ms: 0, disturbance: None }
}

/// When such a session is gathering, can first send, has selected a pair, and has settled; and before all that.
fn steps(places: [Place; 2]) -> [Duration; 6] {
    let mut session = Session::new(&plan(places).config, 5);
    session.exchange_credentials();
    let mut at = |done: fn(&Session) -> bool| {
        assert_eq!(session.run_until(Duration::from_secs(10), done), Ok(true), "{places:?}");
        session.world.now() - pinhole_sansio::Instant::ZERO
    };
    let gathers = at(|session| session.node(Side::A).gathered.len() > 1);
    let sends =
        at(|session| [Side::A, Side::B].iter().any(|side| session.node(*side).writable.is_some()));
    let selects =
        at(|session| [Side::A, Side::B].iter().any(|side| session.node(*side).selected.is_some()));
    let selected = at(Session::is_selected);
    [Duration::ZERO, gathers, sends, selects, selected, selected + Duration::from_secs(5)]
}

#[test]
fn after_every_fault_at_every_step_both_sides_come_together() {
    let mut runs = 0;
    for places in PLACES {
        for (fault, side, after) in everything(steps(places)) {
            let lasts = Duration::from_secs(20);
            let mut plan = plan(places);
            plan.config.recovers = true;
            plan.disturbance = Some(Disturbance { fault, side, after, lasts });
            let verdict = plan.run();
            assert!(matches!(verdict, Verdict::Recovered { .. }), "{plan}: {verdict:?}");
            runs += 1;
        }
    }
    assert_eq!(runs, PLACES.len() * Fault::ALL.len() * 2 * 6);
}

fn everything(steps: [Duration; 6]) -> impl Iterator<Item = (Fault, Side, Duration)> {
    let on_sides = Fault::ALL.into_iter().flat_map(|fault| [(fault, Side::A), (fault, Side::B)]);
    on_sides.flat_map(move |(fault, side)| steps.map(|after| (fault, side, after)))
}

/// A path that fails for less than it takes to be in doubt, or is only slow, is never said to have failed.
#[test]
fn what_passes_soon_disconnects_nobody() {
    let passing = [Fault::OneWay(pinhole_netsim::Direction::Up), Fault::Partition, Fault::SlowHost];
    for places in PLACES {
        for fault in passing {
            let settled = steps(places)[5];
            let lasts = Duration::from_secs(6);
            let mut plan = plan(places);
            plan.disturbance = Some(Disturbance { fault, side: Side::A, after: settled, lasts });
            let (verdict, session) = plan.run_traced();
            assert!(matches!(verdict, Verdict::Recovered { .. }), "{plan}: {verdict:?}");
            for side in [Side::A, Side::B] {
                let events = &session.node(side).events;
                let is_alarm = |event: &Event| {
                    matches!(event, Event::StateChanged(State::Disconnected | State::Failed))
                };
                assert!(!events.iter().any(is_alarm), "{plan}: {side:?}");
            }
        }
    }
}
