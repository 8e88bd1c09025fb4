//! A tab of a real browser and this program connect, whoever makes the offer. The network is one of its own, so
//! that no multicast of the browser's mDNS leaves the machine.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code, reason = "the other tests of the page use all of it")]
#[path = "../../signaling-server/tests/support/chromium.rs"]
mod chromium;
#[path = "../../signaling-server/tests/support/namespace.rs"]
mod namespace;
mod support;

use chromium::{Chromium, Tab};
use namespace::run_in_namespace;
use support::{Program, signaling};

const CONNECTED: &str = "['connected', 'completed'].includes(state.ice)";

#[test]
fn the_browser_offers_and_the_program_answers() {
    in_namespace("the_browser_offers_and_the_program_answers", async |browser, page, url| {
        let mut program = join(url);
        program.wait_for("waiting for another peer").await;
        let tab = browser.open(page).await;
        check(browser, &tab, program).await;
    });
}

#[test]
fn the_program_offers_and_the_browser_answers() {
    in_namespace("the_program_offers_and_the_browser_answers", async |browser, page, url| {
        let tab = browser.open(page).await;
        browser.wait_for(&tab, "state.peer").await;
        check(browser, &tab, join(url)).await;
    });
}

#[test]
fn both_hide_their_addresses_and_find_each_other_by_names() {
    in_namespace(
        "both_hide_their_addresses_and_find_each_other_by_names",
        async |browser, page, url| {
            let tab = browser.open(page).await;
            browser.wait_for(&tab, "state.peer").await;
            let room = ["--signal", url, "--room", "blue", "--mdns"];
            check(browser, &tab, Program::start(&room)).await;
        },
    );
}

fn join(url: &str) -> Program {
    Program::start(&["--signal", url, "--room", "blue"])
}

/// Both sides say that they are connected, and what the browser's DTLS sends arrives here.
async fn check(browser: &mut Chromium, tab: &Tab, mut program: Program) {
    println!("{}", program.wait_for("connected: ").await);
    println!("{}", program.wait_for("bytes of DTLS]").await);
    let state = browser.wait_for(tab, CONNECTED).await;
    println!("the page says: {state}");
    assert!(state["error"].is_null(), "{state}");
    // Its host candidates are names that nobody here resolves: the path was found by the browser's own checks.
    let candidates = browser.evaluate(tab, "document.body.innerText").await;
    assert!(candidates.as_str().unwrap().contains(".local"), "{candidates}");
}

fn in_namespace(test: &str, body: impl AsyncFnOnce(&mut Chromium, &str, &str)) {
    let Some(chromium) = chromium::installed() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    run_in_namespace(test, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (server, _handle) = signaling().await;
            let mut browser = Chromium::start(&chromium).await;
            let (page, url) = (format!("http://{server}/?room=blue"), format!("ws://{server}/"));
            body(&mut browser, &page, &url).await;
        });
    });
}
