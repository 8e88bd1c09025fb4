//! Addresses as integers: what the data path looks up is hashed and compared in a few instructions.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use pinhole_sansio::FiveTuple;
use pinhole_stun::attribute::Family;

use super::allocation::Key;

/// An address, IPv4 mapped into IPv6. Canonical addresses, which are never mapped, stay apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct IpKey(u128);

/// A transport address, without the flow and the scope of IPv6, which no attribute carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AddressKey {
    pub(super) ip: IpKey,
    port: u16,
}

/// What stands before an IPv4 address that is mapped (RFC 4291 §2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

impl From<IpAddr> for IpKey {
    #[inline]
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        })
    }
}

impl IpKey {
    #[inline]
    pub(super) const fn family(self) -> Family {
        if self.0 >> 32 == MAPPED >> 32 { Family::Ipv4 } else { Family::Ipv6 }
    }
}

impl From<SocketAddr> for AddressKey {
    #[inline]
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip().into(), port: address.port() }
    }
}

impl From<AddressKey> for SocketAddr {
    #[inline]
    fn from(key: AddressKey) -> Self {
        let IpKey(bits) = key.ip;
        let ip = match key.ip.family() {
            Family::Ipv4 => IpAddr::V4((bits as u32).into()),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        };
        Self::new(ip, key.port)
    }
}

/// Which allocation the client on a five-tuple has.
#[derive(Debug)]
pub(super) struct Paths {
    v4: HashMap<(u64, u64), Key, SeedableRandomState>,
    v6: HashMap<([u128; 2], u64), Key, SeedableRandomState>,
}

impl Paths {
    pub(super) fn new(seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { v4: HashMap::with_hasher(hasher.clone()), v6: HashMap::with_hasher(hasher) }
    }

    #[inline(always)]
    pub(super) fn get(&self, path: &FiveTuple) -> Option<Key> {
        match short(path) {
            Some(path) => self.v4.get(&path).copied(),
            None => self.v6.get(&long(path)).copied(),
        }
    }

    pub(super) fn insert(&mut self, path: FiveTuple, key: Key) {
        match short(&path) {
            Some(path) => self.v4.insert(path, key),
            None => self.v6.insert(long(&path), key),
        };
    }

    /// Forgets that this path leads to this allocation, if it does.
    pub(super) fn disown(&mut self, path: FiveTuple, key: Key) {
        if self.get(&path) == Some(key) {
            self.remove(path);
        }
    }

    pub(super) fn remove(&mut self, path: FiveTuple) {
        match short(&path) {
            Some(path) => self.v4.remove(&path),
            None => self.v6.remove(&long(&path)),
        };
    }
}

/// A five-tuple over IPv4 in two words: the addresses; the ports and the transport.
#[inline]
fn short(path: &FiveTuple) -> Option<(u64, u64)> {
    let (SocketAddr::V4(remote), SocketAddr::V4(local)) = (path.remote, path.local) else {
        return None;
    };
    let (remote, local) = (remote.ip().to_bits(), local.ip().to_bits());
    Some((u64::from(remote) << 32 | u64::from(local), ends(path)))
}

/// Any other five-tuple: the addresses; the ports and the transport.
fn long(path: &FiveTuple) -> ([u128; 2], u64) {
    let (IpKey(remote), IpKey(local)) = (path.remote.ip().into(), path.local.ip().into());
    ([remote, local], ends(path))
}

#[inline]
const fn ends(path: &FiveTuple) -> u64 {
    let ports = (path.remote.port() as u64) << 16 | path.local.port() as u64;
    ports << 8 | path.transport as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole_sansio::Transport;

    #[test]
    fn an_address_comes_back_as_it_was() {
        for text in
            ["192.0.2.1:7", "0.0.0.0:0", "255.255.255.255:65535", "[::]:1", "[2001:db8::7]:9"]
        {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(SocketAddr::from(AddressKey::from(address)), address);
        }
    }

    #[test]
    fn different_paths_have_different_keys() {
        let mut paths = Paths::new(1);
        let mut count = 0;
        let addresses =
            ["1.2.3.4:5", "5.6.7.8:9", "1.2.3.4:9", "[2001:db8::1]:5", "[2001:db8::1]:9"];
        let addresses: [SocketAddr; 5] = addresses.map(|text| text.parse().unwrap());
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls] {
            for (remote, local) in addresses.iter().flat_map(|a| addresses.map(|b| (*a, b))) {
                let path = FiveTuple { transport, local, remote };
                assert_eq!(paths.get(&path), None, "{path}");
                paths.insert(path, Key { slot: count, generation: 0 });
                count += 1;
            }
        }
        assert_eq!(paths.v4.len() + paths.v6.len(), 4 * 5 * 5);
    }
}
