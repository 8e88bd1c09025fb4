//! Strangers, liars and noise: what must not change anything (RFC 8445 §19).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Candidate, DropReason, Event, PairFailure, PairState, State};
use pinhole_netsim::{Conditions, HostId, Node, World};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::{ErrorCode, Priority, UseCandidate, Username, XorMappedAddress};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use support::{ACCESS, AgentNode, PORT, Session, controlled, controlling};

/// Remembers what it was sent, and sends what it is told to.
#[derive(Default)]
struct Stranger {
    outbox: Vec<Transmit>,
    received: Vec<Vec<u8>>,
}

impl Node for Stranger {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        self.received.push(datagram.payload.to_vec());
    }
    fn handle_timeout(&mut self, _now: Instant) {}
    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn requests_with_wrong_credentials_are_refused_and_leave_no_trace() {
    // CHECKLIST 44.
    let (mut session, stranger) = with_stranger();
    let credentials = session.world.node(session.a).agent.local_credentials().clone();
    let (ours, wrong) = (credentials.ufrag.as_str(), "not-the-right-password");
    let pairs_before = session.world.node(session.a).agent.pairs().count();
    let good_name = format!("{ours}:peer");
    for (username, password, code) in [
        (Some("nobody:peer"), Some(credentials.password.as_str()), 401),
        (Some(good_name.as_str()), Some(wrong), 401),
        (Some("no-colon"), Some(wrong), 401),
        (Some(good_name.as_str()), None, 400),
        (None, Some(wrong), 400),
    ] {
        let request = check(username, password);
        say(&mut session, stranger, &request);
        let answer = session.world.with(stranger, |node, _| node.received.pop().unwrap());
        assert!(answer.len() <= request.len(), "{} bytes for {}", answer.len(), request.len());
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap().code, code);
        assert!(!answer.has_integrity(), "nothing is signed for a stranger");
    }
    for _ in 0..10_000 {
        say(&mut session, stranger, &check(Some(&good_name), Some(wrong)));
    }
    let node = session.world.node(session.a);
    assert_eq!(node.agent.pairs().count(), pairs_before);
    assert_eq!(node.agent.remote_candidates().count(), 1);
    assert!(node.dropped.iter().all(|reason| matches!(reason, DropReason::Refused(400 | 401))));
}

#[test]
fn a_request_of_another_session_is_answered_and_teaches_nothing() {
    // The right password, and a peer's user fragment that is not the peer's: another fork of the call.
    let (mut session, stranger) = with_stranger();
    let credentials = session.world.node(session.a).agent.local_credentials().clone();
    let name = format!("{}:fork", credentials.ufrag);
    say(&mut session, stranger, &check(Some(&name), Some(credentials.password.as_str())));
    let answer = session.world.with(stranger, |node, _| node.received.pop().unwrap());
    assert_eq!(Message::parse(&answer).unwrap().class(), Class::SuccessResponse);
    assert_eq!(session.world.node(session.a).agent.remote_candidates().count(), 1);
}

