//! What an application does when its path is in doubt: it restarts ICE, by way of the offerer.

use std::net::{IpAddr, SocketAddr};

use pinhole_ice::{Candidate, Credentials, State};
use pinhole_sansio::Instant;

use super::agent::{AgentNode, PORT};
use crate::monitor::Before;
use crate::session::Side;

/// What signaling carries.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    Candidate(Candidate),
    End,
    /// The offerer has restarted, for this many times.
    Offer(u32, Credentials),
    /// And so has the answerer.
    Answer(u32, Credentials),
    /// The answerer's path is in doubt.
    RestartWanted,
}

/// How far a restart has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing is in doubt.
    #[default]
    None,
    /// The other side has been told, and has not answered yet.
    Asked,
}

impl AgentNode {
    /// What the other side says.
    pub(crate) fn receive_signal(&mut self, signal: Signal, now: Instant) {
        if self.agent.state() == State::Closed {
            return;
        }
        let awaits_answer = self.side == Side::A && self.recovery == Recovery::Asked;
        match signal {
            // Of before the restart that the other side does not know of yet.
            Signal::Candidate(_) | Signal::End if awaits_answer => {}
            Signal::Candidate(candidate) => {
                self.monitor.signalled(&candidate);
                self.agent.add_remote_candidate(candidate, now);
            }
            Signal::End => {
                self.monitor.end_signalled();
                self.agent.end_of_remote_candidates(now);
            }
            Signal::RestartWanted => self.wish_restart(now),
            Signal::Offer(round, credentials) => {
                self.begin_anew(now);
                let ours = self.agent.local_credentials().clone();
                self.signals.push_back(Signal::Answer(round, ours));
                self.learn_credentials(credentials, now);
            }
            Signal::Answer(round, credentials) if round == self.round => {
                self.learn_credentials(credentials, now);
            }
            // To an offer that another one has followed since.
            Signal::Answer(..) => {}
        }
    }

    /// The path is in doubt, or has never come about.
    pub(crate) fn wish_restart(&mut self, now: Instant) {
        if !self.recovers || self.recovery == Recovery::Asked || self.agent.state() == State::Closed
        {
            return;
        }
        match self.side {
            Side::A => {
                self.begin_anew(now);
                let ours = self.agent.local_credentials().clone();
                self.round += 1;
                self.signals.push_back(Signal::Offer(self.round, ours));
            }
            Side::B => self.signals.push_back(Signal::RestartWanted),
        }
        self.recovery = Recovery::Asked;
    }

    /// The host has other addresses: sockets go and come.
    pub(super) fn change_bases(&mut self, addresses: &[IpAddr], now: Instant) {
        let wanted: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
        let had = std::mem::replace(&mut self.bases, wanted.clone());
        for gone in had.iter().filter(|base| !wanted.contains(base)) {
            self.agent.remove_base(*gone, now);
        }
        if wanted.is_empty() {
            return;
        }
        // What has failed without an address takes none before it begins anew.
        self.begin_anew(now);
        for new in wanted.iter().filter(|base| !had.contains(base)) {
            self.agent.add_base(*new, now).expect("it is not a base yet");
        }
        self.recovery = Recovery::None;
        self.wish_restart(now);
    }

    fn begin_anew(&mut self, now: Instant) {
        let before = Before::restart(&self.agent, now);
        self.agent.restart(now).expect("the session is not closed");
        self.monitor.restarted(&before, &self.agent, now);
        self.selected = None;
    }

    fn learn_credentials(&mut self, credentials: Credentials, now: Instant) {
        self.recovery = Recovery::None;
        self.agent.set_remote_credentials(credentials, now).expect("told once after each restart");
    }
}
