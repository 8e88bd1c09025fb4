//! Sockets for multicast DNS: two on each IPv4 address, for what is sent to the group and for what is sent to us.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pinhole_ice::Mdns;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::base::Base;
use crate::batch::Batch;
use crate::interface;
use crate::shared::Shared;

/// Joins the group on the interface of each IPv4 address that has not, and leaves those that are gone.
#[derive(Default)]
pub(crate) struct Memberships {
    joined: Vec<(Ipv4Addr, JoinSet<()>)>,
}

impl Memberships {
    pub(crate) fn adopt(&mut self, shared: &Arc<Shared>) {
        let addresses = shared.bases.all().into_iter().filter_map(|base| match base.address.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let addresses: Vec<Ipv4Addr> = addresses.collect();
        for (gone, _) in self.joined.extract_if(.., |(ip, _)| !addresses.contains(ip)) {
            let local = (gone, Mdns::PORT).into();
            shared.multicast.remove(local);
            shared.with_names(|names, _| names.mdns.remove_interface(local));
        }
        for ip in addresses {
            if self.joined.iter().all(|(known, _)| *known != ip) {
                match join(shared, ip) {
                    Ok(tasks) => self.joined.push((ip, tasks)),
                    Err(error) => tracing::debug!(%ip, %error, "no multicast DNS"),
                }
            }
        }
    }
}

fn join(shared: &Arc<Shared>, ip: Ipv4Addr) -> io::Result<JoinSet<()>> {
    let local = SocketAddr::from((ip, Mdns::PORT));
    let no_network = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the address is gone");
    let network = interface::network_of(ip.into())?.ok_or_else(no_network)?;
    let own = Arc::new(Base::new(local, bind(ip, ip)?)?);
    let group = Arc::new(Base::new(local, bind(group_address(), ip)?)?);
    shared.multicast.add(Arc::clone(&own));
    shared.with_names(|names, _| names.mdns.add_interface(local, network));
    let mut tasks = JoinSet::new();
    for base in [own, group] {
        tasks.spawn(receive(Arc::clone(shared), base));
    }
    Ok(tasks)
}

/// Bound to `address`, in the group on the interface of `ip`, beside others on this machine (RFC 6762 §15).
fn bind(address: Ipv4Addr, ip: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((address, Mdns::PORT)).into())?;
    if address != ip {
        // Linux would give it what comes to the groups of others, too.
        #[cfg(target_os = "linux")]
        socket.set_multicast_all_v4(false)?;
        socket.join_multicast_v4(&GROUP, &ip)?;
    }
    socket.set_multicast_if_v4(&ip)?;
    // RFC 6762 §11: "All Multicast DNS responses ... SHOULD be sent with IP TTL set to 255."
    socket.set_multicast_ttl_v4(255)?;
    UdpSocket::from_std(socket.into())
}

/// Where only what is sent to the group arrives, on systems that know such addresses.
const fn group_address() -> Ipv4Addr {
    if cfg!(unix) { GROUP } else { Ipv4Addr::UNSPECIFIED }
}

async fn receive(shared: Arc<Shared>, base: Arc<Base>) {
    let mut batch = Batch::new();
    loop {
        match base.receive(&mut batch).await {
            Ok(()) => shared.with_names(|names, now| {
                for (source, payload) in batch.datagrams() {
                    names.mdns.handle_datagram(base.address, source, payload, now);
                }
            }),
            Err(error) => tracing::debug!(base = %base.address, %error, "not received"),
        }
    }
}

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
