use std::io::{self, Read};
use std::{fmt, fs};

use pinhole_sdp::{Description, Error};

/// A file, or standard input, and its bytes.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// Reads the file, `-` for standard input. An error names the file.
    pub(crate) fn read(name: &str) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let read = match name {
            "-" => io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
            path => fs::read(path),
        };
        match read {
            Ok(bytes) => Ok(Self { name: name.to_owned(), bytes }),
            Err(error) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
        }
    }

    /// The description, or why it cannot be read.
    pub(crate) fn parse(&self) -> Result<Description<'_>, Error> {
        Description::parse(&self.bytes)
    }

    /// The error under its line, with the name of the file in front.
    pub(crate) fn show(&self, word: &str, error: Error) -> impl fmt::Display {
        format!("{}: {word}: {}", self.name, error.pointing_at(&self.bytes))
    }
}
