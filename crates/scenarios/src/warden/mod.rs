//! Watches both sides of a TURN server for what must never happen, with a model of its own of what the server has. The
//! names are those of the invariants that the project holds itself to.

mod answer;
mod frames;
mod model;
mod picture;
mod relaying;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_turn::server::Event;

use crate::mutation::Mutation;
use frames::Frames;
use model::Model;
use relaying::Due;
use request::Asked;

pub(crate) use picture::Picture;

/// What a TURN server did so far, as far as the checks need it.
#[derive(Debug)]
pub struct Warden {
    model: Model,
    frames: Frames,
    /// The request that is being handled.
    asked: Option<Asked>,
    /// What has to be relayed of the datagram that is being handled, and its payload.
    due: Due,
    payload: Vec<u8>,
    /// Who has shown, with a request that was authenticated, that he is there.
    verified: BTreeSet<SocketAddr>,
    /// Who has asked for something and means well.
    honest: BTreeSet<SocketAddr>,
    /// Bytes from and to everybody else.
    unverified: BTreeMap<SocketAddr, (usize, usize)>,
    /// When everybody else was answered.
    challenges: BTreeMap<IpAddr, Vec<Instant>>,
    /// The request that was granted last, its answer, and when.
    last: BTreeMap<FiveTuple, (u64, u64, Instant)>,
    /// The requests that have brought about allocations.
    grants: BTreeMap<FiveTuple, u64>,
    /// How many ports of each family there are.
    ports: [usize; 2],
    /// How many allocations a user may have.
    quota: usize,
    password: &'static str,
    /// The nonce that each source was told last.
    nonces: BTreeMap<SocketAddr, String>,
    mutation: Option<Mutation>,
    violations: Vec<String>,
}

impl Warden {
    /// Watches a server that has nothing yet.
    pub(crate) fn new(
        start: Picture,
        quota: usize,
        password: &'static str,
        mutation: Option<Mutation>,
    ) -> Self {
        Self {
            model: Model::default(),
            frames: Frames::default(),
            asked: None,
            due: Due::Nothing,
            payload: Vec::new(),
            verified: BTreeSet::new(),
            honest: BTreeSet::new(),
            unverified: BTreeMap::new(),
            challenges: BTreeMap::new(),
            last: BTreeMap::new(),
            grants: BTreeMap::new(),
            ports: start.free_ports,
            quota,
            password,
            nonces: BTreeMap::new(),
            mutation,
            violations: Vec::new(),
        }
    }

    /// What was seen that must not be.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The server has lost all that it knew, its nonces included.
    pub(crate) fn forgotten(&mut self) {
        self.model = Model::default();
        self.nonces.clear();
        self.last.clear();
        self.grants.clear();
    }

    /// A client's datagram, or a frame of its stream, is about to be handled. Not everything is what a client has
    /// written that means well.
    pub(crate) fn client_sent(&mut self, datagram: Datagram<'_>, is_honest: bool, now: Instant) {
        let FiveTuple { transport, remote, .. } = datagram.five_tuple;
        if !transport.is_reliable() && !self.verified.contains(&remote) {
            self.unverified.entry(remote).or_default().0 += datagram.payload.len();
        }
        self.due = Due::Nothing;
        self.asked = Asked::read(datagram, is_honest);
        self.honest.extend(is_honest.then_some(remote));
        if self.asked.is_none() {
            self.note_data(datagram, now);
        }
    }

    /// Everything that follows from the datagram has been told.
    pub(crate) fn settled(&mut self, before: Picture, after: Picture, now: Instant) {
        let is_relayed = std::mem::take(&mut self.due) == Due::Nothing;
        self.demand("T3", is_relayed, now, format_args!("what was to be relayed was not"));
        let asked = self.asked.take();
        let (is_granted, is_data) = (asked.as_ref().is_some_and(|a| a.is_granted), asked.is_none());
        if let Some(asked) = &asked {
            // With another nonce it is a stranger's, who gets few answers, and others may use them up.
            let told = self.nonces.get(&asked.client.remote);
            let is_due = asked.is_honest && asked.nonce.is_some() && asked.nonce.as_ref() == told;
            let is_heard = asked.answers > 0 && !self.is_lied_to(Mutation::Silence);
            let is_answered = is_heard || !is_due;
            self.demand("T18", is_answered, now, format_args!("an honest request has no answer"));
        }
        if !is_granted && !before.is_due(now) {
            let is_stranger = asked.is_some_and(|a| !self.verified.contains(&a.client.remote));
            self.demand_unchanged(is_stranger, is_data, before, after, now);
        }
        if !is_data {
            self.agrees(after, now);
        }
    }

