//! What befalls a session, and how it ends.

use std::fmt;
use std::time::Duration;

use pinhole_netsim::{Direction, Inbox};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::session::{Session, Side};

/// A fault on one side, some time after both sides knew each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// What happens.
    pub fault: Fault,
    /// To whom.
    pub side: Side,
    /// When.
    pub after: Duration,
    /// How long it lasts, where it does.
    pub lasts: Duration,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The NAT or firewall loses all that it knows.
    GatewayReboot,
    /// The NAT gets another external address.
    NewExternalAddress,
    /// The host leaves its network, and turns up on the Internet itself.
    Roam,
    /// What the host sends is lost, or what is sent to it.
    OneWay(Direction),
    /// The host, or the home that it is in, is cut off from the Internet.
    Partition,
    /// The host sleeps; what came meanwhile is lost.
    Suspend,
    /// The host's clock jumps ahead.
    ClockJump,
    /// The host takes milliseconds for each packet.
    SlowHost,
    /// The program ends, and starts anew.
    ProgramRestart,
    /// The TURN server loses all that it knows.
    RelayRestart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::GatewayReboot,
        Self::NewExternalAddress,
        Self::Roam,
        Self::OneWay(Direction::Up),
        Self::OneWay(Direction::Down),
        Self::Partition,
        Self::Suspend,
        Self::ClockJump,
        Self::SlowHost,
        Self::ProgramRestart,
        Self::RelayRestart,
    ];
}

impl Disturbance {
    /// Draws a fault, its side, its moment, from the first packet to a session that has settled, and its duration.
    pub(crate) fn draw(rng: &mut ChaCha12Rng) -> Self {
        Self {
            fault: Fault::ALL[rng.random_range(0..Fault::ALL.len())],
            side: if rng.random_bool(0.5) { Side::A } else { Side::B },
            after: Duration::from_millis(rng.random_range(0..8_000)),
            lasts: Duration::from_millis(rng.random_range(100..60_000)),
        }
    }

    /// Lets it happen; until when it lasts is told by the caller, with [`heal`](Self::heal).
    pub(crate) fn strike(&self, session: &mut Session) {
        let host = session.host(self.side);
        match self.fault {
            Fault::GatewayReboot => {
                if let Some(gateway) = session.gateway(self.side) {
                    session.world.reboot(gateway);
                }
            }
            Fault::NewExternalAddress => {
                if let Some(gateway) = session.gateway(self.side) {
                    let last = 200 + self.side as u8;
                    session.world.set_external_addresses(gateway, &[[203, 0, 113, last].into()]);
                }
            }
            Fault::Roam => {
                let core = session.world.core();
                let link = session.link(self.side);
                let dead = self.lasts.min(Duration::from_secs(5));
                session.world.roam(host, link, core, dead);
            }
            Fault::OneWay(direction) => {
                let link = session.link(self.side);
                session.world.set_outage(link, direction, true);
            }
            Fault::Partition => {
                let uplink = session.uplink(self.side);
                session.world.partition(&[uplink]);
            }
            Fault::Suspend => session.world.suspend(host, self.lasts, Inbox::Lost),
            Fault::ClockJump => session.world.jump_clock(host, self.lasts),
            Fault::SlowHost => session.world.slow_down(host, Duration::from_millis(5)),
            Fault::ProgramRestart => session.restart_program(self.side),
            Fault::RelayRestart => session.restart_relay(),
        }
    }

    /// Ends it, where it does not end by itself.
    pub(crate) fn heal(&self, session: &mut Session) {
        match self.fault {
            Fault::OneWay(direction) => {
                let link = session.link(self.side);
                session.world.set_outage(link, direction, false);
            }
            Fault::Partition => {
                let core = session.world.core();
                session.world.heal(core);
            }
            Fault::SlowHost => {
                session.world.slow_down(session.host(self.side), Duration::ZERO);
            }
            Fault::GatewayReboot
            | Fault::NewExternalAddress
            | Fault::Roam
            | Fault::Suspend
            | Fault::ClockJump
            | Fault::ProgramRestart
            | Fault::RelayRestart => {}
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, side, after, lasts } = self;
        write!(f, "{fault:?} of {side:?} after {after:?} for {lasts:?}")
    }
}
