//! `stun-tool binding`: the mapped address, and the round trip.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::{ErrorCode, MappedAddress, TransmitCounter, XorMappedAddress};
use pinhole_stun::{
    Class, ClientTransaction, Message, MessageWriter, Method, Retransmission, RtoEstimator,
    TransactionId, WriteError,
};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use serde_json::json;
use tokio::net::UdpSocket;

use crate::Failure;
use pinhole_io::Clock;

use crate::net;

/// The options of `stun-tool binding`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The server, such as stun:stun.example.org or stun:192.0.2.1:3478.
    uri: String,
    /// How many requests to send, a quarter of a second apart.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// How many seconds to wait for each answer.
    #[arg(long, default_value_t = 10.0)]
    timeout: f64,
    /// Prefer the server's IPv6 address.
    #[arg(long)]
    ipv6: bool,
    /// One JSON object for each answer.
    #[arg(long)]
    json: bool,
}

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(250);

struct Reply {
    mapped: SocketAddr,
    round_trip: Option<Duration>,
    transmissions: u32,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let patience = Duration::try_from_secs_f64(arguments.timeout)
        .map_err(|_| Failure::Usage("--timeout needs a number of seconds".into()))?;
    let server = net::resolve(&arguments.uri, arguments.ipv6).await?;
    let socket = net::connect(server).await?;
    let clock = Clock::start();
    let mut generator = ChaCha20Rng::from_seed(net::seed()?);
    let mut estimator = RtoEstimator::default();
    for number in 0..arguments.count {
        if number > 0 {
            clock.sleep_until(clock.now() + PAUSE).await;
        }
        let id = TransactionId::random(&mut generator);
        let rto = estimator.rto(clock.now());
        let reply = ask(&socket, server, id, rto, patience, clock).await?;
        if let Some(round_trip) = reply.round_trip {
            estimator.sample(round_trip, clock.now());
        }
        print(&reply, server, arguments.json);
    }
    Ok(())
}

async fn ask(
    socket: &UdpSocket,
    server: SocketAddr,
    id: TransactionId,
    rto: Duration,
    patience: Duration,
    clock: Clock,
) -> Result<Reply, Failure> {
    let five_tuple = FiveTuple::udp(net::local_address(socket)?, server);
    let mut buffer = [0; 64];
    let request = write(&mut buffer, id).map_err(|error| Failure::Usage(error.to_string()))?;
    let start = clock.now();
    let config = Retransmission { rto, ..Retransmission::default() };
    let mut transaction = ClientTransaction::new(five_tuple, &request, config, start).counted(None);
    let mut datagram = vec![0; net::MAX_DATAGRAM];
    loop {
        while let Some(transmit) = transaction.poll_transmit() {
            socket.send(&transmit.payload).await.map_err(refused(server))?;
        }
        let deadline = transaction.poll_timeout().unwrap_or(Instant::ZERO).min(start + patience);
        tokio::select! {
            received = socket.recv(&mut datagram) => {
                let length = received.map_err(refused(server))?;
                let payload = datagram.get(..length).unwrap_or_default();
                let datagram = Datagram { five_tuple, payload };
                if let Some(response) = transaction.handle_datagram(datagram, clock.now()) {
                    return read(&response, &transaction, server);
                }
            }
            () = clock.sleep_until(deadline) => transaction.handle_timeout(clock.now()),
        }
        if transaction.poll_event().is_some() || clock.now() >= start + patience {
            let waited = (clock.now() - start).as_secs_f64();
            let sent = transaction.transmissions();
            let line = format!("{server} has not answered {sent} requests in {waited:.1} s");
            return Err(Failure::Unanswered(line));
        }
    }
}

fn write(buffer: &mut [u8], id: TransactionId) -> Result<Message<'_>, WriteError> {
    let mut writer = MessageWriter::new(buffer, Class::Request, Method::BINDING, id)?;
    writer.attribute(&TransmitCounter::default())?.fingerprint()?;
    Ok(Message::parse(writer.finish()).expect("what has been written is a message"))
}

fn read(
    response: &Message<'_>,
    transaction: &ClientTransaction,
    server: SocketAddr,
) -> Result<Reply, Failure> {
    if let Ok(Some(error)) = response.get::<ErrorCode<'_>>() {
        return Err(Failure::Unanswered(format!("{server} refuses: {error}")));
    }
    let mapped = response.get().ok().flatten().map(|XorMappedAddress(address)| address);
    let plain = response.get().ok().flatten().map(|MappedAddress(address)| address);
    let mapped = mapped.or(plain).ok_or_else(|| {
        Failure::Unanswered(format!("{server} answers, but tells no mapped address"))
    })?;
    let (round_trip, transmissions) = (transaction.round_trip(), transaction.transmissions());
    Ok(Reply { mapped, round_trip, transmissions })
}

fn print(reply: &Reply, server: SocketAddr, as_json: bool) {
    let millis = reply.round_trip.map(|round_trip| round_trip.as_secs_f64() * 1e3);
    if as_json {
        let line = json!({
            "server": server.to_string(),
            "mapped": reply.mapped.to_string(),
            "rtt_ms": millis,
            "transmissions": reply.transmissions,
        });
        println!("{line}");
        return;
    }
    let time = millis.map_or("round trip not known".into(), |millis| format!("{millis:.2} ms"));
    println!("{server} sees {}  ({time})", reply.mapped);
}

fn refused(server: SocketAddr) -> impl FnOnce(std::io::Error) -> Failure {
    move |reason| {
        if reason.kind() == std::io::ErrorKind::ConnectionRefused {
            return Failure::Unanswered(format!(
                "{server}: connection refused: nobody listens there"
            ));
        }
        net::failure(server)(reason)
    }
}
