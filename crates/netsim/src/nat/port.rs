use std::ops::RangeInclusive;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// How a NAT picks the external port of a new mapping (RFC 4787 §4.2, RFC 7857 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAllocation {
    /// The internal port where it is free, else a random one.
    Preserving,
    /// The one after the previous mapping's.
    Sequential,
    /// A random one.
    Random,
}

/// The ports of a NAT, and how it picks among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPolicy {
    /// How a port is picked.
    pub allocation: PortAllocation,
    /// Even internal ports get even external ones, odd get odd (RFC 4787 REQ-4).
    pub parity: bool,
    /// The neighbour of a mapped internal port gets the neighbour of its external port where that is free
    /// (RFC 4787 §4.2.3).
    pub contiguity: bool,
    /// The external ports for internal ports from 1024 up. Those below stay below (RFC 4787 REQ-3a).
    pub range: RangeInclusive<u16>,
}

impl Default for PortPolicy {
    /// Ports from 1024 up, preserved, with parity (RFC 4787 REQ-3, REQ-4).
    fn default() -> Self {
        Self {
            allocation: PortAllocation::Preserving,
            parity: true,
            contiguity: false,
            range: 1024..=u16::MAX,
        }
    }
}

/// Picks ports for one NAT.
pub(super) struct PortPicker {
    policy: PortPolicy,
    /// The port of the previous sequential pick.
    last: Option<u16>,
}

impl PortPicker {
    pub(super) const fn new(policy: PortPolicy) -> Self {
        Self { policy, last: None }
    }

    pub(super) const fn wants_contiguity(&self) -> bool {
        self.policy.contiguity
    }

    /// A free external port for `internal`; `neighbour` is what contiguity asks for.
    pub(super) fn pick(
        &mut self,
        internal: u16,
        neighbour: Option<u16>,
        is_free: impl Fn(u16) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Option<u16> {
        let range = if internal < 1024 { 1..=1023 } else { self.policy.range.clone() };
        let preserved = (self.policy.allocation == PortAllocation::Preserving).then_some(internal);
        let asked = [neighbour, preserved].into_iter().flatten();
        let port = asked.filter(|port| range.contains(port)).find(|&port| is_free(port));
        let port = port.or_else(|| {
            let start = self.start(&range, rng);
            let parity = self.policy.parity.then_some(internal % 2);
            scan(range, start).find(|port| parity.is_none_or(|p| port % 2 == p) && is_free(*port))
        })?;
        self.last = Some(port);
        Some(port)
    }

    /// Forgets what it picked, as after a reboot.
    pub(super) const fn reset(&mut self) {
        self.last = None;
    }

    fn start(&self, range: &RangeInclusive<u16>, rng: &mut ChaCha8Rng) -> u16 {
        match self.policy.allocation {
            PortAllocation::Preserving | PortAllocation::Random => rng.random_range(range.clone()),
            PortAllocation::Sequential => {
                let next = self.last.and_then(|last| last.checked_add(1));
                next.filter(|next| range.contains(next)).unwrap_or(*range.start())
            }
        }
    }
}

/// Every port of `range` once, upwards from `start` and around.
fn scan(range: RangeInclusive<u16>, start: u16) -> impl Iterator<Item = u16> {
    (start..=*range.end()).chain(*range.start()..start)
}
