use super::*;
use crate::{Attribute, Error, TypedAttribute};

/// Where an attribute may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Session,
    Media,
    Either,
}

/// What is known of an attribute that has a type.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// Whether a section has it at most once.
    pub(crate) once: bool,
    /// Checks the value against the grammar.
    pub(crate) check: fn(&Attribute<'_>) -> Result<(), Error>,
}

/// What is known of the attribute of this name.
pub(crate) fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

macro_rules! known {
    ($($type:ident $level:ident $once:literal),* $(,)?) => {
        &[$(Known {
            name: $type::NAME,
            level: Level::$level,
            once: $once,
            check: |attribute| attribute.parse::<$type>().map(|_| ()),
        }),*]
    };
}

/// The levels are those of the attributes' own sections.
static KNOWN: &[Known] = known![
    BundleOnly Media true,
    Candidate Media false,
    Content Media true,
    Control Either true,
    Crypto Media false,
    Dcmap Media false,
    EndOfCandidates Either true,
    Extmap Either false,
    ExtmapAllowMixed Either true,
    Fingerprint Either false,
    Fmtp Media false,
    Framerate Media true,
    Group Session false,
    IceLite Session true,
    IceMismatch Media true,
    IceOptions Either true,
    IcePacing Session true,
    IcePassword Either true,
    IceUfrag Either true,
    Identity Session false,
    ImageAttr Media false,
    Label Media true,
    Lang Either false,
    MaxMessageSize Media true,
    MaxPtime Media true,
    MediaClk Either false,
    Mid Media true,
    Msid Media false,
    Ptime Media true,
    Quality Media true,
    Range Either true,
    RemoteCandidates Media true,
    Rid Media false,
    Rtcp Media true,
    RtcpFb Media false,
    RtcpMux Media true,
    RtcpMuxOnly Media true,
    RtcpRsize Media true,
    Rtpmap Media false,
    SctpPort Media true,
    Sctpmap Media true,
    Setup Either true,
    Simulcast Media true,
    SourceFilter Either false,
    Ssrc Media false,
    SsrcGroup Media false,
    TlsId Either true,
    TsRefclk Either false,
];
