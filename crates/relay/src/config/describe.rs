use std::fmt;
use std::net::SocketAddr;

use pinhole_turn::server::Bandwidth;

use super::{Config, TokenKeyEntry};

impl fmt::Display for Config {
    /// What the server does with this configuration, without passwords and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = if self.certificate.is_some() { "UDP, TCP and TLS" } else { "UDP and TCP" };
        list(f, &format!("serves {streams} at"), &self.listen)?;
        list(f, "serves only TLS at", &self.tls_listen)?;
        list(f, "relays from", &self.relay_ips)?;
        list(f, "known to peers as", &self.external_ips)?;
        writeln!(f, "{:<22}{}", "relayed ports", self.relay_ports)?;
        writeln!(f, "{:<22}{}", "workers", self.workers)?;
        writeln!(f, "{:<22}{}", "realm", self.realm)?;
        let names: Vec<&str> = self.users.iter().map(|user| user.username()).collect();
        list(f, "users", &names)?;
        if self.username_anonymity {
            writeln!(f, "{:<22}hashes", "names are asked for as")?;
        }
        writeln!(f, "{:<22}{}", "shared secrets", self.secrets.len())?;
        if !self.token_keys.is_empty() {
            let names: Vec<&str> = self.token_keys.iter().map(TokenKeyEntry::name).collect();
            list(f, "keys of tokens", &names)?;
            writeln!(f, "{:<22}{}", "tokens are for", self.server_name)?;
        }
        let limits = self.limits;
        writeln!(f, "{:<22}{}", "allocations", limits.allocations)?;
        writeln!(f, "{:<22}{}", "of one user", limits.allocations_per_user)?;
        writeln!(f, "{:<22}{}", "of one network", limits.allocations_per_prefix)?;
        let rate = |limit: Option<Bandwidth>| match limit {
            None => "not limited".into(),
            Some(limit) => format!("{} bytes/s", limit.bytes_per_second),
        };
        writeln!(f, "{:<22}{}", "bandwidth of each", rate(limits.bandwidth))?;
        writeln!(f, "{:<22}{}", "of one user", rate(limits.bandwidth_per_user))?;
        let answers = self.answers.map_or_else(
            || "any number of answers".into(),
            |rate| format!("{} answers/s of each worker", rate.per_second),
        );
        writeln!(f, "{:<22}{answers}", "unproved sources")?;
        if let Some(alternate) = &self.alternate {
            let addresses = [alternate.v4.map(SocketAddr::V4), alternate.v6.map(SocketAddr::V6)];
            let addresses: Vec<SocketAddr> = addresses.into_iter().flatten().collect();
            list(f, "who has no room goes to", &addresses)?;
        }
        if self.drain {
            writeln!(f, "{:<22}none", "new allocations")?;
        }
        let metrics = self.metrics.as_ref().map_or_else(|| "nowhere".into(), SocketAddr::to_string);
        writeln!(f, "{:<22}{metrics}", "metrics")?;
        self.peers(f)
    }
}

impl Config {
    fn peers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "peers, the first line that matches decides:")?;
        for (number, rule) in (1..).zip(&self.rules) {
            writeln!(f, "  {number}. {rule}")?;
        }
        for address in self.own_addresses() {
            writeln!(f, "  deny {address}, the server's own")?;
        }
        writeln!(f, "  deny what is not global: private, loopback, link local, multicast, ...")?;
        write!(f, "  allow global addresses")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    let values: Vec<String> = values.iter().map(T::to_string).collect();
    match &*values {
        [] => Ok(()),
        values => writeln!(f, "{name:<21} {}", values.join(", ")),
    }
}
