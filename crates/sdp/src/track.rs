use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Media, Msid, Ssrc, Value};

/// What a media section sends, with the RTP sources that carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track<'d> {
    /// The media stream and the track in it, where the section tells.
    pub msid: Option<Msid<'d>>,
    /// The sources, in the order in which they are first told; retransmissions among them.
    pub sources: Vec<u32>,
}

impl<'d> Media<'d> {
    /// The tracks of the section. Today's descriptions have one in each section, by `a=msid` (RFC 8830). In
    /// those of plan B one section has them all, told apart by `a=ssrc:<id> msid:<stream> <track>`
    /// (draft-uberti-rtcweb-plan-00); this crate reads them and does not write them.
    #[must_use]
    pub fn tracks(&self) -> Vec<Track<'d>> {
        let own: Option<Msid<'d>> = self.get().ok().flatten();
        let mut told: BTreeMap<u32, Option<Msid<'d>>> = BTreeMap::new();
        let mut order = Vec::new();
        for source in self.get_all::<Ssrc<'d>>().flatten() {
            let msid = told.entry(source.id).or_insert_with(|| {
                order.push(source.id);
                own
            });
            if msid.is_none() && source.attribute == Msid::SOURCE_ATTRIBUTE {
                *msid = source.value.and_then(|value| Msid::from_text(value).ok());
            }
        }
        let mut tracks: Vec<Track<'d>> = Vec::new();
        let mut places = BTreeMap::new();
        let mut place = |msid: Option<Msid<'d>>, tracks: &mut Vec<Track<'d>>| {
            *places.entry(msid.map(|msid| (msid.stream, msid.track))).or_insert_with(|| {
                tracks.push(Track { msid, sources: Vec::new() });
                tracks.len() - 1
            })
        };
        if own.is_some() {
            place(own, &mut tracks);
        }
        for id in order {
            let at = place(told.get(&id).copied().flatten(), &mut tracks);
            if let Some(track) = tracks.get_mut(at) {
                track.sources.push(id);
            }
        }
        tracks
    }
}

impl Msid<'_> {
    /// The name under which plan B tells it of a source.
    const SOURCE_ATTRIBUTE: &'static str = "msid";
}
