//! What a connection's handle and its driving tasks have in common.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_ice::{
    Agent, AgentError, Candidate, Command, Credentials, Event as AgentEvent, PairId,
};
use pinhole_sansio::{FiveTuple, Instant};
use socket2::SockRef;
use tokio::sync::{Notify, mpsc, watch};

use crate::base::{Base, Bases};
use crate::burst::Burst;
use crate::clock::Clock;
use crate::connection::{SendError, parts};
use crate::event::Event;
use crate::names::Registry;
use crate::path::{Counters, Path};
use crate::peer_connection::Peers;
use crate::recovery::Recovery;
use crate::server_connection::ServerConnection;
use crate::socket;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) bases: Bases,
    /// The sockets of multicast DNS.
    pub(crate) multicast: Bases,
    pub(crate) inbox: mpsc::Sender<Vec<u8>>,
    /// What the agent wants done about connections to servers.
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) servers: Mutex<HashMap<FiveTuple, Arc<ServerConnection>>>,
    pub(crate) peers: Peers,
    /// The agent's deadline may have changed.
    pub(crate) rescheduled: Notify,
    pub(crate) inner: Mutex<Inner>,
    /// There may be an event.
    pub(crate) happened: Notify,
    pub(crate) counters: Counters,
}

/// The agent, and what is known of its session beside it.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) agent: Agent,
    pub(crate) recovery: Recovery,
    pub(crate) names: Option<Registry>,
    events: VecDeque<(Instant, Event)>,
    /// The peer's credentials that were set last.
    remote: Option<Credentials>,
    /// The peer's for the latest of ours have not come yet.
    awaits_remote: bool,
    route: Option<PairId>,
    path: watch::Sender<Option<Path>>,
}

impl Inner {
    pub(crate) fn new(
        agent: Agent,
        recovers: bool,
        names: Option<Registry>,
        path: watch::Sender<Option<Path>>,
    ) -> Self {
        Self {
            agent,
            recovery: Recovery::new(recovers),
            names,
            events: VecDeque::new(),
            remote: None,
            awaits_remote: true,
            route: None,
            path,
        }
    }

    pub(crate) fn pop_event(&mut self) -> Option<(Instant, Event)> {
        self.events.pop_front()
    }

    pub(crate) fn tell(&mut self, event: Event, now: Instant) {
        self.events.push_back((now, event));
    }

    pub(crate) fn set_remote_credentials(
        &mut self,
        credentials: Credentials,
        now: Instant,
    ) -> Result<(), AgentError> {
        if self.remote.as_ref() == Some(&credentials) {
            return Ok(());
        }
        // The peer's restart, which this side's follows (RFC 8445 §9).
        self.restart(now)?;
        self.agent.set_remote_credentials(credentials.clone(), now)?;
        self.remote = Some(credentials);
        self.awaits_remote = false;
        Ok(())
    }

    /// Restarts, unless the last restart has not been answered yet: two that cross would never end.
    pub(crate) fn restart(&mut self, now: Instant) -> Result<(), AgentError> {
        self.recovery.begun();
        if self.awaits_remote {
            return Ok(());
        }
        // What was told before the restart stands before it.
        self.collect(now);
        self.agent.restart(now)?;
        self.awaits_remote = true;
        self.names.iter_mut().for_each(Registry::forget_remote);
        self.tell(Event::Restarted(self.agent.local_credentials().clone()), now);
        Ok(())
    }

    pub(crate) fn add_remote_candidate(&mut self, candidate: Candidate, now: Instant) {
        if !self.names.as_mut().is_some_and(|names| names.keeps(&candidate, now)) {
            self.agent.add_remote_candidate(candidate, now);
        }
    }

    pub(crate) fn remove_remote_candidate(&mut self, candidate: &Candidate, now: Instant) {
        if let Some(names) = &mut self.names {
            names.drop_waiting(candidate);
        }
        self.agent.remove_remote_candidate(candidate, now);
    }

