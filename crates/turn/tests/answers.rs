//! How the server machine writes its answers, and keeps to what it has promised.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::{Answer, Caller, PEER, World, addr, ask, config, lifetime, relayed};
use pinhole_sansio::{FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{AlternateServer, AttributeWrite, ErrorCode, Family};
use pinhole_stun::auth::{LongTermClient, Verdict};
use pinhole_stun::{
    AttributeType, Class, Credentials, Message, MessageWriter, Method, RawAttribute, TransactionId,
};
use pinhole_turn::attribute::{
    Data, DontFragment, EvenPort, Icmp, Lifetime, RequestedTransport, ReservationToken,
    XorPeerAddress,
};
use pinhole_turn::credential::{SharedSecret, SharedSecrets};
use pinhole_turn::server::{Alternate, Command, Config, Received, Server};

const UDP: RequestedTransport = RequestedTransport::UDP;
const UNIX_TIME: Duration = Duration::from_secs(1_700_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// RFC 8489 §14.7: an answer has FINGERPRINT if its request had it, be it a challenge, an error or a success.
#[test]
fn a_fingerprint_is_answered_with_a_fingerprint() {
    for has_fingerprint in [true, false] {
        let mut world = World::new(config());
        let mut auth = LongTermClient::new(Credentials::new("alice", "secret").unwrap());
        let path = Caller::alice().path;
        let mut codes = vec![];
        for (number, method) in [
            Method::ALLOCATE,
            Method::ALLOCATE,
            Method::ALLOCATE,
            Method::REFRESH,
            Method::CHANNEL_BIND,
        ]
        .into_iter()
        .enumerate()
        {
            let mut buffer = [0; 512];
            let id = TransactionId::new([u8::try_from(number).unwrap(); 12]);
            let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
            writer.attribute(&UDP).unwrap();
            let attempt = auth.authorize(&mut writer).unwrap();
            if has_fingerprint {
                writer.fingerprint().unwrap();
            }
            let request = writer.finish().to_vec();
            let before = world.answers.len();
            let _ = world.input(path, &request);
            let answer = Message::parse(&world.answers[before].1).unwrap();
            assert_eq!(answer.has_fingerprint(), has_fingerprint, "{number}");
            codes.push(answer.get::<ErrorCode<'_>>().unwrap().map_or(0, |error| error.code));
            assert!(!matches!(auth.judge(&answer, attempt), Verdict::Discard));
        }
        assert_eq!(codes, [401, 0, 437, 0, 400]);
    }
}

/// Table 1e (f), RFC 8489 §6.3: an attribute that runs past the end is met with silence, before anything is verified.
#[test]
fn a_message_that_is_cut_is_met_with_silence() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    alice.allocate(&mut world);
    let whole = alice.last.clone();
    let before = world.answers.len();
    for length in 20..whole.len() {
        let mut cut = whole[..length].to_vec();
        for body in [length - 20, (length - 20) & !3, whole.len() - 20] {
            cut[2..4].copy_from_slice(&u16::try_from(body).unwrap().to_be_bytes());
            let is_whole_message = Message::parse(&cut).is_ok();
            let received = world.input(alice.path, &cut);
            assert!(is_whole_message || matches!(received, Received::Dropped(_)), "{length}");
            if is_whole_message {
                world.answers.pop();
            }
        }
    }
    assert_eq!(world.answers.len(), before);
    assert_eq!(world.server.allocations(), 1);
}

/// RFC 8656 §12.2: 508 for a channel more than there may be, and the refusal installs nothing.
#[test]
fn a_channel_too_many_is_508() {
    let mut small = config();
    (small.limits.channels, small.limits.permissions) = (2, 3);
    let (mut world, mut alice) = (World::new(small), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.1:1"), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.2:1"), 0);
    assert_eq!(alice.bind(&mut world, 0x4002, "198.51.100.3:1"), 508);
    assert!(alice.send(&mut world, "198.51.100.3:1", b"x").is_none());
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.2:1"), 0, "a refresh takes no room");

    let mut narrow = config();
    narrow.limits.permissions = 1;
    let (mut world, mut alice) = (World::new(narrow), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, "198.51.100.1:1"), 0);
    assert_eq!(alice.bind(&mut world, 0x4001, "198.51.100.2:1"), 508, "no permission to be had");
    assert!(alice.channel(&mut world, 0x4001, b"x").is_none());
}

