//! Two tabs of a real browser that may use nothing but relayed addresses pass data through the server. The
//! network is one of its own, so that no packet leaves the machine.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code, reason = "the tests of the page use all of it")]
#[path = "../../signaling-server/tests/support/chromium.rs"]
mod chromium;
#[path = "../../signaling-server/tests/support/namespace.rs"]
mod namespace;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chromium::{Chromium, Tab};
use namespace::{ADDRESS, run_in_namespace};
use serde_json::{Value, json};
use support::{Server, certificate};

#[test]
fn two_tabs_over_udp() {
    two_tabs("two_tabs_over_udp", "turn:", "udp");
}

#[test]
fn two_tabs_over_tcp() {
    two_tabs("two_tabs_over_tcp", "turn:", "tcp");
}

#[test]
fn two_tabs_over_tls() {
    two_tabs("two_tabs_over_tls", "turns:", "tcp");
}

fn two_tabs(test: &str, scheme: &str, transport: &str) {
    let Some(chromium) = chromium::installed() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    run_in_namespace(test, || {
        let tls = certificate(ADDRESS);
        let server = Server::start(
            1,
            &[
                "--listen",
                &format!("{ADDRESS}:0"),
                "--user",
                "alice:north",
                "--allow-peer",
                ADDRESS,
                "--certificate",
                &tls.certificate,
                "--key",
                &tls.key,
            ],
        );
        let url = format!("{scheme}{}?transport={transport}", server.addresses[0]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut browser = Chromium::start(&trusting(&chromium)).await;
            let offerer = browser.open("about:blank").await;
            let answerer = browser.open("about:blank").await;
            pass_data(&mut browser, &offerer, &answerer, &url).await;
        });
    });
}

/// The browser, which believes any certificate, as a program among the temporary files.
fn trusting(chromium: &Path) -> PathBuf {
    let program = std::env::temp_dir().join("trusting-chromium");
    let run =
        format!("#!/bin/sh\nexec {} --ignore-certificate-errors \"$@\"\n", chromium.display());
    fs::write(&program, run).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Both tabs tell each other all of their candidates at once, and then a word each way.
async fn pass_data(browser: &mut Chromium, offerer: &Tab, answerer: &Tab, url: &str) {
    let server = json!([{"urls": url, "username": "alice", "credential": "north"}]);
    for tab in [offerer, answerer] {
        browser.evaluate(tab, &PREPARE.replace("SERVERS", &server.to_string())).await;
    }
    let offer = browser.evaluate(offerer, OFFER).await;
    assert_relayed(&offer, url);
    let answer = browser.evaluate(answerer, &ANSWER.replace("OFFER", &offer.to_string())).await;
    assert_relayed(&answer, url);
    let heard = browser.evaluate(offerer, &ACCEPT.replace("ANSWER", &answer.to_string())).await;
    assert_eq!(heard, "back: hello through the relay");
}

fn assert_relayed(description: &Value, url: &str) {
    let text = description["sdp"].as_str().unwrap();
    let mut candidates = text.lines().filter(|line| line.starts_with("a=candidate:")).peekable();
    assert!(candidates.peek().is_some(), "no candidate from {url}:\n{text}");
    assert!(candidates.all(|line| line.contains(" typ relay ")), "{text}");
}

const PREPARE: &str = "
    window.pc = new RTCPeerConnection({ iceServers: SERVERS, iceTransportPolicy: 'relay' });
    window.complete = () => new Promise((done) => {
        const look = () => pc.iceGatheringState === 'complete' && done(pc.localDescription.toJSON());
        pc.onicegatheringstatechange = look;
        look();
    });
    pc.ondatachannel = ({ channel }) => {
        channel.onmessage = ({ data }) => channel.send('back: ' + data);
    };
    true";

const OFFER: &str = "
    window.channel = pc.createDataChannel('test');
    pc.setLocalDescription().then(complete)";

const ANSWER: &str = "
    pc.setRemoteDescription(OFFER).then(() => pc.setLocalDescription()).then(complete)";

const ACCEPT: &str = "
    new Promise((done) => {
        channel.onopen = () => channel.send('hello through the relay');
        channel.onmessage = ({ data }) => done(data);
        setTimeout(() => done('nothing: ' + pc.iceConnectionState), 15000);
        pc.setRemoteDescription(ANSWER);
    })";
