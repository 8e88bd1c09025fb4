//! Pairs of one foundation in several checklists (RFC 8445 §6.1.2.6, §6.1.4.2, §7.2.5.3.3).

use pinhole_sansio::Instant;

use super::Session;
use crate::checklist::Elsewhere;

impl Session {
    /// Tells each checklist how the pairs of the others stand, when one of them has moved.
    pub(super) fn thaw(&mut self, now: Instant) {
        for index in 0..self.members.len() {
            let has_moved = self.members.get_mut(index).is_some_and(|member| {
                let changes = member.agent.changes();
                core::mem::replace(&mut member.seen, changes) != changes
            });
            if has_moved {
                self.tell_all_but(index, now);
            }
        }
    }

    fn tell_all_but(&mut self, moved: usize, now: Instant) {
        for told in (0..self.members.len()).filter(|told| *told != moved) {
            let mut elsewhere = Elsewhere::default();
            let others = self.members.iter().enumerate().filter(|(index, _)| *index != told);
            others.for_each(|(_, member)| member.agent.progress(&mut elsewhere));
            let Self { members, common, .. } = self;
            let Some(member) = members.get_mut(told) else { return };
            member.agent.swap_common(common);
            member.agent.look_elsewhere(elsewhere, now);
            member.agent.swap_common(common);
            let (claim, next) = (member.agent.claim(), member.agent.next_turn());
            self.agree(claim, next);
        }
    }
}
