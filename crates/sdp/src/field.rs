//! Typed values of the lines other than `a=` and `m=`.

use core::fmt;

use crate::{Reader, TypedField, Value, ValueError};

/// `o=`: who made the description, and which version of it this is (RFC 8866 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The login of the user, or `-`.
    pub username: &'a str,
    /// With the other fields but the version, makes the session globally unique.
    pub session_id: u64,
    /// Grows with every change of the description.
    pub session_version: u64,
    /// `IP4`, `IP6` or another address type of the network type `IN`.
    pub address_type: &'a str,
    /// An address or a host name.
    pub address: &'a str,
}

impl Origin<'_> {
    /// An origin that tells nothing about the host: `- <id> <version> IN IP4 0.0.0.0`, as RFC 9429
    /// §5.2.1 advises. The session id should be random, and below 2^63.
    #[must_use]
    pub const fn anonymous(session_id: u64, session_version: u64) -> Self {
        let Connection { address_type, address } = Connection::UNSPECIFIED;
        Self { username: "-", session_id, session_version, address_type, address }
    }
}

impl<'a> Value<'a> for Origin<'a> {
    const SECTION: &'static str = "RFC 8866 §5.2";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let username = reader.word("a user name or -")?;
        reader.blank("a session id")?;
        let session_id = reader.number("a session id of at most 64 bits")?;
        reader.blank("a session version")?;
        let session_version = reader.number("a session version of at most 64 bits")?;
        reader.blank("the network type IN")?;
        let (address_type, address) = internet_address(reader)?;
        Ok(Self { username, session_id, session_version, address_type, address })
    }
}

impl<'a> TypedField<'a> for Origin<'a> {
    const KIND: char = 'o';
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, session_version, address_type, address } = self;
        write!(f, "{username} {session_id} {session_version} IN {address_type} {address}")
    }
}

/// `s=`: the name of the session (RFC 8866 §5.3), `-` where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionName<'a>(pub &'a str);

impl<'a> Value<'a> for SessionName<'a> {
    const SECTION: &'static str = "RFC 8866 §5.3";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        Ok(Self(reader.remainder()))
    }
}

impl<'a> TypedField<'a> for SessionName<'a> {
    const KIND: char = 's';
}

impl fmt::Display for SessionName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// `c=`: where to send to (RFC 8866 §5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IP4`, `IP6` or another address type of the network type `IN`.
    pub address_type: &'a str,
    /// An address or a host name, with `/ttl` and `/count` where it is a multicast one.
    pub address: &'a str,
}

impl Connection<'_> {
    /// `IN IP4 0.0.0.0`: no address yet, as a trickling agent writes it (RFC 8840 §4.1.3).
    pub const UNSPECIFIED: Self = Self { address_type: "IP4", address: "0.0.0.0" };
}

impl<'a> Value<'a> for Connection<'a> {
    const SECTION: &'static str = "RFC 8866 §5.7";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let (address_type, address) = internet_address(reader)?;
        Ok(Self { address_type, address })
    }
}

impl<'a> TypedField<'a> for Connection<'a> {
    const KIND: char = 'c';
}

impl fmt::Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IN {} {}", self.address_type, self.address)
    }
}

/// `b=`: a proposed bandwidth (RFC 8866 §5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// What is meant: `AS` and `CT` in kilobits a second, `TIAS` in bits a second, or another.
    pub kind: &'a str,
    /// How much, in the unit of `kind`.
    pub amount: u64,
}

impl<'a> Value<'a> for Bandwidth<'a> {
    const SECTION: &'static str = "RFC 8866 §5.8";

    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError> {
        let kind = reader.token("a bandwidth type such as AS")?;
        if !reader.skip(":") {
            return Err(reader.expected("a colon"));
        }
        Ok(Self { kind, amount: reader.number("a bandwidth")? })
    }
}

impl<'a> TypedField<'a> for Bandwidth<'a> {
    const KIND: char = 'b';
}

impl fmt::Display for Bandwidth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.amount)
    }
}

/// `t=`: when the session is active (RFC 8866 §5.9), in seconds since 1900; zero leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Timing {
    /// When it begins.
    pub start: u64,
    /// When it ends.
    pub stop: u64,
}

impl Value<'_> for Timing {
    const SECTION: &'static str = "RFC 8866 §5.9";

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        let start = reader.number("a start time")?;
        reader.blank("a stop time")?;
        Ok(Self { start, stop: reader.number("a stop time")? })
    }
}

impl TypedField<'_> for Timing {
    const KIND: char = 't';
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.start, self.stop)
    }
}

/// `IN <addrtype> <address>`
fn internet_address<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str), ValueError> {
    if !reader.skip("IN ") {
        return Err(reader.expected("the network type IN"));
    }
    let address_type = reader.token("an address type such as IP4")?;
    reader.blank("an address")?;
    Ok((address_type, reader.word("an address")?))
}
