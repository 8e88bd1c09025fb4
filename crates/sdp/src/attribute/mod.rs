//! Typed attributes, one file for each family.

mod crypto;
mod data;
mod dtls;
mod format;
mod group;
mod ice;
mod image;
pub(crate) mod registry;
mod rtcp;
mod rtp;
mod simulcast;
mod source;
mod stream;

pub use crypto::Crypto;
pub use data::{Dcmap, MaxMessageSize, SctpPort, Sctpmap};
pub use dtls::{Fingerprint, Setup, TlsId};
pub use format::{Extmap, ExtmapAllowMixed, Fmtp, MaxPtime, Ptime};
pub use group::{BundleOnly, Group, Mid};
pub use ice::{
    Candidate, EndOfCandidates, IceLite, IceMismatch, IceOptions, IcePacing, IcePassword, IceUfrag,
    RemoteCandidate, RemoteCandidates,
};
pub use image::{ImageAttr, ImageSet, ImageSizes};
pub use rtcp::{Rtcp, RtcpFb, RtcpMux, RtcpMuxOnly, RtcpRsize};
pub use rtp::{Direction, Rtpmap};
pub use simulcast::{Alternative, Rid, Simulcast, Stream, Way};
pub use source::{Msid, Ssrc, SsrcGroup};
pub use stream::{
    Content, Control, Framerate, Identity, Label, Lang, MediaClk, Quality, Range, SourceFilter,
    TsRefclk,
};

/// Defines an attribute that has a name and no value.
macro_rules! flag {
    ($(#[$docs:meta])* $type:ident, $name:literal, $section:literal) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type;

        impl $crate::Value<'_> for $type {
            const SECTION: &'static str = $section;

            fn parse(_: &mut $crate::Reader<'_>) -> Result<Self, $crate::ValueError> {
                Ok(Self)
            }
        }

        impl $crate::TypedAttribute<'_> for $type {
            const NAME: &'static str = $name;
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                Ok(())
            }
        }
    };
}
pub(crate) use flag;

/// Defines an attribute that wraps one value, which it reads with `$read` and writes as it is.
macro_rules! wrapper {
    ($(#[$docs:meta])* $type:ident$(<$a:lifetime>)?($inner:ty), $name:literal, $section:literal, $read:expr) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type$(<$a>)?(pub $inner);

        impl<'a> $crate::Value<'a> for $type$(<$a>)? {
            const SECTION: &'static str = $section;

            fn parse(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::ValueError> {
                $read(reader).map(Self)
            }
        }

        impl<'a> $crate::TypedAttribute<'a> for $type$(<$a>)? {
            const NAME: &'static str = $name;
        }

        impl$(<$a>)? core::fmt::Display for $type$(<$a>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}
pub(crate) use wrapper;
