//! Our offers and answers before the judge: a real browser.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod agreement;
#[path = "../../../signaling-server/tests/support/chromium.rs"]
#[allow(dead_code, reason = "the module is shared with other tests")]
mod chromium;
mod exchange;
#[path = "../../../signaling-server/tests/support/namespace.rs"]
#[allow(dead_code, reason = "the module is shared with other tests")]
mod namespace;
mod page;
mod session;
mod side;
