//! Every attribute: its bytes, and back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use core::fmt::Debug;
use core::time::Duration;

use pinhole_stun::attribute::{Attribute, AttributeError, AttributeWrite, ErrorCode, Family};
use pinhole_stun::{
    AttributeType, Class, Message, MessageWriter, Method, RawAttribute, TransactionId,
};
use pinhole_turn::attribute::{
    AdditionalAddressFamily, AddressErrorCode, Channel, ConnectionId, Data, DontFragment, EvenPort,
    Icmp, Lifetime, MobilityTicket, RequestedAddressFamily, RequestedTransport, ReservationToken,
    XorPeerAddress, XorRelayedAddress,
};

const ID: TransactionId = TransactionId::new([7; 12]);

/// Writes the attribute between bytes of 0xa5, compares its value, and reads it again.
macro_rules! reads_back {
    ($attribute:expr, $name:ty, $value:expr) => {{
        let mut buffer = [0xa5; 256];
        let written = write(&mut buffer, &$attribute);
        let message = Message::parse(written).unwrap();
        assert_eq!(message.raw(<$name>::KIND).unwrap(), &$value[..]);
        assert_eq!(message.get::<$name>().unwrap(), Some($attribute));
    }};
}

fn write<'b>(buffer: &'b mut [u8], attribute: &impl AttributeWrite) -> &'b [u8] {
    let mut writer = MessageWriter::new(buffer, Class::Request, Method::ALLOCATE, ID).unwrap();
    writer.attribute(attribute).unwrap();
    writer.finish()
}

/// What reading this value as an `A` says, which no writer here would write.
fn error_of<A: for<'a> Attribute<'a> + Debug>(value: &[u8]) -> AttributeError {
    let mut buffer = [0; 256];
    let padded = [value, &[0; 4]].concat();
    let padded = &padded[..value.len().next_multiple_of(4)];
    let any = AttributeType::new(0x7ffe);
    let length = write(&mut buffer, &RawAttribute { kind: any, value: padded }).len();
    buffer[20..22].copy_from_slice(&A::KIND.value().to_be_bytes());
    buffer[23] = u8::try_from(value.len()).unwrap();
    Message::parse(&buffer[..length]).unwrap().get::<A>().unwrap_err()
}

#[test]
fn numbers_and_flags_read_back() {
    reads_back!(Lifetime(Duration::from_secs(600)), Lifetime, [0, 0, 2, 88]);
    reads_back!(Lifetime(Duration::from_secs(u32::MAX.into())), Lifetime, [255; 4]);
    let mut buffer = [0xa5; 64];
    let written = write(&mut buffer, &Lifetime(Duration::MAX));
    assert_eq!(Message::parse(written).unwrap().raw(Lifetime::KIND), Some(&[255; 4][..]));
    reads_back!(RequestedTransport::UDP, RequestedTransport, [17, 0, 0, 0]);
    reads_back!(Channel(0x4001), Channel, [0x40, 1, 0, 0]);
    reads_back!(Channel(0x7fff), Channel, [0x7f, 0xff, 0, 0]);
    reads_back!(EvenPort { reserve_next: true }, EvenPort, [0x80]);
    reads_back!(EvenPort { reserve_next: false }, EvenPort, [0]);
    reads_back!(ReservationToken(*b"abcdefgh"), ReservationToken, *b"abcdefgh");
    reads_back!(DontFragment, DontFragment, []);
    reads_back!(ConnectionId(0x0102_0304), ConnectionId, [1, 2, 3, 4]);
    let icmp = Icmp { kind: 3, code: 4, data: 1_400 };
    reads_back!(icmp, Icmp, [0, 0, 3, 4, 0, 0, 5, 120]);
}

/// RFC 8656 §18.13: "the Error Data field MUST be set to zero" where the message tells no MTU.
#[test]
fn what_is_no_mtu_is_not_told() {
    for (kind, code, data) in
        [(3, 4, 1_400), (2, 0, 1_400), (3, 3, 0), (3, 1, 0), (11, 0, 0), (1, 4, 0)]
    {
        let mut buffer = [0xa5; 256];
        let written = write(&mut buffer, &Icmp { kind, code, data: 1_400 });
        let read = Message::parse(written).unwrap().get();
        assert_eq!(read, Ok(Some(Icmp { kind, code, data })));
    }
}

