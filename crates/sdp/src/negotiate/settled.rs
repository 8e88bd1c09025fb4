use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Wanted;
use crate::{Codec, Description, Direction, Extmap, Group, Media, Setup};

/// What the exchanges so far have settled: offers and answers that follow keep the order of the sections,
/// their tags, payload types, the numbers of header extensions, BUNDLE groups and DTLS roles (RFC 3264 §8,
/// RFC 9429 §5.2.2).
///
/// Give it every offer with its answer, whoever made them. A new session has settled nothing:
/// `Settled::default()`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settled {
    pub(super) sections: Vec<SettledSection>,
    /// The mids of each BUNDLE group, the one whose section tells the transport first.
    pub(super) bundles: Vec<Vec<String>>,
    /// A number above all that were ever tags. A section that takes another one's place has a new tag.
    pub(super) next_mid: u32,
}

/// What identifies one side of an ICE session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IceCredentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

impl IceCredentials {
    /// Whether these take the place of the ones before (RFC 8839 §4.4.1.1.1).
    fn restart(&self, before: &Self) -> bool {
        self.ufrag != before.ufrag && self.password != before.password
    }
}

/// One section of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SettledSection {
    pub(super) kind: String,
    pub(super) protocol: String,
    pub(super) mid: Option<String>,
    /// Whether both sides use it. If not, a new section may take its place (RFC 9429 §5.2.2).
    pub(super) is_live: bool,
    pub(super) formats: Vec<(u8, Codec)>,
    pub(super) extensions: Vec<(u16, String)>,
    /// This side's part of DTLS.
    pub(super) role: Option<Setup>,
    /// This side's ICE credentials, and the other side's, where the section told them.
    pub(super) own_ice: Option<IceCredentials>,
    pub(super) their_ice: Option<IceCredentials>,
}

impl Settled {
    /// Takes up an exchange in which this side offered.
    pub fn own_offer(&mut self, offer: &Description<'_>, answer: &Description<'_>) {
        self.exchange(offer, answer, |section, offered, answered| {
            (section.own_ice, section.their_ice) = (told(offered), told(answered));
            let answered = answered.get_or_inherit().ok().flatten();
            section.role = answered.and_then(|answered| match answered {
                Setup::Active => Some(Setup::Passive),
                Setup::Passive => Some(Setup::Active),
                Setup::ActPass | Setup::HoldConn => None,
            });
        });
    }

    /// Takes up an exchange in which the other side offered.
    pub fn own_answer(&mut self, offer: &Description<'_>, answer: &Description<'_>) {
        self.exchange(offer, answer, |section, offered, answered| {
            (section.own_ice, section.their_ice) = (told(answered), told(offered));
            let answered = answered.get_or_inherit().ok().flatten();
            section.role = answered.filter(|role| matches!(role, Setup::Active | Setup::Passive));
        });
    }

    /// The sections that are in use, each to be offered again in both directions and in one version.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        let live = self.sections.iter().filter(|section| section.is_live);
        live.map(|section| Wanted { mid: section.mid.clone(), ..Wanted::new(&section.kind) })
            .collect()
    }

    fn exchange(
        &mut self,
        offer: &Description<'_>,
        answer: &Description<'_>,
        take_sides: impl Fn(&mut SettledSection, &Media<'_>, &Media<'_>),
    ) {
        for (index, (offered, answered)) in offer.media().zip(answer.media()).enumerate() {
            let mut now = SettledSection::new(&offered, &answered);
            take_sides(&mut now, &offered, &answered);
            match self.sections.get_mut(index) {
                Some(before) if before.mid == now.mid && before.kind == now.kind => {
                    now.keep(before);
                    *before = now;
                }
                Some(before) => *before = now,
                None => self.sections.push(now),
            }
        }
        let numbers = self.sections.iter().filter_map(|own| own.mid.as_ref()?.parse().ok());
        self.next_mid = numbers.map(|tag: u32| tag.saturating_add(1)).fold(self.next_mid, u32::max);
        self.bundles = bundles(answer);
        self.share_roles();
    }

    /// A section that is bundled has the role of the one that tells the transport.
    fn share_roles(&mut self) {
        // From the last one on, so that the first section of a tag counts.
        let sections = self.sections.iter().rev();
        let own: BTreeMap<&str, Option<Setup>> =
            sections.filter_map(|section| Some((section.mid.as_deref()?, section.role))).collect();
        let shared = self.bundles.iter().flat_map(|group| {
            let tag = group.first().and_then(|mid| own.get(mid.as_str()).copied()).flatten();
            group.iter().map(move |mid| (mid.as_str(), tag))
        });
        let shared: BTreeMap<&str, Option<Setup>> = shared.collect();
        let roles = self.sections.iter().map(|section| {
            let shared = section.mid.as_deref().and_then(|mid| shared.get(mid).copied());
            section.role.or(shared.flatten())
        });
        let roles: Vec<Option<Setup>> = roles.collect();
        for (section, role) in self.sections.iter_mut().zip(roles) {
            section.role = role;
        }
    }
}