    pub(crate) fn end_of_remote_candidates(&mut self, now: Instant) {
        if !self.names.as_mut().is_some_and(Registry::keeps_end) {
            self.agent.end_of_remote_candidates(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        if let Some(names) = &mut self.names {
            names.mdns.handle_timeout(now);
        }
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.agent.close(now);
        if let Some(names) = &mut self.names {
            names.mdns.close();
        }
    }

    /// Gives the agent the candidates whose addresses have been found.
    fn take_found(&mut self, now: Instant) {
        let Some(names) = &mut self.names else { return };
        for candidate in names.found() {
            self.agent.add_remote_candidate(candidate, now);
        }
        if names.takes_end() {
            self.agent.end_of_remote_candidates(now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let names = self.names.as_ref().and_then(|names| names.mdns.poll_timeout());
        [self.agent.poll_timeout(), self.recovery.deadline(), names].into_iter().flatten().min()
    }

    /// Takes the agent's events; whether there were any.
    fn collect(&mut self, now: Instant) -> bool {
        let known = self.events.len();
        while let Some(event) = self.agent.poll_event() {
            self.recovery.observe(&event, self.agent.role(), now);
            if let AgentEvent::RouteChanged { pair, .. } | AgentEvent::PairSelected { pair, .. } =
                event
            {
                self.route = Some(pair);
            }
            let event = match (event, &mut self.names) {
                (AgentEvent::CandidateGathered(candidate), Some(names)) => {
                    AgentEvent::CandidateGathered(names.conceal(candidate, now))
                }
                (AgentEvent::CandidateRemoved(candidate), Some(names)) => {
                    AgentEvent::CandidateRemoved(names.conceal(candidate, now))
                }
                (event, _) => event,
            };
            self.events.push_back((now, event.into()));
        }
        self.events.len() > known
    }

    fn tell_path(&self, now: Instant) {
        let path = self.route.filter(|_| self.agent.is_writable(now));
        let path = path.and_then(|pair| Path::of(&self.agent, pair));
        self.path.send_if_modified(|known| {
            let is_new = *known != path;
            *known = path;
            is_new
        });
    }
}

impl Shared {
    /// Lets the agent do something, then sends, tells and reschedules what came of it.
    pub(crate) fn with_agent<T>(&self, act: impl FnOnce(&mut Agent, Instant) -> T) -> T {
        self.with_inner(|inner, now| act(&mut inner.agent, now))
    }

    pub(crate) fn with_inner<T>(&self, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.clock.now();
        let mut inner = self.lock();
        let (before, events) = (inner.deadline(), inner.events.len());
        let result = act(&mut inner, now);
        inner.take_found(now);
        let has_told = inner.collect(now);
        if inner.recovery.is_due(now) && inner.restart(now).is_ok() {
            inner.collect(now);
        }
        while let Some(transmit) = inner.agent.poll_transmit() {
            self.transmit(transmit.five_tuple, &transmit.payload);
        }
        while let Some(transmit) = inner.names.as_mut().and_then(|n| n.mdns.poll_transmit()) {
            self.multicast(transmit.five_tuple, &transmit.payload);
        }
        while let Some(command) = inner.agent.poll_command() {
            // Nobody listens any more once the connection is dropped, and its servers with it.
            let _ = self.commands.send(command);
        }
        if has_told || inner.events.len() > events {
            inner.tell_path(now);
            self.happened.notify_one();
        }
        if inner.deadline() != before {
            self.rescheduled.notify_one();
        }
        result
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.lock().deadline()
    }

    /// What the socket or the connection does not take at once is lost, as on any network; STUN asks again. The system
    /// is asked directly: tokio's `try_send_to` refuses until it has once seen the socket writable.
    fn transmit(&self, five_tuple: FiveTuple, payload: &[u8]) {
        let sent = if let Some(server) = self.server(five_tuple) {
            server.send(&[payload])
        } else if let Some(peer) = self.peers.get(five_tuple) {
            peer.send(&[payload])
        } else if let Some(base) = self.base(five_tuple) {
            SockRef::from(&base.socket).send_to(payload, &five_tuple.remote.into()).map(drop)
        } else {
            return;
        };
        if let Err(error) = sent {
            tracing::debug!(%five_tuple, %error, "not sent");
        }
    }

    fn multicast(&self, five_tuple: FiveTuple, payload: &[u8]) {
        let Some(base) = self.multicast.at(five_tuple.local) else { return };
        if let Err(error) = SockRef::from(&base.socket).send_to(payload, &five_tuple.remote.into())
        {
            tracing::debug!(%five_tuple, %error, "not sent");
        }
    }

    /// Does something with the names, where there are any.
    pub(crate) fn with_names(&self, act: impl FnOnce(&mut Registry, Instant)) {
        self.with_inner(|inner, now| {
            if let Some(names) = &mut inner.names {
                act(names, now);
            }
        });
    }

    pub(crate) async fn send(
        &self,
        five_tuple: FiveTuple,
        parts: &[&[u8]],
    ) -> Result<(), SendError> {
        if let Some(server) = self.server(five_tuple) {
            while let Err(error) = server.send(parts) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error.into());
                }
                server.writable().await?;
            }
            return Ok(());
        }
        if let Some(peer) = self.peers.get(five_tuple) {
            return Ok(peer.send_when_possible(parts).await?);
        }
        let base = self.base(five_tuple).ok_or(SendError::NoRoute)?;
        Ok(socket::send_parts(&base.socket, parts, five_tuple.remote).await?)
    }

    /// Sends the first of these payloads, and those after it that go along in the same call; how many.
    pub(crate) async fn send_some(&self, payloads: &[&[u8]]) -> Result<usize, SendError> {
        let Some(first) = payloads.first() else { return Ok(0) };
        let now = self.clock.now();
        let mut burst = Burst::of(payloads.len());
        let (route, base) = {
            let agent = &mut self.lock().agent;
            let route = agent.route(first.len(), now).ok_or(SendError::NoRoute)?;
            let base = self.base(route.five_tuple);
            if let Some(base) = &base {
                let limit = base.burst_limit();
                burst.push(parts(&route, first), limit);
                let mut next = payloads.iter().skip(1);
                while burst.takes_more(limit)
                    && let Some(payload) = next.next()
                    && (1..=first.len()).contains(&payload.len())
                    && let Some(also) = agent.route(payload.len(), now)
                    && also.five_tuple == route.five_tuple
                    && burst.push(parts(&also, payload), limit)
                {}
            }
            (route, base)
        };
        match base {
            Some(base) => base.send_burst(&burst, route.five_tuple.remote).await?,
            None => self.send(route.five_tuple, &parts(&route, first)).await?,
        }
        Ok(burst.len().max(1))
    }

    /// The connection that a five-tuple names, if it names one.
    fn server(&self, five_tuple: FiveTuple) -> Option<Arc<ServerConnection>> {
        if !five_tuple.transport.is_reliable() {
            return None;
        }
        self.servers().get(&five_tuple).cloned()
    }

    pub(crate) fn servers(&self) -> MutexGuard<'_, HashMap<FiveTuple, Arc<ServerConnection>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base(&self, five_tuple: FiveTuple) -> Option<Arc<Base>> {
        if five_tuple.transport.is_reliable() { None } else { self.bases.at(five_tuple.local) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic inside the agent leaves it as it was before or after one input; both are states.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
