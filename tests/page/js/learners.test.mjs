// Measured students: luck is pooled away, and the cheapest that is good enough is advised.
import assert from "node:assert/strict";
import { test } from "node:test";
import { advise, learnerRows, neverFalling, rivalsOf, studentT } from "../../../src/budgetsim/page/web/learners.js";

const rival = (student, n_labels, score, usd, more = {}) => ({ student, n_labels, score, usd, inReach: true, sd: 0, n_runs: 1, evidence_set: "a", miniature: false, ...more });

test("scores that fall with more labels are pooled by their runs", () => {
  assert.deepEqual(neverFalling([53, 52, 52.5, 60], [1, 1, 2, 1]), [52.5, 52.5, 52.5, 60]);
});

test("a row is the smallest size that is as good as the largest paid for, of a set that people would ship", () => {
  const rivals = [rival("s", 30, 50, 10), rival("s", 60, 50.05, 20), rival("s", 900, 80, 300), rival("s", 30, 99, 10, { evidence_set: "0", miniature: true })];
  assert.deepEqual(learnerRows(rivals, 100).map((r) => [r.n_labels, r.score]), [[30, 50]]);
  assert.deepEqual(learnerRows([rival("s", 1, 50, null)], 100), []);
});

test("the advice is the cheapest within a point of the best of plans and students", () => {
  const best = { score: 60, usd: 1000 };
  const stop = { score: 59.2, usd: 400 };
  const near = rival("s", 10, 59.5, 50);
  assert.equal(advise({ best, stop }, [near], 1000).learner.student, "s");
  assert.equal(advise({ best, stop }, [rival("s", 10, 58, 50)], 1000).plan, stop);
  assert.equal(advise({ best, stop }, [rival("s", 10, 59.5, 500)], 1000).learner, null);
  const two = [rival("dear", 10, 59.6, 90), rival("cheap", 10, 59.4, 50)];
  assert.equal(advise({ best, stop }, two, 1000).learner.student, "cheap");
  const far = advise({ best, stop }, [rival("s", 10, 70, 900)], 1000);
  assert.deepEqual([far.plan, far.learner.score, far.gain], [best, 70, 0]);
  assert.ok(Math.abs(advise({ best, stop }, [], 1000).gain - 0.8) < 1e-9);
});

test("runs that scatter give a band by Student's t, a single run gives none", () => {
  const [row] = learnerRows([rival("s", 30, 50, 10, { sd: 2, n_runs: 3 })], 100);
  assert.ok(Math.abs(row.upper - 50 - studentT(2) * 2 * Math.sqrt(4 / 3)) < 1e-12);
  assert.equal(learnerRows([rival("s", 30, 50, 10)], 100)[0].lower, undefined);
  assert.ok(Math.abs(studentT(12) - 1.782) < 0.01);
});

test("students pay what any plan of labels pays, and are in reach where people can label for them in time", () => {
  const cost = { fixed: { dev_and_test_labels: 20, fixed: 7 }, perUnit: { n_labels: { labels: 2 } }, steps: {}, limits: { n_labels: 500 } };
  const way = { cost, clock: { train_fixed: 24, per_unit: {}, steps: {} }, device_class: "cpu" };
  const task = {
    rivals: [rival("s", 100, 50, 0, way), rival("s", 900, 60, 0, way), rival("t", 9, 1, 0, { cost: null })],
    levers: [{ name: "labels", usd: 2, stages: ["labels", "dev_and_test_labels"], device_class: null }],
    overheads: { dev_test_labels: 10, runs_per_model: 1 },
  };
  const settings = { owned: 50, maxLabels: null, pool: null, perDay: null, gpus: 1, days: Infinity, prices: {} };
  const told = (more) => rivalsOf(task, { ...settings, ...more }).map((r) => [r.usd, r.inReach]);
  assert.deepEqual(told({}), [[127, true], [1727, false], [null, true]]);
  assert.deepEqual(told({ maxLabels: 2000, prices: { labels: 1 } }), [[67, true], [867, true], [null, true]]);
  assert.deepEqual(told({ perDay: 10, days: 7 }).map((r) => r[1]), [true, false, true]); // 5 days, 1 of dev and test, 1 of training
  assert.deepEqual(told({ perDay: 10, days: 6.9 }).map((r) => r[1]), [false, false, true]);
});

test("the score of a size rests on sizes out of reach, too", () => {
  const rivals = [rival("s", 30, 54, 10), rival("s", 60, 50, 20, { inReach: false })];
  assert.deepEqual(learnerRows(rivals, 100).map((r) => [r.n_labels, r.score]), [[30, 52]]);
});
