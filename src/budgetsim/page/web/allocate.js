// The best inputs a budget buys of one option: budgetsim.choosing.allocate for tables of means, the same steps in the
// same order, so that the same plan comes out.

import { breakpoints, inputUsd, leastOf, limitOf, maxUnits } from "./cost.js";
import { axisScale, bracket, meanAt } from "./surface.js";

export const FINE = 24; // candidates of an input between two knots
export const EASY = 6; // enough where many budgets and prices are tried

const ascending = (values) => [...new Set(values)].sort((a, b) => a - b);
const whole = (knots) => ascending([1, ...knots.filter((k) => k >= 1).map(Math.floor)]);
const around = (knots) => ascending([...whole(knots), ...knots.filter((k) => k >= 1).map(Math.ceil)]);

/** Whole counts from one up, evenly spread on the axis between the knots, the knots among them. */
export function candidates(knots, fine) {
  const counts = whole(knots);
  const scale = counts.map(axisScale);
  const between = [];
  for (let i = 0; i + 1 < counts.length; i++) {
    for (let j = 0; j < fine; j++) {
      between.push(Math.max(Math.floor(Math.expm1(scale[i] + (j / fine) * (scale[i + 1] - scale[i])) + 1e-6), 1));
    }
  }
  return ascending([...between, ...counts]);
}

/** An option {surface, cost} made ready: `best(cost, usd)` gives {value, counts}, value -Infinity where nothing is bought. */
export function prepare(option, fine, kept) {
  const { surface } = option;
  if (surface.inputs.length === 1) return { best: oneInput(surface, kept) };
  const sides = [0, 1].map((axis) => side(surface, option.cost, fine, axis, kept));
  return {
    best(cost, usd) {
      const [one, other] = sides.map((s) => s.best(cost, usd));
      return one.value >= other.value ? one : other;
    },
  };
}

/** A place for so many tables of scores, which outlive changes of prices; those not asked for longest go first. */
export const roomFor = (most) => Object.assign(new Map(), { most });

/** What `make` gives, once for a key. */
export function once(kept, key, make) {
  const value = kept.has(key) ? kept.get(key) : make();
  kept.delete(key);
  kept.set(key, value); // now the last to go
  if (kept.size > (kept.most ?? Infinity)) kept.delete(kept.keys().next().value);
  return value;
}

function oneInput(surface, kept) {
  const table = once(kept, `${surface.place}`, () => {
    const counts = whole(surface.knots[0]);
    return { counts, ...running(counts.map((n) => meanAt(surface, [n])), counts.length) };
  });
  const { counts, top, topAt } = table;
  return (cost, usd) => {
    const most = maxUnits(cost, surface.inputs[0], usd);
    if (!(most >= 1)) return { value: -Infinity, counts: null };
    let last = -1;
    while (last + 1 < counts.length && counts[last + 1] <= most) last++;
    const atMost = meanAt(surface, [most]);
    const inside = last >= 0 ? top[last] : -Infinity;
    return inside >= atMost ? { value: inside, counts: [counts[topAt[last]]] } : { value: atMost, counts: [most] };
  };
}

/** Highest value up to each place along rows of some width, and where in the row it first stands. */
function running(values, width) {
  const top = Float64Array.from(values);
  const topAt = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const at = i % width;
    if (!at) continue;
    const fresh = top[i] > top[i - 1];
    topAt[i] = fresh ? at : topAt[i - 1];
    if (!fresh) top[i] = top[i - 1];
  }
  return { top, topAt };
}

/** Counts within bounds, which are tried themselves; none where the bounds exclude each other. */
function within(counts, [low, high]) {
  return ascending([...counts, low, high]).filter((n) => n >= low && n <= high);
}

/** One input takes fixed counts, and the money left goes into the other. */
function side(surface, cost, fine, axis, kept) {
  const bounds = surface.inputs.map((name, i) => {
    const knots = surface.knots[i];
    return [leastOf(cost, name), Math.floor(Math.min(limitOf(cost, name), knots[knots.length - 1]))];
  });
  const kinks = breakpoints(cost, surface.inputs[axis]);
  const key = [surface.place, axis, fine, bounds, kinks].join("|");
  const tables = once(kept, key, () => sideTables(surface, fine, axis, bounds, kinks));
  const fixedName = surface.inputs[axis];
  const movingName = surface.inputs[1 - axis];
  let priced = null; // costs of the fixed counts under the last cost model
  const prices = (now) => {
    if (priced?.of !== now) {
      priced = {
        of: now,
        usd: Float64Array.from(tables.fixed, (n) => inputUsd(now, fixedName, n)),
        days: now.days && Float64Array.from(tables.fixed, (n) => inputUsd(now.days, fixedName, n)),
      };
    }
    return priced;
  };
  return { best: (now, usd) => searchSide(tables, axis, now, usd, movingName, prices(now)) };
}

function sideTables(surface, fine, axis, bounds, kinks) {
  const fixed = within([...candidates(surface.knots[axis], fine), ...kinks], bounds[axis]);
  const knots = within(around(surface.knots[1 - axis]), bounds[1 - axis]);
  const values = new Float64Array(fixed.length * knots.length);
  const spots = [0, 1].map((i) => (i === axis ? fixed : knots).map((n) => bracket(surface.scales[i], n)));
  const { means, shape } = surface;
  for (let p = 0; p < fixed.length; p++) {
    for (let s = 0; s < knots.length; s++) {
      const [i, u] = spots[0][axis === 0 ? p : s];
      const [j, v] = spots[1][axis === 0 ? s : p];
      const [above, below] = [i * shape[1], Math.min(i + 1, shape[0] - 1) * shape[1]];
      const right = Math.min(j + 1, shape[1] - 1);
      const low = means[above + j] * (1 - v) + means[above + right] * v;
      const high = means[below + j] * (1 - v) + means[below + right] * v;
      values[p * knots.length + s] = low * (1 - u) + high * u;
    }
  }
  const scale = Float64Array.from(knots, axisScale);
  const rises = new Float64Array(values.length);
  for (let i = 0; i < rises.length; i++) {
    const s = i % knots.length;
    if (s + 1 < knots.length) rises[i] = (values[i + 1] - values[i]) / (scale[s + 1] - scale[s]);
  }
  return { fixed, knots, scale, values, rises, ...running(values, knots.length) };
}

function searchSide(tables, axis, cost, usd, movingName, prices) {
  const { fixed, knots, scale, values, rises, top, topAt } = tables;
  const found = { value: -Infinity, counts: null };
  if (!fixed.length || !knots.length) return found;
  const width = knots.length;
  const end = knots[width - 1];
  let low = width - 1;
  for (let p = 0; p < fixed.length; p++) {
    if (p && prices.usd[p] > usd) break; // costs rise
    const most = Math.min(maxUnits(cost, movingName, usd, prices.usd[p], prices.days ? prices.days[p] : 0), end);
    if (!(most >= knots[0])) continue;
    while (low > 0 && knots[low] > most) low--;
    while (low + 1 < width && knots[low + 1] <= most) low++;
    const i = p * width + low;
    const inside = top[i];
    const atMost = values[i] + rises[i] * (Math.log1p(most) - scale[low]);
    const reached = Math.max(inside, atMost);
    if (reached > found.value) {
      const units = inside >= atMost ? knots[topAt[i]] : most;
      found.value = reached;
      found.counts = axis === 0 ? [fixed[p], units] : [units, fixed[p]];
    }
  }
  return found;
}
