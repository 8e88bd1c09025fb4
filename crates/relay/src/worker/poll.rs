//! Waiting for sockets (epoll(7)), edge-triggered: what was told is told again only when there is more of it.
//!
//! Each datagram may be worth a wait, so what a wait takes counts; rustix makes the call without a detour.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pinhole_sansio::Instant;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::Source;

pub(super) use rustix::event::epoll::Event;

/// What a worker waits with.
#[derive(Debug)]
pub(crate) struct Poll {
    epoll: OwnedFd,
    /// Ends a wait at a time. A wait that has no timeout of its own spares the kernel a timer for each, and us its
    /// reckoning.
    timer: OwnedFd,
}

/// What is worth to be told of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interest {
    Read,
    ReadAndWrite,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let poll = Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, timer };
        poll.register(&poll.timer, Source::Timer, Interest::Read)?;
        Ok(poll)
    }

    /// Tells of a socket from now on, until it is closed.
    pub(super) fn register(
        &self,
        socket: &impl AsFd,
        source: Source,
        interest: Interest,
    ) -> io::Result<()> {
        let read = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        let flags = match interest {
            Interest::Read => read,
            Interest::ReadAndWrite => read | EventFlags::OUT,
        };
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(source.to_bits()), flags)?)
    }

    /// Tells no more of a socket that stays open.
    pub(super) fn deregister(&self, socket: &impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Ends a wait at this time, which is the monotonic clock's, and no longer at another one.
    pub(super) fn wake_at(&self, time: Instant) -> io::Result<()> {
        // Zero would be never.
        let time = Duration::from_nanos(time.as_nanos().max(1));
        let it_value = Timespec::try_from(time).unwrap_or_default();
        let times = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &times)?;
        Ok(())
    }

    /// Waits until something happens, or only looks; what has happened, at most as much as there is capacity for.
    #[inline]
    pub(super) fn wait(&self, events: &mut Vec<Event>, may_sleep: bool) -> io::Result<()> {
        const NOW: &Timespec = &Timespec { tv_sec: 0, tv_nsec: 0 };
        events.clear();
        let timeout = if may_sleep { None } else { Some(NOW) };
        match epoll::wait(&self.epoll, spare_capacity(events), timeout) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether an event tells of an error; its other news are for who reads the socket to find.
#[inline]
pub(super) fn is_error(event: &Event) -> bool {
    let flags = event.flags;
    flags.contains(EventFlags::ERR)
}

/// Ends the wait of another thread.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl Waker {
    /// Ends the waits of this poll.
    pub(crate) fn new(poll: &Poll) -> io::Result<Self> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        poll.register(&counter, Source::Control, Interest::Read)?;
        Ok(Self(counter))
    }

    /// Ends a wait; the next one, if there is none.
    pub(crate) fn wake(&self) -> io::Result<()> {
        // Nobody reads the counter, as long as there is room for another wake-up: 2^64 of them.
        rustix::io::write(&self.0, &1_u64.to_ne_bytes())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::net::UdpSocket;
    use std::thread;

    fn sources(events: &[Event]) -> Vec<Source> {
        assert!(!events.iter().any(is_error));
        events.iter().map(Source::of).collect()
    }

    #[test]
    fn each_datagram_is_told_once() {
        let poll = Poll::new().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut events = Vec::with_capacity(4);
        poll.register(&socket, Source::Relay(7), Interest::Read).unwrap();
        for _ in 0..2 {
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            poll.wait(&mut events, true).unwrap();
            assert_eq!(sources(&events), [Source::Relay(7)]);
            poll.wait(&mut events, false).unwrap();
            assert!(events.is_empty(), "it is edge-triggered");
        }
        poll.deregister(&socket).unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        poll.wait(&mut events, false).unwrap();
        assert!(events.is_empty());
    }

    #[test]
    fn a_wait_ends_in_time() {
        let poll = Poll::new().unwrap();
        let mut events = Vec::with_capacity(4);
        for time in [Instant::ZERO, Clock.now() + Duration::from_millis(1), Clock.now()] {
            poll.wake_at(time).unwrap();
            poll.wait(&mut events, true).unwrap();
            assert_eq!(sources(&events), [Source::Timer]);
            assert!(Clock.now() >= time);
        }
        poll.wake_at(Clock.now() + Duration::from_secs(1_000)).unwrap();
        poll.wait(&mut events, false).unwrap();
        assert!(events.is_empty());
    }

    #[test]
    fn a_wake_up_is_not_lost() {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(&poll).unwrap();
        let mut events = Vec::with_capacity(4);
        for _ in 0..3 {
            thread::scope(|scope| {
                scope.spawn(|| waker.wake().unwrap());
                poll.wait(&mut events, true).unwrap();
                assert_eq!(sources(&events), [Source::Control]);
            });
        }
    }
}
