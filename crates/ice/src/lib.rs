//! Interactive Connectivity Establishment (RFC 8445) without sockets and clocks.
//!
//! An [`Agent`] is one side of a session. It is given sockets by their addresses, tells the candidates that it
//! gathers, takes the peer's, checks the pairs, and says where data is to go. It does so for one data stream with
//! one component, which is all that a bundled WebRTC session or an application of its own protocol needs; a [`Session`]
//! has several.
//!
//! # The loop
//! ```text
//! agent.handle_datagram(datagram, now)   what arrived; application data comes back as Received::Data
//! agent.handle_timeout(now)              when poll_timeout() has come; early or repeated calls do no harm
//! agent.poll_transmit()                  what to send, until None
//! agent.poll_event()                     what happened, until None
//! agent.poll_timeout()                   when to call handle_timeout
//! agent.route(length, now)               where application data goes, once there is a path
//! agent.poll_command()                   connections to open and close, to TURN servers and for TCP candidates
//! ```
//!
//! # Quick start
//! Two agents and a network that is a `while` loop. A real one has sockets in its place: your own, as in
//! `cargo run -p pinhole-ice --example sockets`, or those of `pinhole-io`.
//!
//! ```
//! use pinhole_ice::{Agent, Config, Event, Received, Role};
//! use pinhole_sansio::Instant;
//!
//! /// Carries what one agent has for the other.
//! fn carry(from: &mut Agent, to: &mut Agent, now: Instant) {
//!     while let Some(event) = from.poll_event() {
//!         if let Event::CandidateGathered(candidate) = event {
//!             to.add_remote_candidate(candidate, now); // signaling is yours
//!         }
//!     }
//!     while let Some(transmit) = from.poll_transmit() {
//!         assert_eq!(to.handle_datagram(transmit.as_datagram(), now), Received::Consumed);
//!     }
//! }
//!
//! let mut now = Instant::ZERO;
//! let mut alice = Agent::new(Config::new(Role::Controlling), [1; 32], now);
//! let mut bob = Agent::new(Config::new(Role::Controlled), [2; 32], now);
//! alice.add_base("192.0.2.1:5000".parse()?, now)?; // a UDP socket that you bound
//! bob.add_base("192.0.2.2:5000".parse()?, now)?;
//! alice.end_of_bases(now);
//! bob.end_of_bases(now);
//! alice.set_remote_credentials(bob.local_credentials().clone(), now)?;
//! bob.set_remote_credentials(alice.local_credentials().clone(), now)?;
//!
//! while alice.selected_pair().is_none() || bob.selected_pair().is_none() {
//!     carry(&mut alice, &mut bob, now);
//!     carry(&mut bob, &mut alice, now);
//!     now = [alice.poll_timeout(), bob.poll_timeout()].into_iter().flatten().min().unwrap_or(now);
//!     alice.handle_timeout(now);
//!     bob.handle_timeout(now);
//! }
//! assert!(alice.is_writable(now) && bob.is_writable(now));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the network changes
//! [`Agent::restart`] begins anew with other credentials while data takes the old path (RFC 8445 §9);
//! [`Agent::remove_base`] and [`Agent::add_base`] tell of sockets that went and came. The application signals the new
//! credentials and candidates, as at the start.
//!
//! Where both sides can renominate ([`Agent::local_abilities`], signalled as `a=ice-options`), the controlling one keeps
//! other pairs warm ([`Backups`]) and changes over without signaling: when the selected pair misses two answers in a
//! row, when its socket or relay goes, when another pair is better or much faster.
//!
//! # Many agents on one socket
//! An [`Endpoint`] owns thousands of agents that share a UDP port, finds the one that a datagram belongs to, and
//! speaks the same loop with a key in front of what each has to say.
//!
//! # What happened there?
//! A [`Recorder`] is an agent that writes down what it is told; [`replay`] tells it to another one, which does the
//! same to the byte, on the machine of whoever looks for the fault.
//!
//! # What to expect
//! With one usable pair and a round trip R, both sides can send after R and the controlling one has selected the
//! pair after 2 R: data flows on the best valid pair before any is nominated (RFC 8445 §12.1). Where no pair works,
//! both sides say [`State::Failed`], but not before 39.5 s (RFC 8863).
//!
//! A stranger costs an answer no longer than its question and no memory. The peer costs at most the configured
//! number of pairs and candidates, 100 of each.
//!
//! # Deliberately absent
//! - *ALTERNATE-SERVER* and RFC 3489 in checks: RFC 8445 §7.3 forbids both.
//! - *Triggering a check of a pair whose triggered check was sent in the last 50 ms* (§7.3.1.4, MUST): the two sides'
//!   checks would set each other off, each cancelling the one before.
//! - *Triggering a check at once* (§7.3.1.4) between two host addresses while an answer may be on its way: no NAT can
//!   have swallowed our own check, so it is given as much time again as the peer's check took to come.
//! - *Strict order of priority* among waiting pairs of one kind (§6.1.4.2): those whose addresses were tried the least
//!   go first, so that dead interfaces cost little. Pairs that are worse than a valid one are not checked unasked.
//! - *Reflexive and relayed TCP candidates* (RFC 6544 §5.2, §5.4, both optional): few NATs let the former through, and
//!   where UDP is blocked a relay is reached over TCP already.
//! - *One checklist for all components of a stream* (§6.1.2): in a [`Session`] each component has its own, and they
//!   take turns.
//! - *Doubling the time between transmissions* of a check (RFC 8489 §6.2.1, SHOULD): a lossy path is tried every
//!   500 ms, and the pacer bounds all checks together.
//! - *Waiting for answers to checks of pairs that went with the nomination* (§8.1.2): a late answer is dropped.
//! - *Names in candidates*: ignored by the agent, as RFC 8839 §5.1 asks. [`Mdns`] finds the addresses of those that
//!   a browser hides its own behind; without it, the browser is found by its own checks.
//! - *An answer to a check for no agent* of an [`Endpoint`] (RFC 8489 §9.1.3, MUST answer 401): a port that answers
//!   strangers can be found and made to answer others.
//! - *ICMP errors* (§7.2.5.2.2, MAY): they are easily forged.

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod abilities;
mod agent;
mod candidate;
mod check;
mod checklist;
mod config;
mod consent;
mod credentials;
mod endpoint;
mod event;
mod explain;
mod gather;
mod mdns;
mod pacer;
mod pair;
mod policy;
mod record;
mod relay;
mod role;
mod session;
mod stats;
mod wire;

