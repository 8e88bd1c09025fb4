//! The long-term credential mechanism of RFC 8489 §9.2 between the two machines: SHA-256 and USERHASH where both know
//! them, MD5 where one does not, and nothing less than what the nonce has promised.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{World, config};
use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::attribute::{
    Attribute, AttributeWrite, ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm,
    UserHash, Username,
};
use pinhole_stun::auth::{AuthFailure, Offer};
use pinhole_stun::{AttributeType, Class, Credentials, Message, MessageWriter, Method};
use pinhole_turn::client::{Client, Config, Event, Reason};
use pinhole_turn::server;

/// A server with this offer, and a client who has not asked yet.
fn pair(offer: Offer, username_anonymity: bool, name: &str) -> (World, Client) {
    let mut able = config();
    (able.offer, able.username_anonymity) = (offer, username_anonymity);
    let world = World::new(able);
    let path = common::fake::path(Transport::Udp, 5_000);
    let credentials = Credentials::new(name, "secret").unwrap();
    let client = Client::new(Config::new(path, credentials), [9; 32], world.now);
    (world, client)
}

/// Gives the server the next request, and returns it with its answer.
fn ask(world: &mut World, client: &mut Client) -> (Vec<u8>, Vec<u8>) {
    let request = client.poll_transmit().unwrap();
    let before = world.answers.len();
    let _ = world.input(request.five_tuple, &request.payload);
    (request.payload.to_vec(), world.answers[before].1.clone())
}

fn give(world: &World, client: &mut Client, answer: &[u8]) {
    let five_tuple = common::fake::path(Transport::Udp, 5_000);
    let _ = client.handle_datagram(Datagram { five_tuple, payload: answer }, world.now);
}

fn has(bytes: &[u8], kind: AttributeType) -> bool {
    Message::parse(bytes).unwrap().raw(kind).is_some()
}

#[test]
fn each_side_uses_the_best_that_both_have() {
    for (offer, is_new) in [(Offer::Md5, false), (Offer::Sha256AndMd5, true), (Offer::Sha256, true)]
    {
        let (mut world, mut client) = pair(offer, false, "alice");
        let (first, challenge) = ask(&mut world, &mut client);
        assert!(!has(&first, Username::KIND) && !has(&first, UserHash::KIND));
        assert_eq!(has(&challenge, PasswordAlgorithms::KIND), is_new, "{offer:?}");
        give(&world, &mut client, &challenge);
        let (request, answer) = ask(&mut world, &mut client);
        give(&world, &mut client, &answer);
        assert!(matches!(client.poll_event(), Some(Event::Allocated { .. })), "{offer:?}");

        assert_eq!(has(&request, PasswordAlgorithm::KIND), is_new);
        let (request, answer) =
            (Message::parse(&request).unwrap(), Message::parse(&answer).unwrap());
        for message in [request, answer] {
            assert_eq!(message.has_integrity_sha256(), is_new);
            assert_eq!(message.has_integrity(), !is_new);
        }
        assert!(has(request.as_bytes(), Username::KIND), "nobody has asked for its hash");
    }
}

/// CHECKLIST 10: where the nonce asks for a hash, no byte of the name is on the wire; and it is this user's.
#[test]
fn a_name_is_hashed_where_the_server_asks_for_that() {
    for (offer, name) in
        [(Offer::Sha256AndMd5, "alice"), (Offer::Sha256, "bob"), (Offer::Md5, "bob")]
    {
        let (mut world, mut client) = pair(offer, true, name);
        let (_, challenge) = ask(&mut world, &mut client);
        give(&world, &mut client, &challenge);
        let (request, answer) = ask(&mut world, &mut client);
        give(&world, &mut client, &answer);
        assert!(matches!(client.poll_event(), Some(Event::Allocated { .. })), "{offer:?} {name}");
        assert!(has(&request, UserHash::KIND) && !has(&request, Username::KIND));
        assert!(!request.windows(name.len()).any(|window| window == name.as_bytes()));
        let [server::Event::Allocated { user, .. }] = &world.events[..] else { panic!() };
        assert_eq!(**user, *name);
    }
    let (mut world, mut client) = pair(Offer::default(), true, "mallory");
    while client.is_waiting() {
        let (_, answer) = ask(&mut world, &mut client);
        give(&world, &mut client, &answer);
    }
    let reason = Reason::Credentials(AuthFailure::Refused);
    assert_eq!(client.poll_event(), Some(Event::Lost { reason }));
}

/// The challenge with another list of algorithms, or with none.
fn with_list(challenge: &[u8], list: Option<PasswordAlgorithms<'_>>) -> Vec<u8> {
    let message = Message::parse(challenge).unwrap();
    let (realm, nonce): (Realm<'_>, Nonce<'_>) =
        (message.get().unwrap().unwrap(), message.get().unwrap().unwrap());
    let mut buffer = [0; 512];
    let mut writer =
        MessageWriter::response_to(&message, Class::ErrorResponse, &mut buffer).unwrap();
    let code = ErrorCode::bare(401);
    let attributes: [&dyn AttributeWrite; 3] = [&code, &realm, &nonce];
    attributes.iter().for_each(|attribute| _ = writer.attribute(*attribute).unwrap());
    list.iter().for_each(|list| _ = writer.attribute(list).unwrap());
    writer.finish().to_vec()
}

/// CHECKLIST 10, RFC 8489 §9.2.5: a list that was taken away is not made up for with MD5.
#[test]
fn a_client_does_not_bid_below_the_nonce() {
    let (mut world, mut client) = pair(Offer::Sha256AndMd5, false, "alice");
    let (_, challenge) = ask(&mut world, &mut client);
    give(&world, &mut client, &with_list(&challenge, None));
    let reason = Reason::Credentials(AuthFailure::BidDown);
    assert_eq!(client.poll_event(), Some(Event::Lost { reason }));
    assert!(client.poll_transmit().is_none());
}

/// CHECKLIST 10, RFC 8489 §9.2.4: a list that was altered comes back to the server, who finds it altered: 400.
#[test]
fn a_server_finds_its_list_altered() {
    let (mut world, mut client) = pair(Offer::Sha256AndMd5, false, "alice");
    let (_, challenge) = ask(&mut world, &mut client);
    give(&world, &mut client, &with_list(&challenge, Some(PasswordAlgorithms::SHA256)));
    let (request, answer) = ask(&mut world, &mut client);
    assert!(has(&request, PasswordAlgorithms::KIND));
    let message = Message::parse(&answer).unwrap();
    assert_eq!((message.class(), message.method()), (Class::ErrorResponse, Method::ALLOCATE));
    assert_eq!(message.get(), Ok(Some(ErrorCode::bare(400))));
    assert_eq!(world.server.allocations(), 0);
}
