//! The loop of a session: what arrives, and what there is to send.

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit, Transport};

use super::{Member, Place, Session, Stream};
use crate::agent::{Received, Route};
use crate::event::{Command, Event, ServerConnection};
use crate::pair::PairId;

impl Session {
    /// Takes what arrived on one of the bases, or a frame from a connection to a server. `None` when it came to
    /// none of them.
    pub fn handle_datagram<'a>(
        &mut self,
        datagram: Datagram<'a>,
        now: Instant,
    ) -> Option<(Place, Received<'a>)> {
        let place = self.owner_of(datagram.five_tuple)?;
        let received = self.with(place, now, |agent| agent.handle_datagram(datagram, now))?;
        Some((place, received))
    }

    /// Does what is due for all components, each of them first in its turn.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut places = self.places();
        if !places.is_empty() {
            self.turn = (self.turn + 1) % places.len();
            places.rotate_left(self.turn);
        }
        for place in places {
            self.with(place, now, |agent| agent.handle_timeout(now));
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.agent.poll_timeout()).min()
    }

    /// The next datagram to send, until `None`.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.members.iter_mut().find_map(|member| member.agent.poll_transmit())
    }

    /// What happened to which component, until `None`. [`Event::GatheringCompleted`] is told once for each stream,
    /// behind the candidates of all its components.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<(Place, Event)> {
        for member in &mut self.members {
            while let Some(event) = member.agent.poll_event() {
                if event != Event::GatheringCompleted {
                    return Some((member.place, event));
                }
                member.gathered = true;
            }
        }
        self.next_gathered().map(|place| (place, Event::GatheringCompleted))
    }

    /// What the application has to do, and for which component, until `None`.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<(Place, Command)> {
        self.members
            .iter_mut()
            .find_map(|member| Some((member.place, member.agent.poll_command()?)))
    }

    /// As [`Agent::server_connected`](crate::Agent::server_connected), for the component that asked.
    pub fn server_connected(
        &mut self,
        place: Place,
        connection: ServerConnection,
        five_tuple: Option<FiveTuple>,
        now: Instant,
    ) {
        self.with(place, now, |agent| agent.server_connected(connection, five_tuple, now));
    }

    /// As [`Agent::peer_connected`](crate::Agent::peer_connected), for the component that asked.
    pub fn peer_connected(
        &mut self,
        place: Place,
        pair: PairId,
        connection: Option<FiveTuple>,
        now: Instant,
    ) {
        self.with(place, now, |agent| agent.peer_connected(pair, connection, now));
    }

    /// As [`Agent::peer_disconnected`](crate::Agent::peer_disconnected).
    pub fn peer_disconnected(&mut self, connection: FiveTuple, now: Instant) {
        if let Some(place) = self.owner_of(connection) {
            self.with(place, now, |agent| agent.peer_disconnected(connection, now));
        }
    }

    /// As [`Agent::server_disconnected`](crate::Agent::server_disconnected), for the component that asked.
    pub fn server_disconnected(
        &mut self,
        place: Place,
        connection: ServerConnection,
        now: Instant,
    ) {
        self.with(place, now, |agent| agent.server_disconnected(connection, now));
    }

    /// Where `length` bytes for a component go now; as [`Agent::route`](crate::Agent::route).
    #[must_use]
    pub fn route(&mut self, place: Place, length: usize, now: Instant) -> Option<Route> {
        self.member_mut(place)?.agent.route(length, now)
    }

    /// A stream all of whose components have gathered, by its first component; each stream once.
    fn next_gathered(&mut self) -> Option<Place> {
        let Self { streams, members, .. } = self;
        let mut gathered = (0..).map(Stream).zip(streams).filter(|(_, state)| !state.gathered);
        gathered.find_map(|(stream, state)| {
            let mut own = members.iter().filter(|member| member.place.stream == stream);
            let first = own.clone().next()?.place;
            state.gathered = own.all(|member| member.gathered);
            state.gathered.then_some(first)
        })
    }

    fn owner_of(&self, five_tuple: FiveTuple) -> Option<Place> {
        let has = |member: &&Member| member.agent.has_connection(five_tuple);
        let of_connection = || self.members.iter().find(has).map(|member| member.place);
        let sockets = match five_tuple.transport {
            Transport::Udp => &self.bases,
            Transport::Tcp | Transport::Tls | Transport::Dtls => &self.listeners,
        };
        sockets.get(&five_tuple.local).copied().or_else(of_connection)
    }
}