pub use abilities::Abilities;
pub use agent::{Agent, AgentError, CandidateInfo, DropReason, PairInfo, Received, Route, State};
pub use candidate::{
    Candidate, CandidateAddress, CandidateKind, CandidateTextError, CandidateTransport, Component,
    Foundation, LocalPreference, Priority, TcpType,
};
pub use config::{CandidatePolicy, Config, TurnServer};
pub use consent::{ConsentConfig, Liveness, Power};
pub use credentials::{CredentialError, Credentials, Password, Ufrag, is_ice_char};
pub use endpoint::{AgentKey, Endpoint, UfragTaken};
pub use event::{Command, Event, SelectionReason, ServerConnection};
pub use explain::{CandidateExplanation, CandidateFate, Cause, Explanation, PairExplanation};
pub use gather::GatheringError;
pub use mdns::{Mdns, MdnsError, MdnsEvent};
pub use pacer::SharedPacer;
pub use pair::{PairFailure, PairId, PairPriority, PairState};
pub use pinhole_stun::PacketKind;
pub use pinhole_turn::client::{Addresses, Reason};
pub use policy::{Backups, NominationPolicy, Settling};
pub use record::{Output, Recorder, ReplayError, Replayed, Step, replay};
pub use role::Role;
pub use session::{Place, Session, Stream};
pub use stats::PairStats;