/// RFC 8489 §10: the alternate server is one of the client's family, which a mapped address does not hide.
#[test]
fn a_client_whose_address_is_mapped_is_sent_to_an_ipv4_server() {
    let mut full = config();
    full.limits.allocations = 0;
    let v4 = "198.51.100.99:3478".parse().unwrap();
    full.alternate = Some(Alternate { v4: Some(v4), v6: None, domain: None });
    let mut world = World::new(full);
    let mut alice = Caller::new("[::ffff:192.0.2.1]:5000", "alice", Transport::Udp);
    let answer = ask(&mut world, &mut alice, Method::ALLOCATE, &[&UDP]);
    assert_eq!(answer.code, 300);
    assert_eq!(answer.message().get(), Ok(Some(AlternateServer(addr("198.51.100.99:3478")))));
    let other = ask(&mut world, &mut alice, Method::ALLOCATE, &[&RequestedTransport(254)]);
    assert_eq!((other.code, other.message().get::<AlternateServer>()), (442, Ok(None)));
}

/// RFC 8656 §11.2: a Send indication with what its server cannot obey, or does not know, is dropped as a whole.
#[test]
fn a_send_indication_that_cannot_be_obeyed_is_dropped() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    alice.allocate(&mut world);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let (peer, data) = (XorPeerAddress(addr(PEER)), Data(b"data"));
    let required = RawAttribute { kind: AttributeType::new(0x7abc), value: &[] };
    let optional = RawAttribute { kind: AttributeType::new(0xfabc), value: &[] };
    let cases: [(&dyn AttributeWrite, bool); 3] =
        [(&DontFragment, false), (&required, false), (&optional, true)];
    for (more, passes) in cases {
        let mut buffer = [0; 128];
        let id = TransactionId::new([3; 12]);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, id).unwrap();
        writer.attribute(&peer).unwrap().attribute(more).unwrap().attribute(&data).unwrap();
        let route = common::to_peer(world.input(alice.path, writer.finish()));
        assert_eq!(route.is_some(), passes);
    }
}

/// A place in the driver's table is used again, and what was meant for its last holder is nobody's.
#[test]
fn places_are_used_again_and_late_news_of_the_last_holder_is_dropped() {
    let mut able = config();
    able.tcp = true;
    let (mut world, mut alice) = (World::new(able), Caller::alice());
    let mut old = None;
    for _ in 0..50 {
        let at = alice.allocate(&mut world);
        let relay = world.relay_at(at);
        assert_eq!(relay.index(), 0);
        old.get_or_insert(relay);
        assert_eq!(alice.permit(&mut world, &[PEER]), 0);
        assert_eq!(alice.refresh(&mut world, 0).code, 0);
    }
    let pair = EvenPort { reserve_next: true };
    for _ in 0..50 {
        let answer = ask(&mut world, &mut alice, Method::ALLOCATE, &[&UDP, &pair]);
        assert!(world.open.keys().all(|relay| relay.index() < 2), "{:?}", world.open);
        assert_eq!(relayed(&answer).port() % 2, 0);
        world.advance(30 * SECOND);
        assert_eq!(alice.refresh(&mut world, 0).code, 0);
    }
    for _ in 0..50 {
        world.sockets = 1;
        assert_eq!(ask(&mut world, &mut alice, Method::ALLOCATE, &[&UDP, &pair]).code, 508);
    }
    world.sockets = usize::MAX;
    let answer = ask(&mut world, &mut alice, Method::ALLOCATE, &[&UDP, &pair]);
    assert!(world.open.keys().all(|relay| relay.index() < 2), "{:?}", world.open);
    assert_eq!(answer.code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    let (old, before) = (old.unwrap(), world.answers.len());
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    world.server.handle_peer_icmp(old, addr(PEER), icmp, world.now);
    assert!(world.server.handle_peer_datagram(old, addr(PEER), 1, world.now).is_err());
    assert_eq!(world.server.peer_connected(old, addr(PEER), world.now), None);
    world.drain();
    assert_eq!(world.answers.len(), before);
}

/// "a port pool that never stalls": as many ports are tried as the operator says, and then it is 508.
#[test]
fn a_request_tries_so_many_ports_and_no_more() {
    for attempts in [1, 3] {
        let mut narrow = config();
        narrow.ports = 50_000..=50_099;
        narrow.limits.port_attempts = attempts;
        let mut world = World::new(narrow);
        world.held = (50_000..=50_099).collect();
        let answer = ask(&mut world, &mut Caller::alice(), Method::ALLOCATE, &[&UDP]);
        assert_eq!((answer.code, world.opened), (508, usize::try_from(attempts).unwrap()));
    }
}

/// T17: a reservation that has been claimed leaves no timer behind.
#[test]
fn a_claimed_reservation_is_not_waited_for() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let pair = EvenPort { reserve_next: true };
    let answer = ask(&mut world, &mut alice, Method::ALLOCATE, &[&UDP, &pair]);
    assert_eq!(world.server.poll_timeout(), Some(world.now + 30 * SECOND));
    let token: ReservationToken = answer.message().get().unwrap().unwrap();
    let mut second = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    assert_eq!(ask(&mut world, &mut second, Method::ALLOCATE, &[&UDP, &token]).code, 0);
    assert_eq!(world.server.poll_timeout(), Some(world.now + 600 * SECOND));
    for caller in [&mut alice, &mut second] {
        assert_eq!(caller.refresh(&mut world, 0).code, 0);
    }
    assert_eq!(world.server.poll_timeout(), None);
}

