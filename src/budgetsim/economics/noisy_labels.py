"""Labels of an LLM that nobody measured: what they teach, modelled from the curve of people's labels.

Three rules for labels that are right with probability a and otherwise one of the K - 1 others:

random    : M of them carry what about M r^2 true labels do, r = (K a - 1) / (K - 1): r is what is
            left of the signal, its square what that costs (Angluin and Laird 1988, Machine Learning 2:
            the sample needed grows as 1 / (1 - 2 e)^2 for two classes). The student sees through errors.
learnable : the errors follow the text, so the student learns them like everything else. Where M true
            labels would score t, it agrees with the LLM in a share t of cases, and scores
            a t + (1 - a) (1 - t) / (K - 1).
real      : the errors of real LLMs took what learnable ones would take from as many labels of people, times a
            factor of the task's: .4 to 1.2 over seven tasks, with five LLMs and 100 and 250 labels. Each world draws
            one. Students fell below chance on one of them (three classes), so a world may.

Beside N labels of people, M of an LLM make N + r^2 M (random), or N + M of which (N + a M) / (N + M) are right
(learnable); real errors keep the task's factor, as they did with 30 and 100 labels of people beside 100
(`bench/studies/real_llm.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.strategies import ANNOTATE_PLUS_LLM, LLM_ANNOTATE
from budgetsim.design.surface import Support, Surface, axis_scale, interpolate

Errors = Literal["random", "learnable", "real"]

_ENTITY_LABELS = {"wlp": 20}  # a tagging task: accuracy of the label of an entity
_RUN_NOISE = 0.005  # standard deviation of a run, from the twelve published replicates
_TAKES: Final = NormalDist(-0.24, 0.49)  # logarithm of the factor; 90 % of it hold the factor of one more task
_LLM_KNOTS = np.append(0.0, np.geomspace(100, 1e6, 13))
_NOTHING = 1e-6  # worth of a label that is as good as a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedAccuracy:
    """The accuracies that make noisy labels most like those of the evidence's LLM; fractions."""

    errors: Errors
    lower: float  # with `upper`: all between them fit as well, but for the noise of a run
    upper: float
    misfit: float  # root mean square of what the best leaves, fraction of the metric
    n_points: int


def n_classes(task: Task) -> int | None:
    """How many labels there are to err among; None where an answer is text and has no accuracy of this kind."""
    return len(task.labels) or _ENTITY_LABELS.get(task.name)


def label_worth(accuracy: float, classes: int) -> float:
    """True labels that one label of a given accuracy is worth, 0 to 1.

    accuracy : fraction; below chance it is worth nothing (a label known to be wrong is not used)

    >>> label_worth(0.9, 2), label_worth(0.5, 2), label_worth(1.0, 18)
    (0.64, 0.0, 1.0)
    """
    return round(max((classes * accuracy - 1) / (classes - 1), 0.0) ** 2, 12)


def tells(accuracy: float, classes: int) -> bool:
    """Whether labels that are right so often, a fraction, say anything to speak of: more than chance does.

    >>> tells(0.51, 2), tells(0.50001, 2)
    (True, False)
    """
    return label_worth(accuracy, classes) > _NOTHING


def llm_surface(annotate: Surface, accuracy: float, classes: int, errors: Errors, labeler: str) -> Surface:
    """LLM labels alone: the annotation curve, its axis stretched (random), or its scores shrunk (learnable, real).

    accuracy : fraction that `tells`
    """
    (knots,), draws, points = annotate.knots, annotate.draws, annotate.support.points
    worth = label_worth(accuracy, classes)
    if errors == "random":
        knots, points = knots / worth, points / worth
    else:
        draws = _less_errors(draws, accuracy, classes, errors)
    return replace(
        annotate,
        route=replace(annotate.route, strategy=LLM_ANNOTATE.name, labeler=labeler),
        knots=(knots,),
        draws=draws,
        support=_box(points) if len(points) else annotate.support,
        before=None,
    )


