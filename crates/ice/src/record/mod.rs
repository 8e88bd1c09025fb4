//! Recordings of all that an agent was told, which replay to the same bytes.

mod input;
mod output;
mod replay;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt::{Debug, Write};
use core::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};

use crate::abilities::Abilities;
use crate::agent::{Agent, AgentError, Received, Route};
use crate::candidate::Candidate;
use crate::config::{Config, TurnServer};
use crate::consent::Power;
use crate::credentials::Credentials;
use crate::event::{Command, Event, ServerConnection};
use crate::pair::PairId;
use input::Input;

pub use output::Output;
pub use replay::{ReplayError, Replayed, Step, replay};

/// An [`Agent`] that writes down what it is told, a line an input, with the time, and a digest of what came of it:
/// [`replay`] finds the line where another version of the agent does otherwise.
///
/// **A recording holds the seed**, from which the agent's passwords follow, the peer's password, and all that was
/// received. Keep it like a secret, or make it after the session is over. Passwords for TURN servers are not in it.
///
/// ```
/// use pinhole_ice::{Config, Recorder, Role, replay};
/// use pinhole_sansio::Instant;
///
/// let (config, now) = (Config::new(Role::Controlling), Instant::ZERO);
/// let mut agent = Recorder::new(config.clone(), [7; 32], now);
/// agent.add_base("192.0.2.1:5000".parse()?, now)?;
/// agent.end_of_bases(now);
/// let recording = agent.take_recording(); // write it away, and call again for the rest
///
/// let replayed = replay(config, &[], &recording)?;
/// assert_eq!(replayed.agent.local_credentials(), agent.agent().local_credentials());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorder {
    agent: Agent,
    recording: String,
    transmits: VecDeque<Transmit>,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
}

