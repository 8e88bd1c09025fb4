//! Which allocations are asked for, in which order, and how often.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_turn::client::Reason;

use super::Relays;
use super::allocation::{Happening, Relay, Stage};
use crate::config::TurnServer;
use crate::event::{Command, ServerConnection};
use crate::gather::{GatheringError, may_reach};

/// An allocation to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) base: SocketAddr,
    pub(super) rank: u8,
    /// How many connections have been tried in vain before.
    pub(super) failures: u8,
}

impl Relays {
    /// Plans an allocation on each server that the base can reach.
    pub(crate) fn add_base(&mut self, base: SocketAddr) {
        for (rank, _) in (0..=u8::MAX).zip(0..self.servers.len()) {
            self.plan(Plan { base, rank, failures: 0 });
        }
    }

    /// Plans an allocation on another server from each of these bases that can reach it.
    pub(crate) fn add_server(
        &mut self,
        server: TurnServer,
        bases: impl Iterator<Item = SocketAddr>,
    ) {
        let Ok(rank) = u8::try_from(self.servers.len()) else { return };
        self.servers.push(server);
        bases.for_each(|base| self.plan(Plan { base, rank, failures: 0 }));
    }

    pub(super) fn plan(&mut self, plan: Plan) {
        let Some(server) = self.servers.get(usize::from(plan.rank)) else { return };
        let is_same = |relay: &Relay| {
            let is_closing = matches!(relay.stage, Stage::Closing(_));
            (relay.server.0, relay.base) == (plan.rank, plan.base) && !is_closing
        };
        let is_there = self.relays.iter().any(is_same);
        // One connection is enough for all sockets at one address.
        let is_redundant = is_there || server.transport.is_reliable() && self.has_other(plan);
        if may_reach(plan.base, server.address) && !is_redundant {
            self.waiting.push_back(plan);
        }
    }

    /// Begins the first allocation whose turn it is; whether there was one.
    pub(super) fn begin_next(&mut self, now: Instant) -> bool {
        let is_due = |plan: &Plan| self.turn_of(*plan).is_some_and(|at| at <= now);
        let Some(index) = self.waiting.iter().position(is_due) else { return false };
        self.waiting.remove(index).and_then(|plan| self.begin(plan, now));
        true
    }

    fn begin(&mut self, Plan { base, rank, failures }: Plan, now: Instant) -> Option<()> {
        let server = self.servers.get(usize::from(rank))?;
        let (address, transport) = (server.address, server.transport);
        let connection = transport.is_reliable().then_some(ServerConnection(self.next_connection));
        let stage = match connection {
            None => Stage::Allocating(self.link(FiveTuple::udp(base, address), rank, now)?),
            Some(connection) => {
                self.next_connection += 1;
                let local = base.ip();
                let connect = Command::Connect { connection, local, server: address, transport };
                self.commands.push_back(connect);
                Stage::Connecting
            }
        };
        let server = (rank, address);
        self.relays.push(Relay {
            base,
            server,
            connection,
            begun: now,
            doubted: None,
            asked: None,
            failures,
            has_spare: false,
            stage,
        });
        self.collect(self.relays.len() - 1);
        Some(())
    }

    /// When a plan's turn comes; `None` as long as that is unknown. A connection is opened when the same server has
    /// not answered over UDP for a while.
    pub(super) fn turn_of(&self, plan: Plan) -> Option<Instant> {
        if !self.is_reliable(plan.rank) {
            return Some(Instant::ZERO);
        }
        let is_planned = |other: &Plan| self.is_over_udp(plan, other.base, other.rank);
        if self.waiting.iter().any(is_planned) {
            return None;
        }
        Some(self.over_udp(plan).map_or(Instant::ZERO, |relay| relay.begun + UDP_HEAD_START))
    }

    /// Drops the plans for connections to servers that have answered over UDP: what they relay is the same.
    pub(super) fn drop_redundant(&mut self) {
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.retain(|plan| {
            let udp = self.over_udp(*plan).filter(|_| self.is_reliable(plan.rank));
            !udp.is_some_and(|relay| matches!(relay.stage, Stage::Live { .. }))
        });
        self.waiting = waiting;
    }

