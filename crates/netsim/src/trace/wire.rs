//! Packets as they are on the wire, with headers and checksums.

use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::Instant;

use crate::icmp::{IcmpError, IcmpKind};
use crate::packet::{Body, Packet, Protocol};
use crate::stream::{Flags, Segment};

/// The packet from its IP header on.
pub(super) fn encode(packet: &Packet) -> Vec<u8> {
    let (source, destination) = (packet.source, packet.destination);
    let (protocol, mut body, checksum_at) = match &packet.body {
        Body::Datagram { payload, .. } => (UDP, udp(source, destination, payload), 6),
        Body::Segment(segment) => (TCP, tcp(source, destination, segment), 16),
        Body::Icmp(error) if source.is_ipv4() => (ICMP, icmp(error), 2),
        Body::Icmp(error) => (ICMPV6, icmp(error), 2),
    };
    let pseudo_header = if protocol == ICMP {
        Vec::new()
    } else {
        pseudo_header(source.ip(), destination.ip(), protocol, body.len())
    };
    let checksum = match checksum(&[&pseudo_header, &body]) {
        // RFC 768: a computed zero is sent as all ones, since zero says that there is none.
        0 if protocol == UDP => u16::MAX,
        checksum => checksum,
    };
    patch(&mut body, checksum_at, checksum);
    let mut bytes = ip_header(packet, protocol, body.len());
    bytes.extend(body);
    bytes
}

/// RFC 791 §3.1 or RFC 8200 §3.
fn ip_header(packet: &Packet, protocol: u8, body: usize) -> Vec<u8> {
    let hop_limit = packet.hop_limit;
    let mut header = Vec::with_capacity(40);
    match (packet.source.ip(), packet.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.extend([0x45, 0]);
            header.extend(short(20 + body));
            // The identification and the flags: do not fragment.
            header.extend([0, 0, 0x40, 0, hop_limit, protocol, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            let sum = checksum(&[&header]);
            patch(&mut header, 10, sum);
        }
        (source, destination) => {
            header.extend([0x60, 0, 0, 0]);
            header.extend(short(body));
            header.extend([protocol, hop_limit]);
            header.extend(octets(source));
            header.extend(octets(destination));
        }
    }
    header
}

/// RFC 768, with a checksum of zero.
fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(destination.port().to_be_bytes());
    bytes.extend(short(8 + payload.len()));
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// RFC 9293 §3.1, with a checksum of zero and a window that never closes.
fn tcp(source: SocketAddr, destination: SocketAddr, segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + segment.payload.len());
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(destination.port().to_be_bytes());
    bytes.extend(long(segment.sequence));
    bytes.extend(long(segment.acknowledgment));
    let words = u8::try_from(5 + segment.options() / 4).unwrap_or(5);
    bytes.extend([words << 4, segment.flags.bits(), 0xff, 0xff, 0, 0, 0, 0]);
    if segment.options() > 0 {
        // RFC 7323 §3.2; before it, in a SYN, that SACK is understood (RFC 2018 §2), or two bytes of padding.
        bytes.extend(if segment.flags.has(Flags::SYN) { [4, 2, 8, 10] } else { [1, 1, 8, 10] });
        bytes.extend(stamp(segment.stamp));
        bytes.extend(stamp(segment.echo.unwrap_or_default()));
    }
    if let Some((from, to)) = segment.early {
        bytes.extend([1, 1, 5, 10]);
        bytes.extend(long(from));
        bytes.extend(long(to));
    }
    bytes.extend(&*segment.payload);
    bytes
}

