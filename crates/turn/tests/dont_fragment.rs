//! DONT-FRAGMENT in the server machine: where it is obeyed, refused, ignored.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::{Caller, World, addr, config, to_peer};
use pinhole_sansio::Transport;
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_stun::{Class, MessageWriter, Method, TransactionId};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, Data, DontFragment, Lifetime, RequestedAddressFamily,
    RequestedTransport, XorPeerAddress,
};
use pinhole_turn::server::ToPeer;

const V4: &str = "198.51.100.7:9000";
const V6: &str = "[2001:db8::7]:9000";

/// A server with addresses of both families whose driver can set DF.
fn able() -> World {
    let mut config = config();
    (config.dont_fragment, config.limits.allocations_per_user) = (true, 100);
    config.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    World::new(config)
}

fn allocate(world: &mut World, caller: &mut Caller, wish: &dyn AttributeWrite) -> u16 {
    let answer = caller.ask(world, Method::ALLOCATE, &|writer| {
        writer.attribute(&RequestedTransport::UDP)?.attribute(&DontFragment)?;
        writer.attribute(wish).map(drop)
    });
    answer.code
}

/// RFC 8656 §3.7: no server that cannot read DF takes it where it translates from IPv4 to IPv6.
#[test]
fn who_wants_translation_is_told_that_df_is_lost() {
    let mut world = able();
    let (v6, both) = (RequestedAddressFamily(Family::Ipv6), AdditionalAddressFamily(Family::Ipv6));
    for local in ["192.0.2.1:1", "[::ffff:192.0.2.1]:2"] {
        let mut caller = Caller::new(local, "alice", Transport::Udp);
        assert_eq!(allocate(&mut world, &mut caller, &v6), 420, "{local}");
        assert_eq!(allocate(&mut world, &mut caller, &both), 420, "{local}");
        assert_eq!(allocate(&mut world, &mut caller, &Lifetime(Duration::ZERO)), 0, "{local}");
    }
}

/// RFC 8656 §13.1 to §13.3: "the DONT-FRAGMENT attribute MUST be ignored by the server", but over TCP.
#[test]
fn df_is_ignored_from_and_to_ipv6_unless_the_client_comes_by_tcp() {
    let mut world = able();
    let both = AdditionalAddressFamily(Family::Ipv6);
    for (local, transport, is_set) in [
        ("192.0.2.1:3", Transport::Tcp, [true, true]),
        ("[2001:db8::9]:4", Transport::Tls, [true, true]),
        ("[2001:db8::9]:5", Transport::Udp, [false, false]),
    ] {
        let mut caller = Caller::new(local, "alice", transport);
        assert_eq!(allocate(&mut world, &mut caller, &both), 0, "{local}");
        assert_eq!(caller.permit(&mut world, &[V4, V6]), 0);
        let to = [V4, V6].map(|peer| send(&mut world, &caller, peer).unwrap().dont_fragment);
        assert_eq!(to, is_set, "{local}");
    }
    // Who has not asked for DF may have both families over IPv4, but no DF towards IPv6.
    let mut caller = Caller::new("192.0.2.1:7", "alice", Transport::Udp);
    let answer = caller.ask(&mut world, Method::ALLOCATE, &|writer| {
        writer.attribute(&RequestedTransport::UDP)?.attribute(&both).map(drop)
    });
    assert_eq!((answer.code, caller.permit(&mut world, &[V4, V6])), (0, 0));
    let to = [V4, V6].map(|peer| send(&mut world, &caller, peer).unwrap().dont_fragment);
    assert_eq!(to, [true, false]);
    let mut caller = Caller::new("192.0.2.1:6", "alice", Transport::Udp);
    assert_eq!(allocate(&mut world, &mut caller, &RequestedAddressFamily(Family::Ipv4)), 0);
    assert_eq!(caller.permit(&mut world, &[V4]), 0);
    assert!(send(&mut world, &caller, V4).unwrap().dont_fragment);
}

/// The way of a Send indication with DONT-FRAGMENT.
fn send(world: &mut World, caller: &Caller, peer: &str) -> Option<ToPeer> {
    let mut buffer = [0xa5; 200];
    let id = TransactionId::new([8; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, id).unwrap();
    writer.attribute(&XorPeerAddress(addr(peer))).unwrap();
    writer.attribute(&DontFragment).unwrap().attribute(&Data(b"data")).unwrap();
    to_peer(world.input(caller.path, writer.finish()))
}
