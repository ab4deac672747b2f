// Which plan to recommend and what would change it: budgetsim.choosing's recommend, winners, cheapest, targets,
// breakeven and shadow.

import { EASY, FINE, prepare, roomFor } from "./allocate.js";
import { applyTerms, atPrice, costModel, hasStage, leastOf, limitOf, scaled, stagesAt, totalAt } from "./cost.js";
import { closeSearches, quantileOf } from "./objectives.js";
import { classify, deviationsAt, drawsAt, meanAt, runInterval } from "./surface.js";

const HAIR = 0.001; // a tenth of a point: no advantage that anybody could measure
const CHEAPER = 0.99; // a plan is cheaper where it saves at least one percent
const STOP_WITHIN = 0.01;
export const MOST_OF_IT = 0.95; // a plan that costs as much is no saving worth a word
const FINEST = [61, 33, 33]; // budgets that are looked at for the cheapest
const QUICK = [20, 12]; // where only the route is asked for
const FIRM = 0.5; // standard deviations of a gain by which own runs must put a plan first
const FACTORS = [1, 4, 32];
export const PRICED_STAGES = {
  labels: ["labels", "dev_and_test_labels"],
  LLM: ["llm_labels"],
  compute: ["teacher", "labelling", "distillation", "student"],
};

const kept = roomFor(400);
const keptClose = roomFor(40);

/** The most labels of a plan on a user's own task: one a text, or as many as are owned; null where nobody counted texts. */
export function labelBound({ texts }, { pool, owned }) {
  return texts ? Math.max(texts.labelled + (pool ?? texts.pool), owned) : null;
}

/** What a way to use money, {cost, clock, inputs, device_class}, costs on a task under settings. */
export function costUnder(task, settings, way, ownedTeacher = null) {
  const terms = { mostLabels: labelBound(task, settings), ...settings };
  let cost = costModel(way.cost);
  for (const lever of task.levers) {
    const usd = settings.prices[lever.name] ?? lever.usd;
    if (usd !== lever.usd) cost = atPrice(cost, lever, usd, way.device_class);
  }
  return applyTerms(cost, way.clock, way.inputs, task.overheads, terms, ownedTeacher);
}

/** What money can buy on a task under settings {prices: {lever: usd}, owned, maxLabels, pool, perDay, gpus, days ...}. */
export function optionsOf(task, settings) {
  return task.surfaces.flatMap((surface) => {
    const under = (ownedTeacher) => ({
      surface,
      route: surface.id,
      label: surface.label,
      cost: costUnder(task, settings, surface, ownedTeacher),
    });
    const own = task.owned_teacher;
    return own && own.teacher === surface.teacher ? [under(own.n), under(null)] : [under(null)];
  });
}

export const searches = (options, fine = EASY) => options.map((o) => prepare(o, fine, kept));

const searchesFor = (options, level) => options.map((o) => closeSearches(o, `quantile|${level}`, [quantileOf(level)], keptClose)[0]);

/** The plan worth most, or one that is worse by less than anybody can measure and cheaper, or else simpler. */
export function recommended(worths, usd, kinds = null) {
  const places = worths.map((_, i) => i);
  const first = (among, ...keys) =>
    among.reduce((a, b) => {
      const key = keys.find((k) => k(a) !== k(b));
      return key && key(b) < key(a) ? b : a;
    });
  const top = first(places, (i) => -worths[i], (i) => usd[i]);
  const near = places.filter((i) => worths[i] > worths[top] - HAIR);
  const cheaper = near.filter((i) => usd[i] < CHEAPER * usd[top]);
  if (cheaper.length) return first(cheaper, (i) => usd[i], (i) => -worths[i]);
  const simpler = near.filter((i) => kinds && kinds[i] < kinds[top] && CHEAPER * usd[i] <= usd[top]);
  return simpler.length ? first(simpler, (i) => kinds[i], (i) => -worths[i], (i) => usd[i]) : top;
}

/** Rows of the options by route: two where a teacher is owned. */
function rowsByRoute(options) {
  const rows = new Map();
  options.forEach((o, i) => rows.set(o.route, [...(rows.get(o.route) ?? []), i]));
  return rows;
}

const named = (option, counts) => Object.fromEntries(option.surface.inputs.map((name, i) => [name, counts[i]]));

