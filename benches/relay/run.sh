#!/usr/bin/env bash
# Builds our server, turn-load, the floor and the others, runs them, and prints one table. Debian's coturn and valgrind
# have to be installed. TURN_SERVER=FILE takes a server that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=$PWD/benches/target/tools
cargo build --release -p turn-load
if [ -z "${TURN_SERVER:-}" ]; then
  cargo build --release -p turn-server
  TURN_SERVER=$PWD/target/release/turn-server
fi
# The last version that needs no protobuf compiler, and that a client of RFC 8489 can authenticate to: later ones
# announce SHA-256 without the nonce cookie, and then expect SHA-1.
[ -x "$tools/bin/turn-server" ] || cargo install --root "$tools" turn-server --version 3.4.0 --locked
cargo build --release --manifest-path benches/Cargo.toml --bin relay --bin relay-floor --bin relay-webrtc

exec benches/target/release/relay --turn-load target/release/turn-load --turn-server "$TURN_SERVER" \
  --turn-rs "$tools/bin/turn-server" "$@"
