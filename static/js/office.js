/* The BackOffice: theme, search by "/", menus that close, copy buttons. Pages work without it. */
"use strict";
(function () {
  const root = document.documentElement;
  document.querySelectorAll("form[data-theme-form]").forEach((form) => form.addEventListener("change", () => {
    const theme = new FormData(form).get("theme");
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } }).catch(() => {});
  }));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest && event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const find = document.getElementById("find");
      if (find) { event.preventDefault(); find.focus(); }
    }
    if (event.key === "Escape") document.querySelectorAll("details.menu[open], details.me[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open], details.me[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    const button = event.target.closest && event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(() => { button.textContent = "Copied"; });
  });
  document.querySelectorAll("[data-needs-js]").forEach((part) => { part.hidden = false; });
  const summary = document.querySelector("[data-error-summary]");
  if (summary) summary.focus();
})();
