//! The server behind TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, process};

use futures_util::{SinkExt, StreamExt};
use signaling_server::{Config, Server, TlsFiles};
use support::{server_with, soon};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("signaling-server-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn identity(folder: &Folder) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    TlsFiles {
        certificates: folder.write("certificate.pem", &made.cert.pem()),
        key: folder.write("key.pem", &made.signing_key.serialize_pem()),
    }
}

fn connector(certificate: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_client_joins_over_tls() {
    let folder = Folder::new("joins");
    let files = identity(&folder);
    let connector = connector(&files.certificates);
    let running = server_with(Config { tls: Some(files), ..Config::default() }).await;

    let socket = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = soon("TLS", connector.connect(name, socket)).await.unwrap();
    let upgrade = client_async("wss://localhost/ws", stream);
    let (mut client, _) = soon("the upgrade", upgrade).await.unwrap();
    client.send(Message::text(r#"{"type":"join","room":"blue"}"#)).await.unwrap();
    let answer = soon("the answer", client.next()).await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().starts_with(r#"{"type":"joined","room":"blue""#));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new("unusable");
    let good = identity(&folder);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other_key = folder.write("other.pem", &other.signing_key.serialize_pem());
    let rubbish = folder.write("rubbish.pem", "rubbish");
    for (certificates, key, named) in [
        (folder.0.join("absent.pem"), good.key.clone(), "absent.pem"),
        (good.certificates.clone(), folder.0.join("absent.pem"), "absent.pem"),
        (rubbish.clone(), good.key.clone(), "rubbish.pem"),
        (good.certificates.clone(), rubbish, "rubbish.pem"),
        (good.certificates, other_key, "certificate.pem"),
    ] {
        let tls = Some(TlsFiles { certificates, key });
        let refusal = Server::bind(Config { tls, ..Config::default() }).await.err().unwrap();
        assert!(refusal.to_string().contains(named), "{refusal}");
    }
}
