"""Identities and hashes: bytes written out, what they depend on and what they do not."""

import hashlib
from dataclasses import replace

import pytest

from budgetsim.design.fitkey import rows_hash
from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Design, DesignPoint, Route
from budgetsim.design.strategies import STRATEGIES
from made import make_row


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_canonical_form_is_sorted_json_without_blanks_in_ascii():
    assert canonical_hash({"b": [1, 2.5], "a": {"é": None}}) == sha('{"a":{"\\u00e9":null},"b":[1,2.5]}')


def test_what_is_no_number_has_no_canonical_form():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            canonical_hash({"a": value})


POINT = DesignPoint(
    design=Design(task="wlp", route=Route(strategy="distill", teacher="xxl", student="small"), n_labels=300),
    split_id="s",
    seed=2,
)


def test_the_identity_of_a_run_is_the_hash_of_everything_that_decides_it():
    assert POINT.run_id == sha(
        '{"labeler":null,"n_labels":300,"n_llm_labels":0,"n_unlabeled":0,"recipe_id":"","seed":2,"split_id":"s",'
        '"strategy":"distill","student":"small","task":"wlp","teacher":"xxl","unlabeled_source":null}'
    )


@pytest.mark.parametrize("name", POINT.flat())
def test_every_part_of_a_design_is_part_of_its_identity(name):
    flat = POINT.flat()
    other = 7 if isinstance(flat[name], int) else "other"
    assert DesignPoint.of({**flat, name: other}).run_id != POINT.run_id
    assert DesignPoint.of(flat) == POINT


SEEN = {
    "key": "k2",
    "source": "published:x",
    "strategy": "distill",
    "student": "large",
    "teacher": "xxl",
    "labeler": "llm",
    "n_labels": 5.0,
    "n_llm_labels": 5.0,
    "n_unlabeled": 5.0,
    "score": 0.5,
    "score_err": 0.01,
    "n_test": 800,
    "teacher_score": 0.9,
    "labeler_accuracy": 0.8,
}
ROWS = [make_row(key=key, n_labels=100.0, score=0.4) for key in ("c", "a", "b")]


@pytest.mark.parametrize("name", SEEN)
def test_whatever_a_fit_sees_of_a_row_is_part_of_its_key(name):
    changed = [ROWS[0], make_row(ROWS[1], **{name: SEEN[name]}), ROWS[2]]
    assert rows_hash(changed) != rows_hash(ROWS)
    assert rows_hash([], changed) != rows_hash([], ROWS)


def test_rows_of_the_task_and_of_others_are_told_apart_and_their_order_is_not():
    assert rows_hash(ROWS[:1], ROWS[1:]) == rows_hash(ROWS[:1], ROWS[:0:-1])
    assert rows_hash(ROWS) == rows_hash(ROWS[::-1])
    keys = {rows_hash(ROWS[:k], ROWS[k:]) for k in range(4)}
    assert len(keys) == 4


def test_scores_that_differ_in_their_last_digit_are_not_the_same_rows():
    assert rows_hash([replace(ROWS[0], score=0.1 + 0.2)]) != rows_hash([replace(ROWS[0], score=0.3)])


def test_a_route_is_what_one_surface_describes():
    row = make_row(strategy="llm_annotate", labeler="llm", teacher="xxl")
    assert row.route == Route(strategy="llm_annotate", teacher="xxl", labeler="llm", student="small")
    assert row.route.sort_key == ("llm_annotate", "xxl", "llm", "small")


def test_axes_of_every_strategy_are_in_the_order_that_stored_fits_have():
    """Labels before what they label: stored tables and hulls are read by it."""
    assert {s.name: s.inputs for s in STRATEGIES.values() if len(s.inputs) > 1} == {
        "distill": ("n_labels", "n_unlabeled"),
        "annotate_plus_llm": ("n_labels", "n_llm_labels"),
    }


def test_what_is_to_do_is_true_of_every_student():
    """A frozen encoder with a regression on top, and a bag of words, are trained; nothing in them is fine-tuned."""
    assert [s.name for s in STRATEGIES.values() if "fine-tune" in s.summary] == []
