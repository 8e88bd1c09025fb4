//! No heap allocation to parse, look up, verify, build or refuse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unsafe_code)]

mod vectors;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::{Algorithm, Priority, Username, XorMappedAddress};
use pinhole_stun::auth::{LongTermServer, Realms, User};
use pinhole_stun::binding::{Config, Server};
use pinhole_stun::{
    Class, Credentials, IntegrityKey, Message, MessageWriter, Method, RawAttribute, legacy,
};
use vectors::{PASSWORD, REQUEST, RESPONSE_IPV4};

/// Counts the allocations of the thread that runs a test.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = COUNT.get();
    std::hint::black_box(work());
    COUNT.get() - before
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| vec![1, 2, 3]), 1);
}

#[test]
fn parsing_looking_up_and_verifying_allocate_nothing() {
    let key = IntegrityKey::short_term(PASSWORD);
    let count = allocations(|| {
        let message = Message::parse(&REQUEST).unwrap();
        message.verify(&key).unwrap();
        let found = message.get::<Username<'_>>().unwrap().is_some()
            && message.get::<XorMappedAddress>().unwrap().is_none();
        (found, message.unknown_required(&[]).count())
    });
    assert_eq!(count, 0);
}

#[test]
fn refusing_allocates_nothing() {
    let mut flipped = REQUEST;
    flipped[107] ^= 1;
    let rtp = [0x80; 172];
    for bytes in [&flipped[..], &rtp, &REQUEST[..50], &[]] {
        assert_eq!(allocations(|| Message::parse(bytes).is_err()), 0);
    }
    let wrong = IntegrityKey::short_term("wrong");
    let message = Message::parse(&RESPONSE_IPV4).unwrap();
    assert_eq!(allocations(|| message.verify(&wrong).is_err()), 0);
}

#[test]
fn building_allocates_nothing() {
    let key = IntegrityKey::short_term(PASSWORD);
    let id = Message::parse(&REQUEST).unwrap().transaction_id();
    let count = allocations(|| {
        let mut buffer = [0; 256];
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
        writer.attribute(&Username("evtj:h6vY")).unwrap().attribute(&Priority(1)).unwrap();
        writer.integrity(&key).unwrap().integrity_sha256(&key).unwrap().fingerprint().unwrap();
        writer.length()
    });
    assert_eq!(count, 0);
}

#[test]
fn answering_binding_requests_of_today_and_of_yesterday_allocates_nothing() {
    let mut server = Server::new(Config { legacy: true, ..Config::default() }, [1; 32]);
    let five_tuple =
        FiveTuple::udp("192.0.2.1:3478".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
    let mut old = [0; 20];
    old[1] = 1;
    assert!(legacy::Request::parse(&old).is_some());
    let unknown = Message::parse(&REQUEST).unwrap();
    assert_eq!(unknown.unknown_required(&[]).count(), 2);
    for payload in [&REQUEST[..], &old, &[0x80; 100]] {
        let count = allocations(|| {
            let mut buffer = [0; 256];
            let datagram = Datagram { five_tuple, payload };
            server.handle_datagram(datagram, Instant::ZERO, &mut buffer).is_some()
        });
        assert_eq!(count, 0);
    }
}

/// A directory that keeps its keys prepared, as it should.
struct Prepared(IntegrityKey);

impl Realms for Prepared {
    fn key(&self, _: &str, user: User<'_>, _: Algorithm) -> Option<IntegrityKey> {
        (user == User::Name("user")).then(|| self.0.clone())
    }
}

#[test]
fn challenging_and_authenticating_strangers_allocates_nothing() {
    let server = LongTermServer::new("home", [5; 32], std::time::Duration::from_secs(600));
    let credentials = Credentials::new("user", "pass").unwrap();
    let users = Prepared(credentials.key("home", Algorithm::SHA256).unwrap());
    let client = "192.0.2.2:5000".parse().unwrap();
    let now = Instant::ZERO;
    let request = Message::parse(&REQUEST[..]).unwrap();
    let mut buffer = [0; 256];
    let count = allocations(|| {
        let rejection = server.authenticate(&request, client, &users, now).unwrap_err();
        server.reject(rejection, &request, client, now, &mut buffer).unwrap().length()
    });
    assert_eq!(count, 0);

    let mut client_machine = pinhole_stun::auth::LongTermClient::new(credentials);
    let mut first = [0; 20];
    let id = request.transaction_id();
    let writer = MessageWriter::new(&mut first, Class::Request, Method::ALLOCATE, id).unwrap();
    let bare = Message::parse(writer.finish()).unwrap();
    let attempt = {
        let mut nothing = [0; 20];
        let mut writer =
            MessageWriter::new(&mut nothing, Class::Request, Method::ALLOCATE, id).unwrap();
        client_machine.authorize(&mut writer).unwrap()
    };
    let rejection = server.authenticate(&bare, client, &users, now).unwrap_err();
    let mut answer = [0; 256];
    let answer = server.reject(rejection, &bare, client, now, &mut answer).unwrap().finish();
    client_machine.judge(&Message::parse(answer).unwrap(), attempt);
    let mut second = [0; 256];
    let mut writer = MessageWriter::new(&mut second, Class::Request, Method::ALLOCATE, id).unwrap();
    client_machine.authorize(&mut writer).unwrap();
    let request = Message::parse(writer.finish()).unwrap();
    let count = allocations(|| server.authenticate(&request, client, &users, now).is_ok());
    assert_eq!(count, 0);
    assert!(server.authenticate(&request, client, &users, now).is_ok());
}

#[test]
fn unknown_attributes_survive_without_a_heap() {
    let raw = RawAttribute { kind: pinhole_stun::AttributeType::new(0xbeef), value: &[1, 2, 3] };
    let count = allocations(|| {
        let mut buffer = [0; 64];
        let id = Message::parse(&REQUEST).unwrap().transaction_id();
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
        writer.attribute(&raw).unwrap();
        let message = Message::parse(writer.finish()).unwrap();
        assert_eq!(message.attributes().next(), Some(raw));
    });
    assert_eq!(count, 0);
}
