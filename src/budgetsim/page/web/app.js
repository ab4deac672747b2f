// The page: settings from sliders and from the address, answers into sentences, charts and tables.

import { bars, colour, curves, el, legend, place, tableBehind, winMap } from "./charts.js";
import { distinct, geomspace, labelOf, optimize, tornado, trace, winnersMap } from "./choose.js";
import { advise, learnerRows, rivalsOf } from "./learners.js";
import { reachTarget, studentReaching } from "./goals.js";
import { betterCaller, callerCost, callerMonth, callersOf, studentMonth } from "./serving.js";
import { deviationsAt, drawsAt, inflate, runInterval, unpack } from "./surface.js";
import { LABELS, answerWords, goalWords, knownWords, money, ownedWords, planWords, points, quantity, runsWords, typed, whole } from "./words.js";

const N_CURVE = 40; // budgets of the chart
const N_MAP = [24, 13]; // budgets and prices of the map
const data = JSON.parse(document.getElementById("data").textContent);
const state = { task: null, settings: null };
const section = (name) => document.querySelector(`[data-chart="${name}"]`);

/** Settings as the search takes them: what is not said is without bound. */
export const asked = (settings) => ({ ...settings, days: settings.perDay === null || settings.days === null ? Infinity : settings.days });

const first = () => ({ ...data.settings, prices: {} });

/** What a control sets: key of the address, words, range, and where it stands in the settings. */
function controlsOf(task) {
  const field = (key) => [(s) => s[key], (s, v) => ({ ...s, [key]: v })];
  const price = (lever) => [(s) => s.prices[lever.name] ?? lever.usd, (s, v) => ({ ...s, prices: { ...s.prices, [lever.name]: v } })];
  const control = (key, words, low, high, [get, set], extra = {}) => ({ key, words, low, high, get, set, ...extra });
  const names = { labels: "Price of a label", LLM: "Price of an LLM label", texts: "Price of a text" };
  const levers = task.levers.map((lever) => {
    const scale = lever.usd || 0.01;
    return control(lever.name.toLowerCase(), `${names[lever.name] ?? `Price of ${lever.unit}`}, $`, scale / 100, scale * 100, price(lever), { zero: lever.usd === 0 });
  });
  return [
    control("budget", "Budget, $", 10, 100_000, field("budget")),
    ...levers,
    control("owned", "Labels you own", 1, 100_000, field("owned"), { zero: true, whole: true }),
    control("labels-at-most", "Labels people can give", 10, 1_000_000, field("maxLabels"), { none: "no bound", zero: true, whole: true }),
    control("pool", "Unlabelled texts there are", 100, 10_000_000, field("pool"), { none: "as the card", zero: true, whole: true }),
    control("perday", "Labels people give a day", 1, 10_000, field("perDay"), { none: "not asked" }),
    control("days", "Deadline, days", 0.5, 730, field("days"), { none: "none" }),
    control("gpus", "Devices", 1, 64, field("gpus"), { whole: true }),
    control("risk", "Plan for bad luck (0.1: 9 cases in 10)", 0.01, 0.99, field("risk"), { none: "the mean", least: 0.01, most: 0.99 }),
    control("target", `Target, ${task.metric} in percent`, 1, 100, field("target"), { none: "none", least: 1, most: 100, even: true }),
    control("chance", "Chance of the target", 0.01, 0.99, field("chance"), { least: 0.001, most: 0.999, even: true }),
    control("serve", "Texts to answer a month", 100, 100_000_000, field("serve"), { none: "not asked" }),
  ];
}

const STEPS = 400; // of a slider
const share = (c, v) => (c.even ? (v - c.low) / (c.high - c.low) : Math.log(v / c.low) / Math.log(c.high / c.low));
const toSlider = (c, v) => (v === null || !(v > 0) ? 0 : 1 + Math.round((STEPS - 1) * share(c, v)));
function fromSlider(c, at) {
  if (at === 0 && c.none) return null;
  if (at === 0 && c.zero) return 0;
  const part = Math.max(at - 1, 0) / (STEPS - 1);
  const v = c.even ? c.low + (c.high - c.low) * part : c.low * (c.high / c.low) ** part;
  return c.whole ? Math.round(v) : Number(v.toPrecision(3));
}

