//! The numbers of the IANA registry "STUN Attributes", and how long each value may be.

use core::fmt;

use crate::attribute::AttributeError;

/// The type of an attribute (RFC 8489 §14).
///
/// A type that this crate does not name is as good as one that it does: it survives parsing and
/// writing, and prints as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(u16);

impl AttributeType {
    /// The attribute type with this number.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// Whether the value is computed from the bytes before it: both integrity attributes, and
    /// FINGERPRINT.
    #[must_use]
    pub const fn is_seal(self) -> bool {
        matches!(self, Self::MESSAGE_INTEGRITY | Self::MESSAGE_INTEGRITY_SHA256 | Self::FINGERPRINT)
    }

    /// The comprehension-required types of RFC 8489 itself, which each of its agents knows, if only to
    /// ignore them where they are unexpected (§6.3).
    pub const RFC_8489: &'static [Self] = &[
        Self::MAPPED_ADDRESS,
        Self::USERNAME,
        Self::ERROR_CODE,
        Self::UNKNOWN_ATTRIBUTES,
        Self::REALM,
        Self::NONCE,
        Self::PASSWORD_ALGORITHM,
        Self::USERHASH,
        Self::XOR_MAPPED_ADDRESS,
    ];

    /// The type's number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Whether an agent that does not know the type has to refuse the message (RFC 8489 §14).
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "attribute {:#06x}", self.0),
        }
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The lengths in bytes that a value may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// No value is shorter.
    pub min: u16,
    /// No value that is received is longer.
    pub max: u16,
    /// No value that is sent is longer. RFC 8489 has texts of at most 509 bytes sent, and of up to
    /// 763 understood.
    pub max_sent: u16,
}

impl Bounds {
    const fn new(min: u16, max: u16) -> Self {
        Self { min, max, max_sent: max }
    }

    const fn exactly(length: u16) -> Self {
        Self::new(length, length)
    }

    const fn sent_up_to(self, max_sent: u16) -> Self {
        Self { max_sent, ..self }
    }

    /// Whether a value of this length may be received.
    #[must_use]
    pub const fn contains(self, length: usize) -> bool {
        self.min as usize <= length && length <= self.max as usize
    }

    pub(crate) const fn check(
        self,
        kind: AttributeType,
        length: usize,
    ) -> Result<(), AttributeError> {
        if self.contains(length) { Ok(()) } else { Err(AttributeError::Length { kind, length }) }
    }
}

