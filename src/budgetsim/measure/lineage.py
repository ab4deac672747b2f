"""Which of two ways a route is trained: T5s by their own stages, everything else as learners."""

from __future__ import annotations

from budgetsim.design.points import Route
from budgetsim.labelers import is_labeler
from budgetsim.learners.names import is_cheap, is_encoder
from budgetsim.learners.registry import is_seq2seq


def is_taught(route: Route) -> bool:
    """Whether a route's models are taught as learners of any kind.

    A T5 that labels of people, a T5 or the frozen MiniLM teach has stages of its own, which share word pieces and
    states; so has a cheap student that hard labels teach. What is stored of those keeps its ids.

    >>> is_taught(Route(strategy="annotate", student="ft:minilm"))
    True
    >>> is_taught(Route(strategy="distill", teacher="minilm-lr", student="pico"))
    False
    """
    if not route.kind.teacher_stage:
        return not (is_cheap(route.student) or is_seq2seq(route.student))
    teacher = route.teacher or route.student
    first = is_seq2seq(route.student) and (is_encoder(teacher) or is_seq2seq(teacher))
    return is_labeler(teacher) or not first
