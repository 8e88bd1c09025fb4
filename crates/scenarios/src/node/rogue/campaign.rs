//! What somebody with an account of his own asks for, though he must not have it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pinhole_stun::Credentials;
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_stun::auth::{LongTermClient, Verdict};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, Channel, Data, EvenPort, MobilityTicket, ReservationToken,
    XorRelayedAddress,
};

use super::*;
use crate::node::turn::{QUOTA, ROGUE, USER};
use crate::session::PASSWORD;

/// A client on one path, whose answers are its own.
struct Caller {
    auth: LongTermClient,
    path: FiveTuple,
    ids: u32,
}

type Wishes<'a> = &'a [&'a dyn AttributeWrite];

impl Caller {
    fn new(user: &str, server: SocketAddr, port: u16) -> Self {
        let credentials = Credentials::new(user, PASSWORD).expect("both are plain");
        let remote = SocketAddr::from((ADDRESS, port));
        let path = FiveTuple { transport: Transport::Tcp, local: server, remote };
        Self { auth: LongTermClient::new(credentials), path, ids: u32::from(port) << 16 }
    }

    /// The code of the answer, 0 for a success, and the answer.
    fn ask(
        &mut self,
        server: &mut TurnServer,
        method: Method,
        wishes: Wishes<'_>,
        now: Instant,
    ) -> (u16, Vec<u8>) {
        for _ in 0..3 {
            let mut buffer = [0; 512];
            let mut writer = MessageWriter::new(&mut buffer, Class::Request, method, self.id())
                .expect("the buffer is large enough");
            for wish in wishes {
                writer.attribute(*wish).expect("the buffer is large enough");
            }
            let attempt = self.auth.authorize(&mut writer).expect("the buffer is large enough");
            let payload = writer.finish();
            let answers = server.inject(Datagram { five_tuple: self.path, payload }, now);
            let Some(answer) = answers.first() else { return (SILENCE, Vec::new()) };
            let Ok(message) = Message::parse(&answer.payload) else { break };
            if self.auth.judge(&message, attempt) == Verdict::Accept {
                let code = code_of(&answer.payload).unwrap_or(SILENCE);
                return (code, answer.payload.to_vec());
            }
        }
        (SILENCE, Vec::new())
    }

    /// Whether data to this peer goes anywhere.
    fn send(&mut self, server: &mut TurnServer, peer: SocketAddr, now: Instant) -> bool {
        let mut buffer = [0; 128];
        let payload = MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, self.id())
            .and_then(|mut writer| {
                writer.attribute(&XorPeerAddress(peer))?.attribute(&Data(b"rogue"))?;
                Ok(writer.finish())
            })
            .expect("the buffer is large enough");
        !server.inject(Datagram { five_tuple: self.path, payload }, now).is_empty()
    }

    fn id(&mut self) -> TransactionId {
        self.ids += 1;
        let mut id = [0xbd; 12];
        id[..4].copy_from_slice(&self.ids.to_be_bytes());
        TransactionId::new(id)
    }
}

impl TurnServer {
    /// One after the other.
    pub(super) fn campaign(&mut self, now: Instant) {
        let Some(server) = self.listener() else { return };
        let mut caller = Caller::new(ROGUE, server, FIRST_PORT);
        let (code, answer) = caller.ask(self, Method::ALLOCATE, ALLOCATE, now);
        self.warden.demand("T18", code == 0, now, format_args!("{code} for an honest Allocate"));
        let (code, _) = caller.ask(self, Method::ALLOCATE, ALLOCATE, now);
        self.warden.demand("T10", code == 437, now, format_args!("{code} for a second allocation"));
        self.ask_for_denied_peers(&mut caller, now);
        self.ask_for_some_denied_peers(&mut caller, now);
        self.ask_for_odd_channels(&mut caller, now);
        self.move_about(&mut caller, &answer, now);
        self.ask_for_what_has_ended(&mut caller, now);
        self.ask_to_be_connected(server, now);
        self.ask_for_two_ports(server, now);
        self.ask_for_too_much(server, now);
    }

    /// T14: the same verdict on every form of an address, for every verb.
    fn ask_for_denied_peers(&mut self, caller: &mut Caller, now: Instant) {
        for peer in denied().into_iter().map(|ip| SocketAddr::new(ip, 80)) {
            let wish = XorPeerAddress(peer);
            let (permission, _) = caller.ask(self, Method::CREATE_PERMISSION, &[&wish], now);
            let bind: Wishes<'_> = &[&Channel(0x4abc), &wish];
            let (channel, _) = caller.ask(self, Method::CHANNEL_BIND, bind, now);
            let is_sent = caller.send(self, peer, now);
            let is_refused = (permission, channel, is_sent) == (403, 403, false);
            let lie = self.warden.is_lied_to(Mutation::OpenPolicy);
            let what = format_args!("{peer}: {permission}, {channel}, sent: {is_sent}");
            self.warden.demand("T14", is_refused && !lie, now, what);
        }
    }

