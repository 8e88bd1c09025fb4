use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::{Error, TypedAttribute, TypedField};

/// Why a line was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A value has a byte that would end its line, or the text: another line could follow it.
    #[error("byte {byte:#04x} in the value of {name:?} would break the line")]
    ForbiddenByte {
        /// CR, LF or NUL.
        byte: u8,
        /// The attribute's name, or the letter of the line.
        name: &'static str,
    },
    /// There is no media section with this index.
    #[error("there is no media section {0}")]
    NoSuchMedia(usize),
    /// The offer restarts ICE for this media section, and the answer would repeat credentials of before (RFC 8839 §4.4.2).
    #[error("media section {0} restarts ICE: its answer needs a new fragment and password")]
    StaleIce(usize),
    /// The description before has no `o=` line that could go on.
    #[error("the description before has no o= line")]
    NoOrigin,
    /// The description would no longer be one that [`Description::parse`](crate::Description::parse)
    /// takes.
    #[error("{0}")]
    Refused(#[from] Error),
}

/// `a=<name>` or `a=<name>:<value>`, without an ending.
pub(crate) fn attribute_line<'a, T: TypedAttribute<'a>>(value: &T) -> Result<String, WriteError> {
    let line = checked(T::NAME, format_args!("a={}:{value}", T::NAME))?;
    Ok(match line.strip_suffix(':') {
        // A flag has no value, and then no colon.
        Some(flag) if flag.len() == "a=".len() + T::NAME.len() => flag.into(),
        _ => line,
    })
}

/// `<letter>=<value>`, without an ending.
pub(crate) fn field_line<'a, T: TypedField<'a>>(value: &T) -> Result<String, WriteError> {
    checked("field", format_args!("{}={value}", T::KIND))
}

/// Formats a line that has none of the bytes that would end it (RFC 8866 §9, `byte-string`).
pub(crate) fn checked(name: &'static str, line: fmt::Arguments<'_>) -> Result<String, WriteError> {
    let mut text = String::new();
    // Writing to a string fails only where a `Display` of the caller's own does.
    let _ = text.write_fmt(line);
    match text.bytes().find(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        Some(byte) => Err(WriteError::ForbiddenByte { byte, name }),
        None => Ok(text),
    }
}
