"""A bounded part of `make questions`: random command lines, none of which ends in a traceback or breaks its bounds."""

import random

import pytest

import fuzzing_questions


@pytest.mark.parametrize("seed", range(0, 40, 8))
def test_a_random_question_is_answered_within_its_bounds_or_refused(seed):
    words = fuzzing_questions.question(random.Random(seed))
    fuzzing_questions.check(words, *fuzzing_questions.ask(words))


def test_a_plan_past_a_bound_is_noticed():
    plan = {"n_labels": 601, "n_unlabeled": 0, "n_llm_labels": 0}
    with pytest.raises(AssertionError, match="--max-labels"):
        fuzzing_questions._within(plan, ["--max-labels", "500", "--owned-labels", "100"])
    fuzzing_questions._within({**plan, "n_labels": 600}, ["--max-labels", "500", "--owned-labels", "100"])
