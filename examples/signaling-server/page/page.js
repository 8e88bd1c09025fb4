// Joins a room of the signaling server and connects to the other peer in it.
//
//   ?room=NAME      the room; without it the server makes up a name that cannot be guessed
//   &role=offer     make the offer whenever somebody is there
//   &role=answer    never make the offer
//                   without a role, whoever joins a room with somebody in it makes the offer
//   &stun=HOST:PORT a STUN server; may be given more than once; none by default
//
// Programs read the state from the attributes of <body>: data-signaling, data-peer, data-ice,
// data-connection, data-channel, data-pair, data-error.
"use strict";

const query = new URLSearchParams(location.search);
const role = query.get("role");
const iceServers = query.getAll("stun").map((server) => ({ urls: `stun:${server.replace(/^stun:/, "")}` }));
const state = document.body.dataset;
const $ = (id) => document.getElementById(id);

const MOOD = {
  open: "good", connected: "good", completed: "good",
  closed: "bad", failed: "bad", disconnected: "bad", error: "bad",
};

/** Shows a state on the page and to programs. */
function show(name, value) {
  state[name] = value;
  const card = $(name);
  if (card) {
    card.textContent = value;
    card.className = MOOD[value] ?? "wait";
  }
}

function log(text) {
  const entry = document.createElement("div");
  const time = document.createElement("time");
  time.textContent = (performance.now() / 1000).toFixed(3);
  entry.append(time, text);
  $("log").append(entry);
  $("log").scrollTop = $("log").scrollHeight;
}

// ---------------------------------------------------------------- signaling

const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
let me = null;
let session = null;

function say(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

socket.onopen = () => {
  show("signaling", "open");
  say({ type: "join", room: query.get("room") ?? undefined });
};
socket.onclose = (event) => {
  show("signaling", "closed");
  log(`signaling closed: ${event.code} ${event.reason}`);
};

// One message at a time: a candidate must wait for the description that it belongs to.
let turn = Promise.resolve();
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  turn = turn.then(() => handle[message.type]?.(message)).catch((error) => fail(message.type, error.message));
};

function fail(code, text) {
  state.error = code;
  log(`error: ${code}: ${text}`);
}

const handle = {
  joined({ room, peer, peers }) {
    me = peer;
    state.peer = peer;
    $("room").textContent = room;
    const link = new URL(location.href);
    link.searchParams.set("room", room);
    link.searchParams.delete("role");
    $("link").href = link;
    history.replaceState(null, "", query.has("room") ? location.href : link);
    log(`joined ${room} as ${peer}; ${peers.length ? `here: ${peers.join(", ")}` : "nobody else is here yet"}`);
    if (peers.length && role !== "answer") return offerTo(peers[0]);
  },
  "peer-joined"({ peer }) {
    log(`${peer} joined`);
    if (role === "offer") return offerTo(peer);
  },
  "peer-left"({ peer }) {
    log(`${peer} left`);
    if (session?.peer === peer) session.close();
  },
  bye({ from }) {
    log(`${from} says bye`);
    if (session?.peer === from) session.close();
  },
  async offer({ from, sdp }) {
    const met = session?.pc.signalingState === "have-local-offer";
    // Both offered at once: the one with the lower name gives way, and starts anew with the other's offer.
    if (met && me > from) return log("passed over an offer that met ours");
    if (met || session?.peer !== from) openSession(from);
    await session.accept({ type: "offer", sdp });
    await session.pc.setLocalDescription();
    say({ type: "answer", to: from, sdp: session.pc.localDescription.sdp });
    log("answered the offer");
  },
  async answer({ from, sdp }) {
    if (session?.peer !== from) return;
    await session.accept({ type: "answer", sdp });
    log("the answer came");
  },
  async candidate({ from, type, ...candidate }) {
    if (session?.peer !== from) openSession(from);
    await session.add(candidate);
  },
  error({ code, message }) {
    fail(code, message);
  },
};

