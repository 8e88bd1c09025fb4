//! An agent of any kind as a node of the simulated network.

use std::time::Duration;

use pinhole_netsim::Node;
use pinhole_sansio::{Datagram, Instant, Transmit};

use super::{Agent, Kind, Setup};

/// An agent, and when it got where.
pub struct AgentNode {
    pub(super) agent: Box<dyn Agent>,
    /// When application data had a path for the first time.
    pub writable: Option<Instant>,
    /// When a pair was selected.
    pub selected: Option<Instant>,
    /// Datagrams that it sent, those to STUN servers included.
    pub sent: usize,
    /// Application datagrams that came.
    pub received: usize,
    data: Option<Transmit>,
    deadline: Option<Instant>,
}

impl AgentNode {
    /// Starts an agent.
    pub fn new(kind: Kind, setup: &Setup, now: Instant) -> Self {
        let agent = kind.start(setup, now);
        let mut node = Self {
            agent,
            writable: None,
            selected: None,
            sent: 0,
            received: 0,
            data: None,
            deadline: None,
        };
        node.look(now);
        node
    }

    /// Sends application data; whether it had a path.
    pub fn send(&mut self, payload: &[u8], now: Instant) -> bool {
        self.data = self.agent.send(payload, now);
        self.data.is_some()
    }

    /// Takes note of what an input has changed.
    pub(super) fn look(&mut self, now: Instant) {
        if self.agent.can_send(now) {
            self.writable.get_or_insert(now);
        }
        if self.agent.is_selected() {
            self.selected.get_or_insert(now);
        }
        self.deadline = self.agent.poll_timeout();
    }
}

impl Node for AgentNode {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.received += usize::from(self.agent.handle_datagram(datagram, now));
        self.look(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.look(now);
        // The simulator allows no deadline that stays due. Some agents have one, and are asked again soon.
        self.deadline = self.deadline.map(|at| if at > now { at } else { now + SOON });
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.data.take().or_else(|| self.agent.poll_transmit())?;
        self.sent += 1;
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// How soon an agent is asked again whose deadline stays due.
const SOON: Duration = Duration::from_micros(100);
