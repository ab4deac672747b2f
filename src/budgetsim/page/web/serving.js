// What answering texts takes once the choice is made: budgetsim.answers.serving and the column "a month" of an answer.

const HOURS_A_MS = 1 / 3.6e6;

const priceOf = (task, settings, name) => settings.prices[name] ?? task.levers.find((l) => l.name === name)?.usd ?? null;

/** LLMs that could answer every text: those measured, and where it is asked about the card's, at its price of a label. */
export function callersOf(task, settings) {
  return task.callers
    .filter((c) => !c.of_card || settings.serve != null)
    .map((c) => ({ ...c, usd: c.of_card ? (priceOf(task, settings, "LLM") ?? c.usd_per_text) : c.usd_per_text }));
}

/** What the examples of an LLM's prompt cost: people's labels, of which those that are owned are paid for. */
export function callerCost(caller, settings) {
  const missing = Math.max(caller.n_labels - settings.owned, 0);
  const price = settings.prices.labels ?? caller.label_usd;
  return missing === 0 ? 0 : price === null ? null : missing * price;
}

/** Dollars a month of a student that takes some milliseconds of a processor a text; null where nobody knows. */
export function studentMonth(ms, task, settings, cpuUsd) {
  const usd = priceOf(task, settings, "CPU") ?? cpuUsd;
  return settings.serve == null || ms === null || usd === null ? null : ms * HOURS_A_MS * settings.serve * usd;
}

export const callerMonth = (caller, settings) => (settings.serve == null || caller.usd === null ? null : caller.usd * settings.serve);

/** The best LLM that scores more than what is advised; null where none is known to. */
export function betterCaller(callers, score) {
  const better = callers.filter((c) => c.score !== null && c.score > score);
  return better.length ? better.reduce((a, b) => (b.score > a.score ? b : a)) : null;
}