    /// The allocation over UDP on the server of a plan.
    fn over_udp(&self, plan: Plan) -> Option<&Relay> {
        self.relays.iter().find(|relay| self.is_over_udp(plan, relay.base, relay.server.0))
    }

    fn is_over_udp(&self, plan: Plan, base: SocketAddr, rank: u8) -> bool {
        let ip = |rank: u8| self.servers.get(usize::from(rank)).map(|server| server.address.ip());
        base.ip() == plan.base.ip() && !self.is_reliable(rank) && ip(rank) == ip(plan.rank)
    }

    fn is_reliable(&self, rank: u8) -> bool {
        let server = self.servers.get(usize::from(rank));
        server.is_some_and(|server| server.transport.is_reliable())
    }

    /// A server that was restarted is worth another allocation; one that never gave any is not, unless it was the
    /// connection that failed.
    pub(super) fn over(&mut self, relay: &Relay, happened: Vec<Happening>) -> Vec<Happening> {
        let again = |happening| match happening {
            Happening::Failed { error, .. } => self.failed(relay, error),
            lost @ Happening::Lost { .. } => {
                self.plan(Plan { base: relay.base, rank: relay.server.0, failures: 0 });
                Some(lost)
            }
            other @ (Happening::Allocated { .. }
            | Happening::Permitted { .. }
            | Happening::Refused { .. }
            | Happening::Released(_)) => Some(other),
        };
        happened.into_iter().filter_map(again).collect()
    }

    /// A connection that fails or falls silent is tried again, some times, before that is told.
    pub(super) fn failed(&mut self, relay: &Relay, error: GatheringError) -> Option<Happening> {
        let (base, (rank, server)) = (relay.base, relay.server);
        let is_silence = matches!(
            error,
            GatheringError::NotConnected
                | GatheringError::NoAllocation(Reason::Transaction(_) | Reason::Disconnected)
        );
        let plan = Plan { base, rank, failures: relay.failures + 1 };
        if relay.connection.is_some() && is_silence && relay.failures < MORE_CONNECTIONS {
            self.plan(plan);
        }
        let is_open = relay.connection.is_some() && self.has_other(plan);
        (!is_open).then_some(Happening::Failed { base, server, error })
    }

    /// Opens a second connection beside one that has stalled: on a path that loses packets, a stream that has lost
    /// the same bytes some times waits for longer and longer.
    pub(super) fn plan_spares(&mut self, now: Instant) {
        let is_stalled = |relay: &Relay| relay.stalls_at().is_some_and(|at| at <= now);
        let stalled = self.relays.iter_mut().filter(|relay| is_stalled(relay));
        for stalled in stalled.filter(|_| !self.is_settled) {
            stalled.has_spare = true;
            let (base, rank, failures) = (stalled.base, stalled.server.0, stalled.failures + 1);
            self.waiting.push_back(Plan { base, rank, failures });
        }
    }

    /// Whether there is a connection to the server of a plan, or another plan for one.
    fn has_other(&self, plan: Plan) -> bool {
        let planned = self.waiting.iter().map(|plan| (plan.rank, plan.base.ip()));
        let begun = self.relays.iter().map(|relay| (relay.server.0, relay.base.ip()));
        planned.chain(begun).any(|known| known == (plan.rank, plan.base.ip()))
    }

    /// Gives up connections that do not come about, and those on which the server has fallen silent.
    pub(super) fn give_up_silent(&mut self, now: Instant) -> Vec<Happening> {
        let is_late = |relay: &Relay| relay.late_at().is_some_and(|at| at <= now);
        let late: Vec<Relay> = self.relays.extract_if(.., |relay| is_late(relay)).collect();
        self.commands.extend(late.iter().filter_map(|r| r.connection).map(Command::Disconnect));
        let over = late.iter().flat_map(|relay| self.over(relay, alloc::vec![relay.lateness()]));
        over.collect()
    }
}

/// How many connections are tried in place of one that came to nothing, or beside it.
pub(super) const MORE_CONNECTIONS: u8 = 3;
/// How long UDP is waited for before a connection to the same server is tried.
const UDP_HEAD_START: Duration = Duration::from_millis(400);