impl SettledSection {
    /// Whether an offer of the other side restarts ICE here.
    pub(super) fn is_restarted_by(&self, offered: &Media<'_>) -> bool {
        let now = told(offered);
        now.zip(self.their_ice.as_ref()).is_some_and(|(now, before)| now.restart(before))
    }

    fn new(offered: &Media<'_>, answered: &Media<'_>) -> Self {
        let mut section = Self {
            kind: offered.kind().to_string(),
            protocol: offered.protocol().to_string(),
            mid: offered.mid().map(ToString::to_string),
            is_live: !offered.is_rejected() && !answered.is_rejected(),
            formats: Vec::new(),
            extensions: Vec::new(),
            role: None,
            own_ice: None,
            their_ice: None,
        };
        if section.is_live {
            section.formats = offered.codecs();
            let extensions = offered.get_all::<Extmap<'_>>().flatten();
            let numbered = extensions.filter(|extension| extension.id < 4_096);
            let numbered: BTreeMap<u16, &str> =
                numbered.map(|extension| (extension.id, extension.uri)).collect();
            section.extensions =
                numbered.into_iter().map(|(id, uri)| (id, uri.to_string())).collect();
        }
        section
    }

    /// What was settled before and is not told anew stays (RFC 3264 §8.3.2).
    fn keep(&mut self, before: &mut Self) {
        for old in before.formats.drain(..) {
            if self.formats.iter().all(|(number, _)| *number != old.0) {
                self.formats.push(old);
            }
        }
        for old in before.extensions.drain(..) {
            if self.extensions.iter().all(|(id, _)| *id != old.0) {
                self.extensions.push(old);
            }
        }
        self.role = self.role.or(before.role);
        // A section that is bundled tells no credentials any more.
        self.own_ice = self.own_ice.take().or(before.own_ice.take());
        self.their_ice = self.their_ice.take().or(before.their_ice.take());
    }
}

/// The credentials that a section tells, or the session for it.
fn told(media: &Media<'_>) -> Option<IceCredentials> {
    let ice = media.ice().ok().flatten()?;
    Some(IceCredentials { ufrag: ice.ufrag.to_string(), password: ice.password.to_string() })
}

impl Direction {
    /// The direction while the other side is on hold: it may send nothing (RFC 3264 §8.4). To resume,
    /// offer the one of before.
    #[must_use]
    pub fn on_hold(self) -> Self {
        Self::from_flow(self.sends(), false)
    }
}

/// The BUNDLE groups (RFC 9143 §7.3), with the tags of sections alone, each in one group: so whoever makes
/// up tags makes nobody work for them.
pub(super) fn bundles(description: &Description<'_>) -> Vec<Vec<String>> {
    let mut free: BTreeSet<&str> = description.media().filter_map(|media| media.mid()).collect();
    let session = description.session();
    let groups = session.get_all::<Group<'_>>().flatten();
    let bundles = groups.filter(|group| group.semantics == Group::BUNDLE).map(|group| {
        let mids = group.mids.iter().filter(|mid| free.remove(**mid));
        mids.map(ToString::to_string).collect::<Vec<_>>()
    });
    bundles.filter(|group| !group.is_empty()).collect()
}

impl Description<'_> {
    /// The indices of the sections in which this description restarts ICE, in comparison with the one
    /// that the same side gave before (RFC 8839 §4.4.1.1.1). A section whose tag is another one is new and
    /// restarts nothing. An answer to them has new credentials as well.
    pub fn ice_restarts<'d>(&'d self, before: &'d Description<'_>) -> impl Iterator<Item = usize> {
        let pairs = self.media().zip(before.media());
        let restarts = pairs.filter(|(now, before)| {
            now.mid() == before.mid()
                && matches!((now.ice(), before.ice()), (Ok(Some(now)), Ok(Some(before))) if now.restarts(&before))
        });
        restarts.map(|(now, _)| now.index())
    }
}
