//! The long-term mechanism: our client against our server, and both against somebody in between.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{
    Algorithm, AlternateDomain, AlternateServer, ErrorCode, Nonce, UserHash, Username,
};
use pinhole_stun::auth::{
    Attempt, AuthFailure, LongTermClient, LongTermServer, Offer, Realms, RedirectError,
    Redirections, Rejection, Seal, ShortTermClient, User, Verdict, check_short_term,
};
use pinhole_stun::{
    AttributeType, Class, ClientTransaction, Credentials, Failure, IntegrityError, IntegrityKey,
    Message, MessageWriter, Method, RawAttribute, Retransmission, TransactionId, response,
    userhash,
};

const LIFETIME: Duration = Duration::from_secs(600);

/// One user, and a count of how often he was looked up.
struct Users {
    credentials: Credentials,
    lookups: Cell<u32>,
}

impl Realms for Users {
    fn key(&self, realm: &str, user: User<'_>, algorithm: Algorithm) -> Option<IntegrityKey> {
        self.lookups.set(self.lookups.get() + 1);
        let name = self.credentials.username();
        let is_known = match user {
            User::Name(user) => user == name,
            User::Hash(hash) => *hash == userhash(name, realm),
        };
        self.credentials.key(realm, algorithm).filter(|_| is_known)
    }
}

fn users() -> Users {
    Users { credentials: Credentials::new("user", "pass").unwrap(), lookups: Cell::new(0) }
}

fn server() -> LongTermServer {
    LongTermServer::new("home", [5; 32], LIFETIME)
}

fn client() -> LongTermClient {
    LongTermClient::new(Credentials::new("user", "pass").unwrap())
}

fn address() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

fn request(client: &LongTermClient, id: u8) -> (Vec<u8>, Attempt) {
    let mut buffer = [0; 512];
    let id = TransactionId::new([id; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id).unwrap();
    let attempt = client.authorize(&mut writer).unwrap();
    (writer.finish().to_vec(), attempt)
}

/// What the server answers, and whether it has accepted the request.
fn serve(
    server: &LongTermServer,
    bytes: &[u8],
    from: SocketAddr,
    now: Instant,
) -> (Vec<u8>, Option<Rejection>) {
    let request = Message::parse(bytes).unwrap();
    let mut buffer = [0; 512];
    match server.authenticate(&request, from, &users(), now) {
        Ok(user) => {
            let class = Class::SuccessResponse;
            let mut writer = MessageWriter::response_to(&request, class, &mut buffer).unwrap();
            user.seal(&mut writer).unwrap();
            (writer.finish().to_vec(), None)
        }
        Err(rejection) => {
            let writer = server.reject(rejection, &request, from, now, &mut buffer).unwrap();
            (writer.finish().to_vec(), Some(rejection))
        }
    }
}

/// Lets the client try until it stops; the verdicts.
fn log_in(server: &LongTermServer, client: &mut LongTermClient, now: Instant) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for id in 0..10 {
        let (bytes, attempt) = request(client, id);
        let (answer, _) = serve(server, &bytes, address(), now);
        verdicts.push(client.judge(&Message::parse(&answer).unwrap(), attempt));
        if verdicts.last() != Some(&Verdict::Retry) {
            break;
        }
    }
    verdicts
}

/// The message without its attributes of this type; the integrity is lost.
fn without(bytes: &[u8], kind: AttributeType) -> Vec<u8> {
    rewrite(bytes, |attribute| (attribute.kind != kind).then_some(attribute))
}

fn rewrite<'a>(
    bytes: &'a [u8],
    map: impl Fn(RawAttribute<'a>) -> Option<RawAttribute<'a>>,
) -> Vec<u8> {
    let message = Message::parse(bytes).unwrap();
    let mut buffer = [0; 512];
    let mut writer = MessageWriter::new(
        &mut buffer,
        message.class(),
        message.method(),
        message.transaction_id(),
    )
    .unwrap();
    for attribute in message.attributes().filter_map(map) {
        if ![AttributeType::MESSAGE_INTEGRITY, AttributeType::MESSAGE_INTEGRITY_SHA256]
            .contains(&attribute.kind)
        {
            writer.attribute(&attribute).unwrap();
        }
    }
    writer.finish().to_vec()
}

