//! The address that a server behind a NAT is known by: what a STUN server sees (RFC 8489).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use pinhole_stun::attribute::XorMappedAddress;
use pinhole_stun::{Class, Host, Message, MessageWriter, Method, TransactionId, Uri};

/// The waits between the transmissions: "500 ms, 1500 ms, 3500 ms" (RFC 8489 §6.2.1), and an end that
/// comes earlier than there, since an operator watches.
const WAITS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Asks the server which address it sees datagrams from `local` come from.
pub(crate) fn ask(server: &Uri, local: IpAddr) -> io::Result<IpAddr> {
    let address = resolve(server, local)?;
    let socket = UdpSocket::bind((local, 0))?;
    socket.connect(address)?;
    let mut id = [0; 12];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let id = TransactionId::new(id);
    let mut buffer = [0; 64];
    let request = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
        .map_err(io::Error::other)?
        .finish();
    for wait in WAITS {
        socket.send(request)?;
        socket.set_read_timeout(Some(wait))?;
        let mut answer = [0; 1_500];
        let received = socket.recv(&mut answer).ok().and_then(|length| answer.get(..length));
        if let Some(mapped) = received.and_then(|answer| mapped(answer, id)) {
            return Ok(mapped);
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("{server} at {address} does not answer")))
}

fn mapped(answer: &[u8], id: TransactionId) -> Option<IpAddr> {
    let message = Message::parse(answer).ok()?;
    let is_answer = message.class() == Class::SuccessResponse && message.transaction_id() == id;
    let XorMappedAddress(address) = message.get().ok().flatten().filter(|_| is_answer)?;
    Some(address.ip())
}

fn resolve(server: &Uri, local: IpAddr) -> io::Result<SocketAddr> {
    let port = server.port.unwrap_or_else(|| server.scheme.default_port());
    let addresses: Vec<SocketAddr> = match &server.host {
        Host::Ip(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => (name.as_str(), port).to_socket_addrs()?.collect(),
    };
    let fits = |address: &SocketAddr| address.is_ipv4() == local.is_ipv4();
    let none = || io::Error::new(io::ErrorKind::NotFound, format!("{server} has no such address"));
    addresses.into_iter().find(fits).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole_stun::binding;
    use std::thread;

    #[test]
    fn a_server_tells_what_it_sees_if_the_first_request_is_lost() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let uri: Uri = format!("stun:{}", server.local_addr().unwrap()).parse().unwrap();
        let answering = thread::spawn(move || {
            let (mut request, mut answer) = ([0; 100], [0; 100]);
            server.recv_from(&mut request).unwrap();
            let (length, client) = server.recv_from(&mut request).unwrap();
            let seen = "192.0.2.9:7".parse().unwrap();
            let answer = binding::respond(&request[..length], seen, &mut answer).unwrap();
            server.send_to(answer, client).unwrap();
        });
        let seen = ask(&uri, "127.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(seen.to_string(), "192.0.2.9");
        answering.join().unwrap();
    }

    #[test]
    fn a_server_of_the_other_family_is_told() {
        let error = ask(&"stun:192.0.2.1".parse().unwrap(), "::1".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "stun:192.0.2.1 has no such address");
    }
}
