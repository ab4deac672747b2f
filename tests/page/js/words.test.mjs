// What people type and read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beatenWords, csv, money, planWords, quantity, typed } from "../../../src/budgetsim/page/web/words.js";

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
