#![allow(clippy::indexing_slicing)]

use alloc::vec;
use core::net::{Ipv4Addr, SocketAddr};

use pinhole_sansio::Transport;
use pinhole_stun::attribute::{Priority, Username};
use pinhole_stun::{Class, IntegrityKey, MessageWriter, Method, TransactionId};

use super::*;
use crate::config::Config;
use crate::role::Role;

/// A server with one socket, and clients with one each; a datagram arrives as soon as it is sent.
struct Net {
    now: Instant,
    server: Endpoint,
    clients: Endpoint,
    /// The two agents of each session, the server's first.
    sessions: Vec<(AgentKey, AgentKey)>,
    selected: usize,
    /// To whom, and from which session.
    data: Vec<(AgentKey, usize)>,
    packets: usize,
}

impl Net {
    fn new() -> Self {
        Self {
            now: Instant::ZERO,
            server: Endpoint::new([1; 32]),
            clients: Endpoint::new([2; 32]),
            sessions: Vec::new(),
            selected: 0,
            data: Vec::new(),
            packets: 0,
        }
    }

    /// A client at the address with this number and an agent of the server's know each other.
    fn meet(&mut self, number: u32) {
        let seed = u32::try_from(self.sessions.len()).expect("few") * 2;
        let server = self.server.insert(agent(Role::Controlled, seed, server_socket()), self.now);
        let own = agent(Role::Controlling, seed + 1, client_socket(number));
        let client = self.clients.insert(own, self.now);
        let pair = (server.expect("a seed of its own"), client.expect("a seed of its own"));
        self.sessions.push(pair);
        self.introduce(self.sessions.len() - 1);
    }

    /// Each of the two learns the other's credentials; the client learns the server's candidate.
    fn introduce(&mut self, session: usize) {
        let (server, client) = self.sessions[session];
        let theirs = self.server.agent(server).expect("there").local_credentials().clone();
        let ours = self.clients.agent(client).expect("there").local_credentials().clone();
        let candidate = self.server.agent(server).expect("there").local_candidates().next();
        let candidate = candidate.expect("a host candidate").clone();
        let now = self.now;
        self.server
            .with(server, now, |agent| agent.set_remote_credentials(ours, now).expect("once"));
        self.clients.with(client, now, |agent| {
            agent.set_remote_credentials(theirs, now).expect("once");
            agent.add_remote_candidate(candidate, now);
        });
    }

    fn settle(&mut self) {
        loop {
            if let Some((_, transmit)) = self.server.poll_transmit() {
                self.packets += 1;
                give(&mut self.clients, &transmit, self.now, &mut self.data);
            } else if let Some((_, transmit)) = self.clients.poll_transmit() {
                self.packets += 1;
                give(&mut self.server, &transmit, self.now, &mut self.data);
            } else {
                break;
            }
        }
        let mut events = core::iter::from_fn(|| self.server.poll_event());
        self.selected +=
            events.by_ref().filter(|(_, e)| matches!(e, Event::PairSelected { .. })).count();
        while self.clients.poll_event().is_some() {}
    }

    fn run_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        self.settle();
        while !done(self) {
            let next = [self.server.poll_timeout(), self.clients.poll_timeout()];
            let next = next.into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = next.max(self.now);
            self.server.handle_timeout(self.now);
            self.clients.handle_timeout(self.now);
            self.settle();
        }
    }

    fn connect(&mut self, all: usize) {
        self.run_until(self.now + core::time::Duration::from_secs(2), |net| net.selected == all);
        assert_eq!(self.selected, all);
    }

    /// Each client of these sends its number, and the agents of the server's that got one are given.
    fn send_all(&mut self, sessions: &[usize]) -> Vec<(AgentKey, usize)> {
        for session in sessions {
            let route = self.clients.route(self.sessions[*session].1, 9, self.now);
            let payload = [&[0x80][..], &session.to_be_bytes()].concat();
            let five_tuple = route.expect("a path").five_tuple;
            let transmit = Transmit { five_tuple, payload: (&payload[..]).into() };
            give(&mut self.server, &transmit, self.now, &mut self.data);
        }
        self.settle();
        core::mem::take(&mut self.data)
    }
}

fn give(to: &mut Endpoint, transmit: &Transmit, now: Instant, data: &mut Vec<(AgentKey, usize)>) {
    if let Some((key, Received::Data { payload, .. })) =
        to.handle_datagram(transmit.as_datagram(), now)
    {
        let number = payload.get(1..9).and_then(|bytes| bytes.try_into().ok());
        data.push((key, usize::from_be_bytes(number.expect("a number"))));
    }
}

fn agent(role: Role, seed: u32, socket: SocketAddr) -> Agent {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    let mut agent = Agent::new(Config::new(role), bytes, Instant::ZERO);
    agent.add_base(socket, Instant::ZERO).expect("all agents may have the same base");
    agent.end_of_bases(Instant::ZERO);
    agent
}

