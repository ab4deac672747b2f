"""What a forecast knows of a task and of a learner before anything is run: traits, and families that are alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from budgetsim.data.tasks import Task
from budgetsim.design.points import Ran, Route

KINDS: Final = ("single", "pair", "tagging", "generation", "qa")
OTHER_CLASSES: Final = 20  # that a task whose answers are no classes counts as
MOST_CLASSES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A task as a forecast sees it.

    floor : score of an answer that never looks, fraction of the metric; None where it is not known
    """

    name: str
    kind: str  # one of KINDS
    n_classes: int | None
    metric: str
    floor: float | None
    n_tokens: float | None = None  # of a text, on average

    @property
    def traits(self) -> tuple[float, ...]:
        """Numbers near 1 that differ between unlike tasks: classes, pairs, other kinds of answers, length."""
        classes = self.n_classes or OTHER_CLASSES
        length = 0.0 if self.n_tokens is None else math.log(max(self.n_tokens, 1.0) / 25) / 2
        return (
            math.log2(classes) / 3,
            float(self.kind == "pair"),
            1.5 * (self.kind in ("generation", "qa")) + 0.7 * (self.kind == "tagging"),
            length,
        )


def facts_of(task: Task) -> Facts:
    """Those of a task that is registered."""
    kind = task.kind if task.kind != "classification" else "pair" if len(task.fields) > 1 else "single"
    return Facts(
        name=task.name,
        kind=kind,
        n_classes=len(task.labels) or None,
        metric=task.metric,
        floor=task.constant_score,
        n_tokens=task.source_tokens,
    )


def _reported(
    name: str, n_classes: int, kind: str = "single", floor: float | None = None, n_tokens: float | None = None
) -> Facts:
    return Facts(name=name, kind=kind, n_classes=n_classes, metric="accuracy", floor=floor, n_tokens=n_tokens)


def _blind(name: str, n_classes: int) -> Facts:
    """Where the share of the largest class is not printed: a blind guess is the floor."""
    return _reported(name, n_classes, floor=1 / n_classes)


# Of tasks whose rows ship and whose own descriptions may not be on this machine.
SHIPPED_TASKS: Final[Mapping[str, Facts]] = {
    facts.name: facts
    for facts in (
        _blind("setfit-SentEval-CR", 2),
        _blind("setfit-ag_news", 4),
        _blind("setfit-sst5", 5),
        _reported("superglue-boolq", 2, "pair"),
        _reported("superglue-cb", 3, "pair"),
        _reported("superglue-copa", 2, "pair"),
        _reported("superglue-mnli", 3, "pair"),
        _reported("superglue-multirc", 2, "pair"),
        _reported("superglue-wsc", 2, "pair"),
        _blind("nli-cap-sotu", 22),
        _blind("nli-coronanet", 20),
        _blind("nli-manifesto-8", 8),
        _blind("nli-manifesto-military", 3),
        _blind("nli-manifesto-morality", 3),
        _blind("nli-manifesto-protectionism", 3),
        _reported("banking77", 77, floor=0.023, n_tokens=14.3),
        _reported("clinc150", 150, floor=0.014, n_tokens=9.9),
        _reported("emotion", 4, floor=0.439, n_tokens=22.6),
        _reported("goemotions", 28, floor=0.37, n_tokens=17.0),
        _reported("offensive", 2, floor=0.672, n_tokens=32.3),
        _reported("sick", 3, "pair", floor=0.576, n_tokens=28.9),
        _reported("snips", 7, floor=0.162, n_tokens=11.6),
        _reported("snli", 3, "pair", floor=0.355, n_tokens=33.1),
        _reported("sst2", 2, floor=0.52, n_tokens=25.9),
        _reported("subj", 2, floor=0.501, n_tokens=32.2),
    )
}


def with_floor(facts: Facts, scores: Sequence[float]) -> Facts:
    """Facts with a floor: where none is known, a point under the lowest score that was seen."""
    if facts.floor is not None:
        return facts
    return replace(facts, floor=min(max(min(scores) - 0.01, 0.0), 0.95))


PROBE_SET: Final = "reported-probe-"  # how sets begin that a probe of a task is kept in (`store.probes.PROBED`)
RUNS_IN_A_ROW: Final[Mapping[str, int]] = {"published:laurer2024": 3}  # sources whose rows are means of several runs

LLM: Final = "llm"  # the family of models that answer without being taught
_FAMILIES: Final = (
    ("llm:", LLM), ("tfidf", "counts"), ("overlap", "counts"), ("window", "counts"),
    ("embeddings", "frozen"), ("encoder", "frozen"), ("linear-probe", "frozen"),
    ("setfit", "warm"), ("adapet", "warm"), ("perfect", "warm"), ("prompt", "warm"), ("nli", "warm"),
    ("t5-v1_1-small", "t5"), ("t5-v1_1", "t5"), ("pico", "tiny"),
)  # fmt: skip


def family_of(route: Route) -> str:
    """Learners that are alike, whoever teaches them: word counts, frozen encoders, fine-tuned ones, warm ones, T5s.

    >>> family_of(Route(strategy="annotate", student="logistic-tfidf"))
    'counts'
    >>> family_of(Route(strategy="distill", student="t5-v1_1-small", teacher="t5-v1_1-xxl"))
    't5'
    """
    return next((family for part, family in _FAMILIES if part in route.student), "tuned")


def scatter_of(family: str) -> str:
    """One of `process.SCATTERS`: learners whose runs scatter alike.

    >>> scatter_of("counts"), scatter_of("warm")
    ('cheap', 'tuned')
    """
    return {"counts": "cheap", "frozen": "cheap", "t5": "t5"}.get(family, "tuned")


def learner_of(route: Route) -> str:
    """A learner's name: who is taught by whom, in which way."""
    return "|".join((route.strategy, route.teacher or "", route.labeler or "", route.student))


def is_usable(m: Ran) -> bool:
    """Whether a row's counts are known, and some label or LLM speaks: no curve over log labels begins at none."""
    known = m.route.strategy in ("annotate", "distill") and all(v is not None for v in m.inputs)
    return known and (bool(m.n_labels) or family_of(m.route) == LLM)
