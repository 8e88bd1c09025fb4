//! Interfaces that come and go while a session lasts.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pinhole_ice::State;
use tokio::task::JoinSet;

use crate::base::Base;
use crate::driver;
use crate::event::Event;
use crate::interface::{AddressSource, present_addresses};
use crate::multicast::Memberships;
use crate::shared::{Inner, Shared};

/// Receives on the sockets that there are, and on those that come with new addresses of `source`, if there is one.
pub(crate) async fn serve(shared: Arc<Shared>, source: Option<AddressSource>) {
    let mut receivers = Receivers::default();
    shared.bases.all().into_iter().for_each(|base| receivers.start(&shared, base));
    let mut memberships = Memberships::default();
    let has_names = shared.lock().names.is_some();
    loop {
        if has_names {
            memberships.adopt(&shared);
        }
        let Some(source) = &source else { return std::future::pending().await };
        tokio::time::sleep(EVERY).await;
        match source.usable().and_then(|usable| Ok((usable, present_addresses()?))) {
            Ok((usable, present)) => receivers.adopt(&shared, &usable, &present),
            Err(error) => tracing::debug!(%error, "the machine's addresses are not known"),
        }
    }
}

/// The tasks that receive, one a socket.
#[derive(Default)]
struct Receivers {
    tasks: JoinSet<()>,
    running: HashMap<SocketAddr, tokio::task::AbortHandle>,
}

impl Receivers {
    fn start(&mut self, shared: &Arc<Shared>, base: Arc<Base>) {
        let address = base.address;
        let task = self.tasks.spawn(driver::receive(Arc::clone(shared), base));
        self.running.insert(address, task);
    }

    /// Binds what is new, and lets go what is gone.
    fn adopt(&mut self, shared: &Arc<Shared>, usable: &[IpAddr], present: &[IpAddr]) {
        let bases = shared.bases.all();
        let known: Vec<SocketAddr> = bases.iter().map(|base| base.address).collect();
        let (fresh, gone) = changes(&known, usable, present);
        // An address that is being set up cannot be bound yet; the next look finds it.
        let fresh = Base::bind_all(&fresh).unwrap_or_default();
        if fresh.is_empty() && gone.is_empty() {
            return;
        }
        let added: Vec<SocketAddr> = fresh.iter().map(|base| base.address).collect();
        for base in fresh {
            shared.bases.add(Arc::clone(&base));
            self.start(shared, base);
        }
        shared.with_inner(|inner, now| inner.change_bases(&added, &gone, now));
        for address in gone {
            shared.bases.remove(address);
            self.running.remove(&address).iter().for_each(tokio::task::AbortHandle::abort);
        }
        while self.tasks.try_join_next().is_some() {}
    }
}

/// The addresses that are to be bound, and the sockets that have lost theirs. One that is merely deprecated, as
/// temporary ones are after a while, goes on to serve what has begun (RFC 4862 §5.5.4).
fn changes(
    known: &[SocketAddr],
    usable: &[IpAddr],
    present: &[IpAddr],
) -> (Vec<IpAddr>, Vec<SocketAddr>) {
    let is_new = |ip: &&IpAddr| known.iter().all(|known| known.ip() != **ip);
    let is_gone = |known: &&SocketAddr| !present.contains(&known.ip());
    (
        usable.iter().filter(is_new).copied().collect(),
        known.iter().filter(is_gone).copied().collect(),
    )
}

impl Inner {
    /// The new ones first, so that there is a way on. What has lost its way is restarted.
    fn change_bases(
        &mut self,
        added: &[SocketAddr],
        gone: &[SocketAddr],
        now: pinhole_sansio::Instant,
    ) {
        let was_writable = self.agent.is_writable(now);
        // An agent that has failed takes no sockets, and needs them for another try.
        if self.agent.state() == State::Failed && self.recovery.is_wanted() && !added.is_empty() {
            // It is not closed, which is all that could stand in the way.
            let _ = self.restart(now);
        }
        for &address in added {
            tracing::debug!(%address, "address added");
            match self.agent.add_base(address, now) {
                Ok(()) => self.tell(Event::AddressAdded(address), now),
                Err(error) => tracing::debug!(%error, "address left out"),
            }
        }
        for &address in gone {
            tracing::debug!(%address, "address removed");
            self.agent.remove_base(address, now);
            self.tell(Event::AddressRemoved(address), now);
        }
        let is_lost = was_writable && !self.agent.is_writable(now);
        let is_in_doubt = self.agent.state() == State::Disconnected && !added.is_empty();
        if is_lost || is_in_doubt {
            self.recovery.network_changed(now);
        }
    }
}

/// How soon a change of addresses is noticed.
const EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_let_go_only_when_the_machine_has_it_no_more() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let [old, new, other] = ["2001:db8::a", "2001:db8::b", "192.0.2.1"].map(ip);
        let known = [(old, 1).into(), (other, 2).into()];
        assert_eq!(changes(&known, &[old, other], &[old, other]), (vec![], vec![]));
        // A temporary address that is deprecated, and the one that follows it.
        assert_eq!(changes(&known, &[new, other], &[old, new, other]), (vec![new], vec![]));
        assert_eq!(changes(&known, &[new], &[new]), (vec![new], known.to_vec()));
    }
}
