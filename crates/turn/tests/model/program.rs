//! A program: clients that do this and that, and what is compared after each step.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::Transport;
use pinhole_stun::attribute::{AttributeWrite, ErrorCode, Family};
use pinhole_stun::{Message, Method};
use pinhole_turn::ChannelData;
use pinhole_turn::attribute::{
    Data, EvenPort, Lifetime, MobilityTicket, RequestedTransport, ReservationToken,
};
use pinhole_turn::server::DropReason;

use crate::common::{Answer, Caller, World, addr, config, lifetime, relayed};
use crate::model::{Allocation, Model, PORTS, Path, QUOTA, Reservation, TOTAL};

/// Two of them share an address; the last two are one that the policy refuses, in two spellings.
const PEERS: [&str; 5] = [
    "198.51.100.7:1",
    "198.51.100.7:2",
    "198.51.100.8:1",
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
];
const NUMBERS: [u16; 4] = [0x4000, 0x4001, 0x4fff, 0x5000];
/// Who calls, and on which path. Two of them are on the same one.
const CALLERS: [(&str, Path, Transport); 7] = [
    ("alice", 0, Transport::Udp),
    ("alice", 1, Transport::Tcp),
    ("alice", 2, Transport::Udp),
    ("alice", 3, Transport::Tcp),
    ("bob", 4, Transport::Udp),
    ("bob", 5, Transport::Tcp),
    ("bob", 0, Transport::Udp),
];

pub(crate) struct Program {
    pub(crate) world: World,
    callers: Vec<Caller>,
    model: Model,
    /// All tickets and tokens that there were.
    tickets: Vec<Vec<u8>>,
    tokens: Vec<ReservationToken>,
    state: u64,
}

impl Program {
    pub(crate) fn new(seed: u64) -> Self {
        let mut config = config();
        config.ports = PORTS;
        config.limits.allocations_per_user = u32::try_from(QUOTA).unwrap();
        config.limits.allocations = u32::try_from(TOTAL).unwrap();
        let caller = |(user, path, transport): (&str, Path, Transport)| {
            Caller::new(&format!("192.0.2.1:{}", 5_000 + path), user, transport)
        };
        Self {
            world: World::new(config),
            callers: CALLERS.map(caller).into(),
            model: Model::default(),
            tickets: vec![],
            tokens: vec![],
            state: seed,
        }
    }

    fn random(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % below
    }

    pub(crate) fn step(&mut self) {
        let who = self.random(CALLERS.len());
        // Some steps meet a system without another socket to give.
        let is_exhausted = self.random(10) == 0;
        self.world.sockets = if is_exhausted { self.world.open.len() } else { usize::MAX };
        let (peer, number) = (PEERS[self.random(5)], NUMBERS[self.random(4)]);
        match self.random(17) {
            0..=2 => self.allocate(who, is_exhausted),
            3 => self.allocate_pair(who, is_exhausted),
            4 => self.redeem(who),
            5 | 6 => self.refresh(who),
            7 => self.permit(who, peer),
            8 => self.permit_two(who, peer),
            9 | 10 => self.bind(who, number, peer),
            11 => self.send(who, peer),
            12 => self.resume(who),
            13 => self.close(who),
            14 => self.forge(who),
            _ => self.advance(),
        }
        self.check();
    }

    /// Asks, and asks again with the same bytes, which has to change nothing (T13): `check` follows.
    fn ask(&mut self, who: usize, method: Method, attributes: &[&dyn AttributeWrite]) -> Answer {
        let caller = &mut self.callers[who];
        let answer = caller.ask(&mut self.world, method, &|writer| {
            attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
        });
        let (path, request) = (caller.path, caller.last.clone());
        let before = self.world.answers.len();
        let _ = self.world.input(path, &request);
        let again = self.world.answers.split_off(before);
        assert_eq!(again.len(), 1, "T4");
        let ends = method == Method::REFRESH && answer.code == 0 && lifetime(&answer) == 0;
        if ends {
            let code = Message::parse(&again[0].1).unwrap().get::<ErrorCode<'_>>().unwrap();
            assert_eq!(code.map(|error| error.code), Some(437), "RFC 8656 §8.3");
        } else {
            assert_eq!(again[0].1, answer.bytes, "T13");
        }
        answer
    }

