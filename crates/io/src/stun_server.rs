//! A STUN Binding server on one socket (RFC 8489 §12), for tests and for binaries that bring their own.

use std::io;
use std::net::SocketAddr;

use pinhole_stun::binding;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::socket;

/// Answers Binding requests until it is dropped.
#[derive(Debug)]
pub struct StunServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl StunServer {
    /// Binds `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let socket = socket::bind_to(address)?;
        let address = socket.local_addr()?;
        Ok(Self { address, task: tokio::spawn(serve(socket)) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StunServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket) {
    let (mut request, mut answer) = ([0; MAX_REQUEST], [0; MAX_REQUEST]);
    loop {
        let received = socket.recv_from(&mut request).await;
        let Ok((length, source)) = received else { continue };
        let request = request.get(..length).unwrap_or_default();
        if let Some(answer) = binding::respond(request, source, &mut answer)
            && let Err(error) = socket.send_to(answer, source).await
        {
            tracing::debug!(%source, %error, "answer not sent");
        }
    }
}

/// A longer request than any path carries whole deserves no answer.
const MAX_REQUEST: usize = 1_500;
