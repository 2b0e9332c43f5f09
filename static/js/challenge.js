/* A challenge's page: steps, figures and meters are fetched again every few seconds while the page
   is seen, and at once when its rules have news. */
"use strict";
(function (Polysim) {
  const EVERY_MS = 5000, IDLE_MS = 60000;
  let timer = 0, isLoading = false;

  async function refresh() {
    const live = document.getElementById("challenge-live");
    if (!live || document.hidden || isLoading) return;
    isLoading = true;
    try {
      const answer = await fetch(live.dataset.refresh, { headers: { "X-Requested-With": "fetch" } });
      if (answer.ok) take(live, await answer.text());
    } catch (error) { /* the next try comes by itself */ }
    isLoading = false;
  }
  /* Parts are exchanged one by one: an open table or a chart under the pointer stays as it is. */
  function take(live, html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    [".steps", "#rules", ".panel-stats"].forEach((name) => {
      const old = live.querySelector(name), fresh = made.content.querySelector(name);
      if (old && fresh && old.innerHTML !== fresh.innerHTML) old.replaceWith(fresh);
    });
  }
  function again() {
    clearTimeout(timer);
    timer = setTimeout(() => { refresh(); again(); }, document.hidden ? IDLE_MS : EVERY_MS);
  }
  Polysim.on("account-changed", refresh);
  Polysim.on("prop", ({ event }) => {
    if (event !== "prop.metric" && event !== "prop.warning") setTimeout(() => location.reload(), 1500);
    else refresh();
  });
  if (document.getElementById("challenge-live")) again();
})(window.Polysim);
