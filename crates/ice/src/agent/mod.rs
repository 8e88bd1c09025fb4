//! The agent: what the application calls, and what it asks for.

mod backup;
mod checks;
mod explain;
mod generation;
mod input;
mod liveness;
mod member;
mod nomination;
mod pairing;
mod relaying;
mod remote;
mod removal;
mod requests;
mod responses;
mod restart;
mod tcp;
mod unchecked;
mod view;

use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::SocketAddr;

use pinhole_sansio::{FiveTuple, Instant, Transmit};
use pinhole_stun::{IntegrityKey, TransactionId};
use pinhole_turn::Header;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

pub use input::{DropReason, Received};
pub use liveness::State;
pub use view::{CandidateInfo, PairInfo};

pub(crate) use member::Common;

use crate::abilities::Abilities;
use crate::candidate::{Component, LocalCandidates};
use crate::config::{CandidatePolicy, Config, TurnServer};
use crate::consent::Power;
use crate::credentials::Credentials;
use crate::event::{Command, Event, Events};
use crate::explain::Troubles;
use crate::gather::Gatherer;
use crate::pacer::Pacer;
use crate::pair::PairId;
use crate::relay::Relays;
use crate::role::{Role, TieBreaker};
use generation::{Generation, RemoteSession};

/// One side of an ICE session of one data stream with one component (RFC 8445).
///
/// The crate's documentation shows the loop that drives it.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    rng: ChaCha12Rng,
    role: Role,
    tie_breaker: TieBreaker,
    local: LocalSide,
    generation: Generation,
    /// The generation before a restart, while its path is of use.
    previous: Option<Generation>,
    /// When the previous generation goes.
    retire_at: Option<Instant>,
    pacer: Pacer,
    power: Power,
    /// How many checklists there are in the session.
    checklists: usize,
    /// What the peer has told of itself.
    peer: Abilities,
    gatherer: Gatherer,
    relays: Relays,
    /// The last transaction was a question to a server, so a check is next.
    asked_last: bool,
    state: State,
    /// The pair that the application was last told to be the route.
    told_route: Option<PairId>,
    troubles: Troubles,
    events: Events,
    transmits: VecDeque<Transmit>,
    commands: VecDeque<Command>,
}

/// What this side has gathered.
#[derive(Debug, Default)]
struct LocalSide {
    candidates: LocalCandidates,
    /// The application has no more bases to add.
    bases_ended: bool,
    /// GatheringCompleted was told.
    gathered: bool,
}

/// How application data goes to the peer, directly or through a TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The pair.
    pub pair: PairId,
    /// The socket or connection to send on, and the address to send to.
    pub five_tuple: FiveTuple,
    /// What the TURN server wants to see in front of the payload, where there is one.
    pub header: Option<Header>,
    /// How many zeros it wants to see behind it, at most three.
    pub padding: u8,
}

/// A call that cannot be obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The address is a base already, there are too many, or it is not one to receive at (unspecified, or
    /// port 0).
    #[error("{0} cannot be a base: it is one already, is unspecified, or there are too many")]
    UnusableBase(SocketAddr),
    /// The credentials were set before; new ones belong to an ICE restart.
    #[error("the remote credentials are set already")]
    CredentialsSet,
    /// The component is there already, or its stream is not.
    #[error("component {} is there already, or its stream is unknown", .0.get())]
    UnusableComponent(Component),
    /// No base is of the address's family.
    #[error("no base can reach {0}")]
    Unreachable(SocketAddr),
    /// The agent has failed or is closed.
    #[error("the session is over")]
    Over,
}

