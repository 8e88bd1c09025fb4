//! STUN (RFC 8489) without sockets, clocks or global randomness, and without heap where it is hot.
//!
//! # The codec
//! - [`Message`] is a checked view of received bytes: it borrows them, is [`Copy`], and shows only the
//!   attributes that count.
//! - [`MessageWriter`] writes a message into a buffer of the caller.
//! - [`attribute`] holds one type for each attribute, [`AttributeType`] their numbers and bounds.
//! - [`IntegrityKey`] is a key whose pads are hashed already; [`Credentials`] are a user's name and
//!   password, prepared.
//! - [`StreamBuffer`] cuts a stream into messages; [`classify`] tells STUN from what else arrives on the
//!   same socket (RFC 7983, RFC 9443).
//!
//! # The machines
//! - [`ClientTransaction`] retransmits a request until it is answered; [`Schedule`] is its timing alone.
//! - [`auth`] is authentication, both sides, both mechanisms.
//! - [`binding`] answers Binding requests; [`response`] helps other servers to answer theirs.
//! - [`discovery`] finds out what the NATs on the way do (RFC 5780).
//! - [`Uri`] and [`resolve`] lead from a URI to the servers to try.
//! - [`legacy`] knows the peers of RFC 3489.
//!
//! # Quick start
//! Write a check, read it again:
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
//! The loop that drives a request stands at [`ClientTransaction`].
//!
//! # Features
//! - `std` (default): names and passwords beyond ASCII, which the `precis` crate prepares.
//! - `third-party`: opens self-contained access tokens (RFC 7635) in the module `third_party`.
//!
//! # Deliberately absent
//! - **The reason phrase that RFC 8489 §14.8 recommends**, in errors of our servers: it makes answers
//!   to strangers longer (§16.1.2). [`ErrorCode`](attribute::ErrorCode) prints it on the other side.
//! - **SOFTWARE unless configured** (a SHOULD of §6.3.1.1), for the same reason and for privacy.
//! - **PADDING as long as the MTU** (a SHOULD of RFC 5780 §6.1): it comes back as long as it came.
//! - **Discarding a message over an attribute of the wrong length** that nobody asks for: the length is
//!   checked when the attribute is read, so that a server can answer 400 (§14.8) instead of nothing.
//! - **Truncated MESSAGE-INTEGRITY-SHA256**: a usage has to allow it (§14.6), and none here does.
//! - **The 500 to RFC 3489 messages over DTLS** (§11): they get no answer.
//! - **AES-CBC tokens** (RFC 7635 §6.2), and issuing tokens, which is the authorization server's.
//! - **A table of recent transactions** (§6.3.1): all requests that are answered here are idempotent.

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
mod walk;
mod writer;

pub use credential::{CredentialError, Credentials, opaque_string};
pub use demux::{PacketKind, classify};
pub use framing::{FrameLength, FramingError, StreamBuffer, frame_length};
pub use header::{Class, HEADER_LENGTH, MAGIC_COOKIE, Method, TransactionId};
pub use integrity::{IntegrityError, IntegrityKey, userhash};
pub use message::{Message, ParseError};
pub use reader::Reader;
pub use registry::{AttributeType, Bounds};
pub use transaction::{ClientTransaction, Failure, Retransmission, RtoEstimator, Schedule, Step};
pub use uri::{Host, Scheme, Uri, UriError, UriTransport};
pub use walk::{Attributes, RawAttribute, UnsealedAttributes};
pub use writer::{MessageWriter, WriteError};
