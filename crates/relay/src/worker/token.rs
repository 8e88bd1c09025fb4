use mio::Token;

/// What an event of the poll is about; numbers and keys fit into 60 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Another thread.
    Control,
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
    pub(crate) const fn token(self) -> Token {
        let (kind, key) = match self {
            Self::Control => (0, 0),
            Self::Listener(key) => (1, key),
            Self::Relay(key) => (2, key),
            Self::Acceptor(key) => (3, key),
            Self::PeerAcceptor(key) => (4, key),
            Self::Stream(key) => (5, key),
        };
        Token(key << KIND_BITS | kind)
    }

    pub(crate) const fn of(token: Token) -> Self {
        let key = token.0 >> KIND_BITS;
        match token.0 & ((1 << KIND_BITS) - 1) {
            1 => Self::Listener(key),
            2 => Self::Relay(key),
            3 => Self::Acceptor(key),
            4 => Self::PeerAcceptor(key),
            5 => Self::Stream(key),
            _ => Self::Control,
        }
    }
}

const KIND_BITS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_source() {
        for source in [
            Source::Control,
            Source::Listener(0),
            Source::Relay(7),
            Source::Acceptor(1),
            Source::PeerAcceptor(100_000),
            Source::Stream(usize::MAX >> KIND_BITS),
        ] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