impl Agent {
    /// A session with fresh credentials. `seed` is all its randomness: never use one twice.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let generation = Generation::new(Credentials::random(&mut rng), 0);
        let tie_breaker = TieBreaker(rng.next_u64());
        let relays = Relays::new(config.turn_servers.clone(), config.gathering, &mut rng);
        Self {
            role: if config.lite { Role::Controlled } else { config.role },
            tie_breaker,
            local: LocalSide::default(),
            generation,
            previous: None,
            retire_at: None,
            pacer: Pacer::new(config.ta, config.shared_pacer.clone(), now),
            power: Power::default(),
            checklists: 1,
            peer: Abilities::default(),
            gatherer: Gatherer::new(config.stun_servers.clone(), config.gathering),
            relays,
            asked_last: false,
            state: State::New,
            told_route: None,
            troubles: Troubles::default(),
            events: Events::default(),
            transmits: VecDeque::new(),
            commands: VecDeque::new(),
            config,
            rng,
        }
    }

    /// Gives the agent a UDP socket bound to `address`: a host candidate, and a place to ask STUN and TURN
    /// servers from. Add the preferred one first.
    ///
    /// # Errors
    /// [`AgentError::UnusableBase`], [`AgentError::Over`].
    pub fn add_base(&mut self, address: SocketAddr, now: Instant) -> Result<(), AgentError> {
        self.ensure_open()?;
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(AgentError::UnusableBase(address));
        }
        if !self.local.candidates.add_base(address) {
            return Err(AgentError::UnusableBase(address));
        }
        if self.config.candidates != CandidatePolicy::Relay {
            self.local.candidates.add_host(address);
            self.offer_host(address);
            self.pair_base(address.into());
            self.add_active(address);
        }
        self.ask_servers(address);
        self.after_input(now);
        Ok(())
    }

    /// Has a STUN server asked that was not known at the start.
    pub fn add_stun_server(&mut self, server: SocketAddr, now: Instant) {
        if !self.is_over() && self.config.candidates != CandidatePolicy::Relay {
            self.gatherer.add_server(server, self.local.candidates.sockets());
            self.after_input(now);
        }
    }

    /// Has a TURN server asked that was not known at the start.
    pub fn add_turn_server(&mut self, server: TurnServer, now: Instant) {
        if !self.is_over() {
            self.relays.add_server(server, self.local.candidates.sockets());
            self.after_input(now);
        }
    }

    /// Tells that a server that the application meant to use is not to be found, so that
    /// [`Event::ServerNotFound`] stands among the other events.
    pub fn server_not_found(&mut self, server: String, reason: String) {
        self.troubles.not_found(server.clone(), reason.clone());
        self.events.push(Event::ServerNotFound { server, reason });
    }

    /// Tells that there are no more bases and servers, so that gathering can complete.
    pub fn end_of_bases(&mut self, now: Instant) {
        self.local.bases_ended = true;
        self.after_input(now);
    }

    /// Sets what the peer signalled, and starts checking.
    ///
    /// # Errors
    /// [`AgentError::CredentialsSet`], [`AgentError::Over`]. After a restart they can be set again.
    pub fn set_remote_credentials(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        self.ensure_open()?;
        if self.generation.remote.session.is_some() {
            return Err(AgentError::CredentialsSet);
        }
        self.generation.remote.session = Some(RemoteSession {
            key: IntegrityKey::short_term(credentials.password.as_str()),
            username: alloc::format!("{}:{}", credentials.ufrag, self.generation.credentials.ufrag),
            patience_ends: now + self.config.patience,
            credentials,
        });
        self.set_state(self.current_state(now));
        self.conclude_both_lite(now);
        self.replay_early_checks(now);
        self.after_input(now);
        Ok(())
    }

    /// Sets what the peer's description says beside its credentials; before them, if anything. Whoever says nothing
    /// can do what RFC 8445 has, and no more.
    pub fn set_remote_abilities(&mut self, abilities: Abilities) {
        self.peer = abilities;
        self.pacer.agree(abilities.pacing);
        self.settle_roles_with_lite();
    }

    /// Ends the session: TURN servers are told, nothing else is sent any more, and nothing more happens.
    pub fn close(&mut self, now: Instant) {
        self.set_state(State::Closed);
        self.transmits.clear();
        self.gatherer.stop();
        self.transmits.extend(self.relays.close(now));
        let connections = [Some(&self.generation), self.previous.as_ref()].into_iter().flatten();
        let connections = connections.flat_map(|this| this.checklist.connections());
        self.commands.extend(connections.map(Command::DisconnectPeer));
    }

    /// The next datagram to send, until `None`.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front().or_else(|| self.gatherer.poll_transmit())
    }

    /// What the application has to do, until `None`; after [`poll_transmit`](Self::poll_transmit). Only TURN
    /// servers that are reached over TCP or TLS, and TCP candidates, give rise to it.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front().or_else(|| self.relays.poll_command())
    }

    /// What happened, in order, until `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// What the peer needs to know to check us.
    #[must_use]
    pub const fn local_credentials(&self) -> &Credentials {
        &self.generation.credentials
    }

    /// What to signal with the credentials, so that the peer can make use of it.
    #[must_use]
    pub const fn local_abilities(&self) -> Abilities {
        Abilities {
            lite: self.config.lite,
            ice2: true,
            renomination2: self.config.backups.is_some(),
            renomination: self.config.backups.is_some(),
            pacing: self.pacer.wished(),
        }
    }

    /// The role now; a conflict may have switched it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// How the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The selected pair, once one was nominated.
    #[must_use]
    pub const fn selected_pair(&self) -> Option<PairId> {
        self.generation.conclusion.selected
    }

    fn ask_servers(&mut self, base: SocketAddr) {
        if self.config.lite {
            return; // "Lite implementations only utilize host candidates" (RFC 8445 §5.2)
        }
        self.relays.add_base(base);
        if self.config.candidates != CandidatePolicy::Relay {
            self.gatherer.add_base(base);
        }
    }

    fn ensure_open(&self) -> Result<(), AgentError> {
        if self.is_over() { Err(AgentError::Over) } else { Ok(()) }
    }

    const fn is_over(&self) -> bool {
        matches!(self.state, State::Failed | State::Closed)
    }

    fn fresh_transaction_id(&mut self) -> TransactionId {
        let mut bytes = [0; 12];
        self.rng.fill_bytes(&mut bytes);
        TransactionId::new(bytes)
    }
}
