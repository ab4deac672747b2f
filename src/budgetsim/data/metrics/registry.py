"""Metrics by the names that people use, which kinds of tasks have them, and the scores of a task's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from budgetsim.data.metrics import classification, tagging, text
from budgetsim.data.tasks import Task, TaskKind

Texts = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of whole test sets.

    kinds : of tasks that have it; percent : (task, sources, answers, truth) to 0 .. 100
    beside : what is scored and stored with it
    """

    name: str
    kinds: tuple[TaskKind, ...]
    meaning: str
    percent: Callable[[Task, Texts, Texts, Texts], float]
    beside: tuple[str, ...] = ()


def _counted(
    count: Callable[[classification.Confusion], float], task: Task, _: Texts, said: Texts, true: Texts
) -> float:
    return count(classification.confusion(said, true))


def _f1(task: Task, _: Texts, said: Texts, true: Texts) -> float:
    counts = classification.confusion(said, true)
    return classification.label_f1(counts, task.positive) if task.positive else classification.accuracy(counts)


def _accuracy(task: Task, _: Texts, said: Texts, true: Texts) -> float:
    return (tagging.tag_accuracy if task.kind == "tagging" else classification.micro_f1)(said, true)


def _each(one: Callable[[str, str], float], task: Task, _: Texts, said: Texts, true: Texts) -> float:
    return text.mean([one(p, r) for p, r in zip(said, true, strict=True)])


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            kinds=("classification", "tagging"),
            meaning="share of items (of words, in tagging) that are right",
            percent=_accuracy,
            beside=("macro_f1",),
        ),
        Metric(
            name="f1",
            kinds=("classification",),
            meaning="binary F1 of the positive label",
            percent=_f1,
            beside=("accuracy", "macro_f1"),
        ),
        Metric(
            name="macro_f1",
            kinds=("classification",),
            meaning="mean of the F1 of each label of the test file",
            percent=partial(_counted, classification.mean_f1),
            beside=("accuracy",),
        ),
        Metric(
            name="micro_f1",
            kinds=("classification",),
            meaning="F1 over all items, which equals accuracy where an item has one label",
            percent=partial(_counted, classification.accuracy),
            beside=("macro_f1",),
        ),
        Metric(
            name="matthews",
            kinds=("classification",),
            meaning="Matthews correlation of all classes, times 100; below 0 counts as 0",
            percent=partial(_counted, classification.matthews),
            beside=("accuracy", "macro_f1"),
        ),
        Metric(
            name="entity_f1",
            kinds=("tagging",),
            meaning="micro F1 of entities, type and both ends right (conlleval; seqeval by default; nervaluate strict)",
            percent=lambda task, sources, said, true: tagging.entity_f1(said, true),
            beside=("accuracy",),
        ),
        Metric(
            name="exact_match",
            kinds=("generation", "qa"),
            meaning="share of answers that are equal, but for case, punctuation and articles (SQuAD 1.1)",
            percent=partial(_each, text.exact_match),
            beside=("squad_f1",),
        ),
        Metric(
            name="squad_f1",
            kinds=("generation", "qa"),
            meaning="F1 of the words of an answer, mean over items (SQuAD 1.1)",
            percent=partial(_each, text.squad_f1),
            beside=("exact_match",),
        ),
        Metric(
            name="rouge_l",
            kinds=("generation", "qa"),
            meaning="F1 of the longest common subsequence of words, mean over items (rouge-score, unstemmed)",
            percent=lambda task, sources, said, true: text.rouge_l(said, true),
            beside=("exact_match",),
        ),
        Metric(
            name="self_ibleu",
            kinds=("generation",),
            meaning="paraphrase: words kept and order changed, an offline stand-in for BERT-iBLEU",
            percent=lambda task, sources, said, true: text.paraphrase_scores(sources, said)["self_ibleu"],
        ),
    )
}  # fmt: skip
USUAL: Final[dict[TaskKind, str]] = {
    "classification": "accuracy", "tagging": "entity_f1", "generation": "rouge_l", "qa": "squad_f1",
}  # fmt: skip


def score(task: Task, sources: Texts, predictions: Texts, references: Texts) -> dict[str, float]:
    """Every metric of the task in percent; the first is the main one.

    A classification counts an answer that is no label as `task.labels[0]`. Tasks of the paper are scored as the
    authors' script does, and keep its names.
    """
    said = predictions
    if task.kind == "classification":
        said = [p if p in task.labels else task.labels[0] for p in predictions]
    elif task.origin != "custom" or task.metric == "self_ibleu":
        return _as_authors(task, sources, predictions, references)
    names = (task.metric, *_beside(task))
    return {name: METRICS[name].percent(task, sources, said, references) for name in names}


def constant_score(task: Task, answer: str, truth: Texts) -> float:
    """Percent of an answer that is always the same, under the task's own metric."""
    return METRICS[task.metric].percent(task, [""] * len(truth), [answer] * len(truth), truth)


def _beside(task: Task) -> tuple[str, ...]:
    if task.metric == "f1" and not task.positive:
        return ("macro_f1",)
    return tuple(name for name in METRICS[task.metric].beside if task.kind in METRICS[name].kinds)


def _as_authors(task: Task, sources: Texts, predictions: Texts, references: Texts) -> dict[str, float]:
    if task.kind == "tagging":
        return tagging.listed_entities(predictions, references)
    if task.kind == "qa":
        pairs = list(zip(predictions, references, strict=True))
        f1, exact = [text.squad_f1(p, r) for p, r in pairs], [text.exact_match(p, r) for p, r in pairs]
        return {"f1": text.mean(f1), "exact_match": text.mean(exact)}
    return text.paraphrase_scores(sources, predictions)