    /// T5, T7, T8: what is refused, and data, leaves nothing behind.
    fn demand_unchanged(
        &mut self,
        is_stranger: bool,
        is_data: bool,
        before: Picture,
        mut after: Picture,
        now: Instant,
    ) {
        let (invariant, lie, whose) = match (is_stranger, is_data) {
            (true, _) => ("T5", Mutation::RememberedStrangers, "a stranger's request"),
            (false, true) => ("T8", Mutation::LongLives, "data"),
            (false, false) => ("T7", Mutation::BelievedForgeries, "a refused request"),
        };
        if self.is_lied_to(lie) {
            after.free_ports[0] += 1;
        }
        self.demand(invariant, before == after, now, format_args!("{whose} has changed something"));
    }

    /// Whether somebody has asked from this address who means well.
    pub(crate) fn has_met(&self, remote: SocketAddr) -> bool {
        self.honest.contains(&remote)
    }

    /// The server writes this into its log (T20).
    pub(crate) fn logged(&mut self, event: &Event, now: Instant) {
        self.keeps_secrets(format!("{event:?}").as_bytes(), now);
    }

    /// The server has handled a timeout, or the end of a connection.
    pub(crate) fn timed_out(&mut self, after: Picture, now: Instant) {
        self.agrees(after, now);
    }

    /// A client's connection has closed, and its allocation with it.
    pub(crate) fn client_closed(&mut self, client: FiveTuple) {
        self.frames.forget(client);
        self.model.end(client);
        self.last.remove(&client);
    }

    /// T19: what is made of a stream's bytes.
    pub(crate) fn framed(
        &mut self,
        stream: FiveTuple,
        bytes: &[u8],
        frames: &[Vec<u8>],
        now: Instant,
    ) {
        let mut seen = self.frames.read(stream, bytes);
        if self.is_lied_to(Mutation::TornFrames) {
            seen.iter_mut().for_each(|frame| _ = frame.pop());
        }
        self.demand(
            "T19",
            seen == frames,
            now,
            format_args!("a stream is cut in the wrong places"),
        );
    }

    /// The server is what its answers have said, and has no deadline that has passed.
    fn agrees(&mut self, mut after: Picture, now: Instant) {
        self.model.expire(now);
        if self.is_lied_to(Mutation::PassedDeadlines) {
            after.deadline = Some(now);
        }
        if self.is_lied_to(Mutation::SurplusPorts) {
            after.free_ports[0] += 1;
        }
        if self.is_lied_to(Mutation::LingeringSockets) {
            after.sockets += 1;
        }
        self.demand("T17", !after.is_due(now), now, format_args!("a deadline stays due"));
        let live = self.model.allocations.len();
        let is_granted = after.allocations == live;
        self.demand("T10", is_granted, now, format_args!("not the {live} allocations granted"));
        let v4 = self.model.relayed().filter(SocketAddr::is_ipv4).count();
        let v6 = self.model.relayed().count() - v4;
        // The sockets of reserved ports are open, lest others have them.
        let v4 = v4 + self.model.reserved.len();
        let (is_open, sockets) = (after.sockets == v4 + v6, after.sockets);
        self.demand(
            "T15",
            is_open,
            now,
            format_args!("{sockets} sockets for {v4} and {v6} relays"),
        );
        let ports = [after.free_ports[0] + v4, after.free_ports[1] + v6];
        let are_kept = ports == self.ports;
        self.demand("T12", are_kept, now, format_args!("{ports:?} ports are free or in use"));
    }

    /// Something that must hold.
    pub(crate) fn demand(
        &mut self,
        invariant: &str,
        holds: bool,
        now: Instant,
        what: fmt::Arguments<'_>,
    ) {
        if !holds {
            self.violated(invariant, now, what);
        }
    }

    pub(crate) fn is_lied_to(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn violated(&mut self, invariant: &str, now: Instant, what: fmt::Arguments<'_>) {
        if self.violations.len() < 8 {
            self.violations.push(format!("{invariant} at {now}: {what}"));
        }
    }
}
