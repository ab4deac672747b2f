"""A task that is merely described, `single:classes=5,metric=accuracy,floor=20`: enough to forecast it from others."""

from __future__ import annotations

import math
from typing import Final

from budgetsim.data.metrics.registry import METRICS
from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError

EXAMPLE: Final = "single:classes=5,metric=accuracy,floor=20"
DESCRIBED: Final = "described"  # the name of a task that has none
_KINDS: Final[dict[str, tuple[TaskKind, tuple[str, ...]]]] = {
    "single": ("classification", ()), "pair": ("classification", ("a", "b")), "tagging": ("tagging", ()),
    "generation": ("generation", ()), "qa": ("qa", ()),
}  # fmt: skip
_RANGES: Final = {"classes": (2, 10_000), "floor": (0, 99), "tokens": (1, 100_000), "test": (10, 10_000_000)}
_N_TEST: Final = 1000
_TOKENS: Final = 25.0


def described_task(text: str, name: str = DESCRIBED) -> Task:
    """The task that a description speaks of.

    text : kind, then `classes`, `metric`, `floor` (percent: what an answer that never looks scores), `tokens` (of a
        text, on average) and `test` (items of the test file); missing ones are 100 % / classes, accuracy, 25, 1,000
    raises : InputError

    >>> task = described_task("single:classes=5,metric=accuracy,floor=20")
    >>> task.kind, len(task.labels), task.constant_score
    ('classification', 5, 0.2)
    """
    kind, _, rest = text.partition(":")
    if kind not in _KINDS:
        raise InputError(f"--like: found kind {kind!r}, wanted {', '.join(_KINDS)}, e.g. {EXAMPLE}.")
    words = dict(_pair(part) for part in rest.split(",") if part.strip())
    unknown = sorted(set(words) - {*_RANGES, "metric"})
    if unknown:
        raise InputError(f"--like: found {unknown[0]!r}, wanted {', '.join(_RANGES)} or metric, e.g. {EXAMPLE}.")
    numbers = {key: _number(key, words[key]) for key in _RANGES if key in words}
    task_kind, fields = _KINDS[kind]
    n_classes = int(numbers.get("classes", 2)) if task_kind == "classification" else 0
    floor = numbers.get("floor", 100 / n_classes if n_classes else 0.0) / 100
    return Task(
        name=name,
        kind=task_kind,
        metric=_metric(words.get("metric"), task_kind),
        constant_score=floor,
        constant_answer="an answer that never looks at the text",
        floors=(floor,),
        n_test=int(numbers.get("test", _N_TEST)),
        source_tokens=numbers.get("tokens", _TOKENS),
        target_tokens=2.0 if task_kind == "classification" else numbers.get("tokens", _TOKENS),
        description=f"described: {text}",
        labels=tuple(f"class {k + 1}" for k in range(n_classes)),
        fields=fields,
        origin="custom",
    )


def _pair(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=")
    return key.strip(), value.strip()


def _number(key: str, text: str) -> float:
    low, high = _RANGES[key]
    try:
        value = float(text) if len(text) <= 20 else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high or (key != "floor" and key != "tokens" and value != int(value)):
        whole = "a whole number" if key in ("classes", "test") else "a number"
        raise InputError(f"--like, {key}: found {text!r}, wanted {whole} from {low:,} to {high:,}.")
    return value


def _metric(name: str | None, kind: TaskKind) -> str:
    usual = {"classification": "accuracy", "tagging": "entity_f1", "generation": "rouge_l", "qa": "squad_f1"}[kind]
    if name is not None and name not in METRICS:
        raise InputError(f"--like, metric: found {name!r}, wanted {', '.join(sorted(METRICS))}.")
    return name or usual