fn kinds(bytes: &[u8]) -> Vec<AttributeType> {
    Message::parse(bytes).unwrap().attributes().map(|attribute| attribute.kind).collect()
}

#[test]
fn one_challenge_is_enough_with_every_offer() {
    for (offer, seal) in [
        (Offer::Md5, AttributeType::MESSAGE_INTEGRITY),
        (Offer::Sha256AndMd5, AttributeType::MESSAGE_INTEGRITY_SHA256),
        (Offer::Sha256, AttributeType::MESSAGE_INTEGRITY_SHA256),
    ] {
        let server = server().with_offer(offer);
        let mut client = client();
        assert_eq!(log_in(&server, &mut client, Instant::ZERO), [Verdict::Retry, Verdict::Accept]);
        let (bytes, _) = request(&client, 9);
        assert_eq!(kinds(&bytes).last(), Some(&seal), "{offer:?}");
        assert_eq!(log_in(&server, &mut client, Instant::ZERO), [Verdict::Accept], "cached");
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_fail_after_two_requests() {
    for (name, password) in [("user", "wrong"), ("nobody", "pass")] {
        let mut client = LongTermClient::new(Credentials::new(name, password).unwrap());
        let verdicts = log_in(&server(), &mut client, Instant::ZERO);
        assert_eq!(verdicts, [Verdict::Retry, Verdict::Fail(AuthFailure::Refused)]);
    }
}

#[test]
fn a_stale_nonce_is_renewed_without_asking_the_user() {
    let (server, mut client) = (server(), client());
    log_in(&server, &mut client, Instant::ZERO);
    let later = Instant::ZERO + LIFETIME;
    assert_eq!(log_in(&server, &mut client, later), [Verdict::Retry, Verdict::Accept]);
}

#[test]
fn requests_that_were_under_way_during_a_challenge_are_retried_and_nothing_else() {
    let (server, mut client) = (server(), client());
    log_in(&server, &mut client, Instant::ZERO);
    let later = Instant::ZERO + LIFETIME;
    let (first, first_attempt) = request(&client, 1);
    let (second, second_attempt) = request(&client, 2);
    let (first_answer, _) = serve(&server, &first, address(), later);
    let (second_answer, _) = serve(&server, &second, address(), later);
    let judge = |client: &mut LongTermClient, answer: &[u8], attempt| {
        client.judge(&Message::parse(answer).unwrap(), attempt)
    };
    assert_eq!(judge(&mut client, &first_answer, first_attempt), Verdict::Retry);
    assert_eq!(judge(&mut client, &second_answer, second_attempt), Verdict::Retry);
    assert_eq!(log_in(&server, &mut client, later), [Verdict::Accept]);
}

/// RFC 8489 §9.2.5: "Username anonymity" set: "the USERHASH attribute MUST be used".
#[test]
fn with_anonymity_no_user_name_leaves_the_client() {
    let (server, mut client) = (server().with_anonymity(), client());
    assert_eq!(log_in(&server, &mut client, Instant::ZERO), [Verdict::Retry, Verdict::Accept]);
    let (bytes, _) = request(&client, 9);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get::<Username<'_>>(), Ok(None));
    assert_eq!(message.get(), Ok(Some(UserHash(userhash("user", "home")))));
    assert!(!bytes.windows(4).any(|window| window == b"user"));
}

/// Checklist 1a, line 5: the order of the checks and what each answer carries.
#[test]
fn line_5_the_server_checks_in_the_order_of_the_rfc() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (good, _) = request(&client, 1);

    let (answer, rejection) = serve(&server, &rewrite(&good, Some), address(), now);
    assert_eq!(rejection, Some(Rejection::Unauthenticated), "no integrity");
    let challenge = [
        AttributeType::ERROR_CODE,
        AttributeType::REALM,
        AttributeType::NONCE,
        AttributeType::PASSWORD_ALGORITHMS,
    ];
    assert_eq!(kinds(&answer), challenge);

    let key = client_key();
    for missing in [AttributeType::USERNAME, AttributeType::REALM, AttributeType::NONCE] {
        let bytes = sealed(&without(&good, missing), &key);
        let (answer, rejection) = serve(&server, &bytes, address(), now);
        assert_eq!(rejection, Some(Rejection::BadRequest), "{missing}");
        assert_eq!(kinds(&answer), [AttributeType::ERROR_CODE]);
    }

    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let (answer, rejection) = serve(&server, &wrong, address(), now);
    assert_eq!(rejection, Some(Rejection::Unauthenticated), "wrong integrity");
    assert_eq!(kinds(&answer), challenge);

    let (answer, rejection) = serve(&server, &good, address(), now + LIFETIME);
    assert_eq!(rejection, Some(Rejection::StaleNonce));
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap().code, 438);
    let Nonce(fresh) = answer.get().unwrap().unwrap();
    assert_ne!(Message::parse(&good).unwrap().get::<Nonce<'_>>(), Ok(Some(Nonce(fresh))));
}

/// Checklist 1a, line 5: an unknown user costs the server the same steps as a wrong password: one
/// look-up, and one verification (with a key that nobody has).
#[test]
fn line_5_an_unknown_user_takes_the_path_of_a_wrong_password() {
    let (server, now) = (server(), Instant::ZERO);
    for (name, password) in [("user", "wrong"), ("nobody", "pass")] {
        let mut client = LongTermClient::new(Credentials::new(name, password).unwrap());
        let (bytes, attempt) = request(&client, 1);
        let (answer, _) = serve(&server, &bytes, address(), now);
        client.judge(&Message::parse(&answer).unwrap(), attempt);
        let (bytes, _) = request(&client, 2);
        let users = users();
        let request = Message::parse(&bytes).unwrap();
        let result = server.authenticate(&request, address(), &users, now);
        assert_eq!(result.err(), Some(Rejection::Unauthenticated));
        assert_eq!(users.lookups.get(), 1);
    }
}

/// Checklist 1a, line 6: a nonce is worth nothing from another address or port.
#[test]
fn line_6_a_nonce_of_another_port_is_stale() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (bytes, _) = request(&client, 1);
    for other in ["192.0.2.1:5001", "192.0.2.9:5000"] {
        let (_, rejection) = serve(&server, &bytes, other.parse().unwrap(), now);
        assert_eq!(rejection, Some(Rejection::StaleNonce));
    }
    assert_eq!(serve(&server, &bytes, address(), now).1, None);
}

