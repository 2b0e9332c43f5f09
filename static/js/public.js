/* The visitor's theme: kept in the browser. */
"use strict";
(function () {
  const root = document.documentElement;
  let stored = "";
  try { stored = localStorage.getItem("polysim.theme") || ""; } catch (error) { /* storage is off */ }
  document.querySelectorAll(".theme-choice input").forEach((input) => {
    input.checked = input.value === stored;
    input.addEventListener("change", () => {
      if (input.value) root.dataset.theme = input.value; else delete root.dataset.theme;
      try { if (input.value) localStorage.setItem("polysim.theme", input.value); else localStorage.removeItem("polysim.theme"); } catch (error) { /* storage is off */ }
    });
  });
  document.querySelectorAll("[data-show-password]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.showPassword);
      const isHidden = field.type === "password";
      field.type = isHidden ? "text" : "password";
      button.textContent = isHidden ? "Hide" : "Show";
      button.setAttribute("aria-pressed", String(isHidden));
    });
  });
  const summary = document.querySelector("[data-error-summary]");
  if (summary) summary.focus();
})();
