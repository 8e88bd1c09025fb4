//! Socket addresses as the kernel has them: `sockaddr_in` and `sockaddr_in6`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address in the kernel's bytes: family, port, and what follows of its family.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(4))]
pub(crate) struct Name([u8; ROOM]);

/// The length of `sockaddr_in6`, which is the longer one.
const ROOM: usize = size_of::<libc::sockaddr_in6>();
/// The length of `sockaddr_in`.
const SHORT: usize = size_of::<libc::sockaddr_in>();

const V4: [u8; 2] = (libc::AF_INET as u16).to_ne_bytes();
const V6: [u8; 2] = (libc::AF_INET6 as u16).to_ne_bytes();

impl Name {
    #[inline]
    pub(crate) const fn is_v4(&self) -> bool {
        let [f0, f1, ..] = self.0;
        f0 == V4[0] && f1 == V4[1]
    }

    /// How many bytes its family has.
    #[inline]
    pub(crate) const fn length(&self) -> usize {
        if self.is_v4() { SHORT } else { ROOM }
    }

    /// The address; `None` for other families.
    #[inline]
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        let [f0, f1, p0, p1, rest @ ..] = self.0;
        let port = u16::from_be_bytes([p0, p1]);
        let [a, b, c, d, rest @ ..] = rest;
        if f0 == V4[0] && f1 == V4[1] {
            return Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port)));
        }
        if f0 != V6[0] || f1 != V6[1] {
            return None;
        }
        let flow = u32::from_ne_bytes([a, b, c, d]);
        let Some((ip, scope)) = rest.split_first_chunk::<16>() else { return None };
        let Some(scope) = scope.first_chunk::<4>() else { return None };
        let scope = u32::from_ne_bytes(*scope);
        let ip = Ipv6Addr::from_bits(u128::from_be_bytes(*ip));
        Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
    }
}

impl Default for Name {
    fn default() -> Self {
        Self([0; ROOM])
    }
}

impl From<&SocketAddr> for Name {
    #[inline]
    fn from(address: &SocketAddr) -> Self {
        let mut bytes = [0; ROOM];
        let [f0, f1, p0, p1, rest @ ..] = &mut bytes;
        [*p0, *p1] = address.port().to_be_bytes();
        match address {
            SocketAddr::V4(address) => {
                [*f0, *f1] = V4;
                if let Some(ip) = rest.first_chunk_mut() {
                    *ip = address.ip().octets();
                }
                Self(bytes)
            }
            SocketAddr::V6(address) => {
                [*f0, *f1] = V6;
                if let Some((flow, rest)) = rest.split_first_chunk_mut()
                    && let Some((ip, scope)) = rest.split_first_chunk_mut()
                    && let Some(scope) = scope.first_chunk_mut()
                {
                    *flow = address.flowinfo().to_ne_bytes();
                    *ip = address.ip().octets();
                    *scope = address.scope_id().to_ne_bytes();
                }
                Self(bytes)
            }
        }
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
            assert_eq!(name.address(), Some(address));
            let length = if address.is_ipv4() { 16 } else { 28 };
            assert_eq!(name.length(), length, "{address}");
        }
    }

    #[test]
    fn other_families_are_no_address() {
        assert_eq!(Name::default().address(), None);
    }
}
