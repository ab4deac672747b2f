// Numbers and sentences of the page.

export const LABELS = { n_labels: "human labels", n_llm_labels: "LLM labels", n_unlabeled: "unlabelled texts" };
const STAGES = {
  labels: "human labels",
  dev_and_test_labels: "labels to evaluate with",
  llm_labels: "LLM labels",
  texts: "texts",
  teacher: "tuning the teacher",
  labelling: "the teacher's labelling",
  distillation: "distillation",
  student: "training the student",
  fixed: "fixed cost",
};
export const PRICE_WORDS = { labels: "labels", LLM: "LLM labels", compute: "compute" };

/** Dollars as the command line prints them: cents below $100, whole dollars from there on. */
export function money(usd) {
  if (usd === null || !Number.isFinite(usd)) return "-";
  if (usd < 0.995 && usd > 0) return "$" + (usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(usd < 0.1 ? 4 : 3).replace(/0+$/, ""));
  return "$" + (usd < 99.995 ? usd.toFixed(2) : Math.round(usd).toLocaleString("en-US"));
}

export const whole = (n) => Math.round(n).toLocaleString("en-US");
export const points = (x) => x.toFixed(1);

/** A plan's counts in words: 4,715 human labels and 100,000 unlabelled texts. */
export function planWords(plan) {
  const parts = Object.entries(plan).filter(([, n]) => n > 0).map(([name, n]) => `${whole(n)} ${LABELS[name]}`);
  return parts.length ? parts.join(" and ") : "nothing";
}

export const stageWords = (stages) =>
  Object.entries(stages).filter(([, usd]) => usd > 0).map(([stage, usd]) => `${money(usd)} ${STAGES[stage] ?? stage}`).join(", ");

const times = (factor) => (factor.toPrecision(2) === "1.0" ? factor.toPrecision(3) : factor.toPrecision(2));

/** What the evidence of a plan is, in plain words. */
export function basis(task, plan) {
  const { source, device } = task.evidence;
  const where = source === "published" ? "published results" : `runs measured on a ${device ?? "machine"}`;
  if (!plan.option) return "the shares of the answers in the evaluation data";
  const rows = plan.option.surface.n_rows;
  const far = plan.kind === "extrapolated" ? `, ${plan.factor.toFixed(plan.factor < 10 ? 1 : 0)}-fold beyond them` : "";
  return `${where} (${rows} result${rows === 1 ? "" : "s"} of this strategy${far})`;
}

/** The answer in sentences, the advice first: [headline, ...further sentences]. */
export function answerWords(task, answer, { plan, learner, best, gain }, budget) {
  const chosen = learner ?? plan;
  if (!learner && !plan.usd && !Object.keys(plan.plan).length) {
    const why = `Nothing that ${money(budget)} buys is expected to beat answering "${task.constant.answer}" every time (${points(task.constant.score * 100)} ${task.metric}).`;
    return [`Spend nothing: ${money(budget)} buys no student that beats a constant answer.`, why];
  }
  const saves = chosen.usd < 0.95 * budget;
  const more = gain ? `would add ${points(gain)}` : "would add nothing";
  const spend = saves ? `Spend about ${money(chosen.usd)}, not ${money(budget)}` : `Spend ${money(chosen.usd)}`;
  const name = learner ? `${learner.student} on ${whole(learner.n_labels)} labels` : chosen.label;
  const band = learner || plan.lower === undefined ? "" : ` (90 % of runs: ${points(plan.lower)} to ${points(plan.upper)})`;
  const rest = saves ? `; the other ${money(budget - chosen.usd)} ${more}` : "";
  const out = [`${spend}: ${name} reaches ${points(chosen.score)} ${task.metric}${band}${rest}.`];
  if (!learner) out.push(`That is ${planWords(plan.plan)}${plan.stages ? ` (${stageWords(plan.stages)})` : ""}${plan.days == null ? "" : `; ${plan.days.toFixed(1)} days`}.`);
  if (best.option && (learner || plan !== best)) {
    out.push(`The best plan of all ${money(budget)}: ${best.label}, ${planWords(best.plan)}; ${points(best.score)} (${points(best.lower)} to ${points(best.upper)}).`);
  }
  const other = best.option && answer.plans.find((p) => p.option?.route !== best.option.route);
  if (other) out.push(`It beats ${other.label} by ${points(best.score - other.score)} points; the chance that it is the best of these plans is ${Math.round(100 * best.pBest)} %.`);
  out.push(learner ? `That student was measured here: ${learner.n_runs} run${learner.n_runs === 1 ? "" : "s"}, ${learner.evidence_set}; the plans rest on ${basis(task, best)}.` : `It rests on ${basis(task, best)}.`);
  out.push(changeWords(answer));
  return out;
}

function changeWords({ changes }) {
  if (!changes.length) return "No price of labels, LLM labels or compute between 1/32 and 32 times today's would change the choice.";
  const each = changes.map((c) => `${c.factor > 1 ? "above" : "below"} ${times(c.factor)} times the price of ${PRICE_WORDS[c.price]}, ${c.instead}`);
  return `The choice would change: ${each.join("; ")}.`;
}

/** A number somebody typed into a control {none, zero, whole}: 2k, 2,000 and $2000 are the same; undefined where it is none. */
export function typed(c, text) {
  const plain = text.trim().toLowerCase().replace(/[$,\s_]/g, "");
  if (c.none && (plain === "" || plain === c.none.replace(/\s/g, ""))) return null;
  const parts = /^(\d*\.?\d+(?:e[+-]?\d+)?)([km]?)$/.exec(plain);
  if (!parts) return undefined;
  const v = Number(parts[1]) * { "": 1, k: 1e3, m: 1e6 }[parts[2]];
  if (!Number.isFinite(v) || v > 1e12 || (v === 0 && !c.zero) || (c.whole && v !== Math.round(v))) return undefined;
  return v;
}

/** Rows of cells as CSV. */
export function csv(rows) {
  const cell = (v) => (/[",\n]/.test(String(v ?? "")) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ""));
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
