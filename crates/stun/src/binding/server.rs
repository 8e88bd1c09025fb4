use alloc::string::String;
use core::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};

use super::{Limiter, Rate, binding_request, canonical, finish, has_unknown, refuse, succeed};
use crate::attribute::{
    ChangeRequest, ErrorCode, MappedAddress, OtherAddress, Padding, ResponseOrigin, ResponsePort,
    Software, XorMappedAddress,
};
use crate::legacy;
use crate::message::Message;
use crate::registry::AttributeType;
use crate::response;
use crate::writer::{MessageWriter, WriteError};

/// What a [`Server`] does beyond answering. By default, nothing but to limit its answers.
#[derive(Clone, Debug)]
pub struct Config {
    /// The value of SOFTWARE; `None` keeps answers small (RFC 8489 §16.1.2).
    pub software: Option<String>,
    /// Two addresses that differ in IP address and in port, on whose four combinations the server
    /// listens over UDP; they make it a server of RFC 5780.
    pub alternate: Option<(SocketAddr, SocketAddr)>,
    /// Whether requests of RFC 3489 are answered.
    pub legacy: bool,
    /// How many answers each source gets over transports that do not prove its address; `None` for as
    /// many as it likes.
    pub rate: Option<Rate>,
}

impl Default for Config {
    fn default() -> Self {
        Self { software: None, alternate: None, legacy: false, rate: Some(Rate::default()) }
    }
}

/// A Binding server: one answer at most for each datagram, and no state but its rate limiter.
#[derive(Clone, Debug)]
pub struct Server {
    config: Config,
    limiter: Option<Limiter>,
}

/// An answer, and the path that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'b> {
    /// `local` is the socket to send from, `remote` the destination.
    pub five_tuple: FiveTuple,
    /// What to send.
    pub payload: &'b [u8],
}

/// What a request of RFC 5780 asks for.
#[derive(Clone, Copy)]
struct Wishes<'a> {
    change: ChangeRequest,
    port: Option<ResponsePort>,
    /// Sent back as it came. RFC 5780 §6.1 wants it as long as the MTU; but a stranger's request must
    /// not become more bytes than it had.
    padding: Option<Padding<'a>>,
}

impl<'a> Wishes<'a> {
    /// `None` for a request that deserves a 400: "The server MUST NOT process a request containing a
    /// RESPONSE-PORT and a PADDING attribute" (RFC 5780 §7.5).
    fn read(request: &Message<'a>) -> Option<Self> {
        let change = request.get().ok()?.unwrap_or_default();
        let (port, padding) = (request.get().ok()?, request.get().ok()?);
        (port.is_none() || padding.is_none()).then_some(Self { change, port, padding })
    }
}

/// What a server of RFC 5780 knows: the attributes of RFC 8489, and three more.
const KNOWN: &[AttributeType] = &[
    AttributeType::CHANGE_REQUEST,
    AttributeType::RESPONSE_PORT,
    AttributeType::PADDING,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
];

/// The sockets in the terms of RFC 5780 §6.1.
#[derive(Clone, Copy)]
struct Origin {
    /// Where the request arrived: Da and Dp.
    arrived: SocketAddr,
    /// The other address and port: Ca and Cp.
    other: SocketAddr,
}

