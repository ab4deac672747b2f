// What answering texts takes: milliseconds at the price of a processor, an LLM at its price of a text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { betterCaller, callerCost, callerMonth, callersOf, studentMonth } from "../../../src/budgetsim/page/web/serving.js";

const task = { levers: [{ name: "LLM", usd: 0.01 }], callers: [{ model: "card", of_card: true, score: null, usd_per_text: 0.01 }, { model: "seen", of_card: false, score: 70, usd_per_text: 0.002 }] };
const settings = { prices: {}, serve: 1000 };

test("an hour of a processor answers 3.6 million milliseconds", () => {
  assert.ok(Math.abs(studentMonth(3.6, task, { prices: {}, serve: 1e6 }, 0.5) - 0.5) < 1e-12);
  assert.equal(studentMonth(null, task, settings, 0.5), null);
  assert.equal(studentMonth(3.6, task, { prices: {}, serve: null }, 0.5), null);
  assert.equal(studentMonth(3.6, task, { prices: { CPU: 1 }, serve: 1e6 }, 0.5), 1);
});

test("the card's LLM is shown where somebody asks, at the price of the slider; a measured one always", () => {
  assert.deepEqual(callersOf(task, settings).map((c) => callerMonth(c, settings)), [10, 2]);
  assert.deepEqual(callersOf(task, { prices: { LLM: 0.05 }, serve: 1000 }).map((c) => c.usd), [0.05, 0.002]);
  assert.deepEqual(callersOf(task, { prices: {}, serve: null }).map((c) => c.model), ["seen"]);
});

test("the 32 labels of a prompt cost what people take for them, less those that are owned", () => {
  const caller = { n_labels: 32, label_usd: 0.25 };
  const cost = (owned, prices = {}) => callerCost(caller, { owned, prices });
  assert.deepEqual([cost(0), cost(30), cost(593), cost(0, { labels: 1 })], [8, 0.5, 0, 32]);
  assert.equal(callerCost({ n_labels: 32, label_usd: null }, { owned: 0, prices: {} }), null);
  assert.equal(callerCost({ n_labels: 0, label_usd: null }, { owned: 0, prices: {} }), 0);
});

test("an LLM is named where it is known to score more", () => {
  const callers = callersOf(task, settings);
  assert.equal(betterCaller(callers, 60).model, "seen");
  assert.equal(betterCaller(callers, 80), null);
});