#[test]
fn an_unknown_attribute_that_must_be_understood_is_answered_with_420() {
    // RFC 8489 §6.3.1.
    let (mut session, stranger) = with_stranger();
    let credentials = session.world.node(session.a).agent.local_credentials().clone();
    let mut buffer = [0; 256];
    let id = TransactionId::new([9; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    let name = format!("{}:peer", credentials.ufrag);
    writer.attribute(&Username(&name)).unwrap();
    // CHANGE-REQUEST has no place in ICE.
    writer.attribute(&pinhole_stun::attribute::ChangeRequest::default()).unwrap();
    writer.integrity(&IntegrityKey::short_term(credentials.password.as_str())).unwrap();
    let request = writer.finish().to_vec();
    say(&mut session, stranger, &request);
    let answer = session.world.with(stranger, |node, _| node.received.pop().unwrap());
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap().code, 420);
    answer.verify(&IntegrityKey::short_term(credentials.password.as_str())).unwrap();
}

#[test]
fn forged_answers_change_nothing_and_the_real_one_wins() {
    // CHECKLIST 11 and 43, I5: no integrity, or a wrong one, on success, 400 and 487.
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    session.world.run_for(Duration::from_millis(1));
    let id = first_check_id(&session);
    let (a, b) = (address(&session, session.a), address(&session, session.b));
    let forger = IntegrityKey::short_term("not-the-right-password");
    for code in [None, Some(400), Some(487)] {
        for key in [None, Some(&forger)] {
            let answer = response(id, code, a, key);
            inject(&mut session, FiveTuple::udp(a, b), &answer);
        }
    }
    let node = session.world.node(session.a);
    assert_eq!(node.dropped, [DropReason::Integrity; 6]);
    assert_eq!(node.role_switches(), 0);
    assert!(session.run_until_selected(Duration::from_secs(1)));
}

#[test]
fn an_authentic_answer_from_another_address_fails_the_pair() {
    // RFC 8445 §7.2.5.2.1; CHECKLIST 43, I11.
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    session.world.run_for(Duration::from_millis(1));
    let id = first_check_id(&session);
    let (a, b) = (address(&session, session.a), address(&session, session.b));
    let password = session.world.node(session.b).agent.local_credentials().password.clone();
    let elsewhere = SocketAddr::new(b.ip(), b.port() + 1);
    let key = IntegrityKey::short_term(password.as_str());
    inject(&mut session, FiveTuple::udp(a, elsewhere), &response(id, None, a, Some(&key)));
    let pair = session.world.node(session.a).agent.pairs().next().unwrap();
    assert_eq!(
        (pair.state, pair.failure),
        (PairState::Failed, Some(PairFailure::NotSymmetric(elsewhere)))
    );
    // The peer's own check brings the pair back (RFC 8445 §7.3.1.4).
    assert!(session.run_until_selected(Duration::from_secs(1)));
}

#[test]
fn data_from_an_address_that_was_not_validated_is_dropped() {
    // CHECKLIST 49, I4: a DTLS ClientHello and an RTP packet, before and after the pair is selected.
    let (mut session, stranger) = with_stranger();
    for first in [22, 128] {
        say(&mut session, stranger, &[first; 200]);
    }
    assert!(session.run_until_selected(Duration::from_secs(5)));
    for first in [22, 128] {
        say(&mut session, stranger, &[first; 200]);
    }
    let node = session.world.node(session.a);
    assert_eq!(node.data, []);
    assert_eq!(node.dropped, [DropReason::NotValidated; 4]);
}

/// Says that everybody is at the same address, which nobody is at.
#[derive(Default)]
struct LyingServer(Vec<Transmit>);

const LIE: &str = "198.51.100.9:9";

impl Node for LyingServer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let request = Message::parse(datagram.payload).unwrap();
        let mut buffer = [0; 64];
        let mut writer =
            MessageWriter::response_to(&request, Class::SuccessResponse, &mut buffer).unwrap();
        writer.attribute(&XorMappedAddress(LIE.parse().unwrap())).unwrap();
        let payload = writer.finish().into();
        self.0.push(Transmit { five_tuple: datagram.five_tuple, payload });
    }
    fn handle_timeout(&mut self, _now: Instant) {}
    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.0.pop()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn line_14_a_lying_server_makes_us_offer_an_address_and_send_nothing_there() {
    // RFC 8489 §16.2.
    let mut world = World::new(1);
    world.record(pinhole_netsim::Recording::Everything);
    let liar = world.host("liar").start(LyingServer::default());
    let server = SocketAddr::new(world.addresses(liar)[0], 3_478);
    let core = world.core();
    let with_server =
        |config: pinhole_ice::Config| pinhole_ice::Config { stun_servers: vec![server], ..config };
    let mut session =
        Session::between(world, (core, with_server(controlling())), (core, controlled()));
    session.exchange_credentials();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    session.world.run_for(Duration::from_secs(60));
    let a = session.world.node(session.a);
    assert!(
        a.agent.local_candidates().any(|candidate| candidate.address.to_string() == LIE),
        "it is offered"
    );
    let trace = session.world.trace().to_string();
    let from_a = format!("{} -> {LIE}", address(&session, session.a));
    assert!(trace.contains(&format!("{} -> ", address(&session, session.a))));
    assert!(!trace.contains(&from_a), "and A never sends there");
}

#[test]
fn every_first_byte_is_a_decision() {
    // CHECKLIST 16: {valid peer, stranger} times 256 first bytes.
    let (mut session, stranger) = with_stranger();
    assert!(session.run_until_selected(Duration::from_secs(5)));
    let (a, b) = (address(&session, session.a), address(&session, session.b));
    for first in 0..=255 {
        inject(&mut session, FiveTuple::udp(a, b), &[first; 40]);
        say(&mut session, stranger, &[first; 40]);
    }
    let node = session.world.node(session.a);
    let passed: Vec<u8> = node.data.iter().map(|(_, payload)| payload[0]).collect();
    assert_eq!(
        passed,
        (4..=255).collect::<Vec<u8>>(),
        "all but STUN is the application's, from the peer"
    );
    assert_eq!(node.dropped.len(), 256 + 4);
}

#[test]
fn the_peer_can_neither_fill_the_tables_nor_make_us_shout() {
    // CHECKLIST 40 and 42, I2, I19.
    let mut session = Session::public(controlling(), controlled());
    session.trickles = [false, false];
    session.exchange_credentials();
    session.world.with(session.a, |node, now| {
        for number in 0..10_000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            let text = format!(
                "{number} 1 udp {} 198.51.100.{low} {} typ host",
                1_000 + number,
                2_000 + u16::from(high)
            );
            node.agent.add_remote_candidate(text.parse().unwrap(), now);
        }
    });
    session.world.run_for(Duration::from_secs(300));
    let node = session.world.node(session.a);
    assert_eq!(node.agent.remote_candidates().count(), 100);
    assert_eq!(node.agent.pairs().count(), 100);
    let most = 39_500 / 50;
    assert!(node.sent.checks <= most, "{} checks: more than one each Ta", node.sent.checks);
}