impl Server {
    /// A server; the seed decides which sources share a bucket of the rate limiter.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = seed;
        let seed = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let limiter = config.rate.map(|rate| Limiter::new(rate, seed));
        Self { config, limiter }
    }

    /// Writes the answer to what arrived into `buffer`; `None` if there is none.
    #[must_use]
    pub fn handle_datagram<'b>(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Option<Answer<'b>> {
        let request = binding_request(datagram.payload);
        let legacy = match request {
            Some(_) => None,
            None if self.config.legacy => Some(legacy::Request::parse(datagram.payload)?),
            None => return None,
        };
        if !datagram.five_tuple.transport.is_reliable()
            && let Some(limiter) = &mut self.limiter
            && !limiter.allow(datagram.five_tuple.remote.ip(), now)
        {
            return None;
        }
        match (request, legacy) {
            (Some(request), _) => self.answer(&request, datagram.five_tuple, buffer).ok(),
            (None, Some(request)) => self.answer_legacy(&request, datagram.five_tuple, buffer),
            (None, None) => None,
        }
    }

    fn answer<'b>(
        &self,
        request: &Message<'_>,
        path: FiveTuple,
        buffer: &'b mut [u8],
    ) -> Result<Answer<'b>, WriteError> {
        let origin = self.origin(path);
        let known = if origin.is_some() { KNOWN } else { AttributeType::RFC_8489 };
        if has_unknown(request, known) {
            return Ok(Answer { five_tuple: path, payload: refuse(request, known, buffer)? });
        }
        let Some(origin) = origin else {
            let payload = succeed(request, buffer, |writer| {
                writer.attribute(&XorMappedAddress(canonical(path.remote)))?;
                self.write_software(writer)
            })?;
            return Ok(Answer { five_tuple: path, payload });
        };
        let Some(wishes) = Wishes::read(request) else {
            let mut writer = response::error(request, ErrorCode::bare(400), buffer)?;
            finish(request, &mut writer)?;
            return Ok(Answer { five_tuple: path, payload: writer.finish() });
        };
        let local = origin.source(wishes.change);
        let port = wishes.port.map_or(path.remote.port(), |ResponsePort(port)| port);
        let payload = succeed(request, buffer, |writer| {
            writer.attribute(&XorMappedAddress(canonical(path.remote)))?;
            writer.attribute(&MappedAddress(canonical(path.remote)))?;
            writer.attribute(&ResponseOrigin(local))?.attribute(&OtherAddress(origin.other))?;
            if let Some(padding) = &wishes.padding {
                writer.attribute(padding)?;
            }
            self.write_software(writer)
        })?;
        let remote = SocketAddr::new(path.remote.ip(), port);
        Ok(Answer { five_tuple: FiveTuple { local, remote, ..path }, payload })
    }

    fn write_software(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        match &self.config.software {
            Some(software) => writer.attribute(&Software(software)).map(drop),
            None => Ok(()),
        }
    }

    fn answer_legacy<'b>(
        &self,
        request: &legacy::Request,
        path: FiveTuple,
        buffer: &'b mut [u8],
    ) -> Option<Answer<'b>> {
        let origin = self.origin(path);
        let changes = request.change() != ChangeRequest::default();
        let source = match origin {
            Some(origin) => origin.source(request.change()),
            // A test that wants an answer from elsewhere must not get one from here.
            None if changes => return None,
            None => path.local,
        };
        let response = legacy::Response {
            mapped: canonical(path.remote),
            source: Some(source),
            changed: origin.map(|origin| origin.other),
        };
        let payload = request.respond(&response, buffer).ok()?;
        Some(Answer { five_tuple: FiveTuple { local: source, ..path }, payload })
    }

    /// The addresses of RFC 5780, if the request arrived at one of them.
    fn origin(&self, path: FiveTuple) -> Option<Origin> {
        let (first, second) = self.config.alternate.filter(|_| path.transport == Transport::Udp)?;
        let arrived = path.local;
        let other_ip = match arrived.ip() {
            ip if ip == first.ip() => second.ip(),
            ip if ip == second.ip() => first.ip(),
            _ => return None,
        };
        let other_port = match arrived.port() {
            port if port == first.port() => second.port(),
            port if port == second.port() => first.port(),
            _ => return None,
        };
        Some(Origin { arrived, other: SocketAddr::new(other_ip, other_port) })
    }
}

impl Origin {
    /// Table 1 of RFC 5780 §6.1.
    fn source(self, change: ChangeRequest) -> SocketAddr {
        let ip = if change.address { self.other.ip() } else { self.arrived.ip() };
        let port = if change.port { self.other.port() } else { self.arrived.port() };
        SocketAddr::new(ip, port)
    }
}
