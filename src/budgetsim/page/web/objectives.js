// What "best" can mean besides the highest mean: budgetsim.choosing.objectives. A quantile over worlds, the score that
// a run surely reaches and the chance of a target, each a table at knots laid closer, searched as a table of means is.

import { candidates, once, prepare, roomFor } from "./allocate.js";
import { axisScale, bracket } from "./surface.js";

const CLOSER = { 1: 16, 2: 4 }; // knots laid between two of the surface's, by the number of its inputs
const PRIMARY = 2; // candidates of an input between two of those

/** The k-th smallest of the first `count` numbers, which are put in another order: those before it are no larger. */
export function nth(values, k, count = values.length) {
  let low = 0;
  let high = count - 1;
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

/** Fill `out` with scores that lie straight between two lists of them, a share of the way from `low` to `high` in `line`. */
function scoresAt(out, line, low, high, share) {
  const rest = 1 - share;
  for (let d = 0; d < out.length; d++) out[d] = line[low + d] * rest + line[high + d] * share;
  return out;
}

/** The k-th smallest of the first `count` numbers and the one after it; the values are put in another order. */
function twoAt(values, k, count = values.length) {
  const at = nth(values, k, count);
  let next = Infinity;
  for (let i = k + 1; i < count; i++) if (values[i] < next) next = values[i];
  return [at, next];
}

/** Ordered scores k and k + 1 of many lists: looked for first near a guess, as far around as the last ones were off. */
function picker(n, k) {
  const near = new Float64Array(n);
  const all = new Float64Array(n);
  let reach = 0.004; // of a score, to either side
  return (line, low, high, share, guess) => {
    const [least, most, rest] = [guess - reach, guess + reach, 1 - share];
    let below = 0;
    let found = 0;
    for (let d = 0; d < n; d++) {
      const v = line[low + d] * rest + line[high + d] * share;
      if (v <= most) {
        if (v < least) below++;
        else near[found++] = v;
      }
    }
    const inside = k >= below && k + 1 < below + found;
    const pair = inside ? twoAt(near, k - below, found) : twoAt(scoresAt(all, line, low, high, share), k);
    const off = Math.abs(pair[0] - guess);
    reach = off < 0.01 ? Math.max((reach + 4 * off) / 2, 5e-4) : 0.01; // also where there was nothing to guess from
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
    return (line, low, high, share, guess) => fromPair(pick(line, low, high, share, guess), place % 1);
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
    for (let d = 0; d < n; d++) reached += (line[low + d] * rest + line[high + d] * share >= target) | 0;
    return reached / n;
  },
});

/** A number of a table by those before it: on the plane through three neighbours, or straight on in the first row. */
function foretold(table, row, column, width) {
  const at = row * width + column;
  if (row && column) return table[at - 1] + table[at - width] - table[at - width - 1];
  if (row) return table[at - width];
  return column > 1 ? 2 * table[at - 1] - table[at - 2] : NaN;
}

/** Tables of numbers over worlds at every crossing of some counts, one for each of `overs`. */
function closeTables(surface, knots, overs, runs) {
  const n = surface.n_draws;
  const worlds = byCell(surface, runs);
  const spots = knots.map((counts, axis) => counts.map((count) => bracket(surface.scales[axis], count)));
  const [down, across] = spots.length === 2 ? spots : [[[0, 0]], spots[0]];
  const [height, width] = spots.length === 2 ? surface.shape : [1, surface.shape[0]];
  const tables = overs.map(() => new Float64Array(down.length * across.length));
  const lines = overs.map((over) => over.along(n));
  const line = new Float64Array(width * n);
  for (let row = 0; row < down.length; row++) {
    const [i, u] = down[row];
    scoresAt(line, worlds, n * i * width, n * Math.min(i + 1, height - 1) * width, u);
    for (let column = 0; column < across.length; column++) {
      const [j, v] = across[column];
      const right = n * Math.min(j + 1, width - 1);
      const at = row * across.length + column;
      tables.forEach((table, k) => (table[at] = lines[k](line, n * j, right, v, foretold(table, row, column, across.length))));
    }
  }
  return tables;
}

const turned = roomFor(24);

/** Draws as fractions, of means or of runs, those of a cell beside each other, poor worlds first: quick to sort through. */
const byCell = (surface, runs) =>
  once(turned, `${surface.place}|${runs}`, () => {
    const { n_draws: n, draws, noise, scatter, unit } = surface;
    const cells = surface.means.length;
    const totals = Float64Array.from({ length: n }, (_, d) => draws.subarray(d * cells, (d + 1) * cells).reduce((a, b) => a + b, 0));
    const order = [...totals.keys()].sort((a, b) => totals[a] - totals[b]);
    const out = new Float64Array(cells * n);
    order.forEach((d, place) => {
      const deviation = runs ? noise[d] : 0;
      for (let i = 0; i < cells; i++) out[i * n + place] = draws[d * cells + i] * unit + deviation * scatter[i];
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
