//! What an operator does with a server: closes it to new clients, sends them elsewhere (RFC 8656 §7.2,
//! checks 10 and 11), ends what is there.

use pinhole_sansio::{FiveTuple, Transport};
use pinhole_stun::Class;
use pinhole_stun::attribute::{AlternateDomain, AlternateServer, ErrorCode};

use super::allocation::Allocation;
use super::refusal::Refusal;
use super::request::Reply;
use super::{Alternate, EndReason, Server};

impl<U> Server<U> {
    /// Takes no new allocations any more: those who want one are sent to the alternate server, or get a
    /// 508. Those who have one keep it, and may use what they have reserved.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Takes new allocations again.
    pub const fn reopen(&mut self) {
        self.draining = false;
    }

    /// Changes where clients are sent that there is no room for.
    pub fn set_alternate(&mut self, alternate: Option<Alternate>) {
        self.config.alternate = alternate;
    }

    /// Ends all allocations of a user, as [`Account::owner`](super::Account::owner) names him, and tells
    /// how many there were. This looks at every allocation. Whether he can have new ones is the business
    /// of [`Users`](super::Users).
    pub fn end_user(&mut self, user: &str) -> usize {
        self.end_where(|allocation| *allocation.owner.name == *user)
    }

    /// Ends all allocations, before the server does, and tells how many there were.
    pub fn end_all(&mut self) -> usize {
        self.end_where(|_| true)
    }

    fn end_where(&mut self, is_one: impl Fn(&Allocation) -> bool) -> usize {
        let keys = self.allocations.keys_where(is_one);
        for &key in &keys {
            self.end_whole(key, EndReason::Operator);
        }
        keys.len()
    }

    /// Ends the allocation of the client on this five-tuple; false if there is none.
    pub fn end_client(&mut self, client: FiveTuple) -> bool {
        let Some(key) = self.by_client.get(&client) else { return false };
        self.end_whole(key, EndReason::Operator);
        true
    }

    /// What a client is told that there is no room for: where to go, or else this.
    pub(super) fn full(&self, client: FiveTuple, refusal: Refusal) -> Refusal {
        let alternate = self.config.alternate.as_ref();
        let source = client.remote.ip().to_canonical();
        match alternate.and_then(|alternate| alternate.addresses(source)) {
            Some(_) => Refusal::TRY_ALTERNATE,
            None => refusal,
        }
    }

    /// Refuses a request, with what the code calls for.
    pub(super) fn refuse(&mut self, reply: &Reply, refusal: Refusal) {
        let alternate = self.config.alternate.clone().filter(|_| refusal == Refusal::TRY_ALTERNATE);
        let source = reply.client.remote.ip().to_canonical();
        let addresses = alternate.as_ref().and_then(|alternate| alternate.addresses(source));
        let is_named = matches!(reply.client.transport, Transport::Tls | Transport::Dtls);
        let domain = alternate.as_ref().and_then(|alternate| alternate.domain.as_deref());
        self.answer(reply, Class::ErrorResponse, |writer| {
            writer.attribute(&ErrorCode::bare(refusal.0))?;
            let Some((first, second)) = addresses else { return Ok(()) };
            writer.attribute(&AlternateServer(first))?;
            if let Some(second) = second {
                writer.attribute(&AlternateServer(second))?;
            }
            if let Some(domain) = domain.filter(|_| is_named) {
                writer.attribute(&AlternateDomain(domain))?;
            }
            Ok(())
        });
    }
}
