//! STUN (RFC 8489) without sockets, clocks or global randomness, and without heap where it is hot.
//!
//! - [`Message`] is a checked view of received bytes: it borrows them, is [`Copy`], and shows only the
//!   attributes that count.
//! - [`MessageWriter`] writes a message into a buffer of the caller.
//! - [`attribute`] holds one type for each attribute, [`AttributeType`] their numbers and bounds.
//! - [`IntegrityKey`] is a key whose pads are hashed already.
//! - [`ClientTransaction`] retransmits a request until it is answered; [`Schedule`] is its timing alone.
//! - [`binding`] answers Binding requests; [`response`] helps other servers to answer theirs.
//! - [`classify`] tells STUN from what else arrives on the same socket (RFC 7983, RFC 9443).
//!
//! ```
//! use pinhole_stun::attribute::{Priority, Username, XorMappedAddress};
//! use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
//!
//! let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//! let id = TransactionId::new([7; 12]); // from a strong generator, outside of an example
//!
//! let mut buffer = [0; 256];
//! let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)?;
//! writer.attribute(&Username("evtj:h6vY"))?.attribute(&Priority(0x6e00_01ff))?;
//! writer.integrity(&key)?.fingerprint()?;
//! let bytes = writer.finish();
//!
//! let request = Message::parse(bytes)?;
//! request.verify(&key)?;
//! assert_eq!(request.get::<Username>()?, Some(Username("evtj:h6vY")));
//! assert_eq!(request.get::<XorMappedAddress>()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod attribute;
pub mod auth;
pub mod binding;
mod credential;
mod demux;
pub mod discovery;
mod fingerprint;
mod framing;
mod header;
mod integrity;
pub mod legacy;
mod message;
mod reader;
mod registry;
pub mod resolve;
pub mod response;
#[cfg(feature = "third-party")]
pub mod third_party;
mod transaction;
mod uri;
mod writer;

pub use credential::{CredentialError, Credentials, opaque_string};
pub use demux::{PacketKind, classify};
pub use framing::{FramingError, StreamBuffer, frame_length};
pub use header::{Class, HEADER_LENGTH, MAGIC_COOKIE, Method, TransactionId};
pub use integrity::{IntegrityError, IntegrityKey, userhash};
pub use message::{Attributes, Message, ParseError, RawAttribute};
pub use reader::Reader;
pub use registry::{AttributeType, Bounds};
pub use transaction::{ClientTransaction, Failure, Retransmission, RtoEstimator, Schedule, Step};
pub use uri::{Host, Scheme, Uri, UriError, UriTransport};
pub use writer::{MessageWriter, WriteError};
