/* Numbers as people read them, from exact decimal text: no price or amount passes through a float.
   The same words as trading/formats.py. Everything hangs on one global, `Polysim`. */
"use strict";
window.Polysim = (function () {
  document.documentElement.classList.add("js");
  const MINUS = "\u2212";
  const SCALE = 1000000n;

  /* "0.634" -> 634000n (millionths); null for null and for text that is no decimal. */
  function scaled(text) {
    if (text === null || text === undefined || text === "") return null;
    const match = /^(-?)(\d*)(?:\.(\d*))?$/.exec(String(text).trim());
    if (!match || (!match[2] && !match[3])) return null;
    const fraction = ((match[3] || "") + "000000").slice(0, 6);
    const value = BigInt(match[2] || "0") * SCALE + BigInt(fraction);
    return match[1] ? -value : value;
  }
  /* Half up, away from zero. */
  function divide(numerator, denominator) {
    const sign = numerator < 0n ? -1n : 1n;
    return sign * ((2n * sign * numerator + denominator) / (2n * denominator));
  }
  function grouped(whole) { return whole.replace(/\B(?=(\d{3})+$)/g, ","); }
  function decimals(value, places) {
    /* `value` is scaled by 10 ** places and not negative. */
    const digits = value.toString().padStart(places + 1, "0");
    return places ? digits.slice(0, -places) + "." + digits.slice(-places) : digits;
  }
  function trimmed(text) { return text.includes(".") ? text.replace(/\.?0+$/, "") : text; }

  /* Price text to cents: 63¢, 63.4¢; with the market's tick as many decimals as it has. */
  function cents(text, tick) {
    const price = scaled(text);
    if (price === null) return "–";
    if (tick) {
      const places = Math.max(0, (trimmed(tick).split(".")[1] || "").length - 2);
      return decimals(divide(price * 10n ** BigInt(places), 10000n), places) + "¢";
    }
    const places = price > 0n && price < 10000n ? 2 : 1;
    return trimmed(decimals(divide(price * 10n ** BigInt(places), 10000n), places)) + "¢";
  }
  function chance(text) {
    const price = scaled(text);
    if (price === null) return "–";
    if (price > 0n && price < 10000n) return "<1%";
    if (price > 990000n && price < SCALE) return ">99%";
    return divide(price, 10000n) + "%";
  }
  /* Dollars from a value scaled by 10 ** 6. */
  function moneyOf(value) {
    const inCents = divide(value, 10000n);
    const size = inCents < 0n ? -inCents : inCents;
    const text = decimals(size, 2);
    return (inCents < 0n ? MINUS : "") + "$" + grouped(text.slice(0, -3)) + text.slice(-3);
  }
  function wholeMoneyOf(value) { return "$" + grouped(divide(value, SCALE).toString()); }
  function shares(text) {
    const value = scaled(text);
    if (value === null) return "–";
    const parts = trimmed(decimals(divide(value, 10000n), 2)).split(".");
    return grouped(parts[0]) + (parts[1] ? "." + parts[1] : "");
  }
  /* Shares of a level: 390.25, 20,479, 1.17m. */
  function depth(text) {
    const value = scaled(text);
    if (value === null || value < 10000n * SCALE) return shares(text);
    if (value < 1000000n * SCALE) return grouped(divide(value, SCALE).toString());
    const hundredths = divide(value, 10000n * SCALE);
    return (hundredths < 10000n ? trimmed(decimals(hundredths, 2)) : grouped(divide(hundredths, 100n).toString())) + "m";
  }
  /* Profit with arrow and sign, and its class. */
  function profitOf(value) {
    const inCents = divide(value, 10000n);
    if (inCents === 0n) return { text: "$0.00", tone: "flat" };
    const text = moneyOf(value);
    return inCents > 0n ? { text: "▲ +" + text, tone: "gain" } : { text: "▼ " + text, tone: "loss" };
  }
  function percentOf(part, whole) {
    if (whole === 0n) return "";
    const tenths = divide(part * 1000n, whole);
    const size = tenths < 0n ? -tenths : tenths;
    const sign = tenths < 0n ? MINUS : tenths > 0n ? "+" : "";
    return sign + decimals(size, 1) + "%";
  }
  function ageWords(milliseconds) {
    const seconds = Math.floor(milliseconds / 1000);
    if (seconds < 60) return seconds + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min";
    return Math.floor(seconds / 3600) + " h";
  }
  function relative(moment, now) {
    const seconds = Math.trunc((moment - now) / 1000);
    const distance = Math.abs(seconds);
    if (distance >= 86400) return null;
    if (distance < 1) return "just now";
    const amount = ageWords(distance * 1000);
    return seconds > 0 ? "in " + amount : amount + " ago";
  }
  function csrf() {
    const field = document.querySelector("input[name=csrfmiddlewaretoken]");
    return field ? field.value : "";
  }
  function emit(name, detail) { document.dispatchEvent(new CustomEvent("polysim:" + name, { detail })); }
  function on(name, listener) { document.addEventListener("polysim:" + name, (event) => listener(event.detail)); }
  return { SCALE, scaled, divide, cents, chance, moneyOf, wholeMoneyOf, shares, depth, profitOf, percentOf, ageWords, relative, csrf, emit, on };
})();
