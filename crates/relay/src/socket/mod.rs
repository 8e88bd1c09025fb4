//! Sockets, and batches in and out of them.

mod address;
mod control;
mod error_queue;
mod inbox;
mod open;
pub(crate) mod option;
mod outbox;
mod send;
mod system;

pub(crate) use error_queue::next_icmp;
pub(crate) use inbox::Inbox;
pub(crate) use open::{
    Buffers, Udp, accept, bind_alone, connect_from, is_about_port, is_exhausted, listen_tcp,
    relay_tcp,
};
pub(crate) use outbox::{Origin, Outbox, Packet, Sockets};
pub(crate) use send::{Marks, Way};
pub(crate) use system::{LARGE, monotonic, readable};