fn server_socket() -> SocketAddr {
    ([192, 0, 2, 1], 443).into()
}

fn client_socket(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0001 + number), 5_000).into()
}

/// A check that names this user fragment and is signed with this password.
fn check(ufrag: &str, password: &str) -> Vec<u8> {
    let (mut buffer, id) = ([0; 300], TransactionId::new([7; 12]));
    let mut writer =
        MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).expect("it fits");
    let name = alloc::format!("{ufrag}:peer");
    writer.attribute(&Username(&name)).expect("it fits");
    writer.attribute(&Priority(1)).expect("it fits");
    writer.integrity(&IntegrityKey::short_term(password)).expect("it fits");
    writer.finish().to_vec()
}

#[test]
fn ten_thousand_agents_on_one_socket_connect_talk_and_end_without_a_trace() {
    const ALL: usize = 10_000;
    let mut net = Net::new();
    (0..10_000).for_each(|number| net.meet(number));
    net.connect(ALL);
    assert!(net.packets <= ALL * 8, "{} packets", net.packets);
    let all: Vec<usize> = (0..ALL).collect();
    let sessions = net.sessions.clone();
    let expected = |these: &[usize]| -> Vec<(AgentKey, usize)> {
        these.iter().map(|session| (sessions[*session].0, *session)).collect()
    };
    assert_eq!(net.send_all(&all), expected(&all));
    assert_eq!(net.server.routes.sizes()[..2], [ALL, ALL]);

    // Every other one ends; the rest do not notice.
    let (odd, even): (Vec<usize>, Vec<usize>) = all.iter().partition(|number| **number % 2 == 1);
    for session in &odd {
        assert!(net.server.close(sessions[*session].0, net.now));
    }
    assert_eq!(net.send_all(&all), expected(&even));
    assert_eq!((net.server.len(), net.server.timers.len()), (ALL / 2, ALL / 2));
    for session in &even {
        assert!(net.server.close(sessions[*session].0, net.now));
        assert!(!net.server.close(sessions[*session].0, net.now), "there is nobody any more");
    }
    net.settle();
    assert_eq!((net.server.routes.sizes(), net.server.timers.len()), ([0; 3], 0));
    assert!(net.server.is_empty() && net.server.poll_timeout().is_none());
}

#[test]
fn a_hundred_thousand_forged_requests_leave_nothing_behind() {
    let mut net = Net::new();
    net.meet(0);
    net.connect(1);
    let before = net.server.routes.sizes();
    let known = net.server.agent(net.sessions[0].0).expect("there").local_credentials().clone();
    let wrong = "a-password-that-is-not-it";
    for number in 0..100_000 {
        let five_tuple = FiveTuple::udp(server_socket(), client_socket(number + 1));
        let (named, noise) = (check("nobody", wrong), [0x80, 1, 2]);
        for payload in [&named[..], &noise] {
            assert_eq!(net.server.handle_datagram(Datagram { five_tuple, payload }, net.now), None);
        }
        if number % 100 == 0 {
            let payload = &check(known.ufrag.as_str(), wrong);
            let _ = net.server.handle_datagram(Datagram { five_tuple, payload }, net.now);
            let (_, answer) = net.server.poll_transmit().expect("401");
            assert!(answer.payload.len() <= payload.len());
        }
    }
    assert_eq!(net.server.routes.sizes(), before);
    assert!(net.server.poll_transmit().is_none() && net.server.poll_event().is_none());
    assert_eq!(net.send_all(&[0]), vec![(net.sessions[0].0, 0)]);
}

#[test]
fn an_equal_user_fragment_is_refused_and_the_agent_comes_back() {
    let mut endpoint = Endpoint::new([1; 32]);
    let now = Instant::ZERO;
    let key = endpoint.insert(agent(Role::Controlled, 1, server_socket()), now).expect("first");
    let twin = agent(Role::Controlled, 1, server_socket());
    let UfragTaken(mut twin) = endpoint.insert(twin, now).expect_err("the same seed");
    twin.restart(now).expect("it is not closed");
    endpoint.insert(*twin, now).expect("another user fragment");
    assert_eq!(endpoint.len(), 2);
    // Once the first has gone, its name is free.
    endpoint.close(key, now);
    endpoint.insert(agent(Role::Controlled, 1, server_socket()), now).expect("free again");
}

