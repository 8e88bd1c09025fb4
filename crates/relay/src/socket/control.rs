//! What is said of a datagram besides its bytes and its address: control messages (RFC 3542, ip(7), udp(7)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::c_int;

/// Room for control messages, as the kernel reads and writes them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control([u8; ROOM]);

/// What the kernel tells of a datagram, or of a train of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The field with DSCP and ECN: Type of Service, or Traffic Class.
    pub(crate) tos: u8,
    /// Time to Live, or Hop Limit; zero if it was not asked for.
    pub(crate) ttl: u8,
    /// The length of each datagram, if it is a train; zero if not.
    pub(crate) segment: u16,
}

/// What the kernel is told of a datagram, or of a train of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Type of Service, or Traffic Class.
    pub(crate) tos: u8,
    /// Time to Live, or Hop Limit; zero for the system's own.
    pub(crate) ttl: u8,
    /// Where to cut, if it is a train.
    pub(crate) segment: Option<u16>,
    /// Where it is sent from, IPv4 mapped into IPv6; unspecified if the socket tells.
    pub(crate) source: Ipv6Addr,
}

/// The traffic class, the hop limit, a segment's length and an IPv6 address with the number of an interface.
const ROOM: usize = 3 * space(size_of::<c_int>()) + space(20);
/// Length, level and kind in front of each message.
const HEADER: usize = size_of::<libc::cmsghdr>();
const WORD: usize = size_of::<usize>();

/// What a control message with so many bytes takes.
const fn space(length: usize) -> usize {
    HEADER + length.next_multiple_of(WORD)
}

impl Control {
    /// Says what there is to say of a datagram; how many bytes that takes.
    #[inline]
    pub(crate) fn say(&mut self, said: &Said, is_v4: bool) -> usize {
        let mut length = 0;
        if said.tos != 0 {
            let kind = if is_v4 { TOS } else { CLASS };
            length = self.write(length, kind, c_int::from(said.tos).to_ne_bytes());
        }
        if said.ttl != 0 {
            let kind = if is_v4 { TTL } else { HOPS };
            length = self.write(length, kind, c_int::from(said.ttl).to_ne_bytes());
        }
        if let Some(segment) = said.segment {
            length = self.write(length, SEGMENT, segment.to_ne_bytes());
        }
        if said.source.is_unspecified() {
            return length;
        }
        match said.source.to_canonical() {
            // Between the numbers of the interface and of the header's destination.
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                self.write(length, INFO_V4, [0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0])
            }
            IpAddr::V6(ip) => {
                let mut info = [0; 20];
                info[..16].copy_from_slice(&ip.octets());
                self.write(length, INFO_V6, info)
            }
        }
    }

    /// Its first bytes.
    #[inline]
    pub(crate) fn bytes(&self, length: usize) -> &[u8] {
        self.0.get(..length).unwrap_or(&self.0)
    }

    /// Writes a message behind the others; where the next one begins.
    #[inline]
    fn write<const N: usize>(&mut self, start: usize, kind: Kind, data: [u8; N]) -> usize {
        let places =
            self.0.get_mut(start..).and_then(|rest| rest.split_first_chunk_mut::<HEADER>());
        let places = places.and_then(|(head, rest)| Some((head, rest.first_chunk_mut::<N>()?)));
        if let Some((head, place)) = places {
            (*head, *place) = (header(N, kind), data);
        }
        start + space(N)
    }
}

impl Default for Control {
    fn default() -> Self {
        Self([0; ROOM])
    }
}

impl Told {
    /// Reads control messages; those that were not asked for are passed over. The address that the datagram was sent
    /// to is written where it is wanted, if it is told.
    #[inline(always)]
    pub(crate) fn read(bytes: &[u8], destination: &mut SocketAddr) -> Self {
        match bytes.split_first_chunk::<HEADER>() {
            Some((head, [tos, padding @ ..])) if *head == ONLY_TOS && padding.len() < WORD => {
                Self { tos: *tos, ..Self::default() }
            }
            Some(_) => Self::read_all(bytes, destination),
            None => Self::default(),
        }
    }

    #[inline(never)]
    fn read_all(mut bytes: &[u8], destination: &mut SocketAddr) -> Self {
        let mut told = Self::default();
        while let Some((kind, data, next)) = split(bytes) {
            told.take(kind, data, destination);
            bytes = next;
        }
        told
    }

    #[inline]
    fn take(&mut self, kind: Kind, data: &[u8], destination: &mut SocketAddr) {
        match (kind, data) {
            // A byte for IPv4, a number for IPv6, whose low byte it is.
            (TOS, [tos, ..]) => self.tos = *tos,
            (CLASS, [a, b, c, d, ..]) => self.tos = c_int::from_ne_bytes([*a, *b, *c, *d]) as u8,
            (TTL | HOPS, [a, b, c, d, ..]) => {
                self.ttl = c_int::from_ne_bytes([*a, *b, *c, *d]) as u8;
            }
            (GRO, [a, b, c, d, ..]) => {
                let segment = c_int::from_ne_bytes([*a, *b, *c, *d]);
                self.segment = u16::try_from(segment).unwrap_or_default();
            }
            (INFO_V4, [_, _, _, _, _, _, _, _, a, b, c, d]) => {
                destination.set_ip(Ipv4Addr::new(*a, *b, *c, *d).into());
            }
            (INFO_V6, data) => {
                if let Some(ip) = data.first_chunk::<16>() {
                    destination.set_ip(Ipv6Addr::from(*ip).into());
                }
            }
            _ => {}
        }
    }
}

