use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_stun::attribute::Family;
use pinhole_turn::server::{Ask, Config, LocalPorts, PortPool};

/// The ports of all workers; it is asked when allocations begin and end, and for nothing else.
#[derive(Clone, Debug)]
pub(crate) struct SharedPorts {
    pool: Arc<Mutex<LocalPorts>>,
    /// Those that there are relay hosts of.
    families: [Option<Family>; 2],
}

impl SharedPorts {
    /// All ports of these relay hosts.
    pub(crate) fn new(config: &Config) -> Self {
        let families = [Family::Ipv4, Family::Ipv6];
        Self {
            pool: Arc::new(Mutex::new(LocalPorts::new(config))),
            families: families.map(|family| config.relay(family).map(|_| family)),
        }
    }

    /// How many ports of each family are free.
    pub(crate) fn all_free(&self) -> impl Iterator<Item = (Family, usize)> {
        self.families.into_iter().flatten().map(|family| (family, self.free(family)))
    }

    fn lock(&self) -> MutexGuard<'_, LocalPorts> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PortPool for SharedPorts {
    fn take(&mut self, family: Family, ask: Ask, random: u32) -> Option<u16> {
        self.lock().take(family, ask, random)
    }

    fn release(&mut self, family: Family, port: u16) {
        self.lock().release(family, port);
    }

    fn free(&self, family: Family) -> usize {
        self.lock().free(family)
    }
}
