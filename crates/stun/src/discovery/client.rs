use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::lifetime::Search;
use super::{Behaviour, Report};
use crate::attribute::{
    AttributeWrite, ChangeRequest, MappedAddress, OtherAddress, ResponsePort, XorMappedAddress,
};
use crate::header::{Class, Method, TransactionId};
use crate::message::Message;
use crate::transaction::{ClientTransaction, Retransmission};
use crate::writer::{MessageWriter, WriteError};

/// What to find out, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The server's primary address.
    pub server: SocketAddr,
    /// The address of the socket that is tested; not the unspecified one. It should be new: what it has
    /// sent before, its NAT may remember (RFC 5780 §4.1).
    pub local: SocketAddr,
    /// The address of a second socket on the same host, for [`Config::lifetime`]; or `local`.
    pub second: SocketAddr,
    /// The timing of each request. A closed filter shows itself by silence, so this decides how long
    /// the tests take.
    pub retransmission: Retransmission,
    /// The longest silence with which the lifetime of a binding is tested; `None` to leave that out.
    pub lifetime: Option<Duration>,
}

impl Config {
    /// The tests that take seconds: requests are given up after three and a half.
    #[must_use]
    pub fn new(server: SocketAddr, local: SocketAddr) -> Self {
        let retransmission = Retransmission { rc: 3, rm: 4, ..Retransmission::default() };
        Self { server, local, second: local, retransmission, lifetime: None }
    }
}

/// The client of RFC 5780: one test after the other, on two sockets at most.
///
/// ```text
/// loop {
///     while let Some(transmit) = discovery.poll_transmit() { /* send from transmit.five_tuple.local */ }
///     if let Some(event) = discovery.poll_event() { return event; }
///     /* wait for a datagram or for discovery.poll_timeout() */
///     discovery.handle_datagram(datagram, now); /* or */ discovery.handle_timeout(now);
/// }
/// ```
#[derive(Debug)]
pub struct Discovery {
    config: Config,
    generator: ChaCha20Rng,
    test: Test,
    transaction: Option<ClientTransaction>,
    /// When a deliberate silence ends.
    silence_ends: Option<Instant>,
    report: Report,
    event: Option<Event>,
}

/// How the discovery has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// All tests are done.
    Finished(Report),
    /// Not even the first test has succeeded.
    Failed(DiscoveryFailure),
}

/// Why nothing was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryFailure {
    /// "If this transaction times out, then UDP connectivity is not available" (RFC 5780 §4.2).
    #[error("the server does not answer over UDP")]
    NoAnswer,
    /// An error, or a success without a mapped address.
    #[error("the server answers, but tells no mapped address")]
    NoAddress,
}

/// The tests in their order. Filtering comes before mapping, whose tests open the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// §4.2: to the server's primary address.
    Connectivity,
    /// §4.4, test II: may an answer come from another address and port?
    FilterBoth,
    /// §4.4, test III: may it come from another port?
    FilterPort,
    /// §4.3, test II: to the other address, same port.
    MappingAddress,
    /// §4.3, test III: to the other address and port; what the test before has shown.
    MappingBoth(SocketAddr),
    /// §3.4: to the mapped address.
    Hairpin,
    /// §4.6: a new start for the binding.
    LifetimeRefresh(Search, Duration),
    /// §4.6: nothing is sent; the mapped address of the binding.
    LifetimeSilence(Search, Duration, SocketAddr),
    /// §4.6: may an answer still come in?
    LifetimeProbe(Search, Duration),
    Over,
}

/// How a test has ended.
#[derive(Clone, Copy)]
enum Outcome {
    /// A success with this mapped address, and OTHER-ADDRESS.
    Answer { mapped: SocketAddr, other: Option<SocketAddr> },
    /// An error response, or a success that says nothing.
    Useless,
    /// No response.
    Silence,
}

