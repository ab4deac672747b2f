// Costs against closed forms: what is owned is free, steps are lines, and turning money into units turns back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { affordable, applyTerms, atPrice, costModel, hasStage, maxUnits, stepsAt, totalAt } from "../../../src/budgetsim/page/web/cost.js";

const TERMS = { owned: 0, maxLabels: null, pool: null, perDay: null, gpus: 1, days: Infinity };
const OVER = { dev_test_labels: 0, runs_per_model: 1 };
const plain = () => costModel({ fixed: { fixed: 10 }, perUnit: { n_labels: { labels: 0.5, student: 0.01 } }, limits: { n_labels: 1000 } });

test("owned labels are free to buy and not to train on", () => {
  const cost = applyTerms(plain(), null, ["n_labels"], OVER, { ...TERMS, owned: 100 }, null);
  assert.equal(totalAt(cost, { n_labels: 100 }), 10 + 1);
  assert.ok(Math.abs(totalAt(cost, { n_labels: 300 }) - (10 + 200 * 0.5 + 3)) < 1e-9);
  assert.equal(cost.limits.n_labels, 1100);
});

test("the most units that an amount pays for cost no more, and one more costs more", () => {
  const cost = applyTerms(plain(), null, ["n_labels"], OVER, { ...TERMS, owned: 40 }, null);
  for (let usd = 10; usd < 500; usd += 7.3) {
    const n = maxUnits(cost, "n_labels", usd);
    assert.ok(totalAt(cost, { n_labels: n }) <= usd * (1 + 1e-8));
    assert.ok(n === 1040 || totalAt(cost, { n_labels: n + 1 }) > usd);
  }
  assert.equal(maxUnits(cost, "n_labels", 9), -1);
});

test("what costs nothing is bounded by its limit alone", () => {
  const free = costModel({ perUnit: { n_unlabeled: { texts: 0 } }, limits: { n_unlabeled: 77 } });
  assert.equal(affordable(free, "n_unlabeled", 0), 77);
});

test("a stepped cost is flat, straight and goes on along its last slope", () => {
  const steps = { n: [100, 200, 400], y: [5, 4, 9] };
  assert.deepEqual([0, 100, 150, 200, 300, 400, 500].map((n) => stepsAt(steps, n)), [5, 5, 5, 5, 7, 9, 11]);
  assert.equal(stepsAt({ n: [], y: [] }, 9), 0);
});

test("a price of zero is set, any other is scaled, and another device's is left alone", () => {
  const cost = costModel({ perUnit: { n_unlabeled: { texts: 0, teacher: 2 } } });
  assert.equal(atPrice(cost, { name: "texts", usd: 0, stages: ["texts"] }, 0.1, null).perUnit.n_unlabeled.texts, 0.1);
  const gpu = { name: "GPU", usd: 4, stages: ["teacher"], device_class: "gpu" };
  assert.equal(atPrice(cost, gpu, 8, "gpu").perUnit.n_unlabeled.teacher, 4);
  assert.equal(atPrice(cost, gpu, 8, "cpu"), cost);
  assert.ok(hasStage(cost, ["teacher"]) && !hasStage(cost, ["texts"]));
});

test("a deadline bounds units as money does", () => {
  const terms = { ...TERMS, perDay: 50, days: 4 };
  const cost = applyTerms(plain(), null, ["n_labels"], OVER, terms, null);
  assert.equal(maxUnits(cost, "n_labels", 1e6), 200);
});
