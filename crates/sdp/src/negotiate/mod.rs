//! Offer and answer (RFC 3264) for WebRTC (RFC 9429), as functions without side effects.
//!
//! ```text
//! Plan::offer(capabilities, wanted) ──► Plan ──► Description         read it, change it, veto a section
//! Plan::answer(capabilities, offer) ──► Plan ──► Description
//! answer.check_answer_to(offer)     ──► what is wrong with it
//! SignalingState::after(side, kind) ──► whose turn it is
//! Carrier::kind(state)              ──► whether a SIP or WHIP message has an offer or an answer
//! Settled ◄── each offer and its answer      Plan::offer_after, Plan::answer_after keep to it
//! ```
//!
//! A plan depends on the capabilities and the offer alone, so that answering again gives the same. How an
//! offer treats endpoints that do not bundle is up to the [`BundlePolicy`]. What an answer chooses:
//!
//! - formats by the rules of each payload format, in the offer's order and with its payload types;
//!   retransmissions and redundancy of those formats;
//! - header extensions and feedback that both know, the direction that both allow;
//! - the versions of a simulcast that have a common format;
//! - the BUNDLE groups without the sections that are rejected, the DTLS role that is left.
//!
//! # Once more
//! A session goes on with [`Plan::offer_after`] and [`Plan::answer_after`]. [`Settled`] is all that they
//! want to know of the past: give it each offer with its answer. An offer names the sections that it means
//! by their mids; to hold one, give it the direction [`Direction::on_hold`](crate::Direction::on_hold).
//! [`Description::ice_restarts`](crate::Description::ice_restarts) finds where the other side restarts ICE.
//!
//! # VP8 and H.264 meet VP9 and H.264
//! ```
//! use pinhole_sdp::negotiate::{Capabilities, Plan, RtpCapability, Transport, Wanted};
//! use pinhole_sdp::{Codec, Fingerprint, Origin};
//!
//! let h264 = Codec::new("H264", 90_000, 1)
//!     .with_parameters("packetization-mode=1;profile-level-id=42e01f");
//! let side = |other: &str| Capabilities {
//!     rtp: [("video".to_owned(), RtpCapability {
//!         codecs: vec![Codec::new(other, 90_000, 1), h264.clone()],
//!         ..RtpCapability::default()
//!     })]
//!     .into(),
//!     ..Capabilities::default()
//! };
//! let transport = |ufrag| Transport {
//!     ufrag,
//!     password: "asd88fgpdd777uzjYhagZg",
//!     options: "trickle",
//!     fingerprint: Fingerprint::sha256([7; 32]),
//!     tls_id: None,
//!     candidates: vec![],
//!     end_of_candidates: false,
//! };
//!
//! let offer = Plan::offer(&side("VP8"), &[Wanted::new("video")])
//!     .write(Origin::anonymous(1, 1), |_| transport("8hhY"))?;
//! let answer = Plan::answer(&side("VP9"), &offer)
//!     .write(Origin::anonymous(2, 1), |_| transport("9uB6"))?;
//!
//! assert!(answer.check_answer_to(&offer).is_empty());
//! let video = answer.media().next().expect("the offer has one section");
//! let (_, codec) = &video.codecs()[0];
//! assert_eq!((codec.name.as_str(), video.codecs().len()), ("H264", 1));
//! # Ok::<(), pinhole_sdp::WriteError>(())
//! ```

mod accept;
mod capability;
mod carrier;
mod check;
mod number;
mod offer;
mod plan;
mod rtp;
mod settled;
mod state;
mod write;

pub use capability::{BundlePolicy, Capabilities, DataCapability, RtpCapability};
pub use carrier::Carrier;
pub use offer::Wanted;
pub use plan::{BundleError, DataPlan, Plan, Rejection, RtpPlan, SectionPlan, SimulcastPlan, Use};
pub use settled::Settled;
pub use state::{DescriptionKind, Side, SignalingState, passes_over_offer};
pub use write::Transport;
