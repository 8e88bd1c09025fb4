//! A page with one `RTCPeerConnection`, the variable `pc`.

use std::future::Future;

use pinhole_sdp::Description;
use serde_json::json;

use crate::chromium::{Chromium, Tab, installed};
use crate::namespace::run_in_namespace;

/// A page of the browser.
pub(crate) struct Page {
    browser: Chromium,
    tab: Tab,
}

/// Runs `body` with a browser and an empty page, in a namespace. `test` is the path of the `#[test]`.
pub(crate) fn with_page<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Page) -> F) {
    let Some(program) = installed() else {
        println!("skipped: Chromium is not installed");
        return;
    };
    run_in_namespace(test, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut browser = Chromium::start(&program).await;
            let tab = browser.open("about:blank").await;
            body(Page { browser, tab }).await;
        });
    });
}

impl Page {
    /// What the statements return, a text.
    pub(crate) async fn run(&mut self, statements: &str) -> String {
        let script = format!("(async () => {{ {statements} }})()");
        self.browser.evaluate(&self.tab, &script).await.as_str().unwrap().to_owned()
    }

    /// Begins anew, with `preparation` for the new connection.
    pub(crate) async fn renew(&mut self, preparation: &str) {
        let statements = "globalThis.pc?.close(); globalThis.pc = new RTCPeerConnection();";
        self.run(&format!("{statements} {preparation}; return ''")).await;
    }

    /// Its offer after `change`.
    pub(crate) async fn offer(&mut self, change: &str) -> Description<'static> {
        let statements = "await pc.setLocalDescription(); return pc.localDescription.sdp";
        owned(&self.run(&format!("{change}; {statements}")).await)
    }

    /// Its answer to an offer; between the two it does `change`.
    pub(crate) async fn answer(
        &mut self,
        offer: &Description<'_>,
        change: &str,
    ) -> Description<'static> {
        let offer = json!({"type": "offer", "sdp": offer.to_string()});
        let answer = format!(
            "await pc.setRemoteDescription({offer}); {change}; await pc.setLocalDescription();
             return pc.localDescription.sdp"
        );
        owned(&self.run(&answer).await)
    }

    /// Gives it the answer to its offer, after which it must be stable.
    pub(crate) async fn take_answer(&mut self, answer: &Description<'_>) {
        let description = json!({"type": "answer", "sdp": answer.to_string()});
        let statements =
            format!("await pc.setRemoteDescription({description}); return pc.signalingState");
        assert_eq!(self.run(&statements).await, "stable", "{answer}");
    }

    /// In which directions its media flow now.
    pub(crate) async fn directions(&mut self) -> String {
        self.run("return pc.getTransceivers().map((own) => own.currentDirection).join()").await
    }
}

fn owned(text: &str) -> Description<'static> {
    Description::parse(text).unwrap().into_owned()
}
