//! The loop that drives an agent: one task a socket, one for the deadlines, one for the interfaces.

use std::future::pending;
use std::sync::Arc;

use pinhole_ice::{Command, Received};
use pinhole_sansio::{Datagram, FiveTuple};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::base::Base;
use crate::builder::IceServer;
use crate::interface::AddressFilter;
use crate::server_connection::ServerConnector;
use crate::servers;
use crate::shared::{Inner, Shared};
use crate::watch;

pub(crate) fn spawn(
    shared: &Arc<Shared>,
    servers: Vec<IceServer>,
    connector: ServerConnector,
    wanted: mpsc::UnboundedReceiver<Command>,
    watched: Option<AddressFilter>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(servers::serve(Arc::clone(shared), servers, connector, wanted));
    tasks.spawn(keep_deadlines(Arc::clone(shared)));
    tasks.spawn(watch::serve(Arc::clone(shared), watched));
    tasks
}

async fn keep_deadlines(shared: Arc<Shared>) {
    loop {
        let deadline = shared.poll_timeout();
        let due = async {
            match deadline {
                Some(at) => shared.clock.sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = due => shared.with_inner(Inner::handle_timeout),
            () = shared.rescheduled.notified() => {}
        }
    }
}

pub(crate) async fn receive(shared: Arc<Shared>, base: Arc<Base>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, source) = match base.socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An ICMP error for something that was sent earlier; checks find out for themselves.
            Err(error) => {
                tracing::debug!(base = %base.address, %error, "not received");
                continue;
            }
        };
        let payload = buffer.get(..length).unwrap_or_default();
        shared.receive(Datagram { five_tuple: FiveTuple::udp(base.address, source), payload });
    }
}

impl Shared {
    /// Gives the agent what has arrived, and the application what is its.
    pub(crate) fn receive(&self, datagram: Datagram<'_>) {
        match self.with_agent(|agent, now| agent.handle_datagram(datagram, now)) {
            Received::Consumed => {}
            Received::Data { payload, .. } => {
                self.counters.received(payload.len());
                if self.inbox.try_send(payload.to_vec()).is_err() {
                    self.counters.dropped();
                    tracing::trace!("the application is too slow: datagram dropped");
                }
            }
            Received::Dropped(reason) => {
                tracing::trace!(five_tuple = %datagram.five_tuple, %reason, "datagram dropped");
            }
        }
    }
}

/// The largest UDP payload there is.
const MAX_DATAGRAM: usize = 65_535;
