//! Which peers the server lets through, as far as the client knows (RFC 8656 §10).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use pinhole_sansio::Instant;

use super::{Reason, SendError};

/// A permission lives for 300 s (RFC 8656 §9); the client stops to believe in it a little earlier than
/// the server, which has counted since before its answer was on its way.
const LIFETIME: Duration = Duration::from_secs(295);
/// A renewal is asked for this long before the end: as long as a request is repeated.
const MARGIN: Duration = Duration::from_secs(55);

#[derive(Clone, Debug, Default)]
pub(super) struct Permissions(BTreeMap<IpAddr, Permission>);

#[derive(Clone, Copy, Debug)]
enum Permission {
    Asking,
    Granted { expires: Instant, renewal: Renewal, used: bool },
    Refused(Reason),
}

/// When to ask for a permission anew: one that nobody uses is not kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    /// At this instant, if it has been used by then.
    At(Instant),
    /// With the next use: it was due before there was any.
    OnUse,
    Asked,
}

impl Permissions {
    /// Whether a permission has to be asked for; it is noted then that it was.
    pub(super) fn ask(&mut self, peer: IpAddr, now: Instant) -> bool {
        match self.touch(peer, now) {
            Ok(is_due) => is_due,
            Err(_) => {
                let before = self.0.insert(peer, Permission::Asking);
                !matches!(before, Some(Permission::Asking))
            }
        }
    }

    /// Notes the server's consent; whether there was none before.
    pub(super) fn granted(&mut self, peer: IpAddr, jitter: Duration, now: Instant) -> bool {
        let expires = now + LIFETIME;
        let renewal = Renewal::At(now + LIFETIME.saturating_sub(MARGIN + jitter));
        let granted = Permission::Granted { expires, renewal, used: false };
        !matches!(self.0.insert(peer, granted), Some(Permission::Granted { .. }))
    }

    /// Notes the server's refusal.
    pub(super) fn refused(&mut self, peer: IpAddr, reason: Reason) {
        self.0.insert(peer, Permission::Refused(reason));
    }

    /// Notes that data goes to the peer, or comes from it; whether the permission has to be asked for anew.
    pub(super) fn touch(&mut self, peer: IpAddr, now: Instant) -> Result<bool, SendError> {
        match self.0.get_mut(&peer) {
            Some(Permission::Granted { expires, renewal, used }) if now < *expires => {
                *used = true;
                let is_due = *renewal == Renewal::OnUse;
                if is_due {
                    *renewal = Renewal::Asked;
                }
                Ok(is_due)
            }
            Some(Permission::Refused(reason)) => Err(SendError::Refused(*reason)),
            Some(Permission::Asking | Permission::Granted { .. }) | None => {
                Err(SendError::NotPermitted)
            }
        }
    }

    /// The permissions to ask for anew: those that are due and have been used since the last time.
    /// Those that have ended are forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Vec<IpAddr> {
        let mut due = Vec::new();
        self.0.retain(|peer, permission| {
            let Permission::Granted { expires, renewal, used } = permission else { return true };
            if matches!(renewal, Renewal::At(at) if *at <= now) {
                *renewal = if *used { Renewal::Asked } else { Renewal::OnUse };
                due.extend(used.then_some(*peer));
            }
            now < *expires
        });
        due
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.0.values().filter_map(|permission| match permission {
            Permission::Granted { renewal: Renewal::At(at), .. } => Some(*at),
            Permission::Granted { expires, .. } => Some(*expires),
            Permission::Asking | Permission::Refused(_) => None,
        });
        deadlines.min()
    }
}