    /// The code of an Allocate request for so many ports, before any is opened.
    fn refusal(&mut self, who: usize, count: usize) -> Option<u16> {
        let (user, path, _) = CALLERS[who];
        if self.model.on(path).is_some() {
            return Some(437);
        }
        (!self.model.may_have(user, count)).then_some(486)
    }

    fn allocate(&mut self, who: usize, is_exhausted: bool) {
        let is_mobile = self.random(2) == 0;
        let expected = self.refusal(who, 1).unwrap_or_else(|| {
            if is_exhausted || self.model.free_ports().is_empty() { 508 } else { 0 }
        });
        let (udp, ticket) = (RequestedTransport::UDP, MobilityTicket(&[]));
        let attributes: [&dyn AttributeWrite; 2] = [&udp, &ticket];
        let wanted = if is_mobile { &attributes[..] } else { &attributes[..1] };
        let answer = self.ask(who, Method::ALLOCATE, wanted);
        assert_eq!(answer.code, expected, "allocate");
        if expected == 0 {
            self.allocated(who, &answer);
        }
    }

    fn allocate_pair(&mut self, who: usize, is_exhausted: bool) {
        let expected = self
            .refusal(who, 2)
            .unwrap_or_else(|| if is_exhausted || self.model.pairs().is_empty() { 508 } else { 0 });
        let pair = EvenPort { reserve_next: true };
        let answer = self.ask(who, Method::ALLOCATE, &[&RequestedTransport::UDP, &pair]);
        assert_eq!(answer.code, expected, "allocate a pair");
        if expected != 0 {
            return;
        }
        let port = relayed(&answer).port();
        assert!(self.model.pairs().contains(&port));
        self.allocated(who, &answer);
        let token = answer.message().get::<ReservationToken>().unwrap().unwrap();
        let expires = self.world.now + Duration::from_secs(30);
        let owner = CALLERS[who].0;
        self.tokens.push(token);
        self.model.reservations.push(Reservation { owner, token, port: port + 1, expires });
    }

    fn redeem(&mut self, who: usize) {
        if self.tokens.is_empty() {
            return;
        }
        let at = self.random(self.tokens.len());
        let token = self.tokens[at];
        let at = self.model.reservations.iter().position(|one| one.token == token);
        let user = CALLERS[who].0;
        let expected = match (self.refusal(who, 1), at) {
            (Some(437), _) => 437,
            (_, None) => 508,
            (_, Some(at)) if self.model.reservations[at].owner == user => 0,
            // The reserved port is one of all, until it has changed hands.
            (refusal, Some(_)) => refusal.unwrap_or(0),
        };
        let answer = self.ask(who, Method::ALLOCATE, &[&RequestedTransport::UDP, &token]);
        assert_eq!(answer.code, expected, "use a token");
        if expected == 0 {
            let reservation = self.model.reservations.remove(at.unwrap());
            assert_eq!(relayed(&answer).port(), reservation.port);
            self.allocated(who, &answer);
        }
    }

    fn allocated(&mut self, who: usize, answer: &Answer) {
        let ticket = answer.message().get::<MobilityTicket<'_>>().unwrap();
        let tickets: Vec<_> = ticket.iter().map(|ticket| ticket.0.to_vec()).collect();
        self.tickets.extend(tickets.clone());
        let (owner, path, _) = CALLERS[who];
        assert!(self.model.free_ports().contains(&relayed(answer).port()), "T10");
        self.model.allocations.push(Allocation {
            owner,
            relayed: relayed(answer),
            expires: self.world.now + Duration::from_secs(lifetime(answer)),
            permissions: Default::default(),
            channels: Default::default(),
            path: Some(path),
            next: None,
            tickets,
        });
    }

    fn refresh(&mut self, who: usize) {
        let (user, path, _) = CALLERS[who];
        let asked = [0, 600, 1_000, 9_999][self.random(4)];
        let answer = self.ask(who, Method::REFRESH, &[&Lifetime(Duration::from_secs(asked))]);
        match self.model.owned(path, user) {
            Err(code) => assert_eq!(answer.code, code, "refresh"),
            Ok(_) if asked == 0 => {
                assert_eq!((answer.code, lifetime(&answer)), (0, 0));
                self.model.end(path);
            }
            Ok(allocation) => {
                let granted = asked.min(3_600);
                assert_eq!((answer.code, lifetime(&answer)), (0, granted), "T8");
                allocation.expires = self.world.now + Duration::from_secs(granted);
            }
        }
    }

