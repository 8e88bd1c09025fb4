use super::poll::Event;

/// What an event of the poll is about; numbers and keys fit into 60 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Another thread.
    Control,
    /// A deadline.
    Timer,
    /// A UDP socket that clients send to.
    Listener(usize),
    /// A UDP socket that peers send to.
    Relay(usize),
    /// A TCP socket that clients connect to.
    Acceptor(usize),
    /// A TCP socket that peers connect to.
    PeerAcceptor(usize),
    /// A connection.
    Stream(usize),
}

impl Source {
    /// A number that tells it.
    pub(crate) const fn to_bits(self) -> u64 {
        let (kind, key) = match self {
            Self::Control => (0, 0),
            Self::Timer => (6, 0),
            Self::Listener(key) => (1, key),
            Self::Relay(key) => (2, key),
            Self::Acceptor(key) => (3, key),
            Self::PeerAcceptor(key) => (4, key),
            Self::Stream(key) => (5, key),
        };
        (key as u64) << KIND_BITS | kind
    }

    /// What an event is about.
    #[inline]
    pub(crate) fn of(event: &Event) -> Self {
        Self::from_bits(event.data.u64())
    }

    /// Whether it is a UDP socket that peers send to.
    #[inline]
    pub(crate) const fn is_relay(self) -> bool {
        matches!(self, Self::Relay(_))
    }

    #[inline]
    const fn from_bits(bits: u64) -> Self {
        let key = (bits >> KIND_BITS) as usize;
        match bits & ((1 << KIND_BITS) - 1) {
            1 => Self::Listener(key),
            2 => Self::Relay(key),
            3 => Self::Acceptor(key),
            4 => Self::PeerAcceptor(key),
            5 => Self::Stream(key),
            6 => Self::Timer,
            _ => Self::Control,
        }
    }
}

const KIND_BITS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_its_source() {
        for source in [
            Source::Control,
            Source::Timer,
            Source::Listener(0),
            Source::Relay(7),
            Source::Acceptor(1),
            Source::PeerAcceptor(100_000),
            Source::Stream(usize::MAX >> KIND_BITS),
        ] {
            assert_eq!(Source::from_bits(source.to_bits()), source);
        }
    }
}
