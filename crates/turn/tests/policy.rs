//! Peer policy: CHECKLIST 32 and 33, its table 1e, and invariant T14.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pinhole_turn::policy::{Action, Policy, Range, Reason, Rule, SPECIAL_PURPOSE, special_purpose};
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

/// Every spelling of an IPv4 address that line 32 names.
fn encodings(address: Ipv4Addr) -> [IpAddr; 8] {
    let bits = u128::from(address.to_bits());
    [
        0xffff_0000_0000 | bits,
        bits,
        (0x64_ff9b << 96) | bits,
        (0x64_ff9b_0001 << 80) | bits,
        (0x2002 << 112) | (bits << 80) | 1,
        (0x2001 << 112) | (bits ^ 0xffff_ffff),
        (0xfe80 << 112) | (0x5efe << 32) | bits,
        (0x2600 << 112) | (0x0200_5efe << 32) | bits,
    ]
    .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

/// Table 1e.
#[test]
fn the_measured_peers_are_refused_by_default() {
    let policy = Policy::default();
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "::",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "::ffff:169.254.169.254",
        "2001::1",
        "ff02::1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "192.0.2.1",
        "2001:db8::1",
        "239.255.255.250",
        "64:ff9b:1::8.8.8.8",
        "fec0::1",
        "4000::1",
    ] {
        let decision = policy.decide(ip(text));
        assert_eq!(decision.action, Action::Deny, "{decision}");
    }
}

#[test]
fn global_addresses_are_allowed_by_default() {
    let policy = Policy::default();
    for text in [
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2606:4700::1111",
        "1.1.1.1",
        "223.255.255.255",
    ] {
        let decision = policy.decide(ip(text));
        assert_eq!(decision.action, Action::Allow, "{decision}");
    }
}

/// Also what the registries call globally reachable: the nearest port control server (RFC 7723) is the one that
/// opens the ports of the network that the relay is in.
#[test]
fn no_special_purpose_address_is_a_peer_unless_it_is_translated() {
    let policy = Policy::default();
    for special in SPECIAL_PURPOSE {
        let (network, prefix) = parts(special.range);
        let is_translator = (network, prefix) == (ip("64:ff9b::"), 96);
        assert_eq!(special.allowed, is_translator, "{special}");
        let first = policy.decide(network);
        assert_eq!(first.action, Action::Deny, "{first}");
    }
    for text in ["192.0.0.9", "64:ff9b::192.0.0.9", "192.0.0.10", "2001:1::1", "2620:4f:8000::1"] {
        let decision = policy.decide(ip(text));
        assert_eq!(decision.action, Action::Deny, "{decision}");
    }
}

#[test]
fn every_refusal_names_its_rule() {
    let policy = Policy::default().with_rule(rule("deny 8.8.0.0/16")).with_own(ip("1.1.1.1"));
    for (peer, text) in [
        ("127.0.0.1", "127.0.0.1 is refused: 127.0.0.0/8 is loopback (RFC 1122)"),
        ("::ffff:8.8.8.8", "8.8.8.8 is refused: rule 1, deny 8.8.0.0/16"),
        ("64:ff9b::8.8.8.8", "8.8.8.8 is refused: rule 1, deny 8.8.0.0/16"),
        ("1.1.1.1", "1.1.1.1 is refused: it is the server's own"),
        ("2001::1", "2001::1 is refused: Teredo is a tunnel (RFC 8656 §21.4)"),
        ("2002::1", "2002::1 is refused: 6to4 is a tunnel (RFC 8656 §21.4)"),
        ("9.9.9.9", "9.9.9.9 is allowed: a global unicast address"),
    ] {
        assert_eq!(policy.decide(ip(peer)).to_string(), text);
    }
}

