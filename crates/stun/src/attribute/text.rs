use super::{Attribute, AttributeError, AttributeWrite, ValueWriter};
use crate::header::TransactionId;
use crate::registry::AttributeType;
use crate::writer::WriteError;

/// Declares attributes that wrap a text; `$allows` tells which texts.
macro_rules! text_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $allows:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<'a>(pub &'a str);

        impl<'a> Attribute<'a> for $name<'a> {
            const KIND: AttributeType = AttributeType::$kind;

            fn decode(value: &'a [u8], _: TransactionId) -> Result<Self, AttributeError> {
                match core::str::from_utf8(value) {
                    Ok(text) if $allows(text) => Ok(Self(text)),
                    _ => Err(AttributeError::Text(Self::KIND)),
                }
            }
        }

        impl AttributeWrite for $name<'_> {
            fn kind(&self) -> AttributeType {
                AttributeType::$kind
            }

            fn write(&self, value: &mut ValueWriter<'_>) -> Result<(), WriteError> {
                value.put(self.0.as_bytes())
            }
        }
    )+};
}

text_attribute! {
    /// Who sends the request: prepared with [`opaque_string`](crate::opaque_string), or an ICE user name,
    /// which needs no preparation (RFC 8489 §14.3).
    Username = USERNAME, any;
    /// In which realm the user name is known (RFC 8489 §14.9).
    Realm = REALM, any;
    /// What the server wants back in the next request (RFC 8489 §14.10).
    Nonce = NONCE, any;
    /// A description of the software that sends the message (RFC 8489 §14.14).
    Software = SOFTWARE, any;
    /// The domain name for which a certificate of ALTERNATE-SERVER has to be valid (RFC 8489 §14.16).
    AlternateDomain = ALTERNATE_DOMAIN, str::is_ascii;
}

fn any(_: &str) -> bool {
    true
}
