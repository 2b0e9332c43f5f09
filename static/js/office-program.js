/* The form of a program: checks, preview and money follow the typing. Without it "Check" does. */
"use strict";
(function () {
  const form = document.getElementById("program-form");
  const aside = document.getElementById("program-aside");
  if (!form || !form.dataset.preview) return;
  let timer = 0, number = 0;
  async function refresh() {
    const mine = ++number;
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
      if (!answer.ok || mine !== number) return;
      aside.innerHTML = await answer.text();
      const words = new Map([...aside.querySelectorAll("data[data-money]")].map((one) => [one.dataset.money, one.value]));
      form.querySelectorAll("[data-money-of]").forEach((one) => {
        one.textContent = words.get(one.dataset.moneyOf) || "";
        one.closest(".cell").classList.toggle("off", one.textContent === "off");
      });
    } catch (error) { /* the next change asks again */ }
  }
  form.addEventListener("input", (event) => {
    const cell = event.target.closest(".cell");
    if (cell && event.target.defaultValue !== undefined) cell.classList.toggle("chg", event.target.value !== event.target.defaultValue);
    clearTimeout(timer);
    timer = setTimeout(refresh, 300);
  });
})();