/// RFC 8656 §21.4, line 33.
#[test]
fn no_rule_opens_teredo_or_6to4() {
    let policy = Policy::default().with_rule(rule("allow ::/0")).with_rule(rule("allow 0.0.0.0/0"));
    for text in ["2001::1", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:f7f7:f7f7"] {
        assert!(matches!(policy.decide(ip(text)).reason, Reason::Tunnel(_)), "{text}");
    }
    assert!(policy.allows(ip("fe80::1")) && policy.allows(ip("127.0.0.1")));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = Policy::default()
        .with_rule(rule("deny 10.1.0.0/16"))
        .with_rule(rule("allow 10.0.0.0/8"))
        .with_rule(rule("allow 127.0.0.1"));
    assert!(policy.allows(ip("10.2.0.1")) && policy.allows(ip("::ffff:10.2.0.1")));
    assert!(policy.allows(ip("64:ff9b::10.2.0.1")));
    assert!(!policy.allows(ip("10.1.0.1")) && !policy.allows(ip("::ffff:10.1.0.1")));
    assert!(policy.allows(ip("127.0.0.1")) && !policy.allows(ip("127.0.0.2")));
}

fn parts(range: Range) -> (IpAddr, u8) {
    let text = range.to_string();
    let (network, prefix) = text.split_once('/').unwrap();
    (ip(network), prefix.parse().unwrap())
}

#[test]
fn a_wider_block_comes_after_those_in_it() {
    for (at, outer) in SPECIAL_PURPOSE.iter().enumerate() {
        for inner in &SPECIAL_PURPOSE[at + 1..] {
            let (network, prefix) = parts(inner.range);
            let hides = outer.range.contains(network) && parts(outer.range).1 <= prefix;
            assert!(!hides, "{outer} hides {inner}");
        }
    }
}

#[test]
fn rules_that_cannot_be_read_are_refused() {
    for text in ["", "allow", "open 10.0.0.0/8", "allow 10.0.0.1/8", "deny 10.0.0.0/40"] {
        assert!(text.parse::<Rule>().is_err(), "{text}");
    }
    assert_eq!(rule("allow  10.0.0.0/8").to_string(), "allow 10.0.0.0/8");
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let v4 = (any::<u32>(), 0u8..=32).prop_map(|(bits, prefix)| (IpAddr::V4(bits.into()), prefix));
    let v6 =
        (any::<u128>(), 0u8..=128).prop_map(|(bits, prefix)| (IpAddr::V6(bits.into()), prefix));
    let range = prop_oneof![v4, v6].prop_map(|(address, prefix)| Range::new(address, prefix));
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny)];
    let rule = (action, range).prop_map(|(action, range)| Rule { action, range: range.unwrap() });
    proptest::collection::vec(rule, 0..6)
        .prop_map(|rules| rules.into_iter().fold(Policy::default(), Policy::with_rule))
}

proptest! {
    /// T14: no spelling of an address gets further than the address.
    #[test]
    fn an_encoding_is_allowed_only_if_the_address_is(policy in any_policy(), bits in any::<u32>()) {
        let address = Ipv4Addr::from_bits(bits);
        let allowed = policy.allows(IpAddr::V4(address));
        let [mapped, rest @ ..] = encodings(address);
        prop_assert_eq!(policy.allows(mapped), allowed);
        for encoding in rest {
            prop_assert!(allowed || !policy.allows(encoding), "{}", encoding);
        }
    }

    /// By default, a translated address is as good as the address.
    #[test]
    fn nat64_is_transparent_by_default(bits in any::<u32>()) {
        let [_, _, nat64, ..] = encodings(Ipv4Addr::from_bits(bits));
        let policy = Policy::default();
        prop_assert_eq!(policy.allows(nat64), policy.allows(IpAddr::V4(bits.into())));
    }
}

/// Line 32: a range is an interval of the integers. Ten million pairs in a release build.
#[test]
fn a_range_is_an_interval_of_integers() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64; // the seed
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(mixed ^ (mixed >> 31))
    };
    let count = if cfg!(debug_assertions) { 200_000 } else { 10_000_000 };
    for _ in 0..count {
        let base = (next() << 64) | next();
        let prefix = u8::try_from(next() % 129).unwrap();
        // Near the range's ends, or anywhere.
        let flipped = u32::try_from(next() % 128).unwrap();
        let probe = if next() % 4 == 0 { (next() << 64) | next() } else { base ^ (1 << flipped) };
        let size = 1u128.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        let first = base.checked_div(size).map_or(0, |blocks| blocks * size);
        let last = first.wrapping_add(size).wrapping_sub(1);
        let range = Range::new(IpAddr::V6(base.into()), prefix).unwrap();
        assert_eq!(
            range.contains(IpAddr::V6(probe.into())),
            first <= probe && probe <= last,
            "{range} {probe:x}"
        );
        if prefix <= 32 {
            let (base, probe) = ((base >> 96) as u32, (probe >> 96) as u32);
            let size = 1u64 << (32 - prefix);
            let first = u64::from(base) / size * size;
            let range = Range::new(IpAddr::V4(base.into()), prefix).unwrap();
            let inside = (first..first + size).contains(&u64::from(probe));
            assert_eq!(range.contains(IpAddr::V4(probe.into())), inside, "{range} {probe:x}");
        }
    }
}

