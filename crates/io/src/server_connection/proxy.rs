//! Through an HTTP proxy (RFC 9110 §9.3.6).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Has the proxy at the other end of the stream connect it to the server.
pub(super) async fn tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    server: SocketAddr,
) -> io::Result<()> {
    let request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Whatever follows is the server's, which does not speak first; so little is read one by one.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == MAX_ANSWER {
            return Err(refused("no end of its answer"));
        }
        answer.push(stream.read_u8().await?);
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    // "Any 2xx (Successful) response indicates that the sender ... will switch to tunnel mode".
    match status.filter(|status| status.len() == 3 && status.starts_with('2')) {
        Some(_) => Ok(()),
        None => Err(refused(&line)),
    }
}

fn refused(answer: &str) -> io::Error {
    io::Error::other(format!("the proxy does not connect: {answer}"))
}

/// More than any proxy says.
const MAX_ANSWER: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(answer: &[u8]) -> (io::Result<()>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(65_536);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let outcome = tunnel(&mut ours, "[2001:db8::1]:443".parse().unwrap()).await;
        let mut request = vec![0; 63];
        theirs.read_exact(&mut request).await.unwrap();
        // What follows the answer is left for the server's reader.
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).await.unwrap();
        assert!(request.starts_with(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: "));
        (outcome, rest)
    }

    #[tokio::test]
    async fn a_proxy_that_agrees_is_passed_through() {
        let (outcome, rest) = answered(b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\nbytes").await;
        outcome.unwrap();
        assert_eq!(rest, b"bytes");
    }

    #[tokio::test]
    async fn what_a_proxy_says_when_it_refuses_is_told() {
        let endless = vec![b'x'; 10_000];
        for (answer, told) in [
            (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], "403 Forbidden"),
            (b"HTTP/1.1 20\r\n\r\n", "HTTP/1.1 20"),
            (b"SSH-2.0\r\n\r\n", "SSH-2.0"),
            (&endless, "no end"),
            (b"HTTP/1.1 200", "end of file"),
        ] {
            let error = answered(answer).await.0.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
