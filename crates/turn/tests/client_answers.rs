//! What the client machine makes of answers: forged, strange, incomplete (RFC 8489 §9.2.5, RFC 8656 §7.3, §8.3, §12.3).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::fake::{Fake, GRANT, Request, SIX_HUNDRED, path};
use common::{PEER, addr};
use pinhole_sansio::{Instant, Transport};
use pinhole_stun::attribute::{AlternateServer, AttributeWrite, ErrorCode, UnknownAttributesOf};
use pinhole_stun::{AttributeType, Class, Failure, Method};
use pinhole_turn::attribute::{
    Data, Icmp, Lifetime, MobilityTicket, XorPeerAddress, XorRelayedAddress,
};
use pinhole_turn::client::{Config, Event, Reason, Received, SendError};

const UDP: Transport = Transport::Udp;
const SECOND: Duration = Duration::from_secs(1);
const ZERO: Lifetime = Lifetime(Duration::ZERO);
const SUCCESS: Class = Class::SuccessResponse;
const ERROR: Class = Class::ErrorResponse;

fn plain(_: &mut Config) {}

fn lost(reason: Reason) -> Vec<Event> {
    vec![Event::Lost { reason }]
}

/// A client whose allocation is due for a refresh, and the request for it.
fn refreshing(wishes: impl FnOnce(&mut Config)) -> (Fake, Request) {
    let mut fake = Fake::allocated(UDP, wishes);
    fake.client.refresh(fake.now);
    let request = fake.request().unwrap();
    assert_eq!(request.method(), Method::REFRESH);
    (fake, request)
}

/// CHECKLIST 11: the true answer wins, however many false ones come before.
#[test]
fn answers_without_integrity_are_as_if_they_had_not_come() {
    let mut fake = Fake::new(UDP, plain);
    let request = fake.request().unwrap();
    for _ in 0..10 {
        fake.forge(&request, SUCCESS, &GRANT);
        for code in [300, 400, 437, 441, 486, 500] {
            fake.forge(&request, ERROR, &[&ErrorCode::bare(code)]);
        }
    }
    assert_eq!(fake.events(), []);
    fake.advance(SECOND);
    let again = fake.request().unwrap();
    assert_eq!(again.bytes, request.bytes, "it is repeated as if nobody had answered");
    fake.succeed(&again, &GRANT);
    assert!(matches!(fake.events()[..], [Event::Allocated { .. }]));
}

/// CHECKLIST 11: "instead of signaling a timeout" (RFC 8489 §9.2.5); over TCP at once.
#[test]
fn nothing_but_answers_without_integrity_is_told_as_that() {
    let violated = Reason::Transaction(Failure::IntegrityViolated);
    for (transport, patience) in [(UDP, 40 * SECOND), (Transport::Tcp, Duration::ZERO)] {
        let mut fake = Fake::new(transport, plain);
        let request = fake.request().unwrap();
        fake.forge(&request, SUCCESS, &GRANT);
        fake.advance(patience);
        assert_eq!(fake.events(), lost(violated), "{transport:?}");
    }
    let mut silent = Fake::new(UDP, plain);
    silent.advance(40 * SECOND);
    assert_eq!(silent.events(), lost(Reason::Transaction(Failure::TimedOut)));
}

#[test]
fn an_allocation_without_all_that_belongs_to_it_is_given_back() {
    for lacking in 0..3 {
        let mut fake = Fake::new(UDP, plain);
        let request = fake.request().unwrap();
        let mut grant = GRANT.to_vec();
        grant.remove(lacking);
        fake.succeed(&request, &grant);
        assert_eq!(fake.events(), lost(Reason::Unusable));
        let [end] = &fake.requests()[..] else { panic!("the server is told") };
        assert_eq!(end.method(), Method::REFRESH);
        fake.succeed(end, &[&ZERO]);
        assert_eq!((fake.events(), fake.client.poll_timeout()), (vec![], None));
    }
    let mut fake = Fake::new(UDP, plain);
    let request = fake.request().unwrap();
    fake.succeed(&request, &[GRANT[0], &ZERO, GRANT[2]]);
    assert_eq!(fake.events(), lost(Reason::Unusable), "one for no time is none");
}