/** Whether the plan that other tasks alone put first is kept: {kept, instead, gain, sd}; null where own runs have their way. */
function doubtOf(task, options, bests, kept) {
  if (!options.some((o) => o.surface.before)) return null;
  const { score } = task.constant;
  const constant = { row: options.length, told: score, now: score, at: () => score };
  const plans = kept.filter((i) => bests[i].counts).map((row) => {
    const { surface } = options[row];
    const { counts } = bests[row];
    const draws = drawsAt(surface, counts);
    const now = meanAt(surface, counts);
    return { row, now, told: surface.before ? meanAt({ ...surface, means: surface.before }, counts) : now, at: (d) => draws[d] };
  });
  const most = (key) => [constant, ...plans].reduce((a, b) => (b[key] > a[key] ? b : a));
  const [first, top] = [most("told"), most("now")];
  const gains = Float64Array.from({ length: options[0].surface.n_draws }, (_, d) => top.at(d) - first.at(d));
  const mean = gains.reduce((a, b) => a + b, 0) / gains.length;
  const sd = Math.sqrt(gains.reduce((sum, g) => sum + (g - mean) ** 2, 0) / gains.length);
  const gain = top.now - first.now;
  return first === top || gain >= FIRM * sd ? null : { kept: first.row, instead: top.row, gain, sd };
}

/** What one budget buys of each option, and of the constant answer in the last row, and which is recommended.
 *
 * over : what is to be highest, of the scores of all worlds; null for their mean
 */
export function choosePlan(task, options, ready, usd, over = null) {
  const bests = ready.map((search, i) => search.best(options[i].cost, usd));
  const worth = [...bests.map((b) => b.value), task.constant.score];
  const cost = [...bests.map((b, i) => (b.counts ? totalAt(options[i].cost, named(options[i], b.counts)) : Infinity)), 0];
  const kinds = [...bests.map((b) => (b.counts ? b.counts.filter((n) => n > 0).length : 0)), 0];
  const pick = (rows) => rows.map((i) => worth[i]);
  const keptRows = [...rowsByRoute(options).values()].map((rows) => rows[recommended(pick(rows), rows.map((i) => cost[i]))]);
  if (over) for (const i of keptRows) if (bests[i].counts) worth[i] = over.of(drawsAt(options[i].surface, bests[i].counts));
  const all = [...keptRows, options.length];
  const doubt = over ? null : doubtOf(task, options, bests, keptRows);
  const row = doubt ? doubt.kept : all[recommended(pick(all), all.map((i) => cost[i]), all.map((i) => kinds[i]))];
  return { bests, worth, cost, kept: keptRows.filter((i) => bests[i].counts), row, doubt };
}

/** One plan of an option, with its score and interval in percent. */
export function planAt(option, counts) {
  const { surface, cost } = option;
  const plan = named(option, counts);
  const draws = drawsAt(surface, counts);
  const [kind, factor] = classify(surface.support, counts);
  const [lower, upper] = runInterval(draws, deviationsAt(surface, counts)).map((v) => 100 * v);
  const usd = stagesAt(cost, plan);
  const days = cost.days ? totalAt(cost.days, plan) : null;
  const total = Object.values(usd).reduce((a, b) => a + b, 0);
  return { option, plan, usd: total, stages: usd, score: 100 * meanAt(surface, counts), lower, upper, kind, factor, days, draws };
}

/** Share of worlds in which each of some plans has the highest mean score; ties share a world. */
export function chanceOfBest(columns) {
  const chances = columns.map(() => 0);
  const n = columns[0].length;
  for (let d = 0; d < n; d++) {
    const top = Math.max(...columns.map((c) => c[d]));
    const first = columns.map((c) => c[d] === top);
    const share = 1 / first.filter(Boolean).length / n;
    first.forEach((yes, i) => (chances[i] += yes ? share : 0));
  }
  return chances;
}

/** The answer to one budget: plans a route, the best first, the recommended one, and what stands beside it.
 *
 * Where own runs tell too little to leave the plan of other tasks there are no `stop`, `shadow` and `changes`.
 * settings.risk : the quantile over worlds to choose for; null for the mean
 */
export function optimize(task, settings) {
  const options = optionsOf(task, settings);
  const level = settings.risk ?? null;
  const [over, fine] = level === null ? [null, searches(options, FINE)] : [quantileOf(level), searchesFor(options, level)];
  const chosen = choosePlan(task, options, fine, settings.budget, over);
  const score = 100 * task.constant.score;
  const nothing = { option: null, label: "constant", plan: {}, usd: 0, stages: {}, score, lower: score, upper: score, kind: "observed", factor: 1, days: null };
  const plans = chosen.kept.map((i) => ({
    ...planAt(options[i], chosen.bests[i].counts),
    label: options[i].label,
    worth: chosen.worth[i],
    row: i,
  }));
  plans.push({ ...nothing, worth: task.constant.score, row: options.length });
  const n = options.length ? options[0].surface.n_draws : 1;
  const columns = plans.map((p) => p.draws ?? new Float64Array(n).fill(task.constant.score));
  chanceOfBest(columns).forEach((chance, i) => (plans[i].pBest = chance));
  plans.sort((a, b) => b.worth - a.worth || a.usd - b.usd);
  const best = plans.find((p) => p.row === chosen.row);
  const unbought = options.filter((o, i) => !chosen.bests[i].counts && !plans.some((p) => p.option?.route === o.route));
  const answer = { options, level, plans, best, doubt: chosen.doubt, stop: null, shadow: null, changes: null, unbought };
  return chosen.doubt ? answer : { ...answer, ...around(task, options, level === null ? searches(options) : fine, settings.budget, best) };
}

