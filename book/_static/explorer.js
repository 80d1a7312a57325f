// The explorer of SL: sliders in, three curves out. No library, no network, no kernel.
// The formulas are those of sce_lib.theory; a test compares the two.
"use strict";

(() => {
  const theory = {
    weight: (p, s) => s.alpha + s.beta * Math.abs(s.A) * p,
    ce: (p) => -Math.log(p),
    rce: (p, s) => Math.abs(s.A) * (1 - p),
    sl: (p, s) => s.alpha * theory.ce(p) + s.beta * theory.rce(p, s),
    atLabel: (p, s) => -theory.weight(p, s) * (1 - p),
    elsewhere: (p, s) => (theory.weight(p, s) * (1 - p)) / (s.K - 1),
    peak: (s) => {
      const knob = s.beta * Math.abs(s.A);
      return s.alpha < knob ? 0.5 - s.alpha / (2 * knob) : 0;
    },
  };

  const SLIDERS = [
    { name: "alpha", label: "α, weight of CE", min: 0, max: 6, step: 0.01, value: 0.1 },
    { name: "beta", label: "β, weight of RCE", min: 0, max: 5, step: 0.05, value: 1 },
    { name: "A", label: "A, for log 0", min: -10, max: -0.5, step: 0.1, value: -4 },
    { name: "p", label: "p_y, confidence in the label", min: 0.01, max: 0.99, step: 0.01, value: 0.5 },
    { name: "K", label: "K, classes", min: 2, max: 100, step: 1, value: 10 },
  ];
  const CE = { alpha: 1, beta: 0, A: -1 };
  const like = (s, setting) => ({ ...s, ...setting });
  const PANELS = [
    {
      title: "Loss", limit: [0, 8],
      curves: [
        { name: "CE", style: "ce", value: (p) => theory.ce(p) },
        { name: "RCE", style: "rce", value: (p, s) => theory.rce(p, s) },
        { name: "SL", style: "sl", value: (p, s) => theory.sl(p, s) },
      ],
    },
    {
      title: "Weight on CE’s gradient", limit: null,
      curves: [
        { name: "CE", style: "ce", value: () => 1 },
        { name: "SL", style: "sl", value: (p, s) => theory.weight(p, s) },
      ],
    },
    {
      title: "Gradient", limit: null, peak: true,
      curves: [
        { name: "CE at y", style: "ce", value: (p, s) => theory.atLabel(p, like(s, CE)) },
        { name: "SL at y", style: "sl", value: (p, s) => theory.atLabel(p, s) },
        { name: "SL at each other logit", style: "rest", value: (p, s) => theory.elsewhere(p, s) },
      ],
    },
  ];
  const READOUT = [
    ["CE", (s) => theory.ce(s.p)],
    ["RCE", (s) => theory.rce(s.p, s)],
    ["SL", (s) => theory.sl(s.p, s)],
    ["weight α + β|A|p_y", (s) => theory.weight(s.p, s)],
    ["∂SL/∂z_y", (s) => theory.atLabel(s.p, s)],
    ["∂SL/∂z_j, the rest spread evenly", (s) => theory.elsewhere(s.p, s)],
    ["p*, where the gradient is largest", (s) => theory.peak(s)],
  ];

  const WIDTH = 320, HEIGHT = 230, LEFT = 38, RIGHT = 8, TOP = 26, BOTTOM = 34, POINTS = 198;
  const GRID = Array.from({ length: POINTS + 1 }, (_, i) => 0.005 + (i * 0.99) / POINTS);

  const element = (tag, attributes = {}, text = "") => {
    const svg = ["svg", "path", "line", "circle", "text", "g"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    write(node, text, svg);
    return node;
  };

  /** Write text into a node, what follows an underscore as a subscript. */
  const write = (node, text, svg) => {
    text.split(/(_[a-z])/).forEach((part) => {
      if (!part.startsWith("_")) return node.append(part);
      const low = svg
        ? document.createElementNS("http://www.w3.org/2000/svg", "tspan")
        : document.createElement("sub");
      if (svg) { low.setAttribute("dy", "3"); low.setAttribute("font-size", "80%"); }
      low.textContent = part.slice(1);
      return node.append(low);
    });
  };

  const number = (value) => (Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3));

  /** About four round steps from low to high. */
  const ticks = (low, high) => {
    const raw = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw) * power;
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  };

  const drawPanel = (panel, svg, s) => {
    const series = panel.curves.map((curve) => GRID.map((p) => curve.value(p, s)));
    const all = series.flat();
    const [low, high] = panel.limit || [Math.min(0, ...all) * 1.05, Math.max(0.1, ...all) * 1.05];
    const x = (p) => LEFT + p * (WIDTH - LEFT - RIGHT);
    const y = (v) => HEIGHT - BOTTOM - ((v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const inside = (v) => Math.min(high, Math.max(low, v));
    const nodes = [element("text", { x: LEFT, y: 14, class: "title" }, panel.title)];

    ticks(low, high).forEach((value) => {
      nodes.push(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }));
      const text = String(Number(value.toFixed(4))).replace("-", "−");
      nodes.push(element("text", { x: LEFT - 4, y: y(value) + 4, class: "tick end" }, text));
    });
    [0, 0.25, 0.5, 0.75, 1].forEach((p) => {
      nodes.push(element("text", { x: x(p), y: HEIGHT - BOTTOM + 15, class: "tick middle" }, String(p)));
    });
    nodes.push(element("text", { x: x(0.5), y: HEIGHT - 4, class: "tick middle" }, "p_y"));
    const start = 1 / s.K;
    nodes.push(element("line", { x1: x(start), x2: x(start), y1: TOP, y2: HEIGHT - BOTTOM, class: "start" }));
    nodes.push(element("line", { x1: x(s.p), x2: x(s.p), y1: TOP, y2: HEIGHT - BOTTOM, class: "here" }));

    panel.curves.forEach((curve, i) => {
      const path = GRID.map((p, k) => `${k ? "L" : "M"}${x(p).toFixed(2)},${y(inside(series[i][k])).toFixed(2)}`);
      nodes.push(element("path", { d: path.join(""), class: `curve ${curve.style}`, "data-curve": curve.name }));
      const here = curve.value(s.p, s);
      if (here >= low && here <= high) {
        nodes.push(element("circle", { cx: x(s.p), cy: y(here), r: 3.5, class: `dot ${curve.style}` }));
      }
    });
    if (panel.peak) {
      const at = theory.peak(s);
      nodes.push(element("circle", { cx: x(at), cy: y(theory.atLabel(at, s)), r: 5, class: "peak" }));
    }
    svg.replaceChildren(...nodes);
    const parts = panel.curves.map((curve) => `${curve.name} ${number(curve.value(s.p, s))}`);
    svg.setAttribute("aria-label", `${panel.title} over p_y; at p_y = ${s.p}: ${parts.join(", ")}`);
  };

  const build = (root) => {
    const inputs = {}, values = {};
    const controls = element("div", { class: "sl-controls" });
    SLIDERS.forEach(({ name, label, ...range }) => {
      const id = `sl-${name}`;
      inputs[name] = element("input", { type: "range", id, ...range });
      values[name] = element("output", { for: id });
      const row = element("div", { class: "sl-row" });
      row.append(element("label", { for: id }, label), inputs[name], values[name]);
      controls.append(row);
    });

    const charts = element("div", { class: "sl-charts" });
    const drawings = PANELS.map((panel) => {
      const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
      const legend = element("div", { class: "sl-legend" });
      panel.curves.forEach((curve) => {
        const item = element("span");
        const key = element("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" });
        key.append(element("path", { d: "M1,4L25,4", class: `curve ${curve.style}` }));
        item.append(key, curve.name);
        legend.append(item);
      });
      const figure = element("div");
      figure.append(svg, legend);
      charts.append(figure);
      return [panel, svg];
    });

    const table = element("table", { class: "sl-readout", "aria-live": "polite" });
    const cells = READOUT.map(([label]) => {
      const row = element("tr"), cell = element("td", { "data-value": label });
      row.append(element("th", { scope: "row" }, label), cell);
      table.append(row);
      return cell;
    });

    const draw = () => {
      const s = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, Number(input.value)]));
      Object.entries(s).forEach(([name, value]) => {
        values[name].textContent = String(value).replace("-", "−");
      });
      drawings.forEach(([panel, svg]) => drawPanel(panel, svg, s));
      READOUT.forEach(([, value], i) => { cells[i].textContent = number(value(s)).replace("-", "−"); });
    };
    Object.values(inputs).forEach((input) => input.addEventListener("input", draw));
    root.querySelectorAll("button[data-alpha]").forEach((button) => {
      button.addEventListener("click", () => {
        ["alpha", "beta", "A"].forEach((name) => { inputs[name].value = button.dataset[name.toLowerCase()]; });
        draw();
      });
    });
    const note = "Thick vertical line: the chosen p_y. Thin dotted line: 1/K, where an untrained network starts. " +
      "Ring: p*, where the gradient is largest.";
    root.append(controls, charts, element("p", { class: "sl-note" }, note), table);
    draw();
  };

  window.slExplorer = theory;
  document.addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("sl-explorer");
    if (!root) return;
    build(root);
    root.hidden = false;
    const picture = document.getElementById("fig-explorer");
    if (picture) picture.hidden = true;
  });
})();
