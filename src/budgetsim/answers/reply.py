"""An answer and all that it is told with, worked out once for the page, for JSON and for the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from budgetsim.answers.advice import Advice, advise
from budgetsim.answers.choices import Choices
from budgetsim.answers.learners import NO_SERVING, LearnerRow, Serving, learner_rows
from budgetsim.answers.llm_labels import LlmNeeded, llm_needed
from budgetsim.answers.rivals import Rival
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.targets import STOP_WITHIN

if TYPE_CHECKING:
    from budgetsim.choosing.owning import Owning


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a budget buys on a task, and what stands beside it; `reply` makes one."""

    answer: TaskAnswer
    choices: Choices
    rivals: Sequence[Rival]  # students measured beside the evidence that answers
    learners: list[LearnerRow]  # those of them that the budget pays for
    advice: Advice
    needed: LlmNeeded | None  # how good an LLM has to be for its labels to do as well; None where that is no question
    owning: Owning | None = None  # what owned labels or an owned teacher change
    serving: Serving = NO_SERVING


def reply(
    answer: TaskAnswer,
    choices: Choices,
    rivals: Sequence[Rival] = (),
    *,
    owning: Owning | None = None,
    serving: Serving = NO_SERVING,
) -> Reply:
    """Weigh an answer against the students that were measured beside it, and against labels of an LLM."""
    learners = learner_rows(rivals, answer.budget_usd)
    advice = advise(answer, learners, learner_rows(rivals, answer.budget_usd, STOP_WITHIN))
    trains = advice.learner is not None or advice.plan.route.kind.is_trained
    return Reply(
        answer=answer,
        choices=choices,
        rivals=rivals,
        learners=learners,
        advice=advice,
        needed=llm_needed(choices, advice.cost_usd, advice.score) if trains else None,
        owning=owning,
        serving=serving,
    )
