//! What must be possible, from the behaviours of RFC 4787 alone.

use pinhole_netsim::{Behavior, Family};

use crate::place::Place;
use crate::session::Relaying;

/// The best kind of path between two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// From one to the other.
    Direct,
    /// Through a TURN server.
    Relayed,
    /// There is none.
    None,
}

/// The best path that agents with these means can use. The TURN server has both families and listens where everybody
/// gets through, so it always helps.
#[must_use]
pub fn path([a, b]: [Place; 2], relaying: Relaying) -> Path {
    match relaying {
        Relaying::None | Relaying::Available if is_direct(a, b) => Path::Direct,
        Relaying::Available | Relaying::Only => Path::Relayed,
        Relaying::None => Path::None,
    }
}

/// Whether there is a direct path between two places that both learn their server-reflexive addresses.
#[must_use]
pub fn is_direct(a: Place, b: Place) -> bool {
    a.has_udp() && b.has_udp() && (over_ipv6(a, b) || over_ipv4(a, b))
}

/// Nothing translates IPv6, and a stateful firewall lets in who was asked: both sides ask.
fn over_ipv6(a: Place, b: Place) -> bool {
    [a, b].iter().all(|place| matches!(place.family(), Family::V6 | Family::Dual))
}

fn over_ipv4(a: Place, b: Place) -> bool {
    if [a, b].iter().any(|place| place.family() == Family::V6) {
        return false;
    }
    match (a.translation(), b.translation()) {
        // Who has a public address is reached by the other one, and answers.
        (None, _) | (_, None) => true,
        (Some(a), Some(b)) => punches(a, b) || punches(b, a),
    }
}

/// Whether a check from `from` to the address that a server saw of `to` arrives, and its answer, too. Each is a
/// mapping and a filtering.
fn punches(from: (Behavior, Behavior), to: (Behavior, Behavior)) -> bool {
    let is_stable = |nat: (Behavior, Behavior)| nat.0 == Behavior::EndpointIndependent;
    // Behind a NAT that maps anew for each remote, the address that the server saw is open to the server only, unless to
    // everybody. Otherwise it is open to where its owner has sent: the other's real port, if that is stable.
    let arrives = match to.1 {
        Behavior::EndpointIndependent => true,
        Behavior::AddressDependent => is_stable(to),
        Behavior::AddressAndPortDependent => is_stable(to) && is_stable(from),
    };
    // The answer, or the other one's own check, comes from the address that was asked only if that is stable.
    let is_answered = from.1 != Behavior::AddressAndPortDependent || is_stable(to);
    arrives && is_answered
}