const shown = (c, v) => (v === null ? c.none : c.whole ? whole(v) : v >= 1000 ? v.toLocaleString("en-US") : String(Number(v.toPrecision(6))));

function drawControls() {
  const form = document.getElementById("controls");
  const before = form.querySelector("details");
  const all = controlsOf(state.task);
  const made = all.map((c) => {
    const value = c.get(state.settings);
    const slider = el("input", { type: "range", min: c.none || c.zero ? 0 : 1, max: STEPS, step: 1, "aria-label": c.words });
    slider.value = Math.min(Math.max(toSlider(c, value), Number(slider.min)), STEPS);
    const box = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": `${c.words}, typed` });
    box.value = shown(c, value);
    slider.addEventListener("input", () => {
      const v = fromSlider(c, Number(slider.value));
      box.value = shown(c, v);
      slider.setAttribute("aria-valuetext", box.value);
      set(c.set(state.settings, v));
    });
    box.addEventListener("change", () => {
      const v = typed(c, box.value);
      box.setAttribute("aria-invalid", v === undefined);
      if (v === undefined) return;
      slider.value = Math.min(Math.max(toSlider(c, v), Number(slider.min)), STEPS);
      box.value = shown(c, v);
      set(c.set(state.settings, v));
    });
    slider.setAttribute("aria-valuetext", shown(c, value));
    return el("label", {}, el("span", {}, c.words), box, slider);
  });
  const reset = el("button", { type: "button", onclick: () => show(state.task, first()) }, "Back to the start");
  const own = all.findIndex((c) => c.key === "owned"); // budget and prices come before it
  const changed = all.slice(own).some((c) => c.get(state.settings) !== c.get(first()));
  const open = before?.open ?? (changed || matchMedia("(min-width: 40rem)").matches);
  const rest = el("details", { open }, el("summary", {}, "What you own, bounds, a deadline, bad luck, a target, serving"), el("div", { class: "more" }, ...made.slice(own)));
  form.replaceChildren(...made.slice(0, own), rest, el("div", {}, reset, el("p", { id: "timing" })));
  form.onsubmit = (event) => event.preventDefault();
}

/** The address of some settings: what differs from the start. */
function address(task, settings) {
  const start = first();
  const parts = controlsOf(task).filter((c) => c.get(settings) !== c.get(start)).map((c) => `${c.key}=${c.get(settings) ?? "none"}`);
  if (!parts.some((p) => p.startsWith("budget="))) parts.unshift(`budget=${settings.budget}`);
  return `#task=${encodeURIComponent(task.name)}&${parts.join("&")}`;
}

/** Task and settings of an address; what cannot be read is passed over. */
function fromAddress(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const task = data.tasks.find((t) => t.name === given.get("task")) ?? data.tasks[0];
  let settings = first();
  for (const c of controlsOf(task)) {
    const text = given.get(c.key);
    if (text === null) continue;
    const v = text === "none" && c.none ? null : typed(c, text);
    if (v !== undefined) settings = c.set(settings, v);
  }
  return [task, settings];
}

const routesOf = (task) => [...new Set(task.surfaces.map((s) => s.id))];
const routeColour = (task, route) => (route === "constant" ? "#8a929c" : colour(routesOf(task).indexOf(route)));

function set(settings) {
  state.settings = settings;
  history.replaceState(null, "", address(state.task, settings));
  refresh();
}

function show(task, settings) {
  state.task = task;
  state.settings = settings;
  document.getElementById("task").value = task.name;
  drawControls();
  history.replaceState(null, "", address(task, settings));
  refresh();
  drawEvidence(task);
  drawNext(task);
  drawProvenance(task);
}

let waiting = null;

