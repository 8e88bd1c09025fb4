//! A client that writes bytes, to say what a WebSocket library would not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::soon;

pub(crate) struct Raw {
    socket: TcpStream,
}

/// The request for a WebSocket, with more header lines in it, each ending with CRLF.
pub(crate) fn upgrade_request(address: SocketAddr, more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
    )
}

/// A frame with less than 126 bytes of payload, masked with zeros.
pub(crate) fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first_byte, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { socket: soon("connecting", TcpStream::connect(address)).await.unwrap() }
    }

    /// Connects and upgrades with a receive buffer of 64 KiB, so that what is not read fills up soon.
    pub(crate) async fn upgraded_with_small_window(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut raw = Self { socket: soon("connecting", socket.connect(address)).await.unwrap() };
        assert_eq!(raw.upgrade(address, "").await, 101);
        raw
    }

    /// Connects, and upgrades to a WebSocket.
    pub(crate) async fn upgraded(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        assert_eq!(raw.upgrade(address, "").await, 101);
        raw
    }

    /// Asks for a WebSocket and returns the status.
    pub(crate) async fn upgrade(&mut self, address: SocketAddr, more: &str) -> u16 {
        self.write(upgrade_request(address, more).as_bytes()).await;
        self.status().await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon("writing", self.socket.write_all(bytes)).await.unwrap();
    }

    /// Writes while throwing away what comes back, and does not mind when the server hangs up.
    pub(crate) async fn flood(&mut self, bytes: &[u8]) {
        let (mut reading, mut writing) = self.socket.split();
        let mut discarded = [0; 4096];
        let writing = writing.write_all(bytes);
        tokio::pin!(writing);
        soon("flooding", async {
            loop {
                tokio::select! {
                    _ = &mut writing => return,
                    read = reading.read(&mut discarded) => if read.unwrap_or(0) == 0 { return },
                }
            }
        })
        .await;
    }

    /// Reads the head of a response.
    pub(crate) async fn status(&mut self) -> u16 {
        self.try_status().await.expect("the connection ended before a response")
    }

    /// Reads the head of a response, `None` where the connection ends before it.
    pub(crate) async fn try_status(&mut self) -> Option<u16> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("a response", self.socket.read_u8()).await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        head.split(' ').nth(1).unwrap().parse().ok()
    }

    /// Reads until `wanted` was among what came.
    pub(crate) async fn read_past(&mut self, wanted: &[u8]) {
        assert!(self.read_to(wanted).await.1, "the connection ended before the wanted bytes");
    }

    /// Reads until `wanted` was among what came, or the end: how many bytes, and whether it was.
    pub(crate) async fn read_to(&mut self, wanted: &[u8]) -> (usize, bool) {
        let (mut came, mut looked_at) = (Vec::new(), 0_usize);
        loop {
            let news = &came[looked_at.saturating_sub(wanted.len())..];
            if news.windows(wanted.len()).any(|own| own == wanted) {
                return (came.len(), true);
            }
            looked_at = came.len();
            let read = soon("the wanted bytes", self.socket.read_buf(&mut came)).await;
            if read.unwrap_or(0) == 0 {
                return (came.len(), false);
            }
        }
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        soon("the end of the connection", self.socket.read_to_end(&mut rest)).await.unwrap();
        rest
    }

    /// The code of the close frame with which the connection ends.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let rest = self.rest().await;
        let close = rest.iter().rposition(|byte| *byte == 0x88).expect("a close frame");
        u16::from_be_bytes([rest[close + 2], rest[close + 3]])
    }
}
