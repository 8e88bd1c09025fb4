/// Reads the value of one line from its front, and knows where it is.
///
/// [`Value`](crate::Value) parsers get one. Each method consumes what it returns, or consumes nothing
/// and says what was expected at this place.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a str,
    consumed: usize,
}

/// A value that does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {what} after {offset} bytes")]
pub struct ValueError {
    /// How many bytes of the value were right.
    pub offset: usize,
    /// What should have followed.
    pub what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader at the front of `value`.
    #[must_use]
    pub fn new(value: &'a str) -> Self {
        Self { rest: value, consumed: 0 }
    }

    /// Takes characters as long as `accept` says so; perhaps none.
    pub fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        self.advance(length)
    }

    /// Takes one or more characters that `accept` takes.
    ///
    /// # Errors
    /// `what` was expected when the first character is refused.
    pub fn take_some(
        &mut self,
        what: &'static str,
        accept: impl Fn(char) -> bool,
    ) -> Result<&'a str, ValueError> {
        match self.take_while(accept) {
            "" => Err(self.expected(what)),
            taken => Ok(taken),
        }
    }

    /// Takes up to the next blank or the end.
    ///
    /// # Errors
    /// `what` was expected when there is nothing to take.
    pub fn word(&mut self, what: &'static str) -> Result<&'a str, ValueError> {
        self.take_some(what, |c| !is_blank(c))
    }

    /// Takes a token (RFC 8866 §9).
    ///
    /// # Errors
    /// `what` was expected when there is no character of a token.
    pub fn token(&mut self, what: &'static str) -> Result<&'a str, ValueError> {
        self.take_some(what, is_token_char)
    }

    /// Takes decimal digits that fit into `N`.
    ///
    /// # Errors
    /// `what` was expected when there is no digit, or the number is too large for `N`.
    pub fn number<N: TryFrom<u64>>(&mut self, what: &'static str) -> Result<N, ValueError> {
        let before = self.clone();
        let digits = self.take_some(what, |c| c.is_ascii_digit())?;
        let number = digits.parse().ok().and_then(|number: u64| N::try_from(number).ok());
        number.ok_or_else(|| before.expected(what))
    }

    /// Takes one or more blanks.
    ///
    /// # Errors
    /// `what` (the thing after the blanks) was expected when there is no blank.
    pub fn blank(&mut self, what: &'static str) -> Result<(), ValueError> {
        self.take_some(what, is_blank).map(|_| ())
    }

    /// Takes `literal` if it comes next, and says whether it did.
    pub fn skip(&mut self, literal: &str) -> bool {
        let found = self.rest.starts_with(literal);
        if found {
            self.advance(literal.len());
        }
        found
    }

    /// Takes all that is left.
    pub fn remainder(&mut self) -> &'a str {
        self.advance(self.rest.len())
    }

    /// What is left, without taking it.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The error that `what` was expected here.
    #[must_use]
    pub fn expected(&self, what: &'static str) -> ValueError {
        ValueError { offset: self.consumed, what }
    }

    /// Takes characters as long as `accept` says so, for a reader that knows their place.
    pub(crate) fn part(&mut self, accept: impl Fn(char) -> bool) -> Self {
        let consumed = self.consumed;
        Self { rest: self.take_while(accept), consumed }
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// Checks that nothing but blanks is left.
    pub(crate) fn end(mut self) -> Result<(), ValueError> {
        self.skip_blanks();
        if self.rest.is_empty() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    fn advance(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.consumed += taken.len();
        taken
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// RFC 8866 §9: `token-char`.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_how_much_was_right() {
        let mut reader = Reader::new("audio 70000");
        assert_eq!(reader.token("a media type"), Ok("audio"));
        assert_eq!(reader.blank("a port"), Ok(()));
        let error = ValueError { offset: 6, what: "a port" };
        assert_eq!(reader.number::<u16>("a port"), Err(error));
    }

    #[test]
    fn a_number_beyond_every_integer_is_an_error() {
        let mut reader = Reader::new("99999999999999999999999");
        assert!(reader.number::<u64>("a number").is_err());
    }
}
