//! The page, and the door to the WebSocket.

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, ORIGIN,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::config::Origins;
use crate::peer;
use crate::server::Visitor;

pub(crate) fn routes(visitor: Visitor) -> Router {
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", PAGE) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/ws", get(websocket))
        .fallback(|uri: Uri| async move {
            (StatusCode::NOT_FOUND, format!("there is no {}; try / or /ws\n", uri.path()))
        })
        .with_state(visitor)
        .layer(map_response(one_request_only))
}

/// A connection is for one request, so that nobody keeps it without a WebSocket.
async fn one_request_only(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn websocket(
    State(visitor): State<Visitor>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !may_connect(&visitor.shared.config.origins, &headers) {
        return (StatusCode::FORBIDDEN, "pages of this origin may not connect\n").into_response();
    }
    let most = visitor.shared.config.limits.message_bytes;
    upgrade
        .max_message_size(most)
        .max_frame_size(most)
        .max_write_buffer_size(WRITE_BUFFER + 2 * most)
        .on_upgrade(move |socket| peer::serve(socket, visitor))
}

/// Whether the page that opens the WebSocket, if it is one, may do so (RFC 6455 §10.2).
fn may_connect(origins: &Origins, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().unwrap_or_default();
    match origins {
        Origins::Any => true,
        Origins::Listed(listed) => listed.iter().any(|own| own == origin),
        Origins::Same => {
            let page = origin.split_once("://").map(|(_, authority)| authority);
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            page.is_some() && page == host
        }
    }
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

/// From how many bytes on the WebSocket library writes what it has collected. Without a bound above that it
/// would keep a pong for each ping of a client that reads nothing.
const WRITE_BUFFER: usize = 128 * 1024;

const PAGE: &str = include_str!("../page/index.html");
const SCRIPT: &str = include_str!("../page/page.js");

/// The page uses nothing but what this server serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
