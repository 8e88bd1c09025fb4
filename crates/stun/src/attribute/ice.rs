use super::{Attribute, AttributeError, AttributeWrite, ValueWriter, integer_attribute};
use crate::header::TransactionId;
use crate::registry::AttributeType;
use crate::writer::WriteError;

integer_attribute! {
    /// The priority that a peer-reflexive candidate would have (RFC 8445 §7.1.1, §16.1).
    Priority(u32) = PRIORITY;
    /// The sender believes to be controlled; its tie-breaker (RFC 8445 §7.1.3, §16.1).
    IceControlled(u64) = ICE_CONTROLLED;
    /// The sender believes to be controlling; its tie-breaker (RFC 8445 §7.1.3, §16.1).
    IceControlling(u64) = ICE_CONTROLLING;
    /// The number of a nomination, of which the highest counts (draft-thatcher-tsvwg-renomination §3.3).
    Nomination(u32) = NOMINATION;
    /// The same as libwebrtc has it, which needs no USE-CANDIDATE beside it.
    GoogNomination(u32) = GOOG_NOMINATION;
}

/// The controlling agent nominates the pair on which it sends this (RFC 8445 §7.1.2, §16.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UseCandidate;

impl Attribute<'_> for UseCandidate {
    const KIND: AttributeType = AttributeType::USE_CANDIDATE;

    fn decode(_: &[u8], _: TransactionId) -> Result<Self, AttributeError> {
        Ok(Self)
    }
}

impl AttributeWrite for UseCandidate {
    fn kind(&self) -> AttributeType {
        Self::KIND
    }

    fn write(&self, _: &mut ValueWriter<'_>) -> Result<(), WriteError> {
        Ok(())
    }
}
