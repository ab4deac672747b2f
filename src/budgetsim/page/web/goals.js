// The cheapest plan of which one new run reaches a target with a chance: budgetsim.choosing.goals.

import { roomFor } from "./allocate.js";
import { cheapest, geomspace, leastUsd, optionsOf, planAt } from "./choose.js";
import { limitOf, totalAt } from "./cost.js";
import { learnerRows } from "./learners.js";
import { attainedIn, chanceOf, closeSearches } from "./objectives.js";
import { deviationsAt, drawsAt } from "./surface.js";

const SAME_CHANCE = 0.005; // two worlds of 400: no more money is spent for less
const LADDER = Array.from({ length: 66 }, (_, i) => (i - 5) * 0.002); // budgets around the one found, as shares of it
const kept = roomFor(60);

/** How a target (percent) is reached with a chance: {reached, short, atBudget, suffices}; plans hold their chance. */
export function reachTarget(task, settings) {
  const { target, chance, budget } = settings;
  const [reached, short, within] = [[], [], []];
  for (const option of optionsOf(task, settings)) {
    const search = searchOf(option, target / 100, chance);
    const plan = search.cheapestPlan();
    const told = plan ?? search.likeliestPlan();
    if (told) (plan ? reached : short).push(told);
    within.push(search.within(budget), plan && plan.usd <= budget ? plan : null);
  }
  const score = 100 * task.constant.score;
  const constant = { option: null, label: "constant", plan: {}, usd: 0, score, lower: score, upper: score, kind: "observed", factor: 1, days: null, chance: task.constant.score >= target / 100 ? 1 : 0 };
  (constant.chance ? reached : short).push(constant);
  const cheapestFirst = firstOfRoutes(reached.sort((a, b) => a.usd - b.usd), []);
  const atBudget = [...within.filter(Boolean), constant].sort(likelier)[0];
  return { reached: cheapestFirst, short: firstOfRoutes(short.sort(likelier), cheapestFirst), atBudget, suffices: atBudget.chance >= chance };
}

const likelier = (a, b) => b.chance - a.chance || a.usd - b.usd;
const routeOf = (plan) => plan.option?.route ?? "constant";

/** A teacher that is owned is one option as it is and another anew: of one route only the first plan counts. */
function firstOfRoutes(plans, besides) {
  const seen = new Set(besides.map(routeOf));
  return plans.filter((plan) => !seen.has(routeOf(plan)) && seen.add(routeOf(plan)));
}

function searchOf(option, target, chance) {
  const { surface, cost } = option;
  const [sure, likely] = closeSearches(option, `run|${target}|${chance}`, [attainedIn(chance), chanceOf(target)], kept, true);
  const [least, dearest] = [leastUsd([option]), dearestUsd(option)];
  const chanceAt = (counts) => {
    const strays = deviationsAt(surface, counts);
    return chanceOf(target).of(drawsAt(surface, counts).map((m, d) => m + strays[d]));
  };
  const planned = (counts) => {
    const plan = planAt(option, counts);
    return { ...plan, label: option.label, chance: chanceAt(counts) };
  };
  const found = (search, aim) => cheapest((usd) => search.best(cost, usd).value >= aim, least, dearest);
  const within = (usd) => [likely, sure].map((s) => s.best(cost, usd).counts).filter(Boolean).map(planned).sort(likelier)[0] ?? null;
  return {
    within,
    cheapestPlan() {
      const usd = found(sure, target);
      if (usd === null) return null;
      const near = LADDER.map((share) => usd * (1 + share)); // between two knots the tables are a little off
      const end = near[near.length - 1];
      for (const money of [...near, ...geomspace(Math.max(end, 1e-6), Math.max(dearest, end, 1e-6), 60)]) {
        const { counts } = sure.best(cost, money);
        if (counts && chanceAt(counts) >= chance - 1e-9) return planned(counts);
      }
      return null;
    },
    likeliestPlan() {
      const top = likely.best(cost, dearest);
      if (!top.counts) return null;
      const usd = found(likely, top.value - SAME_CHANCE);
      return within(usd ?? dearest);
    },
  };
}

/** What the largest plan of an option costs, within its limits and its table. */
function dearestUsd({ surface, cost }) {
  const last = (knots) => knots[knots.length - 1];
  return totalAt(cost, Object.fromEntries(surface.inputs.map((name, i) => [name, Math.min(limitOf(cost, name), last(surface.knots[i]))])));
}

/** The cheapest size of any measured student whose expected score is a target or more; null where none gets there. */
export function studentReaching(rivals, target) {
  const priced = rivals.filter((r) => r.inReach && r.usd !== null);
  const prices = [...new Set(priced.map((r) => r.usd))].sort((a, b) => a - b);
  for (const price of prices) {
    const reached = learnerRows(rivals, price).filter((row) => row.score >= target);
    if (reached.length) return reached.reduce((a, b) => (b.usd < a.usd ? b : a));
  }
  return null;
}
