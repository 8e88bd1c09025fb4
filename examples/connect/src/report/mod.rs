//! What a person wants to see.

pub(crate) mod failure;
