//! ICE restarts (RFC 8445 §9): new credentials, and the old path until there is a new one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Agent, AgentError, Config, Event, State};
use pinhole_netsim::{Direction, NatConfig, World};
use pinhole_sansio::{Datagram, Instant};
use pinhole_stun::attribute::{ErrorCode, UseCandidate};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method};
use support::{PORT, ROUND_TRIP, Session, add_stun_server, controlled, controlling, millis};

const LIMIT: Duration = Duration::from_secs(5);

fn connected() -> Session {
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    session
}

/// Both sides begin anew; the new credentials and candidates are told after a while.
fn restart(session: &mut Session) {
    for id in [session.a, session.b] {
        session.world.with(id, |node, now| node.agent.restart(now).unwrap());
        session.world.with(id, |node, now| node.forget_selection(now));
    }
}

#[test]
fn both_credentials_change_and_data_takes_the_old_path_until_the_new_one_is_selected() {
    // I14, CHECKLIST 52.
    let mut session = connected();
    let old = [session.a, session.b].map(|id| {
        let agent = &session.world.node(id).agent;
        (agent.local_credentials().clone(), agent.selected_pair().unwrap())
    });
    restart(&mut session);
    for (id, (credentials, _)) in [session.a, session.b].into_iter().zip(&old) {
        let agent = &session.world.node(id).agent;
        assert_ne!(agent.local_credentials().ufrag, credentials.ufrag);
        assert_ne!(agent.local_credentials().password.as_str(), credentials.password.as_str());
        assert_eq!(agent.state(), State::Connected, "not completed any more, and never broken");
    }
    // Signaling takes its time, longer than consent would last on a path that nobody cares for.
    let mut sent = 0;
    let mut send = |session: &mut Session| {
        for (from, (_, pair)) in [session.a, session.b].into_iter().zip(&old) {
            let route =
                session.world.with(from, |node, now| node.agent.route(4, now).unwrap().pair);
            assert_eq!(route, *pair);
            assert!(session.world.with(from, |node, now| node.send(b"data", now)));
        }
        sent += 1;
        session.world.run_for(Duration::from_secs(1));
    };
    for _ in 0..60 {
        send(&mut session);
    }
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    for (id, (_, pair)) in [session.a, session.b].into_iter().zip(&old) {
        let node = session.world.node(id);
        assert_eq!(node.data.len(), sent, "nothing is lost");
        assert_ne!(node.agent.selected_pair(), Some(*pair), "numbers are not used again");
        assert_eq!(node.agent.state(), State::Completed);
        assert_eq!(node.dropped, []);
    }
    assert!(session.world.with(session.a, |node, now| node.send(b"data", now)));
    session.world.run_for(Duration::from_secs(10));
    assert_eq!(session.world.node(session.b).data.len(), sent + 1);
    let [a, b] = session.nodes().map(|node| node.selected().unwrap());
    assert_eq!(a, (b.1, b.0));
}

#[test]
fn a_restart_is_as_quick_as_a_start() {
    let mut session = connected();
    session.world.run_for(Duration::from_secs(20));
    restart(&mut session);
    let before = session.world.now();
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    assert!(session.world.now() - before <= ROUND_TRIP * 2 + Duration::from_millis(50));
}

#[test]
fn the_peers_late_checks_of_before_are_answered_and_change_nothing() {
    let mut session = connected();
    session.world.with(session.a, |node, now| node.agent.restart(now).unwrap());
    let pairs = session.world.node(session.a).agent.pairs().count();
    // B does not know yet, and goes on to ask for consent.
    session.world.run_for(Duration::from_secs(60));
    assert_eq!(session.world.node(session.b).agent.state(), State::Completed);
    assert_eq!(session.world.node(session.a).agent.pairs().count(), pairs);
    assert_eq!(session.world.node(session.a).agent.state(), State::Connected);
}

#[test]
fn restarts_at_any_moment_end_in_a_selected_pair() {
    // CHECKLIST 52: none wedges, whatever it interrupts.
    for moment in 0..60 {
        let mut session = behind_nats();
        session.exchange_credentials();
        session.run_until(Duration::from_millis(moment * 10), |_| false);
        restart(&mut session);
        session.exchange_credentials();
        assert!(session.run_until_selected(LIMIT), "restarted after {moment} × 10 ms");
        let [a, b] = session.nodes().map(|node| node.selected().unwrap());
        assert_eq!(a, (b.1, b.0));
    }
}

#[test]
fn a_failed_session_is_mended() {
    let mut session = connected();
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.world.run_for(Duration::from_secs(60));
    assert_eq!(session.nodes().map(|node| node.agent.state()), [State::Failed; 2]);
    session.world.set_outage(link, Direction::Up, false);
    restart(&mut session);
    assert_eq!(session.nodes().map(|node| node.agent.state()), [State::New; 2]);
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    assert!(session.world.with(session.a, |node, now| node.send(b"data", now)));
}

#[test]
fn a_new_address_is_found_and_the_old_one_forgotten() {
    let mut session = connected();
    session.world.run_for(Duration::from_secs(7));
    let old = session.world.addresses(session.a)[0];
    let link = session.world.links(session.a)[0];
    let network = session.world.core();
    session.world.roam(session.a, link, network, Duration::from_secs(1));
    session.world.run_for(Duration::from_secs(2));
    let new = session.world.addresses(session.a)[0];
    assert_ne!(old, new);
    session.world.with(session.a, |node, now| {
        node.agent.remove_base(SocketAddr::new(old, PORT), now);
        node.agent.restart(now).unwrap();
        node.agent.add_base(SocketAddr::new(new, PORT), now).unwrap();
        node.agent.end_of_bases(now);
    });
    session.world.with(session.b, |node, now| node.agent.restart(now).unwrap());
    for id in [session.a, session.b] {
        session.world.with(id, |node, now| node.forget_selection(now));
    }
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    assert_eq!(session.world.node(session.a).selected().unwrap().0.ip(), new);
    let told = session.world.node(session.a).agent.local_candidates();
    assert!(told.into_iter().all(|c| c.udp_address().unwrap().ip() != old));
}

