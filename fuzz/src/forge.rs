//! Messages that only somebody who knows the passwords can write.

use pinhole_ice::Credentials;
use pinhole_sansio::FiveTuple;
use pinhole_stun::attribute::{
    ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};

/// A check of `from`'s to `to`: the bits of `value` say what is in it.
pub(crate) fn check(from: &Credentials, to: &Credentials, value: u8) -> Vec<u8> {
    let mut buffer = [0; 700];
    let id = TransactionId::new([value; 12]);
    let mut writer =
        MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).expect("it fits");
    let username = format!("{}:{}", to.ufrag, from.ufrag);
    writer.attribute(&Username(&username)).expect("it fits");
    if value & 1 == 0 {
        writer.attribute(&Priority(u32::from(value) << 20)).expect("it fits");
    }
    let tie_breaker = if value & 2 == 0 { u64::MAX } else { 0 };
    match value & 12 {
        0 => writer.attribute(&IceControlled(tie_breaker)).expect("it fits"),
        4 => writer.attribute(&IceControlling(tie_breaker)).expect("it fits"),
        8 => writer.attribute(&UseCandidate).expect("it fits"),
        _ => &mut writer,
    };
    seal(writer, to)
}

/// An answer of `from`'s to a request: 48 kinds of error, or success.
pub(crate) fn answer(
    request: &[u8],
    path: FiveTuple,
    from: &Credentials,
    value: u8,
) -> Option<Vec<u8>> {
    let id = Message::parse(request).ok()?.transaction_id();
    let mut buffer = [0; 300];
    let class = if value & 3 == 0 { Class::SuccessResponse } else { Class::ErrorResponse };
    let mut writer = MessageWriter::new(&mut buffer, class, Method::BINDING, id).expect("it fits");
    let mut mapped = path.local;
    if value & 4 != 0 {
        mapped.set_port(u16::from(value));
    }
    match (class, value >> 2 & 3) {
        (Class::SuccessResponse, 3) => {}
        (Class::SuccessResponse, _) => {
            writer.attribute(&XorMappedAddress(mapped)).expect("it fits");
        }
        (_, kind) => {
            let code = [400, 401, 487, 500][usize::from(kind)];
            writer.attribute(&ErrorCode::bare(code)).expect("it fits");
        }
    }
    Some(seal(writer, from))
}

fn seal(mut writer: MessageWriter<'_>, credentials: &Credentials) -> Vec<u8> {
    let key = IntegrityKey::short_term(credentials.password.as_str());
    writer.integrity(&key).expect("it fits").fingerprint().expect("it fits");
    writer.finish().to_vec()
}
