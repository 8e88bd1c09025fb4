//! Names that hide addresses: `<uuid>.local`.

use alloc::format;
use alloc::string::String;

use rand::Rng;

/// A fresh one, "a version 4 UUID ... followed by '.local'" (draft-ietf-mmusic-mdns-ice-candidates §3.1.1).
pub(super) fn random(rng: &mut impl Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    let bits = u128::from_be_bytes(bytes) & !(VERSION_BITS | VARIANT_BITS) | VERSION | VARIANT;
    let hex = format!("{bits:032x}");
    let mut name = String::new();
    for (place, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&place) {
            name.push('-');
        }
        name.push(digit);
    }
    name + ".local"
}

/// In the form in which names are compared, if it is one of these. Others are not asked for: whoever signals a
/// candidate could have us talk to any device of the link (§3.2.2).
pub(super) fn checked(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let uuid = host.strip_suffix(".local")?;
    let is_uuid = uuid.len() == 36
        && uuid.chars().enumerate().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => c == '-',
            14 => c == '4',
            19 => matches!(c, '8' | '9' | 'a' | 'b'),
            _ => c.is_ascii_hexdigit(),
        });
    is_uuid.then_some(host)
}

/// RFC 9562 §5.4: four bits of version, two of variant.
const VERSION_BITS: u128 = 0xf << 76;
const VERSION: u128 = 0x4 << 76;
const VARIANT_BITS: u128 = 0b11 << 62;
const VARIANT: u128 = 0b10 << 62;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    #[test]
    fn fresh_names_are_names_and_differ() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let (one, two) = (random(&mut rng), random(&mut rng));
        assert_ne!(one, two);
        for name in [one, two] {
            assert_eq!(checked(&name).as_deref(), Some(name.as_str()), "{name}");
        }
    }

    #[test]
    fn only_a_version_4_uuid_under_local_is_one() {
        let name = "1F4712DB-ea17-4bcf-a596-105139dfd8bf.local";
        assert_eq!(checked(name), Some(name.to_ascii_lowercase()));
        assert_eq!(checked(&format!("{name}.")), Some(name.to_ascii_lowercase()));
        for other in [
            "printer.local",
            "1f4712db-ea17-4bcf-a596-105139dfd8bf",
            "1f4712db-ea17-4bcf-a596-105139dfd8bf.example",
            "x.1f4712db-ea17-4bcf-a596-105139dfd8bf.local",
            "1f4712db-ea17-1bcf-a596-105139dfd8bf.local",
            "1f4712db-ea17-4bcf-7596-105139dfd8bf.local",
            "1f4712dbxea17-4bcf-a596-105139dfd8bf.local",
            "",
        ] {
            assert_eq!(checked(other), None, "{other}");
        }
    }
}
