//! Who may use the server.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use pinhole_sansio::Instant;
use pinhole_turn::credential::SharedSecrets;
use pinhole_turn::server::{
    AccessTokens, Account, Exceeded, Holder, Holding, LocalQuota, Query, Quota, StaticUsers, Users,
};

/// Everybody that a configuration lets in.
pub(crate) type Everybody = ((StaticUsers, SharedSecrets), AccessTokens);

/// The users, secrets and keys of tokens in force, which all workers share and which a reload replaces.
#[derive(Clone, Debug)]
pub(crate) struct Directory(Arc<RwLock<Everybody>>);

impl Directory {
    pub(crate) fn new(everybody: Everybody) -> Self {
        Self(Arc::new(RwLock::new(everybody)))
    }

    /// From now on, these count. Allocations of users who are gone end when their lifetime does.
    pub(crate) fn replace(&self, everybody: Everybody) {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *place, everybody);
        // The workers need not wait until the others are gone.
        drop(place);
        drop(before);
    }

    fn get(&self) -> RwLockReadGuard<'_, Everybody> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users for Directory {
    fn accounts(&self, query: Query<'_>) -> Vec<Account> {
        self.get().accounts(query)
    }

    fn server_name(&self) -> Option<Arc<str>> {
        self.get().server_name()
    }

    fn bearer(&self, key: &str, token: &[u8], unix_time: Duration) -> Option<Account> {
        self.get().bearer(key, token, unix_time)
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
