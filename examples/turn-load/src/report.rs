//! What was measured.

use std::fmt;

use serde::Serialize;

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How many allocations there were.
    pub allocations: u64,
    /// How many were made in a second, each with a challenge and its answer.
    pub allocations_per_second: f64,
    /// What was relayed, if anything was.
    pub traffic: Option<Traffic>,
    /// What the server used, if its process was named.
    pub server: Option<Usage>,
}

/// What was relayed, both directions together.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// Packets that were sent to the server.
    pub sent: u64,
    /// Packets that came back from it.
    pub relayed: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Packets that came back as something else.
    pub mangled: u64,
    /// Packets that were due, but not sent since this program or its sockets were too slow.
    pub missed: u64,
    /// For how many seconds.
    pub seconds: f64,
    /// Relayed packets a second.
    pub packets_per_second: f64,
    /// From one end to the other, in microseconds.
    pub latency_us: Latency,
}

/// Microseconds from one end to the other.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half of the packets took no longer.
    pub p50: f64,
    /// Of a hundred packets, one took longer.
    pub p99: f64,
    /// The slowest packet.
    pub max: f64,
}

/// What the server's process used.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// CPU time for one allocation, in microseconds.
    pub cpu_us_per_allocation: f64,
    /// More memory for one allocation, in bytes.
    pub bytes_per_allocation: f64,
    /// More memory for one allocation with its permission and channel, in bytes, if there were any.
    pub bytes_per_bound_allocation: Option<f64>,
    /// CPU seconds for a million relayed packets, which are microseconds for one.
    pub cpu_seconds_per_million: Option<f64>,
}

impl Traffic {
    /// The share of the packets that was lost, from 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.lost as f64 / self.sent as f64 }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allocations, allocations_per_second, .. } = self;
        writeln!(f, "allocations        {allocations}, {allocations_per_second:.0} a second")?;
        if let Some(traffic) = &self.traffic {
            write!(f, "{traffic}")?;
        }
        if let Some(server) = &self.server {
            write!(f, "{server}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, max } = self.latency_us;
        writeln!(
            f,
            "relayed            {} packets, {:.0} a second",
            self.relayed, self.packets_per_second
        )?;
        writeln!(f, "lost               {} ({:.3} %)", self.lost, self.loss() * 100.0)?;
        writeln!(f, "latency            p50 {p50:.0} us, p99 {p99:.0} us, max {max:.0} us")?;
        if self.mangled > 0 {
            writeln!(f, "mangled            {}", self.mangled)?;
        }
        if self.missed > 0 {
            let text = "never sent: this machine is too slow for the rate";
            writeln!(f, "missed             {} {text}", self.missed)?;
        }
        Ok(())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cpu) = self.cpu_seconds_per_million {
            writeln!(f, "server's CPU       {cpu:.2} s for a million packets")?;
        }
        writeln!(f, "                   {:.0} us for an allocation", self.cpu_us_per_allocation)?;
        writeln!(f, "server's memory    {:.0} bytes an allocation", self.bytes_per_allocation)?;
        if let Some(bytes) = self.bytes_per_bound_allocation {
            writeln!(f, "                   {bytes:.0} bytes with permission and channel")?;
        }
        Ok(())
    }
}
