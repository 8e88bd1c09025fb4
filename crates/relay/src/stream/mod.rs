//! Connections: bytes in and out, plain or in TLS.

mod tls;
mod wire;

pub use tls::TlsError;
pub(crate) use tls::load;
pub(crate) use wire::{Opening, Wire};
