use pinhole_sansio::Payload;

use crate::attribute::{Attribute, TransmitCounter};
use crate::auth::Seal;
use crate::integrity::IntegrityKey;
use crate::message::Message;
use crate::writer::{MessageWriter, WriteError};

/// The request with TRANSACTION_TRANSMIT_COUNTER set to this transmission, and sealed as it was: "bit-wise
/// identical to the previous request except for the values in the TRANSACTION_TRANSMIT_COUNTER
/// attribute" (RFC 7982 §3.1), and for what covers them.
///
/// # Errors
/// [`WriteError::Full`]: the request is longer than a kilobyte.
pub(super) fn count(
    request: &Message<'_>,
    key: Option<&IntegrityKey>,
    transmission: u32,
) -> Result<Payload, WriteError> {
    let mut buffer = [0; 1024];
    let id = request.transaction_id();
    let mut writer = MessageWriter::new(&mut buffer, request.class(), request.method(), id)?;
    for attribute in request.attributes() {
        let is_kept = attribute.kind != TransmitCounter::KIND && !attribute.kind.is_seal();
        if is_kept {
            writer.attribute(&attribute)?;
        }
    }
    let transmission = u8::try_from(transmission).unwrap_or(u8::MAX);
    writer.attribute(&TransmitCounter { request: transmission, response: 0 })?;
    if let Some(key) = key {
        if request.has_integrity() {
            Seal::Sha1.write(&mut writer, key)?;
        }
        if request.has_integrity_sha256() {
            Seal::Sha256.write(&mut writer, key)?;
        }
    }
    if request.has_fingerprint() {
        writer.fingerprint()?;
    }
    Ok(Payload::from(writer.finish()))
}
