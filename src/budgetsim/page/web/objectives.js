// What "best" can mean besides the highest mean: budgetsim.choosing.objectives. A quantile over worlds, the score that
// a run surely reaches and the chance of a target, each a table at knots laid closer, searched as a table of means is.

import { candidates, once, prepare } from "./allocate.js";
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

/** The quantile over worlds, straight between ordered ones. */
export const quantileOf = (level) => (scores) => {
  const place = level * (scores.length - 1);
  const low = Math.floor(place);
  const at = nth(scores, low);
  if (place === low) return at;
  let next = Infinity;
  for (let i = low + 1; i < scores.length; i++) if (scores[i] < next) next = scores[i];
  return at + (place - low) * (next - at);
};

/** The highest score that is reached in at least a share of worlds. */
export const attainedIn = (share) => (scores) =>
  nth(scores, Math.min(Math.floor(scores.length * (1 - share) + 1e-9), scores.length - 1));

/** The share of worlds in which a score reaches a target. */
export const chanceOf = (target) => (scores) => {
  let reached = 0;
  for (const s of scores) if (s >= target) reached++;
  return reached / scores.length;
};

/** Tables of numbers over worlds, an array a function of scores; the functions may put the scores in another order. */
function closeTables(surface, knots, overs, runs) {
  const n = surface.n_draws;
  const width = surface.shape.length === 2 ? surface.shape[1] : 1;
  const worlds = byCell(surface);
  const spots = knots.map((counts, axis) => counts.map((count) => bracket(surface.scales[axis], count)));
  const across = spots[1] ?? [[0, 0]];
  const tables = overs.map(() => new Float64Array(spots[0].length * across.length));
  const line = Array.from({ length: width }, () => new Float64Array(n));
  const scores = new Float64Array(n);
  spots[0].forEach(([i, u], row) => {
    const above = Math.min(i + 1, surface.shape[0] - 1);
    for (let j = 0; j < width; j++) between(worlds, n * (i * width + j), n * (above * width + j), u, line[j]);
    across.forEach(([j, v], column) => {
      const [left, right] = [line[j], line[Math.min(j + 1, width - 1)]];
      for (let d = 0; d < n; d++) scores[d] = left[d] * (1 - v) + right[d] * v + (runs ? surface.noise[d] : 0);
      overs.forEach((over, k) => (tables[k][row * across.length + column] = over(scores)));
    });
  });
  return tables;
}

function between(values, low, high, share, out) {
  for (let d = 0; d < out.length; d++) out[d] = values[low + d] * (1 - share) + values[high + d] * share;
}

const turned = new Map();

/** Draws as fractions, those of a cell beside each other. */
function byCell(surface) {
  if (!turned.has(surface.place)) {
    const cells = surface.means.length;
    const out = new Float64Array(cells * surface.n_draws);
    for (let d = 0; d < surface.n_draws; d++) {
      for (let i = 0; i < cells; i++) out[i * surface.n_draws + d] = surface.draws[d * cells + i] * surface.unit;
    }
    turned.set(surface.place, out);
  }
  return turned.get(surface.place);
}

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
