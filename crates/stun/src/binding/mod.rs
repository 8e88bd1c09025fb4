//! The Binding server: tells a client the address that it is seen from (RFC 8489 §6.3.1.1).
//!
//! [`respond`] is the whole of it for a server with one address. [`Server`] adds what a public server
//! wants: NAT behaviour discovery (RFC 5780), peers of RFC 3489, SOFTWARE, and a limit for each source.

mod limiter;
mod server;

pub use limiter::{Limiter, Rate};
pub use server::{Answer, Config, Server};

use core::net::SocketAddr;

use crate::attribute::{TransmitCounter, XorMappedAddress};
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
    let request = binding_request(request)?;
    let answer = if has_unknown(&request, AttributeType::RFC_8489) {
        refuse(&request, AttributeType::RFC_8489, buffer)
    } else {
        succeed(&request, buffer, |writer| {
            writer.attribute(&XorMappedAddress(canonical(source))).map(drop)
        })
    };
    answer.ok()
}

/// The message, if it is a Binding request.
fn binding_request(bytes: &[u8]) -> Option<Message<'_>> {
    let request = Message::parse(bytes).ok()?;
    let is_binding = request.class() == Class::Request && request.method() == Method::BINDING;
    is_binding.then_some(request)
}

fn has_unknown(request: &Message<'_>, known: &[AttributeType]) -> bool {
    request.unknown_required(known).next().is_some()
}

/// The 420 that lists what is not in `known`.
fn refuse<'b>(
    request: &Message<'_>,
    known: &[AttributeType],
    buffer: &'b mut [u8],
) -> Result<&'b [u8], WriteError> {
    let unknown = request.unknown_required(known);
    let mut writer = response::unknown_attributes(request, unknown, buffer)?;
    finish(request, &mut writer)?;
    Ok(writer.finish())
}

/// The success that says what `write` puts there.
fn succeed<'b>(
    request: &Message<'_>,
    buffer: &'b mut [u8],
    write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), WriteError>,
) -> Result<&'b [u8], WriteError> {
    let mut writer = MessageWriter::response_to(request, Class::SuccessResponse, buffer)?;
    write(&mut writer)?;
    finish(request, &mut writer)?;
    Ok(writer.finish())
}

/// What a request gets back as it came: the number of its transmission (RFC 7982 §3.3; this server
/// counts no responses), and the use of FINGERPRINT.
fn finish(request: &Message<'_>, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
    if let Ok(Some(counter)) = request.get::<TransmitCounter>() {
        writer.attribute(&TransmitCounter { response: 0, ..counter })?;
    }
    if request.has_fingerprint() {
        writer.fingerprint()?;
    }
    Ok(())
}

/// An IPv4 client is told its IPv4 address, also by a server that sees it through an IPv6 socket.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
