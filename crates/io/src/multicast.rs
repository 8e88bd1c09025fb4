//! Sockets for multicast DNS: two on each address, for what is sent to the group and for what is sent to us.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use pinhole_ice::Mdns;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::base::Base;
use crate::batch::Batch;
use crate::interface::{self, Link};
use crate::shared::Shared;

/// Joins the group on the interface of each address that has not, and leaves those that are gone.
#[derive(Default)]
pub(crate) struct Memberships {
    joined: Vec<(IpAddr, JoinSet<()>)>,
}

impl Memberships {
    pub(crate) fn adopt(&mut self, shared: &Arc<Shared>) {
        let bases = shared.bases.all();
        let addresses: Vec<IpAddr> = bases.iter().map(|base| base.address.ip()).collect();
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

fn join(shared: &Arc<Shared>, ip: IpAddr) -> io::Result<JoinSet<()>> {
    let local = SocketAddr::from((ip, Mdns::PORT));
    let no_network = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the address is gone");
    let link = interface::link_of(ip)?.ok_or_else(no_network)?;
    let own = bind(local, link)?;
    let group = bind(group_of(ip, link), link)?;
    join_group(&group, ip, link)?;
    let own = Arc::new(Base::new(local, UdpSocket::from_std(own.into())?)?);
    let group = Arc::new(Base::new(local, UdpSocket::from_std(group.into())?)?);
    shared.multicast.add(Arc::clone(&own));
    shared.with_names(|names, _| names.mdns.add_interface(local, link.network));
    let mut tasks = JoinSet::new();
    for base in [own, group] {
        tasks.spawn(receive(Arc::clone(shared), base));
    }
    Ok(tasks)
}

/// Sends to groups over one link, beside others on this machine (RFC 6762 §15). RFC 6762 §11: "All Multicast DNS
/// responses (including responses sent via unicast) SHOULD be sent with IP TTL set to 255."
fn bind(address: SocketAddr, link: Link) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    match address {
        SocketAddr::V4(address) => {
            socket.set_multicast_ttl_v4(255)?;
            socket.set_ttl_v4(255)?;
            if !address.ip().is_multicast() {
                socket.set_multicast_if_v4(address.ip())?;
            }
        }
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_multicast_hops_v6(255)?;
            socket.set_unicast_hops_v6(255)?;
            socket.set_multicast_if_v6(link.index)?;
        }
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Linux would give it what comes to the groups of others, too, unless told otherwise.
fn join_group(socket: &Socket, ip: IpAddr, link: Link) -> io::Result<()> {
    match ip {
        IpAddr::V4(ip) => {
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v4(false)?;
            socket.join_multicast_v4(&GROUP_V4, &ip)
        }
        IpAddr::V6(_) => {
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
            socket.join_multicast_v6(&GROUP_V6, link.index)
        }
    }
}

/// Where only what is sent to the group on this link arrives, on systems that know such addresses.
const fn group_of(ip: IpAddr, link: Link) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => {
            let ip = if cfg!(unix) { GROUP_V4 } else { Ipv4Addr::UNSPECIFIED };
            SocketAddr::new(IpAddr::V4(ip), Mdns::PORT)
        }
        IpAddr::V6(_) => {
            let ip = if cfg!(unix) { GROUP_V6 } else { Ipv6Addr::UNSPECIFIED };
            SocketAddr::V6(SocketAddrV6::new(ip, Mdns::PORT, 0, link.index))
        }
    }
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

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
