/* lightweight-charts takes over the server's drawing: crosshair, zoom, live last point. Where the
   library is absent the drawing stays. Values go to the canvas as numbers; text never does. */
"use strict";
(function (Polysim) {
  const library = window.LightweightCharts;
  if (!library) return;
  /* Fewer points of equity than this stay as the server drew them: its axis is true to time. */
  const MONEY_POINTS_MIN = 12, MONEY_RANGE_MIN = 0.01, CHANCE_RANGE_MIN = 0.02;
  let chart = null, line = null, box = null, lastTime = 0, offset = 0;

  function colour(name) {
    /* light-dark() in a custom property is resolved only when it is used. */
    const probe = document.createElement("i");
    probe.style.color = "var(--" + name + ")";
    document.body.append(probe);
    const text = getComputedStyle(probe).color;
    probe.remove();
    return text;
  }
  function faded(text, alpha) { return text.replace("rgb(", "rgba(").replace(")", ", " + alpha + ")"); }

  async function start() {
    box = document.getElementById("chart");
    if (!box || !box.dataset.url) return;
    const own = box;
    let data;
    try {
      const answer = await fetch(box.dataset.url, { headers: { "X-Requested-With": "fetch" } });
      if (!answer.ok) return;
      data = await answer.json();
    } catch (error) { return; }
    if (own !== box || data.points.length < (data.kind === "equity" ? MONEY_POINTS_MIN : 2)) return;
    draw(data);
  }
  function draw(data) {
    const figure = box.querySelector(".chart");
    if (!figure) return;
    stop();
    const stage = document.createElement("div");
    stage.className = "chart-stage";
    stage.tabIndex = 0;
    stage.setAttribute("role", "group");
    stage.setAttribute("aria-label", data.title + ". Arrow keys move the crosshair.");
    figure.classList.add("chart--live");
    figure.append(stage);
    const isMoney = data.kind === "equity";
    const main = colour(isMoney ? "accent" : "yes");
    chart = library.createChart(stage, {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: colour("muted"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12, attributionLogo: true },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("hairline"), style: library.LineStyle.Dotted } },
      rightPriceScale: { borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.1, bottom: isMoney ? 0.08 : 0.02 } },
      timeScale: { borderVisible: false, timeVisible: data.step_s < 86400, secondsVisible: false, rightOffset: 1, fixLeftEdge: true, fixRightEdge: true },
      crosshair: { mode: library.CrosshairMode.Magnet, vertLine: { color: colour("control"), labelBackgroundColor: colour("text") }, horzLine: { color: colour("control"), labelBackgroundColor: colour("text") } },
      localization: { priceFormatter: (value) => (isMoney ? "$" + value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }) : percentWords(value)), timeFormatter: (time) => exactTime(time) },
      handleScroll: { vertTouchDrag: false }, kineticScroll: { touch: false, mouse: false },
    });
    line = chart.addSeries(library.AreaSeries, {
      lineColor: main, topColor: faded(main, 0.18), bottomColor: faded(main, 0), lineWidth: 2,
      lineType: isMoney ? library.LineType.Simple : library.LineType.WithSteps,
      priceFormat: isMoney ? { type: "price", precision: 2, minMove: 0.01 } : { type: "price", precision: 3, minMove: 0.001 },
      autoscaleInfoProvider: (original) => (isMoney ? withStart(original(), data.baseline) : withRoom(original())),
      lastPriceAnimation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 1,
    });
    /* The library writes times as UTC: moments are moved into the person's zone. */
    offset = data.offset_s || 0;
    const points = data.points.map(([time, text]) => (text === null ? { time: time + offset } : { time: time + offset, value: Number(text) }));
    line.setData(points);
    lastTime = points[points.length - 1].time;
    if (data.baseline) line.createPriceLine({ price: Number(data.baseline), color: colour("control"), lineWidth: 1, lineStyle: library.LineStyle.Solid, title: "Start" });
    /* Lines that decide, where they are near enough to be in sight. */
    (data.lines || []).forEach((rule) => line.createPriceLine({ price: Number(rule.value), color: colour(rule.kind === "target" ? "gain" : "loss"), lineWidth: 1, lineStyle: rule.kind === "floor" ? library.LineStyle.Solid : library.LineStyle.Dashed, title: rule.title }));
    if (data.marks && data.marks.length && library.createSeriesMarkers) {
      library.createSeriesMarkers(line, data.marks.map((mark) => ({ time: mark.time + offset, position: mark.is_sale ? "aboveBar" : "belowBar", shape: mark.is_sale ? "arrowDown" : "arrowUp", color: colour("text") })));
    }
    chart.timeScale().fitContent();
    keys(stage, points);
  }
  /* The line that equity started from is always in sight, and cents do not fill the whole height. */
  function withStart(info, baseline) {
    if (info && info.priceRange && baseline) {
      const range = info.priceRange, start = Number(baseline);
      const low = Math.min(range.minValue, start), high = Math.max(range.maxValue, start);
      const room = Math.max(0, start * MONEY_RANGE_MIN - (high - low)) / 2;
      range.minValue = low - room;
      range.maxValue = high + room;
    }
    return info;
  }
  /* A chance that hardly moves is a flat line, and no axis leaves 0 to 100%. */
  function withRoom(info) {
    if (info && info.priceRange) {
      const range = info.priceRange, room = Math.max(0, CHANCE_RANGE_MIN - (range.maxValue - range.minValue)) / 2;
      range.minValue = Math.max(0, range.minValue - room);
      range.maxValue = Math.min(1, range.maxValue + room);
      if (range.minValue < CHANCE_RANGE_MIN) info.margins = { below: 0, above: 16 };
    }
    return info;
  }
  function percentWords(value) {
    const percent = value * 100;
    return (Math.abs(percent - Math.round(percent)) < 0.05 ? Math.round(percent) : percent.toFixed(1)) + "%";
  }
  function exactTime(time) {
    return new Date(time * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  }
  function keys(stage, points) {
    let at = points.length - 1;
    stage.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -points.length, End: points.length }[event.key];
      if (!move) return;
      event.preventDefault();
      at = Math.max(0, Math.min(points.length - 1, at + move));
      const point = points[at];
      if (point.value === undefined) return;
      chart.setCrosshairPosition(point.value, point.time, line);
      const voice = document.getElementById("announce");
      if (voice) voice.textContent = exactTime(point.time) + ", " + (box.dataset.kind === "equity" ? "$" + point.value.toFixed(2) : percentWords(point.value));
    });
    stage.addEventListener("blur", () => chart && chart.clearCrosshairPosition());
  }
  function stop() {
    if (chart) { chart.remove(); chart = null; line = null; }
    document.querySelectorAll(".chart-stage").forEach((stage) => stage.remove());
  }

  /* The last point moves with the price. */
  Polysim.on("painted", () => {
    if (!line || !box || box.dataset.kind === "equity") return;
    const frame = Polysim.priceFrame(document.body.dataset.book);
    const price = frame && frame.outcomes[Number(box.dataset.outcome)].price;
    if (!price) return;
    lastTime = Math.max(lastTime, Math.floor(Polysim.serverNow() / 60000) * 60 + offset);
    line.update({ time: lastTime, value: Number(price) });
  });
  Polysim.on("theme", () => setTimeout(start, 50));
  document.addEventListener("htmx:after:swap", () => { if (document.getElementById("chart") !== box) start(); });
  start();
})(window.Polysim);
