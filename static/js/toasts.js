/* Toasts and the bell: what happened to the account, in words, with its account's name. */
"use strict";
(function (Polysim) {
  const STAY_MS = 6000, NOTES_MAX = 20;
  const place = document.getElementById("toasts");
  const list = document.getElementById("notes");
  const bell = document.getElementById("bell");
  const seen = new Set();

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  /* `stays`: until dismissed. `url` leads to what the toast is about. */
  Polysim.toast = function ({ title, detail, url, tone, stays, key }) {
    if (key) {
      if (seen.has(key)) return;
      seen.add(key);
    }
    const toast = element("div", "toast" + (tone ? " toast--" + tone : ""));
    const badge = document.querySelector(".acct .badge");
    if (badge) toast.append(badge.cloneNode(true)); else toast.append(element("span"));
    toast.append(element("b", "", title));
    const close = element("button", "icon toast-close", "×");
    close.setAttribute("aria-label", "Dismiss");
    close.onclick = () => toast.remove();
    toast.append(close);
    const account = document.body.dataset.accountName;
    const more = element("p", "muted", [account, detail].filter(Boolean).join(": ") + " ");
    if (url) { const link = element("a", "", "Open"); link.href = url; more.append(link); }
    toast.append(more);
    place.append(toast);
    while (place.children.length > 4) place.firstElementChild.remove();
    const voice = document.getElementById(stays ? "announce-now" : "announce");
    if (voice) voice.textContent = title + ". " + (detail || "");
    note(title, detail, url);
    if (stays) return;
    let timer = setTimeout(() => toast.remove(), STAY_MS);
    const hold = () => clearTimeout(timer);
    const go = () => { clearTimeout(timer); timer = setTimeout(() => toast.remove(), STAY_MS); };
    toast.addEventListener("pointerenter", hold);
    toast.addEventListener("pointerleave", go);
    toast.addEventListener("focusin", hold);
    toast.addEventListener("focusout", go);
  };
  function note(title, detail, url) {
    if (!list) return;
    if (list.firstElementChild && list.firstElementChild.classList.contains("muted")) list.textContent = "";
    const row = element("li");
    row.append(element("b", "", title), element("small", "muted", (detail || "") + " " + new Date().toTimeString().slice(0, 5)));
    if (url) { const link = element("a", "", "Open"); link.href = url; row.append(link); }
    list.prepend(row);
    while (list.children.length > NOTES_MAX) list.lastElementChild.remove();
    if (bell && !bell.open) bell.dataset.news = "1";
  }
  if (bell) bell.addEventListener("toggle", () => { delete bell.dataset.news; });

  Polysim.on("fill", (frame) => {
    const words = (frame.side === "SELL" ? "Sold " : "Bought ") + Polysim.shares(frame.quantity) + " " + frame.outcome + " at " + Polysim.cents(frame.price);
    const isPart = frame.order_status === "PENDING";
    Polysim.toast({ title: (isPart ? "Part filled: " : "Filled: ") + words, detail: "fee $" + frame.fee, tone: "gain", key: "fill" + frame.trade_id });
    Polysim.emit("account-changed", frame);
  });
  Polysim.on("order", (frame) => {
    if (frame.status === "CANCELLED" && frame.cancelled_reason && frame.cancelled_reason !== "user" && frame.cancelled_reason !== "cancel_all")
      Polysim.toast({ title: "Order cancelled", detail: frame.cancelled_reason.replaceAll("_", " "), key: "order" + frame.order_id + frame.status });
    if (frame.status === "EXPIRED") Polysim.toast({ title: "Order expired", detail: "the market ended", key: "order" + frame.order_id + frame.status });
    Polysim.emit("account-changed", frame);
  });
  Polysim.on("settlement", (frame) => {
    const isPaid = frame.payout !== "0.00";
    Polysim.toast({ title: "Resolved: " + (frame.market_question || "a market of yours"), detail: "your " + Polysim.shares(frame.quantity) + " " + frame.outcome + (isPaid ? " paid $" + frame.payout : " paid nothing"), tone: isPaid ? "gain" : undefined, key: "settled" + frame.position_id + "." + frame.version });
    Polysim.emit("account-changed", frame);
  });
  /* News of challenges: what ends one stays until it is dismissed. */
  const CHALLENGE_WORDS = {
    "prop.challenge.failed": ["Challenge failed", "loss", true],
    "prop.challenge.phase_changed": ["Phase passed", "gain", true],
    "prop.challenge.passed": ["Challenge passed", "gain", true],
    "prop.challenge.cancelled": ["Challenge cancelled", "loss", true],
    "prop.payout.paid": ["Payout paid", "gain", false],
    "prop.warning": ["Close to a limit", "loss", false],
  };
  Polysim.on("prop", (frame) => {
    const words = CHALLENGE_WORDS[frame.event];
    if (!words) return;
    const data = frame.data || {};
    Polysim.toast({ title: words[0], detail: data.message || (data.rule || "").replaceAll("_", " "), url: data.challenge_id ? "/challenges/" + data.challenge_id + "/" + (frame.schema ? "?tenant=" + frame.schema : "") : undefined, tone: words[1], stays: words[2], key: "prop" + frame.event + frame.id });
    Polysim.emit("account-changed", frame);
  });
  Polysim.on("wallet", (frame) => Polysim.emit("account-changed", frame));
})(window.Polysim);
