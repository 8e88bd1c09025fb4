//! One allocation on a TURN server, or what will be one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use pinhole_sansio::{FiveTuple, Instant, Transport};
use pinhole_stun::Failure;
use pinhole_turn::client::{self, Client, Reason};

use super::plan::MORE_CONNECTIONS;
use super::{SILENCE, STALL};
use crate::event::ServerConnection;
use crate::gather::GatheringError;

/// An allocation, or what will be one.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) base: SocketAddr,
    pub(super) server: (u8, SocketAddr),
    /// `None` over UDP.
    pub(super) connection: Option<ServerConnection>,
    /// When it was begun, or its connection was there.
    pub(super) begun: Instant,
    /// Since when a sign of life is waited for on a connection that may be dead.
    pub(super) doubted: Option<Instant>,
    /// Since when the server owes an answer, and has sent nothing.
    pub(super) asked: Option<Instant>,
    /// How many connections have been tried in vain before this one.
    pub(super) failures: u8,
    /// Whether there is another connection because this one has stalled.
    pub(super) has_spare: bool,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    Connecting,
    Allocating(Link),
    Live { link: Link, addresses: [Option<SocketAddr>; 2], permitted: Vec<IpAddr> },
    Closing(Link),
}

/// The client machine, the path that it uses, and when the NATs on the way want to see a packet.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: Box<Client>,
    pub(super) path: FiveTuple,
    pub(super) keep_alive: Instant,
}

/// What became of an allocation.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// There are relayed addresses.
    Allocated {
        base: SocketAddr,
        server: (u8, SocketAddr),
        /// What the server saw, if that is an address that a peer could use.
        mapped: SocketAddr,
        transport: Transport,
        relayed: [Option<SocketAddr>; 2],
    },
    /// Checks to and from this address pass now.
    Permitted { relayed: SocketAddr, peer: IpAddr },
    /// They will not.
    Refused { relayed: SocketAddr, peer: IpAddr, reason: Reason },
    /// There is no allocation.
    Failed { base: SocketAddr, server: SocketAddr, error: GatheringError },
    /// There is no longer one.
    Lost { server: SocketAddr, relayed: [Option<SocketAddr>; 2], reason: Reason },
    /// It is given back, since it is not used.
    Released([Option<SocketAddr>; 2]),
}

impl Relay {
    pub(super) fn link(&self) -> Option<&Link> {
        match &self.stage {
            Stage::Connecting => None,
            Stage::Allocating(link) | Stage::Live { link, .. } | Stage::Closing(link) => Some(link),
        }
    }

    pub(super) fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Connecting => None,
            Stage::Allocating(link) | Stage::Live { link, .. } | Stage::Closing(link) => Some(link),
        }
    }

    /// When a connection is given up that has brought no allocation yet, or no sign of life.
    pub(super) fn late_at(&self) -> Option<Instant> {
        self.connection?;
        let since = match self.stage {
            Stage::Connecting | Stage::Allocating(_) => Some(self.begun),
            Stage::Live { .. } => self.doubted,
            Stage::Closing(_) => None,
        };
        since.map(|since| since + SILENCE)
    }

    /// When another connection is to be opened beside one on which the server owes an answer; `None` when there are
    /// enough.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        self.connection?;
        let since = match self.stage {
            Stage::Connecting | Stage::Allocating(_) => Some(self.begun),
            Stage::Live { .. } => self.asked,
            Stage::Closing(_) => None,
        };
        let may_have_spare = !self.has_spare && self.failures < MORE_CONNECTIONS;
        since.filter(|_| may_have_spare).map(|since| since + STALL)
    }

    /// Notes whether the server owes an answer.
    pub(super) fn note_asked(&mut self, now: Instant) {
        let is_waiting = self.link().is_some_and(|link| link.client.is_waiting());
        self.asked = is_waiting.then(|| self.asked.unwrap_or(now));
    }

    /// The server has sent something.
    pub(super) fn note_heard(&mut self, now: Instant) {
        (self.doubted, self.asked) = (None, None);
        self.note_asked(now);
    }

    /// What it means that it is late.
    pub(super) fn lateness(&self) -> Happening {
        let (base, (_, server), relayed) = (self.base, self.server, self.addresses());
        let reason = Reason::Transaction(Failure::TimedOut);
        let error = match self.stage {
            Stage::Live { .. } => return Happening::Lost { server, relayed, reason },
            Stage::Connecting => GatheringError::NotConnected,
            Stage::Allocating(_) | Stage::Closing(_) => GatheringError::NoAllocation(reason),
        };
        Happening::Failed { base, server, error }
    }

    pub(super) fn addresses(&self) -> [Option<SocketAddr>; 2] {
        match self.stage {
            Stage::Live { addresses, .. } => addresses,
            Stage::Connecting | Stage::Allocating(_) | Stage::Closing(_) => [None; 2],
        }
    }

    pub(super) fn address_towards(&self, peer: IpAddr) -> Option<SocketAddr> {
        let addresses = self.addresses().into_iter().flatten();
        addresses.into_iter().find(|address| address.is_ipv4() == peer.is_ipv4())
    }

    pub(super) fn happened(&mut self, event: client::Event) -> Option<Happening> {
        let (base, server) = (self.base, self.server);
        match event {
            client::Event::Allocated { relayed, second, mapped } => {
                let relayed = [Some(relayed), second];
                self.stage = match core::mem::replace(&mut self.stage, Stage::Connecting) {
                    Stage::Allocating(link) => {
                        Stage::Live { link, addresses: relayed, permitted: Vec::new() }
                    }
                    stage @ (Stage::Connecting | Stage::Live { .. } | Stage::Closing(_)) => stage,
                };
                let transport = self.link()?.path.transport;
                Some(Happening::Allocated { base, server, mapped, transport, relayed })
            }
            client::Event::Permitted { peer } => {
                let relayed = self.address_towards(peer)?;
                let Stage::Live { permitted, .. } = &mut self.stage else { return None };
                permitted.push(peer);
                Some(Happening::Permitted { relayed, peer })
            }
            client::Event::Refused { peer, reason } => {
                let relayed = self.address_towards(peer)?;
                Some(Happening::Refused { relayed, peer, reason })
            }
            client::Event::Lost { reason } => match self.addresses() {
                [None, None] => {
                    let error = GatheringError::NoAllocation(reason);
                    Some(Happening::Failed { base, server: server.1, error })
                }
                relayed => Some(Happening::Lost { server: server.1, relayed, reason }),
            },
            client::Event::PeerUnreachable { .. }
            | client::Event::Migrated
            | client::Event::NotMigrated { .. }
            | client::Event::Closed
            | _ => None,
        }
    }
}