/// The registries' blocks by their first and last addresses, written down apart from the table that is tested.
const BLOCKS: &[(&str, &str, u16)] = &[
    ("0.0.0.0", "0.255.255.255", 791),
    ("10.0.0.0", "10.255.255.255", 1918),
    ("100.64.0.0", "100.127.255.255", 6598),
    ("127.0.0.0", "127.255.255.255", 1122),
    ("169.254.0.0", "169.254.255.255", 3927),
    ("172.16.0.0", "172.31.255.255", 1918),
    ("192.0.0.0", "192.0.0.8", 6890),
    ("192.0.0.9", "192.0.0.9", 7723),
    ("192.0.0.10", "192.0.0.10", 8155),
    ("192.0.0.11", "192.0.0.255", 6890),
    ("192.0.2.0", "192.0.2.255", 5737),
    ("192.31.196.0", "192.31.196.255", 7535),
    ("192.52.193.0", "192.52.193.255", 7450),
    ("192.88.99.0", "192.88.99.255", 7526),
    ("192.168.0.0", "192.168.255.255", 1918),
    ("192.175.48.0", "192.175.48.255", 7534),
    ("198.18.0.0", "198.19.255.255", 2544),
    ("198.51.100.0", "198.51.100.255", 5737),
    ("203.0.113.0", "203.0.113.255", 5737),
    ("224.0.0.0", "239.255.255.255", 5771),
    ("240.0.0.0", "255.255.255.254", 1112),
    ("255.255.255.255", "255.255.255.255", 8190),
    ("::", "::", 4291),
    ("::1", "::1", 4291),
    ("::2", "::ffff:ffff", 4291),
    ("64:ff9b::", "64:ff9b::ffff:ffff", 6052),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", 8215),
    ("100::", "100::ffff:ffff:ffff:ffff", 6666),
    ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", 9780),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", 4380),
    ("2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", 5180),
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", 7450),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", 7535),
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", 7343),
    ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", 9374),
    ("2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 3849),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3056),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", 7534),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", 9637),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 9602),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4193),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3879),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
];

/// The neighbours of blocks that are global unicast addresses: a block that has grown would swallow them.
const GLOBAL: &[&str] = &[
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.31.195.255",
    "192.31.197.0",
    "192.52.192.255",
    "192.52.194.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "192.175.47.255",
    "192.175.49.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::",
    "2001:db7:ffff::",
    "2001:db9::",
    "2003::",
    "2620:4f:7fff:ffff::",
    "2620:4f:8001::",
    "2000::",
    "2000:ffff:ffff::",
    "3ffe:ffff::",
    "3fff:1000::",
];

#[test]
fn each_block_of_the_registries_is_refused_from_end_to_end() {
    let policy = Policy::default();
    for (first, last, rfc) in BLOCKS {
        for end in [first, last] {
            let block = special_purpose(ip(end)).unwrap_or_else(|| panic!("{end} is in no block"));
            assert_eq!(block.rfc, *rfc, "{end}: {block}");
            assert!(!policy.allows(ip(end)), "{end}");
        }
    }
    let written: std::collections::BTreeSet<u16> = BLOCKS.iter().map(|(_, _, rfc)| *rfc).collect();
    assert!(SPECIAL_PURPOSE.iter().all(|block| written.contains(&block.rfc)), "all are here");
    for text in GLOBAL {
        let decision = policy.decide(ip(text));
        assert_eq!(decision.reason, Reason::Global, "{decision}");
    }
    for text in
        ["1fff:ffff::", "4000::", "7fff::", "8000::", "e000::", "fbff:ffff::", "fe00::", "fe7f::"]
    {
        assert!(!policy.allows(ip(text)), "{text} is no global unicast address");
    }
}
