// Numbers and sentences of the page; the first one is that of budgetsim.report.advice, word for word.

import { MOST_OF_IT, distinct } from "./choose.js";
import { roundEven } from "./surface.js";

export const LABELS = { n_labels: "human labels", n_llm_labels: "LLM labels", n_unlabeled: "unlabelled texts" };
const COMPUTE = ["teacher", "labelling", "distillation", "student"]; // stages of cost
const REST = ["texts", "fixed", "dev_and_test_labels"];
const PRICE_WORDS = { labels: "human labels", LLM: "LLM labels", compute: "compute" };

/** Dollars as the command line prints them: cents below $100, whole dollars from there on. */
export function money(usd) {
  if (usd === null || !Number.isFinite(usd)) return "-";
  if (usd < 0.995 && usd > 0) return "$" + (usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(usd < 0.1 ? 4 : 3).replace(/0+$/, ""));
  return "$" + (usd < 99.995 ? usd.toFixed(2) : Math.round(usd).toLocaleString("en-US"));
}

/** Dollars as the command line has them in sentences. */
export function usd(amount) {
  if (amount === null || !Number.isFinite(amount)) return "-";
  if (amount > 0 && amount < 0.005) return "under $0.01";
  if (amount >= 100) return `$${roundEven(amount).toLocaleString("en-US")}`;
  return `$${amount.toFixed(2)}`;
}

const roundUsd = (amount) => (amount >= 10 ? `$${roundEven(amount).toLocaleString("en-US")}` : usd(amount));

/** An amount in two digits, rounded up so that it is enough. */
export function about(amount) {
  if (amount <= 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(amount)) - 1);
  return Number((Math.ceil(amount / unit - 1e-9) * unit).toFixed(10));
}

const digits = (x, n) => String(Number(x.toPrecision(n)));

export const whole = (n) => Math.round(n).toLocaleString("en-US");
export const points = (x) => x.toFixed(1);

/** A plan's counts in words: 4,715 human labels and 100,000 unlabelled texts. */
export function planWords(plan) {
  const parts = Object.entries(plan).filter(([, n]) => n > 0).map(([name, n]) => `${whole(n)} ${LABELS[name]}`);
  return parts.length ? parts.join(" and ") : "nothing";
}

/** What a plan pays for, and the time it takes where that is asked about; as the command line says it. */
export function boughtWords({ plan, stages, days }) {
  const sum = (names) => names.reduce((total, name) => total + (stages[name] ?? 0), 0);
  const parts = [];
  if (plan.n_labels) parts.push(`${whole(plan.n_labels)} human labels (${usd(sum(["labels"]))})`);
  if (plan.n_llm_labels) parts.push(`${whole(plan.n_llm_labels)} LLM labels (${usd(sum(["llm_labels"]))})`);
  if (plan.n_unlabeled) parts.push(`${whole(plan.n_unlabeled)} unlabelled texts`);
  parts.push(`${usd(sum(COMPUTE))} of compute`);
  if (sum(REST)) parts.push(`${usd(sum(REST))} of texts, fixed costs and dev and test labels`);
  if (days !== null) parts.push(`${points(days)} days`);
  return parts.join(", ");
}

/** What a measured student takes; as the command line says it. */
function learnerPlan({ n_labels, usd: cost, labelUsd, hours, student }) {
  const minutes = hours === null ? "" : `, ${Math.max(60 * hours, 0.1).toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} minutes of a CPU`;
  const more = cost - labelUsd >= 0.005 ? `, ${usd(cost - labelUsd)} of dev and test labels, fixed costs and compute` : "";
  return `${whole(n_labels)} human labels (${usd(labelUsd)})${more}${minutes}; train ${student} on them`;
}

/** The plan that is advised and what is to be done for it; nothing where nothing is bought. */
export function toDoWords({ plan, learner }) {
  if (learner) return [`The plan: ${learnerPlan(learner)}.`];
  if (!plan.option) return [];
  const { summary, teacher, labeler, student } = plan.option.surface;
  const source = teacher ?? labeler;
  return [`The plan: ${boughtWords(plan)}. To do: ${summary} (${source ? `${source} for ${student}` : student}).`];
}

const times = (factor) => (factor.toPrecision(2) === "1.0" ? factor.toPrecision(3) : factor.toPrecision(2));

/** That more labels are said to be owned than the task has texts, which the command line refuses. */
export function ownedWords({ name, texts }, { owned, pool }) {
  const there = texts ? texts.labelled + (pool ?? texts.pool ?? 0) : Infinity;
  if (owned <= there) return [];
  return [`Labels you own stands at ${whole(owned)}, and ${name} has ${whole(there)} texts, of which ${whole(texts.labelled)} have a label in its files: the plans below may ask for labels of texts that are not there.`];
}

/** What is advised rests on; as the command line says it. */
export function restsWords(task, { plan, learner }) {
  if (learner) return [`It rests on ${learner.probe ? PROBED : `runs of this task made here${otherItems(task, learner)}`}.`];
  if (!plan.option) return [];
  const where = { observed: "the plan is one that was run", interpolated: "the plan lies between them" }[plan.kind];
  return [`It rests on ${plan.option.surface.rests}; ${where ?? `the plan lies ${digits(plan.factor, 2)}-fold outside them`}.`];
}