def _less_errors(people: Floats, accuracy: float | Floats, classes: int, errors: Errors) -> Floats:
    """Scores on labels of people (worlds, knots) less what errors take that are learnt, or as those of real LLMs."""
    learnable = imitated(people, accuracy, classes)
    if errors == "learnable":
        return learnable
    factor = np.exp([_TAKES.inv_cdf((k + 0.5) / len(people)) for k in range(len(people))])
    factor = np.random.default_rng(0).permutation(factor)[:, None]  # the same for every student of a task
    out: Floats = np.maximum(people - factor * np.maximum(people - learnable, 0.0), 0.0)
    return out


def imitated(score: Floats, accuracy: float | Floats, classes: int) -> Floats:
    """Score of a student that agrees with its labels, right as often as `accuracy` says, as often as `score` says."""
    return accuracy * score + (1 - accuracy) * (1 - score) / (classes - 1)


def mixed_surface(annotate: Surface, accuracy: float, classes: int, errors: Errors, labeler: str) -> Surface:
    """Human labels beside LLM labels: with none of people as `llm_surface`, with none of the LLM the annotation curve.

    accuracy : fraction that `tells`
    """
    (knots,), worth = annotate.knots, label_worth(accuracy, classes)
    labels, llm = np.meshgrid(knots, _LLM_KNOTS, indexing="ij")
    like_people = labels + (worth if errors == "random" else 1.0) * llm
    draws = interpolate(annotate.knots, annotate.draws, like_people.reshape(-1, 1))
    if errors != "random":
        wrong = (1 - accuracy) * llm / np.maximum(like_people, 1.0)
        draws = _less_errors(draws, 1 - wrong.ravel(), classes, errors)
    fewest, most = _ends(annotate.support)
    corners = np.array([[fewest, 0.0], [most, most / worth if errors == "random" else most]])
    return replace(
        annotate,
        route=replace(annotate.route, strategy=ANNOTATE_PLUS_LLM.name, labeler=labeler),
        knots=(knots, _LLM_KNOTS),
        draws=draws.reshape(len(draws), *labels.shape),
        support=_box(corners),
        before=None,
    )


def implied_accuracy(annotate: Surface, llm: Surface, classes: int, errors: Errors) -> ImpliedAccuracy | None:
    """The accuracies whose labels come nearest, in least squares, to an LLM's fitted curve where it was seen.

    A student that has not yet learnt to answer says little of its labels: the range is then wide.

    None where the curve was seen nowhere
    """
    points = llm.support.points
    if not len(points):
        return None
    fitted = interpolate(llm.knots, llm.mean_table(), points)
    accuracies = np.linspace(1 / classes, 1.0, 201)[1:]
    predicted = np.stack([_predicted(annotate, points, float(a), classes, errors) for a in accuracies])
    misfits = np.sqrt(np.mean((predicted - fitted) ** 2, axis=1))
    near = accuracies[misfits <= np.hypot(misfits.min(), _RUN_NOISE)]
    return ImpliedAccuracy(
        errors=errors,
        lower=float(near.min()),
        upper=float(near.max()),
        misfit=float(misfits.min()),
        n_points=len(points),
    )


def _predicted(annotate: Surface, n: Floats, accuracy: float, classes: int, errors: Errors) -> Floats:
    """Mean score that a rule gives n LLM labels (points, 1)."""
    table = annotate.mean_table()
    if errors == "random":
        return interpolate(annotate.knots, table, n * label_worth(accuracy, classes))
    return imitated(interpolate(annotate.knots, table, n), accuracy, classes)


def _ends(support: Support) -> tuple[float, float]:
    """The fewest and the most labels that anybody ran."""
    if len(support.points):
        return float(support.points.min()), float(support.points.max())
    most, fewest = np.expm1(support.offsets * [1.0, -1.0])
    return float(fewest), float(most)


def _box(points: Floats) -> Support:
    """Support without observations: the box of some counts (n, inputs)."""
    scaled, unit = axis_scale(points), np.eye(points.shape[1])
    return Support(
        points=np.zeros((0, points.shape[1])),
        normals=np.concatenate([unit, -unit]),
        offsets=np.concatenate([scaled.max(axis=0), -scaled.min(axis=0)]),
    )
