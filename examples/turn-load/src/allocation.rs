//! One allocation: a client machine, its socket, and how far it has come.

use std::io;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_turn::CHANNEL_HEADER_LENGTH;
use pinhole_turn::client::{Addresses, Client, Config, Event, Received, SendError};

use crate::failure::Failure;
use crate::link::{Inbox, Link};
use crate::payload::Stamp;
use crate::settings::Settings;

pub(crate) struct Allocation {
    pub(crate) client: Client,
    pub(crate) link: Link,
    pub(crate) path: FiveTuple,
    pub(crate) stage: Stage,
    /// The address that its packets go to, and come from.
    pub(crate) peer: SocketAddr,
    /// The deadline under which the worker knows it.
    pub(crate) scheduled: Option<Instant>,
    /// Whether a permission is all that is needed.
    indications: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Allocating,
    Allocated {
        relayed: SocketAddr,
    },
    /// Permission and channel are on their way.
    Binding {
        relayed: SocketAddr,
    },
    Ready {
        relayed: SocketAddr,
    },
    Closing,
    Closed,
}

impl Stage {
    /// The relayed address, while there is one.
    pub(crate) const fn relayed(self) -> Option<SocketAddr> {
        match self {
            Self::Allocated { relayed } | Self::Binding { relayed } | Self::Ready { relayed } => {
                Some(relayed)
            }
            Self::Allocating | Self::Closing | Self::Closed => None,
        }
    }

    /// The address that the peer sends to, once it has permission.
    pub(crate) const fn way_back(self) -> Option<SocketAddr> {
        if matches!(self, Self::Ready { .. }) { self.relayed() } else { None }
    }
}

impl Allocation {
    /// Opens a socket, and prepares to ask for an allocation.
    pub(crate) fn start(
        settings: &Settings,
        source: Option<IpAddr>,
        peer: SocketAddr,
        seed: [u8; 32],
        now: Instant,
    ) -> io::Result<Self> {
        let (link, path) = Link::open(&settings.target, source)?;
        let mut config = Config::new(path, settings.credentials.clone());
        config.addresses = match settings.peer {
            IpAddr::V4(_) => Addresses::Ipv4,
            IpAddr::V6(_) => Addresses::Ipv6,
        };
        config.channel_after = (!settings.indications).then_some(1);
        let client = Client::new(config, seed, now);
        let indications = settings.indications;
        let stage = Stage::Allocating;
        Ok(Self { client, link, path, stage, peer, scheduled: None, indications })
    }

    /// Asks for a permission, and then for a channel.
    pub(crate) fn bind(&mut self, now: Instant) {
        if let Stage::Allocated { relayed } = self.stage {
            self.stage = Stage::Binding { relayed };
            self.client.permit(self.peer.ip(), now);
        }
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.stage = Stage::Closing;
        self.client.close(now);
    }

    /// Takes what has come; tells the stamps of the packets.
    pub(crate) fn receive(
        &mut self,
        inbox: &mut Inbox,
        size: usize,
        now: Instant,
        mut relayed: impl FnMut(Option<Stamp>),
    ) -> io::Result<()> {
        let Self { client, link, path, peer, .. } = self;
        link.receive(inbox, |message| {
            let datagram = Datagram { five_tuple: *path, payload: message };
            if let Received::Data { peer: from, payload } = client.handle_datagram(datagram, now) {
                let packet = message.get(payload).unwrap_or_default();
                relayed(Stamp::read(packet, size).filter(|_| from == *peer));
            }
        })
    }

    /// Sends what the client has to say, and goes on to the next stage when it is there.
    ///
    /// # Errors
    /// What the operator has to know: there will be no next stage.
    pub(crate) fn advance(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(event) = self.client.poll_event() {
            self.happened(event)?;
        }
        if matches!(self.stage, Stage::Binding { .. }) {
            match self.client.send(self.peer, 0, now) {
                // The short header says that there is a channel.
                Ok(to_server) if to_server.header.len() == CHANNEL_HEADER_LENGTH => {
                    self.make_ready();
                }
                Ok(_) | Err(SendError::NotPermitted) => {}
                Err(error) => return Err(Failure::Send(error)),
            }
        }
        while let Some(transmit) = self.client.poll_transmit() {
            let sent = self.link.send_control(transmit.five_tuple, &transmit.payload);
            sent.or_else(tolerable).map_err(|error| Failure::link(self.path, error))?;
        }
        Ok(())
    }

    const fn make_ready(&mut self) {
        if let Stage::Binding { relayed } = self.stage {
            self.stage = Stage::Ready { relayed };
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the others change nothing here")]
    fn happened(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Allocated { relayed, .. } => self.stage = Stage::Allocated { relayed },
            Event::Permitted { .. } if self.indications => self.make_ready(),
            Event::Lost { reason } => return Err(Failure::Allocation(self.path, reason)),
            Event::Refused { peer, reason } => return Err(Failure::Peer(peer, reason)),
            Event::PeerUnreachable { peer, .. } => return Err(Failure::Unreachable(peer)),
            Event::Closed => self.stage = Stage::Closed,
            _ => {}
        }
        Ok(())
    }
}

/// What a datagram may suffer; STUN asks again.
fn tolerable(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}
