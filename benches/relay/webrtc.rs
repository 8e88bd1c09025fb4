//! The server of webrtc-rs (the crate `turn`), as small as its documentation has it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use turn::Error;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_util::vnet::net::Net;

/// One user, whose key was made once.
struct OneUser(Vec<u8>);

impl AuthHandler for OneUser {
    fn auth_handle(&self, name: &str, _: &str, _: SocketAddr) -> Result<Vec<u8>, Error> {
        if name == "load" { Ok(self.0.clone()) } else { Err(Error::ErrFakeErr) }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).expect("an address to listen at: IP:PORT");
    let conn = Arc::new(UdpSocket::bind(address).await?);
    let relay_addr_generator = Box::new(RelayAddressGeneratorStatic {
        relay_address: Ipv4Addr::LOCALHOST.into(),
        address: "127.0.0.1".to_owned(),
        net: Arc::new(Net::new(None)),
    });
    let key = generate_auth_key("load", "example.org", "secret");
    let _server = Server::new(ServerConfig {
        conn_configs: vec![ConnConfig { conn, relay_addr_generator }],
        realm: "example.org".to_owned(),
        auth_handler: Arc::new(OneUser(key)),
        channel_bind_timeout: Duration::from_secs(0),
        alloc_close_notify: None,
    })
    .await?;
    std::future::pending().await
}
