//! Random programs of several clients against a small model of what RFC 8656 allows.
//!
//! `PINHOLE_PROGRAMS` sets how many programs are run, `PINHOLE_SEED` runs the one with this seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::{Caller, World, addr, config, lifetime, relayed};
use pinhole_sansio::{Instant, Transport};
use pinhole_stun::attribute::Family;
use pinhole_stun::{Message, Method};
use pinhole_turn::ChannelData;
use pinhole_turn::attribute::{Data, RequestedTransport};

/// Two of them share an address; the last one is refused by the policy.
const PEERS: [&str; 4] =
    ["198.51.100.7:1", "198.51.100.7:2", "198.51.100.8:1", "169.254.169.254:80"];
const NUMBERS: [u16; 4] = [0x4000, 0x4001, 0x4fff, 0x5000];
const QUOTA: usize = 2;
const PORTS: usize = 6;

/// What a client has, in the words of the RFC.
struct Model {
    relayed: SocketAddr,
    expires: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

impl Model {
    fn permits(&self, peer: SocketAddr, now: Instant) -> bool {
        self.permissions.get(&peer.ip()).is_some_and(|expires| now < *expires)
    }

    fn peer_of(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|(_, expires)| now < *expires).map(|(peer, _)| *peer)
    }

    fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.channels.keys().copied().find(|number| self.peer_of(*number, now) == Some(peer))
    }
}

struct Program {
    world: World,
    /// Two five-tuples of alice's, two of bob's.
    callers: Vec<Caller>,
    models: Vec<Option<Model>>,
    state: u64,
}

impl Program {
    fn new(seed: u64) -> Self {
        let mut config = config();
        config.ports = 50_000..=50_005;
        config.limits.allocations_per_user = u32::try_from(QUOTA).unwrap();
        config.limits.allocations = 3;
        let caller = |user: &str, port: u16, transport| {
            Caller::new(&format!("192.0.2.1:{port}"), user, transport)
        };
        let callers = vec![
            caller("alice", 1, Transport::Udp),
            caller("alice", 2, Transport::Tcp),
            caller("alice", 3, Transport::Udp),
            caller("bob", 4, Transport::Udp),
            caller("bob", 5, Transport::Udp),
        ];
        let models = callers.iter().map(|_| None).collect();
        Self { world: World::new(config), callers, models, state: seed }
    }

