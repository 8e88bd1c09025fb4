//! Standard input, line by line.

use std::io::{self, BufRead as _};

use tokio::sync::mpsc;

/// Lines, read on a thread of their own: a read cannot be cancelled.
pub(crate) fn lines() -> mpsc::Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
