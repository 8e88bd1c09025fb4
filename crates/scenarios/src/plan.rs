use std::fmt;
use std::time::Duration;

use pinhole_ice::Role;
use pinhole_netsim::{Conditions, Loss, Recording, Reordering, Violation};
use pinhole_sansio::Instant;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use crate::fault::Disturbance;
use crate::mutation::Mutation;
use crate::oracle::{self, Path};
use crate::place::Place;
use crate::session::{PASSWORD, Relaying, Session, SessionConfig, Side};

/// A whole session made out of one seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The network and the agents.
    pub config: SessionConfig,
    /// How much later B learns A's credentials than A learns B's; the other way round if negative.
    pub stagger_ms: i64,
    /// What befalls it.
    pub disturbance: Option<Disturbance>,
}

/// How a planned session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the oracle says: connected, in so many hundredths of a round trip from the moment at which both sides knew
    /// each other.
    Connected {
        /// Directly, or through a relay.
        path: Path,
        /// Hundredths of the round-trip time.
        round_trips: u64,
    },
    /// After a fault, connected again, so long after the network was whole.
    Recovered {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// As the oracle says: there is no path, and both sides say so.
    NoPath,
    /// Packets were lost, and for 30 s no path was found, or then none of a hundred datagrams came through.
    Late,
    /// Otherwise, or an invariant was violated.
    Wrong(Vec<String>),
}

