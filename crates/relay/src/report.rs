//! Log lines: an allocation's life, and what goes wrong, at most once a second for each source and cause.
//!
//! No password, key, nonce or ticket comes near them.

use pinhole_turn::server::Event;
use tracing::{debug, info};

/// An allocation has begun or ended, or a peer was refused.
pub(crate) fn event(event: &Event) {
    match event {
        Event::Allocated { client, user, relayed } => {
            info!(%user, client = %client.remote, transport = %client.transport, %relayed, "allocated");
        }
        Event::Ended { client, user, reason, traffic } => info!(
            %user,
            client = %client.remote,
            transport = %client.transport,
            ?reason,
            datagrams_to_peers = traffic.datagrams_to_peers,
            bytes_to_peers = traffic.bytes_to_peers,
            datagrams_to_client = traffic.datagrams_to_client,
            bytes_to_client = traffic.bytes_to_client,
            "ended",
        ),
        Event::PeerRefused { client, decision } => {
            info!(client = %client.remote, %decision, "peer refused");
        }
        event => debug!(?event, "event"),
    }
}