/// RFC 4291 §2.5.5.2: an IPv4 address in the words of IPv6 is of the family that was asked for.
#[test]
fn a_relayed_address_that_is_mapped_is_an_ipv4_address() {
    let mut fake = Fake::new(UDP, plain);
    let request = fake.request().unwrap();
    let mapped = XorRelayedAddress(addr("[::ffff:203.0.113.1]:50000"));
    fake.succeed(&request, &[&mapped, GRANT[1], GRANT[2]]);
    let [Event::Allocated { relayed, second: None, .. }] = fake.events()[..] else { panic!() };
    assert_eq!(relayed, addr("203.0.113.1:50000"));
}

#[test]
fn a_refresh_that_says_nothing_is_no_refresh() {
    for attributes in [&[][..], &[&ZERO as &dyn AttributeWrite]] {
        let (mut fake, request) = refreshing(plain);
        fake.succeed(&request, attributes);
        assert_eq!(fake.events(), lost(Reason::Unusable));
        assert_eq!(fake.requests().len(), 1, "the server is told");
    }
    let (mut fake, request) = refreshing(plain);
    fake.answer(&request, ERROR, &[]);
    assert_eq!(fake.events(), lost(Reason::Unusable), "an error without a code");
}

/// What only an Allocate request can be told: 300 moves no allocation, and DF is asked for there alone.
#[test]
fn a_refresh_is_not_redirected_and_not_repeated_without_df() {
    let (mut fake, request) = refreshing(plain);
    let elsewhere = AlternateServer(addr("192.0.2.11:3478"));
    fake.answer(&request, ERROR, &[&ErrorCode::bare(300), &elsewhere]);
    assert_eq!(fake.events(), lost(Reason::Code(300)));
    assert_eq!((fake.requests().len(), fake.client.poll_command()), (0, None));

    let list = UnknownAttributesOf([AttributeType::DONT_FRAGMENT].into_iter());
    let unknown: [&dyn AttributeWrite; 2] = [&ErrorCode::bare(420), &list];
    let (mut fake, request) = refreshing(|config| config.dont_fragment = true);
    fake.answer(&request, ERROR, &unknown);
    assert_eq!((fake.events(), fake.requests().len()), (lost(Reason::Code(420)), 0));
}

#[test]
fn df_is_given_up_once_and_for_nothing_else() {
    let list = UnknownAttributesOf([AttributeType::DONT_FRAGMENT].into_iter());
    let other = UnknownAttributesOf([AttributeType::REQUESTED_TRANSPORT].into_iter());
    let code = ErrorCode::bare(420);
    let wish = |config: &mut Config| config.dont_fragment = true;
    let mut fake = Fake::new(UDP, wish);
    for attempts in 0..2 {
        let request = fake.request().unwrap();
        fake.answer(&request, ERROR, &[&code, &list]);
        assert_eq!(fake.events(), if attempts == 0 { vec![] } else { lost(Reason::Code(420)) });
    }
    let mut fake = Fake::new(UDP, wish);
    let request = fake.request().unwrap();
    fake.answer(&request, ERROR, &[&code, &other]);
    assert_eq!((fake.events(), fake.requests().len()), (lost(Reason::Code(420)), 0));
}

/// RFC 8656 §5: 437 and 441 say that the allocation is gone, whatever was asked. Nothing more is sent.
#[test]
fn an_allocation_that_the_server_denies_is_lost_with_all_that_was_asked_for() {
    for code in [437, 441] {
        let mut fake = Fake::permitted(UDP, |config| config.channel_after = Some(1));
        fake.client.permit("198.51.100.8".parse().unwrap(), fake.now);
        fake.client.send(addr(PEER), 4, fake.now).unwrap();
        fake.client.refresh(fake.now);
        let requests = fake.requests();
        let methods: Vec<Method> = requests.iter().map(Request::method).collect();
        assert_eq!(methods, [Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::REFRESH]);
        fake.refuse(&requests[1], code);
        assert_eq!(fake.events(), lost(Reason::Code(code)));
        fake.advance(60 * SECOND);
        assert_eq!((fake.requests().len(), fake.client.is_waiting()), (0, false));
        assert_eq!((fake.client.poll_timeout(), fake.events()), (None, vec![]));
    }
}