impl Recorder {
    /// As [`Agent::new`], and begins the recording. The agent has a pacer of its own, whatever `config` says: what
    /// others do could not be replayed.
    #[must_use]
    pub fn new(mut config: Config, seed: [u8; 32], now: Instant) -> Self {
        config.shared_pacer = None;
        let first = replay::first_line(&config, &seed, now);
        Self {
            agent: Agent::new(config, seed, now),
            recording: first,
            transmits: VecDeque::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What was recorded since the last call: whole lines of text. It grows until it is taken.
    #[must_use]
    pub fn take_recording(&mut self) -> String {
        core::mem::take(&mut self.recording)
    }

    /// The agent, to look at.
    #[must_use]
    pub const fn agent(&self) -> &Agent {
        &self.agent
    }

    /// As [`Agent::add_base`].
    ///
    /// # Errors
    /// As there.
    pub fn add_base(&mut self, address: SocketAddr, now: Instant) -> Result<(), AgentError> {
        self.record(&Input::AddBase(address), now, |agent| agent.add_base(address, now))
    }

    /// As [`Agent::add_tcp_listener`].
    ///
    /// # Errors
    /// As there.
    pub fn add_tcp_listener(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::AddTcpListener(address);
        self.record(&input, now, |agent| agent.add_tcp_listener(address, now))
    }

    /// As [`Agent::add_tcp_simultaneous_open`].
    ///
    /// # Errors
    /// As there.
    pub fn add_tcp_simultaneous_open(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::AddTcpSimultaneousOpen(address);
        self.record(&input, now, |agent| agent.add_tcp_simultaneous_open(address, now))
    }

    /// As [`Agent::add_mapped_address`].
    ///
    /// # Errors
    /// As there.
    pub fn add_mapped_address(
        &mut self,
        mapped: SocketAddr,
        base: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::AddMapped(mapped, base);
        self.record(&input, now, |agent| agent.add_mapped_address(mapped, base, now))
    }

    /// As [`Agent::remove_base`].
    pub fn remove_base(&mut self, address: SocketAddr, now: Instant) {
        self.record(&Input::RemoveBase(address), now, |agent| agent.remove_base(address, now));
    }

    /// As [`Agent::end_of_bases`].
    pub fn end_of_bases(&mut self, now: Instant) {
        self.record(&Input::EndOfBases, now, |agent| agent.end_of_bases(now));
    }

    /// As [`Agent::add_stun_server`].
    pub fn add_stun_server(&mut self, server: SocketAddr, now: Instant) {
        self.record(&Input::AddStunServer(server), now, |agent| agent.add_stun_server(server, now));
    }

    /// As [`Agent::add_turn_server`].
    pub fn add_turn_server(&mut self, server: TurnServer, now: Instant) {
        let input = Input::AddTurnServer(server.address);
        self.record(&input, now, |agent| agent.add_turn_server(server, now));
    }

    /// As [`Agent::server_not_found`].
    pub fn server_not_found(&mut self, server: String, reason: String, now: Instant) {
        let input = Input::ServerNotFound(server.clone(), reason.clone());
        self.record(&input, now, |agent| agent.server_not_found(server, reason));
    }

    /// As [`Agent::server_connected`].
    pub fn server_connected(
        &mut self,
        connection: ServerConnection,
        five_tuple: Option<FiveTuple>,
        now: Instant,
    ) {
        self.record(&Input::Connected(connection, five_tuple), now, |agent| {
            agent.server_connected(connection, five_tuple, now);
        });
    }

    /// As [`Agent::server_disconnected`].
    pub fn server_disconnected(&mut self, connection: ServerConnection, now: Instant) {
        self.record(&Input::Disconnected(connection), now, |agent| {
            agent.server_disconnected(connection, now);
        });
    }

    /// As [`Agent::peer_connected`].
    pub fn peer_connected(&mut self, pair: PairId, path: Option<FiveTuple>, now: Instant) {
        let input = Input::PeerConnected(pair, path);
        self.record(&input, now, |agent| agent.peer_connected(pair, path, now));
    }

    /// As [`Agent::peer_disconnected`].
    pub fn peer_disconnected(&mut self, path: FiveTuple, now: Instant) {
        let input = Input::PeerDisconnected(path);
        self.record(&input, now, |agent| agent.peer_disconnected(path, now));
    }

    /// As [`Agent::set_remote_without_ice`].
    ///
    /// # Errors
    /// As there.
    pub fn set_remote_without_ice(
        &mut self,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::SetRemoteWithoutIce(address);
        self.record(&input, now, |agent| agent.set_remote_without_ice(address, now))
    }

    /// As [`Agent::set_remote_credentials`].
    ///
    /// # Errors
    /// As there.
    pub fn set_remote_credentials(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::SetRemoteCredentials(credentials.clone());
        self.record(&input, now, |agent| agent.set_remote_credentials(credentials, now))
    }

    /// As [`Agent::set_remote_abilities`].
    pub fn set_remote_abilities(&mut self, abilities: Abilities, now: Instant) {
        self.record(&Input::SetRemoteAbilities(abilities), now, |agent| {
            agent.set_remote_abilities(abilities);
        });
    }

    /// As [`Agent::add_remote_candidate`]. It is recorded in its text form.
    pub fn add_remote_candidate(&mut self, candidate: Candidate, now: Instant) {
        let input = Input::AddRemoteCandidate(candidate.clone());
        self.record(&input, now, |agent| agent.add_remote_candidate(candidate, now));
    }

    /// As [`Agent::remove_remote_candidate`].
    pub fn remove_remote_candidate(&mut self, candidate: &Candidate, now: Instant) {
        let input = Input::RemoveRemoteCandidate(candidate.clone());
        self.record(&input, now, |agent| agent.remove_remote_candidate(candidate, now));
    }

    /// As [`Agent::end_of_remote_candidates`].
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.record(&Input::EndOfRemoteCandidates, now, |agent| {
            agent.end_of_remote_candidates(now);
        });
    }

    /// As [`Agent::restart`].
    ///
    /// # Errors
    /// As there.
    pub fn restart(&mut self, now: Instant) -> Result<(), AgentError> {
        self.record(&Input::Restart, now, |agent| agent.restart(now))
    }

    /// As [`Agent::restart_with`].
    ///
    /// # Errors
    /// As there.
    pub fn restart_with(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        let input = Input::RestartWith(credentials.clone());
        self.record(&input, now, |agent| agent.restart_with(credentials, now))
    }

    /// As [`Agent::set_power`].
    pub fn set_power(&mut self, power: Power, now: Instant) {
        self.record(&Input::SetPower(power), now, |agent| agent.set_power(power));
    }

    /// As [`Agent::peer_is_alive`].
    pub fn peer_is_alive(&mut self, pair: PairId, now: Instant) {
        self.record(&Input::PeerIsAlive(pair), now, |agent| agent.peer_is_alive(pair, now));
    }

    /// As [`Agent::close`].
    pub fn close(&mut self, now: Instant) {
        self.record(&Input::Close, now, |agent| agent.close(now));
    }

    /// As [`Agent::handle_datagram`].
    pub fn handle_datagram<'a>(&mut self, datagram: Datagram<'a>, now: Instant) -> Received<'a> {
        let input = Input::Datagram(datagram.five_tuple, datagram.payload.into());
        self.record(&input, now, |agent| agent.handle_datagram(datagram, now))
    }

    /// As [`Agent::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.record(&Input::Timeout, now, |agent| agent.handle_timeout(now));
    }

    /// As [`Agent::route`].
    #[must_use]
    pub fn route(&mut self, length: usize, now: Instant) -> Option<Route> {
        self.record(&Input::Route(length), now, |agent| agent.route(length, now))
    }

    /// As [`Agent::route_on`].
    #[must_use]
    pub fn route_on(&mut self, pair: PairId, length: usize, now: Instant) -> Option<Route> {
        let input = Input::RouteOn(pair, length);
        self.record(&input, now, |agent| agent.route_on(pair, length, now))
    }

    /// As [`Agent::poll_transmit`].
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// As [`Agent::poll_command`].
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// As [`Agent::poll_event`].
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// As [`Agent::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    fn record<T: Debug>(
        &mut self,
        input: &Input,
        now: Instant,
        act: impl FnOnce(&mut Agent) -> T,
    ) -> T {
        let result = act(&mut self.agent);
        let outputs = output::take(&mut self.agent);
        let digest = output::digest(&format!("{result:?}"), &outputs);
        // Writing to a string does not fail.
        let _ = writeln!(self.recording, "{} {input} = {digest:016x}", now.as_nanos());
        for output in outputs {
            match output {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Command(command) => self.commands.push_back(command),
                Output::Event(event) => self.events.push_back(event),
            }
        }
        result
    }
}
