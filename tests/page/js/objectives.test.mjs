// Quantiles, chances and targets, against sorting and against trying every plan.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reachTarget, studentReaching } from "../../../src/budgetsim/page/web/goals.js";
import { attainedIn, chanceOf, closeSearches, nth, quantileOf } from "../../../src/budgetsim/page/web/objectives.js";
import { axisScale, drawsAt, quantile } from "../../../src/budgetsim/page/web/surface.js";

const random = (() => {
  let seed = 7;
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
})();

/** A surface of made worlds whose scores rise with every input at a pace of their own. */
function surfaceOf(knots, inputs, n = 40) {
  const shape = knots.map((k) => k.length);
  const cells = shape.reduce((a, b) => a * b, 1);
  const draws = new Int16Array(n * cells);
  for (let d = 0; d < n; d++) {
    const pace = 200 + 400 * random();
    for (let i = 0; i < cells; i++) draws[d * cells + i] = 1000 + pace * (Math.floor(i / (shape[1] ?? 1)) + 0.7 * (i % (shape[1] ?? 1)));
  }
  const means = Float64Array.from({ length: cells }, (_, i) => draws.reduce((sum, v, k) => (k % cells === i ? sum + v : sum), 0) / n / 1e4);
  const noise = Float64Array.from({ length: n }, () => 0.02 * (random() - 0.5));
  const support = { points: [], normals: [], offsets: [] };
  return { id: inputs.join(), place: Math.random(), label: "made", inputs, knots, shape, scales: knots.map((k) => Float64Array.from(k, axisScale)), means, noise, scatter: new Float64Array(means.length).fill(1), draws, unit: 1e-4, n_draws: n, support };
}

test("the k-th smallest is that of a sorted copy, ties and all", () => {
  for (let i = 0; i < 200; i++) {
    const values = Float64Array.from({ length: 1 + Math.floor(60 * random()) }, () => Math.floor(9 * random()));
    const k = Math.floor(values.length * random());
    assert.equal(nth(Float64Array.from(values), k), Float64Array.from(values).sort()[k]);
  }
});

test("a quantile is that of sorted values, and of a single world that world", () => {
  const values = Float64Array.from({ length: 41 }, random);
  for (const level of [0.01, 0.1, 0.5, 0.975]) {
    assert.ok(Math.abs(quantileOf(level).of(Float64Array.from(values)) - quantile(Float64Array.from(values).sort(), level)) < 1e-12);
  }
  assert.equal(quantileOf(0.3).of(Float64Array.of(0.6)), 0.6);
});

test("along lists that follow each other it picks what each list by itself gives, also where they jump", () => {
  const n = 50;
  const line = Float64Array.from({ length: 2 * n }, random);
  for (const over of [quantileOf(0.13), attainedIn(0.7), chanceOf(0.4)]) {
    const along = over.along(n);
    for (const share of [0, 0.01, 0.02, 0.03, 0.9, 0.05, 1, 0.5]) {
      const scores = Float64Array.from({ length: n }, (_, d) => line[d] * (1 - share) + line[n + d] * share);
      assert.equal(along(line, 0, n, share), over.of(scores));
    }
  }
});

test("what a share of worlds attains is reached in that share, and no higher score is", () => {
  assert.equal(attainedIn(0.75).of(Float64Array.of(0.4, 0.1, 0.3, 0.2)), 0.2);
  assert.equal(chanceOf(0.2).of(Float64Array.of(0.4, 0.1, 0.3, 0.2)), 0.75);
});

test("a search for a quantile finds what trying every split finds, to what lies between two close knots", () => {
  const surface = surfaceOf([[0, 6, 30], [0, 12, 50]], ["n_labels", "n_unlabeled"]);
  const cost = { fixed: {}, perUnit: { n_labels: { labels: 1 }, n_unlabeled: { texts: 0.4 } }, owned: {}, steps: {}, limits: {}, atLeast: {}, days: null, deadline: Infinity, inverses: {} };
  const [search] = closeSearches({ surface, cost }, "q", [quantileOf(0.2)], new Map());
  for (const usd of [3, 11, 28]) {
    let best = -Infinity;
    for (let a = 1; a <= 30; a++) for (let b = 1; b <= 50; b++) if (a + 0.4 * b <= usd + 1e-9) best = Math.max(best, quantileOf(0.2).of(drawsAt(surface, [a, b])));
    const found = search.best(cost, usd);
    assert.ok(Math.abs(quantileOf(0.2).of(drawsAt(surface, found.counts)) - best) < 5e-4, `${usd}`);
  }
});

test("the cheapest plan that reaches a target does, and a dollar less does not", () => {
  const surface = { ...surfaceOf([[0, 10, 100, 1000]], ["n_labels"]), cost: { fixed: {}, perUnit: { n_labels: { labels: 2 } }, owned: {}, steps: {}, limits: {} }, clock: null, device_class: null, teacher: null };
  const task = { surfaces: [surface], levers: [], constant: { score: 0.05 }, overheads: { dev_test_labels: 0, runs_per_model: 1 }, owned_teacher: null };
  const settings = { prices: {}, owned: 0, maxLabels: null, pool: null, perDay: null, gpus: 1, days: Infinity, target: 14, chance: 0.9, budget: 50 };
  const goal = reachTarget(task, settings);
  const [first] = goal.reached;
  const reaches = (n) => chanceOf(0.14).of(drawsAt(surface, [n]).map((m, d) => m + surface.noise[d])) >= 0.9;
  assert.ok(reaches(first.plan.n_labels));
  let fewest = 1;
  while (!reaches(fewest)) fewest++;
  assert.ok(first.plan.n_labels <= 1.01 * fewest + 1);
  assert.equal(goal.suffices, first.usd <= 50);
  assert.equal(goal.short[0].label, "constant");
  const far = reachTarget(task, { ...settings, target: 99 });
  assert.deepEqual(far.reached, []);
  assert.ok(far.short.every((p) => p.chance < 0.9));
});

test("the cheapest student that reaches a target on average is named, none where none does", () => {
  const rival = (student, n_labels, score, usd) => ({ student, n_labels, score, usd, inReach: true, sd: 0, n_runs: 1, evidence_set: "a", miniature: false });
  const rivals = [rival("s", 30, 50, 10), rival("s", 300, 60, 90), rival("t", 30, 61, 70)];
  assert.equal(studentReaching(rivals, 55).student, "t");
  assert.equal(studentReaching(rivals, 70), null);
});
