//! What a process of this machine has used, as Linux tells it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The process of the server.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    folder: PathBuf,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { folder: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// The CPU time of all its threads, in the kernel and outside. Threads that have ended do not count.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut total = Duration::ZERO;
        for thread in fs::read_dir(self.folder.join("task")).map_err(|error| self.named(error))? {
            // A thread may end while we look.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            total += run_time(&text).ok_or_else(unreadable)?;
        }
        Ok(total)
    }

    /// The memory that it occupies, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(self.folder.join("status"));
        resident(&status.map_err(|error| self.named(error))?).ok_or_else(unreadable)
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()))
    }
}

/// The first number of `schedstat`: "time spent on the cpu (in nanoseconds)".
fn run_time(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// `VmRSS:   12345 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1_024)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the system tells nothing about the process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_of_proc_are_read() {
        assert_eq!(run_time("1500000000 7 3\n"), Some(Duration::from_millis(1_500)));
        assert_eq!(run_time(""), None);
        let status = "Name:\tx\nVmRSS:\t    5284 kB\nThreads:\t1\n";
        assert_eq!(resident(status), Some(5_284 * 1_024));
        assert_eq!(resident("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let own = Process::new(std::process::id());
        assert!(own.cpu().unwrap() > Duration::ZERO);
        assert!(own.resident().unwrap() > 100_000);
        assert!(Process::new(u32::MAX).cpu().unwrap_err().to_string().contains("/proc/4294967295"));
    }
}
