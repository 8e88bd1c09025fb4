//! What a person wants to see.

pub(crate) mod candidates;
pub(crate) mod failure;
pub(crate) mod timeline;
