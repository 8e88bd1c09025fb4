//! The page in a real browser.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use signaling_server::Limits;
use support::chromium::{self, Chromium};
use support::namespace::run_in_namespace;
use support::server;

const CONNECTED: &str =
    "['connected', 'completed'].includes(state.ice) && state.channel === 'open'";

/// Two tabs join a room; `first` and `second` are what their addresses say beside the room.
fn two_tabs_connect(test: &str, first: &str, second: &str) {
    let Some(program) = chromium::installed() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    run_in_namespace(test, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = server(Limits::default()).await;
            let page = format!("http://{}/?room=blue", running.address);
            let mut browser = Chromium::start(&program).await;
            let one = browser.open(&format!("{page}{first}")).await;
            browser.wait_for(&one, "state.peer").await;
            let other = browser.open(&format!("{page}{second}")).await;
            for tab in [&one, &other] {
                let state = browser.wait_for(tab, &format!("{CONNECTED} && state.pair")).await;
                println!("{state}");
                assert!(state["error"].is_null(), "{state}");
            }
            talk(&mut browser, &one, &other).await;
            browser.close(other).await;
            browser.wait_for(&one, "state.ice === 'closed'").await;
        });
    });
}

/// What is typed in one tab appears in the other.
async fn talk(browser: &mut Chromium, from: &chromium::Tab, to: &chromium::Tab) {
    let type_it = "document.querySelector('#line').value = 'good morning';\
        document.querySelector('#chat').requestSubmit()";
    browser.evaluate(from, type_it).await;
    browser.wait_for(to, "document.body.innerText.includes('they say: good morning')").await;
}

#[test]
fn the_newcomer_offers_and_two_tabs_connect() {
    two_tabs_connect("the_newcomer_offers_and_two_tabs_connect", "", "");
}

#[test]
fn a_tab_that_waits_offers_to_one_that_only_answers() {
    let test = "a_tab_that_waits_offers_to_one_that_only_answers";
    two_tabs_connect(test, "&role=offer", "&role=answer");
}

#[test]
fn two_tabs_that_offer_to_each_other_at_once_connect() {
    let test = "two_tabs_that_offer_to_each_other_at_once_connect";
    two_tabs_connect(test, "&role=offer", "&role=offer");
}