/** Plans less those that come down to another one: an LLM's one label beside 3,875 of people. */
export const distinct = ({ plans, best }) => plans.filter((p) => p === best || !plans.some((part) => isAllOf(part, p)));

function isAllOf(part, whole) {
  if (!part.option || !whole.option) return false;
  const [few, many] = [part.option.surface, whole.option.surface];
  const isPart = few.inputs.length < many.inputs.length && few.inputs.every((n) => many.inputs.includes(n));
  const isMatched = (n) => whole.plan[n] <= 1 || Math.abs((part.plan[n] ?? 0) - whole.plan[n]) <= Math.max(1, 0.01 * whole.plan[n]);
  return few.student === many.student && !many.teacher && isPart && many.inputs.every(isMatched);
}

/** What other budgets and prices would do. */
const around = (task, options, ready, budget, best) => ({
  stop: stopHere(task, options, ready, budget, best),
  shadow: shadowPrice(task, options, ready, budget),
  changes: priceChanges(task, options, ready, budget),
});

const bestValues = (task, costs, ready, usd) => [...ready.map((s, i) => s.best(costs[i], usd).value), task.constant.score];
const topValue = (task, costs, ready, usd) => Math.max(...bestValues(task, costs, ready, usd));

/** Numbers evenly spaced in log, ends exact. */
export function geomspace(low, high, n) {
  const step = Math.log(high / low) / (n - 1);
  return Array.from({ length: n }, (_, i) => (i === 0 ? low : i === n - 1 ? high : low * Math.exp(step * i)));
}

/** The least amount up to `high` that is enough; once enough, always enough. Looks at the same amounts as `cheapest`. */
export function cheapest(enough, low, high, grids = FINEST) {
  if (enough(0)) return 0;
  let grid = high > 0 ? geomspace(Math.min(Math.max(low, high / 1e7, 1e-6), high), high, grids[0]) : [0];
  if (!enough(grid[grid.length - 1])) return null;
  let first = firstOf(grid, enough);
  for (const n of grids.slice(1)) {
    grid = geomspace(grid[Math.max(first - 1, 0)], grid[first], n);
    first = firstOf(grid, enough);
  }
  return grid[first];
}

/** The first place of an ascending grid that is enough, of which the last is. */
function firstOf(grid, enough) {
  let low = -1;
  let high = grid.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (enough(grid[middle])) high = middle;
    else low = middle;
  }
  return high;
}

export const leastUsd = (options) =>
  Math.min(...options.map((o) => totalAt(o.cost, Object.fromEntries(o.surface.inputs.map((name) => [name, leastOf(o.cost, name)])))));

/** The cheapest budget within a point of the best: its plan, with what was chosen for as `worth`; null where there is none. */
function stopHere(task, options, ready, budget, best) {
  if (budget <= 0 || !options.length) return null;
  const found = stopRow(task, options, ready, best.usd || budget);
  if (found === null) return null;
  const { score } = task.constant;
  if (found.row === options.length) return { usd: 0, score: 100 * score, worth: score, label: "constant", plan: {} };
  return { ...planAt(options[found.row], found.bought.counts), worth: found.bought.value, label: options[found.row].label };
}

/** The option of the cheapest budget within a point of what `topUsd` buys: {row, usd, bought}; null where there is none. */
function stopRow(task, options, ready, topUsd, top = null, grids = FINEST) {
  const costs = options.map((o) => o.cost);
  const aim = (top ?? topValue(task, costs, ready, topUsd)) - STOP_WITHIN;
  if (task.constant.score >= aim) return { row: options.length, usd: 0 };
  const enough = cheapest((money) => topValue(task, costs, ready, money) >= aim, leastUsd(options), topUsd, grids);
  if (enough === null) return null;
  const values = bestValues(task, costs, ready, enough).slice(0, -1);
  const row = values.indexOf(Math.max(...values));
  const bought = ready[row].best(costs[row], enough);
  return { row, usd: totalAt(costs[row], named(options[row], bought.counts)), bought };
}

/** What the best plan gains with $100 more, and loses with $100 less, points. */
function shadowPrice(task, options, ready, budget) {
  const costs = options.map((o) => o.cost);
  const [less, now, more] = [Math.max(budget - 100, 0), budget, budget + 100].map((usd) => topValue(task, costs, ready, usd));
  return { gain: 100 * (more - now), loss: 100 * (now - less) };
}

