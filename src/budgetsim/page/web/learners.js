// Students measured beside the evidence, and the advice: the cheapest plan or student within a point of the best.

const HAIR = 0.1; // points
const NEAR = 1; // point: worse by less is worth no money
const MOST_OF_IT = 0.95; // a plan that costs as much of the budget is no saving worth a word

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
    const paid = sizes.filter((r) => r.usd <= budget);
    if (!paid.length) return [];
    const row = paid.find((r) => r.score >= paid[paid.length - 1].score - within);
    return [{ ...row, n_runs: sizes.filter((r) => r.score === row.score).reduce((sum, r) => sum + r.n_runs, 0) }];
  });
  return rows.sort((a, b) => b.score - a.score || a.usd - b.usd);
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
