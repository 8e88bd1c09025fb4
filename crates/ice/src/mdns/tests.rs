#![allow(clippy::indexing_slicing)]

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec;
use core::iter::from_fn;

use super::message::{A, AAAA, Question, Record};
use super::*;

const NAME: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

fn socket(last: u8) -> SocketAddr {
    ([192, 168, 1, last], Mdns::PORT).into()
}

fn group() -> SocketAddr {
    (Mdns::group(socket(1).ip()), Mdns::PORT).into()
}

fn machine(last: u8) -> Mdns {
    let mut mdns = Mdns::new([last; 32]);
    mdns.add_interface(socket(last), "192.168.1.0/24".parse().expect("a range"));
    mdns
}

fn sent(mdns: &mut Mdns) -> Vec<(SocketAddr, Message)> {
    let all = from_fn(|| mdns.poll_transmit());
    let read = |t: Transmit| (t.five_tuple.remote, Message::parse(&t.payload).expect("a message"));
    all.map(read).collect()
}

fn question(name: &str, kind: u16, unicast: bool) -> Question {
    Question { name: name.to_owned(), kind, unicast }
}

fn query(name: &str, unicast: bool) -> Message {
    let questions = vec![question(name, A, unicast), question(name, AAAA, unicast)];
    Message { id: 5, is_response: false, questions, records: vec![] }
}

fn address(name: &str, last: u8, ttl: u32) -> Record {
    Record { name: name.to_owned(), address: socket(last).ip(), ttl, flushes: true }
}

fn response(records: Vec<Record>) -> Message {
    Message { id: 0, is_response: true, questions: vec![], records }
}

fn ask(
    mdns: &mut Mdns,
    from: SocketAddr,
    query: &Message,
    now: Instant,
) -> Vec<(SocketAddr, Message)> {
    mdns.handle_datagram(socket(1), from, &query.write(), now);
    sent(mdns)
}

/// One with a name, after its announcements.
fn registered() -> (Mdns, String, Instant) {
    let mut mdns = machine(1);
    let name = mdns.register(socket(1).ip(), Instant::ZERO);
    while let Some(at) = mdns.poll_timeout() {
        mdns.handle_timeout(at);
    }
    sent(&mut mdns);
    (mdns, name, Instant::from_millis(10_000))
}

#[test]
fn a_name_is_announced_twice_and_taken_back_once() {
    let mut mdns = machine(1);
    mdns.add_interface(socket(7), "192.168.1.0/24".parse().expect("a range"));
    let name = mdns.register(socket(1).ip(), Instant::ZERO);
    assert_eq!(mdns.register(socket(1).ip(), Instant::ZERO), name, "one address, one name");
    let announcement = (group(), response(vec![address(&name, 1, 120)]));
    assert_eq!(sent(&mut mdns), vec![announcement.clone(), announcement.clone()], "on each link");
    assert_eq!(mdns.poll_timeout(), Some(Instant::from_millis(1_000)));
    mdns.handle_timeout(Instant::from_millis(999));
    assert_eq!(sent(&mut mdns), vec![]);
    mdns.handle_timeout(Instant::from_millis(1_000));
    assert_eq!(sent(&mut mdns).len(), 2);
    assert_eq!(mdns.poll_timeout(), None);
    assert_ne!(mdns.register(socket(7).ip(), Instant::ZERO), name);
    sent(&mut mdns);
    mdns.close();
    let goodbyes = sent(&mut mdns);
    assert!(goodbyes.len() == 4 && goodbyes.iter().all(|(_, m)| m.records[0].ttl == 0));
    assert_eq!(ask(&mut mdns, socket(2), &query(&name, true), Instant::ZERO), vec![]);
}

