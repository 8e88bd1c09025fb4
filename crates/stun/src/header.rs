use core::fmt;

/// The class of a message: two of the bits of its type (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Asks for a response.
    Request,
    /// Asks for nothing.
    Indication,
    /// The request was carried out.
    SuccessResponse,
    /// The request was not carried out; ERROR-CODE says why.
    ErrorResponse,
}

impl Class {
    /// Whether the message answers a request.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self, Self::SuccessResponse | Self::ErrorResponse)
    }
}

/// What a message is about: twelve of the bits of its type (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl Method {
    /// RFC 8489 §3: which transport address does the server see?
    pub const BINDING: Self = Self(0x001);
    /// RFC 8656 §7: give me a relayed transport address.
    pub const ALLOCATE: Self = Self(0x003);
    /// RFC 8656 §8: keep, or end, my allocation.
    pub const REFRESH: Self = Self(0x004);
    /// RFC 8656 §11: a datagram for a peer.
    pub const SEND: Self = Self(0x006);
    /// RFC 8656 §11: a datagram from a peer.
    pub const DATA: Self = Self(0x007);
    /// RFC 8656 §10: let this peer's datagrams through.
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// RFC 8656 §12: give this peer a channel number.
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// RFC 6062 §4.3: open a TCP connection to this peer.
    pub const CONNECT: Self = Self(0x00a);
    /// RFC 6062 §4.3: this TCP connection carries that peer's data.
    pub const CONNECTION_BIND: Self = Self(0x00b);
    /// RFC 6062 §4.4: a peer has opened a TCP connection.
    pub const CONNECTION_ATTEMPT: Self = Self(0x00c);

    /// The method with this number; `None` if it needs more than twelve bits.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value <= 0xfff { Some(Self(value)) } else { None }
    }

    /// The method's number, below 0x1000.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The name in the IANA registry, if this crate knows it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::BINDING => "Binding",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            Self(_) => return None,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "method {:#05x}", self.0),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Ninety-six random bits that tie a response to its request (RFC 8489 §5).
///
/// They must come from a cryptographically strong generator: whoever guesses them can answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    /// The transaction id with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// A new transaction id from this generator.
    #[must_use]
    pub fn random(generator: &mut impl rand::CryptoRng) -> Self {
        let mut bytes = [0; 12];
        generator.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The twelve bytes, as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Display for TransactionId {
    /// Twenty-four hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The length of the header in bytes (RFC 8489 §5).
pub const HEADER_LENGTH: usize = 20;

/// "The Magic Cookie field MUST contain the fixed value 0x2112A442 in network byte order" (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_a442;

/// The first sixteen bits of a message: the class at bits 4 and 8, the method around them.
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::SuccessResponse => 0x100,
        Class::ErrorResponse => 0x110,
    };
    let Method(method) = method;
    class | (method & 0x00f) | ((method & 0x070) << 1) | ((method & 0xf80) << 2)
}

/// The class in a message type.
pub(crate) const fn class_of(message_type: u16) -> Class {
    match message_type & 0x110 {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::SuccessResponse,
        _ => Class::ErrorResponse,
    }
}

/// The method in a message type.
pub(crate) const fn method_of(message_type: u16) -> Method {
    Method((message_type & 0x00f) | ((message_type >> 1) & 0x070) | ((message_type >> 2) & 0xf80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_method_survives_the_message_type() {
        let classes =
            [Class::Request, Class::Indication, Class::SuccessResponse, Class::ErrorResponse];
        for method in (0..=0xfff).filter_map(Method::new) {
            for class in classes {
                let bits = message_type(class, method);
                assert!(bits < 0x4000, "the two top bits are zero");
                assert_eq!((class_of(bits), method_of(bits)), (class, method));
            }
        }
    }

    #[test]
    fn binding_has_the_message_types_of_the_rfc() {
        assert_eq!(message_type(Class::Request, Method::BINDING), 0x0001);
        assert_eq!(message_type(Class::Indication, Method::BINDING), 0x0011);
        assert_eq!(message_type(Class::SuccessResponse, Method::BINDING), 0x0101);
        assert_eq!(message_type(Class::ErrorResponse, Method::BINDING), 0x0111);
    }

    #[test]
    fn a_method_of_thirteen_bits_does_not_exist() {
        assert_eq!(Method::new(0x1000), None);
    }
}
