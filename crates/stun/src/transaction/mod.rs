//! Client transactions: when a request is sent again, when it has failed, which message answers it.

mod client;
mod schedule;

pub use client::{ClientTransaction, Failure};
pub use schedule::{Retransmission, Schedule, Step};