/// RFC 8656 §18.1, §18.6, §18.8, §18.12, §18.13: what is reserved "MUST be ignored" by whoever reads it.
#[test]
fn reserved_bits_mean_nothing() {
    fn read<A: for<'a> Attribute<'a> + AttributeWrite + PartialEq + Debug>(value: &[u8], as_if: A) {
        let mut buffer = [0; 64];
        let written = write(&mut buffer, &RawAttribute { kind: A::KIND, value });
        assert_eq!(Message::parse(written).unwrap().get(), Ok(Some(as_if)));
    }
    read(&[0x40, 1, 0xff, 0xff], Channel(0x4001));
    read(&[2, 0xff, 0xff, 0xff], RequestedAddressFamily(Family::Ipv6));
    read(&[2, 0xff, 0xff, 0xff], AdditionalAddressFamily(Family::Ipv6));
    read(&[17, 0xff, 0xff, 0xff], RequestedTransport::UDP);
    read(&[0x7f], EvenPort { reserve_next: false });
    read(&[0xff], EvenPort { reserve_next: true });
    read(&[0xff, 0xff, 3, 3, 0, 0, 0, 0], Icmp { kind: 3, code: 3, data: 0 });
    let mut buffer = [0; 64];
    let value = b"\x02\xff\xfc\x28none";
    let written = write(&mut buffer, &RawAttribute { kind: AddressErrorCode::KIND, value });
    let error = ErrorCode { code: 440, reason: "none" };
    let missing = AddressErrorCode { family: Family::Ipv6, error };
    assert_eq!(Message::parse(written).unwrap().get(), Ok(Some(missing)));
}

#[test]
fn data_and_tickets_read_back_at_every_padding() {
    for length in 0..9 {
        let bytes = &b"12345678"[..length.min(8)];
        reads_back!(Data(bytes), Data<'_>, bytes);
        reads_back!(MobilityTicket(bytes), MobilityTicket<'_>, bytes);
    }
}

#[test]
fn addresses_are_masked_with_cookie_and_id() {
    let peer = "192.0.2.1:32853".parse().unwrap();
    reads_back!(XorPeerAddress(peer), XorPeerAddress, [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    let relayed = "[2001:db8::1]:49152".parse().unwrap();
    let mut value = [0, 2, 0xe1, 0x12, 0x01, 0x13, 0xa9, 0xfa].to_vec();
    value.extend([7; 11]);
    value.push(6);
    reads_back!(XorRelayedAddress(relayed), XorRelayedAddress, value);
}

#[test]
fn families_read_back_and_others_are_told_apart() {
    reads_back!(RequestedAddressFamily(Family::Ipv4), RequestedAddressFamily, [1, 0, 0, 0]);
    reads_back!(AdditionalAddressFamily(Family::Ipv6), AdditionalAddressFamily, [2, 0, 0, 0]);
    let error = ErrorCode { code: 440, reason: "none" };
    let missing = AddressErrorCode { family: Family::Ipv6, error };
    reads_back!(missing, AddressErrorCode<'_>, *b"\x02\0\x04\x28none");
    assert_eq!(error_of::<RequestedAddressFamily>(&[3, 0, 0, 0]), AttributeError::Family(3));
}

#[test]
fn values_of_the_wrong_length_are_refused() {
    fn length_of(error: AttributeError) -> Option<usize> {
        if let AttributeError::Length { length, .. } = error { Some(length) } else { None }
    }
    assert_eq!(length_of(error_of::<Lifetime>(&[0; 3])), Some(3));
    assert_eq!(length_of(error_of::<RequestedTransport>(&[17])), Some(1));
    assert_eq!(length_of(error_of::<Channel>(&[0x40, 0])), Some(2));
    assert_eq!(length_of(error_of::<EvenPort>(&[])), Some(0));
    assert_eq!(length_of(error_of::<ReservationToken>(&[0; 9])), Some(9));
    assert_eq!(length_of(error_of::<DontFragment>(&[0])), Some(1));
    assert_eq!(length_of(error_of::<Icmp>(&[0; 4])), Some(4));
}

#[test]
fn debug_output_shows_no_token_and_no_ticket() {
    let text = format!("{:?} {:?}", ReservationToken(*b"abcdefgh"), MobilityTicket(b"secret"));
    assert_eq!(text, "ReservationToken(..) MobilityTicket(6 bytes)");
}
