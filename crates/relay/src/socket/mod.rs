//! Sockets, and batches in and out of them.

mod error_queue;
mod inbox;
mod open;
pub(crate) mod option;
mod outbox;

pub(crate) use error_queue::next_icmp;
pub(crate) use inbox::{Inbox, LARGE, SMALL, Train};
pub(crate) use open::{Buffers, Udp, connect_from, is_exhausted, listen_tcp};
pub(crate) use outbox::{Flow, Origin, Outbox, Packet, Sockets};
