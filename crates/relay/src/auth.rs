//! Who may use the server.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pinhole_sansio::Instant;
use pinhole_turn::credential::SharedSecrets;
use pinhole_turn::server::{
    Account, Exceeded, Holder, Holding, LocalQuota, Query, Quota, StaticUsers, Users,
};

/// The users and secrets in force, which all workers share and which a reload replaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(Arc<RwLock<Arc<(StaticUsers, SharedSecrets)>>>);

impl Directory {
    pub(crate) fn new(users: StaticUsers, secrets: SharedSecrets) -> Self {
        Self(Arc::new(RwLock::new(Arc::new((users, secrets)))))
    }

    /// From now on, these count. Allocations of users who are gone end when their lifetime does.
    pub(crate) fn replace(&self, users: StaticUsers, secrets: SharedSecrets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new((users, secrets));
    }
}

impl Users for Directory {
    fn accounts(&self, query: Query<'_>) -> Vec<Account> {
        let accounts = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        accounts.accounts(query)
    }
}

/// One quota for all workers; it is asked when allocations begin and end, and for nothing else.
#[derive(Clone, Debug)]
pub(crate) struct SharedQuota(Arc<Mutex<LocalQuota>>);

impl SharedQuota {
    pub(crate) fn new(quota: LocalQuota) -> Self {
        Self(Arc::new(Mutex::new(quota)))
    }
}

impl Quota for SharedQuota {
    fn charge(
        &mut self,
        holder: Holder<'_>,
        count: u32,
        now: Instant,
    ) -> Result<Holding, Exceeded> {
        let mut quota = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        quota.charge(holder, count, now)
    }

    fn discharge(&mut self, holder: Holder<'_>, count: u32) {
        let mut quota = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        quota.discharge(holder, count);
    }
}
