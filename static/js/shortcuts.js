/* Keys: ui.md, "Access, phone, keyboard". None places an order; single keys can be switched off. */
"use strict";
(function (Polysim) {
  const dialog = document.getElementById("shortcuts");
  const areSingleKeysOn = document.body.dataset.shortcuts !== "off";
  let isAfterG = 0;

  function choose(selector) {
    const input = document.querySelector(selector);
    if (!input || input.disabled) return;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const KEYS = {
    "/": () => { const field = document.querySelector(".search input"); if (field) field.focus(); },
    a: () => { const menu = document.getElementById("switcher"); if (menu) { menu.open = true; (menu.querySelector("[data-filter]:not([hidden])") || menu.querySelector(".switch-row")).focus(); } },
    b: () => choose("#order-form [name=side][value=BUY]"),
    s: () => choose("#order-form [name=side][value=SELL]"),
    y: () => choose("#order-form [name=outcome][value='0']"),
    n: () => choose("#order-form [name=outcome][value='1']"),
    l: () => choose("#order-form [name=type][value=limit]"),
    m: () => choose("#order-form [name=type][value=market]"),
    "?": () => dialog.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target;
    if (target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog[open]")) return;
    if (isAfterG && Date.now() - isAfterG < 1500) {
      isAfterG = 0;
      const path = { p: "/portfolio/", m: "/markets/" }[event.key];
      if (path) { event.preventDefault(); location.assign(path); return; }
    }
    if (!areSingleKeysOn && event.key !== "?") return;
    if (event.key === "g") { isAfterG = Date.now(); return; }
    const action = KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  document.querySelectorAll("[data-open-shortcuts]").forEach((link) => link.addEventListener("click", (event) => { event.preventDefault(); dialog.showModal(); }));
})(window.Polysim);
