//! SDP (RFC 8866) for WebRTC, SIP and RTSP, with every byte kept.
//!
//! - [`Description`] is a view over a text: its lines in order, the session section, the media
//!   sections. Parsing copies nothing. Written out, an unedited description is the text that was
//!   parsed; an edit changes only the lines that it touches.
//! - A [`Section`] finds attributes by name, or by type: `section.get::<Setup>()`. The types parse
//!   their own values, when asked. An attribute that is unknown, or wrong, harms nobody else.
//! - [`Description::check`] tells what a [`Profile`] finds wrong: RFC 8866 to the letter, or what RFC 9429
//!   asks for in WebRTC. [`Description::parse`] itself takes what real endpoints send.
//! - A [`Media`] section answers what an ICE agent wants to know: [`Media::ice`],
//!   [`Media::candidates`].
//! - [`negotiate`] makes offers and answers from what a side can do, and later ones that keep to what was
//!   settled. [`Media::codecs`] and views such as [`OpusParameters`] tell what the formats of a section are.
//! - A [`Fragment`] carries trickled candidates (RFC 8840 §9), over SIP or WHIP.
//! - [`Builder`] writes a description, and refuses values that would smuggle in another line.
//! - An [`Error`] knows its line, its column, what was expected there and which section says so;
//!   [`Error::pointing_at`] shows it under the text.
//!
//! The crate is `no_std` + `alloc` and depends on none of its siblings: `a=candidate` is a text here,
//! and an ICE agent's business there.
//!
//! # Quick start
//! An offer for one data channel, and what the other side learns from it:
//!
//! ```
//! use pinhole_sdp::{
//!     Builder, Candidate, Connection, Description, Fingerprint, Group, IceOptions, IcePassword,
//!     IceUfrag, MaxMessageSize, Mid, Origin, SctpPort, Setup, WriteError,
//! };
//!
//! fn offer(ufrag: &str, password: &str, candidates: &[&str]) -> Result<String, WriteError> {
//!     let description = Builder::new(Origin::anonymous(7_351_028_411, 1))
//!         .attribute(Group::bundle(["0"]))
//!         .media("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel")
//!         .field(Connection::UNSPECIFIED)
//!         .attribute(Mid("0"))
//!         .attribute(IceUfrag(ufrag))
//!         .attribute(IcePassword(password))
//!         .attribute(IceOptions("trickle"))
//!         .attribute(Fingerprint::sha256([0x3c; 32]))
//!         .attribute(Setup::ActPass)
//!         .attribute(SctpPort(5000))
//!         .attribute(MaxMessageSize(262_144))
//!         .attributes(candidates.iter().map(|text| Candidate::from_line(text)))
//!         .finish()?;
//!     Ok(description.to_string())
//! }
//!
//! let candidate = "candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host";
//! let text = offer("8hhY", "asd88fgpdd777uzjYhagZg", &[candidate])?;
//!
//! let description = Description::parse(&text)?;
//! let media = description.media().next().expect("one section was offered");
//! let ice = media.ice()?.expect("the offer has credentials");
//! assert_eq!((media.mid(), ice.ufrag, ice.password), (Some("0"), "8hhY", "asd88fgpdd777uzjYhagZg"));
//! assert!(ice.options.has(IceOptions::TRICKLE));
//! for candidate in media.candidates() {
//!     assert_eq!(candidate, "1 1 udp 2130706431 192.0.2.1 49152 typ host");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is accepted
//! [`Description::parse`] takes the following. What of it the RFCs do not allow, [`Profile::Strict`] finds:
//!
//! | what | who sends it | how it is read |
//! |---|---|---|
//! | LF, or CR CR LF, or no ending at the end | many | as the end of the line |
//! | blank lines, letters that are unknown | copies by hand, old extensions | kept, and passed over |
//! | no `t=`, no `o=`, an empty `s=`, lines in another order | cameras, PBXs | kept; a field is found wherever it stands |
//! | blanks at the end of a line, or after the colon | phones, studio devices | not part of the value |
//! | an `m=` line without formats | gateways | as one with none |
//! | bytes that are not UTF-8 | cameras | as bytes: [`Line::bytes`] |
//! | `-`, `_`, `=`, `#` in ICE credentials | older media servers | as part of them |
//! | fingerprints in lower case | media servers | as in upper case |
//! | `a=simulcast:send rid=1;2`, `a=sctpmap` | older browsers | by [`Simulcast`], by [`Sctpmap`] |
//! | plan B: all tracks of a kind in one section | older browsers | by [`Media::tracks`]; not written |
//! | ICE and DTLS attributes for the whole session | Firefox, lite servers | by [`Media::ice`], [`Media::get_or_inherit`] |
//! | an attribute that is unknown, or breaks its own grammar | everybody | kept; an error for those who ask for it |
//!
//! What some servers do, and what becomes of it:
//!
//! | endpoint | what it does | what becomes of it |
//! |---|---|---|
//! | Asterisk | `RTP/AVP` or `RTP/SAVP` with keys, RTCP on a port of its own, no BUNDLE | read; answered where [`require_rtcp_mux`](negotiate::Capabilities::require_rtcp_mux) is off, each section with a transport of its own |
//! | FreeSWITCH | answers without mid, `mslabel` and `label` of sources, priorities such as 659136 | the answer fits; [`Media::tracks`]; priorities are the ICE agent's to read |
//! | Kurento | DTLS under `RTP/SAVPF`, tags such as `audio0`, port 1, a second fingerprint for the session | accepted in offers; the section's fingerprint counts; an answer with another protocol than the offer's is found out (RFC 9429 §5.8.3) |
//! | Janus | lite for the session, `c=` after attributes, rejected sections with `a=inactive` | read; the strict profile finds the order |
//!
//! It refuses what makes lines and sections ambiguous: another first line than `v=0`, a line that is not
//! `<letter>=<value>`, NUL and CR within a line, an `m=` line without type, port (to 65535) and protocol.
//!
//! # Deliberately absent
//! - Character sets other than UTF-8: their bytes are kept and shown as bytes, and not converted
//!   (RFC 8866 §6.10).
//! - Attribute names without regard to case, which RFC 8840 §9.2 asks of the readers of fragments: RFC
//!   8866 §5.13 has them case-sensitive, and every sender writes them in lower case.
//! - Choosing header extensions: that of the mid, which RFC 9143 §9.1 wants in each bundled section, is one
//!   of those that the capabilities list.
//! - "Implementations ... SHOULD ignore attempts by the application to select" max-bundle (RFC 9429 §4.1.1):
//!   [`BundlePolicy::MaxBundle`](negotiate::BundlePolicy::MaxBundle) stays as an option, for offers that look like
//!   a browser's. The default is the balanced one. Chromium takes the offers of every policy.
//! - "SHOULD generally be at the media level" (RFC 9429 §5.2.1), for one attribute: an offer with sections that tell
//!   no transport of their own tells its fingerprint for the session as well (RFC 8122 §5), because Chromium
//!   rejects what follows a section without one.
//! - A parser generator or combinators such as `nom`. A view of a browser's offer takes 1.4 times the
//!   instructions that finding the ends of its lines takes, and two allocations (`benches/`): there is little left to
//!   win. Values are read from the front by a small [`Reader`], which borrows, and whose errors have the column and
//!   the words for what was expected that [`Error`] shows; types of your own use the same one.
//! - Acting on an attribute. This crate tells what a text says (RFC 8866 §7).

#![forbid(unsafe_code)]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod attribute;
mod builder;
mod check;
mod codec;
mod decimal;
mod description;
mod edit;
mod field;
mod fragment;
mod ice;
mod media;
pub mod negotiate;
mod section;
mod text;
mod track;
mod value;
mod write;

pub use attribute::*;
pub use builder::Builder;
pub use check::Profile;
pub use codec::{
    Av1Parameters, Codec, H264Level, H264Parameters, H264ProfileLevel, H265Parameters,
    OpusParameters, RedParameters, RtxParameters, TelephoneEventParameters, Vp8Parameters,
    Vp9Parameters,
};
pub use decimal::Decimal;
pub use description::Description;
pub use edit::Place;
pub use field::{Bandwidth, Connection, Origin, SessionName, Timing};
pub use fragment::Fragment;
pub use ice::IceDescription;
pub use media::Media;
pub use section::Section;
pub use text::{Attribute, Error, ErrorKind, Limit, Limits, Line, Pointer, Reader, ValueError};
pub use track::Track;
pub use value::{TypedAttribute, TypedField, Value};
pub use write::WriteError;
