//! TLS as clients meet it: on the port of the others, on its own port, and with a new certificate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]

mod support;

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pinhole_stun::{Class, Message, MessageWriter, Method, TransactionId};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use support::{Files, Server, certificate};

/// Asks for a Binding over TLS, believing this certificate and no other.
fn ask(server: SocketAddr, trusted: &str) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = Stream::new(&mut tls, &mut socket);
    let mut buffer = [0; 20];
    let id = TransactionId::new([7; 12]);
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    stream.write_all(writer.finish())?;
    let mut answer = [0; 32];
    stream.read_exact(&mut answer)?;
    let answer = Message::parse(&answer).unwrap();
    assert_eq!((answer.class(), answer.transaction_id()), (Class::SuccessResponse, id));
    Ok(())
}

fn start(files: &Files) -> Server {
    let listen = ["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"];
    let tls = ["--certificate", &files.certificate, "--key", &files.key];
    Server::start(2, &[&listen[..], &tls, &["--user", "alice:north"]].concat())
}

#[test]
fn tls_is_served_on_the_common_port_and_on_its_own() {
    let files = certificate("localhost");
    let trusted = fs::read_to_string(&files.certificate).unwrap();
    let server = start(&files);
    for address in &server.addresses {
        ask(*address, &trusted).unwrap();
    }
    let mut plain = TcpStream::connect(server.addresses[1]).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(&[0, 1, 0, 0]).unwrap();
    let end = plain.read(&mut [0]);
    assert!(
        matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn sighup_takes_over_a_new_certificate() {
    let files = certificate("localhost");
    let old = fs::read_to_string(&files.certificate).unwrap();
    let mut server = start(&files);
    let mut log = server.log().lines();
    ask(server.addresses[0], &old).unwrap();

    let renewed = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    fs::write(&files.certificate, renewed.cert.pem()).unwrap();
    fs::write(&files.key, renewed.signing_key.serialize_pem()).unwrap();
    server.signal("-HUP");
    let line = log.next().unwrap().unwrap();
    assert!(line.contains("users, secrets and certificates are reloaded"), "{line}");
    ask(server.addresses[0], &renewed.cert.pem()).unwrap();
    ask(server.addresses[0], &old).unwrap_err();

    fs::write(&files.key, "no key").unwrap();
    server.signal("-HUP");
    let line = log.next().unwrap().unwrap();
    assert!(
        line.contains("the certificate is not reloaded") && line.contains(&files.key),
        "{line}"
    );
    ask(server.addresses[0], &renewed.cert.pem()).unwrap();
}
