// What people type and read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { knownWords, beatenWords, boughtWords, csv, headline, money, ownedWords, planWords, quantity, restsWords, toDoWords, typed } from "../../../src/budgetsim/page/web/words.js";

test("2k, 2,000, $2000 and 2e3 are the same, and words are none", () => {
  for (const text of ["2k", "2,000", "$2000", " 2e3 ", "0.002m"]) assert.equal(typed({}, text), 2000);
  for (const text of ["lots", "-5", "", "1e99", "NaN", "0"]) assert.equal(typed({}, text), undefined);
  assert.equal(typed({ none: "no bound" }, "no bound"), null);
  assert.equal(typed({ none: "no bound" }, ""), null);
  assert.equal(typed({ whole: true, zero: true }, "0"), 0);
  assert.equal(typed({ whole: true }, "1.5"), undefined);
});

test("dollars have cents below a hundred, and more digits below one", () => {
  assert.deepEqual([2000, 99.5, 10.92, 0.364, 0.0599, 0.0004, 0].map(money), ["$2,000", "$99.50", "$10.92", "$0.364", "$0.0599", "$0.00040", "$0.00"]);
});

test("a plan is told in words, and what it does not buy is not", () => {
  assert.equal(planWords({ n_labels: 4715, n_unlabeled: 100000, n_llm_labels: 0 }), "4,715 human labels and 100,000 unlabelled texts");
  assert.equal(planWords({}), "nothing");
});

const STAGES = { labels: 400, teacher: 100, labelling: 50, distillation: 80, texts: 40, dev_and_test_labels: 30 };
const PLAN = { plan: { n_labels: 1200, n_unlabeled: 30000 }, stages: STAGES, days: 12.34, usd: 700, kind: "extrapolated", factor: 3.21, score: 56.2, lower: 54, upper: 58.5, label: "distill t to s" };
const SURFACE = { summary: "tune a teacher", teacher: "t", labeler: null, student: "s", rests: "4 runs", n_rows: 4 };

test("what is bought adds up to its cost: $400 of labels, $230 of compute and $70 of the rest are $700", () => {
  assert.equal(boughtWords(PLAN), "1,200 human labels ($400), 30,000 unlabelled texts, $230 of compute, $70.00 of texts, fixed costs and dev and test labels, 12.3 days");
  const cheap = { plan: { n_labels: 788 }, stages: { labels: 197, student: 0.0000024 }, days: null };
  assert.equal(boughtWords(cheap), "788 human labels ($197), under $0.01 of compute");
});

test("what is to do names both models, and a plan says where it lies among what it rests on", () => {
  const advice = { plan: { ...PLAN, option: { surface: SURFACE } }, learner: null };
  assert.match(toDoWords(advice)[0], /To do: tune a teacher \(t for s\)\.$/);
  assert.deepEqual(restsWords({}, advice), ["It rests on 4 runs; the plan lies 3.2-fold outside them."]);
  const learner = { student: "tiny", n_labels: 300, usd: 75.5, labelUsd: 75, hours: 0.00001, probe: false, n_test: 90, evidence_set: "mine" };
  const task = { n_test: 4750, evidence: { set: "published" } };
  assert.deepEqual(toDoWords({ learner }), ["The plan: 300 human labels ($75.00), $0.50 of dev and test labels, fixed costs and compute, 0.1 minutes of a CPU; train tiny on them."]);
  assert.match(restsWords(task, { learner })[0], /made here; its 90 test items are not the 4,750 of the scores of published beside it/);
  assert.deepEqual(toDoWords({ plan: { option: null }, learner: null }), []);
});

test("an amount below a cent is not about that", () => {
  const plan = { ...PLAN, option: { surface: SURFACE }, kind: "observed", factor: 1, usd: 0.0024 };
  assert.match(headline({ name: "mine", metric: "f1" }, { plan, learner: null, best: plan, gain: 0 }, 300), /^Spend under \$0\.01 on mine, not \$300: distill/);
  assert.match(headline({ name: "mine", metric: "f1" }, { plan: { ...plan, usd: 12.3 }, learner: null, best: plan, gain: 0 }, 300), /^Spend about \$13 on mine/);
});

test("nobody owns more labels than there are texts: 593 with a label and 2,919 without, or as many as the slider says", () => {
  const task = { name: "mine", texts: { labelled: 593, pool: 2919 } };
  assert.deepEqual(ownedWords(task, { owned: 3512, pool: null }), []);
  assert.match(ownedWords(task, { owned: 3513, pool: null })[0], /stands at 3,513, and mine has 3,512 texts, of which 593 have/);
  assert.deepEqual(ownedWords(task, { owned: 3513, pool: 2920 }), []);
  assert.deepEqual(ownedWords({ name: "stance", texts: null }, { owned: 1e6, pool: null }), []);
});

test("cells with commas and quotes are quoted in CSV", () => assert.equal(csv([["a,b", 'c"d', 1]]), '"a,b","c""d",1\n'));

test("what is beaten is the best of the other plans and students, and the free answer; what is not is said too", () => {
  const option = (route) => ({ route, surface: { student: route, inputs: ["n_labels"] } });
  const [mine, other, free] = [{ option: option("a"), score: 60, label: "mine" }, { option: option("b"), score: 52, label: "other" }, { option: null, score: 45.5, label: "constant" }];
  const students = [{ student: "tiny", n_labels: 1200, score: 55 }];
  const answer = { plans: [mine, other, free] };
  assert.deepEqual(beatenWords(answer, { plan: mine, learner: null }, students, 700), ["For $700 or less it beats tiny from 1,200 labels (55.0) by 5.0 and the answer that never reads a text (45.5) by 14.5 points."]);
  const better = [{ student: "tiny", n_labels: 1200, score: 61 }];
  assert.deepEqual(beatenWords({ plans: [mine] }, { plan: mine, learner: null }, better, 700), ["For $700 tiny from 1,200 labels is at 61.0."]);
  assert.deepEqual(beatenWords(answer, { plan: free, learner: null }, [], 700), []);
});

test("quantities have as many digits as they are worth", () => {
  assert.deepEqual([151.2, 3.14, 0.042, 0.00001].map(quantity), ["151", "3.1", "0.042", "under 0.001"]);
});

test("a forecast says how sure the plan of the moment is", () => {
  const line = "Nothing was run on mine: forecast from 6 other tasks. Which plan: not yet (31 % sure); which score: within 28 points.";
  const told = (pBest) => knownWords({ known: [line] }, { option: {}, pBest })[0];
  assert.equal(told(0.345), line.replace("31", "34")); // half to even, as Python writes it
  assert.ok(told(0.61).includes("Which plan: likely (61 % sure); which score: within 28 points."));
  assert.ok(told(0.8).includes("Which plan: yes (80 % sure)"));
  assert.deepEqual(knownWords({ known: [line] }, { option: null }), [line]);
});