#[test]
fn an_answer_goes_to_whom_it_is_for() {
    let (mut mdns, name, now) = registered();
    let answer = response(vec![address(&name, 1, 120)]);
    // RFC 6762 §5.4: by unicast where all questions allow it.
    assert_eq!(ask(&mut mdns, socket(2), &query(&name, true), now), [(socket(2), answer.clone())]);
    // To all otherwise, and to all once a second only (§6).
    assert_eq!(ask(&mut mdns, socket(2), &query(&name, false), now), [(group(), answer.clone())]);
    assert_eq!(ask(&mut mdns, socket(2), &query(&name, false), now), vec![]);
    let later = now + Duration::from_secs(1);
    assert_eq!(ask(&mut mdns, socket(2), &query(&name, false), later), [(group(), answer)]);
    // §6.7: a resolver of plain DNS.
    let legacy: SocketAddr = "192.168.1.2:40000".parse().expect("an address");
    let [(to, answer)] = &ask(&mut mdns, legacy, &query(&name, false), now)[..] else {
        panic!("one answer")
    };
    assert_eq!((*to, answer.id, answer.questions.len()), (legacy, 5, 1));
    assert!(!answer.records[0].flushes && answer.records[0].ttl <= 10);
}

#[test]
fn nothing_is_said_to_who_asks_for_another_or_knows() {
    let (mut mdns, name, now) = registered();
    let known = |ttl| Message { records: vec![address(&name, 1, ttl)], ..query(&name, true) };
    let other_family =
        Message { questions: vec![question(&name, AAAA, true)], ..query(&name, true) };
    for silent in [query(NAME, true), known(60), other_family] {
        assert_eq!(ask(&mut mdns, socket(2), &silent, now), vec![], "{silent:?}");
    }
    // RFC 6762 §7.1: knowledge that is older than half its life does not count.
    assert_eq!(ask(&mut mdns, socket(2), &known(59), now).len(), 1);
    // §11: from beyond the link.
    for stranger in ["192.168.2.2:5353", "8.8.8.8:5353"] {
        let stranger = stranger.parse().expect("an address");
        assert_eq!(ask(&mut mdns, stranger, &query(&name, true), now), vec![]);
    }
    let link_local = "169.254.3.4:5353".parse().expect("an address");
    assert_eq!(ask(&mut mdns, link_local, &query(&name, true), now).len(), 1);
}

#[test]
fn a_name_is_asked_for_four_times_and_then_given_up() {
    let mut mdns = machine(2);
    mdns.resolve(&NAME.to_uppercase(), Instant::ZERO).expect("a name");
    mdns.resolve(NAME, Instant::ZERO).expect("it is being asked for");
    let mut times = vec![];
    while let Some(at) = mdns.poll_timeout() {
        mdns.handle_timeout(at);
        for (to, message) in sent(&mut mdns) {
            assert_eq!((to, message.questions.len()), (group(), 2));
            assert!(message.questions.iter().all(|q| q.unicast == (at == Instant::ZERO)));
            times.push(at.as_nanos() / 1_000_000);
        }
        if mdns.poll_timeout().is_none() {
            assert_eq!(at, Instant::from_millis(15_000));
        }
    }
    assert_eq!(times, [0, 1_000, 3_000, 7_000]);
    assert_eq!(mdns.poll_event(), Some(MdnsEvent::Unresolved { name: NAME.to_owned() }));
    assert_eq!(mdns.poll_event(), None);
}

#[test]
fn one_address_is_taken_and_several_are_not() {
    let now = Instant::ZERO;
    let resolved = Some(MdnsEvent::Resolved { name: NAME.to_owned(), address: socket(9).ip() });
    let unresolved = Some(MdnsEvent::Unresolved { name: NAME.to_owned() });
    let other = name::random(&mut ChaCha12Rng::from_seed([3; 32]));
    for (records, expected) in [
        (vec![address(NAME, 9, 120), address(NAME, 9, 120), address(&other, 8, 120)], resolved),
        (vec![address(NAME, 9, 120), address(NAME, 8, 120)], unresolved),
        (vec![address(&other, 9, 120), address(NAME, 9, 0)], None),
    ] {
        let mut mdns = machine(2);
        mdns.resolve(NAME, now).expect("a name");
        let bytes = response(records).write();
        // Not from a port of somebody's own, nor from beyond the link.
        for wrong in ["192.168.1.9:4000", "8.8.8.8:5353"] {
            mdns.handle_datagram(socket(2), wrong.parse().expect("an address"), &bytes, now);
            assert_eq!(mdns.poll_event(), None);
        }
        mdns.handle_datagram(socket(2), socket(9), &bytes, now);
        let is_open = expected.is_none();
        assert_eq!(mdns.poll_event(), expected);
        assert_eq!(mdns.poll_timeout().is_some(), is_open);
    }
}

