//! Connections come: from clients, and from peers (RFC 6062 §5.3).

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use pinhole_sansio::{FiveTuple, Instant, Transport};

use super::streams::Role;
use super::{Source, Worker};
use crate::socket::is_exhausted;
use crate::stream::Wire;

/// Connections that are accepted before it is another source's turn.
const ACCEPTS: usize = 32;

impl Worker {
    /// Accepts clients; whether those were all.
    pub(super) fn accept(&mut self, number: usize, now: Instant) -> bool {
        for _ in 0..ACCEPTS {
            let Some(acceptor) = self.streams.acceptors.get(number) else { return true };
            let (local, tls_only) = (acceptor.local, acceptor.tls_only);
            let Some(accepted) = self.accepted(acceptor.listener.accept(), now) else {
                return true;
            };
            let Some((io, remote)) = accepted else {
                self.paused.push(Source::Acceptor(number));
                return true;
            };
            self.welcome(io, local, remote, tls_only, now);
        }
        false
    }

    /// Accepts peers; whether those were all.
    pub(super) fn accept_peers(&mut self, key: usize, now: Instant) -> bool {
        for _ in 0..ACCEPTS {
            let Some(acceptor) = self.streams.peer_acceptors.get(key) else { return true };
            let relay = acceptor.relay;
            let Some(accepted) = self.accepted(acceptor.listener.accept(), now) else {
                return true;
            };
            let Some((io, peer)) = accepted else {
                self.paused.push(Source::PeerAcceptor(key));
                return true;
            };
            // A peer without permission is closed at once: the connection is dropped here.
            if let Some(connection) = self.server.peer_connected(relay, peer, now) {
                let (wire, role) = (Wire::new(io), Role::Waiting(connection));
                if self.streams.insert_peer(wire, role, peer, self.poll.registry()).is_err() {
                    self.server.connection_closed(connection);
                }
            } else {
                self.counters.refused_connection();
            }
            self.obey(now);
        }
        false
    }

    /// What was accepted; `None` when there is nothing, `Some(None)` when the system has no descriptor
    /// for it. Then the connection waits with the kernel, and is asked for again after a while.
    #[expect(clippy::option_option, reason = "nothing, and nothing for now")]
    fn accepted(
        &mut self,
        result: io::Result<(TcpStream, SocketAddr)>,
        now: Instant,
    ) -> Option<Option<(TcpStream, SocketAddr)>> {
        match result {
            Ok(accepted) => Some(Some(accepted)),
            Err(error) if is_exhausted(&error) => {
                self.counters.exhausted();
                self.reporter.exhausted(&error, now);
                Some(None)
            }
            // The connection is gone before it was accepted; there may be others, after their event.
            Err(_) => None,
        }
    }

    fn welcome(
        &mut self,
        io: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        tls_only: bool,
        now: Instant,
    ) {
        if !self.streams.admits(remote.ip()) {
            self.counters.refused_connection();
            self.reporter.refused(remote, now);
            return;
        }
        // Frames are written whole: there is nothing to wait for.
        io.set_nodelay(true).unwrap_or_default();
        let mut five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
        if local.ip().is_unspecified() {
            five_tuple.local = io.local_addr().unwrap_or(local);
        }
        let role = Role::New { five_tuple, tls_only };
        let (wire, registry) = (Wire::new(io), self.poll.registry());
        if self.streams.insert_stranger(wire, role, remote.ip(), registry, now).is_err() {
            self.counters.refused_connection();
        }
    }
}
