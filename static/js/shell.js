/* The shell: theme, switcher, account bar, feed banner, relative times, forms without a button. */
"use strict";
(function (Polysim) {
  const root = document.documentElement;

  /* Theme: the server keeps it for people with an account, the browser for visitors. */
  document.querySelectorAll(".theme-form").forEach((form) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const theme = isDark ? "light" : "dark";
    root.dataset.theme = theme;
    try { localStorage.setItem("polysim.theme", theme); } catch (error) { /* storage is off */ }
    const body = new FormData(form);
    body.set("theme", theme);
    fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } }).catch(() => {});
    Polysim.emit("theme", { theme });
  }));

  /* Switcher: filter by typing, close on Escape and on a click elsewhere. */
  const switcher = document.getElementById("switcher");
  if (switcher) {
    const filter = switcher.querySelector("[data-filter]");
    const rows = [...switcher.querySelectorAll(".switch-row")];
    filter.hidden = rows.length < 4;
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      rows.forEach((row) => { row.hidden = !row.dataset.name.includes(wanted); });
      switcher.querySelectorAll(".switch-ended").forEach((fold) => { if (wanted) fold.open = true; });
    });
    filter.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const first = rows.find((row) => !row.hidden);
      if (first) first.click();
    });
    switcher.addEventListener("toggle", () => { if (switcher.open && !filter.hidden) filter.focus(); });
  }
  const menus = () => document.querySelectorAll("details.switch[open], details.bell[open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });
  document.addEventListener("click", (event) => {
    menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  /* A switch of accounts is said aloud once the new page stands. */
  const news = document.querySelector("[data-announce]");
  if (news) setTimeout(() => { document.getElementById("announce").textContent = news.textContent; }, 600);

  /* Account bar: the server computes it; fetched again when money moved, and every 15 s. */
  let barTimer = 0, isBarLoading = false;
  async function refreshBar() {
    const bar = document.getElementById("account-bar");
    if (!bar || document.hidden || isBarLoading) return;
    isBarLoading = true;
    try {
      const answer = await fetch(bar.dataset.refresh, { headers: { "X-Requested-With": "fetch" } });
      if (answer.ok) {
        const made = document.createElement("template");
        made.innerHTML = await answer.text();
        const fresh = made.content.querySelector("#account-bar");
        if (fresh) {
          flashChanges(bar, fresh);
          const cash = fresh.querySelector("[data-value=cash]");
          bar.replaceWith(fresh);
          document.querySelectorAll(".ticket [data-value=cash]").forEach((part) => { part.textContent = cash.textContent; });
        }
      }
    } catch (error) { /* the next try comes by itself */ }
    isBarLoading = false;
  }
  function flashChanges(old, fresh) {
    fresh.querySelectorAll("[data-value]").forEach((part) => {
      const former = old.querySelector("[data-value=" + part.dataset.value + "]");
      if (former && former.textContent !== part.textContent) part.classList.add("flash");
    });
  }
  function refreshSoon() { clearTimeout(barTimer); barTimer = setTimeout(refreshBar, 150); }
  Polysim.on("account-changed", refreshSoon);
  Polysim.on("online", ({ isBack }) => { if (isBack) { refreshSoon(); Polysim.emit("account-changed", {}); } });
  setInterval(refreshBar, 15000);

  /* Feed banner and footer. A change of mode needs the server's words: reload the banner only. */
  const banner = document.getElementById("feed-banner");
  let shownState = null;
  Polysim.on("feed", async (frame) => {
    const state = [frame.mode, frame.halted, frame.running].join();
    document.body.dataset.halted = frame.halted ? "1" : "";
    if (shownState === null) { shownState = state; if (!banner.dataset.first) { banner.dataset.first = "1"; if (matchesPage(frame)) return; } }
    else if (shownState === state) return;
    shownState = state;
    try {
      const answer = await fetch("/feed/banner/", { headers: { "X-Requested-With": "fetch" } });
      if (answer.ok) banner.innerHTML = await answer.text();
    } catch (error) { /* the page keeps what it said */ }
    Polysim.emit("feed-changed", frame);
  });
  function matchesPage(frame) {
    const isWarning = Boolean(banner.querySelector(".banner--loss, .banner--warn"));
    return frame.mode === document.body.dataset.feedMode && isWarning === Boolean(frame.halted || frame.running === false);
  }

  /* Relative times stay true. */
  setInterval(() => {
    if (document.hidden) return;
    const now = Polysim.serverNow ? Polysim.serverNow() : Date.now();
    document.querySelectorAll("time[data-relative]").forEach((part) => {
      const words = Polysim.relative(Date.parse(part.dateTime), now);
      if (words && part.textContent !== words) part.textContent = words;
    });
  }, 1000);

  /* Filters apply when changed; buttons that only serve pages without script go. */
  document.addEventListener("change", (event) => {
    const form = event.target.closest("#filters");
    if (form && event.target.tagName === "SELECT") form.requestSubmit();
  });

  /* Cancelling from a list: the row goes without a reload. */
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-cancel]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    button.textContent = "Cancelling…";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
      const words = (await answer.json()).words;
      Polysim.toast({ title: answer.ok ? "Order cancelled" : "Not cancelled", detail: words });
    } catch (error) {
      Polysim.toast({ title: "Not sent", detail: "Polysim does not answer; the order stands as it was." });
      button.disabled = false;
      button.textContent = "Cancel";
    }
    Polysim.emit("account-changed", {});
  });

  /* Fragments that belong to the account: fetched again when it changed. */
  let ownTimer = 0;
  Polysim.on("account-changed", () => {
    clearTimeout(ownTimer);
    ownTimer = setTimeout(async () => {
      const part = document.querySelector("#own[data-refresh], #portfolio-tab[data-refresh]");
      if (!part || part.matches(":focus-within") && part.querySelector("input:focus")) return;
      try {
        const answer = await fetch(part.dataset.refresh, { headers: { "X-Requested-With": "fetch" } });
        if (answer.ok) { part.innerHTML = await answer.text(); Polysim.resubscribe(); Polysim.emit("own-changed", {}); }
      } catch (error) { /* the next change tries again */ }
    }, 250);
  });
})(window.Polysim);