const PROBED = "a probe: taught on a part of your labels and scored on another, five times; no test file was read";

/** That the test items are not those of the published scores beside it. */
function otherItems({ n_test, evidence }, row) {
  if (row.n_test === null || row.n_test === n_test || evidence.set === row.evidence_set) return "";
  return `; its ${whole(row.n_test)} test items are not the ${whole(n_test)} of the scores of ${evidence.set} beside it, so compare to a few points only`;
}

/** What to do, in one sentence that stands alone. */
export function headline(task, { plan, learner, best, gain }, budget) {
  const cost = (learner ?? plan).usd;
  const saves = cost < MOST_OF_IT * budget;
  const amount = roundUsd(about(cost));
  const nearly = amount.startsWith("under") ? "" : "about ";
  const spend = saves ? `Spend ${nearly}${amount} on ${task.name}, not ${usd(budget)}` : `Spend ${usd(budget)} on ${task.name}`;
  const other = `; the other ${roundUsd(budget - about(cost))} would add ${gain ? points(gain) : "nothing to speak of"}`;
  const rest = saves ? other : "";
  if (learner) return `${spend}: ${learnerWords(learner, task.metric)}${rest}.`;
  if (!Object.keys(plan.plan).length) return `Spend nothing on ${task.name}: ${constantWords(task, budget, gain)}.`;
  const bounds = `${points(plan.lower)} to ${points(plan.upper)} in 90 % of runs`;
  return `${spend}: ${plan.label} buys ${task.metric} ${points(plan.score)} (${bounds})${farWords(plan)}${rest}.`;
}

function constantWords(task, budget, gain) {
  const { answer, score } = task.constant;
  const always = `${task.metric} ${points(100 * score)}`;
  if (gain) return `answering ${answer} always scores ${always}, and ${usd(budget)} would add no more than ${points(gain)}`;
  return `nothing that ${usd(budget)} buys is expected to beat answering ${answer} always, ${always}`;
}

function learnerWords(row, metric) {
  const bounds = row.lower === undefined ? "" : `${points(row.lower)} to ${points(row.upper)} in 90 % of runs; `;
  const on = row.n_test === null ? "" : ` on ${whole(row.n_test)} test items`;
  return `${row.student} from ${whole(row.n_labels)} labels scores ${metric} ${points(row.score)} (${bounds}${row.probe ? "probed on your labels" : "measured here"}, ${runsWords(row)}${on})`;
}

/** What a measured student's score is a mean of. */
export const runsWords = (row) => `${row.n_runs} ${row.probe ? "fold" : "run"}${row.n_runs === 1 ? "" : "s"}`;

/** That a plan lies far outside what was measured, or that hardly a run stands behind it. */
function farWords(plan) {
  const far = plan.factor < 100 ? digits(plan.factor, 2) : whole(plan.factor);
  const words = plan.kind === "extrapolated" && plan.factor >= 1.05 ? `, but that is ${far}-fold outside what was run` : "";
  const rows = plan.option.surface.n_rows;
  return words + (rows < 4 ? `, on ${rows} run${rows === 1 ? "" : "s"} alone` : "");
}

/** What a plan was chosen for, where that is not the expected score; as the command line says it. */
export function aimWords({ level, best }) {
  if (level === null) return [];
  return [`Chosen for bad luck: its expected score is ${points(100 * best.worth)} or more in ${digits(100 * (1 - level), 6)} % of cases.`];
}

/** That an LLM which answers every text scores more than the advice; as the command line says it. */
export function callerWords(caller) {
  if (!caller) return [];
  const price = caller.usd === null ? "" : `, for ${usd(1e6 * caller.usd)} a million texts`;
  return [`An LLM on every text scores more: ${caller.model}, ${points(caller.score)} (${caller.source})${price}.`];
}

/** How a target is reached, in sentences: what it takes, and whether the budget is enough. */
export function goalWords(task, goal, student, { target, chance, budget }) {
  const wanted = `${task.metric} ${digits(target, 6)} or more in one new run`;
  const [first] = goal.reached;
  const planned = (p) => `${p.label}${Object.keys(p.plan).length ? `, ${planWords(p.plan)}` : ""}; ${task.metric} ${points(p.score)}`;
  const share = (p) => `${Math.round(100 * p.chance)} %`;
  const out = [];
  if (first) out.push(`Spend ${usd(first.usd)} on ${task.name} to reach ${wanted} with a chance of ${digits(100 * chance, 6)} %: ${planned(first)}. Chance ${share(first)}.`);
  else out.push(`Out of reach on ${task.name}, whatever is spent: the highest chance of ${wanted} is ${share(goal.short[0])}, at ${usd(goal.short[0].usd)} (${planned(goal.short[0])}).`);
  const at = goal.atBudget;
  if (at.chance < 0.005) out.push(`${usd(budget)} is not enough: no plan within it has a chance worth a number.`);
  else out.push(`${usd(budget)} is ${goal.suffices ? "" : "not "}enough: the likeliest plan within it gets there with a chance of ${share(at)} (${planned(at)}).`);
  if (student && !(first && student.usd >= first.usd)) out.push(`${learnerWords(student, task.metric)}: the target, on average, for ${usd(student.usd)}.`);
  return out;
}

