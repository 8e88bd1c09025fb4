use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_stun::attribute::Family;
use pinhole_turn::server::{Ask, LocalPorts, PortPool};

/// The ports of all workers; it is asked when allocations begin and end, and for nothing else.
#[derive(Clone, Debug)]
pub(crate) struct SharedPorts(Arc<Mutex<LocalPorts>>);

impl SharedPorts {
    pub(crate) fn new(ports: LocalPorts) -> Self {
        Self(Arc::new(Mutex::new(ports)))
    }

    fn lock(&self) -> MutexGuard<'_, LocalPorts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