/// Checklist 1a, line 10: the client does not follow a challenge from which the list was stripped.
#[test]
fn line_10_a_challenge_without_its_algorithms_is_a_bid_down() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    let (bytes, attempt) = request(&client, 1);
    let (answer, _) = serve(&server, &bytes, address(), now);
    let stripped = without(&answer, AttributeType::PASSWORD_ALGORITHMS);
    let verdict = client.judge(&Message::parse(&stripped).unwrap(), attempt);
    assert_eq!(verdict, Verdict::Fail(AuthFailure::BidDown));
    assert!(!client.is_challenged());
}

/// Checklist 1a, line 10: a list that was altered, or one of the pair alone, is a 400.
#[test]
fn line_10_an_altered_list_or_half_of_the_pair_is_a_bad_request() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (good, _) = request(&client, 1);
    let key = client_key();
    let shorter = rewrite(&good, |attribute| {
        let is_list = attribute.kind == AttributeType::PASSWORD_ALGORITHMS;
        Some(RawAttribute {
            value: if is_list { &[0, 1, 0, 0] } else { attribute.value },
            ..attribute
        })
    });
    let altered = [
        shorter,
        without(&good, AttributeType::PASSWORD_ALGORITHM),
        without(&good, AttributeType::PASSWORD_ALGORITHMS),
    ];
    for bytes in altered {
        let (_, rejection) = serve(&server, &sealed(&bytes, &key), address(), now);
        assert_eq!(rejection, Some(Rejection::BadRequest));
    }
}

