//! A headless Chromium, remote-controlled over the Chrome DevTools Protocol: a WebSocket with JSON.

use std::collections::BTreeMap;
use std::env;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The browser. It ends when this is dropped.
pub(crate) struct Chromium {
    _process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    /// Answers that came while another one was waited for.
    answers: BTreeMap<u64, Value>,
}

/// A tab of the browser.
#[derive(Debug)]
pub(crate) struct Tab {
    target: String,
    session: String,
}

/// The program's file, `None` where it is not installed.
pub(crate) fn installed() -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut files =
        env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    files.find(|file| file.is_file())
}

impl Chromium {
    /// Starts the browser with a new profile among the temporary files, and connects to it.
    pub(crate) async fn start(program: &Path) -> Self {
        let profile = env::temp_dir().join(format!("chromium-{:016x}", rand::random::<u64>()));
        let mut process = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .env("HOME", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Chromium starts");
        let mut said = BufReader::new(process.stderr.take().expect("stderr is piped")).lines();
        let url = soon("Chromium's start", async {
            while let Some(line) = said.next_line().await.expect("Chromium's words are text") {
                if let Some(url) = line.strip_prefix("DevTools listening on ") {
                    return url.to_owned();
                }
            }
            panic!("Chromium ended before it listened");
        })
        .await;
        // It goes on talking, and must not block on that.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        let (socket, _) =
            soon("connecting to Chromium", connect_async(url)).await.expect("it listens");
        Self { _process: process, socket, last_id: 0, answers: BTreeMap::new() }
    }

    /// Opens a page in a new tab, and waits until it is the one that the tab shows.
    pub(crate) async fn open(&mut self, url: &str) -> Tab {
        let parameters = json!({"url": "about:blank", "newWindow": true});
        let target =
            text_of(&self.command(None, "Target.createTarget", parameters).await["targetId"]);
        let parameters = json!({"targetId": target, "flatten": true});
        let attached = self.command(None, "Target.attachToTarget", parameters).await;
        let tab = Tab { target, session: text_of(&attached["sessionId"]) };
        let went = self.command(Some(&tab), "Page.navigate", json!({"url": url})).await;
        assert!(went["errorText"].is_null(), "{url}: {went}");
        tab
    }

    /// Closes a tab, as a user would.
    pub(crate) async fn close(&mut self, tab: Tab) {
        self.command(None, "Target.closeTarget", json!({"targetId": tab.target})).await;
    }

    /// The value of a JavaScript expression, of a promise what it resolves to.
    pub(crate) async fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.command(Some(tab), "Runtime.evaluate", parameters).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until `condition` holds, a JavaScript expression over the `data-` attributes of the
    /// page's body, `state`; returns all of them. When the time is up, the page's log is the error.
    pub(crate) async fn wait_for(&mut self, tab: &Tab, condition: &str) -> Value {
        let limit = PATIENCE.as_millis() / 2;
        let expression = format!(
            "new Promise((done) => {{
                const look = () => {{
                    const state = document.body?.dataset;
                    if (state && ({condition})) done({{ ...state }});
                }};
                new MutationObserver(look).observe(document, {{ attributes: true, childList: true, subtree: true }});
                look();
                setTimeout(() => done({{ late: document.body?.innerText ?? '' }}), {limit});
            }})"
        );
        let state = self.evaluate(tab, &expression).await;
        assert!(state["late"].is_null(), "{condition} did not come true:\n{}", state["late"]);
        state
    }

    async fn command(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(tab) = tab {
            command["sessionId"] = json!(tab.session);
        }
        let sending = self.socket.send(Message::text(command.to_string()));
        soon(method, sending).await.expect("Chromium listens");
        let mut answer = soon(method, self.answer(id)).await;
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    async fn answer(&mut self, id: u64) -> Value {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            let message = self.socket.next().await.expect("Chromium is there").expect("and speaks");
            let Message::Text(text) = message else { continue };
            let said: Value = serde_json::from_str(&text).expect("in JSON");
            if let Some(id) = said["id"].as_u64() {
                self.answers.insert(id, said);
            }
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took more than {PATIENCE:?}"))
}

/// Quiet, without a display, and with nothing that would call home. Host candidates stay hidden behind
/// mDNS names, as they are for users.
const FLAGS: [&str; 17] = [
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-renderer-backgrounding",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
];
