use core::fmt;

use crate::text::ValueError;
use crate::{Error, Line, Reader};

/// What stands after the name of an attribute, or after `=` of a line, as a type of its own.
///
/// `Display` writes what `parse` reads. A flag is a value that reads and writes nothing.
///
/// The types of this crate are not special: implement the trait for an attribute of your own, and
/// [`Section::get`](crate::Section::get) and [`Builder::attribute`](crate::Builder::attribute) take it.
///
/// ```
/// use pinhole_sdp::{Description, Reader, TypedAttribute, Value, ValueError};
///
/// /// How hot the camera is.
/// #[derive(Debug, PartialEq)]
/// struct Celsius(u8);
///
/// impl Value<'_> for Celsius {
///     const SECTION: &'static str = "camera manual, page 7";
///     fn parse(reader: &mut Reader<'_>) -> Result<Self, ValueError> {
///         reader.number("degrees from 0 to 255").map(Self)
///     }
/// }
/// impl TypedAttribute<'_> for Celsius {
///     const NAME: &'static str = "x-celsius";
/// }
/// impl core::fmt::Display for Celsius {
///     fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
///         write!(f, "{}", self.0)
///     }
/// }
///
/// let camera = Description::parse("v=0\r\na=x-celsius:41\r\n")?;
/// assert_eq!(camera.session().get()?, Some(Celsius(41)));
/// # Ok::<(), pinhole_sdp::Error>(())
/// ```
pub trait Value<'a>: fmt::Display + Sized {
    /// The section that defines the grammar, such as `RFC 8839 §5.4`; errors name it.
    const SECTION: &'static str;

    /// Takes the value from the reader. What is left over afterwards is refused by the caller, so a
    /// grammar that may be extended takes the [`remainder`](Reader::remainder) as well.
    ///
    /// # Errors
    /// The place where the value leaves the grammar.
    fn parse(reader: &mut Reader<'a>) -> Result<Self, ValueError>;

    /// Parses the whole of `text`, with blanks around it or not.
    ///
    /// # Errors
    /// The place where the text leaves the grammar.
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut reader = Reader::new(text.trim_end_matches([' ', '\t']));
        reader.skip_blanks();
        let value = Self::parse(&mut reader)?;
        reader.end().map(|()| value)
    }
}

/// A [`Value`] of an attribute.
pub trait TypedAttribute<'a>: Value<'a> {
    /// The attribute's name.
    const NAME: &'static str;
}

/// A [`Value`] of a line other than `a=` and `m=`.
pub trait TypedField<'a>: Value<'a> {
    /// The letter of the line.
    const KIND: char;
}

/// Parses `value`, which begins `before` bytes into `line`.
pub(crate) fn parse_value<'a, T: Value<'a>>(
    line: Line<'a>,
    before: usize,
    value: &'a [u8],
) -> Result<T, Error> {
    let index = line.number() - 1;
    let text = core::str::from_utf8(value).map_err(|error| {
        Error::expected(index, before + error.valid_up_to(), "UTF-8 text", T::SECTION)
    })?;
    T::from_text(text).map_err(|e| Error::expected(index, before + e.offset, e.what, T::SECTION))
}
