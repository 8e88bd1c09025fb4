//! The sockets of a client.

mod stream;
mod udp;

use std::io;
use std::net::IpAddr;

use mio::event::Source;
use pinhole_sansio::{FiveTuple, Transport};

pub(crate) use stream::StreamLink;
pub(crate) use udp::{Inbox, UdpLink};

use crate::settings::Target;

/// The way from a client to the server.
pub(crate) enum Link {
    Udp(UdpLink),
    Stream(Box<StreamLink>),
}

impl Link {
    /// Opens a way of its own, and tells its five-tuple.
    pub(crate) fn open(target: &Target, local: Option<IpAddr>) -> io::Result<(Self, FiveTuple)> {
        let remote = target.server.address;
        let (link, local) = if target.server.transport == Transport::Udp {
            let link = UdpLink::connect(local, remote)?;
            let local = link.local_address()?;
            (Self::Udp(link), local)
        } else {
            let link = StreamLink::connect(target, local)?;
            let local = link.local_address()?;
            (Self::Stream(Box::new(link)), local)
        };
        Ok((link, FiveTuple { transport: target.server.transport, local, remote }))
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Udp(link) => link.source(),
            Self::Stream(link) => link.source(),
        }
    }

    /// Sends a control message.
    pub(crate) fn send_control(&mut self, path: FiveTuple, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(link) => link.send(path.remote, message, message.len()),
            Self::Stream(link) => link.send(message),
        }
    }

    /// Sends messages of `segment` bytes each that lie one behind the other; refuses all of them when the socket
    /// is full.
    pub(crate) fn send_data(
        &mut self,
        path: FiveTuple,
        messages: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        match self {
            Self::Udp(link) => link.send(path.remote, messages, segment),
            Self::Stream(link) => {
                if link.is_congested()? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                link.send(messages)
            }
        }
    }

    /// How many messages of this length can be sent at once.
    pub(crate) fn burst(&self, length: usize) -> usize {
        match self {
            Self::Udp(link) => link.burst(length),
            Self::Stream(_) => udp::fitting(length),
        }
    }

    /// Goes on with what could not be written at once.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Udp(_) => Ok(()),
            Self::Stream(link) => link.flush(),
        }
    }

    /// Hands on every message that has come.
    pub(crate) fn receive(
        &mut self,
        inbox: &mut Inbox,
        mut deliver: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        match self {
            Self::Udp(link) => link.receive(inbox, |_, message| deliver(message)),
            Self::Stream(link) => link.receive(inbox, deliver),
        }
    }
}