type Kind = (c_int, c_int);
const TOS: Kind = (libc::IPPROTO_IP, libc::IP_TOS);
const CLASS: Kind = (libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
const TTL: Kind = (libc::IPPROTO_IP, libc::IP_TTL);
const HOPS: Kind = (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT);
const SEGMENT: Kind = (libc::SOL_UDP, libc::UDP_SEGMENT);
const GRO: Kind = (libc::SOL_UDP, libc::UDP_GRO);
const INFO_V4: Kind = (libc::IPPROTO_IP, libc::IP_PKTINFO);
const INFO_V6: Kind = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);

/// What stands in front of the one byte that is told of most datagrams: alone, over IPv4, to a socket with
/// an address of its own.
const ONLY_TOS: [u8; HEADER] = header(1, TOS);

/// What stands in front of so many bytes.
#[inline]
const fn header(length: usize, (level, kind): Kind) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    let (front, rest) = head.split_at_mut(WORD);
    front.copy_from_slice(&(HEADER + length).to_ne_bytes());
    let (middle, end) = rest.split_at_mut(size_of::<c_int>());
    middle.copy_from_slice(&level.to_ne_bytes());
    end.copy_from_slice(&kind.to_ne_bytes());
    head
}

/// The first message and what follows it.
#[inline]
fn split(bytes: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<WORD>()?;
    let (level, rest) = rest.split_first_chunk::<4>()?;
    let (kind, _) = rest.split_first_chunk::<4>()?;
    let length = usize::from_ne_bytes(*length);
    let data = bytes.get(HEADER..length)?;
    let next = bytes.get(length.next_multiple_of(WORD)..).unwrap_or_default();
    Some(((c_int::from_ne_bytes(*level), c_int::from_ne_bytes(*kind)), data, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9);

    fn read(bytes: &[u8]) -> Told {
        Told::read(bytes, &mut NOWHERE.clone())
    }

    fn written(is_v4: bool, tos: u8, segment: Option<u16>, source: &str) -> Vec<u8> {
        let ttl = if segment.is_some() { 63 } else { 0 };
        let said = Said { tos, ttl, segment, source: source.parse().unwrap() };
        let mut control = Control::default();
        let length = control.say(&said, is_v4);
        control.bytes(length).to_vec()
    }

    #[test]
    fn the_kernel_is_told_what_there_is_to_tell() {
        assert!(written(true, 0, None, "::").is_empty());
        assert_eq!(read(&written(true, 0xb9, None, "::")).tos, 0xb9);
        assert_eq!(read(&written(false, 0xb9, None, "::")).tos, 0xb9);
        let all = written(false, 3, Some(1_200), "2001:db8::7");
        assert_eq!(all.len(), ROOM, "no room is wasted, and none is missing");
        let mut destination = NOWHERE;
        assert_eq!(Told::read(&all, &mut destination), Told { tos: 3, ttl: 63, segment: 0 });
        assert_eq!(destination, "[2001:db8::7]:9".parse().unwrap());
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_passed_over() {
        let mut control = Control::default();
        let mut length = 0;
        length = control.write(length, TOS, [0xb8]);
        length = control.write(length, (9, 9), [1; 5]);
        length = control.write(length, GRO, 172_i32.to_ne_bytes());
        let all = Told { tos: 0xb8, segment: 172, ..Told::default() };
        assert_eq!(read(control.bytes(length)), all);
        for cut in 0..length {
            let segment = read(control.bytes(cut)).segment;
            assert!(segment == 0 || cut + WORD > length, "{cut} bytes");
        }
    }

    #[test]
    fn the_usual_messages_and_all_others_are_read_alike() {
        for (ttl, tos, segment) in [(0, 0, 0), (63, 0, 0), (0, 7, 0), (9, 7, 172)] {
            let mut control = Control::default();
            let mut length = 0;
            if ttl != 0 {
                length = control.write(length, TTL, i32::from(ttl).to_ne_bytes());
            }
            if tos != 0 {
                length = control.write(length, TOS, [tos]);
            }
            if segment != 0 {
                length = control.write(length, GRO, i32::from(segment).to_ne_bytes());
            }
            let told = Told { ttl, tos, segment };
            assert_eq!(read(control.bytes(length)), told);
            assert_eq!(Told::read_all(control.bytes(length), &mut NOWHERE.clone()), told);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let mut control = Control::default();
        for length in [0_usize, 1, 15, 17, 1_000, usize::MAX - 3, usize::MAX] {
            control.0[..WORD].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(read(control.bytes(ROOM)), Told::default(), "{length}");
        }
    }
}
