use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::BundlePolicy;
use super::settled::IceCredentials;
use crate::{Codec, Direction};

/// What an offer or an answer will say, section by section, to be read, changed or vetoed before it is
/// written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The media sections in order. An answer has those of its offer.
    pub sections: Vec<SectionPlan>,
    /// The mids of each BUNDLE group, the one whose section tells the transport first.
    pub bundles: Vec<Vec<String>>,
    pub(super) part: Part,
}

/// Which part of the exchange a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An offer, and what it does for endpoints that do not bundle.
    Offer(BundlePolicy),
    /// An answer.
    Answer,
}

/// What becomes of one media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionPlan {
    /// The media type.
    pub kind: String,
    /// The transport protocol.
    pub protocol: String,
    /// The formats of the offer, which a rejected section repeats.
    pub offered_formats: String,
    /// The identification tag.
    pub mid: Option<String>,
    /// What it is used for, or why not.
    pub outcome: Result<Use, Rejection>,
    /// Whether the offer restarts ICE for it: the answer then has new credentials (RFC 8839 §4.4.2).
    pub restarts_ice: bool,
    /// The credentials of this side so far, which a restart must not repeat.
    pub(super) own_ice: Option<IceCredentials>,
    /// Whether the offer tells a `tls-id`, without which an answer may tell none.
    pub(super) offered_tls_id: bool,
    /// The side that the offer takes in DTLS; in a plan of an offer there is none yet.
    pub(super) offered_setup: Option<crate::Setup>,
    /// This side's part of a DTLS association that there is already.
    pub(super) role: Option<crate::Setup>,
    pub(super) standing: Standing,
}

/// What a section is to the BUNDLE groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is offered for the first time.
    New,
    /// It was settled and is in no group.
    Alone,
    /// It was settled that it is in a group, or it is added to one. In an answer: it cannot be rejected
    /// alone, because all of the group depend on it.
    Bundled,
    /// It is offered as `a=bundle-only`: it cannot tell the transport.
    BundleOnly,
}

/// What a section is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Media over RTP.
    Rtp(RtpPlan),
    /// Data channels.
    Data(DataPlan),
}

/// Media over RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpPlan {
    /// The formats by payload type, in order of preference.
    pub formats: Vec<(u8, Codec)>,
    /// In which directions media flows, seen from this side.
    pub direction: Direction,
    /// The header extensions by number.
    pub extensions: Vec<(u16, String)>,
    /// Whether RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// Whether an offer insists on that (RFC 8858). An answer never says so.
    pub rtcp_mux_only: bool,
    /// Whether RTCP packets may be of reduced size.
    pub rtcp_rsize: bool,
    /// The ids of the media streams that what this side sends belongs to; none for a track on its own.
    pub streams: Vec<String>,
    /// Several versions at a time, if wanted.
    pub simulcast: Option<SimulcastPlan>,
}

/// Several versions of one media at a time, in one direction or in both (RFC 8853 §5.1): the names of the
/// versions, for each stream in order of preference, with the names of its alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulcastPlan {
    /// What this side sends.
    pub send: Vec<Vec<String>>,
    /// What this side receives.
    pub recv: Vec<Vec<String>>,
}

impl SimulcastPlan {
    /// `None` if there is nothing to tell.
    pub(super) fn of(send: Vec<Vec<String>>, recv: Vec<Vec<String>>) -> Option<Self> {
        (!send.is_empty() || !recv.is_empty()).then_some(Self { send, recv })
    }
}

/// Data channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPlan {
    /// This side's SCTP port.
    pub sctp_port: u16,
    /// The most bytes of one message that this side takes.
    pub max_message_size: u64,
}

/// Why a section is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The offer itself has it at port zero.
    #[error("the offer itself rejects it")]
    ByOffer,
    /// It is offered only together with others (`a=bundle-only`), which are not accepted; or this side
    /// wants it only so.
    #[error("it is not bundled with the others")]
    NotBundled,
    /// This side has no use for its media type.
    #[error("its media type is not wanted")]
    NotWanted,
    /// Its transport protocol is none of WebRTC.
    #[error("its transport protocol is unknown")]
    UnknownProtocol,
    /// No format is common to both sides.
    #[error("no codec is common to both sides")]
    NoCommonCodec,
    /// RTCP would need a port of its own.
    #[error("its RTCP needs a port of its own")]
    NoRtcpMux,
    /// Its DTLS role cannot be answered.
    #[error("its part of the DTLS connection cannot be answered")]
    NoDtlsRole,
    /// The application decided so.
    #[error("the application decided so")]
    Vetoed,
}

