//! How many connections there are, in all and from one place.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Limits;

/// Counts connections, by the place that they come from.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_place: BTreeMap<IpAddr, usize>,
}

/// The right to be connected; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    admission: Arc<Admission>,
    place: IpAddr,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// A slot for a connection from `address`, `None` when there are too many.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let place = place_of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counts.by_place.get(&place).copied().unwrap_or(0);
        if counts.total >= self.limits.connections || here >= self.limits.connections_per_ip {
            return None;
        }
        counts.total += 1;
        counts.by_place.insert(place, here + 1);
        Some(Slot { admission: Arc::clone(self), place })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        let here = counts.by_place.remove(&self.place).unwrap_or(1) - 1;
        if here > 0 {
            counts.by_place.insert(self.place, here);
        }
    }
}

/// The IPv4 address, also where it is mapped into IPv6, or the /64 network, which one customer has
/// for itself.
fn place_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_share_and_gets_it_back() {
        let limits = Limits { connections: 3, connections_per_ip: 2, ..Limits::default() };
        let admission = Admission::new(limits);
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let first = admit("192.0.2.1");
        let second = admit("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit("192.0.2.1").is_none(), "the address has its two");
        let third = admit("2001:db8::1");
        assert!(third.is_some());
        assert!(admit("2001:db8:0:1::1").is_none(), "the server has its three");
        drop(first);
        assert!(admit("2001:db8::2").is_some());
        drop(second);
        drop(third);
        assert!(admission.counts.lock().unwrap().by_place.is_empty());
    }
}
