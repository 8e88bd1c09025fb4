//! An attribute's value in words.

use pinhole_stun::attribute::{
    Attribute, AttributeError, ChangeRequest, ErrorCode, PasswordAlgorithm, PasswordAlgorithms,
    ResponsePort, TransmitCounter, UnknownAttributes, read_address, read_xor_address,
};
use pinhole_stun::{AttributeType, RawAttribute, TransactionId};

/// How many bytes of a value are shown.
const SHOWN: usize = 32;

/// The value in words, or why it is none of this type.
pub(crate) fn describe(
    attribute: RawAttribute<'_>,
    id: TransactionId,
) -> Result<String, AttributeError> {
    let RawAttribute { kind, value } = attribute;
    if !kind.bounds().contains(value.len()) {
        return Err(AttributeError::Length { kind, length: value.len() });
    }
    Ok(match kind {
        AttributeType::MAPPED_ADDRESS
        | AttributeType::RESPONSE_ADDRESS
        | AttributeType::SOURCE_ADDRESS
        | AttributeType::CHANGED_ADDRESS
        | AttributeType::REFLECTED_FROM
        | AttributeType::ALTERNATE_SERVER
        | AttributeType::RESPONSE_ORIGIN
        | AttributeType::OTHER_ADDRESS => read_address(kind, value, id)?.to_string(),
        AttributeType::XOR_MAPPED_ADDRESS
        | AttributeType::XOR_PEER_ADDRESS
        | AttributeType::XOR_RELAYED_ADDRESS => read_xor_address(kind, value, id)?.to_string(),
        AttributeType::USERNAME
        | AttributeType::REALM
        | AttributeType::NONCE
        | AttributeType::SOFTWARE
        | AttributeType::ALTERNATE_DOMAIN => text(kind, value)?,
        AttributeType::ERROR_CODE => ErrorCode::decode(value, id)?.to_string(),
        AttributeType::UNKNOWN_ATTRIBUTES => format!("{:?}", UnknownAttributes::decode(value, id)?),
        AttributeType::PASSWORD_ALGORITHM => {
            let PasswordAlgorithm(algorithm) = PasswordAlgorithm::decode(value, id)?;
            format!("{algorithm:?}")
        }
        AttributeType::PASSWORD_ALGORITHMS => {
            format!("{:?}", PasswordAlgorithms::decode(value, id)?)
        }
        AttributeType::CHANGE_REQUEST => {
            let ChangeRequest { address, port } = ChangeRequest::decode(value, id)?;
            format!("change address: {address}, change port: {port}")
        }
        AttributeType::RESPONSE_PORT => ResponsePort::decode(value, id)?.0.to_string(),
        AttributeType::TRANSACTION_TRANSMIT_COUNTER => {
            let TransmitCounter { request, response } = TransmitCounter::decode(value, id)?;
            format!("request {request}, response {response}")
        }
        _ => number(kind, integer(value)).unwrap_or_else(|| hex(value)),
    })
}

/// What the integer that is the whole value means; `None` for types whose values are none.
fn number(kind: AttributeType, value: u64) -> Option<String> {
    Some(match kind {
        AttributeType::PRIORITY => value.to_string(),
        AttributeType::LIFETIME | AttributeType::CACHE_TIMEOUT => format!("{} s", value),
        AttributeType::CHANNEL_NUMBER => format!("{:#06x}", value >> 16),
        AttributeType::REQUESTED_TRANSPORT => match value >> 24 {
            17 => "UDP".into(),
            6 => "TCP".into(),
            other => format!("protocol {other}"),
        },
        AttributeType::REQUESTED_ADDRESS_FAMILY | AttributeType::ADDITIONAL_ADDRESS_FAMILY => {
            match value >> 24 {
                1 => "IPv4".into(),
                2 => "IPv6".into(),
                other => format!("family {other}"),
            }
        }
        AttributeType::ICE_CONTROLLED | AttributeType::ICE_CONTROLLING => {
            format!("tie-breaker {:#018x}", value)
        }
        _ => return None,
    })
}

/// A text, with whatever could confuse a terminal made harmless.
fn text(kind: AttributeType, value: &[u8]) -> Result<String, AttributeError> {
    let text = str::from_utf8(value).map_err(|_| AttributeError::Text(kind))?;
    Ok(format!("{text:?}"))
}

fn integer(value: &[u8]) -> u64 {
    value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn hex(value: &[u8]) -> String {
    let mut text: String = value.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    if value.len() > SHOWN {
        text.push_str("...");
    }
    text
}
