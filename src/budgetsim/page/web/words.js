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
export function answerWords(task, answer, settings, rivals) {
  const { best, stop, plans } = answer;
  if (!best.option) {
    const why = `Nothing that ${money(settings.budget)} buys is expected to beat answering "${task.constant.answer}" every time (${points(best.score)} ${task.metric}), which costs nothing.`;
    return [`Spend nothing: ${money(settings.budget)} buys no student that beats a constant answer.`, why];
  }
  const less = stop && stop.usd < 0.9 * best.usd;
  const by = less ? stop : best;
  const interval = by.lower === undefined ? "" : ` (90 % of runs: ${points(by.lower)} to ${points(by.upper)})`;
  const rest = less ? `; the other ${money(settings.budget - stop.usd)} would add ${points(best.score - stop.score)}` : "";
  const head = less
    ? `Spend about ${money(stop.usd)}, not ${money(settings.budget)}: ${stop.label} reaches ${points(stop.score)} ${task.metric}${interval}${rest}.`
    : `Spend ${money(best.usd)} on ${best.label}: it reaches ${points(best.score)} ${task.metric}${interval}.`;
  const out = [head];
  if (less) out.push(`With ${money(stop.usd)}: ${planWords(stop.plan)}. With all of ${money(settings.budget)}: ${planWords(best.plan)} (${stageWords(best.stages)}), ${points(best.score)} (${points(best.lower)} to ${points(best.upper)}), ${best.label}.`);
  else out.push(`The plan: ${planWords(best.plan)} (${stageWords(best.stages)})${best.days === null ? "" : `; ${best.days.toFixed(1)} days`}.`);
  const other = plans.find((p) => p !== best && p.option?.route !== best.option.route);
  if (other) out.push(`It beats ${other.label} by ${points(best.score - other.score)} points; the chance that it is the best of all plans here is ${Math.round(100 * best.pBest)} %.`);
  const rival = rivals.find((r) => r.usd !== null && r.usd <= settings.budget);
  if (rival && rival.score >= by.score) {
    out.unshift(`Take ${rival.student} first: measured, it reaches ${points(rival.score)} from ${whole(rival.n_labels)} labels for ${money(rival.usd)}, no less than the best plan here.`);
  } else if (rival) out.push(`The best cheap student, ${rival.student}, reaches ${points(rival.score)} from ${whole(rival.n_labels)} labels for ${money(rival.usd)} (measured).`);
  out.push(`It rests on ${basis(task, best)}.`);
  out.push(changeWords(answer));
  return out;
}

function changeWords({ changes }) {
  if (!changes.length) return "No price of labels, LLM labels or compute between 1/32 and 32 times today's would change the choice.";
  const each = changes.map((c) => `${c.factor > 1 ? "above" : "below"} ${times(c.factor)} times the price of ${PRICE_WORDS[c.price]}, ${c.instead}`);
  return `The choice would change: ${each.join("; ")}.`;
}

/** Rows of cells as CSV. */
export function csv(rows) {
  const cell = (v) => (/[",\n]/.test(String(v ?? "")) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ""));
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
