//! A stranger's datagrams against the servers: one small answer at most, and never an accepted user.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::Algorithm;
use pinhole_stun::auth::{LongTermServer, Realms, User};
use pinhole_stun::binding::{Config, Server};
use pinhole_stun::{IntegrityKey, Message};

struct OneUser;

impl Realms for OneUser {
    fn key(&self, _: &str, _: User<'_>, _: Algorithm) -> Option<IntegrityKey> {
        Some(IntegrityKey::new(b"a key that the fuzzer does not know"))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let address = |text: &str| text.parse().expect("an address");
    let five_tuple = FiveTuple::udp(address("192.0.2.1:3478"), address("198.51.100.1:5000"));
    let alternate = Some((address("192.0.2.1:3478"), address("192.0.2.2:3479")));
    let config = Config { alternate, legacy: true, rate: None, software: None };
    let mut buffer = vec![0; 70_000];
    let datagram = Datagram { five_tuple, payload: bytes };
    let mut server = Server::new(config, [1; 32]);
    if let Some(answer) = server.handle_datagram(datagram, Instant::ZERO, &mut buffer) {
        assert!(answer.payload.len() <= bytes.len() + 80, "an amplifier");
    }
    let Ok(request) = Message::parse(bytes) else { return };
    let server = LongTermServer::new("home", [1; 32], Duration::from_secs(600));
    let (client, now) = (five_tuple.remote, Instant::ZERO);
    let rejection = server.authenticate(&request, client, &OneUser, now).expect_err("a stranger");
    let answer = server.reject(rejection, &request, client, now, &mut buffer).expect("it fits");
    assert!(answer.finish().len() <= 84);
});