/// A ChannelBind that is refused for another reason than 400 is tried again, after as many datagrams.
#[test]
fn a_channel_that_was_refused_is_asked_for_later() {
    let mut fake = Fake::permitted(UDP, |config| config.channel_after = Some(3));
    for code in [508, 403, 508] {
        for count in 1..=9 {
            let header = fake.client.send(addr(PEER), 4, fake.now).unwrap().header;
            assert_eq!(header.len(), 36, "an indication");
            assert_eq!(fake.client.is_waiting(), count >= 3, "{count} datagrams");
        }
        let [request] = &fake.requests()[..] else { panic!("one request for one channel") };
        assert_eq!(request.method(), Method::CHANNEL_BIND);
        fake.refuse(request, code);
    }
    assert_eq!(fake.events(), []);
}

/// "The client [...] has a valid permission" (RFC 8656 §11.4): data of others is dropped; a late driver's, too.
#[test]
fn nothing_of_a_peer_without_permission_is_delivered() {
    let mut fake = Fake::permitted(UDP, plain);
    let (peer, spelled) = (addr(PEER), addr("[::ffff:198.51.100.7]:9000"));
    let stranger = addr("198.51.100.8:9000");
    let data = Data(b"data");
    let icmp = Icmp { kind: 3, code: 3, data: 0 };
    let of = |fake: &mut Fake, from, more: &dyn AttributeWrite| {
        fake.indicate(Method::DATA, &[&XorPeerAddress(from), more])
    };
    for from in [peer, spelled] {
        let received = of(&mut fake, from, &data);
        assert!(matches!(received, Received::Data { peer: of, .. } if of == peer), "{received:?}");
        assert_eq!(of(&mut fake, from, &icmp), Received::Handled);
        assert_eq!(fake.events(), [Event::PeerUnreachable { peer, icmp }]);
    }
    assert_eq!(of(&mut fake, stranger, &data), Received::Handled);
    assert_eq!(of(&mut fake, stranger, &icmp), Received::Handled);
    assert_eq!(fake.indicate(Method::DATA, &[&data]), Received::Handled);
    assert_eq!(fake.indicate(Method::DATA, &[&XorPeerAddress(peer)]), Received::Handled);
    assert_eq!(fake.events(), []);

    // A permission is believed in for 295 s, five less than the server's.
    fake.now += 295 * SECOND - Duration::from_nanos(1);
    assert!(matches!(of(&mut fake, peer, &data), Received::Data { .. }));
    assert!(fake.client.send(peer, 4, fake.now).is_ok());
    fake.now += Duration::from_nanos(1);
    assert_eq!(of(&mut fake, peer, &data), Received::Handled);
    assert_eq!(of(&mut fake, peer, &icmp), Received::Handled);
    assert_eq!(fake.events(), []);
    assert_eq!(fake.client.send(peer, 4, fake.now), Err(SendError::NotPermitted));
}

#[test]
fn nothing_is_sent_or_delivered_after_the_end_of_the_allocation() {
    let mut fake = Fake::allocated(UDP, plain);
    fake.now += 590 * SECOND;
    fake.permit(addr(PEER));
    fake.now += 10 * SECOND - Duration::from_nanos(1);
    let data = |fake: &mut Fake| {
        let (peer, data) = (XorPeerAddress(addr(PEER)), Data(b"data"));
        fake.indicate(Method::DATA, &[&peer, &data])
    };
    assert!(fake.client.is_live(fake.now) && fake.client.send(addr(PEER), 4, fake.now).is_ok());
    assert!(matches!(data(&mut fake), Received::Data { .. }));
    fake.now += Duration::from_nanos(1);
    assert!(!fake.client.is_live(fake.now));
    assert_eq!(fake.client.send(addr(PEER), 4, fake.now), Err(SendError::NoAllocation));
    assert_eq!(data(&mut fake), Received::Handled);
    fake.client.handle_timeout(fake.now);
    assert_eq!(fake.events(), lost(Reason::Expired), "nobody has refreshed it in time");
}

/// A client with a ticket that asks for another path, and the request for it.
fn moving() -> (Fake, Request) {
    let mut fake = Fake::new(UDP, |config| config.mobility = true);
    let request = fake.request().unwrap();
    let ticket = MobilityTicket(b"first");
    fake.succeed(&request, &[GRANT[0], GRANT[1], GRANT[2], &ticket]);
    fake.permit_all();
    fake.client.migrate(path(UDP, 5_001), fake.now).unwrap();
    let request = fake.request().unwrap();
    assert_eq!((request.method(), request.path), (Method::REFRESH, path(UDP, 5_001)));
    (fake, request)
}

