use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::text::rank;
use crate::write::{attribute_line, checked, field_line};
use crate::{
    Description, Direction, Fragment, Origin, SessionName, Timing, TypedAttribute, TypedField,
    WriteError,
};

/// Writes a description, section after section, with CRLF line endings.
///
/// Attributes keep the order in which they are given, the other lines of a section are put where
/// RFC 8866 §9 wants them. What a value prints cannot end its line: CR, LF and NUL are refused.
/// The first error ends the work and is returned by [`Builder::finish`].
///
/// The crate's documentation begins with an example.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The sections before the one that is being written.
    done: String,
    /// The lines of this section in order, with their ranks.
    section: Vec<(usize, String)>,
    failed: Option<WriteError>,
}

impl Builder {
    /// A session section with `v=0`, this origin, and what must be there: `s=-` and `t=0 0` until
    /// they are given.
    #[must_use]
    pub fn new(origin: Origin<'_>) -> Self {
        Self::fragment()
            .add(rank('v'), Ok("v=0".to_string()))
            .field(origin)
            .field(SessionName("-"))
            .field(Timing::default())
    }

    /// Nothing yet: for a [`Fragment`], which has `a=` and `m=` lines only.
    #[must_use]
    pub fn fragment() -> Self {
        Self { done: String::new(), section: Vec::new(), failed: None }
    }

    /// Adds a line to the section, at its place. In place of the `o=`, `s=` or `t=` line of before.
    #[must_use]
    pub fn field<'a, T: TypedField<'a>>(mut self, value: T) -> Self {
        if matches!(T::KIND, 'o' | 's' | 't') {
            self.section.retain(|(rank_, _)| *rank_ != rank(T::KIND));
        }
        self.add(rank(T::KIND), field_line(&value))
    }

    /// Adds an attribute to the section.
    #[must_use]
    pub fn attribute<'a, T: TypedAttribute<'a>>(self, value: T) -> Self {
        self.add(rank('a'), attribute_line(&value))
    }

    /// Adds attributes of one type to the section.
    #[must_use]
    pub fn attributes<'a, T: TypedAttribute<'a>>(
        self,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        values.into_iter().fold(self, Self::attribute)
    }

    /// Adds an attribute that this crate has no type for.
    #[must_use]
    pub fn attribute_text(self, name: &str, value: Option<&str>) -> Self {
        let line = match value {
            Some(value) => checked("attribute", format_args!("a={name}:{value}")),
            None => checked("attribute", format_args!("a={name}")),
        };
        self.add(rank('a'), line)
    }

    /// Adds `a=sendrecv` or one of its kin.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        self.attribute_text(direction.name(), None)
    }

    /// Begins a media section: `m=<kind> <port> <protocol> <formats>`, the formats separated by
    /// blanks.
    #[must_use]
    pub fn media(mut self, kind: &str, port: u16, protocol: &str, formats: &str) -> Self {
        self.close_section();
        self.add(rank('m'), checked("m", format_args!("m={kind} {port} {protocol} {formats}")))
    }

    /// The description.
    ///
    /// # Errors
    /// The first line that could not be written, or the first place where the text is not one that
    /// [`Description::parse`] takes, because a value was not what it should be.
    pub fn finish(self) -> Result<Description<'static>, WriteError> {
        Ok(Description::parse(&self.text()?)?.into_owned())
    }

    /// The fragment, of a builder that began with [`Builder::fragment`].
    ///
    /// # Errors
    /// As [`Builder::finish`], for [`Fragment::parse`].
    pub fn finish_fragment(self) -> Result<Fragment<'static>, WriteError> {
        Ok(Fragment::parse(&self.text()?)?.into_owned())
    }

    fn text(mut self) -> Result<String, WriteError> {
        self.close_section();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.done),
        }
    }

    fn add(mut self, rank: usize, line: Result<String, WriteError>) -> Self {
        match line {
            Ok(line) => {
                let place = self.section.partition_point(|(other, _)| *other <= rank);
                self.section.insert(place, (rank, line));
            }
            Err(error) => self.failed = self.failed.or(Some(error)),
        }
        self
    }

    fn close_section(&mut self) {
        for (_, line) in self.section.drain(..) {
            self.done.push_str(&line);
            self.done.push_str("\r\n");
        }
    }
}