/// A server whose credentials expire, and the lifetime that a client gets who asks for 1,000 s.
struct Expiring {
    server: Server<SharedSecrets>,
    now: Instant,
}

impl Expiring {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let (mut config, now) = (config(), Instant::from_millis(1_000));
        change(&mut config);
        let users = SharedSecrets::default().with(SharedSecret::new(b"north"));
        Self { server: Server::new(config, users, [5; 32], UNIX_TIME, now), now }
    }

    /// A client on this port whose credentials expire then: the code, or the lifetime, of each request.
    fn granted(
        &mut self,
        port: u16,
        expires: Duration,
        later: &[Duration],
    ) -> Vec<Result<u64, u16>> {
        let issued = SharedSecret::new(b"north").issue("alice", expires);
        let credentials = Credentials::new(&issued.username, &issued.password).unwrap();
        let mut auth = LongTermClient::new(credentials);
        let path = FiveTuple::udp(([192, 0, 2, 10], 3_478).into(), ([192, 0, 2, 1], port).into());
        let mut granted = vec![];
        let mut steps = later.iter();
        let mut method = Method::ALLOCATE;
        loop {
            let mut buffer = [0; 512];
            let id = TransactionId::new([u8::try_from(granted.len()).unwrap(); 12]);
            let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, id).unwrap();
            writer.attribute(&UDP).unwrap().attribute(&Lifetime(1_000 * SECOND)).unwrap();
            let attempt = auth.authorize(&mut writer).unwrap();
            let payload = writer.finish();
            let datagram = pinhole_sansio::Datagram { five_tuple: path, payload };
            let _ = self.server.handle_client_datagram(datagram, self.now);
            while let Some(command) = self.server.poll_command() {
                if let Command::OpenRelay { relay, .. } = command {
                    self.server.relay_opened(relay, Ok(()), self.now);
                }
            }
            let bytes = self.server.poll_transmit().unwrap().payload.to_vec();
            let answer = Message::parse(&bytes).unwrap();
            let code = answer.get::<ErrorCode<'_>>().unwrap().map_or(0, |error| error.code);
            match auth.judge(&answer, attempt) {
                Verdict::Retry => continue,
                Verdict::Accept => {
                    let answer = Answer { code, bytes };
                    granted.push(if code == 0 { Ok(lifetime(&answer)) } else { Err(code) });
                }
                Verdict::Fail(_) | Verdict::Discard => granted.push(Err(code)),
            }
            let Some(step) = steps.next() else { return granted };
            (self.now, method) = (self.now + *step, Method::REFRESH);
        }
    }
}

/// The clock of the wall goes on between requests: each lifetime ends with the credentials, and then they do.
#[test]
fn lifetimes_shrink_with_what_is_left_of_the_credentials() {
    let mut expiring = Expiring::new(|_| {});
    let expires = UNIX_TIME + 700 * SECOND;
    let later = [100 * SECOND, 500 * SECOND, 99 * SECOND + Duration::from_millis(500), SECOND];
    let granted = expiring.granted(5_000, expires, &later);
    assert_eq!(granted, [Ok(700), Ok(600), Ok(100), Ok(1), Err(401)]);
    expiring.server.set_unix_time(expires - 50 * SECOND, expiring.now);
    assert_eq!(expiring.granted(5_001, expires, &[]), [Ok(50)], "the clock was set back");
}

#[test]
fn an_allocation_may_outlive_its_credentials_where_the_operator_says_so() {
    let mut lasting = Expiring::new(|config| config.end_with_credentials = false);
    let expires = UNIX_TIME + 700 * SECOND;
    let granted = lasting.granted(5_000, expires, &[699 * SECOND, SECOND]);
    assert_eq!(granted, [Ok(1_000), Ok(1_000), Err(401)]);
    lasting.server.handle_timeout(lasting.now);
    assert_eq!(lasting.server.allocations(), 1);
    assert_eq!(lasting.server.free_ports(Family::Ipv4), 16_383);
}
