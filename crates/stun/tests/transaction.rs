//! Client transactions: what is sent when, and which datagram is an answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::TransmitCounter;
use pinhole_stun::{
    Class, ClientTransaction, Failure, IntegrityKey, Message, MessageWriter, Method,
    Retransmission, TransactionId, binding,
};

const ID: TransactionId = TransactionId::new([7; 12]);

fn path() -> FiveTuple {
    FiveTuple::udp("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:3478".parse().unwrap())
}

fn message(class: Class, id: TransactionId) -> Vec<u8> {
    let mut buffer = [0; 20];
    MessageWriter::new(&mut buffer, class, Method::BINDING, id).unwrap().finish().to_vec()
}

fn start(five_tuple: FiveTuple) -> ClientTransaction {
    let request = message(Class::Request, ID);
    let request = Message::parse(&request).unwrap();
    ClientTransaction::new(five_tuple, &request, Retransmission::default(), Instant::ZERO)
}

/// Runs until the end; the instants of all transmissions, and of the end.
fn run(transaction: &mut ClientTransaction) -> (Vec<Instant>, Instant) {
    let mut now = Instant::ZERO;
    let mut sent = Vec::new();
    while let Some(deadline) = transaction.poll_timeout() {
        while let Some(transmit) = transaction.poll_transmit() {
            assert_eq!(*transmit.payload, message(Class::Request, ID), "always the same bytes");
            sent.push(now);
        }
        now = deadline;
        transaction.handle_timeout(now);
    }
    (sent, now)
}

#[test]
fn an_unanswered_request_is_sent_seven_times_and_fails_at_39_5_seconds() {
    let mut transaction = start(path());
    let (sent, end) = run(&mut transaction);
    let expected = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(Instant::from_millis);
    assert_eq!((&sent[..], end), (&expected[..], Instant::from_millis(39_500)));
    assert_eq!(transaction.poll_event(), Some(Failure::TimedOut));
    assert_eq!(transaction.poll_event(), None, "once");
    assert!(transaction.poll_transmit().is_none());
}

#[test]
fn over_tcp_a_request_is_sent_once_and_fails_after_ti() {
    let mut transaction = start(FiveTuple { transport: Transport::Tcp, ..path() });
    let (sent, end) = run(&mut transaction);
    assert_eq!((sent.len(), end), (1, Instant::from_millis(39_500)));
}

#[test]
fn only_a_response_with_the_id_and_from_the_server_is_an_answer() {
    let mut transaction = start(path());
    let good = message(Class::SuccessResponse, ID);
    let elsewhere = FiveTuple { remote: "192.0.2.2:3479".parse().unwrap(), ..path() };
    let other_id = message(Class::SuccessResponse, TransactionId::new([8; 12]));
    let not_a_response = message(Class::Request, ID);
    let cases = [
        (elsewhere, &good, false),
        (path(), &other_id, false),
        (path(), &not_a_response, false),
        (path(), &good[..19].to_vec(), false),
        (path(), &good, true),
        (path(), &message(Class::ErrorResponse, ID), true),
    ];
    for (five_tuple, payload, is_answer) in cases {
        let received = transaction.handle_datagram(Datagram { five_tuple, payload }, Instant::ZERO);
        assert_eq!(received.is_some(), is_answer, "{five_tuple} {payload:02x?}");
    }
}

#[test]
fn a_transaction_whose_answers_are_all_distrusted_fails_as_violated() {
    let mut transaction = start(path());
    transaction.distrust();
    let (sent, _) = run(&mut transaction);
    assert_eq!(sent.len(), 7, "retransmissions go on");
    assert_eq!(transaction.poll_event(), Some(Failure::IntegrityViolated));
}

#[test]
fn a_distrusted_answer_over_tcp_ends_the_transaction_at_once() {
    let mut transaction = start(FiveTuple { transport: Transport::Tcp, ..path() });
    transaction.distrust();
    assert_eq!(transaction.poll_timeout(), None);
    assert_eq!(transaction.poll_event(), Some(Failure::IntegrityViolated));
}

#[test]
fn the_round_trip_is_measured_without_retransmissions_only() {
    let mut transaction = start(path());
    let request = transaction.poll_transmit().unwrap();
    let mut buffer = [0; 64];
    let answer = binding::respond(&request.payload, path().local, &mut buffer).unwrap();
    let datagram = Datagram { five_tuple: path(), payload: answer };
    assert!(transaction.handle_datagram(datagram, Instant::from_millis(80)).is_some());
    assert_eq!(transaction.round_trip(), Some(Duration::from_millis(80)));

    let mut transaction = start(path());
    transaction.handle_timeout(Instant::from_millis(500));
    assert!(transaction.handle_datagram(datagram, Instant::from_millis(580)).is_some());
    assert_eq!(transaction.round_trip(), None);
}

/// RFC 7982 §3.3: the server echoes which transmission it answers.
fn answer_to(request: &[u8], counted: bool) -> Vec<u8> {
    let request = Message::parse(request).unwrap();
    let mut buffer = [0; 64];
    let mut writer =
        MessageWriter::response_to(&request, Class::SuccessResponse, &mut buffer).unwrap();
    if counted {
        writer.attribute(&request.get::<TransmitCounter>().unwrap().unwrap()).unwrap();
    }
    writer.finish().to_vec()
}

#[test]
fn numbered_transmissions_tell_the_round_trip_after_a_retransmission() {
    let key = IntegrityKey::short_term("password");
    let mut buffer = [0; 64];
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, ID).unwrap();
    writer.integrity(&key).unwrap().fingerprint().unwrap();
    let request = Message::parse(writer.finish()).unwrap();
    let config = Retransmission::default();
    let mut transaction =
        ClientTransaction::new(path(), &request, config, Instant::ZERO).counted(Some(key.clone()));

    let mut sent = vec![transaction.poll_transmit().unwrap().payload];
    transaction.handle_timeout(Instant::from_millis(500));
    sent.push(transaction.poll_transmit().unwrap().payload);
    for (number, bytes) in (1..).zip(&sent) {
        let request = Message::parse(bytes).unwrap();
        assert_eq!(request.get(), Ok(Some(TransmitCounter { request: number, response: 0 })));
        assert_eq!((request.transaction_id(), request.verify(&key)), (ID, Ok(())));
    }

    let mut round_trip = |payload: &[u8]| {
        let datagram = Datagram { five_tuple: path(), payload };
        assert!(transaction.handle_datagram(datagram, Instant::from_millis(580)).is_some());
        transaction.round_trip()
    };
    assert_eq!(round_trip(&answer_to(&sent[0], true)), Some(Duration::from_millis(580)));
    assert_eq!(round_trip(&answer_to(&sent[1], true)), Some(Duration::from_millis(80)));
    assert_eq!(round_trip(&answer_to(&sent[1], false)), None, "a server that does not count");
}

#[test]
fn an_answer_from_elsewhere_is_taken_where_it_is_expected() {
    let elsewhere = FiveTuple { remote: "192.0.2.3:3479".parse().unwrap(), ..path() };
    let mut transaction = start(path()).expecting(elsewhere);
    assert_eq!(transaction.poll_transmit().unwrap().five_tuple, path());
    let payload = &message(Class::SuccessResponse, ID);
    for (five_tuple, is_answer) in [(path(), false), (elsewhere, true)] {
        let received = transaction.handle_datagram(Datagram { five_tuple, payload }, Instant::ZERO);
        assert_eq!(received.is_some(), is_answer);
    }
}