/// RFC 792 or RFC 4443 §3, with a checksum of zero and the beginning of the packet that it is about.
fn icmp(error: &IcmpError) -> Vec<u8> {
    let (local, remote) = (error.five_tuple.local, error.five_tuple.remote);
    let ipv6 = local.is_ipv6();
    let kind = error.kind;
    let (message_type, code) = if ipv6 { kind.v6_type_and_code() } else { kind.v4_type_and_code() };
    let mtu = if let IcmpKind::PacketTooBig { mtu } = kind { mtu } else { 0 };
    let mut bytes = vec![message_type, code, 0, 0, 0, 0];
    bytes.extend(mtu.to_be_bytes());
    let protocol = match Protocol::of(error.five_tuple.transport) {
        Protocol::Tcp => TCP,
        Protocol::Udp | Protocol::Icmp => UDP,
    };
    let about = Packet {
        number: 0,
        source: local,
        destination: remote,
        hop_limit: 1,
        via: None,
        body: Body::Icmp(Box::new(*error)),
    };
    bytes.extend(ip_header(&about, protocol, 8));
    bytes.extend(udp(local, remote, &[]));
    bytes
}

/// What UDP, TCP and ICMPv6 checksums cover besides the packet (RFC 768, RFC 8200 §8.1).
fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut bytes = octets(source);
    bytes.extend(octets(destination));
    bytes.extend([0, protocol]);
    bytes.extend(short(length));
    bytes
}

/// The ones' complement of the ones' complement sum (RFC 1071); only the last part may have odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|word| match *word {
            [high, low] => u64::from(u16::from_be_bytes([high, low])),
            [high] => u64::from(high) << 8,
            _ => 0,
        })
        .sum();
    let mut folded = sum;
    while folded > u64::from(u16::MAX) {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    !u16::try_from(folded).unwrap_or(0)
}

fn patch(bytes: &mut [u8], at: usize, value: u16) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(value.to_be_bytes()) {
        *byte = new;
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Milliseconds.
fn stamp(at: Instant) -> [u8; 4] {
    long(u64::try_from((at - Instant::ZERO).as_millis()).unwrap_or(u64::MAX))
}

/// Sequence numbers wrap around on the wire.
fn long(number: u64) -> [u8; 4] {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0).to_be_bytes()
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole_sansio::Transport;

    fn packet(source: &str, destination: &str, payload: &[u8]) -> Packet {
        let body = Body::Datagram { transport: Transport::Udp, payload: payload.into() };
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        Packet { number: 0, source, destination, hop_limit: 64, via: None, body }
    }

    /// A header with its own checksum in it sums up to nothing.
    fn sums_up(bytes: &[u8], ip: usize) -> bool {
        let (header, body) = bytes.split_at(ip);
        let addresses = if ip == 20 { &header[12..20] } else { &header[8..40] };
        let length = (body.len() as u16).to_be_bytes();
        let tail = [0, 17, length[0], length[1]];
        (ip == 40 || checksum(&[header]) == 0) && checksum(&[addresses, &tail, body]) == 0
    }

    #[test]
    fn checksums_are_right_for_both_families_and_odd_lengths() {
        for payload in [&b""[..], b"a", b"ab", b"abc"] {
            let v4 = encode(&packet("192.0.2.1:5000", "203.0.113.9:3478", payload));
            assert_eq!(v4.len(), 28 + payload.len());
            assert!(sums_up(&v4, 20));
            let v6 = encode(&packet("[2001:db8::1]:5000", "[2001:db8::9]:3478", payload));
            assert_eq!(v6.len(), 48 + payload.len());
            assert!(sums_up(&v6, 40));
        }
    }

    #[test]
    fn a_udp_checksum_is_never_zero() {
        let checksums = (0..=u16::MAX).map(|payload| {
            let packet = packet("192.0.2.1:5000", "203.0.113.9:3478", &payload.to_be_bytes());
            let bytes = encode(&packet);
            assert!(sums_up(&bytes, 20));
            u16::from_be_bytes([bytes[26], bytes[27]])
        });
        assert!(checksums.min() > Some(0));
    }

    #[test]
    fn a_known_header_has_its_known_checksum() {
        // RFC 1071 §3: the bytes 00 01 f2 03 f4 f5 f6 f7 sum up to ddf2.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }
}