#[test]
fn restarts_in_a_row_keep_the_path_that_works() {
    let mut session = connected();
    for _ in 0..5 {
        restart(&mut session);
        session.world.run_for(Duration::from_millis(100));
        assert!(session.world.with(session.a, |node, now| node.send(b"data", now)));
    }
    session.exchange_credentials();
    assert!(session.run_until_selected(LIMIT));
    assert_eq!(session.world.node(session.b).data.len(), 5);
}

#[test]
fn a_restart_without_an_answer_ends_with_the_consent_to_the_old_path() {
    let mut session = connected();
    restart(&mut session);
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.exchange_credentials();
    session.world.run_for(Duration::from_secs(100));
    for node in session.nodes() {
        assert_eq!(node.agent.state(), State::Failed);
        assert!(!node.agent.is_writable(millis(100_000)));
        assert_eq!(node.agent.poll_timeout(), None);
    }
}

#[test]
fn a_nomination_that_is_refused_after_a_restart_leaves_the_old_path() {
    let mut now = Instant::ZERO;
    let mut agents =
        [Agent::new(controlling(), [1; 32], now), Agent::new(controlled(), [2; 32], now)];
    for (agent, last) in agents.iter_mut().zip([1, 2]) {
        agent.add_base(SocketAddr::from(([192, 0, 2, last], PORT)), now).unwrap();
        agent.end_of_bases(now);
    }
    exchange(&mut agents, now);
    carry_until(&mut agents, &mut now, false, |[a, b]| {
        a.selected_pair().is_some() && b.selected_pair().is_some()
    });
    let old = agents[0].route(1, now).unwrap().pair;
    for agent in &mut agents {
        agent.restart(now).unwrap();
    }
    exchange(&mut agents, now);
    let mut failed = false;
    carry_until(&mut agents, &mut now, true, |[a, _]| {
        while let Some(event) = a.poll_event() {
            assert!(!failed || event != Event::RestartFailed, "told once");
            failed |= event == Event::RestartFailed;
        }
        failed
    });
    assert_eq!(agents[0].state(), State::Connected);
    assert_eq!(agents[0].route(1, now).unwrap().pair, old);
}

fn exchange([a, b]: &mut [Agent; 2], now: Instant) {
    tell(a, b, now);
    tell(b, a, now);
}

fn tell(from: &mut Agent, to: &mut Agent, now: Instant) {
    to.set_remote_credentials(from.local_credentials().clone(), now).unwrap();
    while let Some(event) = from.poll_event() {
        if let Event::CandidateGathered(candidate) = event {
            to.add_remote_candidate(candidate, now);
        }
    }
}

/// Carries datagrams in no time; nominations are refused by B with an authentic 500, if that is wanted.
fn carry_until(
    agents: &mut [Agent; 2],
    now: &mut Instant,
    refuses: bool,
    mut done: impl FnMut(&mut [Agent; 2]) -> bool,
) {
    for _ in 0..1_000 {
        while let Some(transmit) = agents[0].poll_transmit() {
            let message = Message::parse(&transmit.payload).unwrap();
            if refuses && message.get::<UseCandidate>() == Ok(Some(UseCandidate)) {
                let password = agents[1].local_credentials().password.as_str().to_owned();
                let refusal = refusal(&message, &password);
                let five_tuple = transmit.five_tuple;
                let _ = agents[0].handle_datagram(Datagram { five_tuple, payload: &refusal }, *now);
            } else {
                let _ = agents[1].handle_datagram(transmit.as_datagram(), *now);
            }
        }
        while let Some(transmit) = agents[1].poll_transmit() {
            let _ = agents[0].handle_datagram(transmit.as_datagram(), *now);
        }
        if done(agents) {
            return;
        }
        let next = agents.iter().filter_map(Agent::poll_timeout).min().unwrap();
        *now = next.max(*now);
        agents.iter_mut().for_each(|agent| agent.handle_timeout(*now));
    }
    panic!("it never happens");
}

fn refusal(request: &Message<'_>, password: &str) -> Vec<u8> {
    let mut buffer = [0; 128];
    let id = request.transaction_id();
    let mut writer =
        MessageWriter::new(&mut buffer, Class::ErrorResponse, Method::BINDING, id).unwrap();
    writer.attribute(&ErrorCode::bare(500)).unwrap();
    writer.integrity(&IntegrityKey::short_term(password)).unwrap().fingerprint().unwrap();
    writer.finish().to_vec()
}

#[test]
fn a_closed_session_stays_closed() {
    let mut session = connected();
    session.world.with(session.a, |node, now| {
        node.agent.close(now);
        assert_eq!(node.agent.restart(now), Err(AgentError::Over));
    });
    let last = session.world.with(session.a, |node, _| node.agent.poll_event());
    assert_eq!(last, Some(Event::StateChanged(State::Closed)));
}

fn behind_nats() -> Session {
    let mut world = World::new(1);
    let server = add_stun_server(&mut world);
    let with_server = |config: Config| Config { stun_servers: vec![server], ..config };
    let homes = ["home-a", "home-b"].map(|name| world.nat(name, NatConfig::port_restricted()));
    Session::between(
        world,
        (homes[0], with_server(controlling())),
        (homes[1], with_server(controlled())),
    )
}
