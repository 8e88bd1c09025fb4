//! What holds for every input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateAddress, CandidateKind, CandidateTransport, Component, Config,
    Credentials, Foundation, Priority, Role, TcpType,
};
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use proptest::prelude::*;
use proptest::{collection, option};

fn socket_address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let address = prop_oneof![
        socket_address().prop_map(CandidateAddress::Ip),
        ("[a-f0-9]{8}-[a-f0-9]{4}\\.local", any::<u16>())
            .prop_map(|(host, port)| CandidateAddress::Name { host, port }),
    ];
    let transport = prop_oneof![
        Just(CandidateTransport::Udp),
        Just(CandidateTransport::Tcp(TcpType::Active)),
        Just(CandidateTransport::Tcp(TcpType::Passive)),
        Just(CandidateTransport::Tcp(TcpType::SimultaneousOpen)),
    ];
    let kind = prop_oneof![
        Just(CandidateKind::Host),
        Just(CandidateKind::ServerReflexive),
        Just(CandidateKind::PeerReflexive),
        Just(CandidateKind::Relayed),
    ];
    let extensions = collection::vec(("x-[a-z]{1,8}", "[!-~]{1,12}"), 0..4);
    let related = option::of(socket_address());
    (
        "[A-Za-z0-9+/]{1,32}",
        1..=256_u16,
        transport,
        any::<u32>(),
        address,
        kind,
        related,
        extensions,
    )
        .prop_map(
            |(foundation, component, transport, priority, address, kind, related, extensions)| {
                Candidate {
                    foundation: Foundation::new(&foundation).unwrap(),
                    component: Component::new(component).unwrap(),
                    transport,
                    priority: Priority(priority),
                    address,
                    kind,
                    related,
                    extensions,
                }
            },
        )
}

/// Something that happens to an agent.
#[derive(Clone, Debug)]
enum Step {
    Receive(FiveTuple, Vec<u8>),
    Candidate(String),
    Wait(Duration),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let stun = collection::vec(any::<u8>(), 0..120).prop_map(|mut bytes| {
        // A header that gets past the first look, with anything behind it.
        let length = u16::try_from(bytes.len() & !3).unwrap();
        bytes.truncate(usize::from(length));
        let mut message = vec![0, 1];
        message.extend(length.to_be_bytes());
        message.extend([0x21, 0x12, 0xa4, 0x42]);
        message.extend([7; 12]);
        message.extend(bytes);
        message
    });
    let payload = prop_oneof![collection::vec(any::<u8>(), 0..200), stun];
    let receive = (socket_address(), payload).prop_map(|(remote, payload)| {
        let local = "192.0.2.1:5000".parse().unwrap();
        Step::Receive(FiveTuple::udp(local, remote), payload)
    });
    prop_oneof![
        4 => receive,
        2 => candidate().prop_map(|candidate| Step::Candidate(candidate.to_string())),
        2 => (0..50_000_u64).prop_map(|millis| Step::Wait(Duration::from_millis(millis))),
        1 => Just(Step::End),
    ]
}

proptest! {
    #[test]
    fn a_candidate_reads_back_as_it_was_written(candidate in candidate()) {
        prop_assert_eq!(candidate.to_string().parse::<Candidate>(), Ok(candidate));
    }

    #[test]
    fn any_text_is_a_decision_and_what_is_taken_writes_stably(text in "\\PC{0,200}") {
        if let Ok(candidate) = text.parse::<Candidate>() {
            let written = candidate.to_string();
            prop_assert_eq!(written.parse::<Candidate>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn an_agent_survives_anything_and_stays_small(
        steps in collection::vec(step(), 0..60),
        knows_peer in any::<bool>(),
        role in prop_oneof![Just(Role::Controlling), Just(Role::Controlled)],
    ) {
        // I1, I2, I20: no panic, bounded tables, no burst, no deadline left behind.
        let mut now = Instant::ZERO;
        let mut agent = Agent::new(Config::new(role), [7; 32], now);
        agent.add_base("192.0.2.1:5000".parse().unwrap(), now).unwrap();
        agent.end_of_bases(now);
        if knows_peer {
            agent.set_remote_credentials(Credentials::new("peer", &"p".repeat(22)).unwrap(), now).unwrap();
        }
        for step in steps {
            match step {
                Step::Receive(five_tuple, payload) => {
                    let _ = agent.handle_datagram(Datagram { five_tuple, payload: &payload }, now);
                }
                Step::Candidate(text) => agent.add_remote_candidate(text.parse().unwrap(), now),
                Step::Wait(duration) => {
                    now += duration;
                    agent.handle_timeout(now);
                    prop_assert!(agent.poll_timeout().is_none_or(|at| at > now), "{:?} at {now}", agent.poll_timeout());
                }
                Step::End => agent.end_of_remote_candidates(now),
            }
            let sent = std::iter::from_fn(|| agent.poll_transmit()).count();
            prop_assert!(sent <= 2, "an answer and a check, not {sent} datagrams at once");
            while agent.poll_event().is_some() {}
            prop_assert!(agent.pairs().count() <= 100 && agent.remote_candidates().count() <= 100);
        }
    }
}