/// Checklist 1a, line 10: without both, the request counts as MD5; but a nonce whose bits somebody has
/// altered is not a nonce of this server's.
#[test]
fn line_10_a_nonce_with_altered_bits_is_stale() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    let (bytes, attempt) = request(&client, 1);
    let (answer, _) = serve(&server, &bytes, address(), now);
    let downgraded = without(&answer, AttributeType::PASSWORD_ALGORITHMS);
    let message = Message::parse(&downgraded).unwrap();
    let Nonce(nonce) = message.get().unwrap().unwrap();
    let altered = nonce.replacen("obMatJos2AAAB", "obMatJos2AAAA", 1);
    assert_ne!(altered, nonce);
    let downgraded = rewrite(&downgraded, |attribute| {
        let is_nonce = attribute.kind == AttributeType::NONCE;
        let value = if is_nonce { altered.as_bytes() } else { attribute.value };
        Some(RawAttribute { value, ..attribute })
    });
    assert_eq!(client.judge(&Message::parse(&downgraded).unwrap(), attempt), Verdict::Retry);
    let (bytes, _) = request(&client, 2);
    assert_eq!(kinds(&bytes).last(), Some(&AttributeType::MESSAGE_INTEGRITY), "MD5 and SHA-1");
    assert_eq!(serve(&server, &bytes, address(), now).1, Some(Rejection::StaleNonce));
}

/// Checklist 1a, line 11: answers that anybody could have sent do not end a transaction over UDP.
#[test]
fn line_11_forged_answers_are_discarded() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (bytes, attempt) = request(&client, 1);
    let request = Message::parse(&bytes).unwrap();
    let forged = |code: Option<u16>| {
        let mut buffer = [0; 128];
        let writer = match code {
            Some(code) => response::error(&request, ErrorCode::bare(code), &mut buffer),
            None => MessageWriter::response_to(&request, Class::SuccessResponse, &mut buffer),
        };
        writer.unwrap().finish().to_vec()
    };
    for code in [None, Some(300), Some(400), Some(403), Some(500)] {
        let answer = forged(code);
        let verdict = client.judge(&Message::parse(&answer).unwrap(), attempt);
        assert_eq!(verdict, Verdict::Discard, "{code:?}");
    }
    let (answer, _) = serve(&server, &bytes, address(), now);
    assert_eq!(client.judge(&Message::parse(&answer).unwrap(), attempt), Verdict::Accept);
}

#[test]
fn a_server_that_challenges_for_ever_is_given_up() {
    let mut client = client();
    let mut now = Instant::ZERO;
    let mut verdicts = Vec::new();
    for id in 0..10 {
        let (bytes, attempt) = request(&client, id);
        let (answer, _) = serve(&server(), &bytes, address(), now);
        verdicts.push(client.judge(&Message::parse(&answer).unwrap(), attempt));
        now += LIFETIME;
    }
    assert_eq!(verdicts[..4], [Verdict::Retry; 4]);
    assert!(verdicts.contains(&Verdict::Fail(AuthFailure::Endless(4))));
}

