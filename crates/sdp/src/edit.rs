use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use crate::text::{Index, rank};
use crate::write::{attribute_line, field_line};
use crate::{Description, TypedAttribute, TypedField, WriteError};

/// A section to edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The session section.
    Session,
    /// The media section with this index, from 0.
    Media(usize),
}

/// Edits touch the lines that they are about and no others. A line that is added ends as the first
/// line of the description does. Each edit takes time linear in the text.
impl Description<'_> {
    /// Adds an attribute at the end of the section.
    ///
    /// # Errors
    /// When the section does not exist, the value breaks its line, or a limit would be exceeded.
    pub fn add<'v, T: TypedAttribute<'v>>(
        &mut self,
        place: Place,
        value: &T,
    ) -> Result<(), WriteError> {
        let section = self.section_lines(place)?;
        self.replace(section.end..section.end, &attribute_line(value)?)
    }

    /// Puts the attribute in the place of the first one of its name, or at the end of the section.
    /// Further ones of the same name stay.
    ///
    /// # Errors
    /// As [`Description::add`].
    pub fn set<'v, T: TypedAttribute<'v>>(
        &mut self,
        place: Place,
        value: &T,
    ) -> Result<(), WriteError> {
        let section = self.section_lines(place)?;
        let lines = self.attribute_lines(section.clone(), T::NAME);
        let target = lines.first().map_or(section.end..section.end, |at| *at..at + 1);
        self.replace(target, &attribute_line(value)?)
    }

    /// Puts the line in the place of the first one of its letter, or where RFC 8866 §9 wants it.
    ///
    /// # Errors
    /// As [`Description::add`].
    pub fn set_field<'v, T: TypedField<'v>>(
        &mut self,
        place: Place,
        value: &T,
    ) -> Result<(), WriteError> {
        let section = self.section_lines(place)?;
        let kinds: Vec<_> = self.lines().map(|line| line.kind()).collect();
        let find = |wanted: &dyn Fn(char) -> bool| {
            section.clone().find(|at| kinds.get(*at).copied().flatten().is_some_and(wanted))
        };
        let target = match find(&|kind| kind == T::KIND) {
            Some(at) => at..at + 1,
            None => {
                let later = find(&|kind| rank(kind) > rank(T::KIND));
                let at = later.unwrap_or(section.end);
                at..at
            }
        };
        self.replace(target, &field_line(value)?)
    }

    /// Removes all attributes of this name from the section, and says how many there were.
    ///
    /// # Errors
    /// When the section does not exist.
    pub fn remove(&mut self, place: Place, name: &str) -> Result<usize, WriteError> {
        let section = self.section_lines(place)?;
        let lines = self.attribute_lines(section, name);
        let mut kept = Vec::with_capacity(self.text.len());
        let mut doomed = lines.iter().peekable();
        for (at, line) in self.lines().enumerate() {
            if doomed.next_if_eq(&&at).is_none() {
                kept.extend_from_slice(line.bytes());
                kept.extend_from_slice(line.ending());
            }
        }
        self.commit(kept)?;
        Ok(lines.len())
    }

    fn section_lines(&self, place: Place) -> Result<Range<usize>, WriteError> {
        match place {
            Place::Session => Ok(0..self.section_end(0)),
            Place::Media(media) => {
                let span = self.index.media.get(media).ok_or(WriteError::NoSuchMedia(media))?;
                Ok(span.line..self.section_end(media + 1))
            }
        }
    }

    fn attribute_lines(&self, section: Range<usize>, name: &str) -> Vec<usize> {
        let is_named = |at: &usize| {
            self.line(*at).and_then(|line| line.attribute()).is_some_and(|a| a.name() == name)
        };
        section.filter(is_named).collect()
    }

    /// Puts `line` in the place of the lines in `target`, which may be none.
    fn replace(&mut self, target: Range<usize>, line: &str) -> Result<(), WriteError> {
        let ending = match self.line(0).map(|first| first.ending()) {
            None | Some(b"") => b"\r\n",
            Some(ending) => ending,
        };
        let offset =
            |index: usize| self.index.lines.get(index).map_or(self.text.len(), |span| span.start());
        let before = self.text.get(..offset(target.start)).unwrap_or(&self.text);
        let after = self.text.get(offset(target.end)..).unwrap_or(b"");
        let mut text = Vec::with_capacity(self.text.len() + line.len() + 2 * ending.len());
        text.extend_from_slice(before);
        if !before.ends_with(b"\n") {
            text.extend_from_slice(ending);
        }
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(ending);
        text.extend_from_slice(after);
        self.commit(text)
    }

    /// Takes the edited text, or leaves everything as it was.
    fn commit(&mut self, text: Vec<u8>) -> Result<(), WriteError> {
        self.index = Index::build(&text, self.form, &self.limits)?;
        self.text = Cow::Owned(text);
        Ok(())
    }
}
