//! The loop that drives an agent: one task a socket, one for the deadlines, one for the interfaces.

use std::future::pending;
use std::sync::Arc;

use pinhole_ice::{Command, Received};
use pinhole_sansio::{Datagram, FiveTuple};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::base::Base;
use crate::batch::Batch;
use crate::builder::IceServer;
use crate::interface::AddressSource;
use crate::server_connection::ServerConnector;
use crate::servers;
use crate::shared::{Inner, Shared};
use crate::watch;

pub(crate) fn spawn(
    shared: &Arc<Shared>,
    servers: Vec<IceServer>,
    connector: ServerConnector,
    wanted: mpsc::UnboundedReceiver<Command>,
    watched: Option<AddressSource>,
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
    let mut batch = Batch::new();
    loop {
        if let Err(error) = base.receive(&mut batch).await {
            // An ICMP error for something that was sent earlier; checks find out for themselves.
            tracing::debug!(base = %base.address, %error, "not received");
            continue;
        }
        shared.receive(batch.datagrams().map(|(source, payload)| Datagram {
            five_tuple: FiveTuple::udp(base.address, source),
            payload,
        }));
    }
}

impl Shared {
    /// Gives the agent what has arrived, and the application what is its.
    pub(crate) fn receive<'a>(&self, datagrams: impl IntoIterator<Item = Datagram<'a>>) {
        self.with_agent(|agent, now| {
            for datagram in datagrams {
                self.deliver(datagram, agent.handle_datagram(datagram, now));
            }
        });
    }

    fn deliver(&self, datagram: Datagram<'_>, received: Received<'_>) {
        match received {
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
