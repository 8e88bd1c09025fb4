use std::collections::VecDeque;

use pinhole_netsim::Node;
use pinhole_sansio::{Datagram, Instant, Transmit};
use pinhole_stun::binding;

/// Answers Binding requests.
#[derive(Debug, Default)]
pub struct StunServer(VecDeque<Transmit>);

impl Node for StunServer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let mut buffer = [0; 128];
        let five_tuple = datagram.five_tuple;
        if let Some(answer) = binding::respond(datagram.payload, five_tuple.remote, &mut buffer) {
            self.0.push_back(Transmit { five_tuple, payload: (*answer).into() });
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.0.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
