//! A client machine and the connections that it uses.

use std::collections::VecDeque;
use std::net::SocketAddr;

use pinhole_io::{Clock, ServerConnection, ServerConnector, ServerStream, Trust};
use pinhole_sansio::{Datagram, Instant, Transport};
use pinhole_stun::attribute::ErrorCode;
use pinhole_stun::{Credentials, Host, Message};
use pinhole_turn::client::{Client, Command, Config, Event, Reason, Received, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::coturn::{Coturn, USER};
use super::soon;

pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    /// The present path is the last one.
    connections: Vec<ServerConnection>,
    data: VecDeque<(SocketAddr, Vec<u8>)>,
    /// The error codes of the server's answers.
    pub(crate) errors: Vec<u16>,
}

impl Driver {
    /// Opens a connection, and asks for an allocation.
    pub(crate) async fn start(server: &Coturn, transport: Transport) -> Self {
        Self::with(server, transport, USER.1, |_| {}).await
    }

    pub(crate) async fn with(
        server: &Coturn,
        transport: Transport,
        password: &str,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let connection = connect(server, transport).await;
        let credentials = Credentials::new(USER.0, password).unwrap();
        let mut config = Config::new(connection.five_tuple(), credentials);
        configure(&mut config);
        let clock = Clock::start();
        let client = Client::new(config, pinhole_io::seed().unwrap(), clock.now());
        Self { client, clock, connections: vec![connection], data: VecDeque::new(), errors: vec![] }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            soon(self.turn()).await;
        }
    }

    /// The relayed addresses, once there are some.
    pub(crate) async fn allocated(&mut self) -> (SocketAddr, Option<SocketAddr>) {
        let event = self.event().await;
        let Event::Allocated { relayed, second, mapped } = event else { panic!("{event:?}") };
        assert_eq!(mapped, self.connection().five_tuple().local, "there is no NAT");
        (relayed, second)
    }

    /// Why there is no allocation.
    pub(crate) async fn lost(&mut self) -> Reason {
        let event = self.event().await;
        let Event::Lost { reason } = event else { panic!("{event:?}") };
        reason
    }

    /// Waits until the peer has a permission.
    pub(crate) async fn permitted(&mut self, peer: SocketAddr) {
        let now = self.now();
        self.client.permit(peer.ip(), now);
        assert_eq!(self.event().await, Event::Permitted { peer: peer.ip() });
    }

    /// Sends to the peer; how many bytes stood in front.
    pub(crate) async fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<usize, SendError> {
        let now = self.now();
        let to_server = self.client.send(peer, data.len(), now)?;
        let padding = [0; 3];
        let padding = &padding[..usize::from(to_server.padding)];
        let connection =
            self.connections.iter().find(|it| it.five_tuple() == to_server.five_tuple).unwrap();
        connection.send(&[&to_server.header, data, padding]).unwrap();
        Ok(to_server.header.len())
    }

    /// The next data from a peer.
    pub(crate) async fn received(&mut self) -> (SocketAddr, Vec<u8>) {
        loop {
            if let Some(data) = self.data.pop_front() {
                return data;
            }
            soon(self.turn()).await;
        }
    }

    /// Sends datagrams of many lengths to the peer, each of which it sends back; how many bytes stood in front of them.
    pub(crate) async fn exchange(&mut self, peer: &UdpSocket, relayed: SocketAddr) -> Vec<usize> {
        let address = peer.local_addr().unwrap();
        let mut headers = vec![];
        for length in [1, 2, 3, 4, 172, 999, 1_200, 171, 170, 169, 5, 1_000] {
            let data: Vec<u8> = (0..length).map(|byte| (byte % 251) as u8).collect();
            headers.push(self.send(address, &data).await.unwrap());
            let mut buffer = [0xa5; 2_000];
            let (received, source) =
                soon(self.while_driving(peer.recv_from(&mut buffer))).await.unwrap();
            assert_eq!((source, &buffer[..received]), (relayed, &data[..]), "to the peer");
            peer.send_to(&data, relayed).await.unwrap();
            assert_eq!(self.received().await, (address, data), "from the peer");
        }
        headers
    }

    /// Takes the allocation to another connection.
    pub(crate) async fn migrate(&mut self, server: &Coturn, transport: Transport) {
        let connection = connect(server, transport).await;
        let now = self.now();
        self.client.migrate(connection.five_tuple(), now).unwrap();
        self.connections.push(connection);
        assert_eq!(self.event().await, Event::Migrated);
    }

    /// Opens the data connection to a peer of a TCP allocation that the machine asks for (RFC 6062 §4.3); the stream, and
    /// the first bytes from the peer, if they have come already.
    pub(crate) async fn data_connection(
        &mut self,
        server: &Coturn,
        transport: Transport,
        peer: SocketAddr,
    ) -> (ServerStream, Vec<u8>) {
        let connection = loop {
            if let Some(Command::OpenConnection { connection, server: address }) =
                self.client.poll_command()
            {
                assert_eq!(address, server.address(transport).address);
                break connection;
            }
            soon(self.turn()).await;
        };
        let (connector, host) = connector(server);
        let address = server.address(transport);
        let opened = soon(connector.connect_stream(&address, &host)).await;
        let (path, mut stream) = opened.unwrap();
        let now = self.now();
        self.client.connection_opened(connection, path, now);
        let mut frames = pinhole_turn::stream_buffer(2_000);
        let connected = Event::Connected { connection, peer };
        while self.client.poll_event() != Some(connected.clone()) {
            while let Some(transmit) = self.client.poll_transmit() {
                assert_eq!(transmit.five_tuple, path);
                stream.write_all(&transmit.payload).await.unwrap();
                stream.flush().await.unwrap();
            }
            let mut bytes = [0; 1];
            soon(stream.read_exact(&mut bytes)).await.unwrap();
            frames.push(&bytes);
            if let Some(message) = frames.next_message().unwrap() {
                let datagram = Datagram { five_tuple: path, payload: message };
                assert_eq!(
                    self.client.handle_datagram(datagram, self.clock.now()),
                    Received::Handled
                );
            }
        }
        (stream, frames.into_rest())
    }

    pub(crate) async fn close(&mut self) {
        let now = self.now();
        self.client.close(now);
        assert_eq!(self.event().await, Event::Closed);
    }

    fn connection(&self) -> &ServerConnection {
        self.connections.last().unwrap()
    }

    /// Lets the machine do what it has to while something else is awaited.
    async fn while_driving<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                biased;
                value = &mut future => return value,
                () = self.turn() => {}
            }
        }
    }

    /// Sends what there is to send, and takes one message or timeout. Cancel-safe.
    async fn turn(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            let connection =
                self.connections.iter().find(|it| it.five_tuple() == transmit.five_tuple);
            connection.expect("a path that was opened").send(&[&transmit.payload]).unwrap();
        }
        let mut buffer = vec![0; ServerConnection::MAX_MESSAGE];
        let deadline = self.client.poll_timeout();
        let due = async {
            match deadline {
                Some(at) => self.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = self.connections.last().unwrap().recv(&mut buffer) => {
                let message = &buffer[..received.unwrap()];
                self.handle(message);
            }
            () = due => {
                let now = self.clock.now();
                self.client.handle_timeout(now);
            }
        }
    }

    fn handle(&mut self, message: &[u8]) {
        if let Ok(answer) = Message::parse(message)
            && let Ok(Some(error)) = answer.get::<ErrorCode<'_>>()
        {
            self.errors.push(error.code);
        }
        let now = self.clock.now();
        let five_tuple = self.connection().five_tuple();
        let datagram = Datagram { five_tuple, payload: message };
        if let Received::Data { peer, payload } = self.client.handle_datagram(datagram, now) {
            self.data.push_back((peer, message[payload].to_vec()));
        }
    }
}

async fn connect(server: &Coturn, transport: Transport) -> ServerConnection {
    let (connector, host) = connector(server);
    soon(connector.connect(&server.address(transport), &host)).await.unwrap()
}

fn connector(server: &Coturn) -> (ServerConnector, Host) {
    let trust = Trust::nobody().with_pem(&server.certificate).unwrap();
    let host = Host::Name("turn.example.org".to_owned());
    (ServerConnector::default().trusting(trust), host)
}

/// A peer on loopback.
pub(crate) async fn peer(ip: &str) -> UdpSocket {
    UdpSocket::bind((ip, 0)).await.unwrap()
}