impl Plan {
    /// Draws everything from the seed, with packets lost with this probability on their way from one agent to the
    /// other, half-way on the access of each. Half of the sessions
    /// have a TURN server, and one in ten uses nothing else.
    #[must_use]
    pub fn draw(seed: u64, loss: f64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed ^ PLAN);
        let all = Place::all();
        let mut place = || all[rng.random_range(0..all.len())];
        let places = [place(), place()];
        let role = |controlling| if controlling { Role::Controlling } else { Role::Controlled };
        // One session in ten begins with a conflict.
        let offerer = rng.random_bool(0.5);
        let conflict = rng.random_bool(0.1);
        let roles = [role(offerer), role(offerer == conflict)];
        let mut access = || Conditions {
            reordering: Reordering { probability: 0.02, delay: Duration::from_millis(5) },
            duplication: 0.01,
            ..Conditions::latency(Duration::from_millis(rng.random_range(1..80)))
                .with_jitter(Duration::from_millis(rng.random_range(0..10)))
                .with_loss(1.0 - (1.0 - loss).sqrt())
        };
        let access = [access(), access()];
        let mut delay = || Duration::from_millis(rng.random_range(0..300));
        let signaling = [delay(), delay()];
        let stagger_ms = rng.random_range(-500..=500);
        let relaying = match rng.random_range(0..10) {
            0..5 => Relaying::None,
            5..9 => Relaying::Available,
            _ => Relaying::Only,
        };
        Self {
            seed,
            config: SessionConfig {
                places,
                roles,
                relaying,
                password: PASSWORD,
                access,
                signaling,
                recovers: false,
                is_attacked: rng.random_bool(0.1),
                shuffles: rng.random_bool(0.1),
                mutation: None,
            },
            stagger_ms,
            disturbance: None,
        }
    }

    /// The same session with a fault, drawn from the seed too, and applications that restart when their path is in
    /// doubt. Where there is no path, there is none to disturb.
    #[must_use]
    pub fn with_fault(mut self) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed ^ FAULT);
        if oracle::path(self.config.places, self.config.relaying) != Path::None {
            self.disturbance = Some(Disturbance::draw(&mut rng));
            self.config.recovers = true;
        }
        self
    }

    /// The same session with monitors that are lied to.
    #[must_use]
    pub fn with_mutation(mut self, mutation: Mutation) -> Self {
        self.config.mutation = Some(mutation);
        self
    }

    /// The time there and back between the two agents.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        let [a, b] = &self.config.access;
        (a.latency + b.latency) * 2
    }

    /// Runs it and holds it against the oracle, and one in some tens against another run.
    #[must_use]
    pub fn run(&self) -> Verdict {
        let (verdict, digests) = self.run_once(self.seed);
        match self.seed % RERUN {
            0 => self.replay(verdict, digests),
            1 if self.disturbance.is_none() => self.run_in_disorder(verdict),
            _ => verdict,
        }
    }

    pub(super) fn run_once(&self, seed: u64) -> (Verdict, [u64; 3]) {
        let mut session = Session::new(&self.config, seed);
        session.world.record(Recording::Off);
        let verdict = self.hold_against_oracle(&mut session);
        (verdict, session.digests())
    }

    /// The same, and the session as it was at its end, with all that happened in its world's trace.
    #[must_use]
    pub fn run_traced(&self) -> (Verdict, Session) {
        let mut session = Session::new(&self.config, self.seed);
        session.world.record(Recording::Everything);
        let verdict = self.hold_against_oracle(&mut session);
        (verdict, session)
    }

    fn hold_against_oracle(&self, session: &mut Session) -> Verdict {
        self.drive(session).unwrap_or_else(|violation| Verdict::Wrong(vec![violation.to_string()]))
    }

    fn drive(&self, session: &mut Session) -> Result<Verdict, Box<Violation>> {
        let (first, second) =
            if self.stagger_ms >= 0 { (Side::A, Side::B) } else { (Side::B, Side::A) };
        session.tell_credentials(first);
        session.run_until(Duration::from_millis(self.stagger_ms.unsigned_abs()), |_| false)?;
        session.tell_credentials(second);
        let begun = session.world.now();

        if let Some(disturbance) = self.disturbance {
            return self.endure(disturbance, session);
        }
        let expected = oracle::path(self.config.places, self.config.relaying);
        let limit = if expected == Path::None { FAIL_LIMIT } else { CONNECT_LIMIT };
        session.run_until(limit, |session| session.is_selected() || session.has_failed())?;
        let mut wrong = Vec::new();
        let found = session.path();
        let is_late = found == Path::None && expected != Path::None && self.loses();
        if !is_late {
            self.ends_as_expected(expected, session, &mut wrong);
        }
        let verdict = match found {
            Path::None if is_late => Verdict::Late,
            Path::None => Verdict::NoPath,
            path => self.use_path(session, path, begun, &mut wrong)?,
        };
        session.close();
        session.run_until(Duration::from_secs(60), |_| false)?;
        if session.allocations() > 0 && !self.loses() {
            wrong.push(format!("I18: {} allocations are left", session.allocations()));
        }
        wrong.extend(session.violations());
        Ok(if wrong.is_empty() { verdict } else { Verdict::Wrong(wrong) })
    }

    /// After the fault, both sides have to come together again.
    fn endure(
        &self,
        disturbance: Disturbance,
        session: &mut Session,
    ) -> Result<Verdict, Box<Violation>> {
        session.run_until(disturbance.after, |_| false)?;
        disturbance.strike(session);
        session.run_until(disturbance.lasts, |_| false)?;
        disturbance.heal(session);
        let healed = session.world.now();
        let mut wrong = Vec::new();
        if !self.comes_together(session)? {
            let states = [Side::A, Side::B].map(|side| session.node(side).agent.state());
            wrong.push(format!(
                "not together {RECOVERY_LIMIT:?} after the network was whole: {states:?}"
            ));
        }
        let took = session.world.now() - healed;
        self.compare_views(session, &mut wrong);
        session.close();
        session.run_until(Duration::from_secs(60), |_| false)?;
        wrong.extend(session.violations());
        let verdict = Verdict::Recovered {
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        Ok(if wrong.is_empty() { verdict } else { Verdict::Wrong(wrong) })
    }

    /// Whether data arrives on both sides of a selected pair, within the limit.
    fn comes_together(&self, session: &mut Session) -> Result<bool, Box<Violation>> {
        let end = session.world.now() + RECOVERY_LIMIT;
        while session.world.now() < end {
            let before = [Side::A, Side::B].map(|side| session.node(side).received);
            session.send(Side::A);
            session.send(Side::B);
            session.run_until(Duration::from_millis(500), |_| false)?;
            let after = [Side::A, Side::B].map(|side| session.node(side).received);
            let arrives = before.iter().zip(&after).all(|(before, after)| before < after);
            if arrives && session.is_completed() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// I6: where there is a path, both sides select one in time; where there is none, both say so.
    fn ends_as_expected(&self, expected: Path, session: &Session, wrong: &mut Vec<String>) {
        let found = session.path();
        let is_deaf = self.config.mutation == Some(Mutation::DeafOracle);
        if is_deaf || !self.is_right(expected, found) {
            wrong.push(format!("I6: expected {expected:?}, found {found:?}"));
        } else if found == Path::None && !session.has_failed() {
            let states = [Side::A, Side::B].map(|side| session.node(side).agent.state());
            wrong.push(format!("I6: there is no path, and they are {states:?}"));
        }
    }

    /// With loss, a direct path may turn up too late, after a relayed one was settled for.
    fn is_right(&self, expected: Path, found: Path) -> bool {
        expected == found || (self.loses() && (expected, found) == (Path::Direct, Path::Relayed))
    }

    fn loses(&self) -> bool {
        self.config
            .access
            .iter()
            .any(|access| !matches!(access.loss, Loss::None | Loss::Random { probability: 0.0 }))
    }

    /// Sends data both ways for a while, and compares the two sides' views (I7).
    fn use_path(
        &self,
        session: &mut Session,
        path: Path,
        begun: Instant,
        wrong: &mut Vec<String>,
    ) -> Result<Verdict, Box<Violation>> {
        let selected =
            [Side::A, Side::B].map(|side| session.node(side).selected).into_iter().flatten().max();
        // A stream that loses packets may stall for a while.
        let at_most = if self.loses() { 100 } else { DATAGRAMS };
        let is_silent = |session: &Session, side| session.node(side).received == 0;
        let mut sent = 0;
        while sent < DATAGRAMS
            || (sent < at_most && [Side::A, Side::B].iter().any(|side| is_silent(session, *side)))
        {
            session.send(Side::A);
            session.send(Side::B);
            session.run_until(Duration::from_millis(700), |_| false)?;
            sent += 1;
        }
        self.compare_views(session, wrong);
        for side in [Side::A, Side::B] {
            if is_silent(session, side) && self.loses() {
                return Ok(Verdict::Late);
            } else if is_silent(session, side) {
                wrong.push(format!("{side:?} received none of {sent} datagrams"));
            }
        }
        let took = selected.map_or(CONNECT_LIMIT, |at| at - begun);
        let round_trips = took.as_millis() * 100 / self.round_trip().as_millis().max(1);
        let round_trips = u64::try_from(round_trips).unwrap_or(u64::MAX);
        Ok(Verdict::Connected { path, round_trips })
    }
}

impl Plan {
    /// I7: each side's pair is the other's, seen from the other side. Where packets are lost, consent may be lost with
    /// them: of six checks in half a minute, one has to come through in both directions (RFC 7675 §5.1).
    fn compare_views(&self, session: &Session, wrong: &mut Vec<String>) {
        if self.loses() && !session.is_completed() {
            return;
        }
        let [a, b] = [Side::A, Side::B].map(|side| session.node(side).selected_addresses());
        let is_lie = self.config.mutation == Some(Mutation::CrossedViews);
        let mirrored =
            b.map(|(local, remote)| if is_lie { (local, remote) } else { (remote, local) });
        if a != mirrored {
            wrong.push(format!("I7: A uses {a:?}, B uses {b:?}"));
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionConfig { places: [a, b], roles: [role_a, role_b], relaying, .. } = &self.config;
        write!(
            f,
            "seed {}: {a} ({role_a}) - {b} ({role_b}), relaying {relaying:?}, round trip {:?}, stagger {} ms",
            self.seed,
            self.round_trip(),
            self.stagger_ms
        )?;
        match &self.disturbance {
            Some(disturbance) => write!(f, ", {disturbance}"),
            None => Ok(()),
        }
    }
}

/// Keeps the plan's draws apart from the agents' and the world's, which grow from the same seed.
const PLAN: u64 = 0x5eed_91a5;
const FAULT: u64 = 0xfa_017;
/// How many datagrams each side sends over the path that it has selected.
const DATAGRAMS: usize = 20;
/// Of so many sessions, one is run again as it is, and one in another order.
const RERUN: u64 = 50;
/// Where there is a path again, it is found in this time: what was silent is in doubt after 15 s, a restart that met
/// with the fault has failed after 40 s, and another one succeeds.
const RECOVERY_LIMIT: Duration = Duration::from_secs(90);
/// Where there is a path, it is found in this time.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Where there is none, both sides know after this time: RFC 8863's patience, and a last check that began late.
const FAIL_LIMIT: Duration = Duration::from_secs(100);
