// What "best" can mean besides the highest mean: budgetsim.choosing.objectives. A quantile over worlds, the score that
// a run surely reaches and the chance of a target, each a table at knots laid closer, searched as a table of means is.

import { candidates, once, prepare, roomFor } from "./allocate.js";
import { axisScale, bracket } from "./surface.js";

const CLOSER = { 1: 24, 2: 8 }; // knots laid between two of the surface's, by the number of its inputs
const PRIMARY = 2; // candidates of an input between two of those

/** The k-th smallest of some numbers, which are put in another order: those before it are no larger. */
export function nth(values, k) {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swapped = values[i];
      values[i++] = values[j];
      values[j--] = swapped;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}

/** A number of scores that lie straight between two lists of them, the share of the way from `low` to `high` in `line`. */
function scoresAt(line, low, high, share, n) {
  const out = new Float64Array(n);
  for (let d = 0; d < n; d++) out[d] = line[low + d] * (1 - share) + line[high + d] * share;
  return out;
}

/** The k-th smallest and the one after it; the values are put in another order. */
function twoAt(values, k) {
  const at = nth(values, k);
  let next = Infinity;
  for (let i = k + 1; i < values.length; i++) if (values[i] < next) next = values[i];
  return [at, next];
}

/** Ordered scores k and k + 1 of many lists that follow each other closely: looked for first where the last ones lay. */
function picker(n, k) {
  const near = new Float64Array(n + 1);
  let guess = NaN;
  let reach = 0.004; // of a score, to either side
  return (line, low, high, share) => {
    const [least, most, rest] = [guess - reach, guess + reach, 1 - share];
    let below = 0;
    let found = 0;
    for (let d = 0; d < n; d++) {
      const v = line[low + d] * rest + line[high + d] * share;
      below += Number(v < least);
      near[found] = v;
      found += Number(v >= least && v <= most);
    }
    const inside = guess === guess && k >= below && k + 1 < below + found;
    const pair = inside ? twoAt(near.subarray(0, found), k - below) : twoAt(scoresAt(line, low, high, share, n), k);
    reach = inside ? Math.max(2 * Math.abs(pair[0] - guess), 5e-4) : Math.min(2 * reach, 1);
    guess = pair[0];
    return pair;
  };
}

/** A number over worlds: `of` a list of scores, and `along` many lists that lie between others, as `scoresAt` says. */
const overWorlds = (placeIn, fromPair) => ({
  of: (scores) => {
    const place = placeIn(scores.length);
    return fromPair(twoAt(Float64Array.from(scores), Math.floor(place)), place % 1);
  },
  along: (n) => {
    const place = placeIn(n);
    const pick = picker(n, Math.floor(place));
    return (...between) => fromPair(pick(...between), place % 1);
  },
});

/** The quantile over worlds, straight between ordered ones. */
export const quantileOf = (level) =>
  overWorlds((n) => level * (n - 1), ([at, next], share) => (share === 0 ? at : at + share * (next - at)));

/** The highest score that is reached in at least a share of worlds. */
export const attainedIn = (share) => overWorlds((n) => Math.min(Math.floor(n * (1 - share) + 1e-9), n - 1), ([at]) => at);

/** The share of worlds in which a score reaches a target. */
export const chanceOf = (target) => ({
  of: (scores) => scores.reduce((reached, s) => reached + Number(s >= target), 0) / scores.length,
  along: (n) => (line, low, high, share) => {
    const rest = 1 - share;
    let reached = 0;
    for (let d = 0; d < n; d++) reached += Number(line[low + d] * rest + line[high + d] * share >= target);
    return reached / n;
  },
});

/** Tables of numbers over worlds at every crossing of some counts, one for each of `overs`. */
function closeTables(surface, knots, overs, runs) {
  const n = surface.n_draws;
  const width = surface.shape.length === 2 ? surface.shape[1] : 1;
  const worlds = byCell(surface, runs);
  const spots = knots.map((counts, axis) => counts.map((count) => bracket(surface.scales[axis], count)));
  const across = spots[1] ?? [[0, 0]];
  const tables = overs.map(() => new Float64Array(spots[0].length * across.length));
  const lines = overs.map((over) => over.along(n));
  const line = new Float64Array(width * n);
  for (let row = 0; row < spots[0].length; row++) {
    const [i, u] = spots[0][row];
    const [low, high] = [n * i * width, n * Math.min(i + 1, surface.shape[0] - 1) * width];
    for (let d = 0; d < line.length; d++) line[d] = worlds[low + d] * (1 - u) + worlds[high + d] * u;
    for (let column = 0; column < across.length; column++) {
      const [j, v] = across[column];
      const right = n * Math.min(j + 1, width - 1);
      for (let k = 0; k < lines.length; k++) tables[k][row * across.length + column] = lines[k](line, n * j, right, v);
    }
  }
  return tables;
}

const turned = roomFor(24);

/** Draws as fractions, of means or of runs, those of a cell beside each other, poor worlds first: quick to sort through. */
const byCell = (surface, runs) =>
  once(turned, `${surface.place}|${runs}`, () => {
    const { n_draws: n, draws, noise, unit } = surface;
    const cells = surface.means.length;
    const totals = Float64Array.from({ length: n }, (_, d) => draws.subarray(d * cells, (d + 1) * cells).reduce((a, b) => a + b, 0));
    const order = [...totals.keys()].sort((a, b) => totals[a] - totals[b]);
    const out = new Float64Array(cells * n);
    order.forEach((d, place) => {
      const deviation = runs ? noise[d] : 0;
      for (let i = 0; i < cells; i++) out[i * n + place] = draws[d * cells + i] * unit + deviation;
    });
    return out;
  });

/** An option made ready to be searched for the highest of some numbers over worlds: a search a function.
 *
 * name : of the functions, under which their tables are kept
 * runs : take the score of one new run, not its mean
 */
export function closeSearches(option, name, overs, kept, runs = false) {
  const { surface } = option;
  const key = [surface.place, name].join("|");
  const tables = once(kept, key, () => {
    const knots = surface.knots.map((k) => candidates(k, CLOSER[surface.knots.length]));
    const like = { inputs: surface.inputs, knots, scales: knots.map((k) => Float64Array.from(k, axisScale)), shape: knots.map((k) => k.length) };
    return closeTables(surface, knots, overs, runs).map((means, i) => ({ ...like, means, place: `${key}|${i}` }));
  });
  return tables.map((closer) => prepare({ surface: closer, cost: option.cost }, PRIMARY, kept));
}