    /// T16: one that is refused among others, and none is permitted.
    fn ask_for_some_denied_peers(&mut self, caller: &mut Caller, now: Instant) {
        let (good, bad) = (XorPeerAddress(trap()), XorPeerAddress(([127, 0, 0, 1], 1).into()));
        let (code, _) = caller.ask(self, Method::CREATE_PERMISSION, &[&good, &bad], now);
        let lie = self.warden.is_lied_to(Mutation::HalfPermissions);
        let is_none = code == 403 && !caller.send(self, trap(), now) && !lie;
        self.warden.demand("T16", is_none, now, format_args!("{code}, and half of it was done"));
    }

    /// T9.
    fn ask_for_odd_channels(&mut self, caller: &mut Caller, now: Instant) {
        let [one, other] = [7, 8].map(|port| XorPeerAddress((TRAP, port).into()));
        let bindings: [(u16, XorPeerAddress, u16); 6] = [
            (NUMBER, one, 0),
            (NUMBER, other, 400),
            (NUMBER + 1, one, 400),
            (0x3fff, other, 400),
            (0x5000, other, 400),
            (NUMBER, one, 0),
        ];
        for (number, peer, expected) in bindings {
            let wishes: Wishes<'_> = &[&Channel(number), &peer];
            let (code, _) = caller.ask(self, Method::CHANNEL_BIND, wishes, now);
            let what = format_args!("{code} for channel {number:#x}");
            self.warden.demand("T9", code == expected, now, what);
        }
    }

    /// T7, T21: a ticket is for its owner, once.
    fn move_about(&mut self, caller: &mut Caller, answer: &[u8], now: Instant) {
        let Some(first) = ticket_of(answer) else {
            return self.warden.demand("T21", false, now, format_args!("no ticket is given"));
        };
        let server = caller.path.local;
        let ticket = MobilityTicket(&first);
        let mut thief = Caller::new(USER, server, FIRST_PORT + 1);
        let (stolen, _) = thief.ask(self, Method::REFRESH, &[&ticket], now);
        thief.path = caller.path;
        let (refreshed, _) = thief.ask(self, Method::REFRESH, &[], now);
        self.warden.demand("T7", refreshed == 441, now, format_args!("{refreshed} for a thief"));
        let [mut second, mut third] =
            [2, 3].map(|offset| Caller::new(ROGUE, server, FIRST_PORT + offset));
        let (moved, _) = second.ask(self, Method::REFRESH, &[&ticket], now);
        let (twice, _) = third.ask(self, Method::REFRESH, &[&ticket], now);
        let is_once = (stolen, moved, twice) == (441, 0, 400);
        let lie = self.warden.is_lied_to(Mutation::SharedTickets);
        let what = format_args!("{stolen}, {moved}, {twice} for a ticket");
        self.warden.demand("T21", is_once && !lie, now, what);
        // With data on it, the new path is the only one.
        let arrives = second.send(self, trap(), now);
        let lingers = caller.send(self, trap(), now);
        self.warden.demand("T21", arrives && !lingers, now, format_args!("two paths at once"));
        caller.path = second.path;
        caller.auth = second.auth;
        caller.ids = second.ids;
    }

    /// T15.
    fn ask_for_what_has_ended(&mut self, caller: &mut Caller, now: Instant) {
        let (ended, _) = caller.ask(self, Method::REFRESH, END, now);
        let (again, _) = caller.ask(self, Method::REFRESH, &[], now);
        let is_over = (ended, again) == (0, 437) && !caller.send(self, trap(), now);
        self.warden.demand("T15", is_over, now, format_args!("{ended}, {again} after the end"));
    }

    /// T14, the fourth verb: the server connects to nobody whom it does not relay to (RFC 6062 §5.2).
    fn ask_to_be_connected(&mut self, server: SocketAddr, now: Instant) {
        let mut caller = Caller::new(ROGUE, server, TCP_PORT);
        let wishes: Wishes<'_> = &[&RequestedTransport::TCP];
        let (code, _) = caller.ask(self, Method::ALLOCATE, wishes, now);
        self.warden.demand("T18", code == 0, now, format_args!("{code} for a TCP allocation"));
        for ip in denied() {
            let peer = XorPeerAddress((ip, 80).into());
            let (code, _) = caller.ask(self, Method::CONNECT, &[&peer], now);
            // One of another family than the relayed address is refused as such, in RFC 6156's words.
            let is_refused = code == 403 || code == 443 && !ip.to_canonical().is_ipv4();
            self.warden.demand("T14", is_refused, now, format_args!("{code} for Connect to {ip}"));
        }
        caller.ask(self, Method::REFRESH, END, now);
    }

