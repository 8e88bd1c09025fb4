//! TCP and TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
use pinhole_stun::{Host, StreamBuffer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio_rustls::rustls::ClientConnection;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Inbox;
use crate::settings::Target;

/// A stream that is cut into messages.
pub(crate) struct StreamLink {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    frames: StreamBuffer,
    /// What TCP has not taken yet; TLS keeps its own.
    outgoing: Vec<u8>,
}

impl StreamLink {
    /// Connects, which waits for TCP, and not for TLS.
    pub(crate) fn connect(target: &Target, local: Option<IpAddr>) -> io::Result<Self> {
        let tls = match &target.tls {
            Some(config) => {
                let name = match &target.host {
                    Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
                    Host::Name(name) => {
                        ServerName::try_from(name.clone()).map_err(io::Error::other)?
                    }
                };
                let made = ClientConnection::new(Arc::clone(config), name);
                Some(made.map_err(io::Error::other)?)
            }
            None => None,
        };
        let stream = connect(local, target.server.address)?;
        let frames = pinhole_turn::stream_buffer(MAX_MESSAGE);
        Ok(Self { stream: TcpStream::from_std(stream), tls, frames, outgoing: Vec::new() })
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.stream
    }

    /// Whether something waits that was sent before.
    pub(crate) fn is_congested(&mut self) -> io::Result<bool> {
        self.flush()?;
        Ok(match &self.tls {
            Some(tls) => tls.wants_write() || tls.is_handshaking(),
            None => !self.outgoing.is_empty(),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.outgoing.extend_from_slice(bytes),
        }
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.write_out() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written,
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => {
                while tls.wants_write() {
                    tls.write_tls(&mut self.stream)?;
                }
            }
            None => {
                while !self.outgoing.is_empty() {
                    let written = self.stream.write(&self.outgoing)?;
                    self.outgoing.drain(..written);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn receive(
        &mut self,
        inbox: &mut Inbox,
        mut deliver: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        loop {
            let length = match self.read(&mut inbox.bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let mut rest = inbox.bytes.get(..length).unwrap_or_default();
            while !rest.is_empty() {
                let taken = self.frames.push(rest);
                rest = rest.get(taken..).unwrap_or_default();
                while let Some(message) = self.frames.next_message().map_err(io::Error::other)? {
                    deliver(message);
                }
            }
        }
        // A handshake answers what it reads.
        self.flush()
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(bytes) };
        loop {
            match tls.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert tells the server why.
                let _ = tls.write_tls(&mut self.stream);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

fn connect(local: Option<IpAddr>, remote: SocketAddr) -> io::Result<StdTcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(ip) = local {
        socket.bind(&SocketAddr::new(ip, 0).into())?;
    }
    socket.connect_timeout(&remote.into(), PATIENCE)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// How long TCP may take to connect.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest message that there is.
const MAX_MESSAGE: usize = 65_552;
