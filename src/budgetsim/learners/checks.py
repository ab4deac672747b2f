"""Refusals that all kinds of learner share, each with the way out."""

from __future__ import annotations

import numpy as np

from budgetsim.data.tasks import Task
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Examples, Learner, Probabilities
from budgetsim.learners.registry import able


def check_kind(learner: Learner, task: Task) -> None:
    """Refuse a kind of task that a learner cannot do, and a classification without labels.

    raises : InputError naming learners that can
    """
    if task.kind not in learner.kinds:
        raise InputError(
            f"{learner.name} does {' and '.join(sorted(learner.kinds))}; {task.name} is a {task.kind} task. Learners "
            f"that do one: {able(task.kind)}."
        )
    if task.kind == "classification" and len(task.labels) < 2:
        raise InputError(f"{task.name} has {len(task.labels)} labels; {learner.name} needs two or more.")


def check_answers(name: str, found: Probabilities) -> Probabilities:
    """What a model says of some texts, refused where it is no number: a weight may be too large for some texts alone.

    raises : InputError
    """
    if not np.isfinite(found).all():
        raise InputError(
            f"{name} answers a text with numbers that are not finite: its weights are damaged, or training diverged. "
            f"Fetch the checkpoint again, or take a smaller learning rate."
        )
    return found


def check_examples(learner: Learner, task: Task, examples: Examples) -> None:
    """Refuse examples of a kind that a learner cannot be taught by.

    raises : InputError saying what it can be taught by
    """
    if not len(examples):
        raise InputError(f"{learner.name} was given no examples; it needs one or more.")
    given = "states" if examples.states is not None else "probabilities" if examples.is_soft else "labels"
    if given not in learner.learns:
        raise InputError(
            f"{learner.name} cannot be taught by {given}, only by {' and '.join(sorted(learner.learns))}. Teach it by "
            f"{'probabilities' if 'probabilities' in learner.learns else 'hard labels'}, or take another student."
        )
    if examples.logits is not None and task.labels and examples.logits.shape[1] != len(task.labels):
        raise InputError(
            f"The teacher speaks of {examples.logits.shape[1]} classes; {task.name} has {len(task.labels)} labels."
        )