impl Fake {
    fn permit_all(&mut self) {
        assert!(matches!(self.events()[..], [Event::Allocated { .. }]));
        self.permit(addr(PEER));
    }
}

/// RFC 8016 §3.2.3: the client goes where the server has let it go, and listens on both paths for a while.
#[test]
fn an_allocation_that_has_come_along_is_refreshed_on_its_new_path() {
    let (mut fake, request) = moving();
    let (old, new) = (path(UDP, 5_000), path(UDP, 5_001));
    let other = "198.51.100.8".parse().unwrap();
    fake.client.permit(other, fake.now);
    let lifetime = Lifetime(Duration::from_secs(1_200));
    fake.succeed(&request, &[&lifetime, &MobilityTicket(b"second")]);
    assert_eq!(fake.events(), [Event::Migrated]);
    let challenges = fake.challenges;
    let [asked] = &fake.requests()[..] else { panic!("what was asked for is asked for here") };
    assert_eq!((asked.method(), asked.path), (Method::CREATE_PERMISSION, new));
    assert_eq!(fake.challenges, challenges, "the nonce is that of the new path");
    fake.succeed(asked, &[]);
    assert_eq!(fake.events(), [Event::Permitted { peer: other }]);
    assert_eq!(fake.client.send(addr(PEER), 4, fake.now).unwrap().five_tuple, new);
    let channel_data = [0x40, 0, 0, 0];
    for path in [old, new] {
        assert_eq!(fake.give(path, &channel_data), Received::Handled);
    }
    let granted = fake.now;
    let refreshed = next_refresh(&mut fake);
    let after = (1_080 * SECOND)..=(1_140 * SECOND);
    assert!(after.contains(&(refreshed - granted)), "{refreshed}");
}

/// When the client refreshes, with permissions that nobody uses.
fn next_refresh(fake: &mut Fake) -> Instant {
    loop {
        fake.now = fake.client.poll_timeout().unwrap();
        fake.client.handle_timeout(fake.now);
        if fake.requests().iter().any(|request| request.method() == Method::REFRESH) {
            return fake.now;
        }
    }
}

#[test]
fn an_allocation_that_does_not_come_along_stays() {
    type Answer = fn(&mut Fake, &Request);
    let answers: [(Reason, Answer); 4] = [
        (Reason::Code(405), |fake, request| fake.refuse(request, 405)),
        (Reason::Unusable, |fake, request| fake.succeed(request, &[])),
        (Reason::Unusable, |fake, request| fake.succeed(request, &[&ZERO])),
        (Reason::Transaction(Failure::TimedOut), |fake, _| fake.advance(40 * SECOND)),
    ];
    for (reason, answer) in answers {
        let (mut fake, request) = moving();
        answer(&mut fake, &request);
        assert_eq!(fake.events(), [Event::NotMigrated { reason }]);
        let new = path(UDP, 5_001);
        assert_eq!(fake.give(new, &[0x40, 0, 0, 0]), Received::NotMine, "{reason}");
        let sent = fake.client.send(addr(PEER), 4, fake.now).unwrap();
        assert_eq!(sent.five_tuple, path(UDP, 5_000));
    }
}

/// The one that was asked for last counts; the others are not answered any more.
#[test]
fn a_later_move_takes_the_place_of_an_earlier_one() {
    let (mut fake, first) = moving();
    fake.client.migrate(path(UDP, 5_002), fake.now).unwrap();
    fake.advance(5 * SECOND);
    let requests = fake.requests();
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| request.path == path(UDP, 5_002)));
    let message = pinhole_stun::Message::parse(&first.bytes).unwrap();
    let ticket = MobilityTicket(b"first");
    assert_eq!(message.get(), Ok(Some(ticket)));
    fake.succeed(&requests[0], &[&SIX_HUNDRED, &ticket]);
    assert_eq!(fake.events(), [Event::Migrated]);
    fake.forge(&first, SUCCESS, &[&SIX_HUNDRED, &ticket]);
    assert_eq!(fake.events(), []);
    assert_eq!(fake.client.send(addr(PEER), 4, fake.now).unwrap().five_tuple, path(UDP, 5_002));
}
