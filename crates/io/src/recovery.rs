//! When a session that was connected is to be restarted without being told to.

use std::time::Duration;

use pinhole_ice::{Event, Role, State};
use pinhole_sansio::Instant;

/// Watches one session. The controlling side restarts as soon as the path is in doubt, the other one some time later,
/// so that they do not both do it. A restart that fails is followed by one more, and then by none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recovery {
    is_wanted: bool,
    was_connected: bool,
    restart_at: Option<Instant>,
}

impl Recovery {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, ..Self::default() }
    }

    pub(crate) fn observe(&mut self, event: &Event, role: Role, now: Instant) {
        let Event::StateChanged(state) = event else { return };
        match state {
            State::Connected | State::Completed => {
                self.was_connected = true;
                self.restart_at = None;
            }
            State::Disconnected if self.was_connected => {
                let courtesy = match role {
                    Role::Controlling => Duration::ZERO,
                    Role::Controlled => COURTESY,
                };
                self.plan(now + courtesy);
            }
            State::Failed if self.was_connected => {
                self.was_connected = false;
                self.plan(now);
            }
            State::Closed => *self = Self::default(),
            State::New | State::Checking | State::Disconnected | State::Failed => {}
        }
    }

    /// The way to the peer is lost for certain, or there may be a new one.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        self.plan(now);
    }

    /// A restart has begun, on whose initiative ever.
    pub(crate) const fn begun(&mut self) {
        self.restart_at = None;
    }

    pub(crate) const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.restart_at
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.restart_at.is_some_and(|at| at <= now)
    }

    fn plan(&mut self, at: Instant) {
        if self.is_wanted {
            self.restart_at = Some(self.restart_at.map_or(at, |planned| planned.min(at)));
        }
    }
}

/// As long as signaling takes, and some more.
const COURTESY: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(recovery: &mut Recovery, states: &[State], role: Role, now: Instant) {
        for state in states {
            recovery.observe(&Event::StateChanged(*state), role, now);
        }
    }

    #[test]
    fn the_controlling_side_restarts_at_once_and_the_other_one_later() {
        let now = Instant::from_millis(9);
        for (role, wait) in [(Role::Controlling, Duration::ZERO), (Role::Controlled, COURTESY)] {
            let mut recovery = Recovery::new(true);
            observe(&mut recovery, &[State::Checking, State::Connected], role, now);
            assert_eq!(recovery.deadline(), None);
            observe(&mut recovery, &[State::Disconnected], role, now);
            assert_eq!(recovery.deadline(), Some(now + wait));
            assert_eq!(recovery.is_due(now), role == Role::Controlling);
            // An answer mends it.
            observe(&mut recovery, &[State::Completed], role, now);
            assert_eq!(recovery.deadline(), None);
        }
    }

    #[test]
    fn a_session_that_never_worked_is_not_restarted_and_one_that_fails_twice_no_more() {
        let (role, now) = (Role::Controlling, Instant::ZERO);
        let mut recovery = Recovery::new(true);
        observe(&mut recovery, &[State::Checking, State::Failed], role, now);
        assert!(!recovery.is_due(now));
        observe(&mut recovery, &[State::Connected, State::Failed], role, now);
        assert!(recovery.is_due(now));
        recovery.begun();
        observe(&mut recovery, &[State::Checking, State::Failed], role, now);
        assert!(!recovery.is_due(now));
    }

    #[test]
    fn nothing_is_done_unasked() {
        let mut recovery = Recovery::new(false);
        observe(
            &mut recovery,
            &[State::Connected, State::Disconnected, State::Failed],
            Role::Controlling,
            Instant::ZERO,
        );
        recovery.network_changed(Instant::ZERO);
        assert_eq!(recovery.deadline(), None);
    }
}
