/// "XOR'ed with the 32-bit value 0x5354554e" (RFC 8489 §14.7), so that a CRC-32 which another
/// protocol put at the same place is not taken for ours.
const XOR: u32 = 0x5354_554e;

/// The FINGERPRINT of a message whose bytes before that attribute are these. The length in the
/// header already counts the attribute.
pub(crate) fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ XOR
}
