//! The floor under a TURN server: receives, takes four bytes away or puts them in front, sends. It challenges requests
//! with a nonce that is always the same, takes every answer for right, one client a port, and does nothing else that a
//! server has to do.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use pinhole_stun::attribute::{ErrorCode, Nonce, Realm, XorMappedAddress};
use pinhole_stun::{Class, IntegrityKey, Message, MessageWriter, Method, WriteError};
use pinhole_turn::attribute::{Channel, Lifetime, XorPeerAddress, XorRelayedAddress};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, SockRef, Socket, Type};

struct Udp {
    socket: UdpSocket,
    /// Once there is data to relay.
    state: Option<UdpSocketState>,
}

struct Relay {
    udp: Udp,
    client: SocketAddr,
    peer: SocketAddr,
    /// The channel's number.
    number: [u8; 2],
}

struct Floor {
    poll: Poll,
    server: Udp,
    relays: Vec<Relay>,
    /// The relay of each client's port, counted from one.
    by_port: Vec<usize>,
    /// Everybody's.
    key: IntegrityKey,
}

/// What is received at once; in front of each slot, there is room for a header.
struct Inbox {
    bytes: Vec<u8>,
    meta: [RecvMeta; FEW],
    train: Vec<u8>,
}

/// Datagrams, or rows of them, of one call: to prepare for more costs more than a second call, which is rare.
const FEW: usize = 4;
const HEADER: usize = 4;
/// Its realm, and its nonce.
const NAME: &str = "floor";
const SLOT: usize = 65_536 + HEADER;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let address: SocketAddr = address.expect("an address to listen at: IP:PORT");
    let threads = thread::available_parallelism()?.get();
    let floors = (0..threads).map(|_| Floor::open(address)).collect::<io::Result<Vec<_>>>()?;
    let threads: Vec<_> = floors.into_iter().map(|floor| thread::spawn(|| floor.run())).collect();
    threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
}

impl Udp {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if address.port() != 0 {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into()), state: None })
    }

    fn make_ready(&mut self) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        socket.set_recv_buffer_size(4 << 20)?;
        socket.set_send_buffer_size(4 << 20)?;
        self.state = Some(UdpSocketState::new((&self.socket).into())?);
        Ok(())
    }

    fn send(&self, destination: SocketAddr, contents: &[u8], segment_size: Option<usize>) {
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        let Some(state) = &self.state else { return };
        // What does not fit is lost.
        let _ = state.try_send((&self.socket).into(), &transmit);
    }

    /// Receives some datagrams; how many, and whether there may be more.
    fn receive(&self, inbox: &mut Inbox) -> Option<(usize, bool)> {
        let state = self.state.as_ref()?;
        let mut slots = inbox.bytes.chunks_exact_mut(SLOT);
        let mut slices: [IoSliceMut<'_>; FEW] = std::array::from_fn(|_| {
            IoSliceMut::new(&mut slots.next().expect("a slot for each")[HEADER..])
        });
        let count = state.recv((&self.socket).into(), &mut slices, &mut inbox.meta).ok()?;
        Some((count, count == FEW))
    }
}

impl Floor {
    /// One for each core, as of a server; the kernel gives each client to one of them.
    fn open(address: SocketAddr) -> io::Result<Self> {
        let (poll, mut server) = (Poll::new()?, Udp::bind(address)?);
        server.make_ready()?;
        poll.registry().register(&mut server.socket, Token(0), Interest::READABLE)?;
        let key = IntegrityKey::long_term_md5("load", NAME, "secret");
        Ok(Self { poll, server, relays: Vec::new(), by_port: vec![0; 65_536], key })
    }

    fn run(mut self) -> io::Result<()> {
        let mut inbox = Inbox {
            bytes: vec![0; FEW * SLOT],
            meta: [RecvMeta::default(); FEW],
            train: Vec::with_capacity(SLOT),
        };
        let mut events = Events::with_capacity(1_024);
        loop {
            self.poll.poll(&mut events, Some(Duration::from_secs(1)))?;
            for event in &events {
                match event.token() {
                    Token(0) => self.receive_from_clients(&mut inbox)?,
                    Token(number) => {
                        self.relays[number - 1].receive_from_peer(&self.server, &mut inbox);
                    }
                }
            }
        }
    }

