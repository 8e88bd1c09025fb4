//! The constants against the IANA registry.
#![allow(clippy::unwrap_used, missing_docs)]

use pinhole_stun::AttributeType;

/// `data/stun-attributes.tsv`: number, name, reference, with comments.
const REGISTRY: &str = include_str!("../data/stun-attributes.tsv");

#[test]
fn every_constant_is_in_the_registry_and_the_other_way_round() {
    let registered = REGISTRY.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        let number = columns.next().unwrap().strip_prefix("0x").unwrap();
        (u16::from_str_radix(number, 16).unwrap(), columns.next().unwrap())
    });
    let ours = AttributeType::NAMED.iter().map(|kind| (kind.value(), kind.name().unwrap()));
    assert!(registered.eq(ours));
}

#[test]
fn the_upper_half_of_the_types_is_comprehension_optional() {
    assert!(AttributeType::new(0x7fff).is_comprehension_required());
    assert!(!AttributeType::new(0x8000).is_comprehension_required());
    assert_eq!(AttributeType::new(0x7fff).to_string(), "attribute 0x7fff");
}
