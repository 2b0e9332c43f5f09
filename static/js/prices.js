/* Live prices wherever a part of the page names its market: at most four repaints a second and
   part, a short tint on change, grey with its age when older than 15 s. Never a new order of rows. */
"use strict";
(function (Polysim) {
  const REPAINT_MS = 250, STALE_MS = 15000, OFF_MS = 60000;
  const frames = new Map();
  const dirty = new Set();
  let timer = 0;

  Polysim.on("price", (frame) => {
    frames.set(frame.market_id, frame);
    dirty.add(frame.market_id);
    if (!timer && !document.hidden) timer = setTimeout(paint, REPAINT_MS);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && dirty.size) paint(); });
  Polysim.on("own-changed", () => { frames.forEach((frame, id) => dirty.add(id)); paint(); });
  Polysim.priceFrame = (id) => frames.get(id);

  function paint() {
    clearTimeout(timer);
    timer = 0;
    document.querySelectorAll("[data-market]").forEach((part) => {
      if (dirty.has(part.dataset.market)) update(part, frames.get(part.dataset.market));
    });
    dirty.clear();
    Polysim.emit("painted", {});
  }
  function write(part, text) {
    if (part.textContent === text) return false;
    part.textContent = text;
    part.classList.remove("flash");
    void part.offsetWidth;
    part.classList.add("flash");
    return true;
  }
  function update(part, frame) {
    const sides = frame.outcomes;
    if (part.hasAttribute("data-holding")) return updateHolding(part, frame);
    part.querySelectorAll("[data-live]").forEach((cell) => {
      if (cell.closest("[data-market]") !== part) return;
      const kind = cell.dataset.live;
      if (kind === "chance" || kind === "chance0") write(cell, Polysim.chance(sides[0].price));
      else if (kind === "chance1") write(cell, Polysim.chance(sides[1].price));
      else if (kind === "ask0" || kind === "ask1") write(cell, Polysim.cents(sides[Number(kind[3])].best_ask));
      else if (kind === "bid0" || kind === "bid1") write(cell, Polysim.cents(sides[Number(kind[3])].best_bid));
      else if (kind === "rule" && sides[0].price !== null) cell.style.setProperty("--p", percent(sides[0].price));
      else if (kind === "dot") cell.className = "dot " + (frame.status === "live" ? "dot--on" : "dot--idle");
    });
  }
  function percent(price) {
    const tenths = Polysim.divide(Polysim.scaled(price) * 1000n, Polysim.SCALE);
    return tenths / 10n + "." + tenths % 10n + "%";
  }
  /* Value and profit of a position: exact integers, half up to cents as the server does. */
  function updateHolding(row, frame) {
    const price = Polysim.scaled(frame.outcomes[Number(row.dataset.outcome)].price);
    if (price === null) return;
    const value = Polysim.divide(Polysim.scaled(row.dataset.quantity) * price, Polysim.SCALE * 10000n) * 10000n;
    const cost = Polysim.divide(Polysim.scaled(row.dataset.cost), 10000n) * 10000n;
    const mark = row.querySelector("[data-live=mark]");
    if (mark) write(mark, Polysim.cents(frame.outcomes[Number(row.dataset.outcome)].price));
    const shown = row.querySelector("[data-live=value]");
    if (shown) write(shown, Polysim.moneyOf(value));
    const cell = row.querySelector("[data-live-profit]");
    if (!cell) return;
    const profit = Polysim.profitOf(value - cost);
    const made = document.createElement("span");
    made.className = profit.tone;
    made.textContent = profit.text + " ";
    const small = document.createElement("small");
    small.className = profit.tone;
    small.textContent = Polysim.percentOf(value - cost, Polysim.scaled(row.dataset.cost));
    made.append(small);
    if (cell.textContent.trim() !== made.textContent.trim()) cell.replaceChildren(made);
  }

  /* Staleness, once a second: cells of a market grey and show the age of its prices. */
  setInterval(() => {
    if (document.hidden) return;
    const now = Polysim.serverNow();
    frames.forEach((frame, id) => {
      const confirmed = Polysim.confirmedAt(frame);
      if (!confirmed) return;
      const age = now - confirmed;
      document.querySelectorAll('[data-market="' + id + '"] [data-live^=chance], [data-holding][data-market="' + id + '"] [data-live=mark]').forEach((cell) => {
        const isStale = age > STALE_MS;
        cell.classList.toggle("stale", isStale);
        if (isStale) cell.dataset.age = Polysim.ageWords(age) + " old";
      });
      if (id === document.body.dataset.book) Polysim.emit("book-age", { age, isStale: age > STALE_MS, isOff: age > OFF_MS });
    });
  }, 1000);
})(window.Polysim);