/** Everything that moves with the sliders: sentences and the plans at once, the heavier charts when the hand rests. */
function refresh() {
  const began = performance.now();
  const settings = asked(state.settings);
  const answer = optimize(state.task, settings);
  drawAnswer(state.task, settings, answer);
  drawGoal(state.task, settings);
  const budgets = budgetsAround(settings.budget);
  const path = trace(state.task, settings, budgets);
  const took = performance.now() - began;
  drawCurve(state.task, settings, answer, path);
  document.getElementById("timing").textContent = `Worked out in ${took.toFixed(0)} ms`;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    drawFrontier(state.task, path, settings);
    drawMap(state.task, settings);
    drawTornado(state.task, settings, answer);
    waiting = setTimeout(() => warmUp(state.task, settings), 400);
  }, 120);
  return took;
}

const warm = new Set();

/** Bad luck and a target worked out once while nobody waits: their first slider then moves as quickly as the others. */
function warmUp(task, settings) {
  if (warm.has(task.name)) return;
  warm.add(task.name);
  optimize(task, { ...settings, risk: 0.1 });
  reachTarget(task, { ...settings, target: 100 * task.constant.score + 5 });
}

const budgetsAround = (budget) => geomspace(Math.max(Math.min(budget / 30, 50), 1), Math.max(budget * 8, 5000), N_CURVE);

function drawAnswer(task, settings, answer) {
  const rivals = rivalsOf(task, settings);
  const advice = advise(answer, rivals, settings.budget);
  const callers = callersOf(task, settings);
  const caller = betterCaller(callers, (advice.learner ?? advice.plan).score);
  const students = learnerRows(rivals, settings.budget);
  const untouched = JSON.stringify(state.settings) === JSON.stringify(first()); // what Python worked out is of these
  const [head, ...rest] = answerWords(task, answer, advice, settings.budget, students, caller, untouched ? task.needed : []);
  document.getElementById("headline").textContent = head;
  document.getElementById("sentences").replaceChildren(...[...ownedWords(task, settings), ...knownWords(task, answer.best), ...rest].map((text) => el("p", {}, text)));
  drawPlans(task, settings, answer, students, callers);
}

const megabytes = (mb) => (mb === null || mb === undefined ? "-" : whole(mb));
const range = (row) => (row.lower === undefined ? "-" : `${points(row.lower)} to ${points(row.upper)}`);
const origin = (p) => (p.kind === "extrapolated" ? `${p.factor.toPrecision(2)}-fold beyond` : p.kind);

/** The table of an answer: plans, students measured here, LLMs on every text, what is not affordable. */
function drawPlans(task, settings, answer, students, callers) {
  const timed = settings.perDay !== null;
  const served = settings.serve !== null;
  const heads = ["strategy", "labels", "LLM labels", "texts", "cost", "days", `${task.metric}, %`, "90 % of runs", `${100 * (answer.level ?? 0)} % quantile`, "best", "MB", "CPU ms a text", "a month", "evidence"];
  const shownHeads = heads.map((_, i) => (i === 5 ? timed : i === 8 ? answer.level !== null : i === 12 ? served : true));
  const counts = (plan) => ["n_labels", "n_llm_labels", "n_unlabeled"].map((n) => (plan[n] ? whole(plan[n]) : "-"));
  const month = (usd) => (usd === null ? "-" : money(usd));
  const answering = (ms) => [ms === null ? "-" : quantity(ms), month(studentMonth(ms, task, settings, data.card.cpu_usd_per_hour))];
  const plans = distinct(answer);
  const rows = plans.map((p) => [
    p.label, ...counts(p.plan), money(p.usd), p.days === null ? "-" : p.days.toFixed(1), points(p.score), range(p),
    points(100 * p.worth), `${Math.round(100 * p.pBest)} %`, megabytes(p.option?.surface.megabytes),
    ...answering(p.option?.surface.ms_per_text ?? null), origin(p),
  ]);
  for (const r of students) {
    rows.push([
      `${r.student} (${r.probe ? "probed on your labels" : "measured here"})`, whole(r.n_labels), "-", "-", money(r.usd), "-", points(r.score), range(r), "-", "-",
      megabytes(r.megabytes), ...answering(r.ms_per_text), runsWords(r),
    ]);
  }
  for (const c of callers) {
    rows.push([`LLM on every text (${c.model})`, c.n_labels ? whole(c.n_labels) : "-", "-", "-", money(callerCost(c, settings)), "-", c.score === null ? "-" : points(c.score), "-", "-", "-", "-", "-", month(callerMonth(c, settings)), c.source]);
  }
  for (const o of answer.unbought) rows.push([o.label, "-", "-", "-", "not affordable", ...Array(9).fill("-")]);
  const kept = (row) => row.filter((_, i) => shownHeads[i]);
  tableBehind(section("plans"), `${task.name}-plans.csv`, kept(heads), rows.map(kept), { open: true, best: plans.indexOf(answer.best) });
}

