use pinhole_stun::{Message, Method};

use super::mobility::shard_of;
use crate::attribute::{ConnectionId, MobilityTicket, ReservationToken};

/// Allocate, Refresh and ConnectionBind requests, by their first two bytes.
const KINDS: [[u8; 2]; 3] = [[0, 0x03], [0, 0x04], [0, 0x0b]];

/// Which machine of one server a client's datagram asks for, where the kernel may have given it to
/// another one: by the RESERVATION-TOKEN of an Allocate, the ticket of a Refresh, or the CONNECTION-ID of
/// a ConnectionBind request. `None` for all others, which is where their five-tuple is.
///
/// The number is the [`Config::shard`](super::Config::shard) of the machine that has made the attribute,
/// or whatever a liar says; nothing is verified here.
#[inline]
#[must_use]
pub fn home(datagram: &[u8]) -> Option<u8> {
    let is_one = datagram.first_chunk().is_some_and(|kind| KINDS.contains(kind));
    if is_one { named(datagram) } else { None }
}

fn named(datagram: &[u8]) -> Option<u8> {
    let message = Message::parse_structure(datagram).ok()?;
    match message.method() {
        Method::ALLOCATE => message.get().ok()?.map(|ReservationToken([shard, ..])| shard),
        Method::REFRESH => {
            let MobilityTicket(ticket) = message.get().ok()??;
            shard_of(ticket)
        }
        _ => message.get().ok()?.map(|ConnectionId(id)| (id >> 24) as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Lifetime, RequestedTransport};
    use core::time::Duration;
    use pinhole_stun::attribute::AttributeWrite;
    use pinhole_stun::{Class, MessageWriter, TransactionId};

    fn home_of(class: Class, method: Method, attributes: &[&dyn AttributeWrite]) -> Option<u8> {
        let mut buffer = [0xa5; 256];
        let id = TransactionId::new([7; 12]);
        let mut writer = MessageWriter::new(&mut buffer, class, method, id).unwrap();
        for attribute in attributes {
            writer.attribute(*attribute).unwrap();
        }
        home(writer.finish())
    }

    #[test]
    fn an_attribute_names_the_machine_that_made_it() {
        let (token, id) = (ReservationToken([3, 1, 1, 1, 1, 1, 1, 1]), ConnectionId(0x0501_0203));
        let text = b"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ"; // 24 bytes of nine
        let (ticket, wanted) = (MobilityTicket(text), MobilityTicket(&[]));
        let lifetime = Lifetime(Duration::ZERO);
        let request = |method, attributes: &[&dyn AttributeWrite]| {
            home_of(Class::Request, method, attributes)
        };
        assert_eq!(request(Method::ALLOCATE, &[&RequestedTransport::UDP, &token]), Some(3));
        assert_eq!(request(Method::REFRESH, &[&lifetime, &ticket]), Some(9));
        assert_eq!(request(Method::CONNECTION_BIND, &[&id]), Some(5));

        assert_eq!(request(Method::ALLOCATE, &[&RequestedTransport::UDP, &wanted]), None);
        assert_eq!(request(Method::REFRESH, &[&lifetime]), None);
        assert_eq!(request(Method::REFRESH, &[&wanted]), None);
        assert_eq!(request(Method::REFRESH, &[&MobilityTicket(&text[1..])]), None);
        assert_eq!(request(Method::CONNECT, &[&id]), None);
        assert_eq!(home_of(Class::SuccessResponse, Method::ALLOCATE, &[&token]), None);
        for bytes in [&[][..], &[0], &[0, 3], &[0, 3, 0, 0], &[0x40, 0, 0, 0]] {
            assert_eq!(home(bytes), None);
        }
    }
}
