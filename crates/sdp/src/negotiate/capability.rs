use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{
    Codec, Description, Direction, Extmap, MaxMessageSize, Media, SctpPort, Simulcast,
    TypedAttribute,
};

/// What this side can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// For each media type, such as `audio`, what is sent and received over RTP. None: not wanted.
    pub rtp: BTreeMap<String, RtpCapability>,
    /// Data channels, if they are wanted.
    pub data: Option<DataCapability>,
    /// Whether sections are refused that do not share one port for RTP and RTCP (RFC 9429 §4.1.1).
    pub require_rtcp_mux: bool,
    /// Whether several sections may share a transport.
    pub bundle: BundlePolicy,
}

impl Default for Capabilities {
    /// Nothing, and the policies that RFC 9429 §4.1.1 makes the default: balanced, RTCP on RTP's port.
    fn default() -> Self {
        let (rtp, bundle) = (BTreeMap::new(), BundlePolicy::default());
        Self { rtp, data: None, require_rtcp_mux: true, bundle }
    }
}

impl Capabilities {
    /// What an earlier description of this side shows that it can do: for each media type, what the
    /// first section of it says. It shows no policies: RTCP may have a port of its own.
    #[must_use]
    pub fn shown_by(description: &Description<'_>) -> Self {
        let mut shown = Self { require_rtcp_mux: false, ..Self::default() };
        for media in description.media() {
            if let Ok(Some(SctpPort(sctp_port))) = media.get() {
                let size = media.get().ok().flatten().unwrap_or(DEFAULT_MESSAGE_SIZE);
                shown.data.get_or_insert(DataCapability { sctp_port, max_message_size: size.0 });
            } else if !shown.rtp.contains_key(media.kind()) {
                shown.rtp.insert(media.kind().to_string(), RtpCapability::shown_by(&media));
            }
        }
        shown
    }
}

impl RtpCapability {
    fn shown_by(media: &Media<'_>) -> Self {
        let extensions = media.get_all::<Extmap<'_>>().flatten();
        Self {
            codecs: media.codecs().into_iter().map(|(_, codec)| codec).collect(),
            extensions: extensions.map(|extension| extension.uri.to_string()).collect(),
            direction: media
                .direction()
                .or_else(|| media.session().direction())
                .unwrap_or_default(),
            simulcast: media.has(Simulcast::NAME),
        }
    }
}

/// Where the attribute is absent, "the default value is 64K" (RFC 8841 §6.1).
const DEFAULT_MESSAGE_SIZE: MaxMessageSize = MaxMessageSize(65_536);

/// Which sections may share a transport (RFC 9143), and what an offer does for endpoints that know
/// nothing of that (RFC 9429 §4.1.1). An answer takes up the groups of the offer, unless the policy is
/// [`Never`](Self::Never).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BundlePolicy {
    /// None.
    Never,
    /// All, but each section of an offer has a transport of its own to fall back to.
    MaxCompat,
    /// All, but the first section of each media type in an offer has one to fall back to. The others are
    /// bundle-only. An answer to an offer without groups rejects them. "If no policy is specified"
    /// (RFC 9429 §4.1.1), this is it.
    #[default]
    Balanced,
    /// All, and each section of an offer repeats the first one's transport. Browsers call it so and do
    /// so, although RFC 9429 has another meaning for it.
    MaxBundle,
    /// All, and each section of an offer but the first is bundle-only. An answer rejects what is not
    /// bundled with the first.
    MustBundle,
}

/// What is sent and received of one media type.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RtpCapability {
    /// The formats in order of preference. An `rtx` or `red` among them stands for one for each format.
    pub codecs: Vec<Codec>,
    /// The URIs of the header extensions that are understood.
    pub extensions: Vec<String>,
    /// In which directions media may flow.
    pub direction: Direction,
    /// Whether several versions of one media may be received or sent at a time (RFC 8853).
    pub simulcast: bool,
}

/// How data channels are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataCapability {
    /// The SCTP port inside DTLS, by custom 5000.
    pub sctp_port: u16,
    /// The most bytes of one message that are taken; zero for any size (RFC 8841 §6).
    pub max_message_size: u64,
}