#[test]
fn names_of_devices_and_too_many_names_are_refused() {
    let (mut mdns, mut rng) = (machine(2), ChaCha12Rng::from_seed([4; 32]));
    assert_eq!(mdns.resolve("printer.local", Instant::ZERO), Err(MdnsError::NotEphemeral));
    for _ in 0..MAX_QUERIES {
        mdns.resolve(&name::random(&mut rng), Instant::ZERO).expect("room");
    }
    assert_eq!(mdns.resolve(&name::random(&mut rng), Instant::ZERO), Err(MdnsError::TooMany));
    // They begin one after another.
    mdns.handle_timeout(Instant::ZERO);
    assert_eq!(sent(&mut mdns).len(), 1);
    mdns.handle_timeout(Instant::from_millis(200));
    assert_eq!(sent(&mut mdns).len(), 10);
    // An own name needs no question.
    let own = mdns.register(socket(2).ip(), Instant::ZERO);
    assert_eq!(mdns.resolve(&own, Instant::ZERO), Ok(()));
    let resolved = MdnsEvent::Resolved { name: own, address: socket(2).ip() };
    assert_eq!(mdns.poll_event(), Some(resolved));
}

#[test]
fn candidates_are_told_without_addresses() {
    let mut mdns = machine(1);
    let text = "candidate:1 1 udp 2130706431 192.168.1.1 5000 typ host";
    let host: Candidate = text.parse().expect("a candidate");
    let name = mdns.register(socket(1).ip(), Instant::ZERO);
    let concealed = mdns.conceal(&host, Instant::ZERO).to_string();
    assert_eq!(concealed, text.replace("192.168.1.1", &name));
    let text =
        "candidate:2 1 udp 1677729535 203.0.113.7 40678 typ srflx raddr 192.168.1.1 rport 5000";
    let reflexive: Candidate = text.parse().expect("a candidate");
    let concealed = mdns.conceal(&reflexive, Instant::ZERO).to_string();
    assert_eq!(concealed, text.replace("192.168.1.1 rport 5000", "0.0.0.0 rport 9"));
}

#[test]
fn a_link_of_ipv6_has_a_group_of_its_own() {
    let [one, two]: [SocketAddr; 2] =
        ["[2001:db8::1]:5353", "[2001:db8::2]:5353"].map(|a| a.parse().expect("an address"));
    let network: Range = "2001:db8::/64".parse().expect("a range");
    let (mut alice, mut bob) = (Mdns::new([1; 32]), Mdns::new([2; 32]));
    alice.add_interface(one, network);
    bob.add_interface(two, network);
    let name = alice.register(one.ip(), Instant::ZERO);
    let [(to, announcement)] = &sent(&mut alice)[..] else { panic!("one link") };
    assert_eq!(to.to_string(), "[ff02::fb]:5353");
    assert_eq!(announcement.records[0].address, one.ip());
    bob.resolve(&name, Instant::ZERO).expect("a name");
    bob.handle_timeout(Instant::ZERO);
    let asked = bob.poll_transmit().expect("a question");
    assert_eq!(asked.five_tuple.remote, *to);
    // Whoever asks may do so from any address of the link, and nobody from beyond it.
    for (source, is_answered) in [
        ("[2001:db8::2]:5353", true),
        ("[fe80::2]:5353", true),
        ("[2001:db8:1::2]:5353", false),
        ("192.168.1.2:5353", false),
    ] {
        let source = source.parse().expect("an address");
        alice.handle_datagram(one, source, &asked.payload, Instant::from_millis(2_000));
        let answer = alice.poll_transmit();
        assert_eq!(answer.is_some(), is_answered, "{source}");
        if let Some(answer) = answer {
            assert_eq!(answer.five_tuple.remote, source, "to whom it is for");
            bob.handle_datagram(two, one, &answer.payload, Instant::from_millis(2_000));
        }
    }
    let resolved = MdnsEvent::Resolved { name, address: one.ip() };
    assert_eq!((bob.poll_event(), bob.poll_event()), (Some(resolved), None));
}
