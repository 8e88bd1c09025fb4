//! Requests that name another worker, and the data that follows them.

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_turn::server::{DropReason, Received, home};

use super::Worker;
use super::neighbour::Message;

impl Worker {
    /// The worker that a datagram names, if it is another one.
    #[inline]
    pub(super) fn other_home(&self, payload: &[u8]) -> Option<u8> {
        if self.neighbours.len() < 2 {
            return None;
        }
        home(payload).filter(|home| self.is_other(*home))
    }

    pub(super) fn is_other(&self, worker: u8) -> bool {
        worker != self.number && usize::from(worker) < self.neighbours.len()
    }

    /// Gives a client's datagram to the worker that it is for.
    pub(super) fn forward(&self, home: u8, datagram: Datagram<'_>) {
        let Datagram { five_tuple, payload } = datagram;
        let bytes = payload.into();
        let message = Message::Datagram { five_tuple, bytes, from: self.number };
        if !self.tell(home, message) {
            self.counters.not_sent(1);
        }
    }

    /// Handles a datagram that another worker has received.
    pub(super) fn handle_forwarded(
        &mut self,
        five_tuple: FiveTuple,
        payload: &[u8],
        from: u8,
        now: Instant,
    ) {
        match self.server.handle_client_datagram(Datagram { five_tuple, payload }, now) {
            Received::ToPeer(route) => {
                let payload = payload.get(route.payload.clone()).unwrap_or_default();
                let sent = self.udp.send(&mut self.outbox, &route, payload);
                self.counters.sent_to_peer(payload.len(), sent);
            }
            Received::Handled => {
                self.counters.control(payload.len());
                self.guest = Some((five_tuple, from));
                self.obey(now);
                self.guest = None;
            }
            Received::Dropped(reason) => {
                self.counters.dropped(reason);
                if reason == DropReason::NoAllocation {
                    self.abroad.release(five_tuple);
                    self.tell(from, Message::Released { five_tuple });
                }
            }
        }
    }

    /// A client has an allocation here now. If another worker receives its datagrams, that one is told.
    pub(super) fn adopt(&mut self, client: FiveTuple) {
        if let Some((five_tuple, from)) = self.guest
            && five_tuple == client
            && self.abroad.adopt(five_tuple, from)
        {
            self.tell(from, Message::Adopted { five_tuple, by: self.number });
        }
    }

    /// A client's allocation is over.
    pub(super) fn release(&mut self, five_tuple: FiveTuple) {
        if let Some(from) = self.abroad.release(five_tuple) {
            self.tell(from, Message::Released { five_tuple });
        }
    }

    pub(super) fn tell(&self, worker: u8, message: Message) -> bool {
        self.neighbours.get(usize::from(worker)).is_some_and(|there| there.tell(message))
    }
}
