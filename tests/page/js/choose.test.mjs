// Choices against trying everything, and against the examples of budgetsim.choosing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepare } from "../../../src/budgetsim/page/web/allocate.js";
import { chanceOfBest, cheapest, distinct, firstChange, geomspace, recommended } from "../../../src/budgetsim/page/web/choose.js";
import { costModel, totalAt } from "../../../src/budgetsim/page/web/cost.js";
import { axisScale, classify, deviationsAt, meanAt, quantile, runInterval, scatterOf } from "../../../src/budgetsim/page/web/surface.js";

function surfaceOf(knots, score, inputs) {
  const means = [];
  for (const a of knots[0]) for (const b of knots[1] ?? [0]) means.push(score(a, b));
  return { place: Math.random(), inputs, knots, shape: knots.map((k) => k.length), scales: knots.map((k) => Float64Array.from(k, axisScale)), means: Float64Array.from(means) };
}

test("the best split of two inputs is no worse than any whole split that the money buys", () => {
  const surface = surfaceOf([[0, 5, 20, 40], [0, 10, 60]], (a, b) => 1 - 0.5 / (1 + a) - 0.4 / (1 + b / 3), ["n_labels", "n_unlabeled"]);
  const cost = costModel({ perUnit: { n_labels: { labels: 1 }, n_unlabeled: { texts: 0.3 } }, limits: { n_unlabeled: 50 } });
  const search = prepare({ surface, cost }, 24, new Map());
  for (const usd of [1.3, 2, 7.7, 20, 31, 100]) {
    let best = -Infinity;
    for (let a = 1; a <= 40; a++) for (let b = 1; b <= 50; b++) if (a + 0.3 * b <= usd + 1e-9) best = Math.max(best, meanAt(surface, [a, b]));
    const found = search.best(cost, usd);
    assert.ok(Math.abs(found.value - best) < 1e-9, `${usd}: ${found.value} ${best}`);
    assert.ok(totalAt(cost, { n_labels: found.counts[0], n_unlabeled: found.counts[1] }) <= usd + 1e-6);
  }
  assert.equal(search.best(cost, 1).value, -Infinity);
});

test("one input that hurts beyond a point is bought up to there", () => {
  const surface = surfaceOf([[0, 10, 100]], (a) => (a === 10 ? 0.9 : 0.2), ["n_labels"]);
  const cost = costModel({ perUnit: { n_labels: { labels: 1 } } });
  assert.deepEqual(prepare({ surface, cost }, 24, new Map()).best(cost, 80), { value: 0.9, counts: [10] });
});

test("a mix of one label of an LLM is no plan of its own, nor one of a single label of people, unless it is the best", () => {
  const plan = (inputs, plan, student = "s") => ({ option: { surface: { student, inputs } }, plan });
  const people = plan(["n_labels"], { n_labels: 80 });
  const llm = plan(["n_llm_labels"], { n_llm_labels: 900 });
  const mix = (n_labels, n_llm_labels, student) => plan(["n_labels", "n_llm_labels"], { n_labels, n_llm_labels }, student);
  const nothing = { option: null, plan: {} };
  const [hollow, bare, both, other] = [mix(80, 1), mix(1, 900), mix(40, 300), mix(80, 1, "t")];
  const plans = [people, llm, hollow, bare, both, other, nothing];
  assert.deepEqual(distinct({ plans, best: people }), [people, llm, both, other, nothing]);
  assert.deepEqual(distinct({ plans, best: bare }), [people, llm, bare, both, other, nothing]);
});

test("a hair is no reason to spend, and of equals the simpler is taken", () => {
  assert.equal(recommended([0.6, 0.5995, 0.5985], [100, 50, 10]), 1);
  assert.equal(recommended([0.6, 0.5995, 0.5985], [100, 100, 100], [2, 1, 0]), 1);
  assert.equal(recommended([-Infinity, 0.3], [Infinity, 0], [0, 0]), 1);
});

test("ties share a world", () => {
  assert.deepEqual(chanceOfBest([[0.8, 0.6], [0.7, 0.9], [0.8, 0.1]]), [0.25, 0.5, 0.25]);
});

test("the cheapest that is enough is found, and nothing where nothing is", () => {
  assert.equal(Math.round(cheapest((usd) => usd >= 123.4, 1, 1e6)), 123);
  assert.equal(cheapest(() => true, 1, 10), 0);
  assert.equal(cheapest(() => false, 1, 10), null);
});

test("a walk finds the first change", () => {
  const [place, who] = firstChange((x) => (x > 50 ? "dear" : "cheap"), "cheap", [1, 4, 32, 256], 1.02);
  assert.deepEqual([Math.round(place), who], [50, "dear"]);
  assert.equal(firstChange(() => "cheap", "cheap", [1, 4], 1.02), null);
});

test("a grid has exact ends", () => assert.deepEqual(geomspace(3, 300, 3).map((v) => +v.toFixed(9)), [3, 30, 300]));

test("quantiles are straight between ordered values, and runs stay within 0 and 1", () => {
  assert.ok(Math.abs(quantile([1, 2, 4], 0.75) - 3) < 1e-12);
  assert.deepEqual(runInterval(Float64Array.of(0.5, 0.5), [0, 0]), [0.5, 0.5]);
  assert.deepEqual(runInterval(Float64Array.of(0.9, 0.9), [0.5, 0.5]), [1, 1]);
});

test("runs on few labels stray further, whatever the texts", () => {
  const s = { inputs: ["n_labels", "n_unlabeled"], knots: [[0, 100, 1000], [0, 50]], few: 900, shape: [3, 2], noise: Float64Array.of(0.01, -0.02) };
  s.scales = s.knots.map((k) => Float64Array.from(k, axisScale));
  s.scatter = scatterOf(s, 6);
  const wide = (n) => Math.sqrt((1 + 900 / n) / 1.9);
  assert.deepEqual([...s.scatter], [10, 10, 100, 100, 1000, 1000].map(wide)); // on fewer than ten as on ten
  assert.ok(Math.abs(deviationsAt(s, [100, 7])[1] + 0.02 * wide(100)) < 1e-12);
});

test("inside the evidence is interpolated, outside says how many fold", () => {
  const support = { points: [[10]], normals: [[1], [-1]], offsets: [Math.log1p(100), -Math.log1p(10)] };
  assert.deepEqual(classify(support, [10]), ["observed", 1]);
  assert.deepEqual(classify(support, [50]), ["interpolated", 1]);
  const [kind, factor] = classify(support, [201]);
  assert.equal(kind, "extrapolated");
  assert.ok(Math.abs(factor - 2) < 1e-9);
});