/// Checklist 1a, line 12: a 401 to an Allocate of 28 bytes.
#[test]
fn line_12_a_challenge_is_small() {
    let mut buffer = [0; 64];
    let id = TransactionId::new([7; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, id).unwrap();
    let transport =
        RawAttribute { kind: AttributeType::REQUESTED_TRANSPORT, value: &[17, 0, 0, 0] };
    writer.attribute(&transport).unwrap();
    let bytes = writer.finish().to_vec();
    assert_eq!(bytes.len(), 28);
    let (with_list, _) = serve(&server(), &bytes, address(), Instant::ZERO);
    assert!(with_list.len() <= 84, "{} bytes", with_list.len());
    let md5 = server().with_offer(Offer::Md5);
    let (without_list, _) = serve(&md5, &bytes, address(), Instant::ZERO);
    assert!(without_list.len() <= 70, "{} bytes", without_list.len());
}

/// Checklist 1a, line 7, on the server's side.
#[test]
fn line_7_integrity_of_the_wrong_length_is_refused() {
    let (server, mut client, now) = (server().with_offer(Offer::Md5), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (good, _) = request(&client, 1);
    let open = rewrite(&good, Some);
    for length in [0, 4, 19, 24, 64] {
        let mut bytes = [&open[..], &[0, 8, 0, length]].concat();
        bytes.resize(bytes.len() + usize::from(length).next_multiple_of(4), 0);
        let claimed = u16::try_from(bytes.len() - 20).unwrap().to_be_bytes();
        bytes[2..4].copy_from_slice(&claimed);
        let (_, rejection) = serve(&server, &bytes, address(), now);
        assert_eq!(rejection, Some(Rejection::Unauthenticated), "{length} bytes");
    }
}

#[test]
fn the_short_term_mechanism_agrees_on_the_attribute_that_the_server_answers_with() {
    let key = IntegrityKey::short_term("password");
    let mut client = ShortTermClient::new(key.clone());
    let mut buffer = [0; 256];
    let id = TransactionId::new([7; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    client.authorize("user", &mut writer).unwrap();
    let request = Message::parse(writer.finish()).unwrap();
    assert!(request.has_integrity() && request.has_integrity_sha256());

    let find = |name: &str| (name == "user").then_some(&key);
    let (key, seal) = check_short_term(&request, find).unwrap();
    assert_eq!(seal, Seal::Sha256);
    let mut answer = [0; 256];
    let mut writer =
        MessageWriter::response_to(&request, Class::SuccessResponse, &mut answer).unwrap();
    seal.write(&mut writer, key).unwrap();
    client.check(&Message::parse(writer.finish()).unwrap()).unwrap();

    // From now on, an answer with the other attribute is not believed (§9.1.4).
    let mut weaker = [0; 256];
    let mut writer =
        MessageWriter::response_to(&request, Class::SuccessResponse, &mut weaker).unwrap();
    writer.integrity(key).unwrap();
    let weaker = Message::parse(writer.finish()).unwrap();
    assert_eq!(client.check(&weaker), Err(IntegrityError::Missing));
}

#[test]
fn the_short_term_server_answers_400_and_401_as_the_rfc_says() {
    let key = IntegrityKey::short_term("password");
    let check = |write: &dyn Fn(&mut MessageWriter<'_>)| {
        let mut buffer = [0; 256];
        let id = TransactionId::new([7; 12]);
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
        write(&mut writer);
        let request = Message::parse(writer.finish()).unwrap();
        check_short_term(&request, |name| (name == "user").then_some(&key)).err()
    };
    let nothing = check(&|_| {});
    assert_eq!(nothing, Some(Rejection::BadRequest));
    let no_name = check(&|writer| {
        writer.integrity(&key).unwrap();
    });
    assert_eq!(no_name, Some(Rejection::BadRequest));
    let stranger = check(&|writer| {
        writer.attribute(&Username("other")).unwrap().integrity(&key).unwrap();
    });
    assert_eq!(stranger, Some(Rejection::Unauthenticated));
    let wrong = check(&|writer| {
        let wrong = IntegrityKey::short_term("wrong");
        writer.attribute(&Username("user")).unwrap().integrity(&wrong).unwrap();
    });
    assert_eq!(wrong, Some(Rejection::Unauthenticated));
}

#[test]
fn a_redirection_is_followed_within_the_family_and_never_in_a_circle() {
    let (first, second) = ("192.0.2.10:3478", "192.0.2.11:3478");
    let redirect = |to: &[&str]| {
        let mut buffer = [0; 256];
        let id = TransactionId::new([7; 12]);
        let class = Class::ErrorResponse;
        let mut writer = MessageWriter::new(&mut buffer, class, Method::ALLOCATE, id).unwrap();
        writer.attribute(&ErrorCode::bare(300)).unwrap();
        for to in to {
            writer.attribute(&AlternateServer(to.parse().unwrap())).unwrap();
        }
        writer.attribute(&AlternateDomain("example.org")).unwrap();
        writer.finish().to_vec()
    };
    let mut redirections = Redirections::default();
    let mut follow = |bytes: &[u8], from: &str, now| {
        let response = Message::parse(bytes).unwrap();
        redirections.follow(&response, from.parse().unwrap(), now)
    };
    let now = Instant::ZERO;
    let to_second = redirect(&["[2001:db8::1]:3478", second]);
    let target = follow(&to_second, first, now).unwrap();
    assert_eq!(target.address, second.parse().unwrap());
    assert_eq!(target.domain.as_deref(), Some("example.org"));

    let back = redirect(&[first]);
    let error = RedirectError::Loop(first.parse().unwrap());
    assert_eq!(follow(&back, second, now), Err(error));
    let six_minutes_later = now + Duration::from_secs(360);
    assert!(follow(&back, second, six_minutes_later).is_ok());

    let only_ipv6 = redirect(&["[2001:db8::1]:3478"]);
    assert_eq!(follow(&only_ipv6, first, now), Err(RedirectError::NoTarget));
}

/// What the client's requests are sealed with after the default offer.
fn client_key() -> IntegrityKey {
    Credentials::new("user", "pass").unwrap().key("home", Algorithm::SHA256).unwrap()
}

fn sealed(bytes: &[u8], key: &IntegrityKey) -> Vec<u8> {
    let message = Message::parse(bytes).unwrap();
    let mut buffer = [0; 512];
    let mut writer = MessageWriter::new(
        &mut buffer,
        message.class(),
        message.method(),
        message.transaction_id(),
    )
    .unwrap();
    for attribute in message.attributes() {
        writer.attribute(&attribute).unwrap();
    }
    writer.integrity_sha256(key).unwrap();
    writer.finish().to_vec()
}

/// Checklist 1a, line 11: with the transaction around it. Forged answers do not end it, the real one
/// does; forged ones alone end it as what they are; and over TCP the first one ends it.
#[test]
fn line_11_a_transaction_survives_forged_answers_and_names_them_at_the_end() {
    let (server, mut client, now) = (server(), client(), Instant::ZERO);
    log_in(&server, &mut client, now);
    let (bytes, attempt) = request(&client, 1);
    let request = Message::parse(&bytes).unwrap();
    let path = FiveTuple::udp(address(), "192.0.2.9:3478".parse().unwrap());
    let start =
        |five_tuple| ClientTransaction::new(five_tuple, &request, Retransmission::default(), now);
    let mut buffer = [0; 64];
    let forged = response::error(&request, ErrorCode::bare(400), &mut buffer).unwrap().finish();

    let mut transaction = start(path);
    for _ in 0..100 {
        let datagram = Datagram { five_tuple: path, payload: forged };
        let response = transaction.handle_datagram(datagram, now).unwrap();
        assert_eq!(client.judge(&response, attempt), Verdict::Discard);
        transaction.distrust();
    }
    let mut honest = transaction.clone();
    let (answer, _) = serve(&server, &bytes, address(), now);
    let datagram = Datagram { five_tuple: path, payload: &answer };
    let response = honest.handle_datagram(datagram, now).unwrap();
    assert_eq!(client.judge(&response, attempt), Verdict::Accept);

    let mut sent = 0;
    while let Some(deadline) = transaction.poll_timeout() {
        sent += usize::from(transaction.poll_transmit().is_some());
        transaction.handle_timeout(deadline);
    }
    assert_eq!(sent, 7, "retransmissions go on");
    assert_eq!(transaction.poll_event(), Some(Failure::IntegrityViolated));

    let over_tcp = FiveTuple { transport: Transport::Tcp, ..path };
    let mut transaction = start(over_tcp);
    let datagram = Datagram { five_tuple: over_tcp, payload: forged };
    assert!(transaction.handle_datagram(datagram, now).is_some());
    transaction.distrust();
    assert_eq!(transaction.poll_event(), Some(Failure::IntegrityViolated));
    assert_eq!(transaction.poll_timeout(), None);
}
