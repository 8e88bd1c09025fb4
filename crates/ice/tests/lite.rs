//! Lite agents (RFC 8445 §2.5), and peers that know nothing of ICE.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Agent, AgentError, CandidateKind, Config, Event, Role, State};
use pinhole_netsim::{Direction, NatConfig, World};
use pinhole_sansio::Instant;
use support::{AgentNode, ROUND_TRIP, Sent, Session, add_stun_server, controlled, controlling};

const LIMIT: Duration = Duration::from_secs(5);

fn lite(config: Config) -> Config {
    Config { lite: true, ..config }
}

fn connect(session: &mut Session) -> bool {
    session.exchange_abilities();
    session.exchange_credentials();
    session.run_until_selected(LIMIT)
}

fn send_both_ways(session: &mut Session) {
    for (from, to) in [(session.a, session.b), (session.b, session.a)] {
        assert!(session.world.with(from, |node, now| node.send(b"data", now)));
        session.world.run_for(ROUND_TRIP);
        assert_eq!(session.world.node(to).data.last().unwrap().1, b"data");
    }
}

#[test]
fn a_lite_agent_answers_and_takes_what_is_nominated() {
    // RFC 8445 §6.1.1, §7.3.2, §8.2.
    let mut session = Session::public(controlling(), lite(controlled()));
    assert!(connect(&mut session));
    let [full, lite] = session.nodes();
    assert_eq!(full.selected_at(), Some(Instant::ZERO + ROUND_TRIP * 2));
    assert_eq!(lite.sent, Sent { successes: 2, ..Sent::default() }, "it checks nothing");
    assert_eq!(full.sent, Sent { checks: 1, nominations: 1, ..Sent::default() });
    assert_eq!([full, lite].map(|node| node.agent.state()), [State::Completed; 2]);
    send_both_ways(&mut session);
}

#[test]
fn a_lite_agent_sends_nothing_before_a_pair_is_nominated() {
    // RFC 8445 §12.1.1.
    let mut session = Session::public(controlling(), lite(controlled()));
    session.exchange_abilities();
    session.exchange_credentials();
    session.world.run_for(ROUND_TRIP);
    assert!(session.nodes()[0].selected_at().is_none());
    assert!(!session.world.with(session.b, |node, now| node.send(b"early", now)));
}

#[test]
fn the_full_agent_controls_a_lite_one_whoever_offered() {
    let mut session = Session::public(lite(controlling()), controlled());
    assert!(connect(&mut session));
    let [lite, full] = session.nodes();
    assert_eq!((lite.agent.role(), full.agent.role()), (Role::Controlled, Role::Controlling));
    assert_eq!(lite.role_switches() + full.role_switches(), 1, "no conflict, and no check for it");
    assert_eq!(full.sent.errors + lite.sent.errors, 0);
}

#[test]
fn a_full_agent_behind_a_nat_reaches_a_lite_one() {
    let mut world = World::new(1);
    let server = add_stun_server(&mut world);
    let home = world.nat("home", NatConfig::symmetric());
    let core = world.core();
    let with_server = |config: Config| Config { stun_servers: vec![server], ..config };
    let mut session = Session::between(
        world,
        (home, with_server(controlling())),
        (core, lite(with_server(controlled()))),
    );
    assert!(connect(&mut session));
    let asked = |event: &Event| matches!(event, Event::MappedAddressLearned { .. });
    assert!(session.nodes()[1].when(asked).is_none(), "a lite agent has host candidates only");
    send_both_ways(&mut session);
}

#[test]
fn a_lite_agent_notices_that_a_peer_that_asked_for_consent_has_gone() {
    let mut session = Session::public(controlling(), lite(controlled()));
    assert!(connect(&mut session));
    session.world.run_for(Duration::from_secs(300));
    assert_eq!(session.world.node(session.b).agent.state(), State::Completed);
    let link = session.world.links(session.a)[0];
    session.world.set_outage(link, Direction::Up, true);
    session.world.run_for(Duration::from_secs(31));
    assert_eq!(session.world.node(session.b).agent.state(), State::Failed);
}

#[test]
fn behind_a_1_to_1_nat_a_socket_is_offered_at_the_public_address() {
    let (own, public): (SocketAddr, SocketAddr) =
        ("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5000".parse().unwrap());
    let mapped =
        |config: Config| Config { public_addresses: vec![(own.ip(), public.ip())], ..config };
    let offered = |config: Config| {
        let mut agent = Agent::new(mapped(config), [1; 32], Instant::ZERO);
        agent.add_base(own, Instant::ZERO).unwrap();
        let gathered = core::iter::from_fn(|| agent.poll_event()).filter_map(|event| {
            let Event::CandidateGathered(candidate) = event else { return None };
            Some((candidate.kind, candidate.udp_address().unwrap(), candidate.related))
        });
        gathered.collect::<Vec<_>>()
    };
    let host = (CandidateKind::Host, own, None);
    let reflexive = (CandidateKind::ServerReflexive, public, Some(own));
    assert_eq!(offered(controlling()), [host, reflexive]);
    let [(kind, address, _)] = offered(lite(controlled()))[..] else { panic!("one candidate") };
    assert_eq!((kind, address), (CandidateKind::Host, public));
}

#[test]
fn an_address_that_a_router_has_mapped_is_offered() {
    let (base, mapped) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:6000".parse().unwrap());
    let mut agent = Agent::new(controlling(), [1; 32], Instant::ZERO);
    let unknown = agent.add_mapped_address(mapped, base, Instant::ZERO);
    assert_eq!(unknown, Err(AgentError::UnusableBase(base)));
    agent.add_base(base, Instant::ZERO).unwrap();
    agent.add_mapped_address(mapped, base, Instant::ZERO).unwrap();
    let last = agent.local_candidates().last().unwrap();
    assert_eq!((last.kind, last.udp_address()), (CandidateKind::ServerReflexive, Some(mapped)));
}

#[test]
fn two_lite_agents_agree_without_a_packet() {
    let mut session = Session::public(lite(controlling()), lite(controlled()));
    assert!(connect(&mut session));
    assert_eq!(session.nodes().map(|node| node.sent), [Sent::default(); 2]);
    let [a, b] = session.nodes().map(|node| node.selected().unwrap());
    assert_eq!(a, (b.1, b.0));
    send_both_ways(&mut session);
}

#[test]
fn a_peer_without_ice_is_sent_to_at_its_default_address() {
    let mut session = Session::public(controlling(), controlled());
    let addresses: [SocketAddr; 2] = session
        .nodes()
        .map(|node| node.agent.local_candidates().next().unwrap().udp_address().unwrap());
    for (id, peer) in [(session.a, addresses[1]), (session.b, addresses[0])] {
        session.world.with(id, |node, now| {
            node.agent.set_remote_without_ice(peer, now).unwrap();
            node.collect(now);
        });
    }
    session.world.run_for(Duration::from_secs(120));
    send_both_ways(&mut session);
    assert_eq!(session.nodes().map(|node| node.sent.checks), [0; 2]);
    let ipv6 = "[2001:db8::1]:9".parse().unwrap();
    session.world.with(session.a, |node: &mut AgentNode, now| {
        let refused = node.agent.set_remote_without_ice(ipv6, now);
        assert_eq!(refused, Err(AgentError::Unreachable(ipv6)));
    });
}
