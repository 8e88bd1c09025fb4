//! What waits to be written to a stream.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// A bounded buffer that a task writes to the stream. Dropping it lets the task finish.
#[derive(Debug)]
pub(super) struct Outgoing(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The task has something to do.
    filled: Notify,
    /// The task has to come to an end.
    closed: Notify,
    /// There is room again, or the stream is broken.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// What waits is written, then the stream is closed.
    Closing,
    Broken(io::ErrorKind),
}

impl Outgoing {
    pub(super) fn spawn(stream: impl AsyncWrite + Unpin + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        tokio::spawn(write(Arc::clone(&shared), stream));
        Self(shared)
    }

    /// Appends a message in parts, and its padding, or nothing of it.
    pub(super) fn push(&self, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut queue = self.0.lock();
        if let State::Broken(kind) = queue.state {
            return Err(kind.into());
        }
        let end = (queue.bytes.len() + length).next_multiple_of(4);
        if end > LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for part in parts {
            queue.bytes.extend_from_slice(part);
        }
        queue.bytes.resize(end, 0);
        self.0.filled.notify_one();
        Ok(())
    }

    pub(super) async fn writable(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            {
                let queue = self.0.lock();
                if queue.state != State::Open || queue.bytes.len() <= LIMIT / 2 {
                    return;
                }
            }
            emptied.await;
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        if queue.state == State::Open {
            queue.state = State::Closing;
        }
        drop(queue);
        self.0.filled.notify_one();
        self.0.closed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that is done under the lock leaves it half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for bytes, and takes all of them in exchange for an empty buffer; `None` at the end.
    async fn take(&self, mut empty: Vec<u8>) -> Option<Vec<u8>> {
        loop {
            let filled = self.filled.notified();
            {
                let mut queue = self.lock();
                if !queue.bytes.is_empty() {
                    std::mem::swap(&mut queue.bytes, &mut empty);
                    return Some(empty);
                }
                if queue.state != State::Open {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Writes what is there; that done, closes when nobody can send any more.
    async fn write_all(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut bytes = Vec::new();
        while let Some(taken) = self.take(bytes).await {
            self.emptied.notify_waiters();
            stream.write_all(&taken).await?;
            stream.flush().await?;
            bytes = taken;
            bytes.clear();
        }
        stream.shutdown().await
    }

    /// Waits until the connection is dropped, and a while longer.
    async fn overdue(&self) {
        self.closed.notified().await;
        tokio::time::sleep(LINGER).await;
    }
}

async fn write(shared: Arc<Shared>, mut stream: impl AsyncWrite + Unpin) {
    let written = tokio::select! {
        written = shared.write_all(&mut stream) => written,
        () = shared.overdue() => Err(io::ErrorKind::TimedOut.into()),
    };
    if let Err(error) = written {
        tracing::debug!(%error, "a server's stream is broken");
        let mut queue = shared.lock();
        queue.bytes = Vec::new();
        queue.state = State::Broken(error.kind());
    }
    shared.emptied.notify_waiters();
}

/// What may wait: four of the longest messages.
const LIMIT: usize = 256 * 1_024;
/// How long a connection that nobody holds any more may take to write its last messages.
const LINGER: Duration = Duration::from_secs(1);