/** What a target takes; nothing where none is asked for. */
function drawGoal(task, settings) {
  const holder = section("goal");
  holder.hidden = settings.target === null;
  if (holder.hidden) return;
  const goal = reachTarget(task, settings);
  const student = studentReaching(rivalsOf(task, settings), settings.target);
  place(holder, "goal").replaceChildren(...goalWords(task, goal, student, settings).map((text) => el("p", {}, text)));
  const timed = settings.perDay !== null;
  const row = (enough) => (p) => [
    p.label, ...["n_labels", "n_llm_labels", "n_unlabeled"].map((n) => (p.plan[n] ? whole(p.plan[n]) : "-")), money(p.usd),
    ...(timed ? [p.days === null ? "-" : p.days.toFixed(1)] : []), points(p.score), range(p), `${Math.round(100 * p.chance)} %`, enough, origin(p),
  ];
  const heads = ["strategy", "labels", "LLM labels", "texts", "cost", ...(timed ? ["days"] : []), `${task.metric}, %`, "90 % of runs", "chance", "enough", "evidence"];
  tableBehind(holder, `${task.name}-target.csv`, heads, [...goal.reached.map(row("yes")), ...goal.short.map(row("no"))], { open: true, best: goal.reached.length ? 0 : -1 });
}

function drawCurve(task, settings, answer, path) {
  const x = path.map((t) => t.budget);
  const routes = routesOf(task);
  const series = routes.map((route) => {
    const at = path.map((t) => t.routes.get(route));
    const band = at.map((r) => r && runInterval(drawsAt(r.option.surface, r.counts), deviationsAt(r.option.surface, r.counts)));
    return {
      label: labelOf(task, route),
      colour: routeColour(task, route),
      wide: answer.best.option?.route === route,
      mean: at.map((r) => (r ? r.score : null)),
      lower: band.map((b) => (b ? 100 * b[0] : null)),
      upper: band.map((b) => (b ? 100 * b[1] : null)),
    };
  });
  series.push({ label: `always "${task.constant.answer}"`, colour: "#8a929c", dash: [4, 4], mean: x.map(() => 100 * task.constant.score) });
  const dots = rivalsOf(task, settings).filter((r) => r.inReach && r.usd !== null).map((r) => ({ x: Math.max(r.usd, x[0]), y: r.score, colour: colour(7), cross: true }));
  const entries = series.map((s) => [s.label, s.colour]);
  if (dots.length) entries.push(["cheap students, measured", colour(7)]);
  legend(section("curve"), entries);
  curves(section("curve"), { x, series, dots, xLabel: "budget, US dollars", yLabel: `${task.metric}, %`, xValue: money, mark: settings.budget });
  const cell = (v) => (v === null ? "" : v.toFixed(2));
  const rows = x.map((usd, i) => [usd.toFixed(2), ...series.flatMap((s) => (s.lower ? [cell(s.mean[i]), cell(s.lower[i]), cell(s.upper[i])] : [cell(s.mean[i])]))]);
  const head = ["budget_usd", ...series.flatMap((s) => (s.lower ? [s.label, "lower", "upper"] : [s.label]))];
  tableBehind(section("curve"), `${task.name}-curve.csv`, head, rows);
}

function drawFrontier(task, path, settings) {
  const inputs = ["n_labels", "n_llm_labels", "n_unlabeled"].filter((n) => path.some((t) => t.plan[n]));
  const series = inputs.map((n, i) => ({ label: LABELS[n], colour: colour(i), mean: path.map((t) => t.plan[n] || null) }));
  const best = [];
  for (const t of path) if (!best.length || t.score > best[best.length - 1].score + 1e-9) best.push(t);
  if (series.length) {
    legend(section("frontier"), series.map((s) => [s.label, s.colour]));
    curves(section("frontier"), { x: path.map((t) => t.budget), series, xLabel: "budget, US dollars", yLabel: "units bought", yLog: true, xValue: money, mark: settings.budget });
  }
  const rows = best.map((t) => [money(t.budget), money(t.usd), t.score.toFixed(1), labelOf(task, t.route), planWords(t.plan)]);
  tableBehind(section("frontier"), `${task.name}-frontier.csv`, ["budget", "cost", `${task.metric}, %`, "strategy", "plan"], rows);
}

