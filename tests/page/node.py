"""The page's own JavaScript, worked out by node: what it answers to settings."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

from budgetsim.page.assemble import WEB
from budgetsim.page.payload import Payload
from page.settings import GOAL_TOLD, SERVING_TOLD, TOLD

SCRIPT = f"""
import {{ readFileSync }} from "node:fs";
const {{ inflate, unpack }} = await import("{(WEB / "surface.js").as_uri()}");
const {{ advise, learnerRows, rivalsOf }} = await import("{(WEB / "learners.js").as_uri()}");
const {{ aimWords, beatenWords, doubtWords, headline, restsWords, toDoWords }} = await import("{(WEB / "words.js").as_uri()}");
const {{ optimize, tornado }} = await import("{(WEB / "choose.js").as_uri()}");
const {{ reachTarget, studentReaching }} = await import("{(WEB / "goals.js").as_uri()}");
const {{ callersOf, callerCost, callerMonth, studentMonth }} = await import("{(WEB / "serving.js").as_uri()}");
const {{ data, packed, settings }} = JSON.parse(readFileSync(0, "utf8"));
unpack(data.tasks.flatMap((t) => t.surfaces), await inflate(packed), data.step);
const told = {TOLD};
const goalTold = {GOAL_TOLD};
const servingTold = {SERVING_TOLD};
const of = (s) => [data.tasks.find((t) => t.name === s.task), {{ ...s, days: s.days ?? Infinity }}];
const lines = (task, s, answer) => {{
  const advice = advise(answer, rivalsOf(task, s), s.budget);
  const below = advice.learner || advice.plan.option ? beatenWords(answer, advice, learnerRows(rivalsOf(task, s), s.budget), s.budget) : [];
  const bought = [...toDoWords(advice), ...restsWords(task, advice)];
  return [headline(task, advice, s.budget), ...bought, ...(advice.learner || !advice.plan.option ? [] : aimWords(answer)), ...below];
}};
console.log(JSON.stringify(settings.map((given) => {{
  const [task, s] = of(given);
  const answer = optimize(task, s);
  const goal = s.target == null ? null : goalTold(reachTarget(task, s));
  const serving = s.serve == null ? null : servingTold(task, s, data.card.cpu_usd_per_hour);
  return {{ ...told(answer), swings: s.swings ? tornado(task, s) : null, lines: lines(task, s, answer), doubt: doubtWords(answer), goal, serving }};
}})));
"""


def in_node(node: str, page: Payload, settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page's own JavaScript answers, worked out by node."""
    asked = {"data": page.data, "packed": base64.b64encode(page.packed.data).decode(), "settings": settings}
    command = [node, "--input-type=module", "--eval", SCRIPT]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told