impl Discovery {
    /// Begins with the first test.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let report = Report {
            local: config.local,
            mapped: config.local,
            other: None,
            mapping: None,
            filtering: None,
            hairpin: None,
            lifetime: None,
        };
        let mut discovery = Self {
            config,
            generator: ChaCha20Rng::from_seed(seed),
            test: Test::Connectivity,
            transaction: None,
            silence_ends: None,
            report,
            event: None,
        };
        discovery.begin(Test::Connectivity, now);
        discovery
    }

    /// Takes what arrived on one of the two sockets.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Some(transaction) = &mut self.transaction else { return };
        if self.test == Test::Hairpin {
            let own = Message::parse(datagram.payload).is_ok_and(|message| {
                message.class() == Class::Request && message.transaction_id() == transaction.id()
            });
            if own && datagram.five_tuple.local == self.config.local {
                self.report.hairpin = Some(true);
                self.begin(self.after_hairpin(), now);
            }
        } else if let Some(response) = transaction.handle_datagram(datagram, now) {
            let outcome = read(&response);
            self.conclude(outcome, now);
        }
    }

    /// Retransmits, gives a test up, or ends a silence, when it is time to.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let (Test::LifetimeSilence(search, silence, mapped), Some(ends)) =
            (self.test, self.silence_ends)
        {
            if ends <= now {
                self.silence_ends = None;
                self.test = Test::LifetimeProbe(search, silence);
                self.probe(mapped, now);
            }
            return;
        }
        let Some(transaction) = &mut self.transaction else { return };
        transaction.handle_timeout(now);
        if transaction.poll_event().is_some() {
            self.conclude(Outcome::Silence, now);
        }
    }

    /// What to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transaction.as_mut()?.poll_transmit()
    }

    /// How it has ended, once.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// When to call [`Discovery::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.silence_ends.or_else(|| self.transaction.as_ref()?.poll_timeout())
    }

    /// What has been found out so far; before the first answer, `mapped` is `local`.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The table: what each outcome of each test means, and which test comes next.
    fn conclude(&mut self, outcome: Outcome, now: Instant) {
        use Behaviour::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        let first = self.report.mapped;
        let next = match (self.test, outcome) {
            (Test::Connectivity, Outcome::Answer { mapped, other }) => {
                self.report.mapped = mapped;
                self.report.other = other;
                if other.is_some() { Test::FilterBoth } else { self.after_mapping() }
            }
            (Test::Connectivity, Outcome::Silence) => return self.fail(DiscoveryFailure::NoAnswer),
            (Test::Connectivity, Outcome::Useless) => {
                return self.fail(DiscoveryFailure::NoAddress);
            }

            (Test::FilterBoth, Outcome::Answer { .. }) => self.filters(EndpointIndependent),
            (Test::FilterBoth, Outcome::Silence) => Test::FilterPort,
            (Test::FilterPort, Outcome::Answer { .. }) => self.filters(AddressDependent),
            (Test::FilterPort, Outcome::Silence) => self.filters(AddressAndPortDependent),
            (Test::FilterBoth | Test::FilterPort, Outcome::Useless) => self.after_filtering(),

            (Test::MappingAddress, Outcome::Answer { mapped, .. }) if mapped == first => {
                self.maps(EndpointIndependent)
            }
            (Test::MappingAddress, Outcome::Answer { mapped, .. }) => Test::MappingBoth(mapped),
            (Test::MappingBoth(second), Outcome::Answer { mapped, .. }) if mapped == second => {
                self.maps(AddressDependent)
            }
            (Test::MappingBoth(_), Outcome::Answer { .. }) => self.maps(AddressAndPortDependent),
            (Test::MappingAddress | Test::MappingBoth(_), _) => self.after_mapping(),

            (Test::Hairpin, _) => {
                self.report.hairpin = Some(false);
                self.after_hairpin()
            }
            (Test::LifetimeRefresh(search, silence), Outcome::Answer { mapped, .. }) => {
                self.test = Test::LifetimeSilence(search, silence, mapped);
                self.transaction = None;
                self.silence_ends = Some(now + silence);
                return;
            }
            (Test::LifetimeProbe(mut search, silence), Outcome::Answer { .. }) => {
                search.survived(silence, true);
                self.continue_search(search)
            }
            (Test::LifetimeProbe(mut search, silence), Outcome::Silence) => {
                search.survived(silence, false);
                self.continue_search(search)
            }
            // The server does not help any further.
            (Test::LifetimeRefresh(..) | Test::LifetimeProbe(..), _) => Test::Over,
            (Test::LifetimeSilence(..) | Test::Over, _) => return,
        };
        self.begin(next, now);
    }

    fn filters(&mut self, behaviour: Behaviour) -> Test {
        self.report.filtering = Some(behaviour);
        self.after_filtering()
    }

    fn maps(&mut self, behaviour: Behaviour) -> Test {
        self.report.mapping = Some(behaviour);
        self.after_mapping()
    }

    fn after_filtering(&mut self) -> Test {
        if self.report.is_translated() {
            return Test::MappingAddress;
        }
        self.maps(Behaviour::EndpointIndependent)
    }

    fn after_mapping(&self) -> Test {
        if self.report.is_translated() { Test::Hairpin } else { self.after_hairpin() }
    }

    fn after_hairpin(&self) -> Test {
        let is_possible = self.config.second != self.config.local;
        match self.config.lifetime.filter(|_| is_possible && self.report.is_translated()) {
            Some(longest) => Test::LifetimeRefresh(Search::new(longest), longest),
            None => Test::Over,
        }
    }

    fn continue_search(&mut self, search: Search) -> Test {
        self.report.lifetime = Some(search.result());
        search.next().map_or(Test::Over, |silence| Test::LifetimeRefresh(search, silence))
    }

    fn fail(&mut self, failure: DiscoveryFailure) {
        self.test = Test::Over;
        self.transaction = None;
        self.event = Some(Event::Failed(failure));
    }

    /// Sends the request of a test.
    fn begin(&mut self, test: Test, now: Instant) {
        self.test = test;
        let Config { server, local, .. } = self.config;
        let other = self.report.other.unwrap_or(server);
        let path = |remote| FiveTuple::udp(local, remote);
        match test {
            Test::Connectivity | Test::LifetimeRefresh(..) => {
                self.ask(path(server), None, None, now)
            }
            Test::FilterBoth => {
                let change = ChangeRequest { address: true, port: true };
                self.ask(path(server), Some(path(other)), Some(&change), now);
            }
            Test::FilterPort => {
                let change = ChangeRequest { address: false, port: true };
                let from = SocketAddr::new(server.ip(), other.port());
                self.ask(path(server), Some(path(from)), Some(&change), now);
            }
            Test::MappingAddress => {
                self.ask(path(SocketAddr::new(other.ip(), server.port())), None, None, now);
            }
            Test::MappingBoth(_) => self.ask(path(other), None, None, now),
            Test::Hairpin => self.ask(path(self.report.mapped), None, None, now),
            Test::LifetimeSilence(..) | Test::LifetimeProbe(..) => {}
            Test::Over => {
                self.transaction = None;
                self.event = Some(Event::Finished(self.report));
            }
        }
    }

    /// Asks from the second socket for an answer to the first one.
    fn probe(&mut self, mapped: SocketAddr, now: Instant) {
        let Config { server, local, second, .. } = self.config;
        let expected = FiveTuple::udp(local, server);
        let port = ResponsePort(mapped.port());
        self.ask(FiveTuple::udp(second, server), Some(expected), Some(&port), now);
    }

    fn ask(
        &mut self,
        path: FiveTuple,
        expected: Option<FiveTuple>,
        attribute: Option<&dyn AttributeWrite>,
        now: Instant,
    ) {
        let id = TransactionId::random(&mut self.generator);
        let mut buffer = [0; 64];
        let request = write(&mut buffer, id, attribute).ok().and_then(|b| Message::parse(b).ok());
        self.transaction = request.map(|request| {
            ClientTransaction::new(path, &request, self.config.retransmission, now)
                .expecting(expected.unwrap_or(path))
        });
    }
}

fn write<'b>(
    buffer: &'b mut [u8],
    id: TransactionId,
    attribute: Option<&dyn AttributeWrite>,
) -> Result<&'b [u8], WriteError> {
    let mut writer = MessageWriter::new(buffer, Class::Request, Method::BINDING, id)?;
    if let Some(attribute) = attribute {
        writer.attribute(attribute)?;
    }
    Ok(writer.finish())
}

fn read(response: &Message<'_>) -> Outcome {
    if response.class() != Class::SuccessResponse {
        return Outcome::Useless;
    }
    let mapped = response.get::<XorMappedAddress>().ok().flatten().map(|mapped| mapped.0);
    let plain = || response.get::<MappedAddress>().ok().flatten().map(|mapped| mapped.0);
    let other = response.get::<OtherAddress>().ok().flatten().map(|other| other.0);
    match mapped.or_else(plain) {
        Some(mapped) => Outcome::Answer { mapped, other },
        None => Outcome::Useless,
    }
}