#[test]
fn candidates_that_cannot_be_used_are_left_out() {
    // RFC 8839 §5.1, RFC 8838 §11 and §14; CHECKLIST 50, I13.
    let mut session = Session::public(controlling(), controlled());
    session.trickles = [false, false];
    session.exchange_credentials();
    let ufrag = session.world.node(session.b).agent.local_credentials().ufrag.clone();
    let texts = [
        "1 1 udp 9 4e2f6f7a-1c2b-4a5e-8a0c-9d1b5e6f7a8b.local 5000 typ host".to_owned(),
        "2 1 tcp 9 198.51.100.1 9 typ host tcptype active".to_owned(),
        "3 1 udp 9 198.51.100.2 5000 typ host ufrag old1".to_owned(),
        "4 1 udp 9 198.51.100.3 0 typ host".to_owned(),
        format!("5 1 udp 9 198.51.100.4 5000 typ host ufrag {ufrag}"),
        format!("6 1 udp 9 198.51.100.4 5000 typ host ufrag {ufrag}"),
    ];
    session.world.with(session.a, |node, now| {
        for text in texts {
            node.agent.add_remote_candidate(text.parse::<Candidate>().unwrap(), now);
        }
        node.agent.end_of_remote_candidates(now);
        node.agent
            .add_remote_candidate("7 1 udp 9 198.51.100.5 5000 typ host".parse().unwrap(), now);
    });
    let node = session.world.node(session.a);
    let kept: Vec<_> =
        node.agent.remote_candidates().map(|candidate| candidate.address.to_string()).collect();
    assert_eq!(kept, ["198.51.100.4:5000"]);
    assert_eq!(node.agent.state(), State::Checking);
}

#[test]
fn a_closed_agent_says_and_does_nothing() {
    // I18.
    let mut session = Session::public(controlling(), controlled());
    session.exchange_credentials();
    session.world.run_for(ACCESS);
    session.world.with(session.a, |node, now| node.agent.close(now));
    let before = session.world.counters(session.a).sent;
    session.world.run_for(Duration::from_secs(60));
    assert_eq!(session.world.counters(session.a).sent, before);
    assert_eq!(session.world.node(session.a).agent.poll_timeout(), None);
    let last = session.world.node(session.a).events.last().map(|(_, event)| event.clone());
    assert_eq!(last, Some(Event::StateChanged(State::Closed)));
}

/// A session that has begun, and a stranger on the core.
fn with_stranger() -> (Session, HostId<Stranger>) {
    let mut world = World::new(1);
    let stranger =
        world.host("stranger").link(Conditions::latency(Duration::ZERO)).start(Stranger::default());
    let core = world.core();
    let mut session = Session::between(world, (core, controlling()), (core, controlled()));
    session.exchange_credentials();
    (session, stranger)
}

fn address<T: Node>(session: &Session, host: HostId<T>) -> SocketAddr {
    SocketAddr::new(session.world.addresses(host)[0], PORT)
}

/// The stranger sends something to A and waits for what comes back.
fn say(session: &mut Session, stranger: HostId<Stranger>, payload: &[u8]) {
    let five_tuple = FiveTuple::udp(address(session, stranger), address(session, session.a));
    session.world.with(stranger, |node, _| {
        node.received.clear();
        node.outbox.push(Transmit { five_tuple, payload: payload.into() });
    });
    session.world.run_for(ACCESS * 2 + Duration::from_millis(1));
}

/// Hands A a datagram, whoever sent it.
fn inject(session: &mut Session, five_tuple: FiveTuple, payload: &[u8]) {
    session.world.with(session.a, |node: &mut AgentNode, now| {
        node.handle_datagram(Datagram { five_tuple, payload }, now);
    });
}

fn check(username: Option<&str>, password: Option<&str>) -> Vec<u8> {
    let mut buffer = [0; 256];
    let id = TransactionId::new([7; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    if let Some(username) = username {
        writer.attribute(&Username(username)).unwrap();
    }
    writer.attribute(&Priority(1)).unwrap().attribute(&UseCandidate).unwrap();
    if let Some(password) = password {
        writer.integrity(&IntegrityKey::short_term(password)).unwrap();
    }
    writer.fingerprint().unwrap();
    writer.finish().to_vec()
}

fn response(
    id: TransactionId,
    code: Option<u16>,
    mapped: SocketAddr,
    key: Option<&IntegrityKey>,
) -> Vec<u8> {
    let mut buffer = [0; 256];
    let class = if code.is_some() { Class::ErrorResponse } else { Class::SuccessResponse };
    let mut writer = MessageWriter::new(&mut buffer, class, Method::BINDING, id).unwrap();
    match code {
        Some(code) => writer.attribute(&ErrorCode::registered(code)).unwrap(),
        None => writer.attribute(&XorMappedAddress(mapped)).unwrap(),
    };
    if let Some(key) = key {
        writer.integrity(key).unwrap();
    }
    writer.fingerprint().unwrap();
    writer.finish().to_vec()
}

/// The transaction id of A's first check, as one who listens on the path would see it.
fn first_check_id(session: &Session) -> TransactionId {
    session.world.node(session.a).first_check.expect("a check was sent")
}
