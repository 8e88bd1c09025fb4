//! A coturn of the test's own, and a client machine with sockets.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod coturn;
pub(crate) mod driver;

use std::time::Duration;

/// Nothing here takes long; what does is a failure.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("in a minute")
}
