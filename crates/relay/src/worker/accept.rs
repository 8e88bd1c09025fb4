//! Connections come: from clients, and from peers (RFC 6062 §5.3).

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};

use pinhole_sansio::{FiveTuple, Instant, Transport};
use pinhole_turn::server::RelayId;

use super::streams::Role;
use super::{Source, Worker};
use crate::socket::{accept, is_exhausted};
use crate::stream::Wire;

/// Connections that are accepted before it is another source's turn.
const ACCEPTS: usize = 32;

/// What came of an attempt to accept a connection.
enum Accepted {
    Connection(TcpStream, SocketAddr),
    /// There is none.
    Nothing,
    /// It is gone already.
    Gone,
    /// The system has no descriptor for it. It waits with the kernel, and is asked for after a while.
    NoDescriptor,
}

impl Worker {
    /// Accepts clients; whether those were all.
    pub(super) fn accept(&mut self, number: usize, now: Instant) -> bool {
        for _ in 0..ACCEPTS {
            let Some(acceptor) = self.streams.acceptors.get(number) else { return true };
            let (local, tls_only) = (acceptor.local, acceptor.tls_only);
            match self.accepted(accept(&acceptor.listener), now) {
                Accepted::Connection(io, remote) => self.welcome(io, local, remote, tls_only, now),
                Accepted::Gone => {}
                Accepted::Nothing => return true,
                Accepted::NoDescriptor => {
                    self.paused.push(Source::Acceptor(number));
                    return true;
                }
            }
        }
        false
    }

    /// Accepts peers; whether those were all.
    pub(super) fn accept_peers(&mut self, key: usize, now: Instant) -> bool {
        for _ in 0..ACCEPTS {
            let Some(acceptor) = self.streams.peer_acceptors.get(key) else { return true };
            let relay = acceptor.relay;
            match self.accepted(accept(&acceptor.listener), now) {
                Accepted::Connection(io, peer) => self.welcome_peer(relay, io, peer, now),
                Accepted::Gone => {}
                Accepted::Nothing => return true,
                Accepted::NoDescriptor => {
                    self.paused.push(Source::PeerAcceptor(key));
                    return true;
                }
            }
        }
        false
    }

    fn accepted(&mut self, result: io::Result<(TcpStream, SocketAddr)>, now: Instant) -> Accepted {
        match result {
            Ok((io, remote)) => Accepted::Connection(io, remote),
            Err(error) if is_exhausted(&error) => {
                self.counters.exhausted();
                self.reporter.exhausted(&error, now);
                Accepted::NoDescriptor
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Accepted::Nothing,
            // This one has gone before it was accepted; there may be others behind it.
            Err(_) => Accepted::Gone,
        }
    }

    /// A peer without permission is closed at once: its connection is dropped here.
    fn welcome_peer(&mut self, relay: RelayId, io: TcpStream, peer: SocketAddr, now: Instant) {
        if let Some(connection) = self.server.peer_connected(relay, peer, now) {
            let (wire, role) = (Wire::new(io), Role::Waiting(connection));
            if self.streams.insert_peer(wire, role, peer, &self.poll).is_err() {
                self.server.connection_closed(connection);
            }
        } else {
            self.counters.refused_connection();
        }
        self.obey(now);
    }

    fn welcome(
        &mut self,
        io: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        tls_only: bool,
        now: Instant,
    ) {
        // Frames are written whole: there is nothing to wait for.
        io.set_nodelay(true).unwrap_or_default();
        let mut five_tuple = FiveTuple { transport: Transport::Tcp, local, remote };
        if local.ip().is_unspecified() {
            five_tuple.local = io.local_addr().unwrap_or(local);
        }
        self.admit(Wire::new(io), Role::New { five_tuple, tls_only }, remote, now);
    }

    /// Takes the connection of a client that is not known yet, unless there are too many; its key.
    pub(super) fn admit(
        &mut self,
        wire: Wire,
        role: Role,
        remote: SocketAddr,
        now: Instant,
    ) -> Option<usize> {
        let source = remote.ip();
        if !self.streams.admits(source) {
            self.counters.refused_connection();
            self.reporter.refused(remote, now);
            return None;
        }
        let inserted = self.streams.insert_stranger(wire, role, source, &self.poll, now);
        if inserted.is_err() {
            self.counters.refused_connection();
        }
        inserted.ok()
    }
}
