//! A signaling server: rooms over WebSocket in which peers exchange SDP offers, answers and ICE
//! candidates, and a page with which a browser tab joins a room.
//!
//! # Messages
//! A client opens a WebSocket at `/ws`. Each text message is one JSON object with a `type`, and no
//! longer than 64 KiB. Fields that are unknown are ignored. [`ClientMessage`] and [`ServerMessage`] are
//! the same as Rust types.
//!
//! | client says | and gets |
//! |---|---|
//! | `{"type":"join","room":"blue"}` | `{"type":"joined","room":"blue","peer":"<you>","peers":["<who was there>"]}`; the others get `{"type":"peer-joined","peer":"<you>"}` |
//! | `{"type":"join"}` | the same, with a room name that cannot be guessed |
//! | `{"type":"join","room":"blue","create":false}` | the same, or the error `unknown-room` |
//! | `{"type":"offer","sdp":"v=0…"}` | nothing; the others get `{"type":"offer","from":"<you>","sdp":"v=0…"}` |
//! | `{"type":"answer","sdp":"v=0…"}` | likewise |
//! | `{"type":"candidate","candidate":"candidate:…","sdpMid":"0"}` | likewise; `sdpMLineIndex` and `usernameFragment` are carried as well, and an empty `candidate` says that no more follow |
//! | `{"type":"bye"}` | likewise: the call is over; an optional `reason` says why |
//! | closes the connection | the others get `{"type":"peer-left","peer":"<you>"}` |
//!
//! A candidate without `sdpMid` and `sdpMLineIndex` belongs to the first media section; an empty one
//! without them ends the candidates of all.
//!
//! With a field `to`, an offer, answer, candidate or bye goes to that peer only. Messages from one peer
//! to another arrive in the order in which they were sent.
//!
//! By convention whoever joins a room with somebody in it makes the offer.
//!
//! # Errors
//! A message that cannot be acted on is answered with
//! `{"type":"error","code":"<code>","message":"<for people>"}`, and the connection stays open. The codes
//! are those of [`ErrorCode`]: `malformed`, `not-joined`, `already-joined`, `invalid-room`,
//! `unknown-room`, `room-full`, `too-many-rooms`, `unknown-peer`.
//!
//! These close the connection: a message that is too long (close code 1009), not text (1003), or not
//! UTF-8 (1007); a breach of the WebSocket protocol, such as a frame without a mask (1002); reading too
//! slowly, joining no room in time, and silence, pings included (1008); the server's end (1001).
//!
//! # In a program
//! ```
//! use signaling_server::{Config, Server};
//!
//! # async fn example() -> std::io::Result<()> {
//! let server = Server::bind(Config::default()).await?;
//! println!("ws://{}/ws", server.local_addr()?);
//! let handle = server.handle();
//! let serving = tokio::spawn(server.serve());
//! // …
//! handle.shutdown();
//! serving.await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod admission;
mod config;
mod http;
mod message;
mod peer;
mod room;
mod server;
mod tls;

pub use config::{Config, Limits, Origins, TlsFiles};
pub use message::{Candidate, ClientMessage, ErrorCode, PeerId, ServerMessage};
pub use server::{Handle, Server};
