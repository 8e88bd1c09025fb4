//! Which peers a server relays to (RFC 8656 §21.1.4, §21.4).
//!
//! Without rules of the operator, a [`Policy`] refuses every address in IANA's special-purpose registries,
//! multicast, broadcast, everything that is no global unicast address, and the server's own addresses; but for
//! `64:ff9b::/96`, where a translator is (RFC 6052). An IPv6 address that carries an IPv4 address inside is
//! allowed only if both are: there is no spelling of an address that gets further than the address.
//!
//! ```
//! use pinhole_turn::policy::Policy;
//!
//! let policy = Policy::default().with_rule("allow 10.1.0.0/16".parse()?);
//! assert!(policy.allows("10.1.2.3".parse()?));
//! let refused = policy.decide("::ffff:169.254.169.254".parse()?);
//! assert_eq!(
//!     refused.to_string(),
//!     "169.254.169.254 is refused: 169.254.0.0/16 is link local (RFC 3927)",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canonical;
mod range;
mod registry;
mod rule;

pub use canonical::{Embedding, canonical, embedded};
pub use range::{Range, RangeError};
pub use registry::{SPECIAL_PURPOSE, Special, special_purpose};
pub use rule::{Action, Decision, Policy, Reason, Rule, RuleError};
