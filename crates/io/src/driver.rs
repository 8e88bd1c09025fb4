//! The loop that drives an agent: one task a socket, and one for the deadlines.

use std::future::pending;
use std::sync::Arc;

use pinhole_ice::Received;
use pinhole_sansio::{Datagram, FiveTuple};
use tokio::task::JoinSet;

use crate::connection::Shared;

pub(crate) fn spawn(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_deadlines(Arc::clone(shared)));
    for index in 0..shared.sockets.len() {
        tasks.spawn(receive(Arc::clone(shared), index));
    }
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
            () = due => shared.with_agent(|agent, now| agent.handle_timeout(now)),
            () = shared.rescheduled.notified() => {}
        }
    }
}

async fn receive(shared: Arc<Shared>, index: usize) {
    let Some(base) = shared.sockets.get(index) else { return };
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
        let datagram = Datagram { five_tuple: FiveTuple::udp(base.address, source), payload };
        let received = shared.with_agent(|agent, now| agent.handle_datagram(datagram, now));
        match received {
            Received::Consumed => {}
            Received::Data { payload, .. } => {
                if shared.inbox.try_send(payload.to_vec()).is_err() {
                    tracing::trace!("the application is too slow: datagram dropped");
                }
            }
            Received::Dropped(reason) => tracing::trace!(%source, %reason, "datagram dropped"),
        }
    }
}

/// The largest UDP payload there is.
const MAX_DATAGRAM: usize = 65_535;
