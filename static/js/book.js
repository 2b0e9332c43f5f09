/* The ladder and the tape of a market page, from book and trade frames. While the pointer is over
   the ladder its rows keep their prices and only sizes change: the rest is drawn when it leaves. */
"use strict";
(function (Polysim) {
  const LEVELS = 10, TAPE_ROWS = 8, REPAINT_MS = 250;
  const place = document.getElementById("ladder");
  if (!place) return;
  const tick = document.body.dataset.tick;
  let side = Number(document.body.dataset.outcome || 0);
  let book = null, timer = 0, isHeld = false, eaten = new Set(), own = readOwn();
  let lastTradeAt = 0;

  function readOwn() {
    const sizes = new Map();
    place.querySelectorAll("tr[data-own]").forEach((row) => {
      const level = row.querySelector("[data-price]");
      sizes.set(side + row.parentElement.className + Polysim.scaled(level.dataset.price), row.dataset.own);
    });
    return sizes;
  }
  Polysim.on("book", (frame) => {
    if (frame.market_id !== document.body.dataset.book) return;
    book = frame;
    Polysim.lastBook = frame;
    if (!timer && !document.hidden) timer = setTimeout(draw, REPAINT_MS);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && book) draw(); });
  place.addEventListener("pointerenter", () => { isHeld = true; });
  place.addEventListener("pointerleave", () => { isHeld = false; if (book) draw(); });

  function draw() {
    clearTimeout(timer);
    timer = 0;
    if (!book) return;
    const outcome = book.outcomes[side];
    const bid = outcome.bids[0], ask = outcome.asks[0];
    put("bid", Polysim.cents(bid && bid[0]));
    put("ask", Polysim.cents(ask && ask[0]));
    put("spread", bid && ask ? Polysim.cents(difference(ask[0], bid[0])) : "–");
    put("middle", Polysim.cents(outcome.price));
    Polysim.emit("book-drawn", { side, bid: bid && bid[0], ask: ask && ask[0] });
    const asks = withOwn(outcome.asks, "asks"), bids = withOwn(outcome.bids, "bids");
    const largest = [...asks, ...bids].map((level) => Polysim.scaled(level[1])).reduce((a, b) => (a > b ? a : b), 1n);
    if (isHeld || place.contains(document.activeElement)) {
      keep(place.querySelector(".asks"), outcome.asks, "asks", largest);
      keep(place.querySelector(".bids"), outcome.bids, "bids", largest);
      return;
    }
    fill(place.querySelector(".asks"), asks.slice().reverse(), "asks", largest);
    fill(place.querySelector(".bids"), bids, "bids", largest);
  }
  function plain(value) { return value / Polysim.SCALE + "." + (value % Polysim.SCALE).toString().padStart(6, "0"); }
  function difference(high, low) { return plain(Polysim.scaled(high) - Polysim.scaled(low)); }
  /* The best levels, and own prices among them where the venue has no level. */
  function withOwn(levels, name) {
    const known = new Set(levels.map((level) => Polysim.scaled(level[0])));
    const head = side + name, sign = name === "bids" ? -1 : 1;
    const lone = [...own.keys()].filter((key) => key.startsWith(head)).map((key) => BigInt(key.slice(head.length)));
    const rows = lone.filter((price) => !known.has(price)).map((price) => [plain(price), "0"]);
    return [...levels.slice(0, LEVELS), ...rows].sort((a, b) => (Polysim.scaled(a[0]) < Polysim.scaled(b[0]) ? -sign : sign)).slice(0, LEVELS);
  }
  /* The rows that stand, with their present sizes. */
  function keep(body, levels, name, largest) {
    const sizes = new Map(levels.map(([price, size]) => [Polysim.scaled(price), size]));
    body.querySelectorAll("tr").forEach((row) => {
      const link = row.querySelector("[data-price]");
      if (link) write(row, [link.dataset.price, sizes.get(Polysim.scaled(link.dataset.price)) || "0"], name, largest);
    });
  }
  function put(name, text) {
    document.querySelectorAll("[data-book=" + name + "]").forEach((part) => { if (part.textContent !== text) part.textContent = text; });
  }
  function fill(body, levels, name, largest) {
    if (!levels.length) {
      const label = name === "asks" ? "Nobody sells" : "Nobody buys";
      const row = document.createElement("tr"), cell = document.createElement("td");
      cell.colSpan = 3; cell.className = "muted"; cell.textContent = label;
      row.append(cell); body.replaceChildren(row);
      return;
    }
    while (body.children.length > levels.length) body.lastElementChild.remove();
    levels.forEach((level, index) => {
      let row = body.children[index];
      if (!row || !row.querySelector("[data-price]")) { const made = blank(); if (row) row.replaceWith(made); else body.append(made); row = made; }
      write(row, level, name, largest);
    });
  }
  function blank() {
    const row = document.createElement("tr");
    const price = document.createElement("td"), size = document.createElement("td"), value = document.createElement("td");
    const link = document.createElement("a");
    link.className = "level";
    value.className = "muted";
    price.append(link);
    row.append(price, size, value);
    return row;
  }
  function write(row, [price, size], name, largest) {
    const link = row.querySelector(".level");
    const text = Polysim.cents(price, tick);
    if (link.textContent !== text) link.textContent = text;
    link.dataset.price = price;
    link.href = "?outcome=" + side + "&type=limit&price=" + price + "#ticket";
    link.setAttribute("aria-label", "Use " + text + " as limit price");
    const count = Polysim.scaled(size), width = count * 100n / largest;
    const shown = count ? Polysim.depth(size) : "–";
    if (row.children[1].textContent !== shown) row.children[1].textContent = shown;
    row.children[2].textContent = count ? Polysim.wholeMoneyOf(Polysim.scaled(price) * count / Polysim.SCALE) : "";
    row.style.setProperty("--w", (width > 100n ? 100n : width) + "%");
    const mine = own.get(side + name + Polysim.scaled(price));
    row.classList.toggle("own", Boolean(mine));
    let mark = row.querySelector(".yours");
    if (mine) {
      if (!mark) { mark = document.createElement("small"); mark.className = "yours"; row.firstElementChild.append(mark); }
      mark.textContent = "◆ yours " + Polysim.shares(mine);
    } else if (mark) mark.remove();
    row.classList.toggle("eaten", eaten.has(Polysim.scaled(price)));
  }

  /* The levels that the ticket's order would take. */
  Polysim.on("eaten", ({ side: eatenSide, prices }) => {
    eaten = eatenSide === side ? new Set(prices.map((price) => Polysim.scaled(price))) : new Set();
    place.querySelectorAll("tr").forEach((row) => {
      const link = row.querySelector("[data-price]");
      if (link) row.classList.toggle("eaten", eaten.has(Polysim.scaled(link.dataset.price)));
    });
  });
  Polysim.on("own-changed", () => {
    own = new Map();
    document.querySelectorAll("[data-own-order]").forEach((row) => {
      const key = row.dataset.outcome + (row.dataset.side === "BUY" ? "bids" : "asks") + Polysim.scaled(row.dataset.price);
      const total = Polysim.scaled(own.get(key) || "0") + Polysim.scaled(row.dataset.remaining);
      own.set(key, plain(total));
    });
    if (book) draw();
  });

  /* Which outcome's book: switched in place. */
  document.querySelectorAll("[data-book-side]").forEach((link) => link.addEventListener("click", (event) => {
    if (!book) return;
    event.preventDefault();
    side = Number(link.dataset.bookSide);
    document.querySelectorAll("[data-book-side]").forEach((other) => other.removeAttribute("aria-current"));
    link.setAttribute("aria-current", "true");
    isHeld = false;
    link.blur();
    own = new Map();
    Polysim.emit("own-changed", {});
    draw();
  }));
  place.addEventListener("click", (event) => {
    const link = event.target.closest("[data-price]");
    if (!link) return;
    event.preventDefault();
    Polysim.emit("limit-picked", { price: link.dataset.price, side });
  });

  /* Tape: newest first. */
  const tape = document.getElementById("tape");
  const tapeAge = document.getElementById("tape-age");
  const known = new Set();
  Polysim.on("trade", (frame) => {
    if (frame.market_id !== document.body.dataset.book || known.has(frame.identity)) return;
    known.add(frame.identity);
    const isOwnSide = frame.outcome_index === Number(tape.dataset.outcome);
    const price = isOwnSide ? frame.price : mirror(frame.price);
    const isBuy = (frame.side === "BUY") === isOwnSide;
    const row = document.createElement("li");
    const shown = document.createElement("b"), size = document.createElement("span"), time = document.createElement("time");
    shown.className = (isBuy ? "yes" : "no") + " flash";
    shown.textContent = Polysim.cents(price, tick);
    const words = document.createElement("span");
    words.className = "vh"; words.textContent = isBuy ? " bought" : " sold";
    shown.append(words);
    size.textContent = Polysim.shares(frame.size);
    time.dateTime = frame.traded_at; time.className = "muted";
    time.textContent = new Date(frame.traded_at).toTimeString().slice(0, 8);
    row.append(shown, size, time);
    const empty = tape.querySelector(".tape-empty");
    if (empty) empty.remove();
    tape.prepend(row);
    while (tape.children.length > TAPE_ROWS) tape.lastElementChild.remove();
    lastTradeAt = Date.parse(frame.traded_at);
    put("last", Polysim.cents(price));
  });
  function mirror(price) { return plain(Polysim.SCALE - Polysim.scaled(price)); }
  setInterval(() => {
    if (lastTradeAt && tapeAge) tapeAge.textContent = "last " + (Polysim.relative(lastTradeAt, Polysim.serverNow()) || "");
  }, 1000);

  /* The market closed or has its result: the ticket becomes that, by the server's words. */
  Polysim.on("market", (frame) => {
    if (frame.market_id !== document.body.dataset.book || frame.change === "changed") return;
    document.getElementById("announce").textContent = frame.change === "resolved" ? "This market has its result." : "Trading has ended.";
    setTimeout(() => location.reload(), 1000 + Math.random() * 2000);
  });

  /* Stale prices say their age. */
  const note = document.getElementById("book-age");
  Polysim.on("book-age", ({ age, isStale }) => {
    if (!note) return;
    note.hidden = !isStale;
    if (isStale) note.querySelector("[data-age]").textContent = Polysim.ageWords(age);
  });
})(window.Polysim);
