//! Datagrams from the link against a machine that has a name and asks for one.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinhole_ice::Mdns;
use pinhole_sansio::Instant;

fuzz_target!(|bytes: &[u8]| {
    let (mut mdns, mut now) = (Mdns::new([1; 32]), Instant::ZERO);
    let local = ([192, 168, 1, 1], Mdns::PORT).into();
    mdns.add_interface(local, "192.168.1.0/24".parse().expect("a range"));
    mdns.register(local.ip(), now);
    mdns.resolve("1f4712db-ea17-4bcf-a596-105139dfd8bf.local", now).expect("a name");
    let (mut rest, mut events) = (bytes, 0);
    while let Some((length, after)) = rest.split_first() {
        let (payload, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let source = ([192, 168, 1, 2], if length & 1 == 0 { Mdns::PORT } else { 4_000 }).into();
        mdns.handle_timeout(now);
        while mdns.poll_transmit().is_some() {}
        mdns.handle_datagram(local, source, payload, now);
        assert!(std::iter::from_fn(|| mdns.poll_transmit()).count() <= 1);
        events += std::iter::from_fn(|| mdns.poll_event()).count();
        assert!(mdns.poll_timeout().is_none_or(|at| at > now), "a timer is due for ever");
        now += Duration::from_millis(100);
    }
    assert!(events <= 1);
});
