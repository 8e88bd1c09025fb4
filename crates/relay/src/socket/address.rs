//! Socket addresses as the kernel has them: `sockaddr_in` and `sockaddr_in6`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address in the kernel's bytes: family and port; the IPv4 address, or the flow of IPv6; the IPv6 address,
/// and its scope. Each word is as it lies in memory.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Name([u32; ROOM / 4]);

/// The length of `sockaddr_in6`, which is the longer one.
const ROOM: usize = size_of::<libc::sockaddr_in6>();
/// The length of `sockaddr_in`.
const SHORT: usize = size_of::<libc::sockaddr_in>();

const V4: [u8; 2] = (libc::AF_INET as u16).to_ne_bytes();
const V6: [u8; 2] = (libc::AF_INET6 as u16).to_ne_bytes();

impl Name {
    #[inline]
    pub(crate) const fn is_v4(&self) -> bool {
        let [f0, f1, ..] = self.0[0].to_ne_bytes();
        f0 == V4[0] && f1 == V4[1]
    }

    /// How many bytes its family has.
    #[inline]
    pub(crate) const fn length(&self) -> usize {
        if self.is_v4() { SHORT } else { ROOM }
    }

    /// Writes the address where it is wanted; false for other families.
    #[inline]
    pub(crate) fn read_into(&self, address: &mut SocketAddr) -> bool {
        let [head, next, rest @ ..] = &self.0;
        let [f0, f1, p0, p1] = head.to_ne_bytes();
        let port = u16::from_be_bytes([p0, p1]);
        match [f0, f1] {
            V4 => *address = SocketAddrV4::new(Ipv4Addr::from(next.to_ne_bytes()), port).into(),
            V6 => *address = read_v6(port, *next, *rest).into(),
            _ => return false,
        }
        true
    }

    /// Whether it is this address.
    #[inline(always)]
    pub(crate) fn is(&self, address: &SocketAddr) -> bool {
        let [first, next, rest @ ..] = &self.0;
        match address {
            SocketAddr::V4(address) => {
                *first == head(V4, address.port())
                    && *next == u32::from_ne_bytes(address.ip().octets())
            }
            SocketAddr::V6(address) => {
                *first == head(V6, address.port())
                    && *next == address.flowinfo()
                    && *rest == write_v6(address)
            }
        }
    }

    /// Becomes this address.
    #[inline]
    pub(crate) fn set(&mut self, address: &SocketAddr) {
        let [first, next, rest @ ..] = &mut self.0;
        match address {
            SocketAddr::V4(address) => {
                *first = head(V4, address.port());
                *next = u32::from_ne_bytes(address.ip().octets());
            }
            SocketAddr::V6(address) => {
                *first = head(V6, address.port());
                (*next, *rest) = (address.flowinfo(), write_v6(address));
            }
        }
    }
}

/// Family and port.
#[inline(always)]
const fn head([f0, f1]: [u8; 2], port: u16) -> u32 {
    let [p0, p1] = port.to_be_bytes();
    u32::from_ne_bytes([f0, f1, p0, p1])
}

/// The words behind the flow.
fn write_v6(address: &SocketAddrV6) -> [u32; 5] {
    let bits = address.ip().to_bits();
    let [a, b, c, d] = [96, 64, 32, 0].map(|shift| ((bits >> shift) as u32).to_be());
    [a, b, c, d, address.scope_id()]
}

fn read_v6(port: u16, flow: u32, [a, b, c, d, scope]: [u32; 5]) -> SocketAddrV6 {
    let words = [a, b, c, d].map(|word| u128::from(u32::from_be(word)));
    let bits = words.into_iter().fold(0, |bits, word| bits << 32 | word);
    SocketAddrV6::new(Ipv6Addr::from_bits(bits), port, flow, scope)
}

impl PartialEq for Name {
    /// Behind an IPv4 address may be what is left of an IPv6 address.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, rest @ ..], [c, d, other_rest @ ..]) = (&self.0, &other.0);
        a == c && b == d && (self.is_v4() || rest == other_rest)
    }
}

impl From<&SocketAddr> for Name {
    fn from(address: &SocketAddr) -> Self {
        let mut name = Self::default();
        name.set(address);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was() {
        let scoped = SocketAddrV6::new("fe80::7".parse().unwrap(), 9, 5, 3);
        let addresses = ["192.0.2.1:3478", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:1"];
        let addresses = addresses.map(|text| text.parse::<SocketAddr>().unwrap());
        for address in addresses.into_iter().chain([scoped.into()]) {
            let name = Name::from(&address);
            assert_eq!(read(&name), Some(address));
            let length = if address.is_ipv4() { 16 } else { 28 };
            assert_eq!(name.length(), length, "{address}");
        }
    }

    #[test]
    fn a_name_serves_for_one_address_after_the_other() {
        let addresses = ["[2001:db8::1]:65535", "192.0.2.1:3478", "[::]:1", "192.0.2.1:7"];
        let addresses = addresses.map(|text| text.parse::<SocketAddr>().unwrap());
        let mut name = Name::default();
        for address in addresses {
            name.set(&address);
            assert_eq!(read(&name), Some(address));
            for other in addresses {
                assert_eq!(name == Name::from(&other), address == other, "{address} {other}");
                assert_eq!(name.is(&other), address == other, "{address} {other}");
            }
        }
    }

    #[test]
    fn other_families_are_no_address() {
        assert_eq!(read(&Name::default()), None);
    }

    fn read(name: &Name) -> Option<SocketAddr> {
        let mut address = SocketAddr::from(([0xa5; 4], 0xa5a5));
        name.read_into(&mut address).then_some(address)
    }
}
