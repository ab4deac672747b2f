// Dollars and days of a plan: budgetsim.costs.model, costs.terms and economics.levers, in the browser.

const TINY = 1e-9;
const NO_LIMIT = 1e15;
const PURCHASES = new Set(["labels", "llm_labels", "texts"]);
const LABELS_OF = { llm_labels: ["n_llm_labels"], texts: ["n_unlabeled", "n_llm_labels"], labels: ["n_labels"] };

/** A cost model from its parts; `days` is another, of days, kept within `deadline`. */
export function costModel(parts) {
  const cost = { fixed: {}, perUnit: {}, owned: {}, steps: {}, limits: {}, atLeast: {}, days: null, deadline: Infinity };
  return Object.assign(cost, parts, { inverses: {} });
}

const sum = (values) => values.reduce((a, b) => a + b, 0);

export const limitOf = (cost, name) => cost.limits[name] ?? NO_LIMIT;
export const leastOf = (cost, name) => Math.max(cost.atLeast[name] ?? 1, 1);
export const fixedOf = (cost) => sum(Object.values(cost.fixed));

/** A stepped quantity at n: flat below the first count, beyond the last along the last slope. */
export function stepsAt(steps, n) {
  const { n: at, y } = steps;
  const last = at.length - 1;
  if (last < 0) return 0;
  const top = [];
  y.forEach((v, i) => top.push(i ? Math.max(top[i - 1], v) : v));
  if (n >= at[last]) {
    const slope = last ? (top[last] - top[last - 1]) / (at[last] - at[last - 1]) : top[0] / at[0];
    return top[last] + slope * (n - at[last]);
  }
  if (n <= at[0]) return top[0];
  let i = 0;
  while (at[i + 1] <= n) i++;
  return top[i] + ((top[i + 1] - top[i]) / (at[i + 1] - at[i])) * (n - at[i]);
}

/** Dollars by stage that n units of an input cost. */
function stagesOf(cost, name, n) {
  const out = {};
  for (const [stage, usd] of Object.entries(cost.perUnit[name] ?? {})) {
    out[stage] = usd * (PURCHASES.has(stage) ? Math.max(n - (cost.owned[name] ?? 0), 0) : n);
  }
  if (name === "n_labels") for (const [stage, steps] of Object.entries(cost.steps)) out[stage] = stepsAt(steps, n);
  return out;
}

/** Dollars that n units of an input cost, the fixed part left out: the sum of `stagesOf`, which is asked for often. */
export function inputUsd(cost, name, n) {
  const steps = name === "n_labels" ? cost.steps : {};
  const paid = Math.max(n - (cost.owned[name] ?? 0), 0);
  let usd = 0;
  for (const stage in cost.perUnit[name]) if (!(stage in steps)) usd += cost.perUnit[name][stage] * (PURCHASES.has(stage) ? paid : n);
  for (const stage in steps) usd += stepsAt(steps[stage], n);
  return usd;
}

/** Dollars by stage of a plan {input: count}. */
export function stagesAt(cost, plan) {
  const out = { ...cost.fixed };
  for (const [name, n] of Object.entries(plan)) {
    for (const [stage, usd] of Object.entries(stagesOf(cost, name, n))) out[stage] = (out[stage] ?? 0) + usd;
  }
  return out;
}

export const totalAt = (cost, plan) => sum(Object.values(stagesAt(cost, plan)));

/** Whether a plan keeps the deadline; what takes no time does. */
export const inTime = (cost, plan) => !cost.days || totalAt(cost.days, plan) <= cost.deadline * (1 + TINY);

/** Counts of an input at which its price per unit may change. */
export function breakpoints(cost, name) {
  const points = new Set([0, cost.owned[name] ?? 0]);
  if (name === "n_labels") for (const steps of Object.values(cost.steps)) steps.n.forEach((n) => points.add(n));
  return [...points].sort((a, b) => a - b);
}

/** The cost of an input made ready to be turned round: it is linear between breakpoints. */
function inverse(cost, name) {
  if (!cost.inverses[name]) {
    const breaks = breakpoints(cost, name);
    const usd = breaks.map((n) => inputUsd(cost, name, n));
    const last = breaks.length - 1;
    const rises = breaks.map((n, i) =>
      i < last ? (usd[i + 1] - usd[i]) / (breaks[i + 1] - n) : inputUsd(cost, name, n + 1) - usd[i],
    );
    cost.inverses[name] = { breaks, usd, rises, limit: limitOf(cost, name) };
  }
  return cost.inverses[name];
}

/** The most whole units of an input that an amount pays for, within its limit; -1 for none. */
export function affordable(cost, name, amount) {
  const { breaks, usd, rises, limit } = inverse(cost, name);
  const money = amount + TINY * Math.max(Math.abs(amount), usd[0]);
  if (!(money >= usd[0])) return -1;
  let at = 0;
  while (at + 1 < breaks.length && usd[at + 1] <= money) at++;
  const n = rises[at] > 0 ? breaks[at] + (money - usd[at]) * (1 / rises[at]) : breaks[at] + NO_LIMIT;
  return Math.floor(Math.min(n, limit) * (1 + TINY));
}