    fn random(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed ^ (mixed >> 31)).unwrap() % below
    }

    fn step(&mut self) {
        let who = self.random(self.callers.len());
        let (peer, number) = (PEERS[self.random(4)], NUMBERS[self.random(4)]);
        match self.random(9) {
            0 | 1 => self.allocate(who),
            2 => self.refresh(who),
            3 => self.permit(who, peer),
            4 => self.bind(who, number, peer),
            5 => self.send(who, peer),
            6 => self.channel(who, number),
            7 => self.peer_sends(who, peer),
            _ => self.advance(),
        }
        self.check();
    }

    fn is_alice(who: usize) -> bool {
        who < 3
    }

    fn allocate(&mut self, who: usize) {
        let live = |same: &dyn Fn(usize) -> bool| {
            (0..self.models.len()).filter(|&at| self.models[at].is_some() && same(at)).count()
        };
        let of_user = live(&|at| Self::is_alice(at) == Self::is_alice(who));
        let expected = match self.models[who] {
            Some(_) => 437,
            None if of_user >= QUOTA || live(&|_| true) >= 3 => 486,
            None => 0,
        };
        let answer = self.callers[who].ask(&mut self.world, Method::ALLOCATE, &|writer| {
            writer.attribute(&RequestedTransport::UDP).map(drop)
        });
        assert_eq!(answer.code, expected, "allocate");
        if expected == 0 {
            self.models[who] = Some(Model {
                relayed: relayed(&answer),
                expires: self.world.now + Duration::from_secs(lifetime(&answer)),
                permissions: BTreeMap::new(),
                channels: BTreeMap::new(),
            });
        }
        let (request, before) = (self.callers[who].last.clone(), self.world.answers.len());
        let _ = self.world.input(self.callers[who].path, &request);
        assert_eq!(self.world.answers[before].1, answer.bytes, "T13");
    }

    fn refresh(&mut self, who: usize) {
        let seconds = [0, 600, 1_200][self.random(3)];
        let answer = self.callers[who].refresh(&mut self.world, seconds);
        let now = self.world.now;
        match &mut self.models[who] {
            None => assert_eq!(answer.code, 437, "refresh"),
            Some(model) => {
                assert_eq!((answer.code, lifetime(&answer)), (0, seconds), "refresh");
                model.expires = now + Duration::from_secs(seconds);
            }
        }
        self.forget();
    }

    fn permit(&mut self, who: usize, peer: &str) {
        let code = self.callers[who].permit(&mut self.world, &[peer]);
        let expires = self.world.now + Duration::from_secs(300);
        match &mut self.models[who] {
            None => assert_eq!(code, 437, "permit"),
            Some(_) if peer == PEERS[3] => assert_eq!(code, 403, "permit"),
            Some(model) => {
                assert_eq!(code, 0, "permit");
                model.permissions.insert(addr(peer).ip(), expires);
            }
        }
    }

    fn bind(&mut self, who: usize, number: u16, peer: &str) {
        let code = self.callers[who].bind(&mut self.world, number, peer);
        let (now, peer) = (self.world.now, addr(peer));
        let Some(model) = &mut self.models[who] else { return assert_eq!(code, 437, "bind") };
        let is_bound = model.peer_of(number, now).is_some_and(|bound| bound != peer);
        let is_numbered = model.number_of(peer, now).is_some_and(|bound| bound != number);
        let expected = match (number, peer == addr(PEERS[3])) {
            (0x5000, _) => 400,
            (_, true) => 403,
            _ if is_bound || is_numbered => 400,
            _ => 0,
        };
        assert_eq!(code, expected, "bind");
        if code == 0 {
            model.channels.insert(number, (peer, now + Duration::from_secs(600)));
            model.permissions.insert(peer.ip(), now + Duration::from_secs(300));
        }
    }

    /// T1 and T3.
    fn send(&mut self, who: usize, peer: &str) {
        let route = self.callers[who].send(&mut self.world, peer, b"data");
        let now = self.world.now;
        let model = self.models[who].as_ref().filter(|model| model.permits(addr(peer), now));
        let expected = model.map(|model| (self.world.relay_at(model.relayed), addr(peer)));
        assert_eq!(route.map(|route| (route.relay, route.peer)), expected, "send");
    }

    /// T1 and T9.
    fn channel(&mut self, who: usize, number: u16) {
        let route = self.callers[who].channel(&mut self.world, number, b"data");
        let now = self.world.now;
        let expected = self.models[who].as_ref().and_then(|model| {
            let peer = model.peer_of(number, now).filter(|peer| model.permits(*peer, now))?;
            Some((self.world.relay_at(model.relayed), peer))
        });
        assert_eq!(route.map(|route| (route.relay, route.peer)), expected, "channel");
    }

    /// T2 and T3.
    fn peer_sends(&mut self, who: usize, peer: &str) {
        let Some(model) = &self.models[who] else { return };
        let got = self.world.peer_sends(model.relayed, peer, b"data");
        let now = self.world.now;
        match (got, model.permits(addr(peer), now), model.number_of(addr(peer), now)) {
            (got, false, _) => assert_eq!(got, None, "without permission"),
            (got, true, Some(number)) => {
                let got = got.unwrap();
                let data = ChannelData::parse(&got).unwrap();
                assert_eq!((data.number.value(), data.data), (number, &b"data"[..]));
            }
            (got, true, None) => {
                let got = got.unwrap();
                let data = Message::parse(&got).unwrap().get::<Data<'_>>();
                assert_eq!(data, Ok(Some(Data(b"data"))));
            }
        }
    }

    /// To the nanosecond before or after something may end, or a while.
    fn advance(&mut self) {
        let durations = [1, 999_999_999, 1_000_000_000, 299_000_000_000, 300_000_000_000];
        let nanos = durations[self.random(5)];
        self.world.advance(Duration::from_nanos(nanos));
        self.forget();
    }

    fn forget(&mut self) {
        let now = self.world.now;
        for model in &mut self.models {
            model.take_if(|model| model.expires <= now);
        }
    }

    /// T10, T11, T12 and T15.
    fn check(&mut self) {
        let live = self.models.iter().flatten().count();
        assert_eq!(self.world.server.allocations(), live);
        assert_eq!(self.world.open.len(), live);
        assert_eq!(self.world.server.free_ports(Family::Ipv4), PORTS - live);
        let due = self.world.server.poll_timeout();
        assert!(due.is_none_or(|at| at > self.world.now), "nothing due is left");
    }
}

fn run(seed: u64) -> Vec<Vec<u8>> {
    let mut program = Program::new(seed);
    (0..60).for_each(|_| program.step());
    program.world.answers.into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn random_programs_do_what_the_model_says() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(seed) = number("PINHOLE_SEED") {
        run(seed);
        return;
    }
    for seed in 0..number("PINHOLE_PROGRAMS").unwrap_or(200) {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "the program with PINHOLE_SEED={seed} fails");
    }
}

/// T22.
#[test]
fn the_same_program_gives_the_same_bytes() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}