    /// T12: the port that is kept for the bearer of a token is neither free nor anybody else's.
    fn ask_for_two_ports(&mut self, server: SocketAddr, now: Instant) {
        let [mut first, mut second, mut third] =
            [1, 2, 3].map(|offset| Caller::new(ROGUE, server, TCP_PORT + offset));
        let pair: Wishes<'_> = &[&RequestedTransport::UDP, &EvenPort { reserve_next: true }];
        let (_, answer) = first.ask(self, Method::ALLOCATE, pair, now);
        let Some((relayed, token)) = relayed_in(&answer).zip(token_in(&answer)) else {
            return self.warden.demand("T12", false, now, format_args!("nothing is reserved"));
        };
        let reserved: Wishes<'_> = &[&RequestedTransport::UDP, &token];
        let (_, answer) = second.ask(self, Method::ALLOCATE, reserved, now);
        let is_next = relayed_in(&answer).map(|next| next.port()) == Some(relayed.port() + 1);
        self.warden.demand("T12", is_next, now, format_args!("the reserved port is another one"));
        let (code, _) = third.ask(self, Method::ALLOCATE, reserved, now);
        self.warden.demand("T12", code == 508, now, format_args!("{code} for a used token"));
        for caller in [&mut first, &mut second] {
            caller.ask(self, Method::REFRESH, END, now);
        }
    }

    /// T11: as many as there may be, and not one more.
    fn ask_for_too_much(&mut self, server: SocketAddr, now: Instant) {
        let ports = (0..=QUOTA).filter_map(|at| u16::try_from(at).ok());
        let mut callers: Vec<_> =
            ports.map(|at| Caller::new(ROGUE, server, MANY_PORTS + at)).collect();
        let mut granted = 0;
        for caller in &mut callers {
            let (code, _) = caller.ask(self, Method::ALLOCATE, ALLOCATE, now);
            granted += u32::from(code == 0);
        }
        let what = format_args!("{granted} allocations of one user");
        self.warden.demand("T11", granted == QUOTA, now, what);
        for caller in &mut callers {
            caller.ask(self, Method::REFRESH, END, now);
        }
    }
}

fn relayed_in(answer: &[u8]) -> Option<SocketAddr> {
    let relayed = Message::parse(answer).ok()?.get().ok().flatten();
    relayed.map(|XorRelayedAddress(relayed)| relayed)
}

fn token_in(answer: &[u8]) -> Option<ReservationToken> {
    Message::parse(answer).ok()?.get().ok().flatten()
}

fn ticket_of(answer: &[u8]) -> Option<Vec<u8>> {
    let ticket = Message::parse(answer).ok()?.get().ok().flatten();
    ticket.map(|MobilityTicket(ticket)| ticket.to_vec())
}

/// Addresses that no client may have relayed to, in all forms that lead there.
fn denied() -> Vec<IpAddr> {
    let inner = [[127, 0, 0, 1], [169, 254, 169, 254], [10, 0, 0, 1], [224, 0, 0, 1], [0; 4]];
    let forms = inner.into_iter().flat_map(|octets| {
        let [a, b, c, d] = octets;
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        [
            IpAddr::from(octets),
            Ipv4Addr::from(octets).to_ipv6_mapped().into(),
            [0, 0, 0, 0, 0, 0, high, low].into(),
            [0x2002, high, low, 0, 0, 0, 0, 1].into(),
            [0x64, 0xff9b, 0, 0, 0, 0, high, low].into(),
            [0x64, 0xff9b, 1, 0, 0, 0, high, low].into(),
            [0x2001, 0xdb8, 0, 0, 0, 0x5efe, high, low].into(),
        ]
    });
    let others: [Ipv6Addr; 5] = [
        Ipv6Addr::LOCALHOST,
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 1),
    ];
    forms.chain(others.map(IpAddr::from)).collect()
}

/// A dual allocation, with a ticket.
const ALLOCATE: Wishes<'static> =
    &[&RequestedTransport::UDP, &AdditionalAddressFamily(Family::Ipv6), &MobilityTicket(&[])];
const END: Wishes<'static> = &[&Lifetime(std::time::Duration::ZERO)];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 250);
const FIRST_PORT: u16 = 7_000;
const MANY_PORTS: u16 = 7_100;
const TCP_PORT: u16 = 7_050;
const NUMBER: u16 = 0x4000;
/// Stands for no answer.
const SILENCE: u16 = 1;