    fn receive_from_clients(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let mut more = true;
        while more && let Some((count, is_full)) = self.server.receive(inbox) {
            more = is_full;
            for (slot, meta) in inbox.bytes.chunks_exact(SLOT).zip(&inbox.meta).take(count) {
                let row = &slot[HEADER..HEADER + meta.len];
                if row[0] & 0xc0 == 0 {
                    self.answer(row, meta.addr)?;
                    continue;
                }
                let Some(relay) =
                    self.relays.get(self.by_port[usize::from(meta.addr.port())].wrapping_sub(1))
                else {
                    continue;
                };
                if meta.len <= meta.stride {
                    relay.udp.send(relay.peer, &row[HEADER..], None);
                } else {
                    inbox.train.clear();
                    for message in row.chunks(meta.stride) {
                        inbox.train.extend_from_slice(&message[HEADER..]);
                    }
                    relay.udp.send(relay.peer, &inbox.train, Some(meta.stride - HEADER));
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &[u8], client: SocketAddr) -> io::Result<()> {
        let Ok(request) = Message::parse(request) else { return Ok(()) };
        if !request.has_integrity() {
            return self.challenge(&request, client).map_err(io::Error::other);
        }
        let port = usize::from(client.port());
        if request.method() == Method::ALLOCATE && self.by_port[port] == 0 {
            self.open_relay(client)?;
        }
        let Some(relay) = self.relays.get_mut(self.by_port[port].wrapping_sub(1)) else {
            return Ok(());
        };
        let mut buffer = [0; 128];
        let (method, id) = (request.method(), request.transaction_id());
        let mut answer = MessageWriter::new(&mut buffer, Class::SuccessResponse, method, id)
            .map_err(io::Error::other)?;
        match method {
            Method::ALLOCATE => {
                let relayed = relay.udp.socket.local_addr()?;
                answer.attribute(&XorRelayedAddress(relayed)).map_err(io::Error::other)?;
                answer.attribute(&XorMappedAddress(client)).map_err(io::Error::other)?;
                let lifetime = Lifetime(Duration::from_secs(600));
                answer.attribute(&lifetime).map_err(io::Error::other)?;
            }
            Method::REFRESH => {
                let Ok(Some(lifetime)) = request.get::<Lifetime>() else { return Ok(()) };
                answer.attribute(&lifetime).map_err(io::Error::other)?;
            }
            Method::CHANNEL_BIND => {
                let (Ok(Some(Channel(number))), Ok(Some(XorPeerAddress(peer)))) =
                    (request.get::<Channel>(), request.get::<XorPeerAddress>())
                else {
                    return Ok(());
                };
                (relay.peer, relay.number) = (peer, number.to_be_bytes());
                relay.udp.make_ready()?;
            }
            _ => {}
        }
        answer.integrity(&self.key).map_err(io::Error::other)?;
        self.server.send(client, answer.finish(), None);
        Ok(())
    }

    fn challenge(&self, request: &Message<'_>, client: SocketAddr) -> Result<(), WriteError> {
        let mut buffer = [0; 128];
        let mut writer = MessageWriter::response_to(request, Class::ErrorResponse, &mut buffer)?;
        writer.attribute(&ErrorCode::bare(401))?;
        writer.attribute(&Realm(NAME))?.attribute(&Nonce(NAME))?;
        self.server.send(client, writer.finish(), None);
        Ok(())
    }

    fn open_relay(&mut self, client: SocketAddr) -> io::Result<()> {
        let mut udp = Udp::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let number = self.relays.len() + 1;
        self.poll.registry().register(&mut udp.socket, Token(number), Interest::READABLE)?;
        self.relays.push(Relay { udp, client, peer: client, number: [0; 2] });
        self.by_port[usize::from(client.port())] = number;
        Ok(())
    }
}

impl Relay {
    fn receive_from_peer(&self, server: &Udp, inbox: &mut Inbox) {
        let mut more = true;
        while more && let Some((count, is_full)) = self.udp.receive(inbox) {
            more = is_full;
            for (slot, meta) in inbox.bytes.chunks_exact_mut(SLOT).zip(&inbox.meta).take(count) {
                if meta.len <= meta.stride {
                    slot[..HEADER].copy_from_slice(&self.header(meta.len));
                    server.send(self.client, &slot[..HEADER + meta.len], None);
                } else {
                    inbox.train.clear();
                    for payload in slot[HEADER..HEADER + meta.len].chunks(meta.stride) {
                        inbox.train.extend_from_slice(&self.header(payload.len()));
                        inbox.train.extend_from_slice(payload);
                    }
                    server.send(self.client, &inbox.train, Some(meta.stride + HEADER));
                }
            }
        }
    }

    fn header(&self, length: usize) -> [u8; HEADER] {
        let [n0, n1] = self.number;
        let [l0, l1] = (length as u16).to_be_bytes();
        [n0, n1, l0, l1]
    }
}
