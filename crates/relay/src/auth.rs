//! Who may use the server.

use std::sync::{Arc, PoisonError, RwLock};

use pinhole_turn::credential::SharedSecrets;
use pinhole_turn::server::{Account, Query, StaticUsers, Users};

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
