// Tables of joint draws: unpacked as budgetsim.page.packing wrote them, evaluated as budgetsim.design.surface does.

const MEAN_UNIT = 1e-8;
const UNIT = 1e-4;

/** Where a count lies on an axis: log(1 + n), which has room for zero. */
export const axisScale = (n) => Math.log1p(n);

/** Bytes of a base64 text that holds deflated data. */
export async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const PIVOT = 1000; // labels at which the scatter of a run is told
const FEWEST = 10; // on fewer nobody knows how much further a run strays

/** Give every surface its tables: `means` (grid), `noise` (draws) and `draws` (draws x grid, whole steps). */
export function unpack(surfaces, bytes, step) {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const [place, s] of surfaces.entries()) {
    s.place = place; // routes recur from task to task
    s.shape = s.knots.map((k) => k.length);
    s.scales = s.knots.map((k) => Float64Array.from(k, axisScale));
    const cells = s.shape.reduce((a, b) => a * b, 1);
    s.means = Float64Array.from({ length: cells }, (_, i) => view.getInt32(at + 4 * i, true) * MEAN_UNIT);
    at += 4 * cells;
    s.noise = Float64Array.from({ length: s.n_draws }, (_, i) => unzigzag(view.getUint16(at + 2 * i, true)) * UNIT);
    at += 2 * s.n_draws;
    s.before = s.before && Float64Array.from(s.before);
    s.scatter = scatterOf(s, cells);
    s.unit = step * UNIT;
    s.draws = foretold(bytes, at, s, cells);
    at += 3 * s.n_draws * cells;
  }
  return surfaces;
}

function unzigzag(u) {
  return u & 1 ? -(u + 1) / 2 : u / 2;
}

/** Whole steps of every draw: three planes of bytes, summed up along the axes, around the mean. */
function foretold(bytes, at, s, cells) {
  const out = new Int16Array(s.n_draws * cells);
  const plane = s.n_draws * cells;
  const width = s.shape.length === 2 ? s.shape[1] : cells;
  const line = new Int32Array(cells);
  const middle = Int32Array.from(s.means, (m) => roundEven(m / s.unit));
  for (let d = 0; d < s.n_draws; d++) {
    for (let i = 0; i < cells; i++) {
      const k = at + d * cells + i;
      let v = unzigzag(bytes[k] | (bytes[k + plane] << 8) | (bytes[k + 2 * plane] << 16));
      const left = i % width ? line[i - 1] : 0;
      const above = i >= width ? line[i - width] : 0;
      const corner = i >= width && i % width ? line[i - width - 1] : 0;
      line[i] = v + left + above - corner;
      out[d * cells + i] = line[i] + middle[i];
    }
  }
  return out;
}

/** To the nearest whole number, halves to even ones, as NumPy does. */
export function roundEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
}

/** Knot below a count, and the share of the way to the next one. */
export function bracket(scale, n) {
  if (scale.length === 1) return [0, 0];
  const at = axisScale(n);
  let low = 0;
  let high = scale.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (scale[middle] <= at) low = middle;
    else high = middle;
  }
  return [low, Math.min(Math.max((at - scale[low]) / (scale[low + 1] - scale[low]), 0), 1)];
}

/** Cells around a point and their weights. */
export function corners(s, counts) {
  let cells = [[0, 1]];
  counts.forEach((n, axis) => {
    const [low, share] = bracket(s.scales[axis], n);
    const high = Math.min(low + 1, s.shape[axis] - 1);
    cells = [
      ...cells.map(([i, w]) => [i * s.shape[axis] + low, w * (1 - share)]),
      ...cells.map(([i, w]) => [i * s.shape[axis] + high, w * share]),
    ];
  });
  return cells.filter(([, w]) => w > 0);
}

/** Mean score at a point, a fraction. */
export function meanAt(s, counts) {
  return corners(s, counts).reduce((sum, [i, w]) => sum + w * s.means[i], 0);
}

/** Mean score of every world at a point, fractions. */
export function drawsAt(s, counts) {
  const cells = s.shape.reduce((a, b) => a * b, 1);
  const around = corners(s, counts);
  const out = new Float64Array(s.n_draws);
  for (let d = 0; d < s.n_draws; d++) {
    let sum = 0;
    for (const [i, w] of around) sum += w * s.draws[d * cells + i];
    out[d] = sum * s.unit;
  }
  return out;
}

/** How many times as far as on 1,000 labels a run strays, at every cell of the grid. */
export function scatterOf({ knots, inputs, few, shape }, cells) {
  const labels = ["n_labels", "n_llm_labels"];
  return Float64Array.from({ length: cells }, (_, cell) => {
    let [rest, n] = [cell, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (labels.includes(inputs[axis])) n += knots[axis][rest % shape[axis]];
      rest = Math.floor(rest / shape[axis]);
    }
    return Math.sqrt((1 + few / Math.max(n, FEWEST)) / (1 + few / PIVOT));
  });
}

/** What one new run strays from its mean at counts, in every world. */
export function deviationsAt(s, counts) {
  let wide = 0;
  for (const [i, w] of corners(s, counts)) wide += w * s.scatter[i];
  return s.noise.map((v) => v * wide);
}

/** Interval of one new run, 90 % wide: [lower, upper], within 0 and 1. */
export function runInterval(draws, noise, level = 0.9) {
  const runs = draws.map((m, i) => Math.min(Math.max(m + noise[i], 0), 1)).sort();
  const tail = (1 - level) / 2;
  return [tail, 1 - tail].map((share) => quantile(runs, share));
}

/** Quantile of ascending values, straight lines between them. */
export function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] * (1 - (place - low)) + sorted[high] * (place - low);
}

/** Whether a point was observed, lies among the data or outside, and how many fold: [kind, factor]. */
export function classify(support, counts) {
  const at = counts.map(axisScale);
  let outside = -Infinity;
  support.normals.forEach((normal, i) => {
    const reach = normal.reduce((sum, v, axis) => sum + v * at[axis], 0) - support.offsets[i];
    outside = Math.max(outside, reach);
  });
  const factor = Math.exp(Math.max(outside, 0));
  const near = (point) => point.every((n, axis) => Math.abs(at[axis] - axisScale(n)) <= 0.005);
  if (support.points.some(near)) return ["observed", 1];
  return factor < 1.005 ? ["interpolated", 1] : ["extrapolated", factor];
}