    fn permit(&mut self, who: usize, peer: &str) {
        let (user, path, _) = CALLERS[who];
        let peer = addr(peer);
        let answer = self.ask(who, Method::CREATE_PERMISSION, &[&peer_attribute(peer)]);
        let expected = self.model.owned(path, user).map_or_else(|code| code, |_| verdict(peer));
        assert_eq!(answer.code, expected, "permit");
        if expected == 0 {
            self.model.on(path).unwrap().permit(peer.ip(), self.world.now);
        }
    }

    /// T16.
    fn permit_two(&mut self, who: usize, peer: &str) {
        let (user, path, _) = CALLERS[who];
        let peers = [addr(peer), addr("198.51.100.9:1")];
        let [a, b] = peers.map(peer_attribute);
        let answer = self.ask(who, Method::CREATE_PERMISSION, &[&b, &a]);
        let expected = self.model.owned(path, user).map_or_else(|code| code, |_| verdict(peers[0]));
        assert_eq!(answer.code, expected, "permit two");
        if expected == 0 {
            let allocation = self.model.on(path).unwrap();
            peers.iter().for_each(|peer| allocation.permit(peer.ip(), self.world.now));
        }
    }

    fn bind(&mut self, who: usize, number: u16, peer: &str) {
        let (user, path, _) = CALLERS[who];
        let (peer, now) = (addr(peer), self.world.now);
        let channel = pinhole_turn::attribute::Channel(number);
        let answer = self.ask(who, Method::CHANNEL_BIND, &[&channel, &peer_attribute(peer)]);
        let expected = match self.model.owned(path, user) {
            Err(code) => code,
            Ok(_) if number == 0x5000 => 400,
            Ok(_) if verdict(peer) != 0 => verdict(peer),
            Ok(allocation) => allocation.bind(number, peer, now),
        };
        assert_eq!(answer.code, expected, "bind");
    }

    /// Data, which moves an allocation that was waiting for it.
    fn send(&mut self, who: usize, peer: &str) {
        self.model.arrived(CALLERS[who].1);
        self.probe_sends(who, peer);
    }

    fn resume(&mut self, who: usize) {
        if self.tickets.is_empty() {
            return;
        }
        let (user, path, _) = CALLERS[who];
        let at = self.random(self.tickets.len());
        let ticket = self.tickets[at].clone();
        let is_used = self.model.on(path).is_some();
        let is_own = self.model.on(path).is_some_and(|one| one.tickets.contains(&ticket));
        let found = self.model.allocations.iter_mut().find(|one| one.tickets.contains(&ticket));
        let expected = match &found {
            None => 437,
            Some(one) if one.owner != user => 441,
            Some(_) if is_own => 400,
            Some(_) if is_used => 437,
            Some(one) if one.tickets.last() != Some(&ticket) => 400,
            Some(_) => 0,
        };
        if let Some(one) = found.filter(|_| expected == 0) {
            match one.path {
                Some(_) => one.next = Some(path),
                None => one.path = Some(path),
            }
            one.expires = self.world.now + Duration::from_secs(600);
        }
        let answer = self.ask(who, Method::REFRESH, &[&MobilityTicket(&ticket)]);
        assert_eq!(answer.code, expected, "resume");
        if expected == 0 {
            let newer = answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap().0.to_vec();
            self.tickets.push(newer.clone());
            self.model.on(path).unwrap().tickets.push(newer);
        }
    }

    fn close(&mut self, who: usize) {
        let (_, path, transport) = CALLERS[who];
        if transport == Transport::Tcp {
            self.world.server.client_closed(self.callers[who].path.reversed());
            self.world.drain();
            self.model.closed(path);
        }
    }

    /// T7: somebody else's request from this path, where its nonce is not good.
    fn forge(&mut self, who: usize) {
        let from = self.random(CALLERS.len());
        let request = self.callers[from].last.clone();
        if request.is_empty() || CALLERS[from].1 == CALLERS[who].1 {
            return;
        }
        let before = self.world.answers.len();
        let _ = self.world.input(self.callers[who].path, &request);
        let [(_, answer)] = &self.world.answers[before..] else { panic!("T4") };
        let error = Message::parse(answer).unwrap().get::<ErrorCode<'_>>().unwrap().unwrap();
        assert_eq!(error.code, 438, "forge");
    }

