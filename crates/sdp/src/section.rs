use crate::value::parse_value;
use crate::{Attribute, Description, Direction, Error, Line, TypedAttribute, TypedField};

/// The lines of the session section, or of one media section with its `m=` line first.
#[derive(Clone, Copy)]
pub struct Section<'d> {
    description: &'d Description<'d>,
    first: usize,
    end: usize,
}

impl<'d> Section<'d> {
    /// The lines from index `first` to before `end`.
    pub(crate) fn new(description: &'d Description<'d>, first: usize, end: usize) -> Self {
        Self { description, first, end }
    }

    /// All lines in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'d>> + use<'d> {
        let description = self.description;
        (self.first..self.end).map_while(|index| description.line(index))
    }

    /// All attributes in order, known or not.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'d>> + use<'d> {
        self.lines().filter_map(|line| line.attribute())
    }

    /// All attributes of one name, in order.
    pub fn attributes_named<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = Attribute<'d>> + use<'d, 'n> {
        let description = self.description;
        let spans = description.spans(self.first, self.end);
        let lines = (self.first..).zip(spans).filter(move |(_, span)| {
            let line = span.of(description.as_bytes());
            let rest = line.strip_prefix(b"a=").and_then(|a| a.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| matches!(rest, [] | [b':' | b' ' | b'\t', ..]))
        });
        let attributes = lines.filter_map(|(index, _)| description.line(index)?.attribute());
        attributes.filter(move |attribute| attribute.name() == name)
    }

    /// The first attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Attribute<'d>> {
        self.attributes_named(name).next()
    }

    /// Whether there is an attribute of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The first attribute of type `T`, `Ok(None)` where there is none.
    ///
    /// # Errors
    /// Where its value does not follow its grammar.
    pub fn get<T: TypedAttribute<'d>>(&self) -> Result<Option<T>, Error> {
        self.get_all().next().transpose()
    }

    /// All attributes of type `T` in order, each of them parsed or its error.
    pub fn get_all<T: TypedAttribute<'d>>(
        &self,
    ) -> impl Iterator<Item = Result<T, Error>> + use<'d, T> {
        self.attributes_named(T::NAME).map(|attribute| attribute.parse())
    }

    /// The first line of type `T`, such as [`Connection`](crate::Connection); `Ok(None)` where there
    /// is none.
    ///
    /// # Errors
    /// Where its value does not follow its grammar.
    pub fn field<T: TypedField<'d>>(&self) -> Result<Option<T>, Error> {
        self.fields().next().transpose()
    }

    /// All lines of type `T` in order, each of them parsed or its error.
    pub fn fields<T: TypedField<'d>>(&self) -> impl Iterator<Item = Result<T, Error>> + use<'d, T> {
        let lines = self.lines().filter(|line| line.kind() == Some(T::KIND));
        lines.map(|line| parse_value(line, 2, line.value_bytes()))
    }

    /// The direction that the section states (RFC 8866 §6.7), the first one if there are several.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.attributes().find_map(|attribute| Direction::from_name(attribute.name()))
    }

    pub(crate) fn description(&self) -> &'d Description<'d> {
        self.description
    }
}

impl<'a> Attribute<'a> {
    /// The attribute as a `T`, whatever its name is.
    ///
    /// # Errors
    /// Where the value does not follow the grammar of `T`.
    pub fn parse<T: TypedAttribute<'a>>(&self) -> Result<T, Error> {
        let value = self.value_bytes().unwrap_or(b"");
        let before = self.line().bytes().len() - value.len();
        parse_value(self.line(), before, value)
    }
}
