//! The trace as text, as a capture file and as a diagram.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Peer, endpoint, send, stream};
use pinhole_netsim::{
    Conditions, Direction, Family, Happening, NatConfig, Protocol, Recording, StreamCommand, World,
};

/// UDP through a NAT and over IPv6, TCP, an ICMP error, a loss and a reboot.
fn eventful_world() -> World {
    let mut world = World::new(1);
    world.record(Recording::Everything);
    let home = world.gateway("home").nat(NatConfig::port_restricted()).ipv6().build();
    let alice = world.host("alice").on(home).family(Family::Dual).start(Peer::default());
    let server = world.host("server").family(Family::Dual).start(Peer::reflector());
    let v4 = endpoint(&world, server, 3478);
    send(&mut world, alice, 5000, v4);
    let v6 = world.addresses(server)[1];
    let (local, remote) = ((world.addresses(alice)[1], 5000).into(), (v6, 3478).into());
    world.with(alice, |peer, _| peer.send(local, remote, b"over IPv6"));
    world.run_for(Duration::from_secs(1));
    let path = stream(&world, (alice, 5000), (server, 80));
    world.with(server, |peer, _| peer.command(StreamCommand::Listen(path.remote)));
    world.with(alice, |peer, _| {
        peer.command(StreamCommand::Connect(path));
        peer.write(path, b"over TCP");
        peer.command(StreamCommand::Close(path));
    });
    world.run_for(Duration::from_secs(1));
    world.with(server, |peer, _| peer.closed.push(9));
    let closed = endpoint(&world, server, 9);
    send(&mut world, alice, 5000, closed);
    world.reboot(home.gateway);
    let lossy = Conditions::latency(Duration::from_millis(10)).with_loss(1.0);
    world.set_conditions(home.link, Direction::Up, lossy);
    send(&mut world, alice, 5000, v4);
    world
}

#[test]
fn the_text_tells_the_way_of_each_packet() {
    let text = eventful_world().trace().to_string();
    let first: Vec<_> = text.lines().take(5).collect();
    assert_eq!(
        first,
        [
            "0.000000s alice sends #0 udp 192.168.1.2:5000 -> 203.0.113.3:3478 5 bytes",
            "0.000000s home receives #0 udp 192.168.1.2:5000 -> 203.0.113.3:3478 5 bytes",
            "0.000000s home sends #0 udp 203.0.113.2:5000 -> 203.0.113.3:3478 5 bytes",
            "0.020000s server receives #0 udp 203.0.113.2:5000 -> 203.0.113.3:3478 5 bytes",
            "0.020000s server sends #1 udp 203.0.113.3:3478 -> 203.0.113.2:5000 16 bytes",
        ]
    );
    assert!(text.contains("server drops (port closed) #"));
    assert!(text.contains("alice receives #"));
    assert!(text.contains("port unreachable: udp 192.168.1.2:5000 -> 203.0.113.3:9"));
    assert!(text.contains("home reboots\n"));
    assert!(text.ends_with(
        "network drops (lost on the link) #12 udp 203.0.113.2:5000 -> 203.0.113.3:3478 5 bytes\n"
    ));
}

#[test]
fn an_oracle_can_follow_a_packet_by_its_number() {
    let world = eventful_world();
    let way: Vec<_> = world
        .trace()
        .iter()
        .filter_map(|record| Some((record.device?, record.happening, record.packet?)))
        .filter(|(.., packet)| packet.number == 0)
        .map(|(device, happening, packet)| {
            assert_eq!((packet.protocol, packet.payload), (Protocol::Udp, &b"hello"[..]));
            (device, happening.clone(), packet.source.to_string())
        })
        .collect();
    let (inside, outside) = ("192.168.1.2:5000".to_owned(), "203.0.113.2:5000".to_owned());
    let expected = [
        ("alice", Happening::Sent, inside.clone()),
        ("home", Happening::Received, inside),
        ("home", Happening::Sent, outside.clone()),
        ("server", Happening::Received, outside),
    ];
    assert_eq!(way, expected);
}

#[test]
fn a_tail_keeps_the_last_entries_only() {
    let mut world = eventful_world();
    let all = world.trace().len();
    world.record(Recording::Tail(3));
    assert!(all > 3);
    assert_eq!(world.trace().len(), 3);
    world.record(Recording::Off);
    assert!(world.trace().is_empty());
}

#[test]
fn the_diagram_has_an_arrow_for_each_hop() {
    let diagram = eventful_world().trace().to_mermaid();
    let first: Vec<_> = diagram.lines().take(7).map(str::trim).collect();
    assert_eq!(
        first,
        [
            "sequenceDiagram",
            "participant d0 as home",
            "participant d1 as alice",
            "participant d2 as server",
            "participant network",
            "d1->>d0: 0.000000s no. 0 udp 192.168.1.2:5000 -> 203.0.113.3:3478 5 bytes",
            "d0->>d2: 0.020000s no. 0 udp 203.0.113.2:5000 -> 203.0.113.3:3478 5 bytes",
        ]
    );
    assert!(diagram.contains("Note over d0: 6.000000s reboots"));
    assert!(diagram.lines().last().is_some_and(|line| line.contains("d0-xnetwork: ")));
}

/// Type and body of each block of a pcapng file.
fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let length = word(&file[4..]) as usize;
        assert_eq!(length % 4, 0);
        let (block, rest) = file.split_at(length);
        assert_eq!(word(&block[length - 4..]) as usize, length, "both lengths agree");
        blocks.push((word(block), &block[8..length - 4]));
        file = rest;
    }
    blocks
}

#[test]
fn the_capture_has_an_interface_for_each_device_and_a_block_for_each_packet() {
    let world = eventful_world();
    let file = world.trace().to_pcapng();
    let blocks = blocks(&file);
    let count = |kind| blocks.iter().filter(|block| block.0 == kind).count();
    let packets = world.trace().to_string().lines().filter(|line| line.contains('#')).count();
    assert_eq!((count(0x0a0d_0d0a), count(1), count(6)), (1, 4, packets));
    let first = blocks.iter().find(|block| block.0 == 6).unwrap().1;
    assert_eq!(first[0], 1, "the second interface, Alice's");
    assert_eq!(first[20], 0x45, "an IPv4 header");
    assert_eq!(&first[20 + 28..20 + 33], b"hello");
}

#[test]
fn tshark_finds_every_packet_well_formed_and_every_checksum_right() {
    let world = eventful_world();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("eventful.pcapng");
    std::fs::write(&file, world.trace().to_pcapng()).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-T", "fields", "-e", "_ws.malformed"]);
    for protocol in ["ip", "udp", "tcp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for protocol in ["ip", "udp", "tcp", "icmp"] {
        tshark.args(["-e", &format!("{protocol}.checksum.status")]);
    }
    let Ok(output) = tshark.output() else {
        println!("skipped: tshark is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let packets = world.trace().iter().filter(|record| record.packet.is_some()).count();
    assert_eq!(text.lines().count(), packets, "{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines() {
        let (malformed, checksums) = line.split_once('\t').unwrap();
        assert_eq!(malformed, "");
        assert!(checksums.contains('1'), "a good checksum in {line:?}");
        // A header that is quoted in an ICMP error cannot be verified (3); none is bad (0).
        assert!(!checksums.contains('0'), "a bad checksum in {line:?}");
    }
}
