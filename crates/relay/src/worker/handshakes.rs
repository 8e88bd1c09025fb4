//! Handshakes of TLS whose client has not authenticated yet: each takes some 12 KB.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::quality::RandomState;

/// Handshakes under way of one source, an IPv4 address or an IPv6 /64. Others of it wait for their turn,
/// their first bytes with the kernel.
const UNDER_WAY: usize = 16;

/// Who has a turn, by source.
#[derive(Debug, Default)]
pub(super) struct Handshakes(HashMap<IpAddr, Queue, RandomState>);

#[derive(Debug, Default)]
struct Queue {
    under_way: usize,
    waiting: VecDeque<usize>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has not asked for a handshake.
    #[default]
    None,
    /// It waits for others.
    Waiting,
    /// It has its turn.
    UnderWay,
}

impl Handshakes {
    /// A connection asks for its turn, once.
    pub(super) fn ask(&mut self, source: IpAddr, key: usize) -> Turn {
        let queue = self.0.entry(source).or_default();
        if queue.under_way < UNDER_WAY {
            queue.under_way += 1;
            return Turn::UnderWay;
        }
        queue.waiting.push_back(key);
        Turn::Waiting
    }

    /// A connection is gone, or needs its turn no more; whose turn it is now.
    pub(super) fn leave(&mut self, source: IpAddr, key: usize, turn: Turn) -> Option<usize> {
        let queue = self.0.get_mut(&source)?;
        let next = match turn {
            Turn::None => None,
            Turn::Waiting => {
                queue.waiting.retain(|other| *other != key);
                None
            }
            Turn::UnderWay => {
                let next = queue.waiting.pop_front();
                queue.under_way -= usize::from(next.is_none());
                next
            }
        };
        if queue.under_way == 0 {
            self.0.remove(&source);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn turns_are_passed_on_in_order_and_nothing_stays() {
        let mut handshakes = Handshakes::default();
        for key in 0..UNDER_WAY {
            assert_eq!(handshakes.ask(HERE, key), Turn::UnderWay);
        }
        for key in 100..103 {
            assert_eq!(handshakes.ask(HERE, key), Turn::Waiting);
        }
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(handshakes.ask(elsewhere, 200), Turn::UnderWay, "others do not wait");
        assert_eq!(handshakes.leave(HERE, 101, Turn::Waiting), None);
        assert_eq!(handshakes.leave(HERE, 0, Turn::UnderWay), Some(100));
        assert_eq!(handshakes.leave(HERE, 1, Turn::UnderWay), Some(102));
        for key in (2..UNDER_WAY).chain([100, 102]) {
            assert_eq!(handshakes.leave(HERE, key, Turn::UnderWay), None);
        }
        assert_eq!(handshakes.leave(elsewhere, 200, Turn::UnderWay), None);
        assert!(handshakes.0.is_empty());
    }
}
