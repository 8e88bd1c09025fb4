use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::ServerConnection;

use crate::socket::readable;

/// A connection, plain or in TLS, that never blocks.
///
/// What the other side does not take yet waits in a buffer; its bound is the caller's business
/// ([`Wire::waiting`]), since it knows what can be dropped and what can be held back.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) io: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Bytes for the socket, of which the first `sent` have been taken.
    out: Vec<u8>,
    sent: usize,
    /// Whether nothing follows what waits.
    is_finished: bool,
}

impl Wire {
    pub(crate) const fn new(io: TcpStream) -> Self {
        Self { io, tls: None, out: Vec::new(), sent: 0, is_finished: false }
    }

    /// From the next byte on, the client speaks TLS.
    pub(crate) fn start_tls(&mut self, mut tls: Box<ServerConnection>) {
        // What is written is moved on into `out` at once, which has its own bound.
        tls.set_buffer_limit(None);
        self.tls = Some(tls);
    }

    /// What begins here; all that has come stays where it is.
    pub(crate) fn peek(&self) -> io::Result<Opening> {
        let mut head = [0; RECORD];
        let length = self.io.peek(&mut head)?;
        let [kind, _, _, length_1, length_0] = head;
        match (length, kind) {
            (0, _) => Ok(Opening::End),
            (_, HANDSHAKE) => {
                let record = RECORD + usize::from(u16::from_be_bytes([length_1, length_0]));
                // Longer records are errors (RFC 8446 §5.1), and TLS says so.
                let is_whole = length == RECORD && readable(&self.io)? >= record.min(LONGEST);
                Ok(if is_whole { Opening::Tls } else { Opening::PartOfTls })
            }
            _ => Ok(Opening::Plain),
        }
    }

    /// Reads bytes; none at the end of the stream.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else { return self.io.read(buffer) };
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            tls.read_tls(&mut self.io)?;
            let processed = tls.process_new_packets();
            self.encrypt();
            // An alert that tells what is wrong is worth a try.
            self.flush()?;
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// Takes bytes to send, however many. In TLS they make one record, if they fit into one: some
    /// clients take a record for a message.
    pub(crate) fn queue(&mut self, parts: [&[u8]; 3]) {
        match &mut self.tls {
            // Without a limit, the buffer takes everything.
            Some(tls) => {
                tls.writer().write_vectored(&parts.map(IoSlice::new)).unwrap_or_default();
            }
            None => parts.iter().for_each(|part| self.out.extend_from_slice(part)),
        }
    }

    /// Sends as much as the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.encrypt();
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.io.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.out.drain(..self.sent);
                    self.sent = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        if self.is_finished {
            // The other side may have closed the connection already.
            self.io.shutdown(Shutdown::Write).unwrap_or_default();
        }
        Ok(())
    }

    /// How many bytes wait for the other side.
    pub(crate) const fn waiting(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Nothing follows: the sending side is closed once what waits is sent.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.is_finished = true;
        self.flush()
    }

    fn encrypt(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        while tls.wants_write() {
            // A vector takes everything.
            tls.write_tls(&mut self.out).unwrap_or_default();
        }
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The other side has closed it, and sent nothing.
    End,
    /// Something other than TLS.
    Plain,
    /// The first record of TLS, whole.
    Tls,
    /// Less of it.
    PartOfTls,
}

/// The first byte of a TLS record that carries a handshake.
const HANDSHAKE: u8 = 0x16;
/// Kind, version and length of a TLS record.
const RECORD: usize = 5;
/// Enough of a first record to be served.
const LONGEST: usize = RECORD + (1 << 14);

/// A buffer that was once larger is given back when it is empty.
const KEPT: usize = 4_096;