    /// To the nanosecond before or after something may end, or a while.
    fn advance(&mut self) {
        let durations = [1, 999_999_999, 1_000_000_000, 29_000_000_000, 299_000_000_000];
        let nanos = durations[self.random(5)];
        self.world.advance(Duration::from_nanos(nanos));
        self.model.forget(self.world.now);
    }

    fn check(&mut self) {
        let (live, reserved) = (self.model.allocations.len(), self.model.reservations.len());
        assert_eq!(self.world.server.allocations(), live, "T10, T11");
        assert_eq!(self.world.open.len(), live + reserved, "T12, T15");
        let free = self.model.free_ports().len();
        assert_eq!(self.world.server.free_ports(Family::Ipv4), free, "T12");
        let due = self.world.server.poll_timeout();
        assert!(due.is_none_or(|at| at > self.world.now), "T17: nothing due is left");
        for (who, (_, path, _)) in CALLERS.into_iter().enumerate().skip(1) {
            // Data from the next path of an allocation would be a step.
            if self.model.on(path).is_none_or(|one| one.next != Some(path)) {
                PEERS.iter().for_each(|peer| self.probe_sends(who, peer));
                NUMBERS.iter().for_each(|number| self.probe_channel(who, *number));
            }
        }
        for at in 0..live {
            PEERS.iter().for_each(|peer| self.probe_peer(at, peer));
        }
    }

    /// T1, T3, T14.
    fn probe_sends(&mut self, who: usize, peer: &str) {
        let route = self.callers[who].send(&mut self.world, peer, b"data");
        let now = self.world.now;
        let allocation = self.model.on(CALLERS[who].1);
        let allocation = allocation.filter(|one| one.permits(addr(peer).ip(), now));
        let expected = allocation.map(|one| (self.world.relay_at(one.relayed), addr(peer)));
        assert_eq!(route.map(|route| (route.relay, route.peer)), expected, "T1: send");
    }

    /// T1, T8, T9.
    fn probe_channel(&mut self, who: usize, number: u16) {
        let route = self.callers[who].channel(&mut self.world, number, b"data");
        let now = self.world.now;
        let expected = self.model.on(CALLERS[who].1).and_then(|one| {
            let peer = one.peer_of(number, now).filter(|peer| one.permits(peer.ip(), now))?;
            Some((self.world.relay_at(one.relayed), peer))
        });
        assert_eq!(route.map(|route| (route.relay, route.peer)), expected, "T9: channel");
    }

    /// T2, T3.
    fn probe_peer(&mut self, at: usize, peer: &str) {
        let (one, peer, now) = (&self.model.allocations[at], addr(peer), self.world.now);
        let relay = self.world.relay_at(one.relayed);
        let got = self.world.server.handle_peer_datagram(relay, peer, 4, now);
        let Some(path) = one.path else { return assert_eq!(got, Err(DropReason::Suspended)) };
        if !one.permits(peer.ip(), now) {
            return assert_eq!(got, Err(DropReason::NoPermission), "T2");
        }
        let route = got.unwrap();
        assert_eq!(*route.five_tuple, self.callers[caller_on(path)].path.reversed(), "T3");
        let bytes = [&route.header[..], b"data"].concat();
        match one.number_of(peer, now) {
            Some(number) => {
                let data = ChannelData::parse(&bytes).unwrap();
                assert_eq!((data.number.value(), data.data), (number, &b"data"[..]));
            }
            None => {
                let data = Message::parse(&bytes).unwrap().get::<Data<'_>>();
                assert_eq!(data, Ok(Some(Data(b"data"))));
            }
        }
    }
}

fn caller_on(path: Path) -> usize {
    CALLERS.iter().position(|caller| caller.1 == path).unwrap()
}

fn peer_attribute(peer: SocketAddr) -> pinhole_turn::attribute::XorPeerAddress {
    pinhole_turn::attribute::XorPeerAddress(peer)
}

/// What the policy says: the same about every spelling (T14).
fn verdict(peer: SocketAddr) -> u16 {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) if address.is_link_local() => 403,
        IpAddr::V4(_) | IpAddr::V6(_) => 0,
    }
}
