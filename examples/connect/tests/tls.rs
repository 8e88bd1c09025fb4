//! Signaling over TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::{Path, PathBuf};
use std::{fs, process};

use signaling_server::{Config, Server, TlsFiles};
use support::Program;

#[tokio::test]
async fn two_programs_meet_behind_tls_where_the_certificate_is_trusted() {
    let (url, certificates) = server("trusted").await;
    let trust = [("SSL_CERT_FILE", certificates.to_str().unwrap())];
    let join = || Program::start_with(&["--signal", &url, "--room", "blue", "--loopback"], &trust);
    let [mut first, mut second] = [join(), join()];
    first.wait_for("connected: ").await;
    second.wait_for("connected: ").await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_reported() {
    let (url, _) = server("stranger").await;
    let (_, other) = server("other").await;
    let trust = [("SSL_CERT_FILE", other.to_str().unwrap())];
    let arguments = ["--signal", &url, "--room", "blue", "--loopback"];
    let ended = Program::start_with(&arguments, &trust).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("certificate is not trusted"), "{}", ended.errors);
}

/// A server behind TLS on loopback, and the certificate that it presents.
async fn server(name: &str) -> (String, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificates, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificates, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = TlsFiles { certificates: certificates.clone(), key };
    let server = Server::bind(Config { tls: Some(files), ..Config::default() }).await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.serve());
    (format!("wss://localhost:{port}/"), certificates)
}
