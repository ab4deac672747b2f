// Drawing: uPlot for curves, plain elements for the map and the bars, and a table with a CSV file behind each.

import { csv } from "./words.js";

const PALETTE = 8;

/** An element with attributes and children; text is never read as HTML. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null));
  return node;
}

export const colour = (i) => getComputedStyle(document.documentElement).getPropertyValue(`--c${i % PALETTE}`).trim();
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const faint = (hex) => `${hex}2e`;

/** The place of a chart inside a section, emptied. */
export function place(section, name = "chart") {
  let node = section.querySelector(`.${name}`);
  if (!node) section.append((node = el("div", { class: name })));
  return node;
}

export function legend(section, entries) {
  const list = el("ul", { class: "legend" }, ...entries.map(([label, c]) => el("li", {}, el("i", { style: `background:${c}` }), label)));
  place(section, "legends").replaceChildren(list);
}

/** The table behind a chart, folded up, with a button for its CSV file. */
export function tableBehind(section, file, head, rows, { open = false, best = -1 } = {}) {
  const holder = place(section, "behind");
  const shown = holder.querySelector("details")?.open ?? open;
  const line = (row, i) => el("tr", i === best ? { class: "best" } : {}, ...row.map((v) => el("td", {}, String(v ?? "-"))));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, ...rows.map(line)));
  const save = el("button", { type: "button", onclick: () => download(file, csv([head, ...rows])) }, "Download CSV");
  holder.replaceChildren(el("details", { open: shown }, el("summary", {}, "Table"), save, el("div", { class: "scroll" }, table)));
}

function download(file, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Curves with bands and points on shared x: series {label, colour, mean, lower, upper, dash}, dots {x, y, colour}.
 * `log` axes are base 10.
 */
export function curves(section, { x, series, dots = [], xLabel, yLabel, yLog = false, xValue, mark = null }) {
  const holder = place(section);
  const data = [x];
  const lines = [{}];
  const bands = [];
  for (const s of series) {
    if (s.lower) {
      data.push(s.upper, s.lower);
      const at = data.length - 1;
      lines.push({ show: true, stroke: "transparent", points: { show: false } }, { show: true, stroke: "transparent", points: { show: false } });
      bands.push({ series: [at - 1, at], fill: faint(s.colour) });
    }
    data.push(s.mean);
    lines.push({ label: s.label, stroke: s.colour, width: s.wide ? 3 : 2, dash: s.dash, spanGaps: s.gaps ?? false, points: { show: false } });
  }
  const axis = { stroke: ink("soft"), grid: { stroke: ink("line"), width: 1 }, ticks: { stroke: ink("line") } };
  const options = {
    width: Math.max(holder.clientWidth, 280),
    height: Math.min(420, Math.max(260, holder.clientWidth * 0.5)),
    scales: { x: { time: false, distr: 3, range: (_, low, high) => [low, high] }, y: yLog ? { distr: 3 } : { range: (_, low, high) => padded(low, high, dots) } },
    axes: [
      { ...axis, label: xLabel, values: (_, ticks) => ticks.map((v) => (v === null ? "" : xValue(v))) },
      { ...axis, label: yLabel, size: 60, values: (_, ticks) => ticks.map((v) => (v === null ? "" : v.toLocaleString("en-US"))) },
    ],
    series: lines,
    bands,
    cursor: { drag: { x: false, y: false } },
    hooks: { draw: [(u) => dots.forEach((d) => dot(u, d)), (u) => mark !== null && upright(u, mark)] },
  };
  holder.replaceChildren();
  const plot = new uPlot(options, data, holder);
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-label", `${yLabel} against ${xLabel}; the table below holds the numbers.`);
  return plot;
}

function padded(low, high, dots) {
  const ys = dots.map((d) => d.y);
  const least = Math.min(low, ...ys);
  const most = Math.max(high, ...ys);
  const room = Math.max(0.05 * (most - least), 0.5);
  return [least - room, most + room];
}

function dot(u, { x, y, colour: c, cross }) {
  if (!(x >= u.scales.x.min && x <= u.scales.x.max)) return;
  const [a, b] = [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
  const { ctx } = u;
  const r = 3.5 * devicePixelRatio;
  ctx.save();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.strokeStyle = ctx.fillStyle = c;
  ctx.lineWidth = 2 * devicePixelRatio;
  if (cross) {
    ctx.moveTo(a - r, b - r);
    ctx.lineTo(a + r, b + r);
    ctx.moveTo(a - r, b + r);
    ctx.lineTo(a + r, b - r);
    ctx.stroke();
  } else {
    ctx.arc(a, b, r, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}

function upright(u, x) {
  const a = u.valToPos(x, "x", true);
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.setLineDash([6, 6]);
  ctx.strokeStyle = ink("soft");
  ctx.moveTo(a, bbox.top);
  ctx.lineTo(a, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** A grid of cells coloured by who wins: rows by falling price, columns by budget. */
export function winMap(section, { columns, rows, cells, colourOf, wordOf, here }) {
  const grid = el("div", { class: "map", role: "img", style: `grid-template-columns: 4.5rem repeat(${columns.length}, 1fr)` });
  grid.setAttribute("aria-label", "Recommended strategy by budget and label price; the table below holds the same.");
  rows.forEach((row, r) => {
    grid.append(el("span", {}, row));
    columns.forEach((column, c) => {
      const cell = el("div", { style: `background:${colourOf(cells[r][c])}`, title: `${column}, ${row} a label: ${wordOf(cells[r][c])}` });
      if (here && here[0] === r && here[1] === c) cell.className = "here";
      grid.append(cell);
    });
  });
  grid.append(el("span", {}, ""), ...columns.map((column, c) => el("span", { class: "foot" }, c % 4 ? "" : column)));
  place(section).replaceChildren(grid);
}

/** Bars of a tornado: {name, low, high, words} around `now`, in points. */
export function bars(section, entries, now) {
  const all = entries.flatMap((e) => [e.low, e.high]).concat(now);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const at = (v) => (100 * (v - least)) / Math.max(most - least, 1e-9);
  const line = (e) => {
    const [a, b] = [at(Math.min(e.low, e.high)), at(Math.max(e.low, e.high))];
    const track = el("div", { class: "track" }, el("div", { class: "fill", style: `left:${a}%;width:${b - a}%` }), el("div", { class: "now", style: `left:${at(now)}%` }));
    return el("div", { class: "bar" }, el("span", {}, e.name), track, el("span", {}, e.words));
  };
  place(section).replaceChildren(...entries.map(line));
}