function drawMap(task, settings) {
  const lever = task.levers.find((l) => l.name === "labels");
  section("map").hidden = !lever;
  if (!lever) return;
  const now = settings.prices.labels ?? lever.usd;
  const budgets = geomspace(Math.max(settings.budget / 40, 1), settings.budget * 25, N_MAP[0]);
  const prices = geomspace(now / 20, now * 20, N_MAP[1]).reverse();
  const cells = winnersMap(task, settings, budgets, "labels", prices);
  const seen = [...new Set(cells.flat())];
  const nearest = (values, v) => values.reduce((a, b, i) => (Math.abs(Math.log(b / v)) < Math.abs(Math.log(values[a] / v)) ? i : a), 0);
  legend(section("map"), seen.map((r) => [labelOf(task, r), routeColour(task, r)]));
  winMap(section("map"), {
    columns: budgets.map(money),
    rows: prices.map(money),
    cells,
    colourOf: (r) => routeColour(task, r),
    wordOf: (r) => labelOf(task, r),
    here: [nearest(prices, now), nearest(budgets, settings.budget)],
  });
  const rows = prices.map((usd, r) => [money(usd), ...cells[r].map((route) => labelOf(task, route))]);
  tableBehind(section("map"), `${task.name}-map.csv`, ["a label costs", ...budgets.map(money)], rows);
}

function drawTornado(task, settings, answer) {
  const swings = tornado(task, settings);
  const number = (s, v) => (s.unit === "texts" ? whole(v) : money(v));
  const entries = swings.map((s) => ({
    name: `${s.name} ${number(s, s.low)} to ${number(s, s.high)}`,
    low: s.atLow.score,
    high: s.atHigh.score,
    words: `${points(s.atLow.score)} to ${points(s.atHigh.score)}${s.atLow.label !== s.atHigh.label ? ", another strategy" : ""}`,
  }));
  bars(section("tornado"), entries, answer.best.score);
  const rows = swings.map((s) => [s.name, number(s, s.low), points(s.atLow.score), s.atLow.label, number(s, s.high), points(s.atHigh.score), s.atHigh.label]);
  tableBehind(section("tornado"), `${task.name}-sensitivities.csv`, ["what", "low", "score", "strategy", "high", "score", "strategy"], rows);
}

/** The curve of one surface along its first input, cut where most of its rows lie, and those rows. */
function drawEvidence(task) {
  const holder = section("evidence");
  const select = el("select", { "aria-label": "Strategy" }, ...task.surfaces.map((s, i) => el("option", { value: i }, s.label)));
  const draw = () => drawSurface(task, task.surfaces[select.value]);
  select.addEventListener("change", draw);
  place(holder, "pick").replaceChildren(el("label", {}, "Strategy ", select));
  if (task.surfaces.length) draw();
}

