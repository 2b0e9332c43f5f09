/* The order ticket. Figures come from the server's preview, made by the engine that fills; nothing
   is guessed here. One key per confirmed form, so a double click cannot fill twice. */
"use strict";
(function (Polysim) {
  const form = document.getElementById("order-form");
  if (!form) return;
  const DEBOUNCE_MS = 150, BOOK_PREVIEW_MS = 1000, DIM_MS = 300;
  const preview = document.getElementById("preview");
  const result = document.getElementById("order-result");
  const button = document.getElementById("order-button");
  const review = document.getElementById("review");
  const size = form.elements.size, limit = form.elements.limit;
  const tick = Number(form.dataset.tick);
  let timer = 0, running = null, lastPreviewAt = 0, isSending = false, isPreviewCurrent = true;

  const value = (name) => form.elements[name].value;
  const headers = { "X-Requested-With": "fetch" };
  const shown = () => preview.querySelector("[data-preview]");

  /* --- What the choices show and hide (the same is done by :has() without script). */
  function arrange() {
    const isSale = value("side") === "SELL", isLimit = value("type") === "limit";
    form.querySelector("[data-quick=buy]").hidden = isSale;
    form.querySelector("[data-quick=sell]").hidden = !isSale;
    if ((isSale || isLimit) && value("unit") === "usd") form.querySelector("[name=unit][value=shares]").checked = true;
    button.classList.toggle("btn--yes", value("outcome") === "0");
    button.classList.toggle("btn--no", value("outcome") === "1");
    form.elements.worst.placeholder = isSale ? "best − 2¢" : "best + 2¢";
    if (isLimit && !limit.value) fillLimit();
  }
  function bestPrice() {
    const book = Polysim.lastBook;
    const side = book && book.outcomes[Number(value("outcome"))];
    const level = side && (value("side") === "BUY" ? side.bids[0] || side.asks[0] : side.asks[0] || side.bids[0]);
    return level ? level[0] : null;
  }
  function fillLimit() {
    const price = bestPrice();
    if (price) limit.value = Polysim.cents(price).slice(0, -1);
  }
  function stepLimit(direction) {
    const places = (String(tick).split(".")[1] || "").length, factor = 10 ** places;
    const now = Math.round((Number(limit.value.replace(",", ".")) || 0) * factor), step = Math.round(tick * factor);
    const next = Math.min(100 * factor - step, Math.max(step, Math.round(now / step) * step + direction * step));
    limit.value = (next / factor).toFixed(places);
    ask();
  }
  limit.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    stepLimit(event.key === "ArrowUp" ? 1 : -1);
  });
  form.querySelectorAll("[data-step]").forEach((part) => part.addEventListener("click", () => stepLimit(Number(part.dataset.step))));

  /* --- Quick amounts. Parts of cash and shares are cut, never rounded up. */
  form.querySelectorAll(".quick button").forEach((part) => part.addEventListener("click", () => {
    const typed = Number(size.value.replaceAll(",", "")) || 0;
    if (part.dataset.add) size.value = String(Math.round((typed + Number(part.dataset.add)) * 100) / 100);
    else size.value = partOf(Number(part.dataset.part));
    ask();
  }));
  function partOf(percent) {
    if (value("side") === "SELL") {
      const chosen = form.querySelector("[name=outcome]:checked");
      return cut((Polysim.scaled(chosen.dataset.free) || 0n) * BigInt(percent) / 100n, 100n);
    }
    const cash = Polysim.scaled(document.querySelector(".ticket [data-value=cash]").textContent.replace(/[$,]/g, "")) || 0n;
    const budget = cash * BigInt(percent) / 100n;
    if (value("type") === "market" && value("unit") === "usd") return cut(budget * 97n / 100n, 10000n);
    const price = Polysim.scaled(value("type") === "limit" ? String(Number(limit.value) / 100) : bestPrice());
    return price ? cut(budget * 97n / 100n * Polysim.SCALE / price, Polysim.SCALE) : "";
  }
  function cut(scaledValue, step) {
    const kept = scaledValue / step * step;
    return (kept / Polysim.SCALE + "." + (kept % Polysim.SCALE).toString().padStart(6, "0")).replace(/\.?0+$/, "");
  }

  /* --- Preview */
  function ask(delay) {
    isPreviewCurrent = false;
    clearTimeout(timer);
    timer = setTimeout(load, delay === undefined ? DEBOUNCE_MS : delay);
  }
  async function load() {
    if (isSending || document.hidden) return;
    if (running) running.abort();
    running = new AbortController();
    const own = running;
    lastPreviewAt = Date.now();
    const dim = setTimeout(() => preview.classList.add("busy"), DIM_MS);
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), headers, signal: own.signal });
      if (own === running) show(await answer.text());
    } catch (error) {
      if (own === running && error.name !== "AbortError") say("Polysim does not answer. Nothing was placed; the preview comes back by itself.");
    }
    clearTimeout(dim);
    if (own === running) preview.classList.remove("busy");
  }
  function show(html) {
    const focused = preview.contains(document.activeElement) ? document.activeElement.name : null;
    preview.innerHTML = html;
    isPreviewCurrent = true;
    const made = shown();
    if (!made) return;
    button.querySelector("[data-button]").textContent = made.dataset.button;
    button.querySelector("[data-total]").textContent = made.dataset.total ? "· " + made.dataset.total : "";
    if (focused) { const field = preview.querySelector("[name=" + focused + "]"); if (field) field.focus(); }
    Polysim.emit("eaten", { side: Number(value("outcome")), prices: made.dataset.eaten ? made.dataset.eaten.split(" ") : [] });
  }
  function say(words) {
    const note = document.createElement("p");
    note.className = "note note--loss";
    note.textContent = words;
    result.replaceChildren(note);
  }
  form.addEventListener("input", (event) => { if (event.target.name !== "accept") ask(); });
  form.addEventListener("change", (event) => { arrange(); if (event.target.name !== "accept") ask(); });
  Polysim.on("book-drawn", () => {
    if (size.value && Date.now() - lastPreviewAt > BOOK_PREVIEW_MS && !review.open) ask(0);
  });

  /* --- Placing */
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    clearTimeout(timer);
    if (!isPreviewCurrent) await load();
    const made = shown();
    const accept = preview.querySelector("[name=accept]");
    if (accept && !accept.checked) { accept.focus(); accept.closest("label").classList.add("shake"); return; }
    if (!size.value.trim()) { size.focus(); return; }
    if (made && made.dataset.canPlace && !made.dataset.confirm) await place(new FormData(form), button);
    else await openReview();
  });
  async function openReview() {
    busy(button, "Checking…");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
      review.innerHTML = await answer.text();
      const confirm = review.querySelector("form");
      if (confirm) {
        review.querySelector("[data-close]").addEventListener("click", (event) => { event.preventDefault(); review.close(); });
        confirm.addEventListener("submit", async (event) => {
          event.preventDefault();
          const go = confirm.querySelector("button:not([type=button])");
          if (go.disabled) return;
          await place(new FormData(confirm), go);
          review.close();
        });
        review.showModal();
      } else { result.innerHTML = review.innerHTML; review.innerHTML = ""; }
    } catch (error) { say("Polysim does not answer. Nothing was placed and no money moved."); }
    idle(button);
  }
  review.addEventListener("close", () => { idle(button); button.focus(); });
  async function place(body, from) {
    isSending = true;
    busy(from, "Placing…");
    try {
      const answer = await fetch(form.dataset.place, { method: "POST", body, headers });
      result.innerHTML = await answer.text();
      const told = result.querySelector("[data-result]");
      if (told && told.dataset.nextKey) form.elements.client_order_id.value = told.dataset.nextKey;
      if (told && told.dataset.result === "placed") { size.value = ""; Polysim.emit("account-changed", {}); }
    } catch (error) {
      say("The connection broke while placing. Press the button again: the same order is never placed twice.");
    }
    isSending = false;
    idle(from);
    ask(0);
  }
  function busy(part, words) { part.disabled = true; part.dataset.words = part.innerHTML; part.textContent = words; }
  function idle(part) { if (part.dataset.words) { part.innerHTML = part.dataset.words; delete part.dataset.words; } part.disabled = false; }

  /* --- Choices made elsewhere on the page */
  Polysim.on("limit-picked", ({ price, side }) => {
    form.querySelector("[name=type][value=limit]").checked = true;
    form.querySelector("[name=outcome][value='" + side + "']").checked = true;
    limit.value = Polysim.cents(price).slice(0, -1);
    arrange();
    ask();
    showTicket();
  });
  /* Beside the page the ticket is in sight: type on. On a phone it is a sheet. */
  function showTicket() {
    if (matchMedia("(min-width: 860px)").matches) size.focus({ preventScroll: true });
    else location.hash = "ticket";
  }
  function pick(outcome, side) {
    form.querySelector("[name=outcome][value='" + outcome + "']").checked = true;
    form.querySelector("[name=side][value=" + side + "]").checked = true;
    arrange();
    ask();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-choose], [data-sell], .outs [aria-current] .quote");
    if (!link) return;
    if (link.dataset.sell !== undefined) pick(link.dataset.sell, "SELL");
    else pick(link.dataset.choose !== undefined ? link.dataset.choose : link.dataset.side, "BUY");
    if (!link.dataset.choose || matchMedia("(min-width: 860px)").matches) event.preventDefault();
    showTicket();
  });
  Polysim.on("own-changed", () => {
    document.querySelectorAll("#own [data-free]").forEach((row) => {
      const input = form.querySelector("[name=outcome][value='" + row.dataset.outcome + "']");
      if (input) input.dataset.free = row.dataset.free;
    });
    sayHeld();
  });
  /* What is held, in the market's own row of the outcomes. */
  function sayHeld() {
    const place = document.querySelector(".outs [aria-current] > span");
    if (!place) return;
    place.querySelectorAll("small").forEach((part) => part.remove());
    document.querySelectorAll("#own [data-holding]").forEach((row) => {
      const part = document.createElement("small");
      part.textContent = "you hold " + Polysim.shares(row.dataset.quantity) + " " + row.querySelector(".tag").textContent;
      place.append(part);
    });
  }

  /* --- Prices too old or the venue down: no market orders. */
  function guard(isOff) {
    const market = form.querySelector("[name=type][value=market]");
    if (market.disabled === isOff) return;
    market.disabled = isOff;
    document.getElementById("market-off").hidden = !isOff;
    if (isOff && market.checked) form.querySelector("[name=type][value=limit]").checked = true;
    arrange();
    ask();
  }
  Polysim.on("book-age", ({ isOff }) => guard(isOff || document.body.dataset.halted === "1"));
  Polysim.on("feed-changed", (frame) => { if (frame.halted) guard(true); });

  arrange();
  if (size.value) ask(0);
})(window.Polysim);
