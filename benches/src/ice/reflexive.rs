//! Asks STUN servers, for an agent that does not.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Transmit};
use pinhole_stun::attribute::XorMappedAddress;
use pinhole_stun::{Class, Message, MessageWriter, Method, TransactionId};

use super::Setup;

/// Binding requests, each asked once: the networks here lose nothing on the way to a server.
pub(super) struct Reflexive {
    outbox: VecDeque<Transmit>,
    bases: BTreeMap<TransactionId, SocketAddr>,
}

impl Reflexive {
    /// Asks every server from every address of its family.
    pub(super) fn new(setup: &Setup) -> Self {
        let mut reflexive = Self { outbox: VecDeque::new(), bases: BTreeMap::new() };
        for base in &setup.addresses {
            let is_of_family = |server: &&SocketAddr| server.is_ipv4() == base.is_ipv4();
            for server in setup.stun_servers.iter().filter(is_of_family) {
                reflexive.ask(*base, *server, setup.seed);
            }
        }
        reflexive
    }

    fn ask(&mut self, base: SocketAddr, server: SocketAddr, seed: u8) {
        let mut id = [seed; 12];
        id[0] = u8::try_from(self.bases.len()).expect("few questions");
        let id = TransactionId::new(id);
        let mut buffer = [0; 64];
        let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id);
        let payload = writer.expect("it fits").finish().into();
        self.outbox.push_back(Transmit { five_tuple: FiveTuple::udp(base, server), payload });
        self.bases.insert(id, base);
    }

    /// Base and mapped address, where the datagram is the answer to a question.
    pub(super) fn handle(&mut self, datagram: Datagram<'_>) -> Option<(SocketAddr, SocketAddr)> {
        let message = Message::parse(datagram.payload).ok()?;
        let base = self.bases.remove(&message.transaction_id())?;
        let XorMappedAddress(mapped) = message.get().ok()??;
        Some((base, mapped))
    }

    pub(super) fn is_done(&self) -> bool {
        self.bases.is_empty()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }
}
