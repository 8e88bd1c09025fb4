//! Connections between clients and peers, joined end to end (RFC 6062 §5.2 to §5.5).

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::attribute::ConnectionId;
use pinhole_turn::server::RelayId;

use super::Worker;
use super::streams::{READS, Role, Splice};
use crate::socket::connect_from;
use crate::stream::Wire;

/// Bytes of one read: what waits at most when the other side is slow.
const CHUNK: usize = 16 * 1_024;

impl Worker {
    /// Connects from a relayed address to a peer.
    pub(super) fn connect(
        &mut self,
        relay: RelayId,
        connection: ConnectionId,
        peer: SocketAddr,
        now: Instant,
    ) {
        if self.begin_to_connect(relay, connection, peer).is_err() {
            self.server.connected(connection, false, now);
        }
    }

    fn begin_to_connect(
        &mut self,
        relay: RelayId,
        connection: ConnectionId,
        peer: SocketAddr,
    ) -> io::Result<()> {
        let acceptor = self.streams.peer_acceptor(relay).ok_or(ErrorKind::NotFound)?;
        let wire = Wire::new(connect_from(acceptor.local, peer)?);
        let role = Role::Connecting(connection);
        self.streams.insert_peer(wire, role, peer, &self.poll).map(drop)
    }

    /// The connection to a peer may have been established.
    pub(super) fn connecting(&mut self, key: usize, connection: ConnectionId, now: Instant) {
        let Some(stream) = self.streams.all.get_mut(key) else { return };
        match is_connected(&stream.wire.io) {
            Ok(true) => {
                stream.role = Role::Waiting(connection);
                self.server.connected(connection, true, now);
                self.obey(now);
            }
            Ok(false) => {}
            Err(_) => self.close_stream(key, now),
        }
    }

    /// From now on, what comes on the client's connection goes to the peer, and the other way round.
    pub(super) fn splice(&mut self, connection: ConnectionId, client: FiveTuple, now: Instant) {
        let peer = self.streams.by_connection.get(&connection).copied();
        let client = self.streams.of_client(client);
        let (Some(peer), Some(client)) = (peer, client) else {
            return self.close_connection(connection);
        };
        let to = |other| Splice { connection, other, is_read: false };
        let early = self.streams.splice(client, to(peer));
        if let Some(stream) = self.streams.all.get_mut(peer) {
            stream.role = Role::Spliced(to(client));
            stream.wire.queue([&early, &[], &[]]);
        }
        // The answer to ConnectionBind goes first.
        for key in [client, peer] {
            if !self.serve_splice(key, to(if key == client { peer } else { client }), now) {
                self.unfinished.push(super::Source::Stream(key));
            }
        }
    }

    /// Moves bytes both ways; whether those were all.
    pub(super) fn serve_splice(&mut self, key: usize, splice: Splice, now: Instant) -> bool {
        let forth = self.pump(key, splice.other, now);
        let back = self.pump(splice.other, key, now);
        let is_over = |key: usize| match self.streams.all.get(key) {
            Some(stream) => {
                matches!(stream.role, Role::Spliced(Splice { is_read: true, .. }))
                    && stream.wire.waiting() == 0
            }
            None => true,
        };
        if is_over(key) && is_over(splice.other) {
            self.close_stream(key, now);
        }
        forth && back
    }

    /// Moves bytes from one connection to the other, at the pace of the slower one; whether those were
    /// all for now.
    fn pump(&mut self, from: usize, to: usize, now: Instant) -> bool {
        for _ in 0..READS {
            match self.move_once(from, to) {
                Ok(Step::Moved) => {}
                Ok(Step::Waits) => return true,
                Err(_) => {
                    self.close_stream(from, now);
                    return true;
                }
            }
        }
        false
    }

    fn move_once(&mut self, from: usize, to: usize) -> io::Result<Step> {
        let Some((reader, writer)) = self.streams.all.get2_mut(from, to) else {
            return Ok(Step::Waits);
        };
        writer.wire.flush()?;
        let Role::Spliced(splice) = &mut reader.role else { return Ok(Step::Waits) };
        if writer.wire.waiting() > 0 || splice.is_read {
            return Ok(Step::Waits);
        }
        let chunk = self.scratch.get_mut(..CHUNK).unwrap_or_default();
        match reader.wire.read(chunk) {
            Ok(0) => {
                splice.is_read = true;
                writer.wire.finish()?;
                Ok(Step::Waits)
            }
            Ok(length) => {
                writer.wire.queue([chunk.get(..length).unwrap_or_default(), &[], &[]]);
                writer.wire.flush()?;
                Ok(Step::Moved)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Step::Waits),
            Err(error) => Err(error),
        }
    }

    /// Closes the connection to a peer, and the client's that belongs to it.
    pub(super) fn close_connection(&mut self, connection: ConnectionId) {
        let Some(&key) = self.streams.by_connection.get(&connection) else { return };
        if let Some(stream) = self.streams.remove(key)
            && let Role::Spliced(splice) = stream.role
        {
            self.streams.remove(splice.other);
        }
    }
}

/// What became of a try to move bytes.
enum Step {
    Moved,
    /// There is nothing, or the other side takes nothing.
    Waits,
}

/// Whether a connection is established; an error if it never will be.
fn is_connected(io: &TcpStream) -> io::Result<bool> {
    if let Some(error) = io.take_error()? {
        return Err(error);
    }
    match io.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
