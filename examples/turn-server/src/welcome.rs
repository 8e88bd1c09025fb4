//! What the server says when it has started.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use pinhole_relay::{Config, SecretEntry, Server, unix_time};
use pinhole_turn::credential::SharedSecret;
use serde_json::json;

/// How long the credentials are valid that are printed at the start.
const VALID: Duration = Duration::from_secs(24 * 3_600);

/// Makes a secret for a server that has neither users nor secrets; whether it did.
pub(crate) fn secret(config: &mut Config) -> io::Result<bool> {
    let is_needed =
        config.users.is_empty() && config.secrets.is_empty() && config.token_keys.is_empty();
    if is_needed {
        config.secrets.push(SecretEntry::random()?);
    }
    Ok(is_needed)
}

/// Prints where the server listens and, if it has made its own secret, how to use it.
pub(crate) fn print(config: &Config, server: &Server, with_credentials: bool) {
    for address in server.addresses() {
        say(&format_args!("turn-server: listening at {address}"));
    }
    for address in server.tls_addresses() {
        say(&format_args!("turn-server: listening at {address} for TLS"));
    }
    if let Some(secret) = config.secrets.first().filter(|_| with_credentials) {
        let credentials = SharedSecret::new(secret.as_bytes()).issue("trial", unix_time() + VALID);
        let urls: Vec<String> = server
            .addresses()
            .iter()
            .flat_map(|address| ["udp", "tcp"].map(|by| format!("turn:{address}?transport={by}")))
            .collect();
        let servers = json!([{
            "urls": urls,
            "username": credentials.username,
            "credential": credentials.password,
        }]);
        say(&"iceServers for a day, from a secret made for this run:");
        say(&servers);
        say(&"peers: global addresses only; open others with --allow-peer");
    }
}

/// Prints a line, if somebody reads it: a server whose output goes to `head -1` serves on.
pub(crate) fn say(line: &dyn Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}