function drawSurface(task, s) {
  const known = s.rows.filter((r) => s.inputs.every((_, i) => r[i] !== null));
  const cuts = s.inputs.length === 1 ? [null] : commonest(known.map((r) => r[1]), 2);
  const sizes = known.map((r) => r[0]).filter((n) => n > 0);
  const low = sizes.length ? Math.min(...sizes) / 3 : 10;
  const x = geomspace(low, sizes.length ? Math.max(...sizes) * 3 : 1e5, 60);
  const series = cuts.map((cut, i) => {
    const counts = x.map((n) => (cut === null ? [n] : [n, cut]));
    const at = counts.map((c) => drawsAt(s, c));
    const band = at.map((d, k) => runInterval(d, deviationsAt(s, counts[k])));
    const label = cut === null ? s.label : `${whole(cut)} ${LABELS[s.inputs[1]]}`;
    return { label, colour: colour(i), mean: at.map((d) => (100 * d.reduce((a, b) => a + b, 0)) / d.length), lower: band.map((b) => 100 * b[0]), upper: band.map((b) => 100 * b[1]) };
  });
  const score = s.inputs.length;
  const dots = known.filter((r) => r[0] > 0).map((r) => ({ x: r[0], y: r[score], colour: colour(Math.max(cuts.indexOf(cuts[0] === null ? null : r[1]), 0)) }));
  const holder = section("evidence");
  legend(holder, series.map((q) => [q.label, q.colour]));
  curves(holder, { x, series, dots, xLabel: LABELS[s.inputs[0]], yLabel: `${task.metric}, %`, xValue: (v) => v.toLocaleString("en-US") });
  tableBehind(holder, `${task.name}-evidence.csv`, [...s.inputs, `${task.metric}, %`, "seed"], s.rows.map((r) => r.map((v) => v ?? "")));
}

function commonest(values, n) {
  const counts = new Map();
  values.forEach((v) => counts.set(v, (counts.get(v) ?? 0) + 1));
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, n).map(([v]) => v).sort((a, b) => a - b);
}

function drawNext(task) {
  const holder = section("next");
  holder.hidden = !task.next;
  if (!task.next) return;
  const worth = task.next.n_worth;
  const words = task.next.measure
    ? `${worth} of ${task.next.n_candidates} possible runs ${worth === 1 ? "is" : "are"} worth more than the money ${worth === 1 ? "it takes" : "they take"}; the first is best.`
    : `Measure nothing, spend it: of ${task.next.n_candidates} possible runs none is expected to raise the best plan's score by ${task.next.least_fall} points once its money is gone.`;
  place(holder).replaceChildren(el("p", {}, words));
  const rows = task.next.runs.map((r) => [labelOf(task, routeOf(r)), r.n_labels || "-", r.n_llm_labels || "-", r.n_unlabeled || "-", money(r.cost_usd), r.fall.toFixed(2), r.another_seed ? "another seed" : "new"]);
  tableBehind(holder, `${task.name}-next.csv`, ["run", "labels", "LLM labels", "texts", "cost", "points gained", ""], rows, { open: task.next.measure });
}

const routeOf = (r) => [r.strategy, r.teacher ?? "", r.labeler ?? "", r.student ?? ""].join("|");

function drawProvenance(task) {
  const e = task.evidence;
  const facts = [
    ["made", `${data.date}, budgetsim ${data.version}`],
    ["task", `${task.name}: ${task.description} (${task.metric}, ${whole(task.n_test)} test items)`],
    ["evidence", `${e.set}: ${task.known.length ? "a forecast from other tasks" : `${whole(e.n_rows)} results, ${e.source}`}`],
    ["fit", `${e.method}, ${e.n_draws} draws, rows ${e.rows_hash.slice(0, 12)}; draws rounded to ${data.precision_points} points`],
    ["card", `${data.card.name}${data.card.about ? `: ${data.card.about}` : ""}; compute as ${data.compute}`],
    ...data.card.prices.filter((p) => !p.what.startsWith("a label of ") || p.what === `a label of ${task.name}`).map((p) => [p.what, `${money(p.usd)} (${p.as_of}; ${p.source})`]),
    ...task.left_out.map((n) => ["left out", n]),
    ...task.notes.map((n) => ["note", n]),
  ];
  place(document.getElementById("provenance"), "facts").replaceChildren(el("dl", {}, ...facts.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)])));
}

