//! Client transactions: when a request is sent again, when it has failed, which message answers it.

mod client;
mod counter;
mod rto;
mod schedule;

pub use client::{ClientTransaction, Failure};
pub use rto::RtoEstimator;
pub use schedule::{Retransmission, Schedule, Step};