/** The most whole units of one input that a budget pays for in time, beside others that cost `besideUsd`, `besideDays`. */
export function maxUnits(cost, name, usd, besideUsd = 0, besideDays = 0) {
  const left = usd - fixedOf(cost) - besideUsd;
  const paid = left >= 0 ? affordable(cost, name, left) : -1;
  if (!cost.days || cost.deadline === Infinity) return paid;
  const time = cost.deadline - fixedOf(cost.days) - besideDays;
  return Math.min(paid, time >= 0 ? affordable(cost.days, name, time) : -1);
}

const mapValues = (object, f) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, f(k, v)]));

/** The same model with some stages dearer or cheaper by a factor. */
export function scaled(cost, stages, factor) {
  const hit = (stage, usd) => (stages.includes(stage) ? usd * factor : usd);
  return costModel({
    ...cost,
    fixed: mapValues(cost.fixed, hit),
    perUnit: mapValues(cost.perUnit, (_, parts) => mapValues(parts, hit)),
    steps: mapValues(cost.steps, (k, v) => (stages.includes(k) ? { n: v.n, y: v.y.map((y) => y * factor) } : v)),
  });
}

/** Whether any of some stages costs anything. */
export function hasStage(cost, stages) {
  const parts = [cost.fixed, ...Object.values(cost.perUnit)];
  const paid = parts.some((p) => stages.some((stage) => p[stage]));
  return paid || stages.some((stage) => cost.steps[stage]?.y.some((y) => y));
}

/** A cost model with one price of the card set to another: a lever {name, usd, stages, device_class}. */
export function atPrice(cost, lever, usd, deviceClass) {
  if (lever.device_class && lever.device_class !== deviceClass) return cost;
  if (lever.usd > 0) return scaled(cost, lever.stages, usd / lever.usd);
  const [stage] = lever.stages;
  const set = (name, parts) => (LABELS_OF[stage].includes(name) ? { ...parts, [stage]: usd } : parts);
  return costModel({ ...cost, perUnit: mapValues(cost.perUnit, set) });
}

/** Days of a plan as a model of the same form: labels, teacher, labelling, training, one after the other. */
export function daysModel(clock, inputs, overheads, labelsPerDay, gpus) {
  const aDay = (gpus * 24) / overheads.runs_per_model;
  const hours = (h) => h / aDay;
  const perUnit = Object.fromEntries(inputs.map((name) => [name, {}]));
  if (perUnit.n_labels) perUnit.n_labels.labels = 1 / labelsPerDay;
  const fixed = { dev_and_test_labels: overheads.dev_test_labels / labelsPerDay };
  if (!clock) return costModel({ fixed, perUnit });
  fixed.student = hours(clock.train_fixed);
  for (const [name, stages] of Object.entries(clock.per_unit)) Object.assign(perUnit[name], mapValues(stages, (_, h) => hours(h)));
  return costModel({ fixed, perUnit, steps: mapValues(clock.steps, (_, s) => ({ n: s.n, y: s.y.map(hours) })) });
}

/** A cost model under a project's terms; `ownedTeacher` is how many labels an owned one was tuned on, or null. */
export function applyTerms(cost, clock, inputs, overheads, terms, ownedTeacher) {
  const owned = "n_labels" in cost.perUnit ? { n_labels: terms.owned } : {};
  const limits = { ...cost.limits };
  const bounds = { n_labels: terms.maxLabels, n_llm_labels: terms.pool, n_unlabeled: terms.pool };
  for (const [name, n] of Object.entries(bounds)) if (n !== null && name in cost.perUnit) limits[name] = n;
  if ("n_labels" in limits) limits.n_labels += terms.owned;
  if ((terms.mostLabels ?? null) !== null && "n_labels" in cost.perUnit) limits.n_labels = Math.min(limits.n_labels ?? NO_LIMIT, terms.mostLabels);
  let out = costModel({ ...cost, owned, limits });
  if (terms.perDay !== null) {
    const days = daysModel(clock, inputs, overheads, terms.perDay, terms.gpus);
    out = costModel({ ...out, days: costModel({ ...days, owned }), deadline: terms.days });
  }
  return ownedTeacher === null ? out : withOwnedTeacher(out, ownedTeacher, terms.owned);
}

/** The model where a teacher is owned that is already tuned on n labels. */
function withOwnedTeacher(cost, n, owned) {
  const unit = cost.perUnit.n_labels.labels ?? 0;
  const steps = mapValues(cost.steps, (_, stepped) => from(n, stepped));
  steps.labels = from(n, { n: [owned, owned + 1], y: [0, unit] });
  const { labels: _, ...others } = cost.perUnit.n_labels;
  return costModel({
    ...cost,
    perUnit: { ...cost.perUnit, n_labels: others },
    steps,
    limits: { ...cost.limits, n_labels: Math.max(limitOf(cost, "n_labels"), n) },
    atLeast: { n_labels: n },
    days: cost.days && withOwnedTeacher(cost.days, n, owned),
  });
}

/** Nothing up to n, the whole of it from n + 1 on. */
function from(n, steps) {
  const end = Math.max(n + 2, steps.n[steps.n.length - 1] ?? 0);
  const at = [n + 1, ...steps.n.filter((k) => n + 1 < k && k < end), end, end + 1];
  return { n: [n, ...at], y: [0, ...at.map((k) => stepsAt(steps, k))] };
}