/** For each price, up and down: the nearest factor at which another route is advised. */
function priceChanges(task, options, ready, budget) {
  const now = advisedRoute(task, options, ready, budget);
  const advised = (stages, factor) => {
    const turned = options.map((o) => (hasStage(o.cost, stages) ? { ...o, cost: scaled(o.cost, stages, factor) } : o));
    return advisedRoute(task, turned, ready, budget);
  };
  const changes = [];
  for (const [price, stages] of Object.entries(PRICED_STAGES)) {
    if (!options.some((o) => hasStage(o.cost, stages))) continue;
    for (const up of [true, false]) {
      const found = firstChange((f) => advised(stages, f), now, FACTORS.map((f) => (up ? f : 1 / f)), 1.02);
      if (found) changes.push({ price, factor: found[0], instead: labelOf(task, found[1]), route: found[1] });
    }
  }
  return changes;
}

/** The route of the cheapest plan within a point of the best, where that saves money. */
function advisedRoute(task, options, ready, budget) {
  const { worth, cost, row } = choosePlan(task, options, ready, budget);
  if (row === options.length) return "constant";
  const found = stopRow(task, options, ready, cost[row], worth[row], QUICK);
  if (found === null) return options[row].route;
  if (found.row === options.length) return "constant";
  return options[found.usd < MOST_OF_IT * cost[row] ? found.row : row].route;
}

export const labelOf = (task, route) => task.surfaces.find((s) => s.id === route)?.label ?? "constant";

/** The first place on a walk at which another wins, narrowed by bisection, and which; null for none. */
export function firstChange(winner, now, places, close) {
  let low = places[0];
  for (const place of places.slice(1)) {
    let other = winner(place);
    if (other === now) {
      low = place;
      continue;
    }
    let high = place;
    while (Math.max(low, high) > close * Math.min(low, high)) {
      const middle = Math.sqrt(low * high);
      const there = winner(middle);
      if (there === now) low = middle;
      else [high, other] = [middle, there];
    }
    return [high, other];
  }
  return null;
}

/** What growing budgets buy: for each the recommended plan, and of each route the score and what it spends. */
export function trace(task, settings, budgets, fine = EASY) {
  const options = optionsOf(task, settings);
  const ready = searches(options, fine);
  return budgets.map((usd) => {
    const { bests, worth, cost, kept: rows, row } = choosePlan(task, options, ready, usd);
    const routes = new Map(rows.map((i) => [options[i].route, { option: options[i], counts: bests[i].counts, score: 100 * worth[i], usd: cost[i] }]));
    const plan = row === options.length ? {} : named(options[row], bests[row].counts);
    return { budget: usd, routes, route: row === options.length ? "constant" : options[row].route, plan, usd: cost[row], score: 100 * worth[row] };
  });
}

/** Who wins at each budget and price of a lever: rows of route ids, a row a price. */
export function winnersMap(task, settings, budgets, lever, prices) {
  return prices.map((usd) => trace(task, { ...settings, prices: { ...settings.prices, [lever]: usd } }, budgets).map((t) => t.route));
}

/** The best plan's score with each price, the budget and the pool halved and doubled: the widest swing first. */
export function tornado(task, settings) {
  const at = (changed) => {
    const options = optionsOf(task, changed);
    const { worth, row } = choosePlan(task, options, searches(options, FINE), changed.budget);
    return { score: 100 * worth[row], label: row === options.length ? "constant" : options[row].label };
  };
  const swing = (name, unit, low, high, change) => ({ name, unit, low, high, atLow: at(change(low)), atHigh: at(change(high)) });
  const { budget } = settings;
  const swings = [swing("budget", "in all", budget / 2, budget * 2, (v) => ({ ...settings, budget: v }))];
  for (const lever of task.levers) {
    const usd = settings.prices[lever.name] ?? lever.usd;
    if (!usd && lever.name !== "texts") continue;
    const [low, high] = usd ? [usd / 2, usd * 2] : [0, 0.01];
    swings.push(swing(lever.name, lever.unit, low, high, (v) => ({ ...settings, prices: { ...settings.prices, [lever.name]: v } })));
  }
  const pool = poolOf(task, settings);
  if (pool !== null) swings.push(swing("pool", "texts", Math.round(pool / 2), pool * 2, (v) => ({ mostLabels: labelBound(task, settings), ...settings, pool: v })));
  return swings.sort((a, b) => Math.abs(b.atHigh.score - b.atLow.score) - Math.abs(a.atHigh.score - a.atLow.score));
}

/** How many unlabelled texts there are; null where no option takes any. */
export function poolOf(task, settings) {
  const sizes = optionsOf(task, settings).flatMap((o) =>
    o.surface.inputs.filter((n) => n !== "n_labels").map((n) => limitOf(o.cost, n)),
  );
  const bounded = sizes.filter((n) => n < 1e15);
  return bounded.length ? Math.max(...bounded) : null;
}
