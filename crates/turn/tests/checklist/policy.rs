//! Lines 32 to 34 and table 1e: which peers there are, by every verb and in every spelling.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use pinhole_sansio::Transport;
use pinhole_stun::Method;
use pinhole_stun::attribute::Family;
use pinhole_turn::attribute::{
    AdditionalAddressFamily, Channel, RequestedTransport, XorPeerAddress,
};
use pinhole_turn::policy::Policy;
use pinhole_turn::server::{Bandwidth, Config, Event};

use crate::common::{Caller, World, addr, config, relayed};
use crate::{UDP, allocate, ask};

/// A server with the default policy, and with addresses of both families.
fn strict() -> Config {
    let mut strict = config();
    strict.policy = Policy::default();
    strict.relay_v6 = Some("2001:db8::1".parse::<IpAddr>().unwrap().into());
    strict.tcp = true;
    strict
}

/// A UDP and a TCP client, each with an address of each family.
fn clients(world: &mut World) -> (Caller, Caller) {
    let dual = AdditionalAddressFamily(Family::Ipv6);
    let mut udp = Caller::alice();
    assert_eq!(allocate(world, &mut udp, &[&UDP, &dual]).code, 0);
    let mut tcp = Caller::new("192.0.2.1:5001", "alice", Transport::Tcp);
    assert_eq!(allocate(world, &mut tcp, &[&RequestedTransport::TCP, &dual]).code, 0);
    (udp, tcp)
}

/// What becomes of this peer by CreatePermission, ChannelBind and Connect, and whether Send reaches it.
fn verdicts(
    world: &mut World,
    (udp, tcp): (&mut Caller, &mut Caller),
    peer: IpAddr,
) -> ([u16; 3], bool) {
    let peer = XorPeerAddress(SocketAddr::new(peer, 80));
    let permit = ask(world, udp, Method::CREATE_PERMISSION, &[&peer]).code;
    let bind = ask(world, udp, Method::CHANNEL_BIND, &[&Channel(0x4000), &peer]).code;
    let connect = ask(world, tcp, Method::CONNECT, &[&peer]).code;
    ([permit, bind, connect], udp.send(world, &peer.0.to_string(), b"x").is_some())
}

fn refused(world: &mut World, clients: (&mut Caller, &mut Caller), peer: IpAddr) {
    let before = world.events.len();
    let got = verdicts(world, clients, peer);
    assert_eq!(got, ([403; 3], false), "{peer}");
    let told = &world.events[before..];
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|event| matches!(event, Event::PeerRefused { .. })), "with the rule");
}

/// Table 1e, and more of each kind.
#[test]
fn table_1e_the_measured_peers_are_refused_by_every_verb() {
    let mut world = World::new(strict());
    let (mut udp, mut tcp) = clients(&mut world);
    let table = "0.0.0.0 0.1.2.3 127.0.0.1 127.255.255.254 :: ::1 169.254.169.254 fe80::1 fc00::1 \
        ::ffff:127.0.0.1 ::ffff:0.0.0.0 ::127.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1 \
        ::ffff:169.254.169.254 2001::1 ff02::1 224.0.0.1 255.255.255.255 240.0.0.1 10.0.0.1 \
        100.64.0.1 192.0.2.1 2001:db8::1 192.168.0.1 172.16.0.1 198.18.0.1 203.0.113.1";
    for peer in table.split_whitespace() {
        refused(&mut world, (&mut udp, &mut tcp), peer.parse().unwrap());
    }
    let peer = "192.0.2.200".parse().unwrap();
    let mut opened = strict();
    opened.policy = opened.policy.with_rule("allow 192.0.2.128/25".parse().unwrap());
    let mut world = World::new(opened);
    let (mut udp, mut tcp) = clients(&mut world);
    let got = verdicts(&mut world, (&mut udp, &mut tcp), peer);
    assert_eq!(got, ([0, 0, 1], true), "the operator has opened it; Connect waits");
}

/// Every spelling of an IPv4 address: mapped, compatible, 6to4, NAT64 (two prefixes), ISATAP (two).
fn spellings(address: Ipv4Addr) -> [IpAddr; 8] {
    let bits = u128::from(address.to_bits());
    let v6 = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
    [
        IpAddr::V4(address),
        v6(0xffff_0000_0000 | bits),
        v6(bits),
        v6((0x2002 << 112) | (bits << 80)),
        v6((0x64_ff9b << 96) | bits),
        v6((0x64_ff9b_0001 << 80) | bits),
        v6((0xfe80 << 112) | (0x5efe << 32) | bits),
        v6((0x2600 << 112) | (0x0200_5efe << 32) | bits),
    ]
}

#[test]
fn line_32_a_refused_peer_is_refused_in_every_spelling_by_every_verb() {
    let mut world = World::new(strict());
    let (mut udp, mut tcp) = clients(&mut world);
    for text in ["127.0.0.1", "169.254.169.254", "10.1.2.3", "0.0.0.0", "224.0.0.1", "203.0.113.1"]
    {
        for spelling in spellings(text.parse().unwrap()) {
            refused(&mut world, (&mut udp, &mut tcp), spelling);
        }
    }
}

#[test]
fn line_33_teredo_and_6to4_are_refused_even_if_a_rule_opens_everything() {
    let mut open = strict();
    open.policy = open.policy.with_rule("allow ::/0".parse().unwrap());
    let mut world = World::new(open);
    let (mut udp, mut tcp) = clients(&mut world);
    for peer in ["2001::1", "2001:0:1234::5", "2002::1", "2002:808:808::1"] {
        refused(&mut world, (&mut udp, &mut tcp), peer.parse().unwrap());
    }
    for client in ["[2001::1]:5000", "[2002:808:808::1]:5000"] {
        let mut tunneled = Caller::new(client, "alice", Transport::Udp);
        assert_eq!(allocate(&mut world, &mut tunneled, &[&UDP]).code, 403, "as a client, too");
    }
}

/// RFC 8656 §21.1.7: two channels that lead to one another.
#[test]
fn line_34_a_loop_is_refused_by_default_and_ended_by_the_bandwidth_otherwise() {
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let own = alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, &own.to_string()), 403, "the relay's own address");

    let mut open = config();
    open.policy = open.policy.with_rule("allow 203.0.113.0/24".parse().unwrap());
    open.limits.bandwidth = Some(Bandwidth { bytes_per_second: 1_000, burst: 10_000 });
    let mut world = World::new(open);
    let mut callers = [Caller::alice(), Caller::new("192.0.2.2:1", "bob", Transport::Udp)];
    let relays = [0, 1].map(|at| {
        let answer = allocate(&mut world, &mut callers[at], &[&UDP]);
        relayed(&answer)
    });
    for (at, caller) in callers.iter_mut().enumerate() {
        assert_eq!(caller.bind(&mut world, 0x4000, &relays[1 - at].to_string()), 0);
    }
    // What a client gets it sends back, at once: a loop over both relays.
    let (mut hops, mut at) = (0, 0);
    while callers[at].channel(&mut world, 0x4000, &[7; 100]).is_some() {
        at = 1 - at;
        if world.peer_sends(relays[at], &relays[1 - at].to_string(), &[7; 100]).is_none() {
            break;
        }
        hops += 1;
        world.advance(Duration::from_micros(100));
        assert!(hops <= 200, "it goes on");
    }
    assert!((50..=110).contains(&hops), "{hops} of 100 bytes, two for each, from 20,000");
    assert_eq!(addr("203.0.113.1:1").ip(), relays[0].ip());
}