/** How far a campaign is: runs, hours, money, when it ends, and the scores so far. */
function drawCampaign(c) {
  const holder = document.getElementById("campaign");
  holder.hidden = false;
  const over = c.done >= c.planned;
  const spent = c.cost_usd === null ? "" : ` (${money(c.cost_usd)})`;
  const ahead = c.cost_ahead_usd === null ? "" : ` (${money(c.cost_ahead_usd)})`;
  const words = [
    `${whole(c.done)} of ${whole(c.planned)} runs of ${c.name} are done; they took ${c.hours.toFixed(2)} device-hours${spent}.`,
    over ? "Nothing is left to do." : `About ${c.hours_ahead.toFixed(2)} device-hours${ahead} are ahead: ${(60 * c.wall_hours_ahead).toFixed(0)} minutes if it goes on without a break, until ${c.ends_at}.`,
    `Looked at ${c.looked_at}${c.last_at ? `; the last run was done ${c.last_at}` : ""}${c.refresh_s ? `; the page opens itself again every ${c.refresh_s} s` : ""}.`,
  ];
  const bar = el("progress", { max: c.planned, value: c.done, "aria-label": "runs done" });
  place(holder, "state").replaceChildren(bar, ...words.map((text) => el("p", {}, text)));
  for (const task of new Set(c.points.map((p) => p.task))) drawCampaignTask(holder, task, c.points.filter((p) => p.task === task));
  if (!data.tasks.length) {
    document.getElementById("headline").textContent = words[0];
    document.querySelectorAll("#controls, [data-chart], #provenance, .task").forEach((node) => (node.hidden = true));
  }
}

/** Scores so far of one task against its first count; designs that differ in another count are lines of their own. */
function drawCampaignTask(holder, task, all) {
  const name = (p) => [p.label, ...p.counts.slice(1).map((n, i) => `${whole(n)} ${LABELS[p.inputs[i + 1]]}`)].join(", ");
  const names = [...new Set(all.map(name))];
  const x = [...new Set(all.map((p) => Math.max(p.counts[0], 1)))].sort((a, b) => a - b);
  const series = names.map((label, i) => ({
    label,
    colour: colour(i),
    mean: x.map((n) => all.find((p) => name(p) === label && Math.max(p.counts[0], 1) === n)?.score ?? null),
  }));
  const dots = all.map((p) => ({ x: Math.max(p.counts[0], 1), y: p.score, colour: colour(names.indexOf(name(p))) }));
  const block = place(holder, `task-${task}`);
  block.append(el("h3", {}, `${task}: scores so far`));
  legend(block, series.map((s) => [s.label, s.colour]));
  const span = x.length > 1 ? x : [x[0] / 2, ...x, x[0] * 2];
  const spread = (values) => (x.length > 1 ? values : [null, ...values, null]);
  const shown = series.map((s) => ({ ...s, mean: spread(s.mean), gaps: true }));
  curves(block, { x: span, series: shown, dots, xLabel: "labels (the first count)", yLabel: `${all[0].metric}, %`, xValue: (v) => v.toLocaleString("en-US") });
  const rows = all.map((p) => [p.label, p.counts.map(whole).join(" / "), points(p.score), p.n_runs]);
  tableBehind(block, `${task}-campaign.csv`, ["design", "counts", `${all[0].metric}, %`, "runs"], rows);
}

/** Paper cannot be unfolded: every table is open while the page is printed. */
function unfoldForPrint() {
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((d) => (d.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((d) => (d.open = false)));
}

async function start() {
  unpack(data.tasks.flatMap((t) => t.surfaces), await inflate(document.getElementById("packed").textContent.trim()), data.step);
  if (data.campaign) drawCampaign(data.campaign);
  document.getElementById("when").textContent = `${data.date}, card ${data.card.name}`;
  if (!data.tasks.length) {
    document.documentElement.dataset.ready = "yes";
    return;
  }
  const select = document.getElementById("task");
  select.replaceChildren(...data.tasks.map((t) => el("option", { value: t.name }, t.name)));
  select.addEventListener("change", () => show(data.tasks.find((t) => t.name === select.value), state.settings ? { ...state.settings, prices: {} } : first()));
  addEventListener("hashchange", () => show(...fromAddress(location.hash)));
  addEventListener("resize", () => (clearTimeout(waiting), (waiting = setTimeout(() => show(state.task, state.settings), 200))));
  unfoldForPrint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(state.task, state.settings));
  show(...fromAddress(location.hash));
  Object.assign(window, { budgetsim: { data, optimize, advise, rivalsOf, reachTarget, callersOf, callerCost, callerMonth, studentMonth, refresh, trace, asked, tasks: Object.fromEntries(data.tasks.map((t) => [t.name, t])) } });
  document.documentElement.dataset.ready = "yes";
}

start();
