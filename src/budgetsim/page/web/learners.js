// Students measured beside the evidence, and the advice: the cheapest plan or student within a point of the best.

import { MOST_OF_IT, costUnder } from "./choose.js";
import { inTime, limitOf, stagesAt, totalAt } from "./cost.js";

const HAIR = 0.1; // points
const NEAR = 1; // point: worse by less is worth no money
const FOLD = 4; // sizes whose runs scatter about alike
const Z = 1.6448536269514722; // 95 % quantile of the standard normal

/** Cheap students, best first, with what they cost and whether people can label for them in time. */
export function rivalsOf(task, settings) {
  return task.rivals.map((r) => {
    if (r.cost === null) return { ...r, usd: null, labelUsd: null, inReach: true };
    const cost = costUnder(task, settings, { ...r, inputs: ["n_labels"] });
    const plan = { n_labels: r.n_labels };
    return { ...r, usd: totalAt(cost, plan), labelUsd: stagesAt(cost, plan).labels ?? 0, inReach: r.n_labels <= limitOf(cost, "n_labels") && inTime(cost, plan) };
  });
}

/** The never falling sequence nearest to some scores in weighted least squares: neighbours that fall are pooled. */
export function neverFalling(scores, weights) {
  const blocks = [];
  scores.forEach((score, i) => {
    let block = { mean: score, weight: weights[i], n: 1 };
    while (blocks.length && blocks[blocks.length - 1].mean > block.mean) {
      const before = blocks.pop();
      const weight = before.weight + block.weight;
      block = { mean: (before.mean * before.weight + block.mean * block.weight) / weight, weight, n: before.n + block.n };
    }
    blocks.push(block);
  });
  return blocks.flatMap((b) => Array(b.n).fill(b.mean));
}

/** The sizes of every measured student, one evidence set each: [{student, sizes: [{n_labels, score, usd ...}]}]. */
function curvesOf(rivals) {
  const order = (r) => [r.miniature ? 1 : 0, r.evidence_set].join(" ");
  const students = new Map();
  for (const r of rivals) if (r.usd !== null) students.set(r.student, [...(students.get(r.student) ?? []), r]);
  return [...students].map(([student, all]) => {
    const set = all.reduce((a, b) => (order(b) < order(a) ? b : a)).evidence_set;
    const sizes = all.filter((r) => r.evidence_set === set).sort((a, b) => a.n_labels - b.n_labels);
    const scores = neverFalling(sizes.map((r) => r.score), sizes.map((r) => r.n_runs));
    return { student, sizes: sizes.map((r, i) => ({ ...r, score: scores[i] })) };
  });
}

/** Of each measured student the smallest size within so many points of the best that a budget pays for, best first. */
export function learnerRows(rivals, budget, within = HAIR) {
  const rows = curvesOf(rivals).flatMap(({ sizes }) => {
    const paid = sizes.filter((r) => r.inReach && r.usd <= budget);
    if (!paid.length) return [];
    const row = paid.find((r) => r.score >= paid[paid.length - 1].score - within);
    const n_runs = sizes.filter((r) => r.score === row.score).reduce((sum, r) => sum + r.n_runs, 0);
    const spread = spreadOf(sizes.filter((r) => FOLD >= r.n_labels / Math.max(row.n_labels, 1) && r.n_labels / Math.max(row.n_labels, 1) >= 1 / FOLD), n_runs);
    const band = spread === null ? {} : { lower: Math.max(row.score - spread, 0), upper: Math.min(row.score + spread, 100) };
    return [{ ...row, n_runs, ...band }];
  });
  return rows.sort((a, b) => b.score - a.score || a.usd - b.usd);
}

/** Half the 90 % interval of a new run: the spread within sizes near it, and what the mean itself may be off. */
function spreadOf(sizes, runs) {
  const freedom = sizes.reduce((sum, r) => sum + r.n_runs - 1, 0);
  if (freedom < 1) return null;
  const squares = sizes.reduce((sum, r) => sum + (r.n_runs - 1) * r.sd ** 2, 0);
  return studentT(freedom) * Math.sqrt(squares / freedom) * Math.sqrt(1 + 1 / runs);
}

/** The 95 % quantile of Student's t (Abramowitz & Stegun 26.7.5). */
export function studentT(n) {
  const first = (Z ** 3 + Z) / 4;
  const second = (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / 96;
  const third = (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / 384;
  return Z + first / n + second / n ** 2 + third / n ** 3;
}

/** What to do with a budget: {plan, learner, best, gain}; `learner` is null where a plan does better or costs less. */
export function advise({ best, stop }, rivals, budget) {
  const top = Math.max(best.score, ...learnerRows(rivals, budget).map((r) => r.score));
  const enough = learnerRows(rivals, budget, NEAR).filter((r) => r.score >= top - NEAR);
  let learner = enough.length ? enough.reduce((a, b) => (b.usd < a.usd || (b.usd === a.usd && b.score > a.score) ? b : a)) : null;
  let plan = stop && stop.usd < MOST_OF_IT * best.usd ? stop : best;
  if (plan.score < top - NEAR) plan = best;
  else if (learner && learner.usd >= plan.usd) learner = null;
  const gain = top - (learner ?? plan).score;
  return { plan, learner, best, gain: gain > HAIR / 2 ? gain : 0 };
}
