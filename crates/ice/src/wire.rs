//! The STUN messages of a session: connectivity checks and their answers (RFC 8445 §7.1 to §7.3).

use core::net::SocketAddr;

use pinhole_sansio::Payload;
use pinhole_stun::attribute::{
    ErrorCode, GoogNomination, IceControlled, IceControlling, Nomination,
    Priority as PriorityAttribute, UseCandidate, Username, XorMappedAddress,
};
use pinhole_stun::{
    AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId, WriteError,
    response,
};

use crate::abilities::Renomination;
use crate::candidate::Priority;
use crate::role::{Role, TieBreaker};

/// The attributes that an ICE agent understands in a request or a response.
pub(crate) const KNOWN: &[AttributeType] = &[
    AttributeType::USERNAME,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::PRIORITY,
    AttributeType::USE_CANDIDATE,
    AttributeType::NOMINATION,
];

/// What a check says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckRequest<'a> {
    pub(crate) id: TransactionId,
    /// `remote:local` (RFC 8445 §7.2.2).
    pub(crate) username: &'a str,
    pub(crate) priority: Priority,
    pub(crate) role: (Role, TieBreaker),
    pub(crate) nominates: Nominates,
}

/// Whether a check nominates its pair, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nominates {
    /// It does not.
    No,
    /// Once and for all (RFC 8445 §7.1.2).
    ForGood,
    /// Until a higher number comes.
    Numbered(Renomination, u32),
}

impl CheckRequest<'_> {
    /// Writes the Binding request, signed with the peer's password.
    pub(crate) fn write(&self, key: &IntegrityKey) -> Result<Payload, WriteError> {
        let mut buffer = [0; MAX_MESSAGE];
        let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, self.id)?;
        writer.attribute(&Username(self.username))?;
        writer.attribute(&PriorityAttribute(self.priority.0))?;
        match self.role {
            (Role::Controlling, TieBreaker(number)) => writer.attribute(&IceControlling(number))?,
            (Role::Controlled, TieBreaker(number)) => writer.attribute(&IceControlled(number))?,
        };
        if self.nominates != Nominates::No {
            writer.attribute(&UseCandidate)?;
        }
        match self.nominates {
            Nominates::Numbered(Renomination::Draft, number) => {
                writer.attribute(&Nomination(number))?;
            }
            Nominates::Numbered(Renomination::Libwebrtc, number) => {
                writer.attribute(&GoogNomination(number))?;
            }
            Nominates::No | Nominates::ForGood => {}
        }
        writer.integrity(key)?.fingerprint()?;
        Ok(Payload::from(writer.finish()))
    }
}

/// What an authentic request says, read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedCheck {
    pub(crate) priority: Priority,
    pub(crate) use_candidate: bool,
    /// The number of a nomination that may change.
    pub(crate) nomination: Option<u32>,
    /// `None` from a peer that does not say; it has no part in conflicts.
    pub(crate) role: Option<(Role, TieBreaker)>,
}

impl ReceivedCheck {
    /// `None` when PRIORITY is missing or an attribute is malformed (RFC 8445 §7.1.1). One walk; of several the first counts.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        let id = message.transaction_id();
        let (mut priority, mut controlling, mut controlled, mut use_candidate) =
            (None, None, None, None);
        let (mut nomination, mut goog_nomination) = (None, None);
        for attribute in message.unsealed() {
            match attribute.kind {
                AttributeType::PRIORITY => priority = priority.or(attribute.decode(id).ok()?),
                AttributeType::ICE_CONTROLLING => {
                    controlling = controlling.or(attribute.decode(id).ok()?)
                }
                AttributeType::ICE_CONTROLLED => {
                    controlled = controlled.or(attribute.decode(id).ok()?)
                }
                AttributeType::USE_CANDIDATE => {
                    use_candidate = use_candidate.or(attribute.decode(id).ok()?)
                }
                AttributeType::NOMINATION => {
                    nomination = nomination.or(attribute.decode(id).ok()?)
                }
                AttributeType::GOOG_NOMINATION => {
                    goog_nomination = goog_nomination.or(attribute.decode(id).ok()?)
                }
                _ => {}
            }
        }
        let PriorityAttribute(priority) = priority?;
        let role = match (controlling, controlled) {
            (Some(IceControlling(number)), _) => Some((Role::Controlling, TieBreaker(number))),
            (None, Some(IceControlled(number))) => Some((Role::Controlled, TieBreaker(number))),
            (None, None) => None,
        };
        let use_candidate = use_candidate.is_some_and(|UseCandidate| true);
        let nomination = nomination.map(|Nomination(number)| number);
        let nomination = nomination.or(goog_nomination.map(|GoogNomination(number)| number));
        Some(Self { priority: Priority(priority), use_candidate, nomination, role })
    }
}

/// A success response that tells the source address (RFC 8445 §7.3.1.2).
pub(crate) fn success(
    id: TransactionId,
    source: SocketAddr,
    key: &IntegrityKey,
) -> Result<Payload, WriteError> {
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = MessageWriter::new(&mut buffer, Class::SuccessResponse, Method::BINDING, id)?;
    writer.attribute(&XorMappedAddress(source))?.integrity(key)?.fingerprint()?;
    Ok(Payload::from(writer.finish()))
}

/// A message without an answer that keeps NATs open (RFC 8445 §11).
pub(crate) fn keepalive(id: TransactionId) -> Result<Payload, WriteError> {
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, id)?;
    writer.fingerprint()?;
    Ok(Payload::from(writer.finish()))
}

/// An error response; `key` where the request was authentic (RFC 8489 §9.1.3).
pub(crate) fn error(
    id: TransactionId,
    code: u16,
    key: Option<&IntegrityKey>,
) -> Result<Payload, WriteError> {
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = MessageWriter::new(&mut buffer, Class::ErrorResponse, Method::BINDING, id)?;
    writer.attribute(&ErrorCode::registered(code))?;
    if let Some(key) = key {
        writer.integrity(key)?;
    }
    writer.fingerprint()?;
    Ok(Payload::from(writer.finish()))
}

/// RFC 8489 §6.3.1: 420 with the attributes of a request that were not understood.
pub(crate) fn unknown_attributes(
    request: &Message<'_>,
    key: &IntegrityKey,
) -> Result<Payload, WriteError> {
    let mut buffer = [0; MAX_MESSAGE];
    let unknown = request.unknown_required(KNOWN);
    let mut writer = response::unknown_attributes(request, unknown, &mut buffer)?;
    writer.integrity(key)?.fingerprint()?;
    Ok(Payload::from(writer.finish()))
}

/// The header, a USERNAME of two user fragments of 256 characters, and all the rest.
pub(crate) const MAX_MESSAGE: usize = 20 + (4 + 516) + 8 + 12 + 4 + 8 + 24 + 8;