impl SectionPlan {
    /// Rejects the section whatever it was used for.
    pub fn veto(&mut self) {
        self.outcome = Err(Rejection::Vetoed);
    }

    /// Whether it is this side that rejects it.
    fn is_refused(&self) -> bool {
        self.outcome.as_ref().is_err_and(|reason| *reason != Rejection::ByOffer)
    }
}

/// Why an answer cannot move a section out of its BUNDLE group (RFC 9143 §7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// An offer moves sections by its own groups.
    #[error("only an answer moves a section out of a group")]
    NotAnAnswer,
    /// There is no such section in a group, or it is rejected.
    #[error("no accepted section of this tag is in a group")]
    NotBundled,
    /// The group was negotiated before: an offer has to do it.
    #[error("the group was negotiated before, so that it takes an offer")]
    Negotiated,
    /// The offer has it only bundled, so that it has no address of its own there.
    #[error("the offer has the section only bundled")]
    BundleOnly,
}

impl Plan {
    /// Moves a section out of its BUNDLE group, so that it has a transport of its own (RFC 9143 §7.3.2).
    ///
    /// # Errors
    /// [`BundleError`]: then the section is kept or rejected.
    pub fn move_out_of_bundle(&mut self, mid: &str) -> Result<(), BundleError> {
        if self.part != Part::Answer {
            return Err(BundleError::NotAnAnswer);
        }
        let section = self.sections.iter().find(|own| own.mid.as_deref() == Some(mid));
        let section = section.filter(|own| own.outcome.is_ok()).ok_or(BundleError::NotBundled)?;
        match section.standing {
            Standing::Bundled => return Err(BundleError::Negotiated),
            Standing::BundleOnly => return Err(BundleError::BundleOnly),
            Standing::New | Standing::Alone => {}
        }
        let group = self.bundles.iter_mut().find(|group| group.iter().any(|own| own == mid));
        group.ok_or(BundleError::NotBundled)?.retain(|own| own != mid);
        Ok(())
    }

    /// Rejects what cannot stand without another section that is rejected. An answer then names the first
    /// section that can tell the transport first (RFC 9143 §7.3.1).
    pub(super) fn make_consistent(&mut self) {
        if self.part != Part::Answer {
            return;
        }
        // From the last one on, so that the first section of a tag counts.
        let sections = self.sections.iter().rev();
        let tagged: BTreeMap<&str, &SectionPlan> =
            sections.filter_map(|section| Some((section.mid.as_deref()?, section))).collect();
        let find = |mid: &String| tagged.get(mid.as_str()).copied();
        let may_tell = |mid: &String| {
            find(mid).is_some_and(|own| own.outcome.is_ok() && own.standing != Standing::BundleOnly)
        };
        let mut lost = BTreeSet::new();
        for group in &mut self.bundles {
            let depends = group
                .first()
                .and_then(find)
                .is_some_and(|own| own.is_refused() && own.standing == Standing::Bundled);
            match group.iter().position(may_tell).filter(|_| !depends) {
                Some(tag) => group.get_mut(..=tag).unwrap_or_default().rotate_right(1),
                None => lost.extend(group.iter().cloned()),
            }
        }
        let is_lost = |section: &&mut SectionPlan| {
            section.outcome.is_ok() && section.mid.as_ref().is_some_and(|mid| lost.contains(mid))
        };
        for section in self.sections.iter_mut().filter(is_lost) {
            section.outcome = Err(Rejection::NotBundled);
        }
    }

    /// The BUNDLE groups without the sections that are rejected.
    pub(super) fn live_bundles(&self) -> Vec<Vec<&str>> {
        let live: BTreeSet<&str> = self
            .sections
            .iter()
            .filter(|section| section.outcome.is_ok())
            .filter_map(|section| section.mid.as_deref())
            .collect();
        let groups = self.bundles.iter().map(|group| {
            group.iter().map(String::as_str).filter(|mid| live.contains(mid)).collect::<Vec<_>>()
        });
        groups.filter(|group| !group.is_empty()).collect()
    }
}