/// Declares each type once: its constant, its number, its IANA name and its bounds.
macro_rules! table {
    ($($(#[$doc:meta])* $constant:ident = $value:literal, $name:literal, $bounds:expr;)+) => {
        impl AttributeType {
            $($(#[$doc])* pub const $constant: Self = Self($value);)+

            /// The types that have a name here, in the order of their numbers.
            pub const NAMED: &'static [Self] = &[$(Self::$constant),+];

            /// The name in the IANA registry; `None` for a type that is not in this table.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    Self(_) => None,
                }
            }

            /// How long a value of this type may be; anything, for a type that is not in this table.
            #[inline]
            #[must_use]
            pub const fn bounds(self) -> Bounds {
                match self {
                    $(Self::$constant => $bounds,)+
                    Self(_) => ANY,
                }
            }
        }
    };
}

const EMPTY: Bounds = Bounds::exactly(0);
const ANY: Bounds = Bounds::new(0, u16::MAX);
/// One byte of zeros, the family, the port, and four or sixteen bytes of address.
const ADDRESS: Bounds = Bounds::new(8, 20);
/// "fewer than 128 characters (which can be as long as 509 bytes when encoding them and as long
/// as 763 bytes when decoding them)" (RFC 8489 §14.9).
const TEXT: Bounds = Bounds::new(0, 763).sent_up_to(509);

table! {
    /// RFC 8489 §14.1.
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS", ADDRESS;
    /// RFC 3489 §11.2.2; withdrawn.
    RESPONSE_ADDRESS = 0x0002, "RESPONSE-ADDRESS", ADDRESS;
    /// RFC 5780 §7.2.
    CHANGE_REQUEST = 0x0003, "CHANGE-REQUEST", Bounds::exactly(4);
    /// RFC 3489 §11.2.5; withdrawn.
    SOURCE_ADDRESS = 0x0004, "SOURCE-ADDRESS", ADDRESS;
    /// RFC 3489 §11.2.3; withdrawn.
    CHANGED_ADDRESS = 0x0005, "CHANGED-ADDRESS", ADDRESS;
    /// RFC 8489 §14.3: "fewer than 509 bytes", and "763 or fewer" understood.
    USERNAME = 0x0006, "USERNAME", Bounds::new(0, 763).sent_up_to(508);
    /// RFC 3489 §11.2.7; withdrawn.
    PASSWORD = 0x0007, "PASSWORD", ANY;
    /// RFC 8489 §14.5.
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY", Bounds::exactly(20);
    /// RFC 8489 §14.8: four bytes and a text.
    ERROR_CODE = 0x0009, "ERROR-CODE", Bounds::new(4, 767).sent_up_to(513);
    /// RFC 8489 §14.13.
    UNKNOWN_ATTRIBUTES = 0x000a, "UNKNOWN-ATTRIBUTES", ANY;
    /// RFC 3489 §11.2.11; withdrawn.
    REFLECTED_FROM = 0x000b, "REFLECTED-FROM", ADDRESS;
    /// RFC 8656 §18.1.
    CHANNEL_NUMBER = 0x000c, "CHANNEL-NUMBER", Bounds::exactly(4);
    /// RFC 8656 §18.2.
    LIFETIME = 0x000d, "LIFETIME", Bounds::exactly(4);
    /// RFC 8656 §18.3.
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS", ADDRESS;
    /// RFC 8656 §18.4.
    DATA = 0x0013, "DATA", ANY;
    /// RFC 8489 §14.9.
    REALM = 0x0014, "REALM", TEXT;
    /// RFC 8489 §14.10.
    NONCE = 0x0015, "NONCE", TEXT;
    /// RFC 8656 §18.5.
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS", ADDRESS;
    /// RFC 8656 §18.6.
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY", Bounds::exactly(4);
    /// RFC 8656 §18.7.
    EVEN_PORT = 0x0018, "EVEN-PORT", Bounds::exactly(1);
    /// RFC 8656 §18.8.
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT", Bounds::exactly(4);
    /// RFC 8656 §18.9.
    DONT_FRAGMENT = 0x001a, "DONT-FRAGMENT", EMPTY;
    /// RFC 7635 §6.2: a nonce with its length, a ciphertext and its tag.
    ACCESS_TOKEN = 0x001b, "ACCESS-TOKEN", ANY;
    /// RFC 8489 §14.6: "at least 16 bytes and MUST be a multiple of 4 bytes", at most 32.
    MESSAGE_INTEGRITY_SHA256 = 0x001c, "MESSAGE-INTEGRITY-SHA256", Bounds::new(16, 32);
    /// RFC 8489 §14.12.
    PASSWORD_ALGORITHM = 0x001d, "PASSWORD-ALGORITHM", Bounds::new(4, u16::MAX);
    /// RFC 8489 §14.4.
    USERHASH = 0x001e, "USERHASH", Bounds::exactly(32);
    /// RFC 8489 §14.2.
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS", ADDRESS;
    /// RFC 8656 §18.10.
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN", Bounds::exactly(8);
    /// RFC 8445 §16.1.
    PRIORITY = 0x0024, "PRIORITY", Bounds::exactly(4);
    /// RFC 8445 §16.1.
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE", EMPTY;
    /// RFC 5780 §7.6.
    PADDING = 0x0026, "PADDING", ANY;
    /// RFC 5780 §7.5: a port and two bytes of padding, which some count and some do not.
    RESPONSE_PORT = 0x0027, "RESPONSE-PORT", Bounds::new(2, 4);
    /// RFC 6062 §6.2.1.
    CONNECTION_ID = 0x002a, "CONNECTION-ID", Bounds::exactly(4);
    /// draft-thatcher-tsvwg-renomination §3.3; not registered yet.
    NOMINATION = 0x0030, "NOMINATION", Bounds::exactly(4);
    /// RFC 8656 §18.11.
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY", Bounds::exactly(4);
    /// RFC 8656 §18.12.
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE", Bounds::new(4, 767).sent_up_to(513);
    /// RFC 8489 §14.11.
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS", Bounds::new(4, u16::MAX);
    /// RFC 8489 §14.16: "255 or fewer ASCII characters".
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN", Bounds::new(1, 255);
    /// RFC 8656 §18.13.
    ICMP = 0x8004, "ICMP", Bounds::exactly(8);
    /// RFC 8489 §14.14.
    SOFTWARE = 0x8022, "SOFTWARE", TEXT;
    /// RFC 8489 §14.15.
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER", ADDRESS;
    /// RFC 7982 §3.1.
    TRANSACTION_TRANSMIT_COUNTER = 0x8025, "TRANSACTION_TRANSMIT_COUNTER", Bounds::exactly(4);
    /// RFC 5780 §9.1, which gives it a number and no text.
    CACHE_TIMEOUT = 0x8027, "CACHE-TIMEOUT", Bounds::exactly(4);
    /// RFC 8489 §14.7.
    FINGERPRINT = 0x8028, "FINGERPRINT", Bounds::exactly(4);
    /// RFC 8445 §16.1.
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED", Bounds::exactly(8);
    /// RFC 8445 §16.1.
    ICE_CONTROLLING = 0x802a, "ICE-CONTROLLING", Bounds::exactly(8);
    /// RFC 5780 §7.3.
    RESPONSE_ORIGIN = 0x802b, "RESPONSE-ORIGIN", ADDRESS;
    /// RFC 5780 §7.4.
    OTHER_ADDRESS = 0x802c, "OTHER-ADDRESS", ADDRESS;
    /// RFC 6679 §7.3.3.
    ECN_CHECK = 0x802d, "ECN-CHECK STUN", Bounds::exactly(4);
    /// RFC 7635 §6.1.
    THIRD_PARTY_AUTHORIZATION = 0x802e, "THIRD-PARTY-AUTHORIZATION", Bounds::new(1, u16::MAX);
    /// RFC 8016 §3.
    MOBILITY_TICKET = 0x8030, "MOBILITY-TICKET", ANY;
    /// Sent by libwebrtc: what became of NOMINATION.
    GOOG_NOMINATION = 0xc001, "GOOG-NOMINATION", Bounds::exactly(4);
    /// What libwebrtc says about its network; seen in every Chromium check.
    GOOG_NETWORK_INFO = 0xc057, "GOOG-NETWORK-INFO", ANY;
    /// Sent by libwebrtc.
    GOOG_LAST_ICE_CHECK_RECEIVED = 0xc058, "GOOG-LAST-ICE-CHECK-RECEIVED", ANY;
    /// Sent by libwebrtc.
    GOOG_MISC_INFO = 0xc059, "GOOG-MISC-INFO", ANY;
    /// Sent by libwebrtc.
    GOOG_CONNECTION_ID = 0xc05b, "GOOG-CONNECTION-ID", ANY;
    /// Sent by libwebrtc.
    GOOG_DELTA = 0xc05c, "GOOG-DELTA", ANY;
    /// Sent by libwebrtc.
    GOOG_DELTA_ACK = 0xc05d, "GOOG-DELTA-ACK", ANY;
    /// Sent by libwebrtc.
    GOOG_DELTA_SYNC_REQ = 0xc05e, "GOOG-DELTA-SYNC-REQ", ANY;
    /// Sent by libwebrtc: the first four bytes of an HMAC-SHA1, which nothing here relies on.
    GOOG_MESSAGE_INTEGRITY_32 = 0xc060, "GOOG-MESSAGE-INTEGRITY-32", Bounds::exactly(4);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_type_once() {
        assert!(AttributeType::NAMED.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn no_bound_contradicts_another() {
        for kind in AttributeType::NAMED {
            let bounds = kind.bounds();
            assert!(bounds.min <= bounds.max_sent && bounds.max_sent <= bounds.max, "{kind}");
        }
    }
}