async function offerTo(peer) {
  openSession(peer);
  session.use(session.pc.createDataChannel("pinhole"));
  await session.pc.setLocalDescription();
  say({ type: "offer", to: peer, sdp: session.pc.localDescription.sdp });
  log("made the offer");
}

// ---------------------------------------------------------------- one connection

function openSession(peer) {
  session?.close();
  session = new Session(peer);
}

class Session {
  constructor(peer) {
    this.peer = peer;
    this.early = [];
    this.channel = null;
    this.pc = new RTCPeerConnection({ iceServers });
    this.pc.onicecandidate = ({ candidate }) => this.announce(candidate);
    this.pc.onicecandidateerror = ({ url, errorText }) => log(`${url}: ${errorText}`);
    this.pc.ondatachannel = ({ channel }) => this.use(channel);
    this.pc.oniceconnectionstatechange = () => {
      show("ice", this.pc.iceConnectionState);
      log(`ICE is ${this.pc.iceConnectionState}`);
      this.showPair();
    };
    this.pc.onconnectionstatechange = () => show("connection", this.pc.connectionState);
    this.timer = setInterval(() => this.showPair(), 1000);
    show("ice", this.pc.iceConnectionState);
  }

  /** Tells the peer of a candidate; the browser's `null` and its empty one both mean the end. */
  announce(candidate) {
    if (candidate === null) return;
    const { candidate: line, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    say({ type: "candidate", to: this.peer, candidate: line, sdpMid, sdpMLineIndex, usernameFragment });
    log(line ? `ours:   ${line}` : "ours:   no more candidates");
  }

  async accept(description) {
    await this.pc.setRemoteDescription(description);
    for (const candidate of this.early.splice(0)) await this.add(candidate);
  }

  async add(candidate) {
    if (!this.pc.remoteDescription) {
      this.early.push(candidate);
      return;
    }
    const { candidate: line, sdpMid, sdpMLineIndex } = candidate;
    // Whoever names no section means the first one, which in most calls carries them all.
    if (line && sdpMid === undefined && sdpMLineIndex === undefined) candidate = { ...candidate, sdpMLineIndex: 0 };
    log(line ? `theirs: ${line}` : "theirs: no more candidates");
    await this.pc.addIceCandidate(candidate).catch((error) => log(`passed over: ${error.message}`));
  }

  use(channel) {
    this.channel = channel;
    const update = () => {
      show("channel", channel.readyState);
      const closed = channel.readyState !== "open";
      $("line").disabled = closed;
      $("send").disabled = closed;
    };
    channel.onopen = channel.onclose = update;
    channel.onmessage = ({ data }) => log(`they say: ${data}`);
    update();
  }

  async showPair() {
    const stats = await this.pc.getStats();
    let pair;
    for (const entry of stats.values()) {
      if (entry.type === "transport" && entry.selectedCandidatePairId) pair = stats.get(entry.selectedCandidatePairId);
    }
    if (!pair) return;
    const ends = [["local", stats.get(pair.localCandidateId)], ["remote", stats.get(pair.remoteCandidateId)]];
    state.pair = ends.map(([side, end]) => {
      const type = end?.candidateType ?? "unknown";
      const address = `${end?.protocol ?? "udp"} ${end?.address || "hidden by the browser"}:${end?.port}`;
      $(`${side}-type`).textContent = type;
      $(`${side}-address`).textContent = address;
      return `${type} ${address}`;
    }).join(" – ");
    $("rtt").textContent = pair.currentRoundTripTime === undefined ? "–" : `${(pair.currentRoundTripTime * 1000).toFixed(1)} ms`;
  }

  close() {
    clearInterval(this.timer);
    this.channel?.close();
    this.pc.close();
    show("ice", "closed");
    show("channel", "none");
    $("line").disabled = $("send").disabled = true;
    if (session === this) session = null;
  }
}

$("chat").onsubmit = (event) => {
  event.preventDefault();
  const line = $("line");
  if (!line.value || session?.channel?.readyState !== "open") return;
  session.channel.send(line.value);
  log(`we say: ${line.value}`);
  line.value = "";
};
addEventListener("pagehide", () => say({ type: "bye" }));