/** The next best thing for the same budget, and the answer that costs nothing; as the command line says it. */
export function beatenWords(answer, { plan, learner }, students, budget) {
  const { score } = learner ?? plan;
  const own = learner ? null : (plan.option?.route ?? null);
  if (!learner && own === null) return [];
  const plans = distinct(answer).filter((p) => p.option && p.option.route !== own).map((p) => [p.score, p.label]);
  const others = students.filter((r) => r.student !== learner?.student).map((r) => [r.score, `${r.student} from ${whole(r.n_labels)} labels`]);
  const rivals = [...plans, ...others].sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? 1 : -1));
  const free = answer.plans.filter((p) => !p.option).map((p) => [p.score, "the answer that never reads a text"]);
  const names = [...rivals.slice(0, 1), ...free];
  const parts = names.filter(([s]) => s < score).map(([s, name]) => `${name} (${points(s)}) by ${points(score - s)}`);
  const better = names.filter(([s]) => s >= score).map(([s, name]) => `${name} is at ${points(s)}`);
  return [
    ...(parts.length ? [`For ${usd(budget)} or less it beats ${parts.join(" and ")} points.`] : []),
    ...(better.length ? [`For ${usd(budget)} ${better[0]}.`] : []),
  ];
}

/** A number of hours or milliseconds, in as many digits as it is worth. */
export function quantity(x) {
  if (x > 0 && x < 0.001) return "under 0.001";
  return x >= 100 ? whole(x) : digits(x, 2);
}

/** The answer in sentences, the advice first: [headline, ...further sentences].
 *
 * needed : how good an LLM has to be for its labels to do as well, in words, where somebody worked that out
 */
export function answerWords(task, answer, advice, budget, students = [], caller = null, needed = []) {
  const { plan, learner, best } = advice;
  const out = [headline(task, advice, budget), ...toDoWords(advice)];
  if (best.option && (learner || plan !== best)) {
    out.push(`The best plan of all ${usd(budget)}: ${best.label}, ${planWords(best.plan)}; ${points(best.score)} (${points(best.lower)} to ${points(best.upper)}).`);
  }
  out.push(...beatenWords(answer, advice, students, budget));
  if (best.option) out.push(`The chance that ${best.label} is the best of these plans is ${Math.round(100 * best.pBest)} %.`);
  out.push(...restsWords(task, advice));
  if (!learner && plan.option) out.push(...aimWords(answer), ...changeWords(answer));
  out.push(...doubtWords(answer));
  out.push(...needed, ...callerWords(caller));
  return out;
}

/** Why the plan worth most is not the one advised, where own runs tell too little; as the command line says it. */
export function doubtWords({ doubt, options }) {
  if (!doubt) return [];
  const first = options[doubt.instead]?.label ?? "constant";
  return [`Your own runs put ${first} first by ${points(100 * doubt.gain)} points, give or take ${points(100 * doubt.sd)}: too little to leave the plan that other tasks put first. More runs decide.`];
}

/** What is known of a task that is forecast, with the chance that this plan is the best; as the command line says it. */
export function knownWords({ known }, best) {
  if (!best.option) return known;
  const plan = best.pBest >= 0.8 ? "yes" : best.pBest >= 0.6 ? "likely" : "not yet";
  const sure = `Which plan: ${plan} (${roundEven(100 * best.pBest)} % sure)`;
  return known.map((line) => line.replace(/Which plan: [a-z ]+ \(\d+ % sure\)/, sure));
}

/** Prices at which another plan would be advised. */
function changeWords({ changes }) {
  if (!changes) return [];
  if (!changes.length) return ["What would change it: no price between 1/32 and 32 times the card's."];
  const each = changes.map((c) => `${PRICE_WORDS[c.price]} ${c.factor > 1 ? "above" : "below"} ${times(c.factor)} times the card's price (then ${c.instead})`);
  return [`What would change it: ${each.join("; ")}.`];
}

/** A number somebody typed into a control {none, zero, whole, least, most}: 2k, 2,000 and $2000 are the same; undefined where it is none. */
export function typed(c, text) {
  const plain = text.trim().toLowerCase().replace(/[$,\s_]/g, "");
  if (c.none && (plain === "" || plain === c.none.replace(/\s/g, ""))) return null;
  const parts = /^(\d*\.?\d+(?:e[+-]?\d+)?)([km]?)$/.exec(plain);
  if (!parts) return undefined;
  const v = Number(parts[1]) * { "": 1, k: 1e3, m: 1e6 }[parts[2]];
  if (v < (c.least ?? 0) || v > (c.most ?? 1e12)) return undefined;
  if (!Number.isFinite(v) || (v === 0 && !c.zero) || (c.whole && v !== Math.round(v))) return undefined;
  return v;
}

/** Rows of cells as CSV. */
export function csv(rows) {
  const cell = (v) => (/[",\n]/.test(String(v ?? "")) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ""));
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
