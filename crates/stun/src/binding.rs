//! The Binding server: tells a client the address that it is seen from (RFC 8489 §6.3.1.1).

use core::net::SocketAddr;

use crate::attribute::XorMappedAddress;
use crate::header::{Class, Method};
use crate::message::Message;
use crate::registry::AttributeType;
use crate::response;
use crate::writer::{MessageWriter, WriteError};

/// Writes the answer to a Binding request from `source` into `buffer`; `None` if the bytes deserve
/// none, or if it does not fit.
///
/// The answer depends on the request and its source alone, so that a retransmission gets the same
/// bytes. It carries FINGERPRINT if the request does, and is as small as it can be: a forged source
/// address should not be worth forging (RFC 8489 §16.1.2).
#[must_use]
pub fn respond<'b>(request: &[u8], source: SocketAddr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let request = Message::parse(request).ok()?;
    if request.class() != Class::Request || request.method() != Method::BINDING {
        return None;
    }
    answer(&request, source, buffer).ok()
}

fn answer<'b>(
    request: &Message<'_>,
    source: SocketAddr,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], WriteError> {
    let unknown = request.unknown_required(AttributeType::RFC_8489);
    let mut writer = if unknown.clone().next().is_some() {
        response::unknown_attributes(request, unknown, buffer)?
    } else {
        let mut writer = MessageWriter::response_to(request, Class::SuccessResponse, buffer)?;
        writer.attribute(&XorMappedAddress(canonical(source)))?;
        writer
    };
    if request.has_fingerprint() {
        writer.fingerprint()?;
    }
    Ok(writer.finish())
}

/// An IPv4 client is told its IPv4 address, also by a server that sees it through an IPv6 socket.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
