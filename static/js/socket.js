/* The page's one socket: subscribes to what the page shows, tells the rest of the page by events,
   reconnects with growing pauses, and falls back to asking by itself while there is no socket.
   Frames carry `seq` without gaps; a gap asks for everything again. */
"use strict";
(function (Polysim) {
  const PAUSES_S = [1, 2, 4, 8, 15];
  const POLL_MS = 3000, IDLE_POLL_MS = 60000, IDLE_AFTER_MS = 120000;
  const SILENT_AFTER_MS = 45000, HIDDEN_CLOSE_MS = 60000;
  const dot = document.getElementById("connection");
  let socket = null, attempt = 0, expected = null, retryTimer = 0, pollTimer = 0, hiddenTimer = 0;
  let lastFrameAt = 0, usedAt = Date.now(), wasLive = false, connections = {}, feedAt = 0;
  let serverOffset = 0;

  function show(state, words) {
    if (!dot || (dot.dataset.state === state && dot.lastElementChild.textContent === words)) return;
    dot.dataset.state = state;
    dot.firstElementChild.className = "dot " + { live: "dot--live", retry: "dot--retry", off: "dot--off" }[state];
    dot.lastElementChild.textContent = words;
    mirror();
  }
  /* The status page names this socket among the parts; its panel is replaced every 10 s. */
  function mirror() {
    const part = document.getElementById("socket-dot");
    if (!part || !dot) return;
    part.className = "dot " + { live: "dot--on", retry: "dot--retry", off: "dot--off" }[dot.dataset.state];
    document.querySelector("[data-socket-words]").textContent = dot.lastElementChild.textContent.toLowerCase();
  }
  document.addEventListener("htmx:after:swap", mirror);
  function clock(at) {
    return new Date(at).toTimeString().slice(0, 5);
  }
  function wanted() {
    const markets = new Set();
    document.querySelectorAll("[data-market]").forEach((part) => {
      if (/^0x[0-9a-f]{64}$/.test(part.dataset.market)) markets.add(part.dataset.market);
    });
    const book = document.body.dataset.book;
    const message = { action: "subscribe", markets: [...markets].slice(0, 200), books: book ? [book] : [] };
    if (document.body.dataset.account) message.account = Number(document.body.dataset.account);
    return message;
  }
  function send(message) {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }
  function connect() {
    clearTimeout(retryTimer);
    if (socket || document.hidden) return;
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    try { socket = new WebSocket(scheme + location.host + "/ws/terminal/"); } catch (error) { socket = null; retry(); return; }
    const own = socket;
    expected = null;
    own.onmessage = (event) => { if (own === socket) receive(event.data); };
    own.onclose = (event) => {
      if (own !== socket) return;
      socket = null;
      if (event.code === 4002) { show("off", "Too many open pages"); startPolling(); retryTimer = setTimeout(connect, 60000); return; }
      retry();
    };
  }
  function retry() {
    const pause = PAUSES_S[Math.min(attempt, PAUSES_S.length - 1)];
    attempt += 1;
    if (wasLive && attempt > 3) show("off", "Offline, prices of " + clock(lastFrameAt));
    else show("retry", attempt > 1 || wasLive ? "Reconnecting (" + attempt + ")" : "Connecting");
    if (attempt > 1) startPolling();
    Polysim.emit("offline", { attempt });
    retryTimer = setTimeout(connect, pause * 1000 * (0.8 + Math.random() * 0.4));
  }
  function receive(text) {
    let frame;
    try { frame = JSON.parse(text); } catch (error) { return; }
    lastFrameAt = Date.now();
    if (frame.type === "hello") {
      const isBack = wasLive && attempt > 0;
      attempt = 0; wasLive = true; expected = frame.seq + 1;
      serverOffset = frame.server_time_ms - Date.now();
      show("live", "Live");
      stopPolling();
      send(wanted());
      if (frame.feed) tell(frame.feed);
      Polysim.emit("online", { isBack });
      return;
    }
    if (typeof frame.seq === "number") {
      if (expected !== null && frame.seq !== expected) {
        expected = null;
        send({ action: "resync" });
      } else expected = frame.seq + 1;
    }
    tell(frame);
  }
  function tell(frame) {
    if (frame.type === "feed") { connections = frame.connections || {}; feedAt = Date.now(); }
    Polysim.emit(frame.type, frame);
  }

  /* Without a socket: the same frames, asked for. Every 3 s while in use, else every minute. */
  function startPolling() {
    if (pollTimer || document.hidden) return;
    pollTimer = setTimeout(poll, POLL_MS);
  }
  function stopPolling() { clearTimeout(pollTimer); pollTimer = 0; }
  async function poll() {
    pollTimer = 0;
    const message = wanted();
    const query = new URLSearchParams();
    message.markets.slice(0, 60).forEach((id) => query.append("market", id));
    message.books.forEach((id) => query.append("book", id));
    try {
      const answer = await fetch("/live/?" + query, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const frames = (await answer.json()).frames;
        lastFrameAt = Date.now();
        frames.forEach(tell);
        if (!socket || socket.readyState !== WebSocket.OPEN) show("retry", "Polling, reconnecting (" + attempt + ")");
      }
    } catch (error) { show("off", lastFrameAt ? "Offline, prices of " + clock(lastFrameAt) : "Offline"); }
    if (socket && socket.readyState === WebSocket.OPEN) return;
    pollTimer = setTimeout(poll, Date.now() - usedAt > IDLE_AFTER_MS ? IDLE_POLL_MS : POLL_MS);
  }

  /* When the feed last confirmed a market: its own time or its connection's newest data. */
  Polysim.confirmedAt = function (frame) {
    const own = frame.confirmed_at_ms || 0;
    const connection = frame.connection ? Number(connections[frame.connection] || 0) : 0;
    return Math.max(own, connection);
  };
  Polysim.serverNow = function () { return Date.now() + serverOffset; };
  Polysim.isConnected = function () { return Boolean(socket && socket.readyState === WebSocket.OPEN); };
  Polysim.resubscribe = function () { send(wanted()); };

  ["pointerdown", "keydown", "scroll"].forEach((name) => addEventListener(name, () => { usedAt = Date.now(); }, { passive: true }));
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      stopPolling();
      hiddenTimer = setTimeout(() => { if (socket) { const old = socket; socket = null; old.close(); } }, HIDDEN_CLOSE_MS);
    } else if (!socket) { attempt = Math.min(attempt, 1); connect(); }
    else send({ action: "resync" });
  });
  addEventListener("online", () => { attempt = 0; connect(); });
  setInterval(() => {
    if (!Polysim.isConnected()) return;
    if (Date.now() - lastFrameAt > SILENT_AFTER_MS) { const old = socket; socket = null; old.close(); retry(); } else send({ action: "ping" });
  }, 15000);
  document.addEventListener("DOMContentLoaded", () => { show("retry", "Connecting"); connect(); });
  if (document.readyState !== "loading") { show("retry", "Connecting"); }
})(window.Polysim);
