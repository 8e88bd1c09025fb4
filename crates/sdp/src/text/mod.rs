//! The text layer: lines, their positions, and what may go wrong with them. It knows no attribute.

mod error;
mod index;
mod limits;
mod line;
mod order;
mod reader;

pub use error::{Error, ErrorKind, Pointer};
pub(crate) use index::{Form, Index, MediaSpan, Span};
pub use limits::{Limit, Limits};
pub use line::{Attribute, Line};
pub(crate) use order::rank;
pub use reader::{Reader, ValueError};