#[test]
fn who_comes_later_to_a_five_tuple_has_it() {
    let mut net = Net::new();
    net.meet(0);
    net.connect(1);
    // The first client is gone without a word, and its NAT gives the port to another.
    let gone = net.sessions[0].1;
    net.clients.close(gone, net.now);
    net.meet(0);
    net.connect(2);
    assert_eq!(net.send_all(&[1]), vec![(net.sessions[1].0, 1)]);
    // The end of the first takes nothing from the second.
    assert!(net.server.close(net.sessions[0].0, net.now));
    net.settle();
    assert_eq!(net.send_all(&[1]), vec![(net.sessions[1].0, 1)]);
    // A third one after the end of the second.
    net.server.close(net.sessions[1].0, net.now);
    net.clients.close(net.sessions[1].1, net.now);
    net.meet(0);
    net.connect(3);
    assert_eq!(net.send_all(&[2]), vec![(net.sessions[2].0, 2)]);
    assert_eq!(net.server.routes.sizes()[..2], [1, 1]);
}

#[test]
fn a_restart_is_found_by_its_new_name_and_the_old_path_goes_on() {
    let mut net = Net::new();
    net.meet(0);
    net.connect(1);
    let ((server, client), now) = (net.sessions[0], net.now);
    let before = net.server.agent(server).expect("there").local_credentials().clone();
    for round in 2..6 {
        net.server.with(server, now, |agent| agent.restart(now).expect("open"));
        net.clients.with(client, now, |agent| agent.restart(now).expect("open"));
        net.settle();
        assert_eq!(net.send_all(&[0]), vec![(server, 0)], "make before break");
        net.introduce(0);
        net.connect(round);
        assert_eq!(net.server.routes.sizes()[..2], [1, 2], "the name of now and of before");
    }
    // A check under a name of long ago, on the path: the agent answers for itself.
    let payload = &check(before.ufrag.as_str(), before.password.as_str());
    let five_tuple = FiveTuple::udp(server_socket(), client_socket(0));
    assert_eq!(net.server.owner(Datagram { five_tuple, payload }), Some(server));
    let five_tuple = FiveTuple::udp(server_socket(), client_socket(1));
    assert_eq!(net.server.owner(Datagram { five_tuple, payload }), None);
}

#[test]
fn an_hour_of_consent_leaves_no_more_than_its_last_checks() {
    let mut net = Net::new();
    (0..10).for_each(|number| net.meet(number));
    net.connect(10);
    net.run_until(net.now + core::time::Duration::from_secs(3_600), |_| false);
    let [paths, ufrags, transactions] = net.server.routes.sizes();
    // One each 4 to 6 s (RFC 7675 §5.1), kept for 40 s.
    assert!((paths, ufrags) == (10, 10) && transactions <= 10 * 11, "{transactions}");
    assert_eq!(net.send_all(&[3]), vec![(net.sessions[3].0, 3)]);
}

#[test]
fn a_listeners_connection_is_its_agents_from_the_first_authentic_check_to_its_end() {
    let (mut server, now) = (Endpoint::new([1; 32]), Instant::ZERO);
    let mut keys = [1, 2].map(|seed| {
        let mut agent = Agent::new(Config::new(Role::Controlled), [seed; 32], now);
        agent.add_tcp_listener(server_socket(), now).expect("all agents may have the same");
        server.insert(agent, now).expect("a seed of its own")
    });
    keys.reverse();
    let five_tuple = |number| FiveTuple {
        transport: Transport::Tcp,
        ..FiveTuple::udp(server_socket(), client_socket(number))
    };
    for (number, key) in (0..).zip(keys) {
        let known = server.agent(key).expect("there").local_credentials().clone();
        let (ufrag, five_tuple) = (known.ufrag.as_str(), five_tuple(number));
        let data = Datagram { five_tuple, payload: &[0x80, 1] };
        // A stranger is refused, and his connection stays nobody's.
        let payload = &check(ufrag, "a-password-that-is-not-it");
        let refused = server.handle_datagram(Datagram { five_tuple, payload }, now);
        assert!(matches!(refused, Some((_, Received::Dropped(_)))), "{refused:?}");
        assert_eq!(server.owner(data), None);
        let payload = &check(ufrag, known.password.as_str());
        let found = server.handle_datagram(Datagram { five_tuple, payload }, now);
        assert_eq!(found, Some((key, Received::Consumed)));
        assert_eq!(server.owner(data), Some(key));
        let answers = core::iter::from_fn(|| server.poll_transmit());
        assert_eq!(answers.filter(|(_, answer)| answer.five_tuple == five_tuple).count(), 2);
    }
    assert_eq!(server.peer_disconnected(five_tuple(0), now), Some(keys[0]));
    assert_eq!(server.peer_disconnected(five_tuple(0), now), None);
    let data = |number| Datagram { five_tuple: five_tuple(number), payload: &[0x80] };
    assert_eq!([0, 1].map(|number| server.owner(data(number))), [None, Some(keys[1])]);
    keys.iter().for_each(|key| assert!(server.close(*key, now)));
    assert_eq!(server.routes.sizes(), [0; 3]);
}
